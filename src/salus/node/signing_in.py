"""`person sign-in`: a link, good once, that opens the pages for one of this member's people."""

from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta

from salus.node.errors import Unavailable
from salus.node.member import MemberNode
from salus.node.people import IssuePerson, issue_person
from salus.node.records.charts import moment
from salus.node.usecase import OPERATOR, Caller, Kind, Message, use_case

PATH = "/sign-in"


class SignIn(Message, frozen=True):
    """Who is to use the pages."""

    subject: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=128,
            description="Name that only this member can resolve: an account number, never a person's name.",
            examples=["staff-0042"],
        ),
    ]
    role: Annotated[str, Meta(min_length=1, max_length=64, description="Role of the person.", examples=["physician"])]
    purposes: Annotated[
        tuple[Annotated[str, Meta(pattern="^[A-Z]{2,16}$")], ...],
        Meta(min_length=1, description="What the person may read for: codes of v3-ActReason.", examples=[["TREAT"]]),
    ]
    hours: Annotated[int, Meta(ge=1, le=12, description="How long it lasts: a shift at most.", examples=[8])] = 8


class SignInLink(Message, frozen=True):
    """A link to hand to that person and to nobody else."""

    link: Annotated[str, Meta(description="The address: good once, for ten minutes.")]
    ends: Annotated[str, Meta(description="When the session ends at the latest, UTC. Idle for 30 minutes ends it too.")]


@use_case("person.sign-in", who=OPERATOR)
def sign_in(node: MemberNode, request: SignIn) -> SignInLink:
    """Make a link that opens the pages for one of this member's people. The node must be running.

    The session holds a person credential, as `salus person issue` makes it, under a key that never leaves the node.
    """
    if not node.ticking:
        raise Unavailable("session.not-serving", "no node runs that could show pages", todo="start `salus serve` first")
    caller, ends = caller_of(node, request.subject, request.role, request.purposes, request.hours)
    base = node.config.http.public_url.rstrip("/")
    return SignInLink(link=f"{base}{PATH}?code={node.sessions.invite(caller, ends)}", ends=moment(ends))


def caller_of(
    node: MemberNode, subject: str, role: str, purposes: tuple[str, ...], hours: int = 8
) -> tuple[Caller, int]:
    """Return a person of this member with a fresh credential, and when it ends (Unix ms)."""
    key = Ed25519PrivateKey.from_private_bytes(node.entropy(32)).public_key().public_bytes_raw()
    issued = issue_person.run(
        node, IssuePerson(subject=subject, role=role, purposes=purposes, key=key.hex(), hours=hours)
    )
    caller = Caller(Kind.PERSON, node.member, subject, role, purposes, issued.credential)
    return caller, issued.expires * 1000
