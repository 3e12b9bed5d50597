"""`research review`, `answer`, `withhold`, `rerun`: a custodian's part in a question, under its own checker's eyes.

The order is the same whatever fails between: figures are computed, noise is drawn and stored durably, the begin is put on
the ledger, eligibility is held against that block again, the commitment to the answer follows, and only then anything is
sent. Each step asks the ledger first how far the question has come, so that a process that died goes on where it stopped.
"""

import importlib.util
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from salus.agreements.research import population
from salus.agreements.research.document import Query, QueryRefused, read, used
from salus.contracts.research import port
from salus.core.encoding import decode
from salus.core.proof.digest import digest
from salus.interop.fhir.view import ViewFailed
from salus.node.errors import Conflict, Malformed, NotFound, Unavailable
from salus.node.exchange.documents import seal_and_deliver
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.research import choices, evidence, extracting, telling
from salus.node.research.alone import NEEDED
from salus.node.research.permits import ID, ID_EXAMPLE, data_set_row, permit_row
from salus.node.research.wire import (
    ANSWER,
    Counted,
    Held,
    SentAnswer,
    answer_commitment,
    checked,
    held,
    keep,
    own_sets,
    query_row,
)
from salus.node.usecase import OPERATOR, Message, use_case

if TYPE_CHECKING:
    from salus.node.research.figures import Frame

QueryId = Annotated[
    str,
    Meta(pattern=ID, description="The question, hexadecimal.", examples=[ID_EXAMPLE], extra={"positional": True}),
]

_ONE_AT_A_TIME = threading.Lock()
"""Two checkers who release one question at once must not count twice: the begin commits to one population."""


class ReviewQuestions(Message, frozen=True):
    """All questions, or one whole."""

    query: Annotated[
        str,
        Meta(
            pattern=f"^$|{ID}",
            description="One question, hexadecimal: its document is shown too.",
            examples=[ID_EXAMPLE],
        ),
    ] = ""


class QuestionLine(Message, frozen=True):
    """A question at one of this member's data sets."""

    query: Annotated[str, Meta(description="The question, hexadecimal.")]
    data_set: Annotated[str, Meta(description="The data set, hexadecimal.")]
    institution: Annotated[str, Meta(description="Who asks.")]
    study: Annotated[str, Meta(description="What the permit is for, as patients read it.")]
    title: Annotated[str, Meta(description="What the document calls itself.")]
    statistic: Annotated[str, Meta(description="What would leave: the statistic and its columns.")]
    way: Annotated[str, Meta(description="noisy, exact or extract.")]
    charge: Annotated[int, Meta(description="What it costs here, micro-rho.")]
    status: Annotated[str, Meta(description="registered, begun, answered, withheld, failed or released.")]
    begin_by: Annotated[str, Meta(description="Last moment to begin, UTC.")]
    reason: Annotated[str, Meta(description="Why it was withheld or failed: for the checker alone.")]


class Questions(Message, frozen=True):
    """For the output checker."""

    questions: Annotated[tuple[QuestionLine, ...], Meta(description="In order of their ids.")]
    document: Annotated[
        str, Meta(description="The one question's document, JSON: its views, columns and bounds are what to look at.")
    ] = ""


class AnswerQuestion(Message, frozen=True):
    """The question that is released."""

    query: QueryId
    few: Annotated[
        bool,
        Meta(
            description="Exact: also with fewer than three custodians, where figures of one can be told.",
            examples=[True],
        ),
    ] = False
    differing: Annotated[
        bool,
        Meta(
            description="Exact: also where the same document ran over other custodians; the difference tells of them.",
            examples=[True],
        ),
    ] = False


class QuestionAnswered(Message, frozen=True):
    """How the question stands here."""

    status: Annotated[str, Meta(description="answered; begun while an exact run goes on; withheld or failed.")]
    counted: Annotated[int, Meta(description="Persons who were counted. For this custodian alone.")]
    left_out: Annotated[
        dict[str, int],
        Meta(description="Persons who may not be, by reason, when it begins. For this custodian alone."),
    ]


class WithholdQuestion(Message, frozen=True):
    """The question that is not answered."""

    query: QueryId
    reason: Annotated[
        str, Meta(max_length=500, description="For the checker's own record.", examples=["Too narrow."])
    ] = ""


class QuestionWithheld(Message, frozen=True):
    """The analyst is told that it was withheld, not why."""

    status: Annotated[str, Meta(description="withheld.")]


class RerunQuestion(Message, frozen=True):
    """The question to compute again."""

    query: QueryId


