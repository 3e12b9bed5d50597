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
    right = Fraction(0)
    for run in range(runs):
        before: list[int] = []
        for place in range(participants):
            tied = _furthest_behind(ratio, before)
            arm = next_arm(scheme, run.to_bytes(4, "big"), before, number(b"%d/%d" % (run, place)))
            right += Fraction(arm in tied, len(tied))
            before.append(arm)
    return right / (runs * participants)


def blind_share(ratio: Sequence[int]) -> Fraction:
    """Return the share of right guesses of one who sees no arm: always the most frequent."""
    return Fraction(max(ratio), sum(ratio))


def _furthest_behind(ratio: Sequence[int], before: Sequence[int]) -> list[int]:
    behind = [each * (len(before) + sum(ratio)) - sum(ratio) * before.count(arm) for arm, each in enumerate(ratio)]
    return [arm for arm, each in enumerate(behind) if each == max(behind)]
