"""The chapter of research holds to its end, and fails when something in it does not."""

import pytest

from salus.agreements.research import gate
from salus.node.demo import research
from salus.node.demo.telling import Telling
from salus.node.errors import Unavailable


@pytest.mark.soak
def test_the_chapter_holds(tmp_path):
    telling = Telling(research.CHAPTER.title, tmp_path)
    research.CHAPTER.tell(telling, None)
    assert [step.failures for step in telling.steps] == [[]] * 11
    assert telling.held


@pytest.mark.soak
def test_the_chapter_does_not_hold_without_the_gate(tmp_path, monkeypatch):
    monkeypatch.setattr(gate, "judge", lambda _base, _smallest: gate.Verdict(True, 0.0))
    telling = Telling(research.CHAPTER.title, tmp_path)
    research.CHAPTER.tell(telling, None)
    attacks = ("one person", "everybody but one", "a tracker over a cohort")
    assert [one for step in telling.steps for one in step.failures] == [f"{attack} is withheld" for attack in attacks]


def test_the_chapter_says_what_it_lacks(tmp_path, monkeypatch):
    monkeypatch.setattr(research, "find_spec", lambda _name: None)
    with pytest.raises(Unavailable, match=r"salus-health\[research\]"):
        research.CHAPTER.tell(Telling("", tmp_path), None)
