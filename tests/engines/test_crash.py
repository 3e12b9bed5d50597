"""Process death: whatever was acknowledged stands, whatever was not is whole or absent, nothing is applied twice."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from salus.core.kernel import Kernel
from salus.engines.store import lmdb_store
from tests.engines import small

pytestmark = pytest.mark.unmeasured

ENVIRONMENT = {**os.environ, "PYTHONPATH": "src:."}


def kill(folder, kills, seed):
    run = subprocess.run(
        [sys.executable, "-m", "tests.engines.kills", str(folder), str(kills), str(seed)],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize(("kills", "seed"), [(20, 1), pytest.param(200, 2, marks=pytest.mark.soak)])
def test_a_submitting_process_killed_again_and_again(tmp_path, kills, seed):
    told = kill(tmp_path / "ledger", kills, seed)
    assert told["acknowledged"] > kills
    assert told["twice"] == 0
    assert told["acknowledged"] <= told["applied"] <= told["sent"]
    assert told["height"] > 1


def test_a_follower_killed_while_it_catches_up_goes_on(tmp_path):
    script = f"""
        import os, signal
        from pathlib import Path
        from tests.engines.house import House, cosigning
        from tests.engines import small
        from salus.engines.book import lmdb_book
        from salus.engines.follower import Follower, join
        from salus.engines.store import lmdb_store
        house = House("alpha", "beta")
        for n in range(40):
            house.send(small.Note(b"%d" % n, b"x"))
        house.cosigning.quiet()
        folder = Path({str(tmp_path)!r})
        for kill_at in (5, 17, 18, 30, 99):
            child = os.fork()  # the engine's threads stay behind; the child only reads its store
            if not child:
                store = lmdb_store(folder / "ledger")
                join(store, house.kernel, house.source, house.owner.network)
                book = lmdb_book(folder / "book", house.owner.network)
                follower = Follower(store, house.kernel, house.source, cosigning(store, "beta", book), house.clock)
                follower.subscribe(lambda head: head.height == kill_at and os.kill(os.getpid(), signal.SIGKILL))
                follower.step()
                os._exit(0)
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status))
        print(house.owner.head().app_hash.hex())
    """
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    *ends, digest = run.stdout.split()
    assert ends == [str(-signal.SIGKILL)] * 4 + ["0"]
    store = lmdb_store(tmp_path / "ledger")
    assert store.head().app_hash.hex() == digest
    store.close()
    assert Kernel(small.REGISTRY)
