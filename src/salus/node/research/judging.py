"""What custodians open of a model's rounds, held against what they signed. Needs the extra `research`."""

from typing import Any, Final

import numpy as np

from salus.agreements.research import masks
from salus.agreements.research.rounds import total_of
from salus.node.research.relaying import Rounds
from salus.node.research.rounds import SEED_BYTES, unmasked_commitment
from salus.node.research.unmasking import Site, Unmasked

NEAR: Final = 1e-6
"""Of the largest eigenvalue: fixed point rounds each sum to 2⁻⁴⁰."""


class Judge:
    """Hears one opening after the other. faults: by custodian. lines: the sums that were opened. held: how many hold."""

    def __init__(self, query: bytes, shown: Rounds, sites: tuple[Site, ...], width: int) -> None:
        self._query, self._shown, self._sites, self._width = query, shown, sites, width
        self._seeds: dict[tuple[bytes, bytes], bytes] = {}
        self.faults: list[str] = []
        self.lines: list[dict[str, Any]] = []
        self.held = 0

    def hear(self, place: int, turn: int, told: Unmasked) -> None:
        """Take what the custodian at a place opens of a turn."""
        site = self._sites[place]
        fault = self._fault(place, turn, told)
        if fault:
            self.faults.append(f"{site.custodian}, turn {turn}: {fault}")
        else:
            self.held += 1

    def end(self) -> None:
        """Name the pairs whose seeds differ: their masks do not cancel, and one of the two made its own."""
        for (one, other), seed in self._seeds.items():
            if one < other and self._seeds.get((other, one), seed) != seed:
                names = sorted(site.custodian for site in self._sites if site.data_set in {one, other})
                self.faults.append(f"{' and '.join(names)}: the seeds of their masks differ")

    def _fault(self, place: int, turn: int, told: Unmasked) -> str:
        """Return what does not hold of an opening, or an empty text."""
        own, sent = self._sites[place].data_set, self._shown.rounds[turn].vectors[place]
        if unmasked_commitment(told.salt, told.vector) != sent.unmasked:
            return "what was opened is not what was committed"
        seeds = dict(told.seeds)
        peers = {site.data_set for site in self._sites} - {own}
        if {*seeds} != peers or any(len(seed) != SEED_BYTES for seed in seeds.values()):
            return "the seeds are not those of the others"
        if len(told.vector) != len(sent.vector) or len(told.vector) != 8 * (self._width + self._width**2 + 1):
            return "a vector of another length than the model was committed"
        plain = np.frombuffer(told.vector, dtype="<u8").astype(np.uint64)
        known = {peer.hex(): seed for peer, seed in seeds.items()}
        again = masks.masked(own.hex(), known, plain, query=self._query, attempt=self._shown.attempt, turn=turn)
        if again.astype("<u8").tobytes() != sent.vector:
            return "the vector that was sent is not the committed one under its masks"
        for peer, seed in seeds.items():
            self._seeds[own, peer] = seed
        return self._sums(place, turn, plain)

    def _sums(self, place: int, turn: int, plain: masks.Ring) -> str:
        """Note the sums, and tell whether data can have them: the information is a sum of squares."""
        custodian = self._sites[place].custodian
        sums = total_of({custodian: plain}, self._width)
        self.lines.append(
            {
                "custodian": custodian,
                "turn": turn,
                "gradient": sums.gradient.tolist(),
                "information": sums.information.tolist(),
                "likelihood": sums.likelihood,
            }
        )
        values = np.linalg.eigvalsh(sums.information)
        most = NEAR * max(1.0, float(np.max(np.abs(values))))
        skew = float(np.max(np.abs(sums.information - sums.information.T)))
        return "" if skew <= most and float(values[0]) >= -most else "no data have such sums"
