"""What one organisation alone remembers between runs: control numbers that came and that went out, never used twice."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from salus.agreements.claims.plan import LIST_LIMIT, Day, Document, read_document
from salus.interop.x12.numbering import Numbered, skipped

Count = Annotated[int, msgspec.Meta(ge=0, le=999_999_999)]


class Came(Document, frozen=True, kw_only=True):
    """One interchange that was answered: with these the same bytes get the same answer again."""

    content: str
    """Digest of its bytes, hexadecimal."""
    control: Count
    """First control number of the answers."""
    claim: Count
    """Number of the first claim decided."""
    written: Day
    """Day that the answers bear."""
    received: Day
    decided: Day


class Numbers(Document, frozen=True, kw_only=True):
    """The memory of a series of runs."""

    control: Count = 1
    """Next control number."""
    claim: Count = 1
    """Number of the next claim."""
    came: dict[str, dict[str, Came]] = msgspec.field(default_factory=dict)
    """By sender and receiver, then by ISA13."""

    def known(self, one: Numbered) -> Came | None:
        """Return what is remembered under an interchange's number."""
        return self.came.get(one.ends, {}).get(f"{one.control:09d}")

    def reused(self, found: Sequence[Numbered]) -> tuple[Numbered, ...]:
        """Return the interchanges whose number is used up, by other bytes, by another file, or twice in this one."""
        if self.first_answer(found) is not None:
            return ()
        seen: set[tuple[str, int]] = set()
        again: list[Numbered] = []
        for one in found:
            if self.known(one) is not None or (one.ends, one.control) in seen:
                again.append(one)
            seen.add((one.ends, one.control))
        return tuple(again)

    def first_answer(self, found: Sequence[Numbered]) -> Came | None:
        """Return what the first answer was made with, where all of a file came before, byte for byte."""
        known = [self.known(one) for one in found]
        same = [
            came
            for came, one in zip(known, found, strict=True)
            if came is not None and came.content == one.content.hex()
        ]
        return same[0] if same and len(same) == len(found) and len({came.control for came in same}) == 1 else None

    def gaps(self, found: Sequence[Numbered]) -> tuple[str, ...]:
        """Return the numbers that a sender has skipped since its last file; none of a sender that is new."""
        told: list[str] = []
        highest = {ends: max(map(int, known)) for ends, known in self.came.items() if known}
        for one in found:
            missing = skipped(highest[one.ends], one.control) if one.ends in highest else ""
            if missing:
                told.append(missing)
            highest[one.ends] = max(highest.get(one.ends, 0), one.control)
        return tuple(told)

    def after(self, found: Sequence[Numbered], came: Came, files: int, claims: int) -> "Numbers":
        """Return the memory after a run that wrote so many interchanges and decided so many claims."""
        known = {ends: dict(numbers) for ends, numbers in self.came.items()}
        for one in found:
            entry = msgspec.structs.replace(came, content=one.content.hex())
            known.setdefault(one.ends, {})[f"{one.control:09d}"] = entry
        return Numbers(control=came.control + files, claim=came.claim + claims, came=known)


def read_numbers(text: bytes) -> Numbers:
    """Read the memory of earlier runs. Raises DocumentRefused."""
    return read_document(text, Numbers, "the numbers", LIST_LIMIT)
