"""`research run`: an analyst's node leads custodians through the turns of a model, and begins anew without who drops out."""

import contextlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta

from salus.agreements.research.document import Cox, Linear, Query
from salus.agreements.research.errors import MalformedVector, NoFit
from salus.contracts.research import port
from salus.core.encoding import Value, decode, encode
from salus.core.proof import ed25519
from salus.node.errors import Conflict, EdgeError, Unavailable
from salus.node.exchange.wire import RemoteRefusal
from salus.node.member import MemberNode
from salus.node.research.answering import QueryId, equipped
from salus.node.research.asking import asked_of, document_of
from salus.node.research.permits import data_set_row
from salus.node.research.rounds import PATH, Join, Joined, Signed, Taken, Turn, signed_bytes
from salus.node.research.wire import Asked, query_row
from salus.node.usecase import OPERATOR, Message, Progress, unheard, use_case

if TYPE_CHECKING:
    from salus.agreements.research.models import Fit

MAX_TURNS: Final = 200
WORD: Final = 8  # bytes
NOT_HERE: Final = frozenset({"research.few", "research.off-path"})
"""Refusals that another attempt without the custodian would not mend."""
ENDED: Final = "a custodian ended its part in the last attempt"


class RunModel(Message, frozen=True):
    """The model to run."""

    query: QueryId


class ModelRun(Message, frozen=True):
    """The model's estimate over all custodians that stayed to its end."""

    attempts: Annotated[int, Meta(description="Attempts: one more for each time that custodians dropped out.")]
    turns: Annotated[int, Meta(description="Turns of the last attempt.")]
    custodians: Annotated[tuple[str, ...], Meta(description="Who took part in it.")]
    lines: Annotated[tuple[dict[str, Any], ...], Meta(description="Estimates by term.")]


class Round(Value, frozen=True):
    """One turn as a bundle shows it."""

    vectors: tuple[Signed, ...]


class Rounds(Value, frozen=True):
    """The last attempt as a bundle shows it."""

    attempt: int
    data_sets: tuple[bytes, ...]
    rounds: tuple[Round, ...]


class Led(Value, frozen=True):
    """Who joined an attempt: kept before its first turn, so that a process that died goes on with the same custodians."""

    data_sets: tuple[bytes, ...]


class _DroppedOut(Exception):
    def __init__(self, data_set: bytes, why: EdgeError) -> None:
        self.data_set, self.why = data_set, why
        super().__init__(str(why))


@use_case("research.run", who=OPERATOR)
def run_model(node: MemberNode, request: RunModel, *, progress: Progress = unheard) -> ModelRun:
    """Run a model with the custodians that have begun; whoever drops out is left out of a new attempt, three at most.

    Each custodian walks the path to the estimate itself and sends masked sums, of which only the total can be read.
    """
    equipped()
    query = bytes.fromhex(request.query)
    asked = asked_of(node, query)
    while True:
        row = query_row(node, query)
        try:
            live = _custodians(node, query, row)
            told, rounds, height = _Attempt(node, asked, row.attempt, live).run(progress)
        except _DroppedOut as gone:
            _without(node, query, row, gone)
            continue
        with contextlib.suppress(Unavailable):  # a custodian may name a block that will never be
            node.wait_for(height)
        custodians = tuple(data_set_row(node.ledger.read(), one).custodian for one in live)
        for line in told:
            line["custodians"] = len(custodians)
        done = Asked(asked.question, json.dumps(told).encode(), encode(rounds))
        node.desk.keep_research("asked", query, encode(done))
        return ModelRun(attempts=row.attempt, turns=len(rounds.rounds), custodians=custodians, lines=tuple(told))


def _status(node: MemberNode, query: bytes, data_set: bytes) -> port.PartStatus | None:
    part = port.query_part(node.ledger.read(), query, data_set)
    return None if part is None else part.status


