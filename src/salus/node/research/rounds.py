"""The exact way between members: a custodian's side of secure aggregation, at its door.

The analyst's node relays. It asks each custodian to *join* an attempt, which answers with a seed sealed to every peer, and
then takes *turns*: each request carries all custodians' signed vectors of the turn before, each answer the own masked
vector of this one. A custodian takes Newton's step itself, answers at no other coefficients, and lets the gate judge what
the sums of this turn speak of before they leave. What it sent is stored first and is the same bytes when asked again.
"""

import threading
from typing import TYPE_CHECKING, Any, Final

from salus.agreements.research.errors import MalformedVector, NoFit, OffPath
from salus.contracts.research import port
from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof.digest import digest, framed, mac
from salus.node.errors import Conflict, Forbidden, Malformed
from salus.node.member import MemberNode
from salus.node.research import answering
from salus.node.research.permits import data_set_row, permit_row
from salus.node.research.wire import Held, held, query_row
from salus.vault.envelope import seal_envelope

if TYPE_CHECKING:
    from salus.node.research.running import Run

PATH: Final = "/exchange/research"
SEED: Final = "research-seed"
VECTOR_LABEL: Final = "salus/v1/research-vector"
FEW: Final = 3  # of two custodians each knows the other's figures from the sum
SEED_BYTES: Final = 32
MAX_RUNS: Final = 16  # frames in memory at a time


class Join(Value, frozen=True, tag="join"):
    """Join an attempt at a question."""

    query: bytes
    data_set: bytes
    attempt: int
    height: int
    """A block that the analyst has seen, with the attempt in it."""


class Joined(Value, frozen=True):
    """Who takes part as this custodian sees it, and seeds for the peers with a higher id, sealed to each."""

    peers: tuple[bytes, ...]
    seeds: tuple[tuple[bytes, bytes], ...]


class Signed(Value, frozen=True):
    """A masked vector of one turn, signed by its custodian."""

    data_set: bytes
    vector: bytes
    """Little-endian 64-bit words."""
    unmasked: bytes
    """Salted commitment to the vector without masks."""
    signature: bytes


class Turn(Value, frozen=True, tag="turn"):
    """Take a turn."""

    query: bytes
    data_set: bytes
    attempt: int
    turn: int
    beta: tuple[float, ...]
    seeds: tuple[tuple[bytes, bytes], ...]
    """(peer, envelope) from the peers with a lower id."""
    vectors: tuple[Signed, ...]
    """All custodians' vectors of the turn before; none in the first."""


class Taken(Value, frozen=True):
    """The own vector, or none where the path has come to its end and the answer is committed."""

    vector: tuple[Signed, ...]
    height: int
    """Block of the answer, 0 before."""


class Released(Value, frozen=True):
    """What sums have spoken of in the period: an orthonormal base of the columns, which every later gate adds its own to."""

    patients: tuple[str, ...]
    """Link ids, hexadecimal, a row each."""
    width: int
    columns: bytes
    """Little-endian doubles, row by row."""


class Seeds(Value, frozen=True):
    """An attempt's peers and own seeds as they were made."""

    peers: tuple[bytes, ...]
    made: tuple[tuple[bytes, bytes], ...]
    sealed: tuple[tuple[bytes, bytes], ...]


def signed_bytes(query: bytes, attempt: int, turn: int, one: Signed) -> bytes:
    """Return what a custodian signs of a vector."""
    place = bytes((attempt,)) + turn.to_bytes(4, "big")
    return framed(VECTOR_LABEL, (query, one.data_set, place, one.vector, one.unmasked))


def seed_context(query: bytes, attempt: int, pair: tuple[bytes, bytes]) -> bytes:
    """Return the object that a seed's envelope is bound to: query, attempt and pair."""
    return digest("salus/v1/research-pair", query, bytes((attempt,)), *pair)[:16]


def unmasked_commitment(salt: bytes, vector: bytes) -> bytes:
    """Return the commitment to a vector without masks."""
    return mac(salt, "salus/v1/research-unmasked", vector)


def answer_commitment(unmasked: list[bytes]) -> bytes:
    """Return what stands on the ledger as an exact answer: over the commitments of all turns of the attempt."""
    return digest("salus/v1/research-vectors", *unmasked)


