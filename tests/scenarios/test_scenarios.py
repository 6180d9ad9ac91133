"""Stories with their expected documents, each with its arithmetic on top: what contract and documentation promise."""

from pathlib import Path

import pytest

from cli.exact_yaml import read_yaml
from domain.scenarios.expectations import differences
from domain.scenarios.scenario import read_scenario
from domain.simulation.run import simulate

HERE = Path(__file__).parent
PUBLIC = HERE.parents[2] / "shared" / "scenarios"

OURS = sorted(HERE.glob("*.yaml"))
THEIRS = sorted(PUBLIC.glob("*.yaml"))


def unmet(path: Path) -> list[str]:
    """What a scenario expects and does not get."""
    value = read_yaml(path.read_text(encoding="utf-8"))
    assert isinstance(value, dict)
    return list(differences(value["expect"], simulate(read_scenario(value))))


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    assert unmet(path) == []


@pytest.mark.skipif(not THEIRS, reason="the public scenarios are not beside this checkout")
@pytest.mark.parametrize("path", THEIRS, ids=lambda path: path.stem)
def test_public_scenario(path: Path) -> None:
    assert unmet(path) == []


def test_a_scenario_that_does_not_hold_is_told(tmp_path: Path) -> None:
    story = (HERE / "anchor-29-february.yaml").read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(story.replace("2025-02-28", "2025-03-01"), encoding="utf-8")
    assert unmet(wrong) == [
        "invoices.1.issued_at: expected '2025-03-01T00:00:00Z', got '2025-02-28T00:00:00Z'"
    ]
