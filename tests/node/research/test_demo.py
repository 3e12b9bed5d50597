"""The chapter of research holds to its end, and fails when something in it does not."""

import pytest

from salus.agreements.research import gate
from salus.node.demo import research
from salus.node.demo.telling import Telling
from salus.node.errors import Unavailable


def test_the_chapter_holds(tmp_path):
    telling = Telling(research.CHAPTER.title, tmp_path)
    research.CHAPTER.tell(telling, None)
    assert [step.failures for step in telling.steps] == [[]] * 8
    assert telling.held
    assert sum(step.seconds for step in telling.steps) < research.CHAPTER.budget_seconds


def test_the_chapter_does_not_hold_without_the_gate(tmp_path, monkeypatch):
    monkeypatch.setattr(gate, "leverages", lambda columns: columns[:, 0] * 0)
    telling = Telling(research.CHAPTER.title, tmp_path)
    research.CHAPTER.tell(telling, None)
    assert not telling.held
    assert [step.title for step in telling.steps if not step.held] == ["Known attacks are withheld"]


def test_the_chapter_says_what_it_lacks(tmp_path, monkeypatch):
    monkeypatch.setattr(research, "find_spec", lambda _name: None)
    with pytest.raises(Unavailable, match=r"salus-health\[research\]"):
        research.CHAPTER.tell(Telling("", tmp_path), None)
