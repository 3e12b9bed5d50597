"""Withdrawal: whoever pulled a record that was filed under the wrong patient is told, and keeps nothing of it.

The grantee ends the record in its lease, deletes its index rows and destroys its keys. What a custodian names stands in
a lease under an id derived from the custodian's own: it withdraws nothing of anybody else.
"""

from collections.abc import Iterable
from typing import Final

from salus.core.encoding import Value
from salus.node.exchange.derived import derived_id
from salus.node.exchange.documents import open_document, seal_and_deliver
from salus.node.member import MemberNode
from salus.vault.journal import Side
from salus.vault.records import Ref
from salus.vault.sealing import Content, Kind

WITHDRAWAL_KIND: Final = "withdrawal"


class Withdrawal(Value, frozen=True):
    """A resource of the sender that a grantee must keep no longer."""

    grant: bytes
    """Grant id, or the id of an emergency, 32 bytes."""
    type: str
    id: str
    """Its id at the sender."""


def withdraw(node: MemberNode, versions: Iterable[Ref]) -> None:
    """Tell whoever was served under the link of one resource's `versions`, then destroy their keys here.

    Idempotent: after a crash between, it is done again whole.
    """
    refs = [one for one in versions if one.kind is not Kind.TOMBSTONE]
    link, type_, id_ = refs[0].link, refs[0].type, refs[0].id
    lines = [one.disclosure for one in node.vault.lines(Side.CUSTODIAN, link)]
    for member, grant in sorted({(one.member, one.grant) for one in lines if one.grant}):
        if node.signing_keys(member):
            seal_and_deliver(node, member, WITHDRAWAL_KIND, Withdrawal(grant, type_, id_))
    node.index.withdraw([one.number for one in refs])
    node.vault.withdraw(link, type_, id_)


def take_withdrawal(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Keep no longer what a custodian withdraws. Raises Malformed."""
    told = open_document(node, sender, WITHDRAWAL_KIND, envelope, Withdrawal, code="withdrawal.envelope")
    if not node.desk.held(told.grant) and not node.desk.emergencies(told.grant):
        return  # nothing was ever kept under it
    own = derived_id(sender, told.type, told.id)
    with node.leasing:
        lease = node.vault.open_lease(told.grant)
        refs = [one for one in node.vault.versions(lease, told.type, own) if one.kind is not Kind.TOMBSTONE]
        if not refs:
            return  # it was not pulled, or the lease was purged
        node.vault.write(lease, [Content(told.type, own, b"", kind=Kind.TOMBSTONE)])
        node.catch_up()
        node.index.withdraw([one.number for one in refs])
        node.vault.withdraw(lease, told.type, own)
