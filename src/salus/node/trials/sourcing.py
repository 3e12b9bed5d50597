"""What a trial reads from the site's own records: `trial screen`, `read-item`, `trace`.

A screening act's answers to criteria by expression, and a form's items with a source, are computed again before the act is
taken; who answers otherwise says why, who types over keeps both values. A trace computes an item again and shows the
record's leaf under the root that the site anchored.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final

from msgspec import Meta

from salus.agreements.trials.acts import Act, read_all
from salus.agreements.trials.sourcing import NotEvaluated, criterion_holds, evidence_digest, item_value
from salus.contracts.trials import port
from salus.node.anchoring import anchor, anchor_reading
from salus.node.errors import Forbidden, Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.reading import counted
from salus.node.trials.founding import STUDY
from salus.node.trials.kept import Subject, one
from salus.node.trials.sight import ACT, conditions, members_of, own_chain, study_of, terms_of
from salus.node.usecase import OPERATOR, Message, Verdict, use_case
from salus.vault.journal import Disclosure, Side
from salus.vault.sealing import Kind
from salus.vault.served import Served

SUBJECT = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{32}$", description="The participant at this site.", examples=["0b" * 16])
]
EXPRESSION = Annotated[
    str, Meta(min_length=1, max_length=1000, description="FHIRPath.", examples=["Observation.value.value"])
]
MOST_SOURCE: Final = 1100
RESEARCH: Final = "CLINTRCH"  # v3-ActReason: clinical trial research
MONITOR: Final = "monitor"


class ScreenSubject(Message, frozen=True):
    """Whose records are read."""

    study: STUDY
    subject: SUBJECT


class SubjectScreened(Message, frozen=True):
    """What the records say. Nothing is entered: put the fields into an act `screen`."""

    fields: Annotated[tuple[str, ...], Meta(description="NAME=VALUE: each answer, and the digest of its evidence.")]
    undecided: Annotated[tuple[str, ...], Meta(description="Criteria that the records do not decide, and why.")]
    attested: Annotated[tuple[str, ...], Meta(description="Criteria that a person attests.")]
    records: Annotated[int, Meta(description="Records read.")]


class ReadItem(Message, frozen=True):
    """An item to be read from a record."""

    study: STUDY
    subject: SUBJECT
    record: Annotated[
        str, Meta(pattern=r"^[A-Za-z]{1,64}/[A-Za-z0-9.-]{1,64}$", description="TYPE/ID.", examples=["Observation/7"])
    ]
    expression: EXPRESSION
    item: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]{1,64}$", description="Name of the item.", examples=["PULSE"])]


class ItemRead(Message, frozen=True):
    """The value with its source: put the fields into an act `form`."""

    fields: Annotated[tuple[str, ...], Meta(description="NAME=VALUE.")]


class TraceItem(Message, frozen=True):
    """A value in a participant's chain."""

    study: STUDY
    subject: SUBJECT
    item: Annotated[
        str,
        Meta(max_length=400, description="VISIT/ACTIVITY/REPEAT/ITEM.", examples=["base/measure/1/PULSE"]),
    ]
    person: Annotated[
        str,
        Meta(
            pattern=r"^([0-9a-f]{64})?$",
            description="The public key of who reads, a monitor's for one; empty: the site's operator.",
            examples=["ab" * 32],
        ),
    ] = ""


class ItemTraced(Verdict, frozen=True):
    """Where a value was read from, computed again."""

    sound: Annotated[bool, Meta(description="Whether the record still gives the value that was read.")]
    value: Annotated[str, Meta(description="The value as entered.")]
    read: Annotated[str, Meta(description="The value that the record gave; another one where it was typed over.")]
    expression: Annotated[str, Meta(description="FHIRPath, with its conversion of units.")]
    record: Annotated[str, Meta(description="TYPE/ID and version at this site.")]
    leaf: Annotated[str, Meta(description="The record's leaf.")]
    root: Annotated[str, Meta(description="Root of its batch, anchored by this site.")]
    path: Annotated[tuple[str, ...], Meta(description="INDEX/SIZE, then siblings from leaf to root (RFC 9162).")]
    transaction: Annotated[str, Meta(description="What anchored the root: `salus proof` shows its receipt.")]


