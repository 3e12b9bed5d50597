"""One trial twice among real nodes, arms exchanged: what blinded members hold, show, export and log is the same.

Kits change arms with the draws, so that everybody gets the same kit. What is random (ids, keys, times) is put aside; order too.
"""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import structlog

from salus.http.metrics import PLAIN, Metrics
from salus.node.demo.trial_scene import SIZE_KEY, SIZES, Scene, opened
from salus.node.member import MemberNode
from salus.node.trials import (
    drawing,
    export_trial,
    list_payments,
    list_tasks,
    read_trail,
    show_flow,
    show_trial,
    supply_trial,
)
from salus.node.trials.conducting import ListTasks
from salus.node.trials.exporting import ExportTrial, ShowFlow
from salus.node.trials.founding import ShowTrial
from salus.node.trials.kept import KINDS, Envelope, KitGiven, Subject, kept
from salus.node.trials.overseeing import ReadTrail
from salus.node.trials.paying import ListPayments
from salus.node.trials.sight import in_order
from salus.node.trials.supplying import SupplyTrial

from .conftest import SMALL

BLINDED = ("sponsor", "north", "statistics")
"""Who runs and pays the trial, who conducts it, who computes: before the unblinding none of them knows an arm."""
DRAWN = (0, 1)
RANDOM = re.compile(r"[0-9a-f]{8,}|\d{4}-\d\d-\d\dT[0-9:.]+Z?|\d{12,}")
KEPT = sorted(set(KINDS) - {"definition"})


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *, exchanged: bool) -> tuple[list[int], dict[str, Counter[str]]]:
    """Run a trial; return the arms that the dispensers drew, and what blinded members see."""

    def arm_of(_scheme: object, _stratum: bytes, before: list[int], _signed: object) -> int:
        return DRAWN[len(before)] ^ exchanged

    with monkeypatch.context() as patch, opened(folder, SMALL) as scene, structlog.testing.capture_logs() as logs:
        patch.setattr(drawing, "arm_of", arm_of)
        scene.sites, scene.trustees, scene.threshold = ("north",), ("authority", "ethics", "statistics"), 2
        scene.sign_all(scene.commit(scene.deal()).waiting)
        for member, step in (("ethics", "approve"), ("authority", "approve"), ("sponsor", "register")):
            scene.step(member, step, "NCT00000000")
        scene.open_sites()
        scene.step("sponsor", "open")
        kits = {"north": [(f"N-{number:03d}", number % 2 ^ exchanged) for number in range(8)]}
        with monkeypatch.context() as fixed:
            fixed.setattr(MemberNode, "entropy", lambda _node, count: b"k" * count)  # the order of kits is their key's
            supply_trial(
                scene.node("pharmacy-a"),
                SupplyTrial(study=scene.id, sizes=SIZES, size_key=SIZE_KEY.hex(), kits=json.dumps(kits).encode()),
            )
        for number in range(len(DRAWN)):
            subject = scene.screen("north", 500 + number)
            scene.enrol("north", subject, "under-65")
            scene.work()
            told = {"term": "headache", "serious": "no"}
            scene.say("north", subject, [("nurse-north", "adverse", "2026-01-02", told)])
        scene.send("north")
        scene.settle()
        drawn = {key: envelope.arm for key, envelope in kept(scene.node("pharmacy-a"), Envelope)}
        arms = [drawn[id_] for id_, _ in in_order(scene.node("pharmacy-a"), scene.study)]
        seen = {name: Counter(aside(each) for each in shown(scene, name, folder)) for name in BLINDED}
    return arms, seen | {"logs": Counter(aside(f"{each}") for each in logs)}


def aside(text: str) -> str:
    """Return a text without what is random, as long as it was."""
    return RANDOM.sub(lambda found: "#" * len(found[0]), text)


def shown(scene: Scene, name: str, folder: Path) -> list[str]:
    """Return, line by line, what a member's pages, exports, metrics and desk tell."""
    node = scene.node(name)
    told = [
        show_trial(node, ShowTrial(study=scene.id)),
        list_tasks(node, ListTasks(study=scene.id)),
        list_payments(node, ListPayments(study=scene.id)),
        show_flow(node, ShowFlow(study=scene.id)),
    ]
    lines = [line for each in told for line in f"{each}".replace("'", "\n").splitlines()]
    for form in ("odm", "sdtm"):
        made = folder / f"{name}-{form}"
        export_trial(node, ExportTrial(study=scene.id, folder=str(made), form=form))
        for file in sorted(made.iterdir()):
            lines += [f"{file.name} {line}" for line in re.split(r"[<\[]", file.read_text())]
    for key, _ in kept(node, Subject, scene.study):
        trail = read_trail(node, ReadTrail(study=scene.id, subject=key[16:].hex()))
        lines += f"{trail}".replace("'", "\n").splitlines()
    lines += [line.split(" ")[0] for line in Metrics().text(node.measures(), PLAIN).splitlines()]
    lines += [f"kept: {kind}" for kind in KEPT for _ in node.desk.trials(kind, b"")]
    given = {key: value.kit for key, value in kept(node, KitGiven)}
    return lines + [f"kit {at} {given[id_]}" for at, (id_, _) in enumerate(in_order(node, scene.study)) if id_ in given]


def test_exchanged_arms_change_nothing_that_blinded_members_hold_show_or_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_, seen = run(tmp_path / "one", monkeypatch, exchanged=False)
    other, exchanged = run(tmp_path / "other", monkeypatch, exchanged=True)
    assert one_ == list(DRAWN)
    assert other == [1 - arm for arm in DRAWN]
    for name, told in seen.items():
        assert told == exchanged[name], (name, told - exchanged[name], exchanged[name] - told)
    assert sum(count for line, count in seen["north"].items() if re.match(r"kit \d N-", line)) == len(DRAWN)
    assert not any("kept: envelope" in told or "kept: draws" in told for told in seen.values())
