"""Two decisions of one claim held against each other: where they part first."""

from itertools import zip_longest

import msgspec

from salus.agreements.claims.decision import Decision


def first_difference(mine: Decision, theirs: Decision) -> str:
    """Return the step at which two decisions of one claim part; empty where they are the same to the byte.

    The traces are walked from the top; what differs without a trace of it is told as `balance`.
    """
    if msgspec.msgpack.encode(mine) == msgspec.msgpack.encode(theirs):
        return ""
    for one, other in zip_longest(mine.trace, theirs.trace):
        if one != other:
            told = one if one is not None else other
            return told.step if told is not None else "balance"
    return "balance"
