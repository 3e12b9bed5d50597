"""`claims cases`, `claims recompute`, `claims explain`: where a case stands, and why it was decided so."""

from typing import Annotated

from msgspec import Meta

from salus.agreements.claims.page import page
from salus.agreements.claims.recompute import first_difference
from salus.contracts.claims import port
from salus.interop.x12.claim import claim_number
from salus.interop.x12.money import dollars
from salus.node.claims import documents
from salus.node.claims.dossiers import Dossier, Round, dossier_of, kept_cases, plan_of
from salus.node.claims.exchange import made_again, miscounts, plan_in, read_decision, read_facts
from salus.node.claims.tables import at_hand, tables_of
from salus.node.claims.versions import published
from salus.node.errors import NotFound
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.usecase import OPERATOR, Message, use_case


class RecomputeDecision(Message, frozen=True):
    """A decided case and the contract it is held against."""

    case: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id of the case.", examples=["00" * 16])]
    rates: Annotated[bytes, Meta(description="One's own rates documents, a JSON list.", examples=[b"[]"])]
    tables: Annotated[
        str,
        Meta(
            description="One's own folder of the tables that the plan names, as `plan load-table` fills it; default the node's own. Rows of tables that are not there are believed.",
            examples=["tables"],
            extra={"path": True},
        ),
    ] = ""


class DecisionRecomputed(Message, frozen=True):
    """Whether the payer's decision is what the contract gives."""

    step: Annotated[str, Meta(description="First step at which the two part; empty if they are the same.")]
    own: Annotated[int, Meta(description="What the claim pays by one's own contract, cents.", extra={"cents": True})]
    decided: Annotated[int, Meta(description="What the payer decided, cents.", extra={"cents": True})]


class ListCases(Message, frozen=True):
    """Asks for nothing more."""


class CaseLine(Message, frozen=True):
    """One case that this member has a part in."""

    case: Annotated[str, Meta(description="Id of the case, hexadecimal.")]
    claim: Annotated[str, Meta(description="The provider's number of the claim (CLM01).")]
    side: Annotated[str, Meta(description="This member's part: provider or payer.")]
    other: Annotated[str, Meta(description="Member id of the other party.")]
    status: Annotated[str, Meta(description="Where it stands on the ledger.")]
    round: Annotated[int, Meta(description="How often it came to be decided.")]
    why: Annotated[
        str, Meta(description="What the last round is: claim, replacement, void, dispute, appeal, correction.")
    ]
    due: Annotated[str, Meta(description="By when the next step, UTC; empty if none is awaited.")]
    late: Annotated[str, Meta(description="Who is late: payer, provider, or nobody (empty).")]
    waits: Annotated[tuple[str, ...], Meta(description="At the payer: why a person must look; what the patient told.")]
    differs: Annotated[
        str,
        Meta(
            description="Step at which the provider's own computation parts from the decision; `received`, `decided`: it "
            "names another day than the ledger; `published`: its plan was published after it."
        ),
    ]
    remitted: Annotated[bool, Meta(description="Whether the 835 of the last round is here.")]


class Cases(Message, frozen=True):
    """The cases of this member."""

    cases: Annotated[tuple[CaseLine, ...], Meta(description="In the order in which they came.")]


class ExplainCase(Message, frozen=True):
    """A decided case."""

    case: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id of the case.", examples=["00" * 16])]


class CaseExplained(Message, frozen=True):
    """The decision in plain words."""

    page: Annotated[str, Meta(description="Each line and what was taken off it: code, clause, remedy (Markdown).")]
    published: Annotated[str, Meta(description="Since when the ledger holds the plan, UTC; empty if it does not.")]
    codes: Annotated[
        str,
        Meta(description="Code lists by which the payer let it in: source, date, digest; empty for those built in."),
    ]
    trace: Annotated[tuple[str, ...], Meta(description="Each step: rule, clause, what is payable before and after.")]


@use_case("claims.recompute", who=OPERATOR)
def recompute_decision(node: MemberNode, request: RecomputeDecision) -> DecisionRecomputed:
    """Make a decision again from plan and facts as sent and one's own contract; name the step where the two part."""
    documents.rates(request.rates)
    case = bytes.fromhex(request.case)
    kept = dossier_of(node, case)
    last = _decided(kept)
    if last is None or last.decided is None:
        raise NotFound("claims.undecided", "no decision of this case is here", got=request.case)
    theirs, document = read_decision(last.decided), plan_of(node, last)
    own = last.decided.with_rates(request.rates)
    plan = plan_in(document)
    tables = tables_of(node, plan, request.tables) if request.tables else at_hand(node, plan)
    mine = made_again(document, own, last.file, tables)
    step = first_difference(mine, theirs)
    newest = not kept.payer_side and last is kept.last
    if not step and newest and miscounts(node, case, kept, plan, tables=tables, fresh={}):
        step = "coding"  # facts that count other lines of the day than one's own claims have agree with themselves
    return DecisionRecomputed(step=step, own=mine.paid, decided=theirs.paid)


@use_case("claims.explain", who=OPERATOR)
def explain_case(node: MemberNode, request: ExplainCase) -> CaseExplained:
    """Tell why a case was decided so, at payer or provider, from the decision as it was committed."""
    last = _decided(dossier_of(node, bytes.fromhex(request.case)))
    if last is None or last.decided is None:
        raise NotFound("claims.undecided", "no decision of this case is here", got=request.case)
    decision = read_decision(last.decided)
    trace = tuple(
        f"{one.step}{f' line {one.line}' if one.line else ''}: {one.rule} ({one.clause}): "
        f"{dollars(one.before)} -> {dollars(one.after)}"
        for one in decision.trace
    )
    document = plan_of(node, last)
    known = published(node, document)
    since = moment(node.ledger.store.header(known.height).time) if known is not None else ""
    told = page((decision,), documents.plan(document))
    return CaseExplained(page=told, published=since, codes=read_facts(last.decided).codes, trace=trace)


def _decided(kept: Dossier) -> Round | None:
    """Return the last round that is decided, or None."""
    return next((one for one in reversed(kept.rounds) if one.decided is not None), None)


@use_case("claims.cases", who=OPERATOR)
def list_cases(node: MemberNode, request: ListCases) -> Cases:  # noqa: ARG001 -- a use case
    """List the claims that this member has a part in, with status, deadline, and where a recomputation parts."""
    now, state = node.ledger_time(), node.ledger.read()
    lines = []
    for case, kept, _ in kept_cases(node):
        row = port.case(state, case)
        if row is not None:
            last = kept.last
            lines.append(
                CaseLine(
                    case=case.hex(),
                    claim=claim_number(last.file),
                    side="payer" if kept.payer_side else "provider",
                    other=kept.other,
                    status=row.status.name.lower(),
                    round=row.round,
                    why=last.why,
                    due=moment(row.due) if row.due else "",
                    late=port.overdue(row, now),
                    waits=(*last.pends, *kept.notices),
                    differs=last.difference,
                    remitted=bool(last.remittance),
                )
            )
    return Cases(cases=tuple(lines))
