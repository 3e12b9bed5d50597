"""What happens to programs' tokens, in the disclosure journal: a patient's where a token is for one, else the house's.

Written durably before the program is answered. What programs without a key try in vain is logged, not journalled: anybody
can send it as often as he likes.
"""

from typing import Final, Literal

from salus.node.member import MemberNode
from salus.node.smart.programs import Allowed
from salus.node.smart.scopes import told
from salus.vault.journal import Disclosure, Side

Event = Literal["token-issued", "token-refreshed", "token-revoked", "token-reused"]
REFUSED: Final = "token-unknown"
"""A program asked about a token that is none of its own."""
ROLE: Final = "program"


def note(node: MemberNode, what: Allowed, event: Event) -> None:
    """Note what happened to the tokens of one authorisation."""
    scopes = tuple(f"scope {one}" for one in told(what.asked).split())
    _write(node, what.link, what.caller.subject, what.caller.role, what.caller.purposes, event, (what.client, *scopes))


def note_unknown(node: MemberNode, client: str) -> None:
    """Note that a program, known by its key, asked about a token that is none of its own."""
    _write(node, b"", "", ROLE, (), REFUSED, (client,))


def _write(  # noqa: PLR0917 -- what a line says
    node: MemberNode, link: bytes, person: str, role: str, purposes: tuple[str, ...], event: str, told_: tuple[str, ...]
) -> None:
    client, *scopes = told_
    line = Disclosure(
        side=Side.CUSTODIAN,
        subject=link or node.vault.house_link(),
        member=node.member,
        person=person,
        role=role,
        purpose=purposes[0] if purposes else "",
        action=event,
        what=(f"app {client}", *scopes),
    )
    node.vault.journal([line])
