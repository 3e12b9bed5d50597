"""Generating a threshold key without trust in any dealer (Feldman's scheme): what the words of trustees show of a dealer.

A dealer is excluded by its own signed words (a share opened that does not fit, two announcements, commitments that are none), or by
`threshold` trustees that complain of it: one of them is honest. Either can be shown to anybody, so that all repeat the run without it.

Needs the extra `trials`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from salus.agreements.key_words import (
    Announced,
    Complained,
    Exclusion,
    Heard,
    Opened,
    Statement,
    Trusteeship,
    Word,
    read_word,
)
from salus.agreements.threshold import check_share, key_point
from salus.agreements.trustees import ThresholdRefused
from salus.core.encoding import encode
from salus.core.proof.digest import digest


@dataclass
class Run:
    """One run as its words tell it."""

    without: tuple[int, ...]
    announced: dict[int, list[Announced]] = field(default_factory=dict)
    """By dealer; more than one only of a dealer that says different things."""
    complained: dict[int, dict[int, set[int]]] = field(default_factory=dict)
    """By dealer, about whose share, by whom."""
    opened: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)
    """Shares by (dealer, about)."""
    heard: dict[int, set[bytes]] = field(default_factory=dict)
    """By trustee."""
    _fits: dict[tuple[int, int, bytes], bool] = field(default_factory=dict, repr=False)

    def add(self, told: Statement) -> None:
        """Take a word; one of another run is left aside."""
        if told.without != self.without:
            return
        if isinstance(told, Announced):
            said = self.announced.setdefault(told.dealer, [])
            said += [] if told in said else [told]
        elif isinstance(told, Complained):
            self.complained.setdefault(told.dealer, {}).setdefault(told.about, set()).add(told.by)
        elif isinstance(told, Opened):
            self.opened.setdefault((told.dealer, told.about), []).append(told.share)
        else:
            self.heard.setdefault(told.by, set()).add(told.digest)

    def digest(self, dealers: Iterable[int]) -> bytes:
        """Return the digest over the announcements of all dealers of the run."""
        return digest("salus/v1/trial-key-heard", *(encode(self.announced[dealer][0]) for dealer in sorted(dealers)))

    def fits(self, dealer: int, trustee: int, share: bytes) -> bool:
        """Return whether a share fits what its dealer announced."""
        announced = self.announced.get(dealer)
        if not announced:
            return False
        known = self._fits.get((dealer, trustee, share))
        if known is None:
            try:
                check_share(announced[0].commitments, trustee, share, dealer)
                known = True
            except ThresholdRefused:
                known = False
            self._fits[dealer, trustee, share] = known
        return known

    def owed(self, dealer: int) -> list[int]:
        """Return the trustees, rising, that a dealer owes an answer: who complained about the own share, and nobody for another."""
        return sorted(
            about for about, who in self.complained.get(dealer, {}).items() if about in who and about != dealer
        )

    def answered(self, dealer: int, about: int) -> bool:
        """Return whether a complaint about a trustee's share was answered by a share that fits."""
        return any(self.fits(dealer, about, share) for share in self.opened.get((dealer, about), ()))


def run_of(statements: Iterable[Statement], without: tuple[int, ...]) -> Run:
    """Return one run of a key from what its trustees said, in any order; words of other runs are left aside."""
    run = Run(without)
    for told in statements:
        run.add(told)
    return run


def why(exclusion: Exclusion, among: Trusteeship) -> str:
    """Return why a dealer is to be left out, as its words or its trustees' show. Raises ThresholdRefused where nothing shows it."""
    told = [read_word(word, among) for word in exclusion.words]
    if not told or any(each.without != told[0].without for each in told):
        raise ThresholdRefused("words of no run, or of several", exclusion.dealer)
    run = run_of(told, told[0].without)
    if exclusion.dealer not in range(1, len(among.members) + 1) or exclusion.dealer in run.without:
        raise ThresholdRefused("no dealer of this run", exclusion.dealer)
    found = _fault(run, exclusion.dealer, among.threshold)
    if not found:
        raise ThresholdRefused("nothing shows that this dealer is to be left out", exclusion.dealer)
    return found


def exclusions(words: Sequence[tuple[Word, Statement]], run: Run, among: Trusteeship) -> Iterator[Exclusion]:
    """Yield which dealers of a run are to be left out, each with the words that show it."""
    for dealer in range(1, len(among.members) + 1):
        if dealer not in run.without and _fault(run, dealer, among.threshold):
            of_dealer = [
                word
                for word, told in words
                if told.without == run.without and not isinstance(told, Heard) and told.dealer == dealer
            ]
            yield Exclusion(dealer, tuple(of_dealer))


def _fault(run: Run, dealer: int, threshold: int) -> str:
    announced = run.announced.get(dealer, [])
    if len(announced) > 1:
        return "announced two different polynomials"
    if announced and not _is_polynomial(announced[0].commitments, threshold):
        return "announced no polynomial of the threshold"
    for (who, about), shares in sorted(run.opened.items()):
        if who == dealer and announced and not all(run.fits(dealer, about, share) for share in shares):
            return f"opened a share of trustee {about} that does not fit its commitments"
    against = set().union(*run.complained.get(dealer, {}).values()) - {dealer}
    if len(against) >= threshold:
        return f"{len(against)} trustees complain of it"
    return ""


@lru_cache(64)
def _is_polynomial(commitments: tuple[bytes, ...], threshold: int) -> bool:
    try:
        for each in commitments:
            key_point(each)
    except ThresholdRefused:
        return False
    return len(commitments) == threshold
