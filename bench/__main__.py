"""`python -m bench [NAME …]`: run every measurement, or those named, and print its ratios."""

import sys
from importlib import import_module
from pathlib import Path

from cli.running import leave


def main(names: list[str]) -> None:
    here = Path(__file__).parent
    known = sorted(path.stem for path in here.glob("*.py") if not path.stem.startswith("_"))
    if unknown := set(names) - set(known):
        sys.exit(
            f"there is no measurement {', '.join(sorted(unknown))}: choose of {', '.join(known)}"
        )
    for name in names or known:
        for line in import_module(f"bench.{name}").measure():
            print(f"{name}: {line}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
    leave(0)
