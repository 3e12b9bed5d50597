"""The embedded engine: what it acknowledges stands, what it refuses leaves nothing."""

import threading
import time as wall

import pytest

from salus.core.kernel import Kernel
from salus.core.reasons import KernelReason
from salus.engines.embedded import BLOCK_TRANSACTIONS, Embedded, day_of, found
from salus.engines.errors import Busy, ClockJumped, NotFounded, NotKept, OtherLedger, Stopped
from salus.engines.store import lmdb_store, memory_store
from tests.engines import small

DAY = 24 * 3600 * 1000


@pytest.fixture(params=["memory", "lmdb"])
def store(request, tmp_path):
    store = memory_store() if request.param == "memory" else lmdb_store(tmp_path / "ledger")
    yield store
    store.close()


@pytest.fixture
def kernel():
    return Kernel(small.REGISTRY)


@pytest.fixture
def clock():
    return small.Clock()


@pytest.fixture
def engine(store, kernel, clock):
    found(store, kernel, small.document(), small.START)
    engine = Embedded(store, kernel, clock)
    yield engine
    engine.close()


def send(engine, message, **how):
    how.setdefault("time", engine.head().time)
    return engine.submit(small.sign(engine.network, message, **how)).result(10)


def test_a_transaction_is_applied_and_found_again(engine):
    outcome = send(engine, small.Note(b"a", b"one"))
    assert outcome.applied
    assert outcome.height == 1
    assert outcome.data == b"one"
    assert engine.read().get(small.NOTES, b"a") == small.NoteRow(b"one", 1)
    assert engine.outcome(outcome.tx_id) == outcome
    assert engine.head().log_size == 3  # the block leaf of the genesis, the transaction, its block leaf
    assert engine.outcome(bytes(32)) is None


def test_a_refusal_of_the_rules_stands_in_the_log(engine):
    author = small.KEYS["gamma"]
    assert send(engine, small.Seal(b"c"), author=author).applied
    outcome = send(engine, small.Seal(b"d"), author=author)
    assert outcome.refusal.reason is small.SmallReason.SEALED
    assert outcome.height == 2
    assert engine.outcome(outcome.tx_id).code == small.SmallReason.SEALED.code
    assert engine.read().get(small.SEALS, small.public(author)).commitment == b"c"


def test_older_heights_stay_readable(engine):
    for at in range(4):
        send(engine, small.Note(b"a", b"%d" % at))
        send(engine, small.Note(b"b%d" % at, b"x"))
    assert [engine.read(h).get(small.NOTES, b"a") for h in (0, 1, 2, 3)] == [
        None,
        small.NoteRow(b"0", 1),
        small.NoteRow(b"0", 1),
        small.NoteRow(b"1", 3),
    ]
    assert [key for key, _ in engine.read(4).range(small.NOTES)] == [b"a", b"b0", b"b1"]
    assert [key for key, _ in engine.read(6).range(small.NOTES, b"b")] == [b"b0", b"b1", b"b2"]
    with pytest.raises(NotKept):
        engine.read(99)


@pytest.mark.parametrize(
    ("reason", "spoil"),
    [
        (KernelReason.MALFORMED, lambda wire: wire[:-1]),
        (KernelReason.MALFORMED, lambda _: b""),
        (KernelReason.MALFORMED, lambda _: b"\x91" * 5000),
        (KernelReason.BAD_SIGNATURE, lambda wire: wire[:-10] + bytes([wire[-10] ^ 1]) + wire[-9:]),
    ],
)
def test_bytes_that_do_not_hold_are_refused_at_the_door(engine, reason, spoil):
    wire = small.sign(engine.network, small.Note(b"a", b"one"), time=engine.head().time)
    outcome = engine.submit(spoil(wire)).result(10)
    assert outcome.refusal.reason is reason
    assert (outcome.height, outcome.index) == (None, None)
    assert engine.head().height == 0


def test_what_would_surely_fail_never_enters_a_block(engine):
    now = engine.head().time
    cases = {
        KernelReason.OTHER_NETWORK: small.sign(bytes(32), small.Note(b"a", b""), time=now),
        KernelReason.EXPIRED: small.sign(engine.network, small.Note(b"a", b""), time=now - 100_000),
        KernelReason.EXPIRES_TOO_LATE: small.sign(engine.network, small.Note(b"a", b""), time=now + 700_000),
        KernelReason.AUTHOR_EXPECTED: small.sign(engine.network, small.Seal(b"a"), time=now),
        KernelReason.AUTHOR_UNEXPECTED: small.sign(
            engine.network, small.Note(b"a", b""), time=now, author=small.KEYS["beta"]
        ),
        small.SmallReason.NO_MEMBER: small.sign(engine.network, small.Note(b"a", b""), time=now, member="beta"),
    }
    for reason, wire in cases.items():
        assert engine.submit(wire).result(10).refusal.reason is reason
    assert engine.head().height == 0


def test_a_replay_is_refused_in_flight_and_afterwards(engine):
    wire = small.sign(engine.network, small.Note(b"a", b"one"), time=engine.head().time)
    outcomes = [future.result(10) for future in [engine.submit(wire) for _ in range(20)]]
    assert sum(outcome.applied for outcome in outcomes) == 1
    refused = [outcome for outcome in outcomes if not outcome.applied]
    assert {outcome.refusal.reason for outcome in refused} == {KernelReason.REPLAYED}
    assert engine.submit(wire).result(10).refusal.reason is KernelReason.REPLAYED
    assert engine.head().height == 1
    assert engine.outcome(refused[0].tx_id).applied