def _custodians(node: MemberNode, query: bytes, row: port.Query) -> tuple[bytes, ...]:
    """Return who takes part in the attempt that holds. Raises Conflict, and _DroppedOut if one that joined has ended."""
    waiting = [one for one in row.data_sets if _status(node, query, one) is port.PartStatus.REGISTERED]
    if waiting:
        raise Conflict(
            "research.waiting",
            "custodians have yet to release the question",
            got=" ".join(data_set_row(node.ledger.read(), one).custodian for one in waiting),
            todo="ask their output checkers",
        )
    led = node.desk.research("led", query + bytes((row.attempt,)))
    joined = decode(led[0][1], Led).data_sets if led else ()
    for one in joined:
        if _status(node, query, one) not in (port.PartStatus.BEGUN, port.PartStatus.ANSWERED):
            raise _DroppedOut(one, Conflict("research.dropped-out", ENDED))
    live = joined or tuple(one for one in row.data_sets if _status(node, query, one) is port.PartStatus.BEGUN)
    if not live:
        raise Conflict(
            "research.nobody-left",
            "every custodian has withheld, failed or dropped out",
            todo="ask their output checkers, or ask something that rests on more persons",
        )
    return live


def _without(node: MemberNode, query: bytes, row: port.Query, gone: _DroppedOut) -> None:
    """Begin a new attempt without a custodian that dropped out. Raises its refusal where that mends nothing.

    Who has committed to its answer cannot be left out: the run goes on when it can be reached again.
    """
    answered = _status(node, query, gone.data_set) is port.PartStatus.ANSWERED
    if gone.why.code in NOT_HERE or row.attempt == port.MAX_ATTEMPTS or answered:
        raise gone.why
    head = node.ledger.head().height
    outcome = node.submitter.submit(port.Retry(query, (gone.data_set,)))
    node.wait_for(outcome.height or head)


