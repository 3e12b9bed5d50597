"""What sites are paid: `trial payments` computes, `trial bill` states on the ledger, `trial settle` answers."""

from typing import Annotated, Final

from msgspec import Meta, structs

from salus.agreements.trials.conduct import State
from salus.agreements.trials.payments import Paid, Statement, commitment, lines_due, wrong_lines
from salus.contracts.trials import port
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.trials.exchange import send
from salus.node.trials.founding import STUDY
from salus.node.trials.kept import SentStatement, keep, kept, statement_key
from salus.node.trials.sight import states, study_of, terms_of
from salus.node.usecase import OPERATOR, Message, use_case

MOST_LINES: Final = 5000  # of a statement; the rest is stated next
_SETTLED: Final = frozenset((port.PaymentStatus.AGREED, port.PaymentStatus.PAID))


class ListPayments(Message, frozen=True):
    """The study whose payments are asked for."""

    study: STUDY


class Payments(Message, frozen=True):
    """What is to be paid, as site and sponsor compute alike; no arm enters into it."""

    sites: Annotated[tuple[str, ...], Meta(description="Site, lines not settled yet, sum in minor units.")]
    statements: Annotated[
        tuple[str, ...], Meta(description="Site, number and status of every statement on the ledger.")
    ]
    held: Annotated[int, Meta(description="Visits that wait for a signature or a query.")]


class BillTrial(Message, frozen=True):
    """The study whose open lines are stated."""

    study: STUDY


class TrialBilled(Message, frozen=True):
    """A statement as the ledger has it; only a commitment is public."""

    number: Annotated[int, Meta(description="The site's statement.")]
    lines: Annotated[int, Meta(description="Its lines.")]
    total: Annotated[int, Meta(description="Their sum, minor units.")]
    status: Annotated[str, Meta(description="stated.")]


class SettleTrial(Message, frozen=True):
    """A site's statement and the sponsor's answer."""

    study: STUDY
    site: Annotated[str, Meta(max_length=32, description="The site.", examples=["north"])]
    number: Annotated[int, Meta(ge=1, le=65_535, description="Its statement.", examples=[1])]
    step: Annotated[str, Meta(pattern=r"^(agree|dispute|pay)$", description="agree, dispute, pay.", examples=["agree"])]


class TrialSettled(Message, frozen=True):
    """The statement as it stands."""

    status: Annotated[str, Meta(description="agreed, disputed or paid.")]
    lines: Annotated[int, Meta(description="Its lines.")]
    total: Annotated[int, Meta(description="Their sum, minor units.")]
    wrong: Annotated[tuple[str, ...], Meta(description="Lines that do not follow from the chains here.")]


def _settled(node: MemberNode, study: bytes, site: str) -> Paid:
    """Return what a site's statements that were agreed to hold."""
    state = node.ledger.read()
    told: dict[tuple[bytes, str, str], int] = {}
    for _, sent in kept(node, SentStatement, study):
        statement = sent.statement
        row = port.payment(state, study, statement.site, statement.number)
        if statement.site == site and row is not None and row.status in _SETTLED:
            if row.commitment != commitment(statement, sent.salt):
                raise Conflict("trials.statement", "a statement kept here is not the one agreed to", got=site)
            told |= {line.of: line.amount for line in statement.lines}
    return told


def _by_site(node: MemberNode, study: bytes) -> dict[str, list[tuple[bytes, State]]]:
    told: dict[str, list[tuple[bytes, State]]] = {}
    for site, subject, state in states(node, study, sent_only=True):
        told.setdefault(site, []).append((subject, state))
    return told


@use_case("trial.payments", who=OPERATOR)
def list_payments(node: MemberNode, request: ListPayments) -> Payments:
    """List what sites are to be paid and is not settled: signed visits without an open query, stipends up to their cap."""
    study = bytes.fromhex(request.study)
    row, _ = study_of(node, study)
    _, terms = terms_of(node, study, row.version)
    amounts = {payment.visit for payment in terms.payments}
    sites, held = [], 0
    for site, found in sorted(_by_site(node, study).items()):
        held += sum(visit in amounts and not state.payable(visit) for _, state in found for visit in state.visits)
        lines = lines_due(found, terms, _settled(node, study, site))
        if lines:
            sites.append(f"{site}: {len(lines)} lines, {sum(line.amount for line in lines)}")
    told = port.payments(node.ledger.read(), study)
    statements = tuple(f"{site} {number}: {one.status.name.lower()}" for site, number, one in told)
    return Payments(sites=tuple(sites), statements=statements, held=held)