def reading_line(  # noqa: PLR0917 -- what a line says
    node: MemberNode, study: bytes, link: bytes, person: bytes, action: str, what: Sequence[str]
) -> Disclosure:
    """Return the line of a reading of a participant's records. A monitor reads for the sponsor. Raises Forbidden for a stranger."""
    member, role = node.member, ""
    if person:
        given, now = conditions(node, study, node.member).given, node.ledger_time()
        role = next((each.role for each in given if each.person == person and each.since <= now < each.until), "")
        if not role:
            raise Forbidden("trials.not-delegated", "the person may not read here", got=person.hex()[:16])
    if role == MONITOR:
        _, roster = study_of(node, study)
        member = next(iter(members_of(roster, port.Part.SPONSOR)), node.member)
    name = person.hex()[:16]
    return Disclosure(Side.CUSTODIAN, link, member, name, role, RESEARCH, action, tuple(what))


def _told(node: MemberNode, line: Disclosure) -> None:
    """Write a reading down, durably, before its answer leaves."""
    node.vault.journal([line])
    anchor_reading(node)


def instant(time: int) -> str:
    """Return a time (Unix ms) as FHIRPath takes it."""
    return dt.datetime.fromtimestamp(time // 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _records(node: MemberNode, link: bytes) -> dict[int, Any]:
    """Return the newest resources of a person, decoded, by number."""
    newest: dict[tuple[str, str], int] = {}
    for ref in node.vault.of_link(link):
        if ref.kind is Kind.RESOURCE and ref.type != ACT:
            newest[ref.type, ref.id] = ref.number
    return {record.ref.number: _decoded(record.content.body) for record in node.vault.open_many(newest.values())}


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body, parse_float=Decimal)
    except ValueError as error:
        raise Malformed("trials.record", "a record is not JSON") from error


def _served(node: MemberNode, numbers: list[int]) -> list[Served]:
    anchor(node)
    return list(node.vault.seal_for_pull(numbers, retained=True).records)


@use_case("trial.screen", who=OPERATOR)
def screen_subject(node: MemberNode, request: ScreenSubject) -> SubjectScreened:
    """Evaluate the criteria by expression on a participant's records at this site, with evidence for each."""
    study = bytes.fromhex(request.study)
    subject = one(node, Subject, study + bytes.fromhex(request.subject))
    site = port.site(node.ledger.read(), study, node.member)
    _, terms = terms_of(node, study, site.version if site and site.version else 1)
    by_path = {term.id: term.expression for term in terms.criteria if term.by == "fhirpath"}
    answers, undecided, records = _answers(node, subject.link, by_path, node.now())
    leaves = [each.leaf for each in _served(node, sorted(records))] if records else []
    fields = []
    for name, answer in answers.items():
        fields += [f"{name}={answer}", f"evidence.{name}={evidence_digest(by_path[name], leaves, answer)}"]
    if records:
        _told(node, reading_line(node, study, subject.link, b"", "trial-screen", counted(_types(records))))
    return SubjectScreened(
        fields=tuple(fields),
        undecided=tuple(f"{name}: {why}" for name, why in undecided.items()),
        attested=tuple(term.id for term in terms.criteria if term.by == "attest"),
        records=len(records),
    )


def _types(records: Mapping[int, Any]) -> Iterator[str]:
    return (str(each["resourceType"]) for each in records.values())


def _answers(
    node: MemberNode, link: bytes, by_path: Mapping[str, str], now: int
) -> tuple[dict[str, str], dict[str, str], dict[int, Any]]:
    records = _records(node, link) if by_path else {}
    answers: dict[str, str] = {}
    undecided: dict[str, str] = {}
    for name, expression in by_path.items():
        try:
            found = criterion_holds(expression, list(records.values()), instant(now))
        except NotEvaluated as error:
            undecided[name] = str(error)
            continue
        if found is None:
            undecided[name] = "the records do not tell"
        else:
            answers[name] = "yes" if found else "no"
    return answers, undecided, records


@use_case("trial.read-item", who=OPERATOR)
def read_item(node: MemberNode, request: ReadItem) -> ItemRead:
    """Read an item from a participant's record by an expression, with its source."""
    study = bytes.fromhex(request.study)
    subject = one(node, Subject, study + bytes.fromhex(request.subject))
    type_, _, id_ = request.record.partition("/")
    ref = node.vault.newest(subject.link, type_, id_)
    if ref is None:
        raise NotFound("trials.no-record", "the participant has no such record at this site")
    (served,) = _served(node, [ref.number])
    value = _value(request.expression, _decoded(node.vault.open(ref.number).content.body), node.now())
    source = f"{served.leaf.hex()} {request.expression}"
    what = (f"{type_}/{id_}/{ref.version}",)
    _told(node, reading_line(node, study, subject.link, b"", "trial-read", what))
    return ItemRead(fields=(f"item.{request.item}={value}", f"source.{request.item}={source}"))


def _value(expression: str, resource: Any, now: int) -> str:
    try:
        return item_value(expression, resource, instant(now))
    except NotEvaluated as error:
        raise Malformed("trials.expression", str(error)) from None


