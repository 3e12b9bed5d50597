"""One workload gives one digest, whatever the machine: and bugs that would break this are seen to break it."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from salus.core.encoding import encode

from .ledger import Ledger
from .planted import PLANTED
from .workload import record, replay

ROOT = Path(__file__).parents[2]
# (hash seed, locale, UTF-8 mode, time zone, interpreter options, workload options)
RUNS = (
    ("0", "C.UTF-8", "1", "UTC", [], []),
    ("1", "C", "0", "Asia/Kolkata", ["-O"], ["twice"]),
    ("2", "POSIX", "0", "America/St_Johns", [], []),
    ("random", "C.UTF-8", "1", "Pacific/Apia", ["-OO"], []),
    ("4", "C", "1", "Europe/Berlin", ["-X", "int_max_str_digits=640"], ["twice"]),
    ("4294967295", "C.UTF-8", "0", "Antarctica/Troll", [], []),
)


def digests(file, run, folder, *options):
    """Replay the workload in a process of its own, in a folder of its own."""
    seed, locale, utf8, zone, flags, asked = run
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "PYTHONHASHSEED": seed,
        "LC_ALL": locale,
        "PYTHONUTF8": utf8,
        "PYTHONCOERCECLOCALE": "0",
        "TZ": zone,
    }
    command = [sys.executable, *flags, "-m", "tests.contracts.workload", str(file), *asked, *options]
    folder.mkdir(exist_ok=True)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def in_parallel(file, runs, tmp_path, *options):
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(digests, file, run, tmp_path / str(n), *options) for n, run in enumerate(runs)]
        return [job.result() for job in jobs]


def recorded(tmp_path, count, per_block):
    file = tmp_path / "workload"
    workload = record(count, per_block)
    file.write_bytes(encode(workload))
    return file, replay(workload, verify=True)


def test_a_workload_gives_one_digest_on_every_machine(tmp_path):
    file, expected = recorded(tmp_path, 600, 50)
    assert in_parallel(file, RUNS, tmp_path) == [{"": expected}] * len(RUNS)


@pytest.mark.soak
def test_twenty_thousand_transactions_give_one_digest(tmp_path):
    file, expected = recorded(tmp_path, 20_000, 500)
    assert in_parallel(file, RUNS, tmp_path) == [{"": expected}] * len(RUNS)


def test_planted_bugs_are_caught(tmp_path):
    file, _ = recorded(tmp_path, 60, 10)
    told = in_parallel(file, RUNS[:3], tmp_path, "planted")
    caught = {name for name in PLANTED if len({run[name] for run in told}) > 1}
    assert len(PLANTED) == 12
    assert set(PLANTED) - caught == {"float_sum"}


def test_the_workload_holds_what_it_promises():
    document, blocks = record(600, 50)
    assert sum(len(wires) for _, wires in blocks) == 601
    assert record(600, 50) == (document, blocks)
    ledger = Ledger()
    ledger.found(document, blocks[0][0] - 1000)
    codes = [result.code for time, wires in blocks for result in ledger.block(*wires, later=time - ledger.time)]
    assert codes.count(0) > 560
    assert len(set(codes)) >= 3
    assert replay((document, blocks[:2])) != replay((document, blocks[:3]))
