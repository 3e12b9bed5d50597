"""The application behind CometBFT: the same bytes as the embedded engine, and the rules of time."""

import itertools

import pytest

from salus.contracts.registry import REGISTRY
from salus.core.errors import InvariantBroken
from salus.core.kernel import MAX_BLOCK_TRANSACTIONS, Block, Kernel
from salus.core.reasons import KernelReason
from salus.core.transaction import MAX_LIFE_MS
from salus.engines.cometbft.application import STALE_MS, TX_OVERHEAD, Application
from salus.engines.cometbft.schema import MESSAGES, Request
from salus.engines.embedded import found
from salus.engines.errors import OtherLedger
from salus.engines.keyvalues import Part
from salus.engines.replay import replay
from salus.engines.store import lmdb_store, memory_store
from tests.contracts.workload import record
from tests.engines import small
from tests.engines.cometbft.consensus import AbciMachine, Consensus, nobody, timestamp
from tests.vectors_run import VECTORS, cases, prepared, read, run

MINUTE = 60_000
UNDECIDED = {KernelReason.MALFORMED.code, KernelReason.BAD_SIGNATURE.code}  # a block with one of these is never decided


class House:
    """One application on the small rules, founded. Its clock is `now`."""

    def __init__(self, store=None, initial_height=1):
        self.store = store or memory_store()
        self.now = small.START
        self.kernel = Kernel(small.REGISTRY)
        self.committed, self.faults = [], []
        self.application = Application(
            self.kernel,
            self.store,
            nobody,
            clock=lambda: self.now,
            version="test",
            initial_height=initial_height,
            on_commit=self.committed.append,
            on_fault=lambda fault, address: self.faults.append((fault.value, address)),
        )
        self.consensus = Consensus(self.application, self.store)
        self.numbers = itertools.count(1)

    def sign(self, text=b"x", life=MINUTE, at=None, **how):
        number = next(self.numbers)
        return small.sign(
            self.store.chain().network,
            small.Note(b"%d" % number, text),
            time=self.now if at is None else at,
            life=life,
            nonce=number.to_bytes(16, "big"),
            **how,
        )


@pytest.fixture
def house():
    house = House()
    house.consensus.init_chain(small.document("alpha", "beta"), small.START)
    yield house
    house.application.close()


# The same bytes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", list(cases()), ids=lambda path: path.relative_to(VECTORS).with_suffix("").as_posix())
def test_a_vector_holds_behind_cometbft(path):
    vector = read(path)
    machines = []

    def start(document, time):
        machines.append(AbciMachine(document, time))
        return machines[-1]

    try:
        if vector.get("reason", {"code": 0})["code"] not in UNDECIDED:
            run(vector, start)
            return
        machine, wire = prepared(vector, start), bytes.fromhex(vector["transaction"])
        assert machine.consensus.check(wire) == vector["reason"]["code"]
        assert machine.consensus.prepare(vector["time"], [wire]) == []
        assert not machine.consensus.process(vector["time"], [wire])
    finally:
        machines[-1].application.close()


def contents(store):
    return {part: list(store.entries(part)) for part in Part}


def test_one_workload_gives_the_same_bytes_on_both_engines(tmp_path):
    """Boundaries, heights and times given: every part of both stores is the same, byte for byte."""
    document, blocks = record(600, 50)
    kernel = Kernel(REGISTRY)
    embedded = lmdb_store(tmp_path / "embedded")
    founding = blocks[0][0] - 1000
    found(embedded, kernel, document, founding)
    machine = AbciMachine(document, founding, lmdb_store(tmp_path / "cometbft"))
    for height, (time, wires) in enumerate(blocks, 1):
        transactions = tuple(kernel.decode(wire) for wire in wires)
        with embedded.committed() as before:
            transition = kernel.transition(before, Block(height, time, transactions))
        embedded.commit(transition)
        # As on a network: proposed and accepted first, in an order that is not the block's.
        assert machine.consensus.process(time, wires)
        results = machine.block(time, wires)
        assert results == [(result.code, result.data) for result in transition.results]
        assert machine.app_hash == embedded.head().app_hash
    assert contents(embedded) == contents(machine.store)
    assert replay(machine.store, kernel).app_hash == machine.app_hash
    machine.application.close()
    machine.store.close()
    embedded.close()


# Founding and persisting --------------------------------------------------------------------------------------------


def test_nothing_is_persisted_before_commit(house):
    before = contents(house.store)
    told = house.consensus.finalize(small.START + 5, [house.sign()])
    assert contents(house.store) == before
    assert house.consensus.info() == (0, b"")
    assert house.committed == []
    house.consensus.commit()
    assert house.consensus.info() == (1, told.app_hash)
    assert house.committed[0].chain.app_hash == told.app_hash
    with pytest.raises(InvariantBroken, match="Commit without FinalizeBlock"):
        house.consensus.commit()


