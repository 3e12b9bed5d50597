"""`plan check`, `plan compare`, `plan publish`: a plan document before it decides, and the proof of when it stood."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from salus.agreements.claims.alone import sound_claims
from salus.agreements.claims.history import History
from salus.agreements.claims.members import Members
from salus.agreements.claims.plan import DocumentRefused, Plan, read_plan
from salus.agreements.claims.plan_check import check_plan
from salus.agreements.claims.plan_compare import Case, Change, compare, replayed
from salus.contracts.records.port import Anchor, count_bucket
from salus.core.errors import InvariantBroken
from salus.interop.x12.tokens import Unreadable
from salus.node.claims import documents
from salus.node.claims.dossiers import kept_cases, plan_of
from salus.node.claims.exchange import read_decision, read_facts
from salus.node.claims.tables import TABLES, tables_of
from salus.node.claims.versions import PublishedPlan, keep_version, published, version_commitment
from salus.node.member import MemberNode
from salus.node.usecase import OPERATOR, Message, Node, Verdict, use_case


class CheckPlan(Message, frozen=True):
    """A plan document."""

    plan: Annotated[bytes, Meta(description="The plan document, JSON.", examples=[b"{}"])]


class PlanChecked(Verdict, frozen=True):
    """What is wrong with it."""

    faults: Annotated[tuple[str, ...], Meta(description="JSON pointer, rule, what was expected, what stands there.")]


class ShowDocumentSchema(Message, frozen=True):
    """Which document."""

    document: Annotated[
        Literal["plan", "rates", "members", "partner", "codes", "schedule"],
        Meta(description="The document.", examples=["plan"]),
    ]


class DocumentSchemaShown(Message, frozen=True):
    """What such a document may hold. Amounts are in cents, shares in basis points, days CCYYMMDD."""

    schema: Annotated[str, Meta(description="The JSON Schema.")]


class ComparePlans(Message, frozen=True):
    """A new version of a plan."""

    plan: Annotated[bytes, Meta(description="The new version, JSON.", examples=[b"{}"])]
    tables: TABLES = ""


class ReplayClaims(Message, frozen=True):
    """Old claims, and two versions of the plan that decides them."""

    plan: Annotated[bytes, Meta(description="The new version, JSON.", examples=[b"{}"])]
    old: Annotated[bytes, Meta(description="The version before it, JSON.", examples=[b"{}"])]
    file: Annotated[bytes, Meta(description="The X12 837 file of old claims.", examples=[b"ISA"])]
    rates: Annotated[bytes, Meta(description="The rates documents, a JSON list.", examples=[b"[]"])]
    members: Annotated[bytes, Meta(description="Who is covered: a members document or an 834.", examples=[b"{}"])]
    day: Annotated[
        str,
        Meta(
            pattern=r"^[0-9]{8}$", description="Day the claims came and were decided, CCYYMMDD.", examples=["20250315"]
        ),
    ]
    tables: Annotated[
        str,
        Meta(
            description="Folder of the tables that the two versions name, as `plan load-table` fills it; default the node's own.",
            examples=["tables"],
            extra={"path": True},
        ),
    ] = ""


class PlanChange(Message, frozen=True):
    """One decision that changes. Amounts in cents."""

    claim: Annotated[str, Meta(description="The payer's number of the claim.")]
    status: Annotated[str, Meta(description="Status before and after.")]
    paid: Annotated[tuple[int, int], Meta(description="Paid before and after.")]
    patient: Annotated[tuple[int, int], Meta(description="The patient's share before and after.")]
    lines: Annotated[tuple[int, ...], Meta(description="Numbers of the lines that change.")]


class PlansCompared(Message, frozen=True):
    """What a new version changes, each claim on the facts that it was decided on."""

    replayed: Annotated[int, Meta(description="Claims decided under both versions.")]
    changes: Annotated[tuple[PlanChange, ...], Meta(description="Every decision that changes.")]
    cents: Annotated[int, Meta(description="Sum of what is paid more, cents; negative for less.")]


class PublishPlan(Message, frozen=True):
    """A plan document that is to decide."""

    plan: Annotated[bytes, Meta(description="The plan document, JSON.", examples=[b"{}"])]


class PlanPublished(Message, frozen=True):
    """The version stands on the ledger, by a salted digest that tells nothing of it."""

    height: Annotated[int, Meta(description="Block that holds it.")]
    transaction: Annotated[str, Meta(description="Transaction that holds it, hexadecimal.")]
    since: Annotated[str, Meta(description="First day that it is for, CCYYMMDD.")]
    until: Annotated[str, Meta(description="Last day that it is for, CCYYMMDD.")]


@use_case("plan.schema", who=OPERATOR)
def show_document_schema(node: Node, request: ShowDocumentSchema) -> DocumentSchemaShown:  # noqa: ARG001 -- a use case's shape
    """Tell the JSON Schema of a document that decides claims, as `docs/reference` has it."""
    return DocumentSchemaShown(schema=documents.schema_of(request.document))


@use_case("plan.check", who=OPERATOR)
def check_plan_document(node: Node, request: CheckPlan) -> PlanChecked:  # noqa: ARG001 -- a use case's shape
    """Check a plan document for gaps, overlaps, unknown codes and impossible amounts."""
    try:
        plan = read_plan(request.plan)
    except DocumentRefused as wrong:
        return PlanChecked(sound=False, faults=(str(wrong),))
    faults = tuple(
        f"{part.pointer}: {part.rule}, expected {part.expected}, got {part.got}" for part in check_plan(plan)
    )
    return PlanChecked(sound=not faults, faults=faults)


@use_case("plan.replay", who=OPERATOR)
def replay_claims(node: Node, request: ReplayClaims) -> PlansCompared:
    """Decide a file of old claims under two versions of a plan, and list every decision that changes."""
    old, new = documents.plan(request.old), documents.plan(request.plan)
    rates, members = documents.rates(request.rates), documents.members(request.members, old.payer)
    try:
        claims = sound_claims(documents.chunks(request.file), request.day, None)  # a door has judged their codes
    except Unreadable as broken:
        raise documents.unreadable(broken) from None
    history = History(members, tables=tables_of(node, old, request.tables))
    cases = replayed(claims, old, rates, history, request.day)
    return _told(len(claims), compare(old, new, cases, tables_of(node, new, request.tables)))


@use_case("plan.compare", who=OPERATOR)
def compare_plans(node: MemberNode, request: ComparePlans) -> PlansCompared:
    """Decide the claims of this payer again under a new version of its plan, and list every decision that changes.

    Each is replayed as it stands now, under the version that decided it and on the facts that it had.
    """
    new = documents.plan(request.plan)
    tables = tables_of(node, new, request.tables)
    olds: dict[bytes, Plan] = {}
    changes: list[Change] = []
    seen, history = 0, History(Members(payer=new.payer, members=()))
    cases = [(one.last, sent) for _, one, _ in kept_cases(node, payer_side=True) if (sent := one.last.decided)]
    for last, sent in sorted(cases, key=lambda one: read_decision(one[1]).decided):
        if last.plan not in olds:
            olds[last.plan] = documents.plan(plan_of(node, last))
        old, decision, facts = olds[last.plan], read_decision(sent), read_facts(sent)
        if old.payer == new.payer:
            (rates, *_) = (*documents.rates(sent.rates), None)
            seen += 1
            lines = history.lines_beside(decision.claim, facts.original)
            changes += compare(old, new, [Case(decision.claim, rates, facts, lines)], tables)
            history.record(decision)
    return _told(seen, changes)


def _told(seen: int, changes: Sequence[Change]) -> PlansCompared:
    return PlansCompared(
        replayed=seen,
        changes=tuple(
            PlanChange(
                claim=one.control,
                status=one.after[0] if one.before[0] == one.after[0] else f"{one.before[0]} -> {one.after[0]}",
                paid=(one.before[1], one.after[1]),
                patient=(one.before[2], one.after[2]),
                lines=one.lines,
            )
            for one in changes
        ),
        cents=sum(one.after[1] - one.before[1] for one in changes),
    )


@use_case("plan.publish", who=OPERATOR)
def publish_plan(node: MemberNode, request: PublishPlan) -> PlanPublished:
    """Commit a plan's version and its days before it decides: whoever is shown the plan later can prove since when it stood.

    Publishing the same document again tells of the first time. Decisions carry the proof to their providers.
    """
    plan = documents.plan(request.plan)
    if published(node, request.plan) is None:
        salt = node.entropy(32)
        outcome = node.submitter.submit(Anchor(version_commitment(salt, request.plan), count_bucket(1), deferred=False))
        keep_version(node, request.plan, PublishedPlan(salt, outcome.tx_id, outcome.height or 0))
    known = published(node, request.plan)
    if known is None:
        raise InvariantBroken("a plan that was published is not kept")
    return PlanPublished(height=known.height, transaction=known.tx_id.hex(), since=plan.since, until=plan.until)
