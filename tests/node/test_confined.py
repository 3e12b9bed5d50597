"""Rules of others cannot last, grow or reach the machine, and no rule spoils the judgement of the next."""

import subprocess
import sys

import pytest

from salus.node import confined
from salus.node.confined import Limits, Ruled, judge_confined
from tests.interop.cdisc.open_rules import rule

PROTOCOL = b'{"study": {"id": "s", "name": "x", "versions": []}}'
SOUND = rule("study.{'path': _path, 'name': name}", id_="SOUND")
TIGHT = Limits(seconds=1, memory=1 << 29)
PATIENT = Limits(seconds=60, memory=1 << 29)


def judged(*expressions: str, within: Limits = PATIENT) -> list[Ruled | str]:
    """Return what became of hostile rules; a sound one stands behind them, and is always judged."""
    *told, last = judge_confined(PROTOCOL, (*(rule(each) for each in expressions), SOUND), within)
    assert (last.id, last.judged.found[0].path) == ("SOUND", "/study")
    return told


def test_a_rule_that_does_not_end_is_ended():
    tangled = f"$match('{'a' * 60}!', /^(a+)+(?=b)$/)"
    assert judged(tangled, within=TIGHT) == ["it took more than 1 s of processor time"]


def test_rules_that_grow_or_go_deep_are_told():
    doubling = "$reduce([1..60], function($all, $_) { $all & $all }, 'x')"
    assert judged(doubling, "$pad('x', 4000000000)", "($f := function($n) { 1 + $f($n) }; $f(1))") == [
        "it needs too much memory",
        "it needs too much memory",
        "the expression goes too deep",
    ]


def test_expressions_reach_nothing_of_the_machine():
    told = judged("$eval('1')", "$now()", "$string.__globals__", "$utils.parse_refs.function", "$.__class__")
    assert [isinstance(each, str) and "refused" in each for each in told[:2]] == [True, True]
    assert all(isinstance(each, str) or each.judged.total == 0 for each in told[2:])


@pytest.mark.parametrize(
    "act",
    ["open('/etc/hostname')", "socket.socket()", "os.pipe()", "os.open('/dev/null', 0)", "bytearray(1 << 30)"],
)
def test_a_confined_process_opens_nothing(act):
    program = f"import os, socket\nfrom salus.node.confined import confine\nconfine(1 << 29)\n{act}"
    path = {"PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", program], env=path, capture_output=True, check=False)
    assert ended.returncode == 1
    assert b"Too many open files" in ended.stderr or b"MemoryError" in ended.stderr


def test_a_process_that_rules_end_again_and_again_is_not_begun_for_ever(monkeypatch):
    begun = []

    def ending(task):
        begun.append(len(task.rules))
        return b"nothing that was asked", 1

    monkeypatch.setattr(confined, "_run", ending)
    told = judge_confined(PROTOCOL, [SOUND] * 12)
    assert begun == list(range(12, 2, -1))
    assert told == ["it ended its process"] * 10 + ["not reached: 10 rules before it ended their process"] * 2
