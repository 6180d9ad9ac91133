"""How a command ends: one line for an error of ours, and cleaned up after a signal."""

import asyncio
import os
import signal

import pytest
import typer

from cli.running import run, serve
from domain.errors import Fault, Invalid, Unavailable


async def refuse() -> None:
    raise Unavailable("the database at 127.0.0.1:1/weir: connection refused")


async def find_faults() -> None:
    raise Invalid([Fault("tenant", "must be text"), Fault("", "must be an object")])


def test_what_is_returned() -> None:
    async def answer() -> int:
        return 42

    assert run(answer) == 42


def test_an_error_of_ours_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert status(lambda: run(refuse)) == 1
    assert capsys.readouterr() == (
        "",
        "weir: the database at 127.0.0.1:1/weir: connection refused\n",
    )


def test_each_fault_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert status(lambda: run(find_faults)) == 1
    assert capsys.readouterr().err == "weir: tenant: must be text\nweir: must be an object\n"


def test_a_fault_of_ours_is_not_hidden() -> None:
    async def stumble() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        run(stumble)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cleans_up(number: signal.Signals) -> None:
    cleaned: list[str] = []

    async def work() -> None:
        os.kill(os.getpid(), number)
        try:
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), number)  # an impatient second one
            await asyncio.sleep(0)
            cleaned.append("up")

    assert status(lambda: run(work)) == 130
    assert status(lambda: serve(work)) is None
    assert cleaned == ["up", "up"]


def test_a_server_that_fails_says_so() -> None:
    assert status(lambda: serve(refuse)) == 1


def status(command: object) -> int | None:
    assert callable(command)
    try:
        command()
    except typer.Exit as ending:
        return ending.exit_code
    return None
