"""Who a payer covers: a document, or what an 834 says. A person is told by the subscriber's number, birth and name."""

from collections.abc import Iterable

from salus.agreements.claims.plan import Day, Document, Name, read_document
from salus.interop.x12.claim import Claim
from salus.interop.x12.examine import Event, UnitSeen

OPEN_END = "29991231"


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
    other_cover: bool = False
    """Whether another payer on file comes first."""
    after: After | None = None

    @property
    def person(self) -> str:
        """What tells the person within the payer."""
        return person_key(self.subscriber, self.birth, self.first)


class Members(Document, frozen=True, kw_only=True):
    """All covered persons of one payer."""

    payer: Name
    members: tuple[Member, ...]


def person_key(subscriber: str, birth: str, first: str) -> str:
    """Return the key of a person: subscriber's number, birth, given name in capitals."""
    return f"{subscriber}|{birth}|{first.upper()}"


def person_of(claim: Claim) -> str:
    """Return the key of a claim's patient."""
    return person_key(claim.subscriber.member, claim.patient.birth, claim.patient.first)


def read_members(text: bytes) -> Members:
    """Read a members document. Raises DocumentRefused."""
    return read_document(text, Members, "the members")


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
