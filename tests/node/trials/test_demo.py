"""The chapter of clinical trials, told on six participants."""

from pathlib import Path

import pytest

from salus.node.demo import trial
from salus.node.demo.telling import Telling


def test_every_step_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "SCREENED", 6)
    monkeypatch.setattr(trial, "ENROLLED", 6)
    telling = Telling("trial", tmp_path)
    trial.CHAPTER.tell(telling, None)
    assert telling.held, [step.failures for step in telling.steps]
    assert len(telling.steps) == 14
    refusals = [name for step in telling.steps for name, value in step.figures.items() if value.startswith("refused")]
    assert len(refusals) == 8
