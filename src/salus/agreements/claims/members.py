"""Who a payer covers: a document, or what an 834 says. A person is told by the subscriber's number, birth and name."""

from collections.abc import Iterable
from typing import Annotated

import msgspec

from salus.agreements.claims.decision import Cover, Custody, Medicare, Status
from salus.agreements.claims.plan import LIST_LIMIT, Day, Document, Name, read_document
from salus.interop.x12.claim import SELF, Claim
from salus.interop.x12.examine import Event, UnitSeen

OPEN_END = "29991231"
Birthday = Annotated[str, msgspec.Meta(pattern=r"^((0[1-9]|1[0-2])[0-3]\d)?$", description="MMDD, no year")]
Employees = Annotated[int, msgspec.Meta(ge=0, le=10**7, description="size of the employer; 0: not known")]


class After(Document, frozen=True, kw_only=True):
    """The payer on file that comes after this one for a person, and how it knows the person."""

    payer: Name
    """Its identifier in claims."""
    name: Name
    """Its name in claims."""
    member: Name
    """Its member id on the ledger."""
    number: Name
    """The person's number there."""
    filing: str = "CI"
    """SBR09: MB Medicare part B, CI commercial."""


class OtherCover(After, frozen=True, kw_only=True):
    """Another cover of a person, as far as it says who comes first."""

    member: str = ""
    """Its member id on the ledger; empty: not a member, nothing is handed on to it."""
    relationship: str = "18"
    """Of the person to the holder of this cover: 18 self, 01 spouse, 19 child, G8 other."""
    birthday: Birthday = ""
    """The holder's."""
    status: Status = "active"
    since: Day
    """Day on which the person's cover began."""
    until: Day = OPEN_END
    holder_since: str = ""
    """Day on which the holder's cover began."""
    custody: Custody = ""
    medicare: Medicare = ""
    employees: Employees = 0


class Member(Document, frozen=True, kw_only=True):
    """One covered person."""

    subscriber: Name
    """The subscriber's number, which the whole family shares."""
    last: Name
    first: str = ""
    birth: str = ""
    sex: str = "U"
    relationship: str = "18"
    since: Day
    until: Day = OPEN_END
    status: Status = "active"
    """The holder's: working, retired or laid off, or on cover continued by law."""
    custody: Custody = ""
    medicare: Medicare = ""
    employees: Employees = 0
    others: tuple[OtherCover, ...] = ()
    """Other covers on file; who comes first is computed (`cover_order`)."""

    @property
    def person(self) -> str:
        """What tells the person within the payer."""
        return person_key(self.subscriber, self.birth, self.first)


class Members(Document, frozen=True, kw_only=True):
    """All covered persons of one payer."""

    payer: Name
    members: tuple[Member, ...]


class Holders:
    """Whose the covers of one payer are: the first person of each subscriber's number who is the subscriber."""

    def __init__(self, members: Members) -> None:
        self._payer = members.payer
        self._found: dict[str, Member] = {}
        for one in members.members:
            if one.relationship == SELF:
                self._found.setdefault(one.subscriber, one)

    def covers(self, member: Member, day: str) -> tuple[Cover, ...]:
        """Return a person's covers on a day, this payer's first; none where there is no other."""
        others: dict[str, OtherCover] = {}
        for one in member.others:
            if one.since <= day <= one.until and one.payer != self._payer:
                others.setdefault(one.payer, one)
        if not others:
            return ()
        holder = self._found.get(member.subscriber)
        own = Cover(
            payer=self._payer,
            relationship=member.relationship,
            birthday=holder.birth[4:] if holder else "",
            status=member.status,
            since=member.since,
            holder_since=holder.since if holder else "",
            custody=member.custody,
            medicare=member.medicare,
            employees=member.employees,
        )
        return (own, *(_cover(one) for one in others.values()))


def _cover(one: OtherCover) -> Cover:
    return Cover(
        payer=one.payer,
        relationship=one.relationship,
        birthday=one.birthday,
        status=one.status,
        since=one.since,
        holder_since=one.holder_since,
        custody=one.custody,
        medicare=one.medicare,
        employees=one.employees,
    )


def person_key(subscriber: str, birth: str, first: str) -> str:
    """Return the key of a person: subscriber's number, birth, given name in capitals."""
    return f"{subscriber}|{birth}|{first.upper()}"


def person_of(claim: Claim) -> str:
    """Return the key of a claim's patient."""
    return person_key(claim.subscriber.member, claim.patient.birth, claim.patient.first)


def read_members(text: bytes) -> Members:
    """Read a members document. Raises DocumentRefused."""
    return read_document(text, Members, "the members", LIST_LIMIT)


def members_of(payer: str, events: Iterable[Event]) -> Members:
    """Read the members of an 834: additions and changes cover, terminations (INS03 = 024) end on their day."""
    found: list[Member] = []
    for event in events:
        if not isinstance(event, UnitSeen) or event.head.header.get(1) != "834":
            continue
        loop = event.loop
        person = loop.loop("2100A")
        if person is None:
            continue
        cover = loop.loop("2300")
        since = (cover.value("DTP", 3, "348") if cover else "") or loop.value("DTP", 3, "356", "303", "351")
        until = (cover.value("DTP", 3, "349") if cover else "") or loop.value("DTP", 3, "357")
        found.append(
            Member(
                subscriber=loop.value("REF", 2, "0F"),
                last=person.first.get(3),
                first=person.first.get(4),
                birth=person.value("DMG", 2),
                sex=person.value("DMG", 3) or "U",
                relationship=loop.first.get(2),
                since=since or "10000101",
                until=until or OPEN_END,
            )
        )
    return Members(payer=payer, members=tuple(found))
