"""What one party keeps of requests for prior authorisation, and what an approval that is committed binds."""

from typing import Final

import msgspec

from salus.agreements.claims.decision import Decision
from salus.agreements.claims.history import Granted
from salus.agreements.claims.members import person_of
from salus.contracts.claims import port
from salus.core.encoding import Value, decode, encode
from salus.core.proof.digest import mac
from salus.node.errors import Malformed, NotFound
from salus.node.member import MemberNode

PREFIX: Final = "approval/"


class KeptRequest(Value, frozen=True):
    """What one party keeps of a request."""

    payer_side: bool
    other: str
    case: bytes
    salt: bytes
    key: bytes
    file: bytes
    """The 278 request."""
    attachments: tuple[bytes, ...] = ()
    """Documents that go with it, whatever their formats."""
    answer_key: bytes = b""
    answer: bytes = b""
    """The 278 response."""
    granted: bytes = b""
    """The approvals, as they were committed."""
    sent: bool = False


def request_commitment(kept: KeptRequest) -> bytes:
    """Return the commitment to a request's bytes."""
    return mac(kept.key, "salus/v1/claims-request", kept.file, *kept.attachments)


def answer_commitment(kept: KeptRequest) -> bytes:
    """Return the commitment over request, answer and approvals."""
    return mac(kept.answer_key, "salus/v1/claims-approval", kept.file, kept.answer, kept.granted)


def granted_here(node: MemberNode) -> tuple[Granted, ...]:
    """Return the approvals that this payer has committed: they bind its claims."""
    return _committed(node, payer_side=True)


def unhonoured(node: MemberNode, payer: str, decision: Decision) -> bool:
    """Tell whether a decision denies for lack of an approval what an approval that this provider holds covers."""
    lacking = {
        part.number for part in decision.lines if any((one.group, one.code) == ("CO", "197") for one in part.reasons)
    }
    denied = [line for line in decision.claim.lines if line.number in lacking]
    providers = {"", decision.claim.billing.identifier, decision.claim.rendering.identifier}
    who = person_of(decision.claim)
    return any(
        one.person == who
        and one.approval.procedure == line.procedure
        and one.approval.provider in providers
        and one.approval.since <= line.first <= line.last <= one.approval.until
        for one in (_committed(node, payer_side=False, other=payer) if denied else ())
        for line in denied
    )


def request_of(node: MemberNode, case: bytes) -> KeptRequest:
    """Return what this member keeps of a request. Raises NotFound."""
    body = node.desk.claim_state(PREFIX + case.hex())
    if not body:
        raise NotFound("claims.unknown", "this member keeps no such request", got=case.hex())
    return decode(body, KeptRequest)


def requests(node: MemberNode) -> list[KeptRequest]:
    """Return every request that this member has a part in, by case id."""
    return [decode(body, KeptRequest) for _, body in node.desk.claim_states(PREFIX)]


def _committed(node: MemberNode, *, payer_side: bool, other: str = "") -> tuple[Granted, ...]:
    found: list[Granted] = []
    for kept in requests(node):
        row = port.case(node.ledger.read(), kept.case)
        committed = row is not None and kept.answer and row.decision == answer_commitment(kept)
        if kept.payer_side is payer_side and committed and other in {"", kept.other}:
            found.extend(granted(kept))
    return tuple(found)


def keep_request(node: MemberNode, kept: KeptRequest) -> None:
    """Keep a request, durably."""
    node.desk.keep_claims([], [(PREFIX + kept.case.hex(), encode(kept))])


def granted(kept: KeptRequest) -> tuple[Granted, ...]:
    """Return the approvals that a request got, empty before and where it was denied. Raises Malformed."""
    if not kept.granted:
        return ()
    try:
        return msgspec.msgpack.decode(kept.granted, type=tuple[Granted, ...])
    except msgspec.DecodeError as error:
        raise Malformed("claims.approval", "the approvals do not decode") from error
