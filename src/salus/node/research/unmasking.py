"""`research open-rounds`: an auditor has custodians open what they sent in the rounds of a published model.

A custodian signed each masked vector together with a salted commitment to the vector without masks, and its answer on the
ledger commits to those of all turns. To an auditor it opens vectors, salts and the seeds of its masks. Whoever opens
something else, sent a vector that is not the opened one under its masks, or sums that no data have, is named.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from salus.contracts.research import port
from salus.core.encoding import MalformedBytes, Value, decode
from salus.core.proof import ed25519
from salus.node.errors import Conflict, EdgeError, Malformed
from salus.node.member import MemberNode
from salus.node.research import evidence
from salus.node.research.answering import equipped
from salus.node.research.asking import document_of
from salus.node.research.auditing import require_auditor
from salus.node.research.bundle import Content
from salus.node.research.permits import data_set_row
from salus.node.research.relaying import Rounds
from salus.node.research.replaying import broken, decoded, opened
from salus.node.research.rounds import answer_commitment, signed_bytes, vector_salt
from salus.node.research.wire import commitment, query_row
from salus.node.usecase import OPERATOR, Message, Progress, Verdict, unheard, use_case

PATH: Final = "/exchange/research-rounds"


class Unmask(Value, frozen=True):
    """Open one turn of the last attempt at a question."""

    query: bytes
    data_set: bytes
    attempt: int
    turn: int
    height: int
    """A block that the auditor has seen, with the publication in it."""


class Unmasked(Value, frozen=True):
    """What a custodian opens of a turn."""

    vector: bytes
    """Without masks, little-endian 64-bit words."""
    salt: bytes
    seeds: tuple[tuple[bytes, bytes], ...]
    """(data set, seed) of the masks with every other."""


class OpenRounds(Message, frozen=True):
    """Which model."""

    bundle: Annotated[bytes, Meta(description="The bundle's file.", examples=[b"bundle"], extra={"positional": True})]
    output: Annotated[
        str, Meta(description="New file for the opened sums, NDJSON: each custodian's own.", examples=["sums.ndjson"])
    ] = ""


class RoundsOpened(Verdict, frozen=True):
    """Whether each custodian sent what it had committed to."""

    citation: Annotated[str, Meta(description="SHA-256 of the bundle's content.")]
    custodians: Annotated[tuple[str, ...], Meta(description="Who took part in the last attempt.")]
    turns: Annotated[int, Meta(description="Turns of it.")]
    vectors: Annotated[int, Meta(description="Vectors that were opened and hold.")]
    faults: Annotated[tuple[str, ...], Meta(description="What does not hold, by custodian and turn.")]


class Site(NamedTuple):
    """One custodian of the last attempt, as the auditor's replica has it."""

    data_set: bytes
    custodian: str


def answer(node: MemberNode, sender: str, body: bytes) -> Unmasked:
    """Open a turn to an auditor, once the result is published. Raises EdgeError."""
    equipped()
    try:
        asked = decode(body, Unmask)
    except MalformedBytes as error:
        raise Malformed("research.bytes", "the question does not decode", got=str(error)) from error
    node.wait_for(asked.height)
    row = query_row(node, asked.query)
    require_auditor(node, sender, data_set_row(node.ledger.read(), asked.data_set))
    id_ = asked.query + asked.data_set + bytes((asked.attempt % 256,))
    plain = node.desk.research("plain", id_ + asked.turn.to_bytes(4, "big")) if 0 <= asked.turn < 1 << 32 else []
    if not row.result or row.attempt != asked.attempt or not plain:
        raise Conflict(
            "research.unopened", "nothing is published of such a turn, or it is no longer here", todo="ask later"
        )
    from salus.node.research.running import seeds_of  # noqa: PLC0415 -- the extra may not be installed

    _, seeds = seeds_of(node, asked.query, asked.data_set, asked.attempt)
    return Unmasked(plain[0][1], vector_salt(node, id_, asked.turn), tuple(sorted(seeds.items())))


