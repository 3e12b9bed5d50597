"""The chapter of clinical trials, told on six participants."""

from pathlib import Path
from typing import Any

import pytest

from salus.node.demo import trial, trial_protocol
from salus.node.demo.telling import Telling
from salus.node.demo.trial_scene import FOUNDERS
from salus.node.errors import Malformed
from tests.interop.cdisc.protocols import protocol, written


def test_every_step_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    founders = tuple(each for each in FOUNDERS if each.id not in {"south", "west"})
    for name, value in {"FOUNDERS": founders, "SITES": ("north",), "SCREENED": 7, "ENROLLED": 6}.items():
        monkeypatch.setattr(trial, name, value)
    telling = Telling("trial", tmp_path)
    trial.CHAPTER.tell(telling, None)
    assert telling.held, [step.failures for step in telling.steps]
    assert len(telling.steps) == 17
    refusals = [name for step in telling.steps for name, value in step.figures.items() if value.startswith("refused")]
    assert len(refusals) == 12


def of_protocol(folder: Path, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Telling:
    """Tell the chapter of a protocol at one site, with three trustees of whom two draw."""
    gone = {"south", "west", "trust-one", "trust-two"}
    for name, value in {
        "EACH": 2,
        "FOUNDERS": tuple(each for each in FOUNDERS if each.id not in gone),
        "SITES": ("north",),
        "TRUSTEES": ("authority", "ethics", "statistics"),
        "THRESHOLD": 2,
    }.items():
        monkeypatch.setattr(trial_protocol, name, value)
    telling = Telling("trial", folder)
    trial_protocol.ProtocolTrial(written(document)).tell(telling, None)
    assert telling.held, [step.failures for step in telling.steps]
    return telling


def test_any_protocol_becomes_the_running_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    telling = of_protocol(tmp_path, protocol(), monkeypatch)
    assert len(telling.steps) == 6
    assert "was 20" in telling.steps[4].figures["deviation"]
    with pytest.raises(Malformed):
        trial_protocol.ProtocolTrial(b"{}").tell(Telling("trial", tmp_path), None)


@pytest.mark.soak
def test_a_protocol_with_one_arm_is_told_without_a_draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = protocol()
    design = document["study"]["versions"][0]["studyDesigns"][0]
    gone = {each["id"] for each in design["arms"][1:]}
    design["arms"] = design["arms"][:1]
    design["studyCells"] = [each for each in design.get("studyCells", []) if each["armId"] not in gone]
    telling = of_protocol(tmp_path, document, monkeypatch)
    assert "no place in this design" in telling.steps[3].figures
