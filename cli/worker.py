"""`weir worker`: carries out what is due and what was asked, against the servers that the environment names."""

import os
import sys

from cli.running import serve


def worker() -> None:
    """Run a worker until Ctrl-C or SIGTERM. Any number of them may run at once."""
    serve(_work)
    # All is done. The SDK has threads of its own, which can abort a process whose interpreter winds down around them.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


async def _work() -> None:
    import worker as composition
    from cli.logs import log_to_stderr
    from cli.settings import read_settings

    log_to_stderr()
    await composition.run(read_settings(os.environ))
