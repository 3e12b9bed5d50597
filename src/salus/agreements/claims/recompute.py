"""Two decisions of one claim held against each other: where they part first."""

from itertools import zip_longest
from typing import Final

import msgspec

from salus.agreements.claims.decide import STEPS
from salus.agreements.claims.decision import Decision

_ORDER: Final = {step.NAME: place for place, step in enumerate(STEPS)}


def first_difference(mine: Decision, theirs: Decision) -> str:
    """Return the step at which two decisions of one claim part; empty where they are the same to the byte.

    The traces are walked from the top; what differs without a trace of it is told as `balance`.
    """
    if msgspec.msgpack.encode(mine) == msgspec.msgpack.encode(theirs):
        return ""
    for pair in zip_longest(mine.trace, theirs.trace):
        if pair[0] != pair[1]:
            # what one of them says more stands before what both say next
            return min((one.step for one in pair if one is not None), key=_place)
    return "balance"


def _place(step: str) -> int:
    return _ORDER.get(step, len(_ORDER))
