"""How often the next arm can be guessed under a scheme: told before a trial chooses one.

Who guesses sees all past arms of a stratum, knows the scheme but no hidden block size, and bets on the arm that is
furthest behind its share (the convergence strategy of Blackwell and Hodges); a tie is a guess among those tied. The
numbers drawn from are digests of a counter: everyone computes the same share.
"""

from collections.abc import Sequence
from fractions import Fraction

from salus.agreements.trials.draws import BigStick, Scheme, check_scheme, next_arm, number

RUNS = 60  # of trials; with 240 participants each a share is then within 0.01 of its limit


def guess_share(scheme: Scheme, participants: int, runs: int = RUNS) -> Fraction:
    """Return the share of right guesses over `runs` trials of one stratum. Raises DrawRefused for a scheme that is none."""
    check_scheme(scheme)
    ratio = (1, 1) if isinstance(scheme, BigStick) else scheme.ratio
    right = [0] * (len(ratio) + 1)  # guesses by how many arms were tied
    for run in range(runs):
        before: list[int] = []
        counts = [0] * len(ratio)
        for place in range(participants):
            tied = _furthest_behind(ratio, counts)
            arm = next_arm(scheme, run.to_bytes(4, "big"), before, number(b"%d/%d" % (run, place)))
            right[len(tied)] += arm in tied
            before.append(arm)
            counts[arm] += 1
    found = sum((Fraction(count, tied) for tied, count in enumerate(right) if count), Fraction(0))
    return found / (runs * participants)


def blind_share(ratio: Sequence[int]) -> Fraction:
    """Return the share of right guesses of one who sees no arm: always the most frequent."""
    return Fraction(max(ratio), sum(ratio))


def _furthest_behind(ratio: Sequence[int], counts: Sequence[int]) -> list[int]:
    whole, so_far = sum(ratio), sum(counts)
    behind = [each * (so_far + whole) - whole * count for each, count in zip(ratio, counts, strict=True)]
    most = max(behind)
    return [arm for arm, each in enumerate(behind) if each == most]
