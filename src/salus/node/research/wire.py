"""What members send each other of research, what each keeps of it, and how a delivery is taken against the ledger.

question   analyst → custodian    the document and the salt that open the commitment on the ledger
answer     custodian → analyst    figures with noise and the salt that open the commitment on the ledger
extract    custodian → analyst    persons' rows under the commitment on the ledger, or the word that a person withdrew
"""

from collections.abc import Mapping
from typing import Final, TypeVar

from salus.agreements.grants import Presented
from salus.agreements.research import noisy
from salus.agreements.research.document import Extract, Query, QueryRefused, read
from salus.agreements.research.extract import Chunk
from salus.contracts.research import port
from salus.core.encoding import Value, decode, encode
from salus.core.proof.digest import digest, mac
from salus.node.errors import Conflict, Forbidden, Malformed, NotFound
from salus.node.exchange.delivery import Taker
from salus.node.exchange.documents import open_document
from salus.node.member import MemberNode

UNOPENED: Final = "research.envelope"
QUESTION: Final = "research-question"
ANSWER: Final = "research-answer"
EXTRACT: Final = "research-extract"
CHUNK: Final = "extract"
"""Where persons of an extract lie on the desk."""
V = TypeVar("V", bound=Value)


class SentQuestion(Value, frozen=True):
    """A question on its way to a custodian, and what either side keeps of it."""

    query: bytes
    salt: bytes
    height: int
    """Height of the block that registered it."""
    document: bytes


class Asked(Value, frozen=True):
    """What an analyst keeps of a question."""

    question: SentQuestion
    lines: bytes = b""
    """Exact way: the lines of the result, JSON, once there is one."""
    rounds: bytes = b""
    """Exact way: what a bundle shows of the rounds."""


class SentAnswer(Value, frozen=True):
    """A noisy answer on its way to the analyst."""

    query: bytes
    data_set: bytes
    height: int
    values: tuple[int, ...]
    salt: bytes


class SentExtract(Value, frozen=True):
    """Persons in an extract on their way to the institution; more of them, or their withdrawal, may follow."""

    query: bytes
    data_set: bytes
    height: int
    digests: tuple[bytes, ...]
    """Of all persons in the extract: they open the commitment."""
    chunks: tuple[Chunk, ...]


class Choice(Value, frozen=True):
    """A patient's choice as a custodian keeps it: what the wallet showed, and the link key that signed it."""

    shown: Presented
    link_key: bytes


class Counted(Value, frozen=True):
    """One person counted: the link, and the grant that is the choice (32 zero bytes: nobody objected)."""

    link: bytes
    choice: bytes


class Held(Value, frozen=True):
    """What a custodian keeps of a question at one of its data sets."""

    question: SentQuestion
    analyst: str
    few: bool = False
    """The steward allows a run of fewer than three custodians, in which figures of one can be told."""
    counted: tuple[Counted, ...] = ()
    salt: bytes = b""
    """Of the population's leaves."""
    leaves: tuple[tuple[bytes, bytes], ...] = ()
    """The map of those counted, as (path, value) in their order: a link that is erased later can no longer give its path."""
    until: int = 0
    """The newest record that was read."""
    exact: tuple[int, ...] = ()
    """Noisy way: the figures before noise, so that what is drawn is of these."""
    chunks: tuple[bytes, ...] = ()
    """Extract: digests of the rows of those counted, in their order."""
    sent: bool = False
    """Extract: it was sent."""
    gone: tuple[bytes, ...] = ()
    """Extract: links of those whose rows did not leave, or were taken back."""
    begun: bytes = b""
    """Transaction of the begin."""
    reason: str = ""
    """Why it was withheld or failed: for the output checker alone."""


def commitment(salt: bytes, document: bytes) -> bytes:
    """Return the commitment to a query document under a random 32-byte salt."""
    return mac(salt, "salus/v1/research-question", document)


def answer_commitment(values: tuple[int, ...], salt: bytes) -> bytes:
    """Return what stands on the ledger before a noisy answer leaves."""
    return digest("salus/v1/research-answer", salt, encode(values))


def query_row(node: MemberNode, query: bytes) -> port.Query:
    """Return a question as the own replica has it. Raises NotFound."""
    row = port.query(node.ledger.read(), query)
    if row is None:
        raise NotFound("research.no-query", "the ledger has no such question", got=query.hex())
    return row


