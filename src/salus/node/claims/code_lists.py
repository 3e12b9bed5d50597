"""`claims load-codes`: code lists newer than those built in, kept at a node with the day from which they judge what comes.

Lists that have judged a claim stay as they are: of each claim it can be told by which it was let in or refused.
"""

from hashlib import sha256
from typing import Annotated, Final, NamedTuple

from msgspec import Meta

from salus.agreements.claims.code_lists import read_codes, read_lists
from salus.contracts.claims import port
from salus.core.encoding import Value, decode, encode
from salus.interop.x12.calendar import date_of, is_date
from salus.interop.x12.codes import BUILT_IN, CodeSets
from salus.node.claims import documents
from salus.node.claims.dossiers import DAY_MS, kept_cases
from salus.node.errors import Conflict, Malformed
from salus.node.member import MemberNode
from salus.node.usecase import OPERATOR, Message, Node, use_case

PREFIX: Final = "code-lists/"
"""Before the first day of receipt that a document judges."""


class KeptLists(Value, frozen=True):
    """Code lists as they were loaded."""

    document: bytes


class InForce(NamedTuple):
    """The lists that judge what comes on a day."""

    sets: CodeSets
    told: str
    """Source, date and digest; empty for those built in."""


class LoadCodes(Message, frozen=True):
    """Code lists, and from when they judge."""

    file: Annotated[bytes, Meta(description="The code lists, JSON.", examples=[b"{}"])]
    since: Annotated[
        str,
        Meta(
            pattern=r"^([0-9]{8})?$",
            description="First day of receipt that they judge, CCYYMMDD; default today.",
            examples=["20250701"],
        ),
    ] = ""


class CodesLoaded(Message, frozen=True):
    """The lists are kept; those before them judge what came before."""

    codes: Annotated[str, Meta(description="Source, date and digest, as answers tell them.")]
    since: Annotated[str, Meta(description="First day of receipt that they judge, CCYYMMDD.")]


@use_case("claims.load-codes", who=OPERATOR)
def load_codes(node: MemberNode, request: LoadCodes) -> CodesLoaded:
    """Keep code lists that judge, from a day on, what comes in and what this member sends. Earlier ones stay.

    Refused where claims that came on that day were judged already.
    """
    documents.codes(request.file)
    since = request.since or _today(node)
    if not is_date(since):
        raise Malformed("claims.day", "a day is not one of the calendar", expected="CCYYMMDD")
    state = node.ledger.read()
    judged = [
        one.last.received
        for case, one, _ in kept_cases(node, payer_side=True)
        if one.last.received >= since
        and (row := port.case(state, case)) is not None
        and row.status is not port.CaseStatus.SUBMITTED
    ]
    if judged:
        told = "claims that came on that day or later were judged by the lists before"
        raise Conflict("claims.judged", told, expected=f"a day after {max(judged)}", todo="name it with --since")
    node.desk.keep_claims([], [(PREFIX + since, encode(KeptLists(request.file)))])
    return CodesLoaded(codes=_told(request.file), since=since)


def lists_on(node: Node, day: str) -> InForce:
    """Return the lists that judge what comes to a node on a day, CCYYMMDD."""
    loaded = node.desk.claim_states(PREFIX) if isinstance(node, MemberNode) else []
    live = [(name, body) for name, body in loaded if name <= PREFIX + day]
    if not live:
        return InForce(BUILT_IN, "")
    _, body = max(live)
    document = decode(body, KeptLists).document
    return InForce(read_codes(document), _told(document))


def _told(document: bytes) -> str:
    lists = read_lists(document)
    return f"{lists.source}, {lists.date}, sha256 {sha256(document).hexdigest()}"


def _today(node: MemberNode) -> str:
    return date_of(node.ledger_time() // DAY_MS)
