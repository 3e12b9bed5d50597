"""One attempt of an exact question at one data set: vectors heard and given, judged by the gate. Needs the extra `research`."""

import numpy as np
from msgspec import structs

from salus.agreements.research import gate
from salus.agreements.research.errors import MalformedVector, OffPath
from salus.agreements.research.masks import Ring
from salus.agreements.research.rounds import Site
from salus.contracts.research import port
from salus.core.encoding import decode, encode
from salus.core.proof import ed25519
from salus.node.errors import Conflict, Forbidden, Malformed
from salus.node.member import MemberNode
from salus.node.research import answering
from salus.node.research.modelling import local
from salus.node.research.permits import data_set_row
from salus.node.research.rounds import (
    SEED,
    SEED_BYTES,
    Released,
    Seeds,
    Signed,
    Taken,
    Turn,
    answer_commitment,
    seed_context,
    signed_bytes,
    unmasked_commitment,
    vector_salt,
)
from salus.node.research.wire import Held, checked
from salus.vault.envelope import open_envelope
from salus.vault.errors import EnvelopeRefused


class Run:
    """One attempt at one data set."""

    def __init__(self, node: MemberNode, row: port.Query, kept: Held, asked: Turn) -> None:
        self._node, self._row, self._kept = node, row, kept
        self._data_set, self._attempt = asked.data_set, asked.attempt
        self._id = asked.query + asked.data_set + bytes((asked.attempt,))
        self._peers, known = seeds_of(node, asked.query, asked.data_set, asked.attempt)
        persons = answering.persons_of(node, kept)
        if {one.counted for one in persons} != {*kept.counted}:
            answering.fail(node, self._data_set, kept, "people have left since the begin")
            raise Conflict("research.left", "the question cannot go on here")
        own = answering.frame_of(node, checked(kept.question.document, row), kept, persons)
        self._local = local(own)
        self._site = Site(
            self._data_set.hex(),
            self._local.contribution,
            self._local.width,
            {peer.hex(): seed for peer, seed in known.items()},
            query=asked.query,
            attempt=asked.attempt,
        )
        self._replay()

    def _replay(self) -> None:
        """Go on where a process stopped: the vectors that were heard lead to the turn that comes next."""
        heard = [decode(body, Taken).vector for _, body in self._node.desk.research("heard", self._id)]
        for vectors in heard:
            self._site.answer(self._site.turn, self._site.beta)
            self._site.take(_words(vectors))

    def take(self, asked: Turn) -> Taken:
        """Hear the turn before, then give the own vector of this one. Raises OffPath, MalformedVector, NoFit, EdgeError."""
        site = self._site
        if asked.turn == site.turn + 1:
            self._hear(asked)
        if site.fit is not None:
            return self._end(asked.turn)
        if asked.turn != site.turn:
            raise OffPath(f"turn {asked.turn} is not the next")
        self._judge(asked)
        beta = np.array(asked.beta, dtype=np.float64)
        vector = site.answer(asked.turn, beta).astype("<u8").tobytes()
        plain = b"" if site.unmasked is None else site.unmasked.astype("<u8").tobytes()
        unmasked = unmasked_commitment(vector_salt(self._node, self._id, asked.turn), plain)
        self._node.desk.keep_research("plain", self._id + asked.turn.to_bytes(4, "big"), plain)
        one = Signed(self._data_set, vector, unmasked, b"")
        signature = self._node.signing_key.sign(signed_bytes(asked.query, self._attempt, asked.turn, one))
        return Taken((structs.replace(one, signature=signature),), 0)

    def _hear(self, asked: Turn) -> None:
        """Take the vectors of the turn before: all peers', each signed by its custodian, the own one unaltered."""
        node, state, turn = self._node, self._node.ledger.read(), asked.turn - 1
        if [one.data_set for one in asked.vectors] != list(self._peers):
            raise OffPath("the vectors are not those of the custodians of this attempt")
        for one in asked.vectors:
            custodian = data_set_row(state, one.data_set).custodian
            key = node.keys_of(custodian).signing_key
            if not ed25519.verify(key, signed_bytes(asked.query, self._attempt, turn, one), one.signature):
                raise OffPath("a vector is not signed by its custodian")
        site = self._site
        site.answer(turn, site.beta)
        site.take(_words(asked.vectors))
        node.desk.keep_research("heard", self._id + turn.to_bytes(4, "big"), encode(Taken(asked.vectors, 0)))

    def _judge(self, asked: Turn) -> None:
        """Let the gate judge what this turn's sums speak of, with all that left in the period before. Raises Forbidden."""
        columns, fewest = self._local.speaks_of(self._site.beta, asked.turn)
        node, smallest = self._node, data_set_row(self._node.ledger.read(), self._data_set).smallest
        period = self._row.period.to_bytes(8, "big")
        kept = node.desk.research("released", period)
        before = decode(kept[0][1], Released) if kept else Released((), 0, b"")
        patients = (*before.patients, *sorted({*self._local.patients} - {*before.patients}))
        places = {one: place for place, one in enumerate(patients)}
        base = np.zeros((len(patients), before.width))  # who was not counted then stands in earlier columns with zeros
        base[: len(before.patients)] = np.frombuffer(before.columns, dtype="<f8").reshape(-1, before.width or 1)[
            :, : before.width
        ]
        new = np.zeros((len(patients), columns.shape[1]))
        new[[places[patient] for patient in self._local.patients]] = columns
        base = gate.extended(base, new)
        verdict = gate.judge(base, smallest)
        if not verdict.passes or fewest < smallest:
            reason = (
                f"leverage {verdict.largest:.3f} where 1/{smallest} is the most, {fewest} at risk, turn {asked.turn}"
            )
            answering.withhold(node, self._data_set, self._kept, reason)
            raise Forbidden("research.withheld", "the custodian withholds", todo="ask its output checker")
        told = Released(patients, base.shape[1], base.astype("<f8").tobytes())
        node.desk.keep_research("released", period, encode(told))

    def _end(self, turn: int) -> Taken:
        """Commit to what was sent in all turns, and say in which block."""
        node, query = self._node, self._kept.question.query
        part = port.query_part(node.ledger.read(), query, self._data_set)
        if part is not None and part.status is port.PartStatus.ANSWERED:
            return Taken((), part.height)
        sent = [decode(body, Taken).vector[0] for _, body in node.desk.research("sent", self._id)]
        committed = answer_commitment([one.unmasked for one in sent[:turn]])
        outcome = node.submitter.submit(port.Answer(query, self._data_set, committed))
        return Taken((), outcome.height or 0)


