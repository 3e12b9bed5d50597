"""Claims at the node's FHIR door: what an EHR asks of its own node, and the node of the payer.

POST Claim/$submit    a Claim, alone, in a Bundle or in Parameters → a claim or a request for prior authorisation on its way
POST Claim/$inquire   a Claim that names one sent before → a Bundle with the ClaimResponse as it stands now

The payer's member id stands in the insurer's identifiers (`urn:salus:member`), or is the one to which claims with that payer's
identifier went before. Documents come as supportingInfo: attachments, or Binary and DocumentReference of the Bundle.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from salus.agreements.claims.fhir_claim_read import Tree, UnreadableClaim, insurer_member, read_claim, read_request
from salus.agreements.claims.fhir_response import approval_response, claim_response
from salus.agreements.claims.fhir_transaction import file_of_claim
from salus.contracts.claims import port
from salus.interop.fhir.tokens import LIMITS
from salus.interop.x12.calendar import date_of
from salus.interop.x12.envelope import Stamp, Trader, interchange
from salus.interop.x12.examine import SetSeen, examine
from salus.interop.x12.review import Answered, Review, read_answers, request_set
from salus.node.claims import documents
from salus.node.claims.approvals import KeptRequest, request_of, requests
from salus.node.claims.approving import AskApproval, ask_approval, review_in
from salus.node.claims.control import control_for
from salus.node.claims.dossiers import DAY_MS, Dossier, dossier_of, kept_cases
from salus.node.claims.exchange import read_decision, row_of
from salus.node.claims.inquiring import CheckClaims, check_claims
from salus.node.claims.payers import payer_known
from salus.node.claims.submitting import SubmitClaims, send_file
from salus.node.errors import Forbidden
from salus.node.fhir import narrowing
from salus.node.fhir.answers import BAD, UNPROCESSABLE, Answer, FhirRefused, Request, tree_of
from salus.node.fhir.asking import Asking
from salus.node.fhir.policy import ADMINISTRATION
from salus.node.member import MemberNode
from salus.node.usecase import Kind

PURPOSES: Final = frozenset({"HPAYMT", "COVAUTH"})
"""v3-ActReason: healthcare payment, coverage authorisation."""
PREAUTHORIZATION: Final = "preauthorization"
URGENT: Final = "stat"
SOME: Final = 5
"""Findings that a refusal names."""


def submit(asking: Asking, request: Request) -> Answer:
    """Send a claim, or ask for approval. Raises FhirRefused, EdgeError."""
    _admit(asking, "c")
    node = asking.node
    tree, others = _parts(request.body)
    member = _payer(node, tree, others)
    if tree.get("use") == PREAUTHORIZATION:
        case = _ask(node, member, tree, others)
        return _answer(_told_approval(node, request_of(node, case)))
    if tree.get("use") != "claim":
        raise FhirRefused(
            UNPROCESSABLE, "claims.use", "the node sends no such thing", path="Claim.use", expected="claim"
        )
    day = _today(node)
    claim = _read(lambda: read_claim(tree, others))
    ends = (Trader("ZZ", node.member[:15].upper()), Trader("ZZ", claim.payer.identifier[:15] or member[:15].upper()))
    number = control_for(node, ends[1].identifier, request.body)
    file = _read(lambda: file_of_claim(tree, others, ends, Stamp(day, "0000", number)))
    faults = check_claims(node, CheckClaims(file=file, received=day)).faults
    if faults:
        raise FhirRefused(
            UNPROCESSABLE,
            "claims.unsound",
            f"{len(faults)} rules of the 837 do not hold",
            path="Claim",
            expected="; ".join(faults[:SOME]),
            todo="correct the elements that the segments come from",
        )
    (made,) = send_file(node, SubmitClaims(payer=member, file=file)).cases
    case = bytes.fromhex(made)
    return _answer(_told_claim(node, case, dossier_of(node, case)))


def inquire(asking: Asking, request: Request) -> Answer:
    """Tell how what was sent stands: the newest answer for the claim's identifier. Raises FhirRefused, EdgeError."""
    _admit(asking, "s")
    node = asking.node
    tree, _ = _parts(request.body)
    named = {one.get("value") for one in tree.get("identifier") or () if isinstance(one, dict)} - {None}
    if not named:
        raise FhirRefused(
            BAD, "claims.identifier", "the Claim names none", path="Claim.identifier", expected="its value"
        )
    found = list(_found(node, named, approvals=tree.get("use") == PREAUTHORIZATION))
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in found]}
    return Answer(200, msgspec.json.encode(bundle if found else {"resourceType": "Bundle", "type": "collection"}))


OPERATIONS: Final[Mapping[str, Callable[[Asking, Request], Answer]]] = {"submit": submit, "inquire": inquire}
"""By the name of the route, for the server's table."""


def _admit(asking: Asking, letter: str) -> None:
    """Require an operator, a person who works on payment, or a system's program with scopes for Claim."""
    access = asking.caller.access
    if access is not None:
        if access.own:
            raise Forbidden("claims.own", "a patient's program sends no claims", todo="ask the clinic")
        narrowing.require(access, "Claim", letter)
    operator = asking.caller.kind is Kind.OPERATOR and asking.purpose in {ADMINISTRATION, *PURPOSES}
    if not operator and asking.purpose not in PURPOSES:
        raise Forbidden("claims.purpose", "claims are for payment", expected=", ".join(sorted(PURPOSES)))


