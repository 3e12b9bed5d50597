"""The seven words, on rules of two messages: what is refused, what is written, what the log says."""

import hashlib
from typing import Annotated

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta

from salus.core.encoding import MalformedBytes, Message, Value, encode
from salus.core.errors import InvariantBroken, Reason, Rejected, numbered, reasons
from salus.core.kernel import Block, Chain, Committed, Kernel
from salus.core.log import Frontier
from salus.core.map import Root
from salus.core.proof.digest import digest
from salus.core.proof.leaf import MAX_RESULT, BlockLeaf, TransactionLeaf, decode
from salus.core.proof.merkle import leaf_hash, root
from salus.core.reasons import KernelReason
from salus.core.rules import Registry, Rule, RuleSet, UnsupportedRules
from salus.core.tables import Invariant, MemoryReader, Table, View
from salus.core.transaction import MAX_LIFE_MS, build_body, sign_as_author, sign_body

KEY, AUTHOR, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2, 3))
DOCUMENT = b"a network"
NETWORK = digest("salus/v1/network", DOCUMENT)


@numbered(250)
class KernelTestReason(Reason):
    STRANGER = 1
    REFUSED = 2


class Put(Message, frozen=True, tag="test.put"):
    key: bytes
    number: int


class Speak(Message, frozen=True, tag="test.speak"):
    size: int


class Old(Message, frozen=True, tag="test.old"):
    pass


class Row(Value, frozen=True):
    number: Annotated[int, Meta(le=1_000)]


ROWS = Table(1, "rows", Row, (Invariant("not 13", lambda _view, _key, _before, after: after.number != 13),))


def put(ctx, message):
    ctx.put(ROWS, message.key, Row(message.number))
    if message.number == 666:
        raise Rejected(KernelTestReason.REFUSED, number=message.number)
    return b"put"


def speak(ctx, message):
    ctx.insert(ROWS, ctx.author, Row(len(list(ctx.range(ROWS)))))
    return bytes(message.size)


def authorise(_state, member, key):
    if (member, key) != ("member-a", KEY.public_key().public_bytes_raw()):
        raise Rejected(KernelTestReason.STRANGER, member=member)


def found(ctx, document):
    if document != DOCUMENT:
        raise MalformedBytes("another document")
    ctx.put(ROWS, b"version", Row(1))


def version_at(state, _height):
    row = state.get(ROWS, b"version")
    return row.number


VERSION_1 = RuleSet(
    {Put: Rule(put, authored=False), Speak: Rule(speak, authored=True)}, (ROWS,), authorise, lambda _state: Row(5)
)
REGISTRY = Registry(Put | Speak | Old, {1: VERSION_1}, version_at, found)


class Twin:
    """A store in memory under one kernel."""

    def __init__(self):
        self.kernel = Kernel(REGISTRY)
        self.rows, self.nodes, self.ids, self.leaves = {}, {}, [], []
        self.chain = Chain(b"", 0, 1_000, Root(), Frontier())
        self.take(self.kernel.genesis(DOCUMENT, 1_000, self.committed()))

    def committed(self):
        return Committed(self.chain, MemoryReader(self.rows), self.nodes, self.ids.__contains__)

    def take(self, transition):
        self.rows.update(transition.rows)
        self.nodes.update(transition.nodes)
        self.leaves.extend(transition.leaves)
        self.ids.extend(transaction.id for transaction in transition.block.transactions)
        self.chain = transition.chain
        return transition

    def block(self, *transactions):
        block = Block(self.chain.height + 1, self.chain.time + 1_000, transactions)
        return self.take(self.kernel.transition(self.committed(), block))


def signed(message, *, author=None, by=KEY, nonce=0, member="member-a", network=NETWORK, expiry=60_000):
    body = build_body(
        message,
        network=network,
        submitter=member,
        submitter_key=by.public_key().public_bytes_raw(),
        expiry=expiry,
        nonce=nonce.to_bytes(16, "big"),
        author_key=author.public_key().public_bytes_raw() if author else b"",
    )
    return sign_body(body, by, author_signature=sign_as_author(body, author) if author else b"")


@pytest.fixture
def twin():
    return Twin()


def decoded(twin, message, **changes):
    return twin.kernel.decode(signed(message, **changes))


def test_the_genesis_is_the_first_block_of_the_log(twin):
    assert twin.chain.network == NETWORK
    assert (twin.chain.height, twin.chain.time, twin.chain.log.size) == (0, 1_000, 1)
    parameters = digest("salus/v1/parameters", encode(Row(5)))
    assert decode(twin.leaves[0]) == BlockLeaf(0, 1_000, twin.chain.state.digest, parameters)


