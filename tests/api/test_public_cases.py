"""The acceptance cases over HTTP: asked of the calculators, and lived through with real meters, events and subscriptions."""

import json

import httpx
import pytest

from tests.api.asking import Asking
from tests.public_cases import faults_in, is_refused, line_of, read_cases


@pytest.fixture
def asking(client: httpx.AsyncClient) -> Asking:
    return Asking(client)


@pytest.mark.parametrize("kind", ["rate", "periods", "aggregate"])
async def test_the_calculators_answer_every_line(asking: Asking, kind: str) -> None:
    cases = read_cases(kind)
    response = await asking.client.post(
        f"/v1/{kind}",
        content="\n".join(line_of(case) for case in cases),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert response.status_code == 200
    answers = [json.loads(line) for line in response.text.splitlines()]
    assert faults_in(cases, answers) == []


@pytest.mark.parametrize("kind", ["rate", "periods", "aggregate"])
async def test_the_calculators_refuse_a_bad_object_with_its_path(asking: Asking, kind: str) -> None:
    bad = [case for case in read_cases(kind) if is_refused(case)]
    answers = []
    for case in bad:
        response = await asking.client.post(
            f"/v1/{kind}",
            content=line_of(case),
            headers={"Content-Type": "application/json"},
        )
        assert response.status_code == 422, f"{case.get('id')}: {response.text}"
        answers.append({"id": case.get("id"), "error": response.json()["errors"][0]})
    assert faults_in(bad, answers) == []
