"""Migrations that can run while the application does, on PostgreSQL 15 and later."""

import re
import subprocess
import sys
from pathlib import Path

from db import migrate

SQUAWK = Path(sys.executable).with_name("squawk")
VERSIONS = Path(migrate.__file__).parent / "migrations" / "versions"

# What counts things of one document (positions, versions, attempts) never comes near two thousand million.
ALLOWED = "prefer-bigint-over-int"


def test_squawk_finds_nothing() -> None:
    # Alembic makes its own table with a varchar.
    sql = migrate.as_sql().replace("version_num VARCHAR(32)", "version_num text")
    found = subprocess.run(
        [SQUAWK, "--pg-version", "15", "--exclude", ALLOWED, "--reporter", "gcc"],
        input=sql,
        capture_output=True,
        text=True,
    )
    assert (found.stdout, found.returncode) == ("", 0)


def test_squawk_would_find_a_lock_that_stops_everyone() -> None:
    sql = "ALTER TABLE customers ADD COLUMN born date NOT NULL;"
    found = subprocess.run([SQUAWK, "--reporter", "gcc"], input=sql, capture_output=True, text=True)
    assert "adding-required-field" in found.stdout


def test_migrations_are_one_chain_in_the_order_of_their_names() -> None:
    names = sorted(path.stem for path in VERSIONS.glob("[0-9]*.py"))
    numbers = [name.split("_")[0] for name in names]
    assert numbers == [f"{number:04}" for number in range(1, len(names) + 1)]
    assert numbers[-1] == migrate.head()
    text = [(VERSIONS / f"{name}.py").read_text() for name in names]
    declared = [re.findall(r'^(?:down_)?revision = (?:"(\d+)"|None)', t, re.M) for t in text]
    assert declared == [[n, p] for n, p in zip(numbers, ["", *numbers[:-1]], strict=True)]