@use_case("trial.bill", who=OPERATOR)
def bill_trial(node: MemberNode, request: BillTrial) -> TrialBilled:
    """State, as a site, what is to be paid and is not settled: lines to the sponsor, a commitment to the ledger.

    Of acts that were sent alone: the sponsor computes from these. What is not answered yet is sent again.
    """
    study = bytes.fromhex(request.study)
    row, _ = study_of(node, study)
    mine = [(number, one) for site, number, one in port.payments(node.ledger.read(), study) if site == node.member]
    number, newest = mine[-1] if mine else (0, None)
    if newest is not None and newest.status is port.PaymentStatus.STATED:
        sent = structs.replace(_kept(node, study, node.member, number), height=node.ledger.head().height)
        send(node, row.sponsor, "statement", sent)
        return _billed(node, sent.statement)
    number += newest is None or newest.status in _SETTLED
    _, terms = terms_of(node, study, row.version)
    lines = lines_due(_by_site(node, study).get(node.member, []), terms, _settled(node, study, node.member))
    if not lines:
        raise NotFound("trials.nothing-due", "nothing is to be paid that is not settled", todo="sign visits, send acts")
    statement = Statement(study, node.member, number, row.version, lines[:MOST_LINES])
    sent = SentStatement(statement, node.entropy(32), 0)
    keep(node, statement_key(statement), sent)
    node.submitter.submit(port.StatePayment(study, number, commitment(statement, sent.salt)))
    sent = SentStatement(statement, sent.salt, node.ledger.head().height)
    keep(node, statement_key(statement), sent)
    send(node, row.sponsor, "statement", sent)
    return _billed(node, statement)


def _billed(node: MemberNode, statement: Statement) -> TrialBilled:
    row = port.payment(node.ledger.read(), statement.study, statement.site, statement.number)
    status = "" if row is None else row.status.name.lower()
    return TrialBilled(number=statement.number, lines=len(statement.lines), total=statement.total, status=status)


def _kept(node: MemberNode, study: bytes, site: str, number: int) -> SentStatement:
    """Return a statement as the ledger commits to it. Raises NotFound, Conflict."""
    row = port.payment(node.ledger.read(), study, site, number)
    sent = next(
        (
            one
            for _, one in kept(node, SentStatement, study)
            if (one.statement.site, one.statement.number) == (site, number)
        ),
        None,
    )
    if row is None or sent is None:
        raise NotFound("trials.no-statement", "no such statement is known here", got=f"{site} {number}")
    if row.commitment != commitment(sent.statement, sent.salt):
        raise Conflict(
            "trials.statement", "the statement kept here is not the one on the ledger", todo="wait for the site"
        )
    return sent


@use_case("trial.settle", who=OPERATOR)
def settle_trial(node: MemberNode, request: SettleTrial) -> TrialSettled:
    """Answer a site's statement as the sponsor: agreed to only if every line follows from the chains held here."""
    study = bytes.fromhex(request.study)
    row, _ = study_of(node, study)
    sent = _kept(node, study, request.site, request.number)
    statement = sent.statement
    if not 1 <= statement.version <= row.version:
        raise Malformed("trials.statement", "the statement is under terms that are not approved")
    _, terms = terms_of(node, study, statement.version)
    found = _by_site(node, study).get(request.site, [])
    wrong: tuple[str, ...] = ()
    if request.step != "pay":  # what was agreed to is settled, and paid as it stands
        wrong = wrong_lines(statement, found, terms, _settled(node, study, request.site))
    if request.step == "agree" and wrong:
        raise Conflict(
            "trials.statement", "the statement does not follow from the chains", got=wrong[0], todo="dispute it"
        )
    step = port.PaymentStep[request.step.upper()]
    told = commitment(statement, sent.salt)
    node.submitter.submit(port.StepPayment(study, request.site, request.number, step, told))
    after = port.payment(node.ledger.read(), study, request.site, request.number)
    status = "" if after is None else after.status.name.lower()
    return TrialSettled(status=status, lines=len(statement.lines), total=statement.total, wrong=wrong)