def test_ids_are_forgotten_only_once_expired(engine, clock, store):
    wire = small.sign(engine.network, small.Note(b"a", b"one"), time=engine.head().time, life=500_000)
    applied = engine.submit(wire).result(10)
    met = []
    for _ in range(3):
        clock.now += 250_000
        send(engine, small.Note(b"b", b"x"), time=clock.now)
        with store.committed() as state:
            remembered = state.seen(applied.tx_id)
        met.append((remembered, engine.submit(wire).result(10).refusal.reason))
    assert met == [(True, KernelReason.REPLAYED), (True, KernelReason.EXPIRED), (False, KernelReason.EXPIRED)]


def test_a_burst_becomes_few_blocks_in_strictly_rising_time(engine):
    wires = [small.sign(engine.network, small.Note(b"%d" % n, b"x"), time=engine.head().time) for n in range(300)]
    outcomes = [future.result(20) for future in [engine.submit(wire) for wire in wires]]
    assert all(outcome.applied for outcome in outcomes)
    head = engine.head()
    assert head.height < 300
    times = [block.time for block in engine.blocks(0)]
    assert times == sorted(set(times))
    assert sorted(outcome.index for outcome in outcomes) == [
        index for index in range(1, head.log_size) if engine.store.leaf(index)[0] == 1
    ]
    assert max(engine.store.header(height).transactions for height in range(head.height + 1)) <= BLOCK_TRANSACTIONS


def test_a_clock_that_stands_or_goes_back_a_little_still_gives_rising_time(engine, clock):
    send(engine, small.Note(b"a", b"1"))
    clock.now -= DAY
    send(engine, small.Note(b"a", b"2"))
    assert engine.head().time == engine.store.header(1).time + 1


@pytest.mark.parametrize("days", [31, 3 * 365, -31, -20 * 365])
def test_a_clock_years_off_is_refused_until_it_is_told(engine, clock, days, kernel):
    send(engine, small.Note(b"a", b"1"))
    right = clock.now
    clock.now += days * DAY
    with pytest.raises(ClockJumped, match="days"):
        send(engine, small.Note(b"a", b"2"))
    with pytest.raises(ClockJumped, match=f"set ledger.accept_clock to its day, {day_of(clock.now)}"):
        Embedded(engine.store, kernel, clock)
    assert engine.head().height == 1
    clock.now = right
    assert send(engine, small.Note(b"a", b"3")).applied


def test_a_clock_that_is_told_is_believed(store, kernel):
    found(store, kernel, small.document(), small.START)
    clock = small.Clock(small.START + 400 * DAY)
    engine = Embedded(store, kernel, clock, accept_clock=True)
    assert send(engine, small.Note(b"a", b"1"), time=clock.now).applied
    engine.close()


def test_a_broken_invariant_stops_the_engine_for_good(engine):
    send(engine, small.Note(b"a", b"1"))
    with pytest.raises(Stopped, match="InvariantBroken: planted"):
        send(engine, small.Bug())
    for _ in range(2):
        with pytest.raises(Stopped, match="planted"):
            send(engine, small.Note(b"a", b"2"))
    assert engine.head().height == 1
    assert engine.read().get(small.NOTES, b"a").text == b"1"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_of_ours_in_the_writer_answers_its_senders(engine):
    engine.subscribe(lambda header: header.nothing)
    assert send(engine, small.Note(b"a", b"1")).applied
    deadline = wall.monotonic() + 120
    while not engine.stopped and wall.monotonic() < deadline:
        wall.sleep(0.01)
    with pytest.raises(Stopped):
        send(engine, small.Note(b"a", b"2"))


def test_subscribers_hear_every_commit_in_order_until_they_end(engine):
    heard = []
    end = engine.subscribe(heard.append)
    for _ in range(3):
        send(engine, small.Note(b"a", b"1"))
    deadline = wall.monotonic() + 120
    while len(heard) < 3 and wall.monotonic() < deadline:
        wall.sleep(0.005)
    end()
    send(engine, small.Note(b"a", b"1"))
    assert [header.height for header in heard] == [1, 2, 3]


def test_closing_finishes_what_was_accepted_and_refuses_the_rest(store, kernel, clock):
    found(store, kernel, small.document(), small.START)
    engine = Embedded(store, kernel, clock)
    wires = [small.sign(engine.network, small.Note(b"%d" % n, b"x"), time=clock.now) for n in range(50)]
    futures = [engine.submit(wire) for wire in wires]
    engine.close()
    assert all(future.result(0).applied for future in futures)
    with pytest.raises(Stopped, match="closed"):
        engine.submit(wires[0]).result(0)


def test_too_many_waiting_is_said_at_once(engine, monkeypatch):
    monkeypatch.setattr("salus.engines.door.MAX_WAITING", 0)
    with pytest.raises(Busy):
        send(engine, small.Note(b"a", b"1"))


def test_many_senders_and_readers_at_once(engine):
    failures = []

    def work(name):
        for n in range(20):
            outcome = send(engine, small.Note(b"%s%d" % (name, n), b"x"))
            if engine.read(outcome.height).get(small.NOTES, b"%s%d" % (name, n)) is None:
                failures.append(outcome)

    threads = [threading.Thread(target=work, args=(name,)) for name in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(list(engine.read().range(small.NOTES))) == 60


def test_an_empty_store_is_no_ledger_and_a_founded_one_is_not_founded_again(store, kernel, clock):
    with pytest.raises(NotFounded):
        Embedded(store, kernel, clock)
    found(store, kernel, small.document(), small.START)
    with pytest.raises(OtherLedger):
        found(store, kernel, small.document("alpha", "beta"), small.START)
