"""A custodian's side of a model: it takes Newton's steps itself and answers at no other β.

The analyst's node relays vectors and can withhold, not choose: a chosen β would turn gradients into a query of one's own.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from salus.agreements.research import masks, models
from salus.agreements.research.errors import MalformedVector, OffPath
from salus.agreements.research.models import Matrix

NEAR: Final = 1e-9  # machines differ in the last digits of a product; a β farther off was chosen


class Site:
    """One custodian in one attempt at one query. Each turn has one vector; asked again, the same bytes are given."""

    def __init__(
        self,
        member: str,
        contribution: models.Contribution,
        width: int,
        seeds: Mapping[str, bytes],
        *,
        query: bytes,
        attempt: int,
    ) -> None:
        self._member, self._contribution, self._width, self._seeds = member, contribution, width, dict(seeds)
        self._query, self._attempt = query, attempt
        self._path = models.path(width)
        self._beta = next(self._path)
        self._turn = 0
        self._sent: masks.Ring | None = None
        self.unmasked: masks.Ring | None = None
        """The own vector of the present turn without masks: committed with a salt, opened to an auditor alone."""
        self.fit: models.Fit | None = None

    @property
    def beta(self) -> Matrix:
        """The coefficients of the next turn, as this custodian stepped there itself."""
        return self._beta

    @property
    def turn(self) -> int:
        """The number of the next turn."""
        return self._turn

    def answer(self, turn: int, beta: Matrix) -> masks.Ring:
        """Return the masked vector of a turn. Raises OffPath unless the turn is the next and β its own."""
        if self.fit is not None or turn != self._turn:
            raise OffPath(f"turn {turn} is not the next")
        if beta.shape != self._beta.shape or not np.max(np.abs(beta - self._beta)) <= NEAR:
            raise OffPath("the coefficients are not those of the next step")
        if self._sent is None:
            found = self._contribution(self._beta)
            flat = np.concatenate([found.gradient, found.information.ravel(), [found.likelihood]])
            self.unmasked = masks.fixed(flat)
            self._sent = masks.masked(
                self._member, self._seeds, self.unmasked, query=self._query, attempt=self._attempt, turn=turn
            )
        return self._sent

    def take(self, vectors: Mapping[str, masks.Ring]) -> Matrix:
        """Take all custodians' masked vectors of this turn and step. Returns the next β. Raises OffPath, NoFit."""
        own = vectors.get(self._member)
        if self._sent is None or own is None or not np.array_equal(own, self._sent):
            raise OffPath("the own vector is missing or altered")
        if vectors.keys() != {self._member, *self._seeds}:
            raise OffPath("the vectors are not those of the custodians of this attempt")
        sums = total_of(vectors, self._width)
        self._sent = None
        self._turn += 1
        try:
            self._beta = self._path.send(sums)
        except StopIteration as end:
            self.fit = end.value
        return self._beta


def total_of(vectors: Mapping[str, masks.Ring], width: int) -> models.Sums:
    """Return the sums of all custodians, in which the masks are gone. Raises MalformedVector."""
    if any(len(vector) != width + width**2 + 1 for vector in vectors.values()):
        raise MalformedVector("a vector has another length than the model")
    total = masks.numbers(masks.added([vectors[member] for member in sorted(vectors)]))
    return models.Sums(total[:width], total[width:-1].reshape(width, width), float(total[-1]))
