"""Whether a visit was in its window (USDM `Timing`).

Target = the anchor's calendar date + value; bounds included; never by study days, which have no day 0.
"""

from dataclasses import dataclass
from enum import Enum

from salus.agreements.trials.plan import Anchoring, Placement
from salus.interop.cdisc.times import DAY_SECONDS, Duration, Moment, shifted, written


class Verdict(Enum):
    """What can be said of a visit."""

    WITHIN = "within"
    OUTSIDE = "outside"
    UNDECIDED = "undecided"
    """The window is in hours and a date alone is known."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its arithmetic."""

    verdict: Verdict
    arithmetic: str
    """Anchor, offset, target, bounds and what came, in one line."""


def judge(placement: Placement, anchor: Moment, actual: Moment) -> Judgement | None:
    """Return whether a visit lies in its window; None where it has none, or is itself the reference."""
    window = placement.window
    if window is None or placement.anchoring is Anchoring.FIXED:
        return None
    sign = -1 if placement.anchoring is Anchoring.BEFORE else 1
    timed = window.clock or placement.offset.clock
    target_day = shifted(anchor.day, placement.offset, sign)
    sum_ = f"{written(anchor.day)} {'-' if sign < 0 else '+'} {_told(placement.offset)}"
    if not timed:
        first, last = shifted(target_day, window.lower, -1), shifted(target_day, window.upper, 1)
        inside = first <= actual.day <= last
        told = f"{sum_} = {written(target_day)}, window {written(first)} to {written(last)}, was {written(actual.day)}"
        return Judgement(Verdict.WITHIN if inside else Verdict.OUTSIDE, told)
    if anchor.seconds is None or actual.seconds is None:
        return Judgement(Verdict.UNDECIDED, f"{sum_}: the window is in hours, and a date has none")
    target = target_day * DAY_SECONDS + anchor.seconds + sign * placement.offset.seconds
    early = shifted(target_day, window.lower, -1) - target_day
    late = shifted(target_day, window.upper, 1) - target_day
    distance = actual.day * DAY_SECONDS + actual.seconds - target
    first, last = early * DAY_SECONDS - window.lower.seconds, late * DAY_SECONDS + window.upper.seconds
    told = f"{sum_}: {distance} s from the target, window {first} s to {last} s"
    return Judgement(Verdict.WITHIN if first <= distance <= last else Verdict.OUTSIDE, told)


def _told(length: Duration) -> str:
    parts = ((length.months, "months"), (length.days, "days"), (length.seconds, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 days"
