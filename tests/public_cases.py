"""The acceptance cases that come with the contract, where they lie beside the project."""

import json
from collections.abc import Callable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest

from cli.jsonlines import answer_lines

CASES = Path(__file__).parents[2] / "shared" / "cases"

Answer = Callable[[Mapping[str, object]], Mapping[str, object]]


def differences(kind: str, answer: Answer) -> list[str]:
    """What is wrong with the answers to all cases of a kind, text form and error paths included."""
    if not (CASES / "run.py").exists():
        pytest.skip("the acceptance cases are not beside this checkout")
    runner = _runner()
    cases = [json.loads(line) for line in (CASES / f"{kind}.jsonl").open(encoding="utf-8")]
    lines = [_line(case, runner.OURS) for case in cases]
    answers = answered(answer, *lines)
    assert len(answers) == len(cases) > 0
    return [
        f"{case.get('id')}: {fault}"
        for case, given in zip(cases, answers, strict=True)
        for fault in runner.check(case, given, strict=True)
    ]


def answered(answer: Answer, *lines: str) -> list[dict[str, object]]:
    """The answers of a pure command to lines of text."""
    out = BytesIO()
    answer_lines(answer, [line.encode() + b"\n" for line in lines], out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def _line(case: dict[str, object], not_sent: tuple[str, ...]) -> str:
    if "raw" in case:
        return str(case["raw"])
    return json.dumps({name: value for name, value in case.items() if name not in not_sent})


def _runner() -> ModuleType:
    spec = spec_from_file_location("acceptance", CASES / "run.py")
    assert spec is not None
    assert spec.loader is not None
    runner = module_from_spec(spec)
    spec.loader.exec_module(runner)
    return runner