class _Attempt:
    """One attempt, led from joining to the estimate."""

    def __init__(self, node: MemberNode, asked: Asked, attempt: int, live: tuple[bytes, ...]) -> None:
        self._node, self._query, self._attempt, self._live = node, asked.question.query, attempt, live
        self._document = document_of(asked.question.document)

    def _ask(self, data_set: bytes, question: Value, kind: type[Any]) -> Any:
        custodian = data_set_row(self._node.ledger.read(), data_set).custodian
        try:
            return self._node.peers.ask(custodian, PATH, question, kind)
        except (Unavailable, RemoteRefusal) as why:
            raise _DroppedOut(data_set, why) from why

    def run(self, progress: Progress) -> tuple[list[dict[str, Any]], Rounds, int]:
        """Return the lines of the estimate, what a bundle shows, and the block of the last answer. Raises _DroppedOut."""
        import numpy as np  # noqa: PLC0415 -- the extra may not be installed

        from salus.agreements.research import models, scaling  # noqa: PLC0415 -- the same
        from salus.agreements.research.rounds import total_of  # noqa: PLC0415 -- the same

        model = scaling.model_of(self._document)
        if model is None:
            raise Conflict("research.statistic", "this question is answered with noise, not run")
        terms = scaling.terms(self._document, model)
        seeds = self._join()
        path = models.path(len(terms))
        beta = next(path)
        rounds: list[Round] = []
        vectors: tuple[Signed, ...] = ()
        sums, fit = None, None
        for turn in range(MAX_TURNS):
            taken = {one: self._take(one, turn, tuple(map(float, beta)), (seeds[one], vectors)) for one in self._live}
            if fit is not None:
                height = max(one.height for one in taken.values())
                return self._lines(fit, sums, terms), Rounds(self._attempt, self._live, tuple(rounds)), height
            vectors = tuple(self._vector(one, turn, taken[one], len(terms)) for one in self._live)
            rounds.append(Round(vectors))
            progress(turn + 1, 0, "turns")
            words = {one.data_set.hex(): np.frombuffer(one.vector, dtype="<u8").astype(np.uint64) for one in vectors}
            try:
                sums = total_of(words, len(terms))
                beta = path.send(sums)
            except StopIteration as end:
                fit = end.value
            except (NoFit, MalformedVector) as wrong:
                raise Conflict("research.no-fit", str(wrong), todo="change the model") from None
        raise Conflict("research.no-fit", "the model does not come to an end", todo="change the model")

    def _join(self) -> dict[bytes, tuple[tuple[bytes, bytes], ...]]:
        """Return for each custodian the seeds sealed to it. Raises Conflict when custodians see different peers."""
        height = self._node.ledger.head().height
        joined = {one: self._ask(one, Join(self._query, one, self._attempt, height), Joined) for one in self._live}
        for data_set, told in joined.items():
            ended = [one for one in told.peers if one not in self._live and _status(self._node, self._query, one)]
            if ended:
                raise _DroppedOut(ended[0], Conflict("research.dropped-out", ENDED))
            if told.peers != self._live:
                raise _DroppedOut(data_set, Conflict("research.peers", "a custodian sees another attempt"))
        self._node.desk.keep_research_once("led", self._query + bytes((self._attempt,)), encode(Led(self._live)))
        return {
            one: tuple((peer, seed) for peer in self._live for to, seed in joined[peer].seeds if to == one)
            for one in self._live
        }

    def _take(
        self,
        data_set: bytes,
        turn: int,
        beta: tuple[float, ...],
        sent: tuple[tuple[tuple[bytes, bytes], ...], tuple[Signed, ...]],
    ) -> Taken:
        question = Turn(self._query, data_set, self._attempt, turn, beta, sent[0] if turn == 0 else (), sent[1])
        taken: Taken = self._ask(data_set, question, Taken)
        return taken

    def _vector(self, data_set: bytes, turn: int, taken: Taken, width: int) -> Signed:
        """Return a custodian's vector. Raises _DroppedOut for one that the others would refuse: they are not to blame."""
        custodian = data_set_row(self._node.ledger.read(), data_set).custodian
        for one in taken.vector[:1]:
            told = signed_bytes(self._query, self._attempt, turn, one)
            signed = ed25519.verify(self._node.keys_of(custodian).signing_key, told, one.signature)
            if signed and one.data_set == data_set and len(one.vector) == WORD * (width + width**2 + 1):
                return one
        raise _DroppedOut(
            data_set, Conflict("research.vector", "a custodian sent no vector of this turn", got=custodian)
        )

    def _lines(self, fit: "Fit", sums: Any, terms: Any) -> list[dict[str, Any]]:
        return estimate(self._document, fit, sums, terms)


def estimate(document: Query, fit: "Fit", sums: Any, terms: Any) -> list[dict[str, Any]]:
    """Return the lines of a fit in the document's units. `sums` are those of the last turn."""
    import numpy as np  # noqa: PLC0415 -- the extra may not be installed

    from salus.agreements.research import scaling  # noqa: PLC0415 -- the same

    model = scaling.model_of(document)
    if model is None:
        raise Conflict("research.statistic", "this question is answered with noise, not run")
    spread = 1.0
    if isinstance(model, Linear):
        count = round(float(sums.information[0, 0]))
        if count <= len(terms):
            raise Conflict("research.no-fit", "there are no more persons than columns")
        spread = -2.0 * fit.likelihood / (count - len(terms))
    outcome = scaling.outcome_scale(document, model)
    coefficients, covariance = scaling.restored(fit, terms, outcome, spread)
    errors = np.sqrt(np.diag(covariance))
    kind = "hazard_ratio" if isinstance(model, Cox) else "odds_ratio"
    lines = []
    for term, value, error, row in zip(terms, coefficients, errors, covariance, strict=True):
        line = {
            "term": term.name,
            "estimate": float(value),
            "standard_error": float(error),
            "low": float(value - 1.959964 * error),
            "high": float(value + 1.959964 * error),
            "covariance": [float(one) for one in row],
        }
        lines.append(line if isinstance(model, Linear) else line | {kind: float(np.exp(value))})
    return lines
