"""`journal lines`: a custodian's own accounting of disclosures."""

from typing import Annotated

from msgspec import Meta

from salus.node.member import MemberNode
from salus.node.names import LINK_EXAMPLE, LINK_PATTERN
from salus.node.records.charts import moment
from salus.node.usecase import Message, person, use_case
from salus.vault.journal import Line, Side


class ListLines(Message, frozen=True):
    """Whose lines."""

    link: Annotated[str, Meta(pattern=LINK_PATTERN, description="The patient's link.", examples=[LINK_EXAMPLE])]
    after: Annotated[int, Meta(ge=0, description="Number of the last line seen.", examples=[0])] = 0
    limit: Annotated[int, Meta(ge=1, le=1_000, description="Lines at most.", examples=[100])] = 1_000


class JournalLine(Message, frozen=True):
    """One disclosure."""

    number: Annotated[int, Meta(description="Its number under the link.")]
    time: Annotated[str, Meta(description="When, UTC.")]
    member: Annotated[str, Meta(description="Whose people or program received it.")]
    person: Annotated[str, Meta(description="Pairwise subject of the person; empty for a program.")]
    role: Annotated[str, Meta(description="In which role.")]
    purpose: Annotated[str, Meta(description="What for.")]
    action: Annotated[str, Meta(description="What was done: serve, chart, read, find, export.")]
    what: Annotated[str, Meta(description="What was disclosed, by type and number.")]
    grant: Annotated[str, Meta(description="Under which grant, hexadecimal; empty for the own people.")]
    transaction: Annotated[str, Meta(description="Transaction that anchored it; empty while it waits.")]


class JournalLines(Message, frozen=True):
    """Lines of a link's journal."""

    lines: Annotated[tuple[JournalLine, ...], Meta(description="Oldest first.")]


@use_case("journal.lines", who=person("privacy-officer"))
def list_lines(node: MemberNode, request: ListLines) -> JournalLines:
    """Account for the disclosures of one patient's records at this member (45 CFR 164.528, GDPR Art. 15(1)(c))."""
    link = bytes.fromhex(request.link)
    node.vault.link_info(link)
    found = node.vault.lines(Side.CUSTODIAN, link, request.after, request.limit)
    return JournalLines(lines=tuple(_told(line) for line in found))


def _told(line: Line) -> JournalLine:
    one = line.disclosure
    return JournalLine(
        number=line.number,
        time=moment(one.time),
        member=one.member,
        person=one.person,
        role=one.role,
        purpose=one.purpose,
        action=one.action,
        what=", ".join(one.what),
        grant=one.grant.hex(),
        transaction=line.anchoring.tx_id.hex() if line.anchoring and line.anchoring.tx_id else "",
    )
