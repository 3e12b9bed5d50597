"""A delivery matched, a tracing request answered, documents checked: from files in one command, without a network."""

from collections.abc import Iterable
from typing import Annotated, Final

from msgspec import Meta

from salus.agreements.supply.goods import Goods, replay
from salus.agreements.supply.matching import Difference, match
from salus.agreements.supply.tracing import trace
from salus.interop.epcis import times
from salus.interop.epcis.cbv_hash import cbv_hash
from salus.interop.epcis.document import Event, read
from salus.interop.epcis.findings import findings
from salus.interop.epcis.refusal import EpcisRefused
from salus.interop.gs1.identity import canonical
from salus.interop.gs1.refusal import Gs1Refused
from salus.node.errors import Malformed
from salus.node.supply import captured
from salus.node.usecase import OPERATOR, Message, Node, Verdict, use_case

ANSWER_HOURS: Final = 48  # the longest that a trading partner may take to answer (21 USC 360eee-1)
HOUR_MS: Final = 3_600_000

Files = Annotated[
    tuple[bytes, ...],
    Meta(description="EPCIS documents: 2.0 JSON-LD, 2.0 XML or 1.2 XML.", examples=[[b"{}"]]),
]
Captured = Annotated[
    str,
    Meta(
        description="Shipments captured by this node's EPCIS repository, as a query; empty: none.",
        examples=["EQ_bizTransaction_po=urn:epcglobal:cbv:bt:0614141000005:42"],
    ),
]


class MatchDelivery(Message, frozen=True):
    """What partners announced, and what stands at the dock."""

    scans: Annotated[
        bytes, Meta(description="Labels scanned, one a line: element string, (01)..., or URI.", examples=[b"(00)"])
    ]
    files: Files = ()
    receiver: Annotated[
        str,
        Meta(
            description="Own GLN as Digital Link or URN, to leave out what went to others; default everything.",
            examples=["urn:epc:id:pgln:0614141.00777"],
        ),
    ] = ""
    captured: Captured = ""


class DeliveryMatched(Verdict, frozen=True):
    """How goods and data stand to each other."""

    sound: Annotated[bool, Meta(description="Whether goods and data agree in full.")]
    summary: Annotated[str, Meta(description="The sentence for the dock.")]
    announced: Annotated[int, Meta(description="Units in the partners' shipping events.")]
    received: Annotated[int, Meta(description="Units scanned, themselves or inside a scanned container.")]
    inferred: Annotated[int, Meta(description="Of these, units not scanned themselves.")]
    exceptions: Annotated[
        tuple[str, ...], Meta(description="Each difference: PDG list, GS1 US code, unit, what, resolution.")
    ]
    notes: Annotated[tuple[str, ...], Meta(description="What the files said twice, took back or contradict.")]


class TracePack(Message, frozen=True):
    """A tracing request."""

    identifier: Annotated[
        str, Meta(description="The pack, case or pallet, in any form.", examples=["(01)00312345678906(21)A1"])
    ]
    files: Files = ()
    captured: Annotated[
        bool, Meta(description="Whether what this node's EPCIS repository captured is counted too.", examples=[True])
    ] = False


class PackTraced(Message, frozen=True):
    """What one's own files say of it."""

    found: Annotated[bool, Meta(description="Whether any event names it or what it was in.")]
    lot: Annotated[str, Meta(description="Its lot, from its commissioning.")]
    expiry: Annotated[str, Meta(description="Its expiry, from its commissioning.")]
    steps: Annotated[
        tuple[str, ...], Meta(description="Time, step, inside what, from whom to whom, documents; by time.")
    ]
    breaks: Annotated[tuple[str, ...], Meta(description="Where the chain of owners does not follow.")]
    answer_by: Annotated[str, Meta(description="48 hours from now, UTC: the longest a request received now may wait.")]


class CheckEvents(Message, frozen=True):
    """EPCIS documents."""

    files: Files


class EventsChecked(Verdict, frozen=True):
    """Whether they can be taken in."""

    sound: Annotated[bool, Meta(description="Whether every document holds.")]
    events: Annotated[int, Meta(description="Events in the documents that hold.")]
    hashes: Annotated[tuple[str, ...], Meta(description="Canonical hash of each event, equal for JSON and XML, hex.")]
    cbv_hashes: Annotated[
        tuple[str, ...], Meta(description="CBV 2.0 hash of each event, for partners that know events by it.")
    ]
    faults: Annotated[tuple[str, ...], Meta(description="Document, element, rule and what was expected.")]
    findings: Annotated[
        tuple[str, ...], Meta(description="What was taken in though it looks wrong: event by its place, element, rule.")
    ]


