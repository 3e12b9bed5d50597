"""Registered outcomes against reported ones: as specified, missing, added, or what of it changed (COMPare's question)."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Final


class Told(Enum):
    """What a report does with an outcome."""

    AS_SPECIFIED = "as specified"
    MISSING = "missing"
    ADDED = "added"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Registered:
    """An outcome as registered, or as reported: the same five facts."""

    id: str
    level: str
    """`primary` or `secondary`."""
    measure: str
    time_frame: str
    analysis: str
    """Id of its analysis."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One outcome's line."""

    id: str
    told: Told
    changed: tuple[str, ...]
    """Which of level, measure, time frame and analysis changed."""


_FACTS: Final = tuple(field.name for field in fields(Registered) if field.name != "id")


def compare(registered: Sequence[Registered], reported: Sequence[Registered]) -> tuple[Compared, ...]:
    """Return a line for every outcome registered or reported, registered ones first.

    Texts are compared without regard to case, spaces and punctuation. An outcome under another id is the registered one
    only if measure and time frame are the same; it then counts as that one.
    """
    left = list(reported)
    lines = []
    for one in registered:
        match = next((each for each in left if each.id == one.id), None) or next(
            (each for each in left if _same(each, one, ("measure", "time_frame"))), None
        )
        if match is None:
            lines.append(Compared(one.id, Told.MISSING, ()))
            continue
        left.remove(match)
        changed = tuple(fact for fact in _FACTS if not _same(one, match, (fact,)))
        lines.append(Compared(one.id, Told.CHANGED if changed else Told.AS_SPECIFIED, changed))
    lines += [Compared(one.id, Told.ADDED, ()) for one in left]
    return tuple(lines)


def _same(one: Registered, other: Registered, facts: Sequence[str]) -> bool:
    return all(_plain(getattr(one, fact)) == _plain(getattr(other, fact)) for fact in facts)


def _plain(text: str) -> str:
    return " ".join("".join(sign if sign.isalnum() else " " for sign in text.lower()).split())