class QuestionRerun(Message, frozen=True):
    """Whether this custodian's part comes out again."""

    same: Annotated[bool, Meta(description="Whether population and figures are those of the begin.")]
    why: Annotated[str, Meta(description="What has changed since, without numbers; empty if nothing.")]


@use_case("research.review", who=OPERATOR)
def review(node: MemberNode, request: ReviewQuestions) -> Questions:
    """List the questions put to this member's data sets, with the reasons that analysts are not told; or show one whole."""
    asked = bytes.fromhex(request.query)
    kept = [(id_, decode(body, Held)) for id_, body in node.desk.research("part", asked)]
    if asked and not kept:
        raise NotFound("research.not-here", "the document of this question has not come", got=request.query)
    lines = [line for id_, one in kept if (line := _line(node, id_, one)) is not None]
    return Questions(
        questions=tuple(lines), document=kept[0][1].question.document.decode("utf-8", "replace") if asked else ""
    )


def _line(node: MemberNode, id_: bytes, kept: Held) -> QuestionLine | None:
    state = node.ledger.read()
    row, part = port.query(state, id_[:16]), port.query_part(state, id_[:16], id_[16:])
    if row is None or part is None:
        return None
    permit = port.permit(state, row.permit)
    title, statistic = _said(kept)
    return QuestionLine(
        query=id_[:16].hex(),
        data_set=id_[16:].hex(),
        institution=kept.analyst,
        study="" if permit is None else permit.summary,
        title=title,
        statistic=statistic,
        way=row.way.value,
        charge=row.charge,
        status=part.status.name.lower(),
        begin_by=moment(row.begin_by),
        reason=kept.reason,
    )


def _said(kept: Held) -> tuple[str, str]:
    """Return a document's title, and its statistic with its columns; nothing of one that an older version took."""
    try:
        document = read(kept.question.document)
    except QueryRefused:
        return "", ""
    kind, columns = str(document.statistic.__struct_config__.tag), used(document.statistic)
    return document.title, " ".join((f"{kind}:", *columns)) if columns else kind


@use_case("research.answer", who=OPERATOR)
def answer_question(node: MemberNode, request: AnswerQuestion) -> QuestionAnswered:
    """Release a question: begin it, and answer it with noise, send an extract's rows, or let its exact run go on.

    Goes on where it stopped. A question once begun is charged, whatever becomes of it.
    """
    equipped()
    with _ONE_AT_A_TIME:
        return _answered(node, bytes.fromhex(request.query), few=request.few, differing=request.differing)


def _answered(node: MemberNode, query: bytes, *, few: bool, differing: bool) -> QuestionAnswered:
    row, found, counted, status = query_row(node, query), choices.Found((), {}), 0, ""
    for data_set in own_sets(node, row):
        kept = held(node, query, data_set)
        part = _part(node, query, data_set)
        if part.status is port.PartStatus.REGISTERED:
            if not differing:
                _over_the_same(node, row, kept)
            found = _eligible(node, row, data_set, [row.height, node.ledger.head().height])
            kept = _begin(node, row, data_set, msgspec.structs.replace(kept, few=few), found)
            part = _part(node, query, data_set)
        if few and not kept.few and part.status is port.PartStatus.BEGUN:
            kept = keep(node, data_set, msgspec.structs.replace(kept, few=True))
        if part.status is port.PartStatus.BEGUN and not kept.begun:
            kept = _confirm(node, row, data_set, kept, part)
            part = _part(node, query, data_set)
        if part.status is port.PartStatus.BEGUN and row.way is not port.Way.EXACT:
            _commit(node, row, data_set, kept)
            part = _part(node, query, data_set)
        if part.status is port.PartStatus.ANSWERED and row.way is port.Way.EXTRACT:
            persons = _eligible(node, row, data_set, [row.height, node.ledger.head().height]).persons
            extracting.send(node, data_set, kept, persons)
        if part.status is port.PartStatus.ANSWERED and row.way is port.Way.NOISY:
            _send(node, data_set, kept)
        counted, status = counted + len(kept.counted), part.status.name.lower()
    return QuestionAnswered(status=status, counted=counted, left_out=found.reasons)


def _over_the_same(node: MemberNode, row: port.Query, kept: Held) -> None:
    """Check that a model did not run here over other custodians: subtracted, the two tell figures of some. Raises Conflict."""
    if row.way is not port.Way.EXACT:
        return
    model, who = _untitled(kept), _custodians(node, row)
    for _, body in node.desk.research("part"):
        other = decode(body, Held)
        if other.begun and other.question.query != kept.question.query and _untitled(other) == model:
            others = _custodians(node, query_row(node, other.question.query))
            if others != who:
                raise Conflict(
                    "research.differing",
                    "the same document ran over other custodians, whose figures the difference tells",
                    expected=" ".join(sorted(others)),
                    got=" ".join(sorted(who)),
                    todo="release it with `--differing`, if they may be told",
                )