class Rounds:
    """A node's side of all exact runs. Thread-safe; what a run needs is in the desk, so that it survives a restart."""

    def __init__(self, node: MemberNode) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._runs: dict[bytes, Run] = {}

    def answer(self, sender: str, body: bytes) -> Value:
        """Answer an analyst's node. Raises EdgeError."""
        answering.equipped()
        kinds: Any = Join | Turn
        try:
            asked = decode(body, kinds)
        except MalformedBytes as error:
            raise Malformed("research.bytes", "the question does not decode", got=str(error)) from error
        with self._lock:
            if isinstance(asked, Join):
                return self._join(sender, asked)
            return self._turn(sender, asked)

    def _checked(self, sender: str, asked: Join | Turn) -> tuple[port.Query, Held]:
        node = self._node
        row = query_row(node, asked.query)
        state = node.ledger.read()
        offer, part = data_set_row(state, asked.data_set), port.query_part(state, asked.query, asked.data_set)
        if permit_row(state, row.permit).applicant != sender or offer.custodian != node.member or part is None:
            raise Forbidden("research.analyst", "the question is another member's")
        kept = held(node, asked.query, asked.data_set)
        if row.way is not port.Way.EXACT or row.attempt != asked.attempt or not kept.begun:
            raise Conflict("research.attempt", "this attempt does not run here", expected=str(row.attempt))
        if part.status not in (port.PartStatus.BEGUN, port.PartStatus.ANSWERED):
            raise Conflict("research.status", "the question does not run here", got=part.status.name.lower())
        return row, kept

    def _join(self, sender: str, asked: Join) -> Joined:
        node = self._node
        node.wait_for(asked.height)
        row, kept = self._checked(sender, asked)
        id_ = asked.query + asked.data_set + bytes((asked.attempt,))
        found = node.desk.research("seeds", id_)
        if not found:
            state = node.ledger.read()
            peers = tuple(one for one in row.data_sets if _runs(port.query_part(state, asked.query, one)))
            # two data sets of one member are one custodian: it could subtract both of its own
            if len({data_set_row(state, one).custodian for one in peers}) < FEW and not kept.few:
                raise Forbidden(
                    "research.few",
                    "fewer than three custodians: the figures of one could be told",
                    todo="have each custodian allow it: `salus research answer --few`",
                )
            higher = [one for one in peers if one > asked.data_set]
            made = tuple((one, node.entropy(32)) for one in higher)
            sealed = tuple((peer, self._sealed(asked, peer, seed)) for peer, seed in made)
            node.desk.keep_research_once("seeds", id_, encode(Seeds(peers, made, sealed)))
        seeds = decode(node.desk.research("seeds", id_)[0][1], Seeds)
        return Joined(seeds.peers, seeds.sealed)

    def _sealed(self, asked: Join, peer: bytes, seed: bytes) -> bytes:
        node = self._node
        keys = node.keys_of(data_set_row(node.ledger.read(), peer).custodian)
        context = node.context(SEED, seed_context(asked.query, asked.attempt, (asked.data_set, peer)))
        return seal_envelope(seed, context, recipient=keys.receive_key, sign=node.signing_key)

    def _turn(self, sender: str, asked: Turn) -> Taken:
        row, kept = self._checked(sender, asked)
        id_ = asked.query + asked.data_set + bytes((asked.attempt,))
        sent = self._node.desk.research("sent", id_ + asked.turn.to_bytes(4, "big"))
        if sent:
            return decode(sent[0][1], Taken)
        from salus.node.research.running import Run  # noqa: PLC0415 -- the extra may not be installed

        for peer, envelope in asked.seeds:
            self._node.desk.keep_research_once("seed", id_ + peer, envelope)
        try:
            run = self._runs.get(id_) or Run(self._node, row, kept, asked)
            self._runs[id_] = run
            while len(self._runs) > MAX_RUNS:  # what was left behind is made again from the desk
                self._runs.pop(next(iter(self._runs)))
            taken = run.take(asked)
        except (OffPath, MalformedVector) as wrong:
            raise Forbidden("research.off-path", str(wrong), todo="relay every vector of the turn as it came") from None
        except NoFit as wrong:
            answering.fail(self._node, asked.data_set, kept, str(wrong))
            raise Conflict("research.no-fit", "the model has no estimate on these data") from None
        self._node.desk.keep_research_once("sent", id_ + asked.turn.to_bytes(4, "big"), encode(taken))
        if not taken.vector:
            self._runs.pop(id_, None)
        return taken


def _runs(part: port.QueryPart | None) -> bool:
    return part is not None and part.status is port.PartStatus.BEGUN


def vector_salt(node: MemberNode, attempt: bytes, turn: int) -> bytes:
    """Return the salt of a turn's unmasked vector, made anew from a secret of the node."""
    label = "salus/v1/research-vector-salt"
    return mac(node.secret(label), label, attempt, turn.to_bytes(4, "big"))
