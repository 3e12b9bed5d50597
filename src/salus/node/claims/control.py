"""Control numbers at a node: each file that is submitted has its own, each that the node writes takes the next."""

from typing import Final

from salus.contracts.claims import port
from salus.core.proof.digest import digest
from salus.interop.x12.numbering import numbered, skipped
from salus.interop.x12.tokens import Unreadable
from salus.node.claim_tables import NUMBERED_BEYOND, RESTORED
from salus.node.claims import documents
from salus.node.errors import Conflict
from salus.node.member import MemberNode

CAME: Final = "control-came/"
WRITTEN: Final = "control-written/"
SPARE: Final = 10_000  # the replica may not have caught up when the first number after a restore is given


def control_for(node: MemberNode, receiver: str, *content: bytes) -> int:
    """Return the control number of what the node writes to a receiver: the same content keeps the one that it has."""
    counter = WRITTEN + digest("salus/v1/claims-control-counter", receiver.encode()).hex()
    name = counter + digest("salus/v1/claims-control", *content).hex()
    known = node.desk.claim_state(name)
    if known:
        return int(known)
    number = number_after(node, counter)
    node.desk.keep_claims((), [(counter, str(number).encode()), (name, str(number).encode())])
    return number


def number_after(node: MemberNode, counter: str) -> int:
    """Return the number that follows the last one of a counter, beyond all that a restored desk has forgotten."""
    return max(int(node.desk.claim_state(counter) or b"0"), beyond(node)) + 1


def beyond(node: MemberNode) -> int:
    """Return a number that no counter of this member had reached when it was restored; 0 where it never was.

    A desk put back from a backup has forgotten what it gave out since. It gave no more than the ledger has seen cases and
    blocks, of a hundred services each.
    """
    if node.desk.claim_state(RESTORED):
        cases = sum(1 for _ in port.cases(node.ledger.read()))
        reached = SPARE + 100 * cases + node.ledger.head().height
        states = [(RESTORED, b""), (NUMBERED_BEYOND, str(reached).encode())]
        node.desk.keep_claims((), states)
    return int(node.desk.claim_state(NUMBERED_BEYOND) or b"0")


def numbers_of(node: MemberNode, file: bytes) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return what is to be kept of a file's control numbers, and which its sender skipped since its last file.

    Raises Conflict where a number was used before, by other bytes or in another file; Malformed.
    """
    states: dict[str, bytes] = {}
    gaps: list[str] = []
    try:
        found = list(numbered(documents.chunks(file)))
    except Unreadable as broken:
        raise documents.unreadable(broken) from None
    for one in found:
        count = CAME + digest("salus/v1/claims-control-ends", one.ends.encode()).hex()
        name = f"{count}/{one.control:09d}"
        if name in states or node.desk.claim_state(name):
            told = "the control number (ISA13) was used before, with other content"
            todo = "give the file the next number; a file that was sent is answered again by its own bytes alone"
            raise Conflict("claims.control-number", told, got=f"{one.control:09d}", todo=todo)
        highest = int(states.get(count) or node.desk.claim_state(count) or b"0")
        missing = skipped(highest, one.control) if highest else ""
        if missing:
            gaps.append(missing)
        states[count] = str(max(highest, one.control)).encode()
        states[name] = one.content
    return states, tuple(gaps)
