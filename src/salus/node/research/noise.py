"""A custodian's noisy answers: discrete Gaussian noise drawn once, stored durably before anybody hears of it.

The same question on the same population gives the same answer, at no further charge: two draws of one answer would let an
analyst average the noise away. A draw that was not stored when the process died was never seen. Needs the extra `research`.
"""

import math
import secrets
from collections.abc import Sequence
from typing import Any, Protocol

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


class Drawer(Protocol):
    """Where answers are kept: durable when a method returns, one answer for each id for ever."""

    def research(self, kind: str, prefix: bytes = b"") -> list[tuple[bytes, bytes]]:
        """Return (id, body) of what is kept of a kind."""
        ...

    def keep_research_once(self, kind: str, id_: bytes, body: bytes) -> bytes:
        """Keep a body unless one is kept under the id; return the one that is kept."""
        ...


class AnswerBook:
    """Answers, one for each (question, population, exact figures, σ²)."""

    def __init__(self, drawer: Drawer) -> None:
        self._drawer = drawer

    def answer(self, question: bytes, population: bytes, exact: Sequence[int], variance: int) -> NoisyAnswer:
        """Return the answer to a question (digest of its document) on a population (digest), drawn at most once.

        Raises what the drawer raises when it cannot keep it; then nothing was seen.
        """
        id_ = digest("salus/v1/research-draw", question, population, encode(tuple(exact)), encode(variance))
        found = self._drawer.research("draw", id_)
        if found:
            return decode(found[0][1], NoisyAnswer)
        draw = mechanism(variance)
        made = NoisyAnswer(tuple(draw(figure) for figure in exact), secrets.token_bytes(32))
        return decode(self._drawer.keep_research_once("draw", id_, encode(made)), NoisyAnswer)
