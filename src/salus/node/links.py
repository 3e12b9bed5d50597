"""`link invite`, `link list`, `link contact`: the ties between this member and its patients."""

from typing import Annotated

from msgspec import Meta

from salus.node.errors import Malformed, NotFound
from salus.node.invitation import FORMAT, Invitation, write
from salus.node.member import MemberNode
from salus.node.names import LINK_EXAMPLE, LINK_PATTERN
from salus.node.notices import set_contact
from salus.node.records.charts import moment
from salus.node.usecase import OPERATOR, Message, person, use_case
from salus.vault.enrolled import KeyStanding
from salus.vault.enrolment import INVITATION_LIFE
from salus.vault.errors import UnknownLink
from salus.vault.links import LinkKind


class Invite(Message, frozen=True):
    """Whom to invite: a patient of this member, whose identity was proofed."""

    system: Annotated[
        str, Meta(max_length=256, description="Who assigned the identifier: a URI.", examples=["urn:mrn:north"])
    ]
    value: Annotated[str, Meta(max_length=256, description="The identifier.", examples=["4711"])]


class Invited(Message, frozen=True):
    """An invitation, to be handed to the patient and to nobody else."""

    invitation: Annotated[str, Meta(description="The text: as it stands, or as a QR code.")]
    link: Annotated[str, Meta(description="The patient's link, hexadecimal.")]
    expires: Annotated[str, Meta(description="Until when it is good, UTC. It is good once.")]


class ListLinks(Message, frozen=True):
    """Which links."""

    after: Annotated[
        str, Meta(pattern="^([0-9a-f]{32})?$", description="The last link of the page before.", examples=[LINK_EXAMPLE])
    ] = ""
    limit: Annotated[int, Meta(ge=1, le=10_000, description="Links at most.", examples=[100])] = 1_000


class LinkLine(Message, frozen=True):
    """A link, without who it is."""

    link: Annotated[str, Meta(description="Its id, hexadecimal.")]
    standing: Annotated[str, Meta(description="open, closed, retained or erased.")]
    enrolled: Annotated[bool, Meta(description="Whether a wallet holds its key.")]
    records: Annotated[int, Meta(description="Records written under it.")]
    disclosures: Annotated[int, Meta(description="Lines of its disclosure journal.")]
    opened: Annotated[str, Meta(description="When it was opened, UTC.")]


class Links(Message, frozen=True):
    """Patients' links of this member."""

    links: Annotated[tuple[LinkLine, ...], Meta(description="The links, in order of their ids.")]


class SetContact(Message, frozen=True):
    """How a patient is told of what happens to the record."""

    link: Annotated[str, Meta(pattern=LINK_PATTERN, description="The patient's link.", examples=[LINK_EXAMPLE])]
    address: Annotated[
        str,
        Meta(
            max_length=254,
            pattern="^([^@ <>,;\\x00-\\x1f]+@[^@ <>,;\\x00-\\x1f]+)?$",
            description="E-mail address; empty forgets it.",
            examples=["ada@example.org"],
        ),
    ]


class ContactSet(Message, frozen=True):
    """It is kept, encrypted, beside the vault."""

    link: Annotated[str, Meta(description="The link.")]


@use_case("link.invite", who=person("registrar"))
def invite(node: MemberNode, request: Invite) -> Invited:
    """Invite a patient to take the key of the own link, after proofing who the person is.

    The invitation is good once, for 15 minutes; a new one ends the one before.
    """
    link = node.vault.find_link(request.system, request.value)
    if link is None:
        raise NotFound(
            "link.unknown", "no patient here has this identifier", todo="take the patient's records in first"
        )
    code = node.vault.invite(link)
    url = node.endpoint_of(node.member) or node.config.http.public_url
    text = write(Invitation(FORMAT, node.network, node.member, url, code))
    return Invited(invitation=text, link=link.hex(), expires=moment(node.now() + INVITATION_LIFE))


@use_case("link.list", who=OPERATOR)
def list_links(node: MemberNode, request: ListLinks) -> Links:
    """List the links of this member's patients, without who they are."""
    after = bytes.fromhex(request.after)
    lines: list[LinkLine] = []
    for link in sorted(node.vault.links()):
        if len(lines) == request.limit:
            break
        if link > after and node.vault.link_info(link).kind is LinkKind.PATIENT:
            lines.append(_line(node, link))
    return Links(links=tuple(lines))


@use_case("link.contact", who=person("registrar"))
def contact(node: MemberNode, request: SetContact) -> ContactSet:
    """Set where a patient is told of a new grant or an erasure. The text of such a notice says nothing of either."""
    link = bytes.fromhex(request.link)
    if node.vault.link_info(link).kind is not LinkKind.PATIENT:
        raise Malformed("link.kind", "this link is no patient's")
    set_contact(node, link, request.address)
    return ContactSet(link=request.link)


def _line(node: MemberNode, link: bytes) -> LinkLine:
    info = node.vault.link_info(link)
    return LinkLine(
        link=link.hex(),
        standing=info.standing.name.lower(),
        enrolled=_enrolled(node, link),
        records=info.records,
        disclosures=info.lines,
        opened=moment(info.opened),
    )


def _enrolled(node: MemberNode, link: bytes) -> bool:
    try:
        return node.vault.link_key(link).standing is KeyStanding.OBEYED
    except UnknownLink:
        return False
