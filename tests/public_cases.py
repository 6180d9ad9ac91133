"""The acceptance cases that come with the contract, where they lie beside the project."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cli.jsonlines import answer_lines

CASES = Path(__file__).parents[2] / "shared" / "cases"

Case = dict[str, Any]
Answer = Callable[[Mapping[str, object]], Mapping[str, object]]


def differences(kind: str, answer: Answer) -> list[str]:
    """What is wrong with the answers to all cases of a kind, text form and error paths included."""
    cases = read_cases(kind)
    return faults_in(cases, answered(answer, *(line_of(case) for case in cases)))


def read_cases(kind: str) -> list[Case]:
    """All cases of a kind: what is asked, and what to `expect`."""
    if not (CASES / "run.py").exists():
        pytest.skip("the acceptance cases are not beside this checkout")
    cases = [json.loads(line) for line in (CASES / f"{kind}.jsonl").open(encoding="utf-8")]
    assert cases
    return cases


def faults_in(cases: Sequence[Case], answers: Sequence[Mapping[str, object]]) -> list[str]:
    """What is wrong with the answers to some cases."""
    check = _runner().check
    return [
        f"{case.get('id')}: {fault}"
        for case, given in zip(cases, answers, strict=True)
        for fault in check(case, given, strict=True)
    ]


def line_of(case: Case) -> str:
    """What is sent of a case: all but what is expected, and said about it."""
    if "raw" in case:
        return str(case["raw"])
    not_sent = _runner().OURS
    return json.dumps({name: value for name, value in case.items() if name not in not_sent})


def is_refused(case: Case) -> bool:
    return case["expect"].get("error") is True


def answered(answer: Answer, *lines: str) -> list[dict[str, object]]:
    """The answers of a pure command to lines of text."""
    out = BytesIO()
    answer_lines(answer, [[line.encode() + b"\n" for line in lines]], out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


@cache
def _runner() -> ModuleType:
    spec = spec_from_file_location("acceptance", CASES / "run.py")
    assert spec is not None
    assert spec.loader is not None
    runner = module_from_spec(spec)
    spec.loader.exec_module(runner)
    return runner