def goods_of(files: tuple[bytes, ...], more: Iterable[Event] = ()) -> Goods:
    """Return what EPCIS documents, and more events, say together. Raises Malformed."""
    events = [*more]
    for place, data in enumerate(files, 1):
        try:
            events.extend(read(data))
        except EpcisRefused as refused:
            raise Malformed(
                "supply.epcis",
                f"document {place}: {refused.rule} at {refused.at}",
                expected=refused.expected,
                todo="ask the sender for a corrected document; `salus supply check` lists all faults",
            ) from None
    return replay(events)


def identifier_of(text: str) -> str:
    """Return an identifier as a Digital Link. Raises Malformed."""
    try:
        return canonical(text)
    except Gs1Refused as refused:
        raise Malformed("supply.identifier", f"{refused.rule} at {refused.at}", expected=refused.expected) from None


def labels_of(scans: bytes) -> list[str]:
    """Return the lines of a file of scans. Raises Malformed."""
    try:
        return scans.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Malformed("supply.scans", "the scans are not ASCII text", expected="one label a line") from None


def _said(difference: Difference) -> str:
    code = f" {difference.code}" if difference.code else ""
    return f"{difference.kind}{code}: {difference.thing}: {difference.told}; {difference.resolution}"


def _notes(goods: Goods) -> tuple[str, ...]:
    notes = []
    if goods.repeated:
        notes.append(f"{goods.repeated} events came more than once and were counted once")
    if goods.withdrawn:
        notes.append(f"{goods.withdrawn} events were taken back by an error declaration")
    notes.extend(f"two different events came as {name}" for name in goods.contradicting)
    return tuple(notes)


@use_case("supply.match", who=OPERATOR)
def match_delivery(node: Node, request: MatchDelivery) -> DeliveryMatched:
    """Hold scanned goods against partners' EPCIS data, and type each difference with what would end it.

    A scanned container counts for all that the data packed into it. Nothing is stored at the node.
    """
    goods = goods_of(request.files, captured.of_shipments(node, request.captured) if request.captured else ())
    receiver = identifier_of(request.receiver) if request.receiver else ""
    found = match(goods, labels_of(request.scans), receiver)
    notes = _notes(goods)
    return DeliveryMatched(
        sound=not found.differences and not goods.contradicting,
        summary=f"{found.received} received, {found.announced} in the data, {len(found.differences)} exceptions",
        announced=found.announced,
        received=found.received,
        inferred=found.inferred,
        exceptions=tuple(_said(difference) for difference in found.differences),
        notes=notes,
    )


@use_case("supply.trace", who=OPERATOR)
def trace_pack(node: Node, request: TracePack) -> PackTraced:
    """Answer a tracing request from one's own EPCIS events, in files and captured: where a pack came from, was and went.

    The transaction statement is a declaration of the firm; no program can make it.
    """
    thing = identifier_of(request.identifier)
    found = trace(goods_of(request.files, captured.of_thing(node, thing) if request.captured else ()), thing)
    steps = []
    for each in found.steps:
        inside = f", inside {each.inside}" if each.inside else ""
        place = f", at {each.place}" if each.place else ""
        parties = f", from {each.seller or 'unsaid'} to {each.buyer or 'unsaid'}" if each.seller or each.buyer else ""
        papers = f", {'; '.join(each.documents)}" if each.documents else ""
        steps.append(f"{times.text(each.time)} {each.step or each.kind}{inside}{place}{parties}{papers}")
    return PackTraced(
        found=bool(steps),
        lot=found.lot,
        expiry=found.expiry,
        steps=tuple(steps),
        breaks=found.breaks,
        answer_by=times.text(node.now() + ANSWER_HOURS * HOUR_MS),
    )


@use_case("supply.check", who=OPERATOR)
def check_events(node: Node, request: CheckEvents) -> EventsChecked:  # noqa: ARG001 -- a use case's shape
    """Check EPCIS documents before they are sent or taken in, and give each event's canonical hash."""
    hashes: list[str] = []
    faults = []
    noted: list[str] = []
    by_cbv: list[str] = []
    for place, data in enumerate(request.files, 1):
        try:
            events = read(data)
        except EpcisRefused as refused:
            faults.append(f"document {place}, {refused.at}: {refused.rule}, expected {refused.expected}")
            continue
        hashes.extend(event.hash.hex() for event in events)
        by_cbv.extend(cbv_hash(event) for event in events)
        noted.extend(f"document {place}, {each.at}: {each.rule}, {each.taken}" for each in findings(events))
    return EventsChecked(
        sound=not faults,
        events=len(hashes),
        hashes=tuple(hashes),
        cbv_hashes=tuple(by_cbv),
        faults=tuple(faults),
        findings=tuple(noted),
    )