def test_a_genesis_that_is_refused_founds_nothing(twin):
    with pytest.raises(MalformedBytes):
        twin.kernel.genesis(b"other", 0, twin.committed())


def test_a_block_writes_rows_and_one_leaf_a_transaction(twin):
    one, two = decoded(twin, Put(b"a", 1)), decoded(twin, Speak(3), author=AUTHOR)
    transition = twin.block(one, two)
    assert [(result.code, result.data) for result in transition.results] == [(0, b"put"), (0, bytes(3))]
    assert View(MemoryReader(twin.rows)).get(ROWS, b"a") == Row(1)
    first, second, last = (decode(leaf) for leaf in transition.leaves)
    assert first == TransactionLeaf(one.id, one.signatures_digest, 0, b"put")
    assert second == TransactionLeaf(two.id, two.signatures_digest, 0, bytes(3))
    assert (last.height, last.time, last.state_root) == (1, 2_000, twin.chain.state.digest)
    size = len(twin.leaves).to_bytes(8, "big")
    assert twin.chain.app_hash == digest("salus/v1/app", size, root([leaf_hash(leaf) for leaf in twin.leaves]))


def test_a_transaction_sees_what_those_before_it_in_the_block_wrote(twin):
    twin.block(decoded(twin, Put(b"a", 1)), decoded(twin, Speak(0), author=AUTHOR))
    assert View(MemoryReader(twin.rows)).get(ROWS, AUTHOR.public_key().public_bytes_raw()) == Row(2)


def test_a_block_without_transactions_changes_nothing_but_height_and_time(twin):
    before, leaves = twin.chain, list(twin.leaves)
    transition = twin.block()
    assert (transition.rows, transition.nodes, transition.leaves, transition.log_nodes) == ({}, (), (), {})
    assert (twin.chain.app_hash, twin.chain.state) == (before.app_hash, before.state)
    assert (twin.chain.height, twin.chain.time, twin.leaves) == (1, 2_000, leaves)


def test_a_refused_transaction_stands_in_the_log_and_wrote_nothing(twin):
    rows = dict(twin.rows)
    transition = twin.block(decoded(twin, Put(b"a", 666)))
    assert transition.results[0].code == KernelTestReason.REFUSED.code == 250_002
    assert decode(transition.leaves[0]).code == 250_002
    assert twin.rows == rows
    assert str(transition.results[0].refusal) == "REFUSED(250002): number=666"


@pytest.mark.parametrize(
    ("message", "changes", "reason"),
    [
        (Put(b"", 1), {"network": bytes(32)}, KernelReason.OTHER_NETWORK),
        (Old(), {}, KernelReason.MALFORMED),
        (Speak(1), {}, KernelReason.AUTHOR_EXPECTED),
        (Put(b"", 1), {"author": AUTHOR}, KernelReason.AUTHOR_UNEXPECTED),
        (Put(b"", 1), {"expiry": 2_000}, KernelReason.EXPIRED),
        (Put(b"", 1), {"expiry": 2_001 + MAX_LIFE_MS}, KernelReason.EXPIRES_TOO_LATE),
        (Put(b"", 1), {"by": STRANGER}, KernelTestReason.STRANGER),
        (Put(b"", 1), {"member": "member-b"}, KernelTestReason.STRANGER),
    ],
)
def test_the_door_and_the_block_refuse_alike(twin, message, changes, reason):
    transaction = decoded(twin, message, **changes)
    with pytest.raises(Rejected) as refusal:
        twin.kernel.admit(transaction, twin.committed(), 2_000)
    assert refusal.value.reason is reason
    assert twin.block(transaction).results[0].refusal.reason is reason


@pytest.mark.parametrize("expiry", [2_001, 2_000 + MAX_LIFE_MS])
def test_an_expiry_holds_up_to_its_limits(twin, expiry):
    transaction = decoded(twin, Put(b"a", 1), expiry=expiry)
    twin.kernel.admit(transaction, twin.committed(), 2_000)
    assert twin.block(transaction).results[0].code == 0


def test_a_transaction_counts_once(twin):
    transaction = decoded(twin, Put(b"a", 1))
    first, second = twin.block(transaction, transaction).results
    assert (first.code, second.refusal.reason) == (0, KernelReason.REPLAYED)
    assert twin.block(transaction).results[0].refusal.reason is KernelReason.REPLAYED
    with pytest.raises(Rejected) as refusal:
        twin.kernel.admit(transaction, twin.committed(), 2_000)
    assert refusal.value.reason is KernelReason.REPLAYED


def test_a_refused_transaction_cannot_come_again_either(twin):
    transaction = decoded(twin, Put(b"a", 666))
    assert twin.block(transaction, transaction).results[1].refusal.reason is KernelReason.REPLAYED