def checked(document: bytes, row: port.Query) -> Query:
    """Return the query of a document that is what the ledger's row says in clear. Raises Malformed, Conflict."""
    try:
        query = read(document)
    except QueryRefused as wrong:
        raise Malformed("research.query", str(wrong), todo="`salus research check` tries it on the sample") from None
    told = (way_of(query).value, sensitivity_of(query))
    if told != (row.way.value, row.sensitivity):
        raise Conflict(
            "research.noise",
            "way or sensitivity on the ledger are not those of the document",
            expected=f"{told[0]} {told[1]}",
            got=f"{row.way.value} {row.sensitivity}",
        )
    return query


def way_of(query: Query) -> port.Way:
    """Return how the answer of a document leaves."""
    if isinstance(query.statistic, Extract):
        return port.Way.EXTRACT
    return port.Way.NOISY if noisy.is_noisy(query) else port.Way.EXACT


def sensitivity_of(query: Query) -> int:
    """Return Δ² of a document's answer, 0 where it is not charged."""
    return noisy.sensitivity(query) if noisy.is_noisy(query) else 0


def take_question(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Take a question that opens its commitment, from the member that registered it. Raises EdgeError."""
    sent = open_document(node, sender, QUESTION, envelope, SentQuestion, code=UNOPENED)
    node.wait_for(sent.height)
    row = query_row(node, sent.query)
    state = node.ledger.read()
    permit = port.permit(state, row.permit)
    if permit is None or permit.applicant != sender:
        raise Forbidden("research.analyst", "the question is another member's")
    if commitment(sent.salt, sent.document) != row.commitment:
        raise Conflict("research.commitment", "the document is not the one that was registered")
    checked(sent.document, row)
    for data_set in own_sets(node, row):
        node.desk.keep_research_once("part", sent.query + data_set, encode(Held(sent, sender)))


def own_sets(node: MemberNode, row: port.Query) -> list[bytes]:
    """Return the data sets of this member that a question asks. Raises Forbidden if there is none."""
    state = node.ledger.read()
    found = []
    for id_ in row.data_sets:
        offer = port.data_set(state, id_)
        if offer is not None and offer.custodian == node.member:
            found.append(id_)
    if not found:
        raise Forbidden("research.custodian", "the question asks no data set of this member")
    return found


def take_answer(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Take an answer that opens its commitment, from the custodian of the data set. Raises EdgeError."""
    sent = open_document(node, sender, ANSWER, envelope, SentAnswer, code=UNOPENED)
    part = part_from(node, sender, sent)
    asked = node.desk.research("asked", sent.query)
    if not asked:
        raise NotFound("research.not-asked", "this member has not asked", got=sent.query.hex())
    if part.answer != answer_commitment(sent.values, sent.salt):
        raise Conflict("research.commitment", "the answer is not the one that was committed")
    check_figures(read(decode(asked[0][1], Asked).question.document), sent)
    node.desk.keep_research("answer", sent.query + sent.data_set, encode(sent))


def part_from(node: MemberNode, sender: str, sent: SentAnswer | SentExtract) -> port.QueryPart:
    """Return the part that an answer is of, which must be of a data set of the sender's. Raises Unavailable, Forbidden."""
    node.wait_for(sent.height)
    state = node.ledger.read()
    offer, part = port.data_set(state, sent.data_set), port.query_part(state, sent.query, sent.data_set)
    if offer is None or part is None or offer.custodian != sender:
        raise Forbidden("research.custodian", "the answer is of another custodian's data set")
    return part


def check_figures(document: Query, answer: SentAnswer) -> None:
    """Check that an answer has as many figures as its question: kept, it would hide all others. Raises Conflict."""
    expected = noisy.figures_of(document) if noisy.is_noisy(document) else 0
    if not answer.values or len(answer.values) != expected:
        told = {"expected": str(expected), "got": str(len(answer.values))}
        raise Conflict("research.figures", "the answer has another number of figures than the document", **told)


def held(node: MemberNode, query: bytes, data_set: bytes) -> Held:
    """Return what this custodian keeps of a question. Raises NotFound."""
    found = node.desk.research("part", query + data_set)
    if not found:
        raise NotFound("research.not-here", "the document of this question has not come", got=query.hex())
    return decode(found[0][1], Held)


def keep(node: MemberNode, data_set: bytes, kept: Held) -> Held:
    """Keep it, durably."""
    node.desk.keep_research("part", kept.question.query + data_set, encode(kept))
    return kept


def chunks(node: MemberNode, query: bytes, data_set: bytes = b"") -> list[Chunk]:
    """Return what is here of an extract, in the order of data sets and persons."""
    return [decode(body, Chunk) for _, body in node.desk.research(CHUNK, query + data_set)]


TAKERS: Final[Mapping[str, Taker]] = {QUESTION: take_question, ANSWER: take_answer}
"""What is taken of questions and figures, by kind of delivery."""