def test_an_empty_block_leaves_the_digest_alone(house):
    first = house.consensus.decide(small.START + 5, [house.sign()])
    assert house.consensus.decide(small.START + 6, []).app_hash == first.app_hash
    assert house.consensus.info() == (2, first.app_hash)


def test_a_crash_before_the_first_commit_founds_again(house):
    again = House(house.store)
    told = again.consensus.init_chain(small.document("alpha", "beta"), small.START)
    assert told.app_hash == house.store.head().app_hash
    with pytest.raises(OtherLedger):
        again.consensus.init_chain(small.document("alpha"), small.START)
    again.consensus.decide(small.START + 5, [again.sign()])
    with pytest.raises(OtherLedger):
        again.consensus.init_chain(small.document("alpha", "beta"), small.START)
    again.application.close()


def test_a_ledger_of_another_engine_goes_on_and_info_answers_0_until_the_first_commit():
    before = House()
    document = small.document("alpha", "beta")
    before.consensus.init_chain(document, small.START)
    for time in (5, 9):
        before.consensus.decide(small.START + time, [before.sign()])
    ended = before.store.head()
    house = House(before.store, initial_height=ended.height + 1)
    assert house.consensus.info() == (0, b"")
    for digest, height in ((bytes(32), ended.height + 1), (ended.app_hash, ended.height + 2)):
        other = House(before.store, initial_height=height)
        with pytest.raises(OtherLedger):
            other.consensus.init_chain(document, small.START + 9, height, digest)
        other.application.close()
    for _ in range(2):  # a crash before the first Commit runs InitChain again
        told = house.consensus.init_chain(document, small.START + 9, ended.height + 1, ended.app_hash)
        assert told.app_hash == ended.app_hash
        assert house.consensus.info() == (0, b"")
        house.consensus.finalize(small.START + 10, [])
    house.consensus.decide(small.START + 10, [])
    assert house.consensus.info() == (ended.height + 1, ended.app_hash)
    for one in (before, house):
        one.application.close()


def test_a_decided_block_with_a_bad_signature_stops_the_node(house):
    forged = bytearray(house.sign())
    forged[-20] ^= 1
    with pytest.raises(InvariantBroken, match="does not verify"):
        house.consensus.finalize(small.START + 5, [bytes(forged)])
    assert house.consensus.info() == (0, b"")


# Mempool ------------------------------------------------------------------------------------------------------------


def test_the_door_tells_why_and_rechecks_from_memory(house):
    good, foreign = house.sign(), house.sign(member="gamma")
    assert house.consensus.check(good) == 0
    assert house.consensus.check(foreign) == small.SmallReason.NO_MEMBER.code
    assert house.consensus.check(b"\x93") == KernelReason.MALFORMED.code
    assert house.consensus.check(house.sign(life=MAX_LIFE_MS + 1)) == KernelReason.EXPIRES_TOO_LATE.code
    assert house.consensus.recheck(good) == 0
    house.now += MINUTE
    assert house.consensus.recheck(good) == KernelReason.EXPIRED.code
    assert house.consensus.check(good) == KernelReason.EXPIRED.code


def test_what_was_committed_does_not_wait_any_longer(house):
    first, second = house.sign(), house.sign()
    assert house.consensus.check(first) == house.consensus.check(second) == 0
    house.consensus.decide(small.START + 5, [first])
    assert house.consensus.recheck(second) == 0
    assert house.consensus.recheck(first) == KernelReason.REPLAYED.code


# Proposals ----------------------------------------------------------------------------------------------------------


def test_a_proposer_drops_what_honest_nodes_refuse(house):
    good, other = house.sign(), house.sign()
    late, early = house.sign(life=0), house.sign(life=MAX_LIFE_MS + 1)
    forged = bytearray(house.sign())
    forged[-20] ^= 1
    offered = [good, b"junk", late, bytes(forged), good, early, other]
    assert house.consensus.prepare(house.now, offered) == [good, other]
    assert house.consensus.process(house.now, [good, other])
    house.consensus.decide(small.START + 5, [good])
    assert house.consensus.prepare(house.now + 6, [good, other]) == [other]


@pytest.mark.parametrize("spoiled", ["junk", "forged", "late", "early"])
def test_one_bad_transaction_refuses_the_whole_proposal(house, spoiled):
    good, forged = house.sign(), bytearray(house.sign())
    forged[-20] ^= 1
    wire = {
        "junk": b"junk",
        "forged": bytes(forged),
        "late": house.sign(life=0),
        "early": house.sign(life=MAX_LIFE_MS + 1),
    }[spoiled]
    assert house.consensus.process(house.now, [good])
    assert not house.consensus.process(house.now, [good, wire])


def test_who_proposes_what_is_refused_is_named(house):
    house.consensus.ask("process_proposal", txs=[b"junk"], proposer_address=b"p" * 20)
    assert house.faults == [("proposal", b"p" * 20)]


