"""The production shape: every image pinned, every reference resolved, every command and variable real."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from cli.main import app

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
WEIR = ("migrate", "api", "worker", "worker-before")
VERSION = r"\d+\.\d+(\.\d+)?"


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_by_version(name: str) -> None:
    ours = rf"weir:\$\{{WORKER_BUILD_\w+:-{VERSION}\}}"
    assert re.fullmatch(rf"[a-z/-]+:{VERSION}|{ours}", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_can_come_true(name: str) -> None:
    for needed, wait in SERVICES[name].get("depends_on", {}).items():
        if wait["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[needed]
        else:
            assert wait["condition"] == "service_completed_successfully"
            assert SERVICES[needed]["restart"].startswith("on-failure")


@pytest.mark.parametrize("name", SERVICES)
def test_mounted_files_and_named_volumes_exist(name: str) -> None:
    for volume in SERVICES[name].get("volumes", ()):
        source = volume.split(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_only_this_machine_is_listened_on(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@pytest.mark.parametrize("name", WEIR)
def test_our_services_run_commands_that_exist(name: str) -> None:
    commands = get_command(app).list_commands(None)  # type: ignore[attr-defined]  # a click group
    assert SERVICES[name]["command"][0] in commands


@pytest.mark.parametrize("name", ["worker", "worker-before"])
def test_a_worker_is_of_the_build_that_its_image_is_of(name: str) -> None:
    build = SERVICES[name]["environment"]["WORKER_BUILD_ID"]
    assert SERVICES[name]["image"] == f"weir:{build}"


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_come_from_the_environment_and_are_required(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if re.search(r"PASSWORD|PWD|SECRET|API_KEY", variable):
            assert re.fullmatch(r"\$\{[A-Z_]+:\?\}", value)


def test_the_image_copies_every_room_and_the_lock() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for room in (
        "domain",
        "db",
        "providers",
        "activities",
        "workflows",
        "api",
        "cli",
        "worker.py",
        "requirements.lock",
    ):
        assert re.search(rf"^COPY {re.escape(room)} ", dockerfile, re.MULTILINE)
    for line in re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE):
        assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-bookworm", line)
