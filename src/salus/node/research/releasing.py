"""Charges of questions that nobody began in time come back to the custodian's budget. A running node sees to it by itself."""

from salus.contracts.research import port
from salus.node.member import MemberNode


def release_due(node: MemberNode) -> int:
    """Release what was put to this member's data sets and not begun in time; return how many charges came back.

    Raises Unavailable or Refused: a later call goes on.
    """
    state, now = node.ledger.read(), node.ledger_time()
    due = []
    for id_, _ in node.desk.research("part"):
        query, part = port.query(state, id_[:16]), port.query_part(state, id_[:16], id_[16:])
        if (
            query is not None
            and part is not None
            and part.status is port.PartStatus.REGISTERED
            and now > query.begin_by
        ):
            due.append(port.Release(id_[:16], id_[16:]))
    for message in due:
        node.submitter.submit(message)
    return len(due)