def _untitled(kept: Held) -> Query:
    return msgspec.structs.replace(read(kept.question.document), title="")


def _custodians(node: MemberNode, row: port.Query) -> frozenset[str]:
    return frozenset(data_set_row(node.ledger.read(), one).custodian for one in row.data_sets)


@use_case("research.withhold", who=OPERATOR)
def withhold_question(node: MemberNode, request: WithholdQuestion) -> QuestionWithheld:
    """Withhold a question. Five at one data set suspend the permit there: a refusal tells a bit."""
    query = bytes.fromhex(request.query)
    for data_set in own_sets(node, query_row(node, query)):
        withhold(node, data_set, held(node, query, data_set), request.reason)
    return QuestionWithheld(status="withheld")


@use_case("research.rerun", who=OPERATOR)
def rerun_question(node: MemberNode, request: RerunQuestion) -> QuestionRerun:
    """Compute this custodian's part again as of its begin, or say what has changed since, never how much."""
    equipped()
    query = bytes.fromhex(request.query)
    row = query_row(node, query)
    for data_set in own_sets(node, row):
        kept = held(node, query, data_set)
        if not kept.begun:
            raise Conflict("research.not-begun", "the question was not begun here", got=request.query)
        found = _eligible(node, row, data_set, [row.height, node.ledger.head().height])
        still = {person.counted for person in found.persons}
        if not {*kept.counted} <= still:
            return QuestionRerun(same=False, why="people have left since")
        if any(
            number > kept.until
            for person in found.persons
            if person.counted in kept.counted
            for number in choices.numbers(node, person)
        ):
            return QuestionRerun(same=False, why="records were added or changed since")
        root = population.root_of(dict(kept.leaves))
        if root != _part(node, query, data_set).population or not _again(node, row, data_set, kept, found):
            return QuestionRerun(same=False, why="records were added or changed since")
    return QuestionRerun(same=True, why="")


def _again(node: MemberNode, row: port.Query, data_set: bytes, kept: Held, found: choices.Found) -> bool:
    """Tell whether figures or rows come out as at the begin."""
    if row.way is port.Way.EXTRACT:
        made = extracting.prepared(node, row, kept, found.persons, _offer(node, data_set).smallest)
        return made.chunks == kept.chunks
    own = frame_of(node, checked(kept.question.document, row), kept, found.persons)
    return _figures(own, row) == kept.exact


def equipped() -> None:
    """Raise Unavailable without the numeric libraries."""
    missing = [name for name in (*NEEDED, "opendp") if importlib.util.find_spec(name) is None]
    if missing:
        raise Unavailable(
            "research.extra", "the numeric libraries are not installed", todo="install salus-health[research]"
        )


def withhold(node: MemberNode, data_set: bytes, kept: Held, reason: str) -> None:
    """Withhold a part, with a reason that stays here. Raises Refused."""
    keep(node, data_set, msgspec.structs.replace(kept, reason=reason))
    node.submitter.submit(port.Withhold(kept.question.query, data_set))


def frame_of(node: MemberNode, query: Query, kept: Held, persons: Sequence[choices.Person]) -> "Frame":
    """Return the frame of those counted, over their records up to the newest that was read at the begin."""
    from salus.node.research.warm import warm_frame  # noqa: PLC0415 -- the extra may not be installed

    counted = {*kept.counted}
    try:
        return warm_frame(node, query, [person for person in persons if person.counted in counted], kept.until)
    except (QueryRefused, ViewFailed) as wrong:
        raise Malformed("research.figures", str(wrong)) from None


def persons_of(node: MemberNode, kept: Held) -> Sequence[choices.Person]:
    """Return those counted at the begin with what may be read of each: a choice's terms are those that were shown."""
    query = kept.question.query
    row = query_row(node, query)
    counted = {*kept.counted}
    found: list[choices.Person] = []
    for data_set in own_sets(node, row):
        found += [one for one in _eligible(node, row, data_set, [row.height]).persons if one.counted in counted]
    return found


def _eligible(node: MemberNode, row: port.Query, data_set: bytes, heights: Sequence[int]) -> choices.Found:
    permit = permit_row(node.ledger.read(), row.permit)
    study = choices.Study(_offer(node, data_set), row.permit, permit, row.way.value, row.height)
    return choices.find(node, study, heights)


