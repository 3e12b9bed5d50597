"""What a trading partner agreed to beyond the guides: envelope, versions, batches (a document), and its own rules.

The rules are SNIP levels 6 (the partner's line of business) and 7 (its companion guide): data, not code. An envelope that
is not the agreed one is answered by TA1 with the note code of its element; a version that is not, or a set with too many
claims, by 999; a claim that breaks a rule by 277CA, while the others go on.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Final, Literal

import msgspec

from salus.agreements.claims.plan import Document, Name, read_document
from salus.interop.x12.examine import Event, SetSeen, UnitSeen
from salus.interop.x12.findings import Finding
from salus.interop.x12.loops import Loop
from salus.interop.x12.tokens import Delimiters, Segment

Sign = Annotated[str, msgspec.Meta(min_length=1, max_length=1)]
GUIDE_CLAIMS: Final = 5000  # the 837 guides recommend no more claims in one transaction set


class Separators(Document, frozen=True, kw_only=True):
    """The separators that the partner writes."""

    element: Sign = "*"
    repetition: Sign = "^"
    component: Sign = ":"
    terminator: Sign = "~"


class PartnerRule(Document, frozen=True, kw_only=True):
    """An element that the partner asks for in each claim of a kind."""

    level: Literal[6, 7]
    clause: Name
    """Where the companion guide says so."""
    kind: Literal["", "P", "I"] = ""
    """837P, 837I, or both."""
    loop: Name
    tag: Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Z0-9]{1,2}$")]
    qualifier: str = ""
    """First element of the segment; empty for any."""
    element: Annotated[int, msgspec.Meta(ge=1, le=30)]
    values: tuple[str, ...] = ()
    """What it may hold; empty: anything, but something."""


class Partner(Document, frozen=True, kw_only=True):
    """One trading partner that sends 837s."""

    name: Name
    qualifier: Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{2}$", description="ISA05")] = "ZZ"
    identifier: Annotated[str, msgspec.Meta(min_length=1, max_length=15, description="ISA06")]
    receiver_qualifier: Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{2}$", description="ISA07")] = "ZZ"
    receiver: Annotated[str, msgspec.Meta(min_length=1, max_length=15, description="ISA08")]
    separators: Separators | None = None
    """None: whatever the ISA names."""
    usage: Literal["", "P", "T"] = "P"
    """ISA15: production or test; empty for both."""
    versions: tuple[Name, ...] = ("005010X222A1", "005010X223A2")
    """GS08 accepted."""
    most_claims: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = GUIDE_CLAIMS
    """Claims in one transaction set."""
    rules: tuple[PartnerRule, ...] = ()


def read_partner(text: bytes) -> Partner:
    """Read a partner document. Raises DocumentRefused."""
    return read_document(text, Partner, "the partner")


def envelope_code(partner: Partner, header: Segment, delimiters: Delimiters) -> str:
    """Return the TA1 note code of the first element that is not the agreed one, 000 where all are."""
    agreed = partner.separators
    checks = (
        ("026", agreed is None or delimiters.element == agreed.element),
        ("016", agreed is None or delimiters.repetition == agreed.repetition),
        ("027", agreed is None or delimiters.component == agreed.component),
        ("004", agreed is None or delimiters.terminator == agreed.terminator),
        ("005", header.get(5) == partner.qualifier),
        ("006", header.get(6).rstrip() == partner.identifier),
        ("007", header.get(7) == partner.receiver_qualifier),
        ("008", header.get(8).rstrip() == partner.receiver),
        ("020", not partner.usage or header.get(15) == partner.usage),
    )
    return next((code for code, fits in checks if not fits), "000")


def judged(events: Iterable[Event], partner: Partner) -> Iterator[Event]:
    """Let events through with what the partner's document finds added."""
    for event in events:
        if isinstance(event, UnitSeen) and event.head.header.get(1) == "837":
            kind = "I" if "X223" in event.head.group.get(8) else "P"
            found = [one for rule in partner.rules if rule.kind in {"", kind} for one in _held(rule, event.loop)]
            yield msgspec.structs.replace(event, findings=(*event.findings, *found)) if found else event
        elif isinstance(event, SetSeen):
            yield _set(event, partner)
        else:
            yield event


def _set(event: SetSeen, partner: Partner) -> SetSeen:
    envelope, findings = event.envelope, event.findings
    if event.head.group.get(8) not in partner.versions:
        envelope = (*envelope, "1")  # IK502: transaction set not supported
    if event.units > partner.most_claims:
        findings = (
            *findings,
            Finding(
                level=2,
                rule="batch-size",
                tag="ST",
                position=event.head.header.position,
                expected=f"at most {partner.most_claims} claims in a set",
                got=str(event.units),
                fix="spread the claims over more sets",
                code="4",
            ),
        )
    return msgspec.structs.replace(event, envelope=envelope, findings=findings)


def _held(rule: PartnerRule, unit: Loop) -> Iterator[Finding]:
    qualifiers = (rule.qualifier,) if rule.qualifier else ()
    wanted = " or ".join(rule.values) or "a value"
    for loop in (one for one in _around(unit) if one.name == rule.loop):
        parts: list[Segment | None] = [*loop.all(rule.tag, *qualifiers)]
        for part in parts or [None]:
            got = part.get(rule.element) if part is not None else ""
            if got and (not rule.values or got in rule.values):
                continue
            yield Finding(
                level=rule.level,
                rule="partner",
                loop=rule.loop,
                tag=rule.tag,
                position=(part or loop.first).position,
                element=rule.element,
                expected=f"{wanted} ({rule.clause})",
                got=got[:80],
                fix=f"write {rule.tag}{rule.element:02d} as the partner's guide asks in {rule.clause}",
            )


def _around(unit: Loop) -> Iterator[Loop]:
    """Yield a claim's loops, and those that it stands in with their parties."""
    yield from unit.walk()
    around = unit.parent
    while around is not None:
        yield around
        yield from (child for child in around.children if child.name.startswith(("1000", "2010")))
        around = around.parent
