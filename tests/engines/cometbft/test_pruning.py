"""Which blocks the engine is told to keep."""

from salus.core.kernel import Kernel
from salus.engines.cometbft.application import Application
from salus.engines.cometbft.pruning import STEP, Retention
from salus.engines.store import memory_store
from tests.engines import small
from tests.engines.cometbft.consensus import Consensus, nobody

DAY = 86_400_000
HOUR = 3_600_000


def told(snapshots, keep_ms, blocks=2 * STEP):
    """Return what Commit told the engine at each height, one block an hour."""
    store = memory_store()
    application = Application(
        Kernel(small.REGISTRY),
        store,
        nobody,
        clock=lambda: small.START,
        version="test",
        retain=Retention(store, lambda: snapshots, keep_ms),
    )
    consensus = Consensus(application, store)
    consensus.init_chain(small.document("alpha", "beta"), small.START)
    heights = {}
    for number in range(1, blocks + 1):
        consensus.finalize(small.START + number * HOUR, [])
        heights[number] = consensus.commit().retain_height
    application.close()
    return {height: kept for height, kept in heights.items() if kept}


def test_blocks_older_than_asked_are_dropped_in_steps():
    assert told([180, 90], 2 * DAY) == {STEP: STEP - 47, 2 * STEP: 90}
    assert told([190, 180], 2 * DAY) == {STEP: STEP - 47, 2 * STEP: 2 * STEP - 47}


def test_nothing_is_dropped_that_a_joining_member_goes_on_from():
    assert told([40, 30], 2 * DAY) == {STEP: 30, 2 * STEP: 30}
    assert told([], 2 * DAY) == {}


def test_an_archive_keeps_all():
    assert told([180, 90], 0) == {}
    assert told([180, 90], 100 * DAY) == {}