def _offer(node: MemberNode, data_set: bytes) -> port.DataSet:
    offer = port.data_set(node.ledger.read(), data_set)
    if offer is None:
        raise Conflict("research.no-data-set", "the ledger has no such data set", got=data_set.hex())
    return offer


def _part(node: MemberNode, query: bytes, data_set: bytes) -> port.QueryPart:
    part = port.query_part(node.ledger.read(), query, data_set)
    if part is None:
        raise Conflict("research.no-query", "the question does not ask this data set", got=data_set.hex())
    return part


def _figures(own: "Frame", row: port.Query) -> tuple[int, ...]:
    from salus.node.research import figures  # noqa: PLC0415 -- the extra may not be installed

    return tuple(figures.cells(own)) if row.way is port.Way.NOISY else ()


def _begin(node: MemberNode, row: port.Query, data_set: bytes, kept: Held, found: choices.Found) -> Held:
    """Compute, draw and store; then begin."""
    query_id = kept.question.query
    query = checked(kept.question.document, row)
    node.catch_up()
    counted = tuple(person.counted for person in found.persons)
    salt = kept.salt or node.entropy(32)
    kept = msgspec.structs.replace(kept, counted=counted, salt=salt, until=node.index.position())
    if row.way is port.Way.EXTRACT:
        kept = keep(
            node, data_set, extracting.prepared(node, row, kept, found.persons, _offer(node, data_set).smallest)
        )
    else:
        own = frame_of(node, query, kept, found.persons)
        kept = keep(node, data_set, msgspec.structs.replace(kept, exact=_figures(own, row)))
    if row.way is port.Way.NOISY:
        _drawn(node, row, kept)
    kept = keep(
        node, data_set, msgspec.structs.replace(kept, leaves=choices.leaves_of(node, query_id, kept.counted, salt))
    )
    root = population.root_of(dict(kept.leaves))
    outcome = node.submitter.submit(port.Begin(query_id, data_set, root))
    node.wait_for(outcome.height or 0)
    return kept


def _confirm(node: MemberNode, row: port.Query, data_set: bytes, kept: Held, part: port.QueryPart) -> Held:
    """Hold everybody counted against the block of the begin. What does not hold fails the part, and nothing leaves."""
    query_id = kept.question.query
    step = port.Begin(query_id, data_set, part.population)
    begun = next(one.tx_id for one in evidence.steps(node, part.height, part.height) if one.message == step)
    again = _eligible(node, row, data_set, [row.height, part.height])
    still = {*kept.counted} <= {person.counted for person in again.persons}
    same = still and population.root_of(dict(kept.leaves)) == part.population
    if not same:
        fail(node, data_set, kept, "somebody left, or was added, between counting and the begin")
        return kept
    telling.tell(node, step, kept)
    return keep(node, data_set, msgspec.structs.replace(kept, begun=begun))


def fail(node: MemberNode, data_set: bytes, kept: Held, reason: str) -> None:
    """Say that a part failed; nothing of it is released, and its charge stays spent."""
    keep(node, data_set, msgspec.structs.replace(kept, reason=reason))
    node.submitter.submit(port.Fail(kept.question.query, data_set))


def _drawn(node: MemberNode, row: port.Query, kept: Held) -> tuple[tuple[int, ...], bytes]:
    """Return figures with noise and their salt, drawn at most once for a question on a population, stored durably."""
    from salus.node.research.noise import AnswerBook  # noqa: PLC0415 -- the extra may not be installed

    question = digest("salus/v1/research-question", kept.question.document)
    drawn = AnswerBook(node.desk).answer(question, _persons(kept.counted), kept.exact, row.variance)
    return drawn.values, drawn.salt


def _persons(counted: Sequence[Counted]) -> bytes:
    """Return a digest of who was counted, the same in every question. It stays here."""
    return digest("salus/v1/research-persons", *sorted(one.link for one in counted))


def _commit(node: MemberNode, row: port.Query, data_set: bytes, kept: Held) -> None:
    """Commit to the answer that is stored. The population is that of the begin: who leaves later is in later ones."""
    told = extracting.committed(kept) if row.way is port.Way.EXTRACT else answer_commitment(*_drawn(node, row, kept))
    node.submitter.submit(port.Answer(kept.question.query, data_set, told))


def _send(node: MemberNode, data_set: bytes, kept: Held) -> None:
    row = query_row(node, kept.question.query)
    values, salt = _drawn(node, row, kept)
    sent = SentAnswer(kept.question.query, data_set, node.ledger.head().height, values, salt)
    seal_and_deliver(node, kept.analyst, ANSWER, sent)
