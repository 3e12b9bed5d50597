"""SMART Health Links (HL7, 1.0.0): a file that the patient sealed lies here until whoever has the link fetches it.

The key is in the link alone, after its `#` or in the QR code: this member keeps bytes that it cannot read. It says who
fetched them, as far as they say who they are, in the patient's own log; that line is on the ledger before the first byte.
"""

from typing import Annotated, Final, TypeVar

from msgspec import Meta

from salus.core.encoding import MalformedBytes, Value, decode
from salus.node.anchoring import commit, serving
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.patient import messages as m
from salus.node.patient.telling import told_by_patient
from salus.vault.journal import Disclosure, Side

V = TypeVar("V", bound=Value)
MAX_BYTES: Final = 8 * 1024 * 1024  # a record of some thousand entries, packed
MAX_LINKS: Final = 10  # of one patient at a time
MAX_DAYS: Final = 90
MAX_RECIPIENT: Final = 64  # characters of what an opener says of itself
DAY_MS: Final = 24 * 3600 * 1000


class KeepLink(Value, frozen=True):
    """Action `health-link`: keeps a sealed file until it ends."""

    id: bytes
    """32 random bytes, which the link's address names."""
    ends: Annotated[int, Meta(ge=0, le=2**53)]
    """Unix ms."""
    body: bytes
    """A JWE (RFC 7516) in compact form."""


class AskLinks(Value, frozen=True):
    """Action `health-links`: asks for those that hold."""


class Links(Value, frozen=True):
    """(id, until when in Unix ms, how often it was fetched), oldest first."""

    links: tuple[tuple[bytes, int, int], ...]


class EndLink(Value, frozen=True):
    """Action `end-health-link`: from now nobody fetches it."""

    id: bytes


def keep(node: MemberNode, link: bytes, argument: bytes) -> m.Done:
    """Keep a sealed file for whoever gets the link. Raises Malformed, Conflict."""
    asked = _argument(argument, KeepLink)
    now = node.now()
    fits = len(asked.id) == 32 and 0 < len(asked.body) <= MAX_BYTES and now < asked.ends <= now + MAX_DAYS * DAY_MS
    if not fits or asked.body.count(b".") != 4:
        raise Malformed(
            "health-link.invalid",
            "this is no sealed file, or no time",
            expected=f"a JWE of at most {MAX_BYTES} bytes, for at most {MAX_DAYS} days",
        )
    node.desk.end_health_links(now)
    if len(node.desk.health_links(link)) >= MAX_LINKS:
        raise Conflict("health-link.too-many", "there are links enough that hold", todo="end one of them first")
    node.desk.keep_health_link(asked.id, link, asked.body, asked.ends)
    told_by_patient(node, link, "health-link")
    return m.Done()


def links(node: MemberNode, link: bytes, argument: bytes) -> Links:
    """Return a patient's links that hold."""
    _argument(argument, AskLinks)
    node.desk.end_health_links(node.now())
    return Links(tuple(node.desk.health_links(link)))


def end(node: MemberNode, link: bytes, argument: bytes) -> m.Done:
    """End a link at once; what was fetched cannot be unread."""
    node.desk.drop_health_link(link, _argument(argument, EndLink).id)
    told_by_patient(node, link, "end-health-link")
    return m.Done()


def fetch(node: MemberNode, id_: bytes, recipient: str) -> bytes:
    """Return the sealed file of a link, told to the patient first. Raises NotFound, Malformed, Unavailable."""
    if not 0 < len(recipient) <= MAX_RECIPIENT or not recipient.isprintable():
        raise Malformed(
            "health-link.recipient", "who asks does not say who it is", expected=f"1 to {MAX_RECIPIENT} characters"
        )
    found = node.desk.health_link(id_)
    if found is None or found[1] <= node.now():
        raise NotFound("health-link.none", "there is no such link, or no more", todo="ask for a new one")
    link, _, body = found
    told = Disclosure(
        side=Side.CUSTODIAN,
        subject=link,
        member=node.member,
        person="",
        role="",
        purpose="PATRQT",
        action="health-link-fetched",
        what=(recipient,),
    )
    with serving(node, [told]) as entries:
        commit(node, entries)
    node.desk.count_health_link(id_)
    return body


def _argument(data: bytes, kind: type[V]) -> V:
    try:
        return decode(data, kind)
    except MalformedBytes as error:
        raise Malformed("patient.bytes", "the question does not decode", got=str(error)) from error
