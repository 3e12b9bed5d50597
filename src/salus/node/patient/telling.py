"""What a patient ordered or asked, in the patient's own access log."""

from salus.node.member import MemberNode
from salus.vault.journal import Disclosure, Side


def told_by_patient(node: MemberNode, link: bytes, action: str, grant: bytes = b"") -> None:
    """Write it down: a line of the link's journal, anchored with the next batch."""
    line = Disclosure(
        side=Side.CUSTODIAN,
        subject=link,
        member=node.member,
        person="",
        role="patient",
        purpose="PATRQT",
        action=action,
        what=(),
        grant=grant,
    )
    node.vault.journal([line])
