"""Whatever a message says, in whatever state a ledger can be in, it ends as applied or as a named refusal.

Anything else that came out of a handler would stop every node of a network at once: the block is decided, and none can
execute it. So each contract is walked at random with the messages of its vectors, every field at its ends; and each
vector is run again with every counter of every row at its ends.
"""

import random

import msgspec
import pytest
from msgspec import inspect, structs

from salus.contracts.registry import REGISTRY, VERSION_1
from salus.core.encoding import MalformedBytes, decode, encode
from salus.core.errors import InvariantBroken
from salus.core.kernel import Block, Committed
from salus.core.rules import UnsupportedRules
from salus.core.tables import MemoryReader
from salus.core.transaction import decode_transaction
from tests.vectors_run import cases, prepared, read

from .leaves import extremes, leaves, replaced
from .test_vectors import KernelMachine, name_of

TABLES = {table.number: table for contract in VERSION_1 for table in contract.tables}
MEMBERS, KEYS = VERSION_1[0].tables[:2]
IMPOSSIBLE = (InvariantBroken, UnsupportedRules)
"""How a row ends that no ledger can hold, once another row or the program contradicts it: the node stops."""


def execute(ledger, rows, transaction, time):
    """Execute a block of one transaction on `rows` in place of the ledger's own. What it writes can be read again."""
    state = Committed(ledger.chain, MemoryReader(rows), ledger.nodes, lambda _: False)
    transition = ledger.kernel.transition(state, Block(ledger.chain.height + 1, time, (transaction,)))
    for key, value in transition.rows.items():
        decode(value, TABLES[int.from_bytes(key[:2], "big")].row)
    (result,) = transition.results
    assert (result.refusal is None) is (result.code == 0)
    assert result.code == 0 or not transition.rows
    return transition


def ends_of(key, value):
    """Yield a row with each of its numbers at either end."""
    kind = TABLES[int.from_bytes(key[:2], "big")].row
    row = decode(value, kind)
    for path, leaf, number in leaves(row, inspect.type_info(kind)):
        if isinstance(leaf, inspect.IntType):
            assert leaf.ge is not None, (kind, path)
            assert leaf.le is not None, (kind, path)
            for end in {leaf.ge, leaf.le} - {number}:
                yield encode(replaced(row, path, end))


@pytest.mark.parametrize("path", [path for path in cases() if "post" in read(path)], ids=name_of)
def test_a_counter_at_its_end_is_refused(path):
    vector = read(path)
    ledger = prepared(vector, KernelMachine).ledger
    transaction = decode_transaction(bytes.fromhex(vector["transaction"]), REGISTRY.messages)
    own = {table.number for each in VERSION_1 if each.name == path.parent.parent.name for table in each.tables}
    for key, value in ledger.rows.items():
        if int.from_bytes(key[:2], "big") in own:
            for changed in ends_of(key, value):
                try:
                    execute(ledger, {**ledger.rows, key: changed}, transaction, vector["time"])
                except IMPOSSIBLE:
                    continue


def scenes(contract):
    """Return what the vectors of a contract know: ledgers as they stand before a message, and all messages."""
    ledgers, transactions = [], []
    for path in cases():
        if path.parent.parent.name == contract:
            vector = read(path)
            ledgers.append(prepared(vector, KernelMachine).ledger)
            transactions.append(decode_transaction(bytes.fromhex(vector["transaction"]), REGISTRY.messages))
    return ledgers, transactions


class Walk:
    """A walk through the states of one contract from a state that one of its vectors begins in."""

    def __init__(self, contract, seed):
        self.choose = random.Random(seed)
        ledgers, self.transactions = scenes(contract)
        self.ledger = self.choose.choice(ledgers)
        table = MEMBERS.number.to_bytes(2, "big")
        self.members = sorted(key[2:].decode() for key in self.ledger.rows if key[:2] == table)
        self.authors = sorted({each.body.author_key for each in self.transactions} - {b""})
        self.values = {}
        for each in self.transactions:
            for _, kind, value in leaves(each.message, inspect.type_info(type(each.message))):
                if isinstance(kind, inspect.BytesType):
                    self.values.setdefault(len(value), []).append(value)

    def step(self):
        """Take one step; return the kernel's result, or None for what is no transaction."""
        taken = self.choose.choice(self.transactions)
        message = taken.message
        for _ in range(self.choose.choice((0, 0, 1, 1, 2, 3))):
            message = self.changed(message)
        body = taken.body
        author = self.choose.choice([body.author_key, *self.authors]) if body.author_key else b""
        fields = {
            "network": self.ledger.chain.network,
            "submitter": self.choose.choice([body.submitter, *self.members]),
            "author_key": author,
            "expiry": self.ledger.time + 60_000,
            "nonce": self.choose.randbytes(16),
            "message": msgspec.Raw(encode(message)),
        }
        fields["submitter_key"] = self.key_of(fields["submitter"])
        try:
            wire = encode(structs.replace(taken.envelope, body=encode(structs.replace(body, **fields))))
            transaction = decode_transaction(wire, REGISTRY.messages)
        except (MalformedBytes, OverflowError):
            return None
        later = self.choose.choice((1_000, 1_000, 1_000, 86_400_000, 10 * 86_400_000))
        transition = execute(self.ledger, self.ledger.rows, transaction, self.ledger.time + later)
        self.ledger.take(transition)
        return transition.results[0]

    def changed(self, message):
        found = list(leaves(message, inspect.type_info(type(message))))
        path, kind, value = self.choose.choice(found[1:] or found)
        pool = extremes(kind, value, self.members)
        if isinstance(kind, inspect.BytesType) and self.choose.random() < 0.8:
            pool = self.values[len(value)] + [key[2:] for key in self.ledger.rows if len(key) == len(value) + 2]
        return replaced(message, path, self.choose.choice(pool)) if pool else message

    def key_of(self, member):
        keys = [key for name, key in self.current if name == member]
        return keys[0] if keys else bytes(32)

    @property
    def current(self):
        """(member, signing key in force) of everyone on the ledger."""
        view = self.ledger.state
        for key, row in view.range(MEMBERS):
            yield key.decode(), view.get(KEYS, key + b"/" + row.serial.to_bytes(4, "big")).signing_key


@pytest.mark.parametrize("contract", [contract.name for contract in VERSION_1])
def test_a_message_ends_as_applied_or_refused(contract):
    applied = 0
    for seed in range(3):
        walk = Walk(contract, seed)
        results = [walk.step() for _ in range(150)]
        applied += sum(result is not None and result.code == 0 for result in results)
    assert applied  # else the walk has walked nowhere
