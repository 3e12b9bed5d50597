"""`claims post`: a received 835 held against one's own claims and contract."""

from typing import Annotated

from msgspec import Meta

from salus.agreements.claims.alone import sound_claims
from salus.agreements.claims.audit import audit
from salus.agreements.claims.posting import PostedLine, post, unlike
from salus.core.encoding import decode
from salus.interop.x12.calendar import date_of
from salus.interop.x12.claim import Claim
from salus.interop.x12.tokens import Unreadable
from salus.node.claims import documents
from salus.node.claims.dossiers import DAY_MS, Batch, kept_cases
from salus.node.claims.exchange import read_decision
from salus.node.member import MemberNode
from salus.node.usecase import OPERATOR, Message, Verdict, use_case


class PostRemittance(Message, frozen=True):
    """A remittance, or none for all that this node has received; and the contract."""

    file: Annotated[
        bytes, Meta(description="An X12 835 file; default all that came through the network.", examples=[b"ISA"])
    ] = b""
    claims: Annotated[
        bytes, Meta(description="An 837 file with the claims; default those sent from here.", examples=[b"ISA"])
    ] = b""
    rates: Annotated[bytes, Meta(description="One's own rates documents, a JSON list.", examples=[b"[]"])] = b"[]"


class PostedClaimLine(Message, frozen=True):
    """One claim after posting. charge = paid + written_off + patient + denied + open."""

    claim: Annotated[str, Meta(description="The own number of the claim.")]
    charge: Annotated[int, Meta(description="Charged, cents.", extra={"cents": True})]
    paid: Annotated[int, Meta(description="Paid by all payers, cents.", extra={"cents": True})]
    written_off: Annotated[int, Meta(description="Taken by contract, cents.", extra={"cents": True})]
    patient: Annotated[
        int, Meta(description="The patient's share by the latest decision, cents.", extra={"cents": True})
    ]
    denied: Annotated[
        int, Meta(description="Denied, neither written off nor the patient's share, cents.", extra={"cents": True})
    ]
    open: Annotated[int, Meta(description="What no decision told of, cents.", extra={"cents": True})]


class RemittancePosted(Verdict, frozen=True):
    """What each claim got, and what a person must look at."""

    posted: Annotated[tuple[PostedClaimLine, ...], Meta(description="Claims that a payment found.")]
    unmatched: Annotated[
        tuple[str, ...], Meta(description="Trace number, payer's number, and why nothing of one's own is posted.")
    ]
    faults: Annotated[tuple[str, ...], Meta(description="What does not balance, by place and rule.")]
    missing: Annotated[int, Meta(description="Sum below the agreed prices, cents.", extra={"cents": True})]


@use_case("claims.post", who=OPERATOR)
def post_remittance(node: MemberNode, request: PostRemittance) -> RemittancePosted:
    """Post a received 835 to one's own claims and hold it against one's contract. Nothing is guessed, nothing stored.

    All that came through the network is held against the payers' committed decisions too, to the cent, and against the
    balances that they forwarded before.
    """
    rates = documents.rates(request.rates)
    files = [("", request.file)] if request.file else _received(node)
    try:
        by = [(payer, audit(documents.chunks(file), rates)) for payer, file in files]
    except Unreadable as broken:
        raise documents.unreadable(broken) from None
    found = [one for _, one in by]
    missing = sum(one.missing for one in found)
    findings = [finding for one in found for finding in one.findings]
    faults = tuple(one.told() for one in findings) + tuple(
        f"{payer} {fault}"
        for payer in dict.fromkeys(payer for payer, _ in by if payer)
        for fault in unlike(
            [paid for other, one in by if other == payer for paid in one.remittances], _decided(node, payer)
        )
    )
    done = post([paid for one in found for paid in one.remittances], _own(node, request.claims))
    lines = tuple(
        PostedClaimLine(
            claim=one.identifier,
            charge=_sum(one.lines, "charge"),
            paid=_sum(one.lines, "paid"),
            written_off=_sum(one.lines, "written_off"),
            patient=_sum(one.lines, "patient"),
            denied=_sum(one.lines, "denied"),
            open=_sum(one.lines, "open"),
        )
        for one in done.claims
    )
    sound = not done.unmatched and not faults and not missing
    return RemittancePosted(sound=sound, posted=lines, unmatched=done.unmatched, faults=faults, missing=missing)


def _sum(lines: tuple[PostedLine, ...], name: str) -> int:
    return sum(getattr(one, name) for one in lines)


def _received(node: MemberNode) -> list[tuple[str, bytes]]:
    """Return payers and the 835s that came from them, in the order of their trace numbers' interchanges."""
    batches = [decode(body, Batch) for _, body in node.desk.claim_states("835/")]
    came = ((one.other, one.file) for one in batches if one.other != node.member)
    return sorted(came, key=lambda one: one[1][:106])


def _decided(node: MemberNode, payer: str) -> dict[str, int]:
    """Return what a payer's last decisions that it remitted pay, by its numbers, cents with interest."""
    found = {}
    for _, kept, _ in kept_cases(node, payer_side=False):
        sent = [one.decided for one in kept.rounds if one.decided is not None and one.remittance]
        if kept.other == payer and sent:
            decision = read_decision(sent[-1])
            found[decision.control] = decision.paid + decision.interest
    return found


def _own(node: MemberNode, file: bytes) -> list[Claim]:
    """Return one's claims: of a file, or every version of each that was sent from here, to whichever payer."""
    if file:
        try:
            return list(sound_claims(documents.chunks(file), date_of(node.ledger_time() // DAY_MS), None))
        except Unreadable as broken:
            raise documents.unreadable(broken) from None
    rounds = [one for _, kept, _ in kept_cases(node, payer_side=False) for one in kept.rounds]
    return [claim for one in rounds if (claim := documents.claim_in(one.file, one.received)) is not None]
