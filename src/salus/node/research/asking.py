"""`research ask`, `result`: an analyst's part, from a question on record to the figures of all custodians together."""

import json
from typing import Annotated, Any, Final

from msgspec import Meta

from salus.agreements.research import extract, noisy
from salus.agreements.research.document import Query, QueryRefused, read
from salus.contracts.research import port
from salus.core.encoding import decode, encode
from salus.node.errors import Malformed, NotFound
from salus.node.exchange.documents import seal_and_deliver
from salus.node.member import MemberNode
from salus.node.research.answering import QueryId
from salus.node.research.permits import DataSetIds, PermitId, data_set_row
from salus.node.research.wire import (
    QUESTION,
    Asked,
    SentAnswer,
    SentQuestion,
    check_figures,
    chunks,
    commitment,
    query_row,
    sensitivity_of,
    way_of,
)
from salus.node.usecase import OPERATOR, Message, use_case

DEFAULT_VARIANCE: Final = 100  # σ = 10 persons


class AskQuestion(Message, frozen=True):
    """A question, who is asked, under which permit."""

    permit: PermitId
    query: Annotated[bytes, Meta(description="The query document, JSON.", examples=[b"{}"])]
    data_sets: DataSetIds
    variance: Annotated[
        int,
        Meta(
            ge=1,
            le=1 << 40,
            description="Noisy: sigma squared of each custodian's noise, in persons squared.",
            examples=[100],
        ),
    ] = DEFAULT_VARIANCE


class QuestionAsked(Message, frozen=True):
    """The question is on record, its charge reserved in all data sets, and its document on the way."""

    query: Annotated[str, Meta(description="Its id, hexadecimal.")]
    way: Annotated[str, Meta(description="noisy, exact or extract.")]
    charge: Annotated[int, Meta(description="What it costs at each data set, micro-rho.")]


class ShowResult(Message, frozen=True):
    """Which question."""

    query: QueryId


class PartLine(Message, frozen=True):
    """How the question stands at one data set."""

    data_set: Annotated[str, Meta(description="The data set, hexadecimal.")]
    custodian: Annotated[str, Meta(description="Who keeps the records.")]
    status: Annotated[str, Meta(description="registered, begun, answered, withheld, failed or released.")]
    answered: Annotated[bool, Meta(description="Whether its answer is here.")]


class Result(Message, frozen=True):
    """The figures of all custodians that answered, together, and how each part stands."""

    complete: Annotated[bool, Meta(description="Whether every part has ended and every answer is here.")]
    parts: Annotated[tuple[PartLine, ...], Meta(description="By data set.")]
    lines: Annotated[tuple[dict[str, Any], ...], Meta(description="Figures; empty while nothing has been answered.")]
    notes: Annotated[tuple[str, ...], Meta(description="What a reader must know to judge them.")]


def asked_of(node: MemberNode, query: bytes) -> Asked:
    """Return what this member keeps of its question. Raises NotFound."""
    found = node.desk.research("asked", query)
    if not found:
        raise NotFound("research.not-asked", "this member has not asked this question", got=query.hex())
    return decode(found[0][1], Asked)


def document_of(data: bytes) -> Query:
    """Return the query of a document. Raises Malformed."""
    try:
        return read(data)
    except QueryRefused as wrong:
        raise Malformed("research.query", str(wrong), todo="`salus research check` tries it on the sample") from None


@use_case("research.ask", who=OPERATOR)
def ask_question(node: MemberNode, request: AskQuestion) -> QuestionAsked:
    """Put a question on record, by commitment, and send its document to the custodians asked.

    The charge is reserved in all data sets or in none. Models leave as exact sums and are not charged.
    """
    query = document_of(request.query)
    way, square = way_of(query), sensitivity_of(query)
    if way is port.Way.EXTRACT:
        extract.views_of(query)
    id_, salt = node.entropy(16), node.entropy(32)
    data_sets = tuple(sorted(bytes.fromhex(one) for one in request.data_sets))
    variance = request.variance * (noisy.GRID**2 if square > 1 else 1) if way is port.Way.NOISY else 0
    kept = SentQuestion(id_, salt, 0, request.query)
    node.desk.keep_research("asked", id_, encode(Asked(kept)))
    register = port.Register(
        query=id_,
        permit=bytes.fromhex(request.permit),
        data_sets=data_sets,
        commitment=commitment(salt, request.query),
        way=way,
        sensitivity=square,
        variance=variance,
    )
    outcome = node.submitter.submit(register)
    node.wait_for(outcome.height or 0)
    sent = SentQuestion(id_, salt, outcome.height or 0, request.query)
    node.desk.keep_research("asked", id_, encode(Asked(sent)))
    state = node.ledger.read()
    for custodian in dict.fromkeys(data_set_row(state, one).custodian for one in data_sets):
        seal_and_deliver(node, custodian, QUESTION, sent)
    return QuestionAsked(query=id_.hex(), way=way.value, charge=query_row(node, id_).charge)


