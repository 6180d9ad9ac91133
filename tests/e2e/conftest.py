"""The API with a worker and a provider behind it, as the tests of the API have it."""

from tests.api.conftest import (
    app,
    desk,
    led_queue,
    sandbox,
    sandbox_server,
    task_queue,
    temporal,
    work,
    worker,
)
from tests.e2e.staged import own_database, stage

__all__ = [
    "app",
    "desk",
    "led_queue",
    "own_database",
    "sandbox",
    "sandbox_server",
    "stage",
    "task_queue",
    "temporal",
    "work",
    "worker",
]
