"""The API with a worker and a provider behind it, as the tests of the API have it."""

from tests.api.conftest import (
    app,
    desk,
    sandbox,
    sandbox_server,
    task_queue,
    temporal,
    work,
    worker,
)

__all__ = ["app", "desk", "sandbox", "sandbox_server", "task_queue", "temporal", "work", "worker"]
