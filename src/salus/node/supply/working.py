"""One firm's dock, day by day: deliveries taken in with their papers, exceptions with clocks, answers, and six years of records."""

import hashlib
import uuid
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, structs

from salus.agreements.supply.exceptions import OFFERED, Resolution, report, response
from salus.agreements.supply.matching import Difference, match
from salus.agreements.supply.noticing import despatches, disagreements
from salus.agreements.supply.notifying import Suspicion, draft
from salus.core.encoding import Value, decode, encode
from salus.interop.x12.despatch import read_despatch, write_despatch
from salus.interop.x12.envelope import Stamp, Trader
from salus.interop.x12.tokens import Unreadable
from salus.node.errors import Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.supply import captured
from salus.node.supply.alone import Captured, Files, goods_of, identifier_of, labels_of
from salus.node.supply.stock import elements_of
from salus.node.usecase import OPERATOR, Message, Node, Verdict, use_case

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
PAPER: Final = "paper"
CASE: Final = "case"
CLOCKS: Final = {"other_errors": 24}  # hours: suspect product is looked into at once
CLOCK: Final = 72  # hours for everything else: what the ledger gives an unanswered shipment
ORDER = Annotated[str, Meta(description="Purchase order; stays here.", examples=["4711"])]


class Paper(Value, frozen=True):
    """A document as it was taken in."""

    time: int
    body: bytes


class Case(Value, frozen=True):
    """One difference of a delivery, until it is answered."""

    opened: int
    due: int
    order: str
    kind: str
    code: str
    thing: str
    told: str
    answer: str


class TakeDelivery(Message, frozen=True):
    """A delivery with its papers."""

    scans: Annotated[bytes, Meta(description="Labels scanned, one a line.", examples=[b"(00)"])]
    files: Files = ()
    receiver: Annotated[
        str, Meta(description="Own GLN as Digital Link or URN; default everything.", examples=["urn:epc:id:pgln:1.2"])
    ] = ""
    order: ORDER = ""
    captured: Captured = ""


class DeliveryTaken(Message, frozen=True):
    """Papers are kept for six years; each difference is a case with a clock."""

    summary: Annotated[str, Meta(description="The sentence for the dock.")]
    report: Annotated[bytes, Meta(description="The exceptions report for the partner, JSON after PDG; empty if none.")]
    cases: Annotated[tuple[str, ...], Meta(description="Number of each new case, and what it is about.")]


class ListDockCases(Message, frozen=True):
    """Asks for nothing more."""


class DockCasesListed(Message, frozen=True):
    """What waits, the most urgent first."""

    open: Annotated[
        tuple[str, ...], Meta(description="Number, hours left (below zero: overdue), what, what is offered.")
    ]
    resolved: Annotated[int, Meta(description="Cases that were answered.")]
    papers: Annotated[int, Meta(description="Documents kept.")]


class ResolveDockCase(Message, frozen=True):
    """An answer to a case."""

    case: Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$", description="Its number.", examples=["0" * 16])]
    resolution: Annotated[
        Literal[
            "Send new data", "Send product", "Return product", "Send back product", "Credit account", "Debit account"
        ],
        Meta(description="PDG's word for what ends it.", examples=["Credit account"]),
    ]


class DockCaseResolved(Message, frozen=True):
    """The case is closed."""

    response: Annotated[bytes, Meta(description="The response for the partner, JSON after PDG.")]


class WriteNotices(Message, frozen=True):
    """Shipments."""

    files: Files
    sender: Annotated[str, Meta(description="ISA06 of this firm.", examples=["NORTHWHOLESALE"])]
    receiver: Annotated[str, Meta(description="ISA08 of the partner.", examples=["CORNERPHARMACY"])]
    control: Annotated[
        int, Meta(ge=1, le=999_999_000, description="First interchange control number.", examples=[1])
    ] = 1


class NoticesWritten(Message, frozen=True):
    """One for each shipping event."""

    notices: Annotated[tuple[bytes, ...], Meta(description="X12 856, one interchange each.")]


class CheckNotice(Message, frozen=True):
    """A partner's ship notice and its events."""

    files: Files
    notice: Annotated[bytes, Meta(description="X12 856.", examples=[b"ISA"])]


class NoticeChecked(Verdict, frozen=True):
    """Whether both count the same."""

    sound: Annotated[bool, Meta(description="Whether every lot in every container has one count.")]
    differences: Annotated[tuple[str, ...], Meta(description="Product, lot, container, both counts.")]


class DraftNotification(Message, frozen=True):
    """A suspect pack."""

    identifier: Annotated[str, Meta(description="Label of the pack.", examples=["(01)00312345678906(21)A1"])]
    code: Annotated[
        Literal["DISPENSED", "STOLEN", "DESTROYED", "EXPORTED", "HOLDER_MISMATCH", "IMPOSSIBLE_TRAVEL", "ILLEGITIMATE"],
        Meta(description="What is wrong with it.", examples=["STOLEN"]),
    ]
    told: Annotated[str, Meta(max_length=2000, description="What happened.", examples=["found at the dock"])] = ""
    company: Annotated[str, Meta(max_length=500, description="Name, address, contact.", examples=["North"])] = ""


class NotificationDrafted(Message, frozen=True):
    """A person completes and sends it; the law gives 24 hours."""

    fields: Annotated[tuple[str, ...], Meta(description="Form FDA 3911: each field and what is known of it.")]
    send_by: Annotated[str, Meta(description="24 hours from now, UTC.")]


