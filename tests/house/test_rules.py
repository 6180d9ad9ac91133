"""The rules find what they are for, and let pass what they should."""

import ast
from collections.abc import Callable, Iterator

import pytest

from tests.house import rules

Rule = Callable[[ast.Module], Iterator[str]]

BROKEN: list[tuple[Rule, str]] = [
    (rules.inexact_numbers, "x: float = 1"),
    (rules.inexact_numbers, "def f() -> float: ..."),
    (rules.inexact_numbers, "x = float('1')"),
    (rules.inexact_numbers, "x = list[float]()"),
    (rules.inexact_numbers, "x = amount.quantize(cent)"),
    (rules.inexact_numbers, "x = round(amount, 2)"),
    (rules.inexact_literals, "x = 0.1"),
    (rules.clocks_and_chance, "x = datetime.now(UTC)"),
    (rules.clocks_and_chance, "x = datetime.datetime.utcnow()"),
    (rules.clocks_and_chance, "x = date.today()"),
    (rules.clocks_and_chance, "f = datetime.now"),
    (rules.clocks_and_chance, "import random"),
    (rules.clocks_and_chance, "import os.path"),
    (rules.clocks_and_chance, "from time import time"),
    (rules.clocks_and_chance, "from uuid import uuid4"),
    (rules.clocks_and_chance, "x = uuid.uuid4()"),
    (rules.long_functions, "def f():\n" + "    pass\n" * 50),
    (rules.long_functions, "class A:\n    async def f(self):\n" + "        pass\n" * 50),
    (rules.unwritten_code, "def f(): raise NotImplementedError"),
    (rules.unwritten_code, "def f(): raise NotImplementedError('later')"),
    (rules.more_than_a_docstring, '"""A room."""\nfrom room import thing'),
    (rules.more_than_a_docstring, "x = 1"),
]

KEPT: list[tuple[Rule, str]] = [
    (rules.inexact_numbers, "refused = isinstance(value, InexactNumber | float)"),
    (rules.inexact_numbers, "match x:\n    case InexactNumber() | float():\n        refuse(x)"),
    (rules.inexact_numbers, "x = round_to(amount, 2, 'half_up')"),
    (rules.inexact_literals, "x = Fraction('0.1') + 1"),
    (rules.clocks_and_chance, "x = workflow.now()"),
    (rules.clocks_and_chance, "x = workflow.uuid4()"),
    (rules.clocks_and_chance, "from datetime import datetime, time\nx = datetime.max"),
    (rules.long_functions, "def f():\n" + "    pass\n" * 49),
    (rules.unwritten_code, "def f(): raise ValueError"),
    (rules.more_than_a_docstring, ""),
    (rules.more_than_a_docstring, '"""A room."""'),
]


@pytest.mark.parametrize(("rule", "source"), BROKEN)
def test_found(rule: Rule, source: str) -> None:
    assert list(rule(ast.parse(source)))


@pytest.mark.parametrize(("rule", "source"), KEPT)
def test_let_pass(rule: Rule, source: str) -> None:
    assert list(rule(ast.parse(source))) == []
