"""The life of a deviation: detected by rule or entered by hand, classified, reported, resolved (ICH E6(R3), 2.5, 3.9).

A rule's own word on importance stands until a physician classifies the deviation, who says why. An important one is
reported before it is resolved; a minor one need not be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Stage(Enum):
    """How far a deviation was dealt with."""

    DETECTED = "detected"
    CLASSIFIED = "classified"
    REPORTED = "reported"
    RESOLVED = "resolved"


TRANSITIONS: Final[Mapping[tuple[Stage, str], Stage]] = {
    (Stage.DETECTED, "classify"): Stage.CLASSIFIED,
    (Stage.CLASSIFIED, "classify"): Stage.CLASSIFIED,
    (Stage.CLASSIFIED, "report"): Stage.REPORTED,
    (Stage.REPORTED, "report"): Stage.REPORTED,
    (Stage.CLASSIFIED, "resolve"): Stage.RESOLVED,
    (Stage.REPORTED, "resolve"): Stage.RESOLVED,
}
"""A deviation's life: (stage, act) → stage. Who was told of it is told of a new class by a new report."""
HANDLING: Final = frozenset(kind for _, kind in TRANSITIONS)
RECIPIENTS: Final = ("sponsor", "ethics", "regulator")


@dataclass(frozen=True, slots=True)
class Deviation:
    """Something that is not as planned."""

    number: int
    """Of the act that showed it; 0 if none did."""
    code: str
    important: bool
    told: str
    """Its arithmetic."""
    about: str = ""
    """What it is about, where no act showed it."""
    stage: Stage = Stage.DETECTED

    @property
    def id(self) -> str:
        """How acts name it: code/number of the act that showed it, or code/what it is about."""
        return f"{self.code}/{self.number or self.about}"

    @property
    def todo(self) -> str:
        """What is to be done next; empty when nothing is."""
        if self.stage is Stage.DETECTED:
            return "classify"
        if self.stage is Stage.CLASSIFIED and self.important:
            return "report"
        return "" if self.stage is Stage.RESOLVED else "resolve"


def refused(deviation: Deviation | None, kind: str, told: Mapping[str, str]) -> tuple[str, str] | None:
    """Return why a deviation is not dealt with by an act of a kind and its fields, as (code, reason), or None."""
    if deviation is None:
        return "UNKNOWN", "no such deviation stands"
    if (deviation.stage, kind) not in TRANSITIONS:
        return "OUT_OF_ORDER", f"{kind} of a deviation that is {deviation.stage.value}"
    if kind == "report":
        return None if told.get("to") in RECIPIENTS else ("UNKNOWN", f"reported to one of {', '.join(RECIPIENTS)}")
    if kind == "classify" and told.get("important") not in {"yes", "no"}:
        return "UNKNOWN", "a deviation is important or not"
    if kind == "resolve" and deviation.todo == "report":
        return "OUT_OF_ORDER", "an important deviation is reported before it is resolved"
    return None if told.get("reason") else ("NO_REASON", "who classifies or resolves says why, or what was done")