@use_case("supply.take-in", who=OPERATOR)
def take_delivery(node: MemberNode, request: TakeDelivery) -> DeliveryTaken:
    """Take a delivery in: keep its papers for six years, and open a case with a clock for each difference; once for each."""
    goods = goods_of(request.files, captured.of_shipments(node, request.captured) if request.captured else ())
    receiver = identifier_of(request.receiver) if request.receiver else ""
    found = match(goods, labels_of(request.scans), receiver)
    now = node.now()
    for body in (*request.files, request.scans):
        id_ = hashlib.sha256(body).digest()
        if not node.desk.supply(PAPER, id_):
            node.desk.keep_supply(PAPER, (id_, encode(Paper(now, body))))
    opened: list[tuple[str, Difference]] = []
    for one in found.differences:
        id_ = hashlib.sha256(f"{request.order}\n{one.kind}\n{one.code}\n{one.thing}".encode()).digest()[:8]
        if node.desk.supply(CASE, id_):
            continue
        due = now + CLOCKS.get(one.kind, CLOCK) * HOUR_MS
        case = Case(now, due, request.order, one.kind, one.code, one.thing, one.told, "")
        node.desk.keep_supply(CASE, (id_, encode(case)))
        opened.append((id_.hex(), one))
    told = report(_uuid(node), _uuid(node), now // 1000, request.order, found.differences)
    return DeliveryTaken(
        summary=f"{found.received} received, {found.announced} in the data, {len(found.differences)} exceptions",
        report=msgspec.json.encode(told) if found.differences else b"",
        cases=tuple(f"{id_} {one.kind} {one.code} {one.thing}" for id_, one in opened),
    )


@use_case("supply.worklist", who=OPERATOR)
def list_cases(node: MemberNode, request: ListDockCases) -> DockCasesListed:  # noqa: ARG001 -- a use case's shape
    """List open exceptions with the hours that are left, the most urgent first."""
    cases = [(id_, decode(body, Case)) for id_, body in node.desk.supply(CASE)]
    waiting = sorted((case.due, id_, case) for id_, case in cases if not case.answer)
    return DockCasesListed(
        open=tuple(
            f"{id_.hex()} {(due - node.now()) // HOUR_MS} h {case.kind} {case.code} {case.thing}: {case.told}; "
            + " or ".join(OFFERED[case.kind])
            for due, id_, case in waiting
        ),
        resolved=len(cases) - len(waiting),
        papers=len(node.desk.supply(PAPER)),
    )


@use_case("supply.resolve", who=OPERATOR)
def resolve_case(node: MemberNode, request: ResolveDockCase) -> DockCaseResolved:
    """Close a case with what ends it, and write the response for the partner; what PDG does not offer for it is an alternative."""
    id_ = bytes.fromhex(request.case)
    kept = node.desk.supply(CASE, id_)
    if not kept:
        raise NotFound("supply.no-case", "no case has this number", todo="see `salus supply worklist`")
    case = decode(kept[0][1], Case)
    node.desk.keep_supply(CASE, (id_, encode(structs.replace(case, answer=request.resolution))))
    usual = Resolution(request.resolution) in OFFERED[case.kind]
    answer = "Accept" if usual else f"Reject: {request.resolution}"
    told = response(_uuid(node), _uuid(node), node.now() // 1000, [(case.thing, answer)])
    return DockCaseResolved(response=msgspec.json.encode(told))


@use_case("supply.notice", who=OPERATOR)
def write_notices(node: Node, request: WriteNotices) -> NoticesWritten:
    """Write an X12 856 beside each shipment of own EPCIS files, with the counts of its events."""
    day, time = moment(node.now())[:10].replace("-", ""), moment(node.now())[11:16].replace(":", "")
    ends = Trader("ZZ", request.sender), Trader("ZZ", request.receiver)
    return NoticesWritten(
        notices=tuple(
            write_despatch(one, ends, Stamp(day, time, request.control + number))
            for number, one in enumerate(despatches(goods_of(request.files)))
        )
    )


@use_case("supply.check-notice", who=OPERATOR)
def check_notice(node: Node, request: CheckNotice) -> NoticeChecked:  # noqa: ARG001 -- a use case's shape
    """Hold the counts of a partner's X12 856 against its EPCIS events."""
    try:
        notice = read_despatch(request.notice)
    except Unreadable as fault:
        raise Malformed(
            "supply.notice", f"{fault.rule} after segment {fault.position}", expected=fault.expected
        ) from None
    found = disagreements(goods_of(request.files), notice)
    return NoticeChecked(sound=not found, differences=tuple(found))


@use_case("supply.notify", who=OPERATOR)
def draft_notification(node: Node, request: DraftNotification) -> NotificationDrafted:
    """Draft the notification of a suspect pack (Form FDA 3911); nothing is sent."""
    elements = elements_of(request.identifier)
    now = node.now()
    suspicion = Suspicion(
        request.code,
        moment(now)[:10],
        elements.get("01", ""),
        elements.get("10", ""),
        elements.get("17", ""),
        elements.get("21", ""),
        request.told,
        request.company,
    )
    fields = tuple(f"{name}: {value}" for name, value in draft(suspicion))
    return NotificationDrafted(fields=fields, send_by=moment(now + DAY_MS))


def _uuid(node: MemberNode) -> str:
    return str(uuid.UUID(bytes=node.entropy(16), version=4))