def _parts(body: bytes) -> tuple[Tree, list[Tree]]:
    """Return the Claim and the other resources of what was posted. Raises FhirRefused."""
    tree: Tree = tree_of(body, LIMITS.bundle_bytes)
    if tree.get("resourceType") == "Parameters":
        resources = [one.get("resource") for one in tree.get("parameter") or () if isinstance(one, dict)]
        tree = next((one for one in resources if isinstance(one, dict)), {})
    others: list[Tree] = []
    if tree.get("resourceType") == "Bundle":
        entries = [one for one in tree.get("entry") or () if isinstance(one, dict)]
        found = [
            {**one["resource"], "fullUrl": one.get("fullUrl", "")}
            for one in entries
            if isinstance(one.get("resource"), dict)
        ]
        claims = [one for one in found if one.get("resourceType") == "Claim"]
        tree, others = (claims[0] if len(claims) == 1 else {}), [one for one in found if one not in claims]
    if tree.get("resourceType") != "Claim":
        raise FhirRefused(
            BAD, "fhir.other-type", "there is not one Claim", expected="a Claim, in a Bundle or Parameters"
        )
    return tree, others


def _read(reader: Callable[[], Any]) -> Any:
    try:
        return reader()
    except UnreadableClaim as wrong:
        raise FhirRefused(
            UNPROCESSABLE,
            "claims.unreadable-claim",
            "the Claim tells no claim",
            path=wrong.path,
            expected="see the 837",
        ) from None


def _payer(node: MemberNode, tree: Tree, others: Sequence[Tree]) -> str:
    named, identifier = _read(lambda: insurer_member(tree, others))
    member = named or payer_known(node, identifier)
    if not member:
        raise FhirRefused(
            UNPROCESSABLE,
            "claims.payer-unknown",
            "nothing says which member the insurer is",
            path="Claim.insurer",
            expected="an identifier of system urn:salus:member",
        )
    return member


def _ask(node: MemberNode, member: str, tree: Tree, others: Sequence[Tree]) -> bytes:
    review: Review = _read(lambda: read_request(tree, others))
    day = _today(node)
    ends = (Trader("ZZ", node.member[:15].upper()), Trader("ZZ", review.payer.identifier[:15] or member[:15].upper()))
    body = request_set(review, "0001", (day, "0000"))
    number = control_for(node, ends[1].identifier, *(part.text.encode() for part in body))
    file = interchange(ends, Stamp(day, "0000", number), "HI", "005010X217", [body])
    codings = (tree.get("priority") or {}).get("coding") or ()
    urgent = any(isinstance(one, dict) and one.get("code") == URGENT for one in codings)
    ask = AskApproval(payer=member, file=file, urgent=urgent, attachments=tuple(_attachments(tree, others)))
    return bytes.fromhex(ask_approval(node, ask).case)


def _attachments(tree: Tree, others: Sequence[Tree]) -> Iterator[bytes]:
    """Yield the documents that a Claim brings. Raises FhirRefused on one that is not there or does not decode."""
    known = {f"{one.get('resourceType')}/{one.get('id')}": one for one in others}
    known |= {str(one["fullUrl"]): one for one in others if one.get("fullUrl")}
    for one in tree.get("supportingInfo") or ():
        told = one if isinstance(one, dict) else {}
        if "valueAttachment" in told:
            yield _data(told["valueAttachment"].get("data"))
        elif "valueReference" in told:
            found = known.get(str(told["valueReference"].get("reference")), {})
            if found.get("resourceType") == "Binary":
                yield _data(found.get("data"))
            else:
                content: list[dict[str, Any]] = found.get("content") or [{}]
                for part in content:
                    yield _data((part.get("attachment") or {}).get("data"))


def _data(text: object) -> bytes:
    try:
        if isinstance(text, str):
            return base64.b64decode(text, validate=True)
    except binascii.Error:
        pass
    raise FhirRefused(
        UNPROCESSABLE,
        "claims.attachment",
        "a document is not there, or is no base64",
        path="Claim.supportingInfo",
        expected="data within the request",
    )


def _found(node: MemberNode, named: set[Any], *, approvals: bool) -> Iterator[dict[str, Any]]:
    if approvals:
        for kept in requests(node):
            review = review_in(kept.file)
            if review is not None and named & {review.trace, kept.case.hex()}:
                yield _told_approval(node, kept)
        return
    for case, one, _ in kept_cases(node):
        claim = documents.claim_in(one.last.file, one.last.received or _today(node))
        if claim is not None and named & {claim.identifier, case.hex()}:
            yield _told_claim(node, case, one)


def _told_claim(node: MemberNode, case: bytes, kept: Dossier) -> dict[str, Any]:
    row = row_of(node, case)
    done = next((one for one in reversed(kept.rounds) if one.decided is not None), None)
    decision = read_decision(done.decided) if done is not None and done.decided is not None else None
    claim = documents.claim_in(kept.last.file, kept.last.received or _today(node))
    if claim is None:
        raise FhirRefused(UNPROCESSABLE, "claims.unsound", "the claim that was sent is not sound")
    refused = row.status is port.CaseStatus.REFUSED
    return claim_response(claim, case.hex(), _today(node), decision, refused=refused)


def _told_approval(node: MemberNode, kept: KeptRequest) -> dict[str, Any]:
    review = review_in(kept.file)
    if review is None:
        raise FhirRefused(UNPROCESSABLE, "claims.review", "the request that was sent is not sound")
    refused = row_of(node, kept.case).status is port.CaseStatus.REFUSED
    return approval_response(review, kept.case.hex(), _today(node), _answers(kept), refused=refused)


def _answers(kept: KeptRequest) -> tuple[Answered, ...]:
    for event in examine(documents.chunks(kept.answer), keep=True) if kept.answer else ():
        if isinstance(event, SetSeen) and event.root is not None:
            return read_answers(event.root, event.head.delimiters.component)
    return ()


def _today(node: MemberNode) -> str:
    return date_of(node.ledger_time() // DAY_MS)


def _answer(resource: dict[str, Any]) -> Answer:
    return Answer(200, msgspec.json.encode(resource))
