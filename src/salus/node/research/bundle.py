"""`research publish`: a result with all that a stranger needs to make it again, its digest on the ledger.

file      content | publication | SHA-256 of both       so that any changed byte is noticed at once
content   document and its salt, the steps as they stand on the ledger with their receipts, answers or masked vectors,
          the lines of the result; its SHA-256 is what the publication commits to, and how the result is cited
"""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from salus import __version__
from salus.contracts.research import port
from salus.core.encoding import Value, encode
from salus.node.errors import Conflict
from salus.node.member import MemberNode
from salus.node.patient.proof import MemberProof, prove_member
from salus.node.research import evidence
from salus.node.research.answering import QueryId
from salus.node.research.asking import answers_of, asked_of, result_of
from salus.node.research.permits import data_set_row
from salus.node.research.wire import SentAnswer, SentQuestion, query_row
from salus.node.usecase import OPERATOR, Message, use_case

FORMAT: Final = 1


class Item(Value, frozen=True):
    """One step on the ledger: the transaction's body and its COSE receipt."""

    body: bytes
    receipt: bytes


class Content(Value, frozen=True):
    """What is published."""

    format: int
    network: bytes
    program: str
    """Version of the program that made it."""
    question: SentQuestion
    applicant: MemberProof
    """The analyst's member row: its jurisdiction decides whether a regional policy fits."""
    items: tuple[Item, ...]
    """In the order of the log."""
    answers: tuple[SentAnswer, ...]
    """Noisy way."""
    rounds: bytes
    """Exact way: the signed, masked vectors of all turns of the last attempt."""
    lines: bytes
    """The result, JSON."""


class File(Value, frozen=True):
    """A bundle's file, before its digest."""

    content: bytes
    publication: Item


class PublishResult(Message, frozen=True):
    """Which result, and where its bundle goes."""

    query: QueryId
    file: Annotated[str, Meta(description="New file for the bundle.", examples=["gout.bundle"])]


class ResultPublished(Message, frozen=True):
    """The result's digest is on the ledger; whoever has the file and a trust file can replay it."""

    citation: Annotated[str, Meta(description="SHA-256 of the content: how the result is cited.")]
    bytes: Annotated[int, Meta(description="Size of the file.")]


@use_case("research.publish", who=OPERATOR)
def publish_result(node: MemberNode, request: PublishResult) -> ResultPublished:
    """Publish a result: write its bundle to a file and its digest to the ledger. Every part has ended by then."""
    query, target = bytes.fromhex(request.query), Path(request.file)
    if target.exists():
        raise Conflict("research.file", "the file for the bundle is there already", todo="name a new one")
    row = query_row(node, query)
    if row.way is port.Way.EXTRACT:
        raise Conflict("research.rows", "an extract is a lease and is not published", todo="publish figures from it")
    if not result_of(node, query).complete:
        raise Conflict(
            "research.incomplete", "a part has not ended, or an answer is not here", todo="see `salus research result`"
        )
    content = node.desk.keep_research_once("bundle", query, encode(_content(node, query, row)))
    citation = hashlib.sha256(content).digest()
    if not row.result:
        node.submitter.submit(port.Publish(query, citation))
    elif row.result != citation:
        raise Conflict("research.published", "another result was published", got=row.result.hex())
    head = node.ledger.head().height
    publication = next(
        step for step in evidence.steps(node, row.height, head) if step.message == port.Publish(query, citation)
    )
    whole = encode(File(content, _item(node, publication)))
    target.write_bytes(whole + hashlib.sha256(whole).digest())
    return ResultPublished(citation=citation.hex(), bytes=len(whole) + 32)


def _item(node: MemberNode, step: evidence.Step) -> Item:
    return Item(step.body, node.prover.receipt(step.tx_id).encode())


def _content(node: MemberNode, query: bytes, row: port.Query) -> Content:
    state, asked = node.ledger.read(), asked_of(node, query)
    first = min(data_set_row(state, one).height for one in row.data_sets)
    items = [
        _item(node, step)
        for step in evidence.steps(node, first, node.ledger.head().height)
        if _belongs(step.message, query, row)
    ]
    return Content(
        format=FORMAT,
        network=node.network,
        program=__version__,
        question=asked.question,
        applicant=prove_member(node, node.member),
        items=tuple(items),
        answers=tuple(answers_of(node, query)),
        rounds=asked.rounds,
        lines=msgspec.json.encode(result_of(node, query).lines),
    )


def _belongs(message: Any, query: bytes, row: port.Query) -> bool:
    """Tell whether a step belongs to a question: its offers, its permit there, and what became of it."""
    match message:
        case port.Offer():
            return message.data_set in row.data_sets
        case port.Apply():
            return message.permit == row.permit
        case port.Sign() | port.Refuse():
            return message.permit == row.permit and message.data_set in row.data_sets
        case port.Publish():
            return False
        case _:
            return bool(message.query == query)