def test_who_does_not_sign_or_signs_twice_is_named(house):
    def validator(name):
        return MESSAGES["Validator"](address=name * 20)

    votes = [MESSAGES["VoteInfo"](validator=validator(b"%d" % flag), block_id_flag=flag) for flag in (1, 2, 3)]
    house.consensus.ask(
        "finalize_block",
        height=1,
        time=timestamp(small.START + 5),
        decided_last_commit=MESSAGES["CommitInfo"](votes=votes),
        misbehavior=[MESSAGES["Misbehavior"](type=1, validator=validator(b"m"))],
    )
    assert house.faults == [("absent", b"1" * 20), ("absent", b"3" * 20), ("misbehavior", b"m" * 20)]


def test_a_proposal_keeps_within_the_limits(house):
    wires = [house.sign() for _ in range(5)]
    limit = sum(len(wire) + TX_OVERHEAD for wire in wires[:3])
    assert house.consensus.prepare(house.now, wires, limit) == wires[:3]
    assert house.consensus.prepare(house.now, wires, limit - 1) == wires[:2]
    assert not house.consensus.process(house.now, [wires[0]] * (MAX_BLOCK_TRANSACTIONS + 1))


# Time ---------------------------------------------------------------------------------------------------------------


def test_after_a_halt_an_empty_block_comes_first(house):
    """Block time is that of the commit before: after a pause, an honest proposer lets it catch up first."""
    wire = house.sign(life=5 * MINUTE)
    house.now += STALE_MS + 1
    assert house.consensus.prepare(small.START, [wire]) == []
    assert house.consensus.process(small.START, [])
    house.consensus.decide(small.START + 1, [])
    assert house.consensus.prepare(house.now, [wire]) == [wire]


def test_an_idle_chain_lags_less_than_the_limit(house):
    """The empty block every 10 s keeps an idle chain's clock fresh enough to propose at once."""
    house.now += 10_000
    wire = house.sign()
    assert house.consensus.prepare(small.START, [wire]) == [wire]


def test_a_validator_cannot_date_its_own_transaction_back(house):
    """A proposer wants a deed of now dated an hour ago, the time of the last commit.

    A transaction as everyone makes them expires too late for the old time. One made to fit the old time fits no
    other: every block in between is one in which it has expired. On a running network there is such a block at least
    every 10 s, the empty one, so that is all it can gain. After a halt of all it can gain the halt, if it is the
    first to propose; the honest let an empty block catch up.
    """
    old = small.START + 1
    house.consensus.decide(old, [])
    house.now = old + 60 * MINUTE
    fresh, tailored = house.sign(life=5 * MINUTE), house.sign(at=old, life=5 * MINUTE)
    assert not house.consensus.process(old + 1, [fresh])
    assert house.consensus.prepare(old + 1, [fresh, tailored]) == []
    assert house.consensus.process(old + 1, [tailored])  # what the empty blocks are for
    house.consensus.decide(house.now - 10_000, [])
    assert not house.consensus.process(house.now, [tailored])
    assert house.consensus.check(tailored) == KernelReason.EXPIRED.code
    assert house.consensus.prepare(house.now, [tailored, fresh]) == [fresh]
    assert house.consensus.process(house.now, [fresh])


# Every method -------------------------------------------------------------------------------------------------------


def test_every_method_of_the_wire_is_answered_with_its_own_message(house):
    told = {}
    for field in Request.DESCRIPTOR.fields:
        if field.name in {"echo", "flush", "init_chain", "finalize_block", "commit"}:
            continue  # the server's own, or asked elsewhere in their order
        told[field.name] = house.consensus.ask(field.name)
    assert told["extend_vote"].vote_extension == b""
    assert told["verify_vote_extension"].status == 1
    assert house.consensus.ask("verify_vote_extension", vote_extension=b"x").status == 2
    assert list(told["list_snapshots"].snapshots) == []
    assert told["offer_snapshot"].result == 2
    assert told["apply_snapshot_chunk"].result == 2
    assert told["insert_tx"].code == 1
    assert told["query"].code == 1
    head = house.consensus.ask("query", path="/head")
    assert (head.code, head.height, head.value) == (0, 0, house.store.head().app_hash)
    assert told["info"].app_version == 1
    assert MESSAGES["ResponseInfo"]  # named as the requests are


def test_a_validator_change_is_told_in_the_block_that_makes_it():
    """The engine hears of the change of power alone: old key out, new key in."""
    path = next(path for path in cases() if "validator" in path.stem)
    vector = read(path)
    machine = prepared(vector, AbciMachine)
    before = machine.consensus.application._validators(machine.store.read())
    told = machine.consensus.decide(vector["time"], [bytes.fromhex(vector["transaction"])])
    after = machine.consensus.application._validators(machine.store.read())
    updates = {update.pub_key.ed25519: update.power for update in told.validator_updates}
    assert updates == {key: after.get(key, 0) for key in {*before, *after} if before.get(key, 0) != after.get(key, 0)}
    machine.application.close()
