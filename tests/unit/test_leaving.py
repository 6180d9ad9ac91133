"""How a command's process ends: with all that it said, its own status, and whatever threads are still busy."""

import subprocess
import sys

BUSY = """
import threading
from cli.main import app, run

def command():
    threading.Thread(target=threading.Event().wait).start()
    print("done, " * 10_000)
    raise SystemExit(3)

app.command("busy")(command)
run()
"""


def test_a_command_ends_though_a_thread_is_still_busy() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", BUSY, "busy"], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (3, "")
    assert ended.stdout == "done, " * 10_000 + "\n"


def test_who_reads_the_first_line_alone_gets_no_stack_trace() -> None:
    ended = subprocess.run(
        f"{sys.executable} -c '{BUSY}' busy | head -c 5",
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.stdout, ended.stderr) == ("done,", "")
