"""Where a process finds its servers: variables first, then the `weir dev` that runs in this directory."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from cli.settings import RUNNING, read_settings
from domain.errors import Unavailable

DEV = {
    "DATABASE_URL": "postgresql://weir_app:a@127.0.0.1:1/weir",
    "MIGRATION_DATABASE_URL": "postgresql://weir_owner:b@127.0.0.1:1/weir",
    "TEMPORAL_ADDRESS": "127.0.0.1:2",
    "STRIPE_API_KEY": "sk_sandbox",
    "STRIPE_API_BASE": "http://127.0.0.1:3",
    "STRIPE_WEBHOOK_SECRET": "whsec_sandbox",
}
OWN = "postgresql://weir_app:c@db.example/weir"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "none.toml"))
    return tmp_path


@pytest.fixture
def running(directory: Path) -> Path:
    (directory / RUNNING).write_text(json.dumps(DEV))
    return directory


def test_variables_alone(directory: Path) -> None:
    settings = read_settings({"DATABASE_URL": OWN}, directory)
    assert settings.database_url == settings.migration_database_url == OWN
    assert settings.temporal["target_host"] == "localhost:7233"
    assert settings.stripe_api_key is settings.stripe_api_base is None


def test_an_empty_variable_says_nothing(directory: Path) -> None:
    settings = read_settings({"DATABASE_URL": OWN, "MIGRATION_DATABASE_URL": ""}, directory)
    assert settings.migration_database_url == OWN


def test_a_running_dev_alone(running: Path) -> None:
    settings = read_settings({}, running)
    assert settings.database_url == DEV["DATABASE_URL"]
    assert settings.migration_database_url == DEV["MIGRATION_DATABASE_URL"]
    assert settings.temporal["target_host"] == DEV["TEMPORAL_ADDRESS"]
    assert settings.stripe_api_base == DEV["STRIPE_API_BASE"]
    assert settings.stripe_webhook_secret == DEV["STRIPE_WEBHOOK_SECRET"]


def test_a_database_of_ones_own_is_not_migrated_as_devs_owner(running: Path) -> None:
    settings = read_settings({"DATABASE_URL": OWN}, running)
    assert settings.database_url == settings.migration_database_url == OWN


def test_a_temporal_of_ones_own(running: Path) -> None:
    environ = {"TEMPORAL_ADDRESS": "temporal.example:7233", "TEMPORAL_NAMESPACE": "billing"}
    settings = read_settings(environ, running)
    assert settings.temporal["target_host"] == "temporal.example:7233"
    assert settings.temporal["namespace"] == "billing"


def test_a_stripe_of_ones_own_is_not_called_at_the_sandbox(running: Path) -> None:
    settings = read_settings({"STRIPE_API_KEY": "sk_test_own"}, running)
    assert settings.stripe_api_key == "sk_test_own"
    assert settings.stripe_api_base is settings.stripe_webhook_secret is None


def test_no_database_at_all(directory: Path) -> None:
    with pytest.raises(Unavailable, match="set DATABASE_URL, or start `weir dev`"):
        read_settings({}, directory)


def test_a_temporal_profile_that_cannot_be_read(directory: Path) -> None:
    (directory / "bad.toml").write_text("= not toml")
    environ = {"DATABASE_URL": OWN, "TEMPORAL_CONFIG_FILE": str(directory / "bad.toml")}
    with pytest.raises(Unavailable, match="Temporal's configuration cannot be read"):
        read_settings(environ, directory)


def test_secrets_are_not_shown(running: Path) -> None:
    shown = repr(read_settings({}, running))
    assert not any(secret in shown for secret in ("weir_owner", "weir_app", "sk_", "whsec_"))


def test_how_often_usage_is_told_is_a_number_of_seconds(directory: Path) -> None:
    given = {"DATABASE_URL": OWN}
    assert read_settings(given, directory).usage_signal_window == timedelta(days=31)
    told = read_settings({**given, "USAGE_SIGNAL_WINDOW": "0"}, directory)
    assert told.usage_signal_window == timedelta(0)
    for wrong in ("-1", "1.5", "1h", "9" * 9):
        with pytest.raises(Unavailable, match="USAGE_SIGNAL_WINDOW"):
            read_settings({**given, "USAGE_SIGNAL_WINDOW": wrong}, directory)


def test_where_webhooks_may_go(running: Path) -> None:
    """What `weir dev` allows on its own machine holds for its own database alone."""
    told = {**DEV, "WEBHOOK_PRIVATE_ADDRESSES": "test"}
    (running / RUNNING).write_text(json.dumps(told))
    assert read_settings({}, running).webhook_private_addresses == "test"
    own = {"DATABASE_URL": OWN}
    assert read_settings(own, running).webhook_private_addresses == "refused"
    wide = {**own, "WEBHOOK_PRIVATE_ADDRESSES": "allowed"}
    assert read_settings(wide, running).webhook_private_addresses == "allowed"
    with pytest.raises(Unavailable, match="is one of refused, test, allowed, not yes"):
        read_settings({**own, "WEBHOOK_PRIVATE_ADDRESSES": "yes"}, running)
