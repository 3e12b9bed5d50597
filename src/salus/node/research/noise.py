"""A custodian's noisy answers: discrete Gaussian noise drawn once, stored durably before anybody hears of it.

The same question on the same population gives the same answer, at no further charge: two draws of one answer would let an
analyst average the noise away. A draw that was not stored when the process died was never seen. Needs the extra `research`.
"""

import math
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import opendp.prelude as dp

from salus.core.encoding import Value, decode, encode
from salus.core.proof.digest import digest

dp.enable_features("contrib")


class NoisyAnswer(Value, frozen=True):
    """An answer as it leaves."""

    values: tuple[int, ...]
    """Figures with noise, in the order of the declared cells."""
    salt: bytes
    """32 random bytes."""

    @property
    def commitment(self) -> bytes:
        """What stands on the ledger before the answer leaves."""
        return digest("salus/v1/research-answer", self.salt, encode(self.values))


def mechanism(variance: int) -> Any:
    """Return the discrete Gaussian measurement on whole numbers with σ² = `variance`; its map is in ρ."""
    return dp.m.make_gaussian(dp.atom_domain(T=int), dp.absolute_distance(T=int), scale=math.sqrt(variance))


class AnswerBook:
    """Answers in a folder, one file for each (question, population), named by its digest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def answer(self, question: bytes, population: bytes, exact: Sequence[int], variance: int) -> NoisyAnswer:
        """Return the answer to a question (digest of its document) on a population (root), drawn at most once.

        Raises OSError when it cannot be stored; then nothing was seen and nothing is kept.
        """
        name = digest("salus/v1/research-draw", question, population, variance.to_bytes(8, "big")).hex()
        file = self._folder / name
        if not file.exists():
            draw = mechanism(variance)
            made = NoisyAnswer(tuple(draw(figure) for figure in exact), secrets.token_bytes(32))
            _keep(file, encode(made))
        return decode(file.read_bytes(), NoisyAnswer)


def _keep(file: Path, data: bytes) -> None:
    """Write a file so that after a crash it is there whole or not at all."""
    part = file.with_suffix(".part")
    with part.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