def _by_leaf(node: MemberNode, link: bytes, leaf: bytes) -> tuple[int, Served]:
    """Return (number, record as served) of the record with a leaf, of any version. Raises Forbidden."""
    numbers = [ref.number for ref in node.vault.of_link(link) if ref.kind is Kind.RESOURCE and ref.type != ACT]
    for number, served in zip(numbers, _served(node, numbers) if numbers else [], strict=True):
        if served.leaf == leaf:
            return number, served
    raise Forbidden("trials.source", "no record of this participant has the leaf that the source names")


def _source(text: str) -> tuple[bytes, str]:
    leaf, _, expression = text[:MOST_SOURCE].partition(" ")
    try:
        return bytes.fromhex(leaf), expression
    except ValueError:
        raise Malformed("trials.source", "a source is LEAF EXPRESSION") from None


def check_sources(node: MemberNode, study: bytes, link: bytes, act: Act) -> None:
    """Check, before an act is taken, what it says that records say. Raises Forbidden, Malformed."""
    told = dict(act.fields)
    if act.kind == "form":
        for name, text in told.items():
            if name.startswith("source."):
                item = name.removeprefix("source.")
                leaf, expression = _source(text)
                number, _ = _by_leaf(node, link, leaf)
                value = _value(expression, _decoded(node.vault.open(number).content.body), act.entered)
                if told.get(f"traced.{item}", told.get(f"item.{item}")) != value:
                    raise Forbidden(
                        "trials.source",
                        "the record gives another value",
                        todo=f"keep both: traced.{item} is the record's, item.{item} the typed one",
                    )
    if act.kind == "screen":
        _check_answers(node, study, link, act, told)


def _check_answers(node: MemberNode, study: bytes, link: bytes, act: Act, told: Mapping[str, str]) -> None:
    site = port.site(node.ledger.read(), study, node.member)
    _, terms = terms_of(node, study, site.version if site and site.version else 1)
    by_path = {term.id: term.expression for term in terms.criteria if term.by == "fhirpath" and term.id in told}
    answers, _, _ = _answers(node, link, by_path, act.entered)
    for name in by_path:
        if answers.get(name) != told[name] and not told.get(f"reason.{name}"):
            raise Forbidden(
                "trials.criterion",
                "the records do not give this answer",
                got=name,
                todo=f"give reason.{name}, or `salus trial screen` again",
            )


@use_case("trial.trace", who=OPERATOR)
def trace_item(node: MemberNode, request: TraceItem) -> ItemTraced:
    """Trace a value to the record it was read from: the record's leaf under an anchored root, the value computed again."""
    study, subject_id = bytes.fromhex(request.study), bytes.fromhex(request.subject)
    subject = one(node, Subject, study + subject_id)
    visit, _, rest = request.item.partition("/")
    activity, _, rest = rest.partition("/")
    repeat, _, name = rest.partition("/")
    entered = {"visit": visit, "activity": activity, "repeat": repeat}
    found: tuple[Act, dict[str, str]] | None = None
    value = ""
    for act in read_all([each.signed for each in own_chain(node, study, subject_id)]):
        told = {} if act is None else {"repeat": "1"} | dict(act.fields)
        if act is None:
            continue
        if (
            act.kind == "form"
            and all(told.get(key) == text for key, text in entered.items())
            and f"item.{name}" in told
        ):
            value = told[f"item.{name}"]
            found = (act, told) if f"source.{name}" in told else found
        elif act.kind == "change" and told.get("item") == request.item:
            value = told.get("value", "")
    if found is None:
        raise NotFound("trials.no-source", "the value was typed in: it was read from no record")
    act, told = found
    leaf, expression = _source(told[f"source.{name}"])
    number, served = _by_leaf(node, subject.link, leaf)
    record, anchoring = node.vault.open(number), node.vault.anchoring_of(number)
    was = told.get(f"traced.{name}", told[f"item.{name}"])
    again = _value(expression, _decoded(record.content.body), act.entered)
    what = (f"{record.ref.type}/{record.ref.id}/{record.ref.version}",)
    _told(node, reading_line(node, study, subject.link, bytes.fromhex(request.person), "trial-trace", what))
    return ItemTraced(
        sound=again == was,
        value=value,
        read=again,
        expression=expression,
        record=f"{record.ref.type}/{record.ref.id} version {record.ref.version}",
        leaf=leaf.hex(),
        root=served.root.hex(),
        path=(f"{served.index}/{served.size}", *(step.hex() for step in served.path)),
        transaction="" if anchoring is None else anchoring.tx_id.hex(),
    )