@use_case("research.open-rounds", who=OPERATOR)
def open_rounds(node: MemberNode, request: OpenRounds, *, progress: Progress = unheard) -> RoundsOpened:
    """Have custodians open what they sent in the rounds of a published model, and name whoever sent something else.

    For who co-signs the data sets' permits, and for regulators. It shows each custodian's own sums, which passed its gate.
    """
    equipped()
    target = Path(request.output)
    if request.output and target.exists():
        raise Conflict("research.file", "the file for the sums is there already", todo="name a new one")
    _, content, citation = opened(request.bundle)
    shown, sites = _published(node, content, citation)
    from salus.agreements.research import scaling  # noqa: PLC0415 -- the extra may not be installed
    from salus.node.research.judging import Judge  # noqa: PLC0415 -- the same

    document = document_of(content.question.document)
    model = scaling.model_of(document)
    if model is None:
        raise broken("the document is of no model")
    judge = Judge(content.question.query, shown, sites, len(scaling.terms(document, model)))
    height = node.ledger.head().height
    for place, site in enumerate(sites):
        for turn in range(len(shown.rounds)):
            question = Unmask(content.question.query, site.data_set, shown.attempt, turn, height)
            try:
                told = node.peers.ask(site.custodian, PATH, question, Unmasked)
            except EdgeError as why:
                judge.faults.append(f"{site.custodian} opens nothing: {why.code}")
                break
            judge.hear(place, turn, told)
            progress(place * len(shown.rounds) + turn + 1, len(sites) * len(shown.rounds), "vectors")
    judge.end()
    if request.output:
        target.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in judge.lines))
    return RoundsOpened(
        sound=not judge.faults,
        citation=citation.hex(),
        custodians=tuple(one.custodian for one in sites),
        turns=len(shown.rounds),
        vectors=judge.held,
        faults=tuple(judge.faults),
    )


def _published(node: MemberNode, content: Content, citation: bytes) -> tuple[Rounds, tuple[Site, ...]]:
    """Return the rounds of a bundle that the own replica knows as published, each vector signed and committed to.

    Raises NotFound, Conflict, Malformed: what a bundle gets wrong here is the analyst's doing, not a custodian's.
    """
    query = content.question.query
    row, state = query_row(node, query), node.ledger.read()
    if row.result != citation or commitment(content.question.salt, content.question.document) != row.commitment:
        raise broken("the ledger has no publication of this content")
    if row.way is not port.Way.EXACT:
        raise Conflict("research.statistic", "this question has no rounds", got=row.way.value)
    shown = decoded(content.rounds, Rounds)
    keys = dict(_answered(node, row, query))
    if not shown.rounds or {*shown.data_sets} != {*keys}:
        raise broken("the vectors are not those of the custodians that answered")
    for place, data_set in enumerate(shown.data_sets):
        own = [one.vectors[place] for one in shown.rounds if len(one.vectors) == len(shown.data_sets)]
        part = port.query_part(state, query, data_set)
        if part is None or part.answer != answer_commitment([one.unmasked for one in own]):
            raise broken("the vectors are not those that a custodian committed to")
        for turn, one in enumerate(own):
            told = signed_bytes(query, shown.attempt, turn, one)
            if one.data_set != data_set or not ed25519.verify(keys[data_set], told, one.signature):
                raise broken("a vector is not signed by its custodian")
    sites = tuple(Site(one, data_set_row(state, one).custodian) for one in shown.data_sets)
    return shown, sites


def _answered(node: MemberNode, row: port.Query, query: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (data set, key that signed the answer) of the last attempt."""
    for step in evidence.steps(node, row.height, node.ledger.head().height):
        read = evidence.message_of(step.body)
        if read is not None and isinstance(read[1], port.Answer) and read[1].query == query:
            yield read[1].data_set, read[0].submitter_key
