"""What providers ask a payer in X12, answered from its own books: 270 → 271, 276 → 277; and a file checked.

claims eligibility   payer: who is covered on a day, what is left of deductible and maximum
claims status        payer: where claims stand, by the payer's number or the provider's
claims check         anyone: what a file would be refused for, before it is sent
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Final

from msgspec import Meta

from salus.agreements.claims.decision import Cell
from salus.agreements.claims.history import History
from salus.agreements.claims.members import Members, person_key
from salus.agreements.claims.plan import Plan
from salus.contracts.claims import port
from salus.interop.x12.answers import envelope_faults, swap
from salus.interop.x12.calendar import date_of
from salus.interop.x12.envelope import Stamp, interchange
from salus.interop.x12.examine import GroupSeen, InterchangeSeen, SetSeen, UnitSeen, examine
from salus.interop.x12.findings import REFUSE, refused
from salus.interop.x12.inquiries import (
    NOT_FOUND,
    Amount,
    Cover,
    CoverAsked,
    Status,
    StatusAsked,
    cover_answer,
    status_answer,
)
from salus.interop.x12.loops import Loop
from salus.interop.x12.tokens import Segment, Unreadable
from salus.node.claims import documents
from salus.node.claims.code_lists import InForce, lists_on
from salus.node.claims.dossiers import DAY_MS, Dossier, control_of, kept_cases
from salus.node.claims.exchange import read_decision
from salus.node.errors import Malformed
from salus.node.member import MemberNode
from salus.node.usecase import OPERATOR, Message, Node, Verdict, use_case

_BUCKETS: Final = {"deductible": "C", "out-of-pocket": "G"}
Answer = Callable[[Loop, str, tuple[str, str]], list[Segment]]


class AskEligibility(Message, frozen=True):
    """An inquiry, and the documents that answer it."""

    file: Annotated[bytes, Meta(description="An X12 270.", examples=[b"ISA"])]
    plan: Annotated[bytes, Meta(description="The plan document, JSON.", examples=[b"{}"])]
    members: Annotated[bytes, Meta(description="Who is covered: a members document or an 834.", examples=[b"{}"])]


class EligibilityTold(Message, frozen=True):
    """The answer."""

    file: Annotated[bytes, Meta(description="The X12 271.")]


class AskClaimStatus(Message, frozen=True):
    """An inquiry."""

    file: Annotated[bytes, Meta(description="An X12 276.", examples=[b"ISA"])]


class ClaimStatusTold(Message, frozen=True):
    """The answer."""

    file: Annotated[bytes, Meta(description="The X12 277.")]


class CheckClaims(Message, frozen=True):
    """A file of claims, or of any transaction that is read."""

    file: Annotated[bytes, Meta(description="An X12 file.", examples=[b"ISA"])]
    received: Annotated[str, Meta(description="Day it arrives, CCYYMMDD; default today.", examples=["20250310"])] = ""
    codes: Annotated[
        bytes,
        Meta(
            description="Code lists newer than those built in, JSON; default those that the node has loaded.",
            examples=[b"{}"],
        ),
    ] = b""


class ClaimsChecked(Verdict, frozen=True):
    """What it would be refused for."""

    faults: Annotated[tuple[str, ...], Meta(description="Level, place, rule, what was expected, what mends it.")]
    notes: Annotated[tuple[str, ...], Meta(description="Deviations that are read and lose nothing.")]
    codes: Annotated[
        str, Meta(description="Loaded code lists that it was checked by: source, date, digest; empty for none.")
    ]


@use_case("claims.eligibility", who=OPERATOR)
def tell_eligibility(node: MemberNode, request: AskEligibility) -> EligibilityTold:
    """Answer who is covered: a 271 to a 270, with what is left of deductible and out-of-pocket maximum."""
    plan = documents.plan(request.plan)
    members = documents.members(request.members, plan.payer)
    history = History(members)
    for _, kept, _ in kept_cases(node, payer_side=True):
        for one in kept.rounds:
            if one.decided is not None:
                history.record(read_decision(one.decided))
    today = date_of(node.ledger_time() // DAY_MS)

    def known(asked: CoverAsked) -> Cover:
        return _cover(plan, members, history, asked, asked.day or today)

    def answer(root: Loop, control: str, stamp: tuple[str, str]) -> list[Segment]:
        return cover_answer(root, known, control, stamp)

    return EligibilityTold(file=_answered(node, request.file, "270", ("HB", "005010X279A1"), answer))


@use_case("claims.status", who=OPERATOR)
def tell_status(node: MemberNode, request: AskClaimStatus) -> ClaimStatusTold:
    """Answer where claims stand: a 277 to a 276. A claim of another provider is not found."""
    state = node.ledger.read()
    told: dict[str, tuple[str, str, Status]] = {}
    for case, kept, number in kept_cases(node, payer_side=True):
        row = port.case(state, case)
        if row is not None:
            asked = _told(kept, row, number)
            if asked is not None:
                told[control_of(number)] = asked
                told.setdefault(f"{asked[1]}|{asked[2].identifier}", asked)

    def answer(root: Loop, control: str, stamp: tuple[str, str]) -> list[Segment]:
        return status_answer(root, lambda asked: _found(told, asked), control, stamp)

    return ClaimStatusTold(file=_answered(node, request.file, "276", ("HN", "005010X212"), answer))


@use_case("claims.check", who=OPERATOR)
def check_claims(node: Node, request: CheckClaims) -> ClaimsChecked:
    """Check an X12 file as its receiver would: syntax, guide, balance, situation, codes. Nothing is sent or kept."""
    day = documents.day(request.received, date_of(node.now() // DAY_MS))
    faults: list[tuple[int, int, str]] = []
    notes: list[str] = []
    lists = InForce(documents.codes(request.codes), "") if request.codes else lists_on(node, day)
    try:
        for event in examine(documents.chunks(request.file), codes=lists.sets, received=day):
            for one in event.findings if isinstance(event, UnitSeen | SetSeen | InterchangeSeen) else ():
                claim = f"claim {name}, " if isinstance(event, UnitSeen) and (name := event.loop.first.get(1)) else ""
                words = f"{claim}level {one.level}, {one.told()}"
                if one.severity == REFUSE:
                    faults.append((one.position, one.level, words))
                else:
                    notes.append(words)
            if isinstance(event, SetSeen | GroupSeen):
                first = event.head.header if isinstance(event, SetSeen) else event.header
                faults.extend((first.position, 1, f"level 1, {words}") for words in envelope_faults(event))
    except Unreadable as broken:
        raise documents.unreadable(broken) from None
    told = tuple(words for *_, words in sorted(faults))
    return ClaimsChecked(sound=not faults, faults=told, notes=tuple(notes), codes=lists.told)


def _answered(node: MemberNode, file: bytes, asks: str, kind: tuple[str, str], answer: Answer) -> bytes:
    """Return the interchange that answers a sound inquiry. Raises Malformed."""
    try:
        events = list(examine(documents.chunks(file), keep=True))
    except Unreadable as broken:
        raise documents.unreadable(broken) from None
    sets = [one for one in events if isinstance(one, SetSeen) and one.root is not None]
    wrong = [
        one for event in events if isinstance(event, UnitSeen | SetSeen) for one in event.findings if one.level < 3
    ]
    sound = sets and all(one.head.header.get(1) == asks and not one.envelope for one in sets)
    if not sound or refused(wrong):
        todo = "see `salus claims check`"
        raise Malformed("claims.inquiry", "the file is no sound inquiry", expected=f"an X12 {asks}", todo=todo)
    header = next(one.header for one in events if isinstance(one, InterchangeSeen))
    number = int(node.desk.claim_state("inquiries") or b"0") + 1
    node.desk.keep_claims([], [("inquiries", str(number).encode())])
    stamp = Stamp(date_of(node.ledger_time() // DAY_MS), "0000", number)
    bodies = [
        answer(one.root, f"{place:04d}", (stamp.day, stamp.time))
        for place, one in enumerate(sets, 1)
        if one.root is not None
    ]
    return interchange(swap(header), stamp, *kind, bodies)


def _cover(plan: Plan, members: Members, history: History, asked: CoverAsked, day: str) -> Cover:
    family = [one for one in members.members if one.subscriber == asked.member]
    if not family:
        return Cover(refused="75")
    spans = [one for one in family if one.birth == asked.birth and one.first.upper() == asked.first.upper()]
    if not asked.birth and not asked.dependent:  # a subscriber is known by the number alone
        spans = [one for one in family if one.relationship == "18"]
    if not spans:
        return Cover(refused="67")
    live = next((one for one in spans if one.since <= day <= one.until), None)
    if live is None or not plan.since <= day <= plan.until:
        return Cover(plan=plan.name, since=spans[0].since)
    person = person_key(live.subscriber, live.birth, live.first)
    amounts: list[Amount] = []
    for rule in plan.accumulators:
        scopes = [("member", rule.individual), *([("family", rule.family)] if rule.family else [])]
        for scope, most in scopes:
            cell = Cell(rule.bucket, "family" if scope == "family" else "member", rule.tier, plan.since)
            taken = history.taken(asked.member if scope == "family" else person, cell)
            inside = rule.tier == plan.tiers[0]
            for left, cents in ((False, most), (True, max(0, most - taken))):
                amounts.append(Amount(_BUCKETS[rule.bucket], scope == "family", left, cents, inside))
    return Cover(active=True, plan=plan.name, since=live.since, amounts=tuple(amounts))


_PENDING: Final = {
    port.CaseStatus.SUBMITTED: "P1",
    port.CaseStatus.ACCEPTED: "P1",
    port.CaseStatus.WAITING: "P3",
    port.CaseStatus.REOPENED: "P1",
}


def _told(kept: Dossier, row: port.Case, number: int) -> tuple[str, str, Status] | None:
    """Return (member's number, provider's NPI, status) of a case; None of one that has ended undecided."""
    decided = next((one.decided for one in reversed(kept.rounds) if one.decided is not None), None)
    if decided is None:
        claim = documents.claim_in(kept.last.file, kept.last.received)
        if claim is None or row.status not in _PENDING:
            return None
        category = "P2" if kept.last.pends and row.status is port.CaseStatus.ACCEPTED else _PENDING[row.status]
        status = Status(category, "20", "", claim.charge, 0)
    else:
        decision = read_decision(decided)
        claim = decision.claim
        final = {"paid": ("F1", "65"), "denied": ("F2", "585"), "voided": ("F4", "101")}
        category, code = final[decision.status] if row.status not in _PENDING else (_PENDING[row.status], "20")
        status = Status(category, code, decision.decided, claim.charge, decision.paid)
    told = Status(
        status.category,
        status.code,
        status.day,
        status.charge,
        status.paid,
        control_of(number),
        claim.identifier,
        claim.first,
        claim.last,
    )
    return claim.subscriber.member, claim.billing.identifier, told


def _found(told: Mapping[str, tuple[str, str, Status]], asked: StatusAsked) -> Status:
    found = told.get(asked.control or f"{asked.provider}|{asked.identifier}")
    if found is None or found[:2] != (asked.member, asked.provider):
        return NOT_FOUND
    return found[2]
