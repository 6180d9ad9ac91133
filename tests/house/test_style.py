"""The house's style, held by a test: what import-linter, ruff and mypy do not see."""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.house import rules

ROOT = Path(__file__).parents[2]
LONGEST_FILE = 400
FORBIDDEN_NAMES = {"utils", "util", "common", "core", "helpers", "services", "managers"}
ROUNDING_BELONGS_TO = {"domain/money.py", "domain/decimals.py"}
DECLARED_WITHOUT_BODY = {"activities/steps.py"}

# Written so that this file does not find itself.
LOOSE_ENDS = re.compile(r"\b(TOD[O]|FIXM[E])\b")
STRANGE_WORDS = re.compile(
    r"(?<![\w.])/(wor[k]|far[m])/|before-sto[p]|\bsub-?agen[t]|\.librar[y]\b"
    r"|pypi\.or[g]|pythonhosted\.or[g]|registry\.npmj[s]|proxy\.golan[g]",
    re.IGNORECASE,
)
SHARED = re.compile(r"\.\./share[d]\b|(?<![\w-])share[d]/")
UNREASONED = (
    re.compile(r"#\s*type:\s*ignor[e](?!\[[\w, -]+\]\s+#\s*\w)"),
    re.compile(r"#\s*pragma:\s*no cove[r](?!\s+#\s*\w)"),
    re.compile(r"mark\.(skip|xfail)\b(?!\(.*reason=)"),
)


@cache
def files() -> tuple[str, ...]:
    """Every file of the project, those not yet committed included, by its path from the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(sorted(name for name in set(listed.stdout.split("\0")) if (ROOT / name).is_file()))


def python(*rooms: str) -> list[str]:
    found = [name for name in files() if name.endswith(".py")]
    return [name for name in found if not rooms or name.split("/")[0] in rooms]


@cache
def read(name: str) -> str:
    """The text of a file, empty for one that is not text."""
    try:
        return (ROOT / name).read_text()
    except UnicodeDecodeError:
        return ""


@cache
def parsed(name: str) -> ast.Module:
    return ast.parse(read(name), name)


def broken(rule: Callable[[ast.Module], Iterator[str]], names: list[str]) -> list[str]:
    return [f"{name}:{found}" for name in names for found in rule(parsed(name))]


def matching(pattern: re.Pattern[str], names: list[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name in names
        for number, line in enumerate(read(name).splitlines(), start=1)
        if pattern.search(line)
    ]


def test_numbers_of_money_are_exact() -> None:
    names = python("domain", "db", "activities", "workflows")
    exact = [name for name in names if name not in ROUNDING_BELONGS_TO]
    assert broken(rules.inexact_numbers, exact) == []


def test_the_domain_writes_no_inexact_number() -> None:
    assert broken(rules.inexact_literals, python("domain")) == []


def test_rules_and_workflows_know_no_clock_and_no_chance() -> None:
    assert broken(rules.clocks_and_chance, python("domain", "workflows")) == []


def test_functions_are_short() -> None:
    assert broken(rules.long_functions, python()) == []


def test_files_are_short() -> None:
    names = [name for name in python() if not name.startswith("db/migrations/versions/")]
    assert [n for n in names if len(read(n).splitlines()) > LONGEST_FILE] == []


def test_everything_is_written() -> None:
    names = [name for name in python() if name not in DECLARED_WITHOUT_BODY]
    assert broken(rules.unwritten_code, names) == []


def test_modules_are_named_for_what_they_hold() -> None:
    parts = {name: set(Path(name).with_suffix("").parts) for name in python()}
    assert [name for name, names in parts.items() if names & FORBIDDEN_NAMES] == []


def test_rooms_are_not_shops() -> None:
    """What a package offers is in its modules: its `__init__.py` says at most what it is."""
    names = [name for name in python() if Path(name).name == "__init__.py"]
    assert broken(rules.more_than_a_docstring, names) == []


def test_nothing_is_left_for_later() -> None:
    assert matching(LOOSE_ENDS, list(files())) == []


def test_the_project_speaks_of_itself_alone() -> None:
    assert matching(STRANGE_WORDS, list(files())) == []


def test_only_tests_and_measurements_read_beside_the_project() -> None:
    own = [n for n in files() if n.split("/")[0] not in ("tests", "bench", ".ci")]
    assert matching(SHARED, own) == []


@pytest.mark.parametrize("pattern", UNREASONED)
def test_what_is_switched_off_says_why(pattern: re.Pattern[str]) -> None:
    assert matching(pattern, python()) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (LOOSE_ENDS, "# TO" + "DO: later"),
        (STRANGE_WORDS, "see /wor" + "k/notes"),
        (STRANGE_WORDS, "index-url = https://py" + "pi.org/simple"),
        (SHARED, "open('../shar" + "ed/cases')"),
        (UNREASONED[0], "x = y  # type: " + "ignore"),
        (UNREASONED[0], "x = y  # type: " + "ignore[arg-type]"),
        (UNREASONED[1], "x = y  # pragma: " + "no cover"),
        (UNREASONED[2], "@pytest.mark." + "skip"),
    ],
)
def test_a_word_that_does_not_belong_is_found(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


def test_a_reason_is_enough() -> None:
    line = "x = y  # type: " + "ignore[arg-type]  # the stub is wrong"
    assert not UNREASONED[0].search(line)
