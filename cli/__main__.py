"""`python -m cli`: the `weir` command where it is not installed, as in the image."""

from cli.main import run

if __name__ == "__main__":
    run()
