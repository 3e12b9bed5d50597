"""Members killed between any two steps from enrolment to kit: one allocation each, gone on with, never drawn twice.

A step is what lasts: a write to a member's desk, a transaction, a document on its way. The member is cut off before a step or
after it, what it had in memory is gone, and everybody begins again: the site enrols, documents that wait are sent, trustees and
dispensers work.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from salus.agreements.trials.allocation import Kit, next_kit
from salus.agreements.trials.draws import DrawRefused
from salus.contracts.trials import port
from salus.node.demo.trial_scene import Scene
from salus.node.desk import Desk
from salus.node.errors import Conflict
from salus.node.exchange.delivery import deliver_due
from salus.node.exchange.wire import InProcess
from salus.node.submitting import Submitter
from salus.node.trials import drawing
from salus.node.trials.kept import Envelope, KitGiven, Subject, kept, one

STEPS = (
    *((Desk, name) for name in ("keep_trial", "keep_trials", "send_later", "sent", "take")),
    (Submitter, "submit"),
    (Submitter, "carry"),
    (InProcess, "send"),
)
WORKERS = ("authority", "ethics", "pharmacy-a", "pharmacy-b", "pharmacy-a")


class Killed(BaseException):
    """A member was: nothing of its own catches this."""


class Cutting:
    """Counts steps, and ends one: its number, from 0; before it, or after it. A number beyond the last ends none."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.steps, self.killed = at, after, 0, False

    def around(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            number, self.steps = self.steps, self.steps + 1
            told = None if number == self.at and not self.after else step(*given, **named)
            if number == self.at:
                self.killed = True
                raise Killed
            return told

        return counted

    @contextmanager
    def on(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        with monkeypatch.context() as patch:
            for owner, name in STEPS:
                patch.setattr(owner, name, self.around(getattr(owner, name)))
            yield


def enrolled(scene: Scene, subject: str) -> bytes:
    """Enrol, also where that was begun; return the enrolment's id."""
    try:
        return scene.enrol("north", subject, "under-65")
    except Conflict as refused:
        assert refused.code == "trials.enrolled"  # noqa: PT017 -- any other is a failure
        return one(scene.node("north"), Subject, scene.study + bytes.fromhex(subject)).enrolment


def again(scene: Scene, subject: str) -> None:
    """Begin again after a kill: whatever waits is sent, and everybody works."""
    scene.together.clock.advance(3_600_000)
    enrolled(scene, subject)
    for _ in range(2):
        for name in ("north", *WORKERS[:4]):
            deliver_due(scene.node(name))
        scene.work(*WORKERS)


def cut(scene: Scene, monkeypatch: pytest.MonkeyPatch, number: int, cutting: Cutting) -> bool:
    """Enrol and draw, cut off once, begin again; check the allocation. Return whether there was a step to cut off at."""
    subject = scene.screen("north", number)
    with cutting.on(monkeypatch):
        try:
            enrolled(scene, subject)
            scene.work(*WORKERS)
        except Killed:
            assert cutting.killed
    node = scene.node("pharmacy-a")
    enrolment = one(scene.node("north"), Subject, scene.study + bytes.fromhex(subject)).enrolment
    drawn = [value for name in WORKERS[2:4] for _, value in kept(scene.node(name), Envelope, enrolment) if enrolment]
    again(scene, subject)
    enrolment = one(scene.node("north"), Subject, scene.study + bytes.fromhex(subject)).enrolment
    both = [one(scene.node(name), Envelope, enrolment) for name in WORKERS[2:4]]
    assert {(each.arm, each.kit, each.ciphertext) for each in (*both, *drawn)} == {
        (both[0].arm, both[0].kit, both[0].ciphertext)
    }
    row = port.enrolment(node.ledger.read(), enrolment)
    assert row is not None
    assert row.status is port.EnrolmentStatus.ALLOCATED
    given = {key: value.kit for key, value in kept(scene.node("north"), KitGiven)}
    assert given[enrolment] == both[0].kit
    assert len(set(given.values())) == len(given)
    study = port.study(node.ledger.read(), scene.study)
    assert study is not None
    assert study.status is port.StudyStatus.OPEN
    return cutting.killed


@pytest.mark.parametrize(("at", "after"), [(1, True), (9, False), (24, True)])
def test_who_is_killed_amid_an_enrolment_goes_on_and_draws_nothing_twice(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, at: int, *, after: bool
) -> None:
    assert cut(scene, monkeypatch, 8000 + 2 * at + after, Cutting(at, after=after))


@pytest.mark.soak
@pytest.mark.parametrize("after", [False, True])
def test_who_is_killed_between_any_two_steps_goes_on_and_draws_nothing_twice(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    at = 0
    while cut(scene, monkeypatch, 9000 + at * 2 + after, Cutting(at, after=after)):
        at += 1
    assert at > 20


def test_where_no_kit_is_left_the_enrolment_waits_and_those_before_get_theirs(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (scene.enrol("north", scene.screen("north", number), "under-65") for number in (8100, 8101))
    calls: list[int] = []

    def one_kit(key: bytes, site: str, kits: list[Kit], used: list[str], arm: int) -> Kit:
        calls.append(arm)
        if len(calls) > 1:
            raise DrawRefused("no kit of the arm drawn is left at the site")
        return next_kit(key, site, kits, used, arm)

    scene.work("authority", "ethics", "pharmacy-b")
    with monkeypatch.context() as patch:
        patch.setattr(drawing, "next_kit", one_kit)
        done = scene.work("pharmacy-a")["pharmacy-a"]
    assert done.waiting == (f"{second.hex()}: no kit of the arm drawn is left at the site",)
    assert first in {key for key, _ in kept(scene.node("north"), KitGiven)}
    assert scene.work("pharmacy-a")["pharmacy-a"].given == 1
