"""The member's side of what a wallet says and asks of research: a choice, an objection, "where was I"."""

from typing import Final, TypeVar

from salus.agreements.grants import Presented
from salus.agreements.research import population
from salus.contracts.research import port
from salus.core.encoding import MalformedBytes, Value, decode
from salus.core.proof.statemap import MapProof
from salus.engines.errors import NotKept
from salus.node.errors import Malformed
from salus.node.member import MemberNode
from salus.node.research import choices, telling
from salus.node.research.wire import Held

V = TypeVar("V", bound=Value)
MAX_STUDIES: Final = 200  # in one answer: each carries a receipt and a proof of some kilobytes


class Choose(Value, frozen=True):
    """Action `research-choose`: a choice for this custodian, and the block that holds its grant."""

    shown: Presented
    height: int


class Object(Value, frozen=True):
    """Action `research-object`: be counted in nothing from now on, or no longer so."""

    objecting: bool


class Notices(Value, frozen=True):
    """Action `research-notices`: be told, or no longer, when a question begins that counts one's records."""

    wanted: bool


class Where(Value, frozen=True):
    """Action `research-where`: asks in which questions behind a number one was counted."""

    after: int


class Part(Value, frozen=True):
    """One question that this member began, as its ledger says, with the proof that a person was counted in it or not."""

    query: bytes
    data_set: bytes
    institution: str
    summary: str
    investigations: tuple[int, ...]
    """What the study is for: numbers of DUO's investigations."""
    way: str
    time: int
    """Block time of the begin, ms, as the member says; 0 where the block is no longer kept."""
    height: int
    """Block of the newest step here."""
    result: bytes
    """Digest of what was published, or empty."""
    begun: bytes
    """Id of the transaction that began it."""
    receipt: bytes
    """COSE receipt of that transaction, or empty while it is not cosigned."""
    siblings: tuple[bytes, ...]
    found: tuple[bytes, bytes] | None


class Parts(Value, frozen=True):
    """Questions in order of their ids."""

    parts: tuple[Part, ...]
    more: bool


class Done(Value, frozen=True):
    """It is done and durable."""


def choose(node: MemberNode, link: bytes, argument: bytes) -> Done:
    """Take a choice. Raises Forbidden, Malformed."""
    asked = _argument(argument, Choose)
    choices.take_choice(node, link, asked.shown, asked.height)
    return Done()


def object_(node: MemberNode, link: bytes, argument: bytes) -> Done:
    """Take an objection, or its end."""
    choices.object_(node, link, objecting=_argument(argument, Object).objecting)
    return Done()


def notices(node: MemberNode, link: bytes, argument: bytes) -> Done:
    """Take whether a person wants to be told of each study."""
    telling.want(node, link, wanted=_argument(argument, Notices).wanted)
    return Done()


def where(node: MemberNode, link: bytes, argument: bytes) -> Parts:
    """Tell in which questions the person was counted or not, each with its proof."""
    after = _argument(argument, Where).after
    kept = [(id_, decode(body, Held)) for id_, body in node.desk.research("part")]
    begun = [(id_, held) for id_, held in kept if held.begun]
    told = tuple(_part(node, link, id_[16:], held) for id_, held in begun[after : after + MAX_STUDIES])
    return Parts(told, len(begun) > after + MAX_STUDIES)


def _part(node: MemberNode, link: bytes, data_set: bytes, held: Held) -> Part:
    state, query = node.ledger.read(), held.question.query
    row, part = port.query(state, query), port.query_part(state, query, data_set)
    permit = None if row is None else port.permit(state, row.permit)
    proof = population.Population(dict(held.leaves)).prove(node.vault.link_mac(link, population.LABEL, query))
    return Part(
        query=query,
        data_set=data_set,
        institution="" if permit is None else permit.applicant,
        summary="" if permit is None else permit.summary,
        investigations=() if permit is None else permit.purpose.investigations,
        way="" if row is None else row.way.value,
        time=_time(node, held.begun),
        height=0 if part is None else part.height,
        result=b"" if row is None else row.result,
        begun=held.begun,
        receipt=_receipt(node, held.begun),
        siblings=proof.siblings,
        found=proof.found,
    )


def _time(node: MemberNode, tx_id: bytes) -> int:
    outcome = node.ledger.outcome(tx_id)
    height = None if outcome is None else outcome.height
    try:
        return 0 if height is None else next(node.ledger.blocks(height)).time
    except NotKept:
        return 0


def _receipt(node: MemberNode, tx_id: bytes) -> bytes:
    try:
        return node.prover.receipt(tx_id).encode()
    except NotKept:
        return b""


def proof_of(part: Part) -> MapProof:
    """Return a part's proof as `population.counted` checks it."""
    return MapProof(part.siblings, part.found)


def _argument(data: bytes, kind: type[V]) -> V:
    try:
        return decode(data, kind)
    except MalformedBytes as error:
        raise Malformed("patient.bytes", "the question does not decode", got=str(error)) from error