def seeds_of(
    node: MemberNode, query: bytes, data_set: bytes, attempt: int
) -> tuple[tuple[bytes, ...], dict[bytes, bytes]]:
    """Return the data sets of an attempt, and the seed that this one shares with each other. Raises Conflict, Malformed."""
    id_ = query + data_set + bytes((attempt,))
    found = node.desk.research("seeds", id_)
    if not found:
        raise Conflict("research.attempt", "this custodian has not joined the attempt")
    seeds = decode(found[0][1], Seeds)
    known = dict(seeds.made)
    for peer in seeds.peers:
        if peer < data_set:
            sealed = node.desk.research("seed", id_ + peer)
            context = seed_context(query, attempt, (peer, data_set))
            known[peer] = _opened(node, peer, context, sealed[0][1] if sealed else b"")
    return seeds.peers, known


def _opened(node: MemberNode, peer: bytes, about: bytes, envelope: bytes) -> bytes:
    """Return the seed that a peer with a lower id sealed to this custodian. Raises Malformed."""
    custodian = data_set_row(node.ledger.read(), peer).custodian
    sender_key = node.keys_of(custodian).signing_key
    context = node.context(SEED, about, custodian)
    try:
        seed = open_envelope(envelope, context, key=node.receive_key, sender_key=sender_key)
    except EnvelopeRefused as error:
        raise Malformed("research.seed", "a seed does not open", got=str(error)) from error
    if len(seed) != SEED_BYTES:
        raise Malformed("research.seed", "a seed has 32 bytes")
    return seed


def _words(vectors: tuple[Signed, ...]) -> dict[str, Ring]:
    try:
        return {one.data_set.hex(): np.frombuffer(one.vector, dtype="<u8").astype(np.uint64) for one in vectors}
    except ValueError:
        raise MalformedVector("a vector is no row of 64-bit words") from None
