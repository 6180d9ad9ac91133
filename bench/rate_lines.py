"""`weir rate` on 100,000 lines, against a loop that only parses and prints them: at most 6 times its time.

Both are processes that read the same file and write one; starting Python is counted on both sides. The time is the
processor's, so that whatever else the machine does matters little.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from random import Random
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory

from bench._priced_lines import Line, everyday_lines, fresh_line, tiered_line

LINES = 100_000
BEST_OF = 3
RATE = (sys.executable, "-m", "cli", "rate")
ONLY_PARSE_AND_PRINT = (
    sys.executable,
    "-c",
    "import json, sys\nfor line in sys.stdin: print(json.dumps(json.loads(line)))",
)


def measure() -> Iterator[str]:
    with TemporaryDirectory(prefix="weir-bench-") as directory:
        for name, lines in _kinds():
            file = Path(directory, "lines.jsonl")
            file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
            rated, bare = _best(file)
            yield (
                f"{name}: {rated / bare:.1f} times only parsing and printing (at most 6),"
                f" {LINES / rated:,.0f} lines a second of processor time"
            )


def _kinds() -> Iterator[tuple[str, Iterator[Line]]]:
    chance = Random(3)
    yield "cases of all models, repeated", islice(cycle(everyday_lines()), LINES)
    yield "another price of any model on every line", _made(fresh_line, chance)
    yield "another price in tiers on every line", _made(tiered_line, chance)
    price = tiered_line(chance, 0)["price"]
    yield "one price, another quantity on every line", _made(_with(price), chance)


def _made(make: Callable[[Random, int], Line], chance: Random) -> Iterator[Line]:
    return (make(chance, number) for number in range(LINES))


def _with(price: object) -> Callable[[Random, int], Line]:
    def line(chance: Random, number: int) -> Line:
        return {**tiered_line(chance, number), "price": price}

    return line


def _best(file: Path) -> tuple[float, float]:
    """Processor seconds of the command and of the yardstick: by turns, and of each the least disturbed run."""
    turns = [(_seconds(RATE, file), _seconds(ONLY_PARSE_AND_PRINT, file)) for _ in range(BEST_OF)]
    return min(rated for rated, _ in turns), min(bare for _, bare in turns)


def _seconds(command: tuple[str, ...], file: Path) -> float:
    answers = file.with_name("answers")
    with file.open("rb") as lines, answers.open("wb") as out:
        before = getrusage(RUSAGE_CHILDREN)
        subprocess.run(command, stdin=lines, stdout=out, check=True)
        after = getrusage(RUSAGE_CHILDREN)
    with answers.open("rb") as out:
        answered = sum(1 for _ in out)
    if answered != LINES:
        raise RuntimeError(f"{answered} answers to {LINES} lines")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
