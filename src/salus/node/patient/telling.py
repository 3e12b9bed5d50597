"""What a patient ordered or asked, in the patient's own access log."""

from salus.node.member import MemberNode
from salus.vault.journal import Disclosure, Side


def told_by_patient(node: MemberNode, link: bytes, action: str, grant: bytes = b"") -> None:
    """Write it down: a line of the link's journal, anchored with the next batch."""
    node.vault.journal([line_of_patient(node, link, action, grant=grant)])


def line_of_patient(
    node: MemberNode, link: bytes, action: str, what: tuple[str, ...] = (), grant: bytes = b""
) -> Disclosure:
    """Return the line of what a patient did at this member."""
    return Disclosure(
        side=Side.CUSTODIAN,
        subject=link,
        member=node.member,
        person="",
        role="patient",
        purpose="PATRQT",
        action=action,
        what=what,
        grant=grant,
    )
