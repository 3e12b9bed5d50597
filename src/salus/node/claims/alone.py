"""A file of claims decided, a remittance audited: from files in one command, without a network."""

from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta

from salus.agreements.claims.alone import Outcome, Settings, adjudicate
from salus.agreements.claims.audit import audit
from salus.agreements.claims.page import dollars
from salus.interop.x12.calendar import date_of, is_date
from salus.interop.x12.envelope import Stamp
from salus.interop.x12.tokens import Unreadable
from salus.node.claims import documents
from salus.node.errors import Conflict, Malformed
from salus.node.usecase import OPERATOR, Message, Node, Verdict, use_case

DAY_MS: Final = 86_400_000


class AdjudicateClaims(Message, frozen=True):
    """Claims, and the documents that decide them."""

    file: Annotated[bytes, Meta(description="The X12 837 file (professional or institutional).", examples=[b"ISA"])]
    plan: Annotated[bytes, Meta(description="The plan document, JSON.", examples=[b"{}"])]
    rates: Annotated[bytes, Meta(description="The rates documents, a JSON list.", examples=[b"[]"])]
    members: Annotated[bytes, Meta(description="Who is covered: a members document or an 834.", examples=[b"{}"])]
    folder: Annotated[str, Meta(description="New or empty folder for the answers.", examples=["answers"])]
    received: Annotated[str, Meta(description="Day the file came, CCYYMMDD; default today.", examples=["20250310"])] = (
        ""
    )
    decided: Annotated[str, Meta(description="Day of payment, CCYYMMDD; default today.", examples=["20250315"])] = ""
    control: Annotated[
        int, Meta(ge=1, le=999_000_000, description="First control number, never used twice.", examples=[1])
    ] = 1


class ClaimsAdjudicated(Message, frozen=True):
    """What became of the claims. The files hold the rest."""

    decided: Annotated[int, Meta(description="Claims decided or waiting.")]
    paid: Annotated[int, Meta(description="Claims that pay or leave something to the patient.")]
    denied: Annotated[int, Meta(description="Claims denied in full.")]
    waiting: Annotated[int, Meta(description="Claims that a person must look at.")]
    voided: Annotated[int, Meta(description="Voids: earlier decisions taken back.")]
    refused: Annotated[int, Meta(description="Claims refused at the door with the 277CA.")]
    cents: Annotated[int, Meta(description="Sum of the remittances, cents.")]
    files: Annotated[tuple[str, ...], Meta(description="Files written, in the folder.")]


class AuditRemittance(Message, frozen=True):
    """A remittance and the contract it is held against."""

    file: Annotated[bytes, Meta(description="The X12 835 file.", examples=[b"ISA"])]
    rates: Annotated[bytes, Meta(description="One's own rates documents, a JSON list.", examples=[b"[]"])]
    plan: Annotated[
        bytes, Meta(description="Plan document whose price changes by modifier apply; default none.", examples=[b"{}"])
    ] = b""


class RemittanceAudited(Verdict, frozen=True):
    """What does not balance and what was paid short."""

    faults: Annotated[tuple[str, ...], Meta(description="Places and rules, with what would mend them.")]
    shortfalls: Annotated[tuple[str, ...], Meta(description="Lines below the agreed price, with the clause.")]
    missing: Annotated[int, Meta(description="Sum below the agreed prices, cents.")]
    unpriced: Annotated[int, Meta(description="Lines for which the contract has no price.")]


def _day(node: Node, text: str) -> str:
    if text and not is_date(text):
        raise Malformed("claims.day", "a day is not one of the calendar", expected="CCYYMMDD")
    return text or date_of(node.now() // DAY_MS)


def _write(folder: Path, outcome: Outcome) -> tuple[str, ...]:
    """Write the answers; every name is a number of ours, none is a patient's or a provider's."""
    names = [(f"{place:03d}.ta1", text) for place, text in enumerate(outcome.envelopes, 1)]
    names += [(f"{place:03d}.999", text) for place, text in enumerate(outcome.acknowledgments, 1)]
    names += [(f"{place:03d}.277ca", text) for place, text in enumerate(outcome.claim_acknowledgments, 1)]
    names += [("remittance.835", outcome.remittance)] if outcome.remittance else []
    names += [(f"eob-{control}.json", text) for control, text in outcome.explanations]
    names.append(("page.md", outcome.page.encode()))
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in names:
        (folder / name).write_bytes(text)
    return tuple(name for name, _ in names)


@use_case("claims.adjudicate", who=OPERATOR)
def adjudicate_claims(node: Node, request: AdjudicateClaims) -> ClaimsAdjudicated:
    """Decide a file of claims by a plan, rates and members, and write 999, 277CA, 835, explanations and a page.

    Nothing is stored at the node. Claims of the file are each other's history: a second copy of a claim is found.
    """
    plan = documents.plan(request.plan)
    rates = documents.rates(request.rates)
    members = documents.members(request.members, plan.payer)
    folder = Path(request.folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict("claims.folder", "the folder for the answers is not empty", todo="name a new one")
    today = _day(node, "")
    settings = Settings(
        stamp=Stamp(today, "0000", request.control),
        received=_day(node, request.received),
        decided=_day(node, request.decided),
    )
    try:
        outcome = adjudicate(documents.chunks(request.file), plan, rates, members, settings)
    except Unreadable as broken:
        raise Malformed("claims.unreadable", broken.rule, expected=broken.expected) from None
    files = _write(folder, outcome)
    states = [decision.status for decision in outcome.decisions]
    answers = [answer for group in outcome.verdict.groups for answer in group.sets]
    return ClaimsAdjudicated(
        decided=len(states),
        paid=states.count("paid"),
        denied=states.count("denied"),
        waiting=states.count("pended"),
        voided=states.count("voided"),
        refused=sum(not (answer.accepted and claim.accepted) for answer in answers for claim in answer.claims),
        cents=outcome.paid,
        files=files,
    )


@use_case("claims.audit", who=OPERATOR)
def audit_remittance(node: Node, request: AuditRemittance) -> RemittanceAudited:  # noqa: ARG001 -- a use case's shape
    """Hold a received 835 against one's contract: what does not balance, what was paid below the agreed price."""
    rates = documents.rates(request.rates)
    cuts = documents.plan(request.plan).cuts if request.plan else None
    try:
        found = audit(documents.chunks(request.file), rates, cuts)
    except Unreadable as broken:
        raise Malformed("claims.unreadable", broken.rule, expected=broken.expected) from None
    faults = tuple(
        f"{part.place()}: {part.rule}, expected {part.expected}, got {part.got}; {part.fix}" for part in found.findings
    )
    short = tuple(
        f"claim {part.identifier} line {part.line}: agreed {dollars(part.agreed)} ({part.clause}), "
        f"allowed {dollars(part.allowed)}, missing {dollars(part.missing)}"
        for part in found.shortfalls
    )
    sound = not faults and not short
    return RemittanceAudited(
        sound=sound, faults=faults, shortfalls=short, missing=found.missing, unpriced=len(found.unpriced)
    )
