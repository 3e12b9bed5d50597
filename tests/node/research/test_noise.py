"""Noise is as wide as it says, costs what the ledger charges, and is drawn once."""

import os

import numpy as np
import pytest

from salus.contracts.research.port import charge
from salus.node.research.noise import AnswerBook, NoisyAnswer, mechanism

QUESTION, POPULATION = bytes(32), bytes([1]) * 32


def test_the_error_is_that_of_the_theory():
    draw = mechanism(2500)
    errors = np.abs([draw(0) for _ in range(5000)])
    assert np.quantile(errors, 0.95) == pytest.approx(1.959964 * 50, rel=0.05)


@pytest.mark.parametrize("variance", [1, 2, 3, 50, 2500, 10**6, 10**9])
def test_the_charge_is_never_below_the_mechanisms_own(variance):
    for distance in (1, 2, 5):
        assert charge(distance**2, variance) / 1e6 >= mechanism(variance).map(distance) * (1 - 1e-12)


def test_one_question_on_one_population_has_one_answer(tmp_path):
    book = AnswerBook(tmp_path / "answers")
    first = book.answer(QUESTION, POPULATION, (100, 200, 300), 2500)
    assert AnswerBook(tmp_path / "answers").answer(QUESTION, POPULATION, (100, 200, 300), 2500) == first
    others = [book.answer(QUESTION, bytes([n]) * 32, (100, 200, 300), 2500) for n in range(2, 6)]
    assert len({answer.commitment for answer in (first, *others)}) == 5
    assert len({answer.values for answer in (first, *others)}) > 1


def test_a_draw_that_was_not_stored_was_never_seen(tmp_path, monkeypatch):
    book = AnswerBook(tmp_path)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="space"):
            book.answer(QUESTION, POPULATION, (1,), 50)
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    seen = book.answer(QUESTION, POPULATION, (1,), 50)
    assert isinstance(seen, NoisyAnswer)
    assert book.answer(QUESTION, POPULATION, (1,), 50) == seen