@use_case("research.result", who=OPERATOR)
def show_result(node: MemberNode, request: ShowResult) -> Result:
    """Show what has been answered: figures with the interval of their noise, small cells masked, or a model."""
    return result_of(node, bytes.fromhex(request.query))


def answers_of(node: MemberNode, query: bytes) -> list[SentAnswer]:
    """Return the noisy answers that are here, in order of data sets."""
    return [decode(body, SentAnswer) for _, body in node.desk.research("answer", query)]


def result_of(node: MemberNode, query: bytes) -> Result:
    """Return a question's result as far as it has come. Raises NotFound."""
    asked, row, state = asked_of(node, query), query_row(node, query), node.ledger.read()
    answers = {one.data_set: one for one in answers_of(node, query)}
    parts, ended = [], True
    for data_set in row.data_sets:
        part = port.query_part(state, query, data_set)
        status = port.PartStatus.REGISTERED if part is None else part.status
        here = data_set in answers or (bool(asked.lines) and status is port.PartStatus.ANSWERED)
        if row.way is port.Way.EXTRACT:
            here = bool(chunks(node, query, data_set))
        ended &= status in port.ENDED and (here or status is not port.PartStatus.ANSWERED)
        custodian = data_set_row(state, data_set).custodian
        parts.append(PartLine(data_set=data_set.hex(), custodian=custodian, status=status.name.lower(), answered=here))
    document = document_of(asked.question.document)
    smallest = max(data_set_row(state, one).smallest for one in row.data_sets)
    if row.way is port.Way.EXTRACT:
        lines, notes = _standing(node, query, row), EXTRACT_NOTES
    elif row.way is port.Way.EXACT:
        lines, notes = json.loads(asked.lines or b"[]"), EXACT_NOTES
    else:
        lines, notes = noisy_lines(document, row, list(answers.values()), smallest), NOISY_NOTES
    return Result(complete=ended and bool(lines), parts=tuple(parts), lines=tuple(lines), notes=notes)


def _standing(node: MemberNode, query: bytes, row: port.Query) -> list[dict[str, Any]]:
    """Return for each data set how many persons' rows are here, and how many have left."""
    lines, state = [], node.ledger.read()
    for data_set in row.data_sets:
        here = chunks(node, query, data_set)
        rows = sum(bool(one.body) for one in here)
        custodian = data_set_row(state, data_set).custodian
        lines.append({"custodian": custodian, "persons": rows, "withdrawn": len(here) - rows})
    return lines


def noisy_lines(document: Query, row: port.Query, answers: list[SentAnswer], smallest: int) -> list[noisy.Line]:
    """Return the lines of the answers together; none without an answer."""
    if not answers:
        return []
    for one in answers:
        check_figures(document, one)
    total = [sum(column) for column in zip(*(one.values for one in answers), strict=True)]
    return noisy.lines(document, total, variance=row.variance, custodians=len(answers), smallest=smallest)


NOISY_NOTES: Final = (
    "Each custodian added noise of its own; low and high are the 95 % interval of the noise alone.",
    "A person known to several custodians counts at each, and the privacy bounds add up.",
)
EXTRACT_NOTES: Final = (
    "Rows of persons who chose so, without what names them: `salus research extract` writes them to files.",
    "Every copy must be deleted when the permit ends, and whoever withdraws before leaves the rows.",
)
EXACT_NOTES: Final = (
    "Exact results carry no differential privacy: no combination of what left rests on fewer than k persons.",
    "A person known to several custodians counts at each.",
)