def test_signatures_hold_over_the_whole_body_or_not_at_all(twin):
    wire = signed(Speak(1), author=AUTHOR)
    twin.kernel.authenticate(twin.kernel.decode(wire))
    twin.kernel.authenticate(decoded(twin, Put(b"", 1)))
    good = twin.kernel.decode(wire).envelope
    for spoiled, of in (
        (wire.replace(good.submitter_signature, bytes(64)), "submitter"),
        (wire.replace(good.author_signature, good.submitter_signature), "author"),
    ):
        with pytest.raises(Rejected) as refusal:
            twin.kernel.authenticate(twin.kernel.decode(spoiled))
        assert refusal.value.reason is KernelReason.BAD_SIGNATURE
        assert refusal.value.facts == {"of": of}


def test_bytes_that_are_no_transaction_are_malformed(twin):
    with pytest.raises(Rejected) as refusal:
        twin.kernel.decode(b"\xc1")
    assert refusal.value.reason is KernelReason.MALFORMED


def test_a_broken_invariant_stops_the_block(twin):
    with pytest.raises(InvariantBroken, match="rows: not 13"):
        twin.block(decoded(twin, Put(b"a", 13)))


def test_a_row_beyond_its_limits_is_refused_and_the_ledger_goes_on(twin):
    before = dict(twin.rows)
    transition = twin.block(decoded(twin, Put(b"a", 1_001)), decoded(twin, Put(b"b", 1_000), nonce=1))
    assert [result.code for result in transition.results] == [KernelReason.ROW_LIMIT.code, 0]
    assert twin.rows.keys() - before.keys() == {ROWS.state_key(b"b")}
    assert View(twin.committed().rows).get(ROWS, b"b") == Row(1_000)


def test_result_data_has_a_limit(twin):
    twin.block(decoded(twin, Speak(MAX_RESULT), author=AUTHOR))
    with pytest.raises(InvariantBroken, match="result data of 1025 bytes"):
        twin.block(decoded(twin, Speak(MAX_RESULT + 1), author=STRANGER))


def test_a_row_that_was_to_be_new_is_a_bug(twin):
    twin.block(decoded(twin, Speak(0), author=AUTHOR))
    with pytest.raises(InvariantBroken, match="rows: a row was to be new"):
        twin.block(decoded(twin, Speak(0), author=AUTHOR, nonce=1))


@pytest.mark.parametrize(("height", "time"), [(0, 9_000), (2, 9_000), (1, 1_000)])
def test_a_block_follows_its_chain(twin, height, time):
    with pytest.raises(InvariantBroken, match="cannot follow"):
        twin.kernel.transition(twin.committed(), Block(height, time, ()))


def test_a_program_without_the_rules_stops_before_the_block(twin):
    twin.block(decoded(twin, Put(b"version", 2)))
    with pytest.raises(UnsupportedRules, match="height 2 needs rule version 2; here are \\[1\\]"):
        twin.block()
    with pytest.raises(UnsupportedRules):
        twin.kernel.admit(decoded(twin, Put(b"", 1)), twin.committed(), 2_000)


def test_two_tables_do_not_share_a_number():
    with pytest.raises(InvariantBroken, match="one number"):
        RuleSet({}, (ROWS, Table(1, "others", Row)), authorise, lambda _state: Row(5))


def test_reasons_are_numbered_once_and_known_by_their_code():
    assert reasons()[KernelReason.REPLAYED.code] is KernelReason.REPLAYED
    assert KernelReason.REPLAYED.code == KernelReason.REPLAYED.value

    class Again(Reason):
        ONE = 1

    with pytest.raises(ValueError, match="250 is taken"):
        numbered(250)(Again)
    assert str(Rejected(KernelReason.REPLAYED)) == "REPLAYED(8)"


def test_one_workload_gives_one_digest():
    digests = set()
    for _ in range(2):
        twin = Twin()
        twin.block(decoded(twin, Put(b"a", 1)), decoded(twin, Speak(2), author=AUTHOR))
        digests.add(hashlib.sha256(twin.chain.app_hash).hexdigest())
    assert len(digests) == 1


def test_the_door_asks_the_rules_of_the_next_block(twin):
    """A version that comes into force with the block after the next is not asked yet."""
    asked = []
    twin.kernel = Kernel(
        Registry(Put | Speak | Old, {1: VERSION_1}, lambda _, height: asked.append(height) or 1, found)
    )
    twin.block()
    asked.clear()
    twin.kernel.admit(decoded(twin, Put(b"", 1)), twin.committed(), 2_000)
    assert asked == [twin.chain.height + 1]
