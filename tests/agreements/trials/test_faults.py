"""Random trials with a fault of a known kind in each, and sound ones beside them: what is caught, and what is cried for nothing.

A fault is caught if the act or message is refused, or if whoever replays the chain, the draws, the report or the ledger is told.
The twelfth kind, a duplicate at a site, is caught where the site's links are: `test_attack_one_person_twice_at_a_site`.
"""

import hashlib
from random import Random

import pytest

from salus.agreements.trials.allocation import Drawn, Kit, Signed, allocate, arm_of, audit, next_kit
from salus.agreements.trials.conduct import conduct
from salus.agreements.trials.draws import Place, Simple
from salus.agreements.trials.outcomes import Registered, Told, compare
from salus.contracts.trials import port
from salus.core.errors import Rejected
from salus.core.rules import Context
from salus.core.tables import Overlay
from tests.contracts import trials_scene as scene
from tests.contracts.ledger import public as public_key
from tests.contracts.trials_twin import FOUNDED, RULES, Rows

from .sample import DAY, FORM, NEW_FORM, START, Chain, under

SEEDS = 40
SOAK = 500


def consented(random, chain, form=FORM):
    return chain.add("consent", day=random.randint(-17, -15), form=form, grant="aa")


def screened(random, chain, pain="yes"):
    chain.add("visit", day=random.randint(-14, -12), visit="screen")
    chain.add("screen", adult="yes", pain=pain, allergy="no", **{"other-trial": "no"})
    return chain


def in_course(random, chain, week2=None):
    """Add sound visits, forms, changes, queries and events in random number."""
    chain.add("eligible", "investigator").add("randomised", enrolment="bb", kit="K-1").add("visit", day=0, visit="base")
    for visit, day in (
        ("week2", 14 + random.randint(-3, 3) if week2 is None else week2),
        ("week4", 28 + random.randint(-3, 3)),
    ):
        chain.add("visit", day=day, visit=visit)
        values = {"item__PAIN": str(random.randint(0, 10)), "item__PULSE": str(random.randint(40, 140))}
        chain.add("form", visit=visit, activity="measure", **values)
        item = f"{visit}/measure/1/PAIN"
        if random.random() < 0.4:
            chain.add("change", item=item, value=str(random.randint(0, 10)), reason="misread")
        if random.random() < 0.4:
            chain.add("query", "monitor", item=item).add("answer", query=str(len(chain.acts)))
            chain.add("close", "monitor", query=str(len(chain.acts) - 1))
        if random.random() < 0.3:
            chain.add("adverse", term="headache")
        if random.random() < 0.5:
            chain.add("sign", "investigator", visit=visit)
    return chain


def sound(random):
    return in_course(random, screened(random, consented(random, Chain())))


def told(chain, **changes):
    """Return every code that a replay of a chain tells."""
    state = conduct(chain.acts, under(**changes))
    return {one.code for one in (*state.verdicts, *state.deviations)}


def late_consent(random):
    chain = screened(random, Chain())
    return "NO_CONSENT" in told(in_course(random, consented(random, chain)))


def wrong_form(random):
    return "WRONG_FORM" in told(screened(random, consented(random, Chain(), NEW_FORM)))


def out_of_window(random):
    day = 14 + random.choice((-1, 1)) * random.randint(4, 9)
    return "WINDOW" in told(in_course(random, screened(random, consented(random, Chain())), week2=day))


def ineligible(random):
    chain = in_course(random, screened(random, consented(random, Chain()), pain="no"))
    return "NOT_ELIGIBLE" in told(chain)


def back_dated(random):
    chain = sound(random)
    at = chain.acts[-1].at
    early = random.randint(11, 60 * 24) * 60_000
    chain.add("visit", visit="unscheduled", day=None, entered=at - early, anchored=at + 30_000)
    return "BACKDATED" in told(chain)


def edited_after_lock(random):
    chain = sound(random)
    locked = chain.time + 1
    chain.add("change", item="week2/measure/1/PAIN", value="0", reason="better so")
    return "LOCKED" in told(chain, locked_at=locked)


def draws(random, count=8):
    """Return audited draws of a stratum with their kits. Their signatures are taken as verified."""
    kits = {"north": [Kit(f"N-{number:03d}", number % 2) for number in range(4 * count)]}
    before, used, made = [], [], []
    for number in range(count):
        enrolment = hashlib.sha256(random.randbytes(8)).digest()
        place = Place(b"s" * 16, b"p" * 32, b"t" * 32, number, enrolment)
        signed = Signed(*(hashlib.shake_256(random.randbytes(8)).digest(48) for _ in range(2)))
        arm = arm_of(Simple((1, 1)), place.stratum, before, signed)
        kit = next_kit(b"k" * 32, "north", kits["north"], used, arm)
        before.append(arm)
        used.append(kit.number)
        made.append(Drawn(enrolment, "north", place, signed, allocate(enrolment, signed, arm, kit.number).posted))
    return made, kits, before


def audited(made, kits, monkeypatch):
    monkeypatch.setattr("salus.agreements.trials.allocation.verify", lambda *_, **__: None)
    return [enrolment for enrolment, _ in audit(Simple((1, 1)), b"", made, kits, b"k" * 32)]


def swapped_arm(random, monkeypatch):
    made, kits, arms = draws(random)
    at = random.randrange(len(made))
    one = made[at]
    kit = next(kit.number for kit in reversed(kits["north"]) if kit.arm != arms[at])
    made[at] = Drawn(
        one.enrolment, one.site, one.place, one.signed, allocate(one.enrolment, one.signed, 1 - arms[at], kit).posted
    )
    return audited(made, kits, monkeypatch) == [one.enrolment]


class Ledger:
    """The contract's rules on rows in memory."""

    def __init__(self, *steps):
        self.rows, self.height, self.time = dict(FOUNDED), 1, START
        for message, by, author in steps:
            self.send(message, by, author)

    def send(self, message, by, author="", later=1000):
        own = Overlay(Rows(self.rows))
        self.height, self.time = self.height + 1, self.time + later
        key = public_key(author) if author else b""
        context = Context(self.height, self.time, by, key, self.height.to_bytes(32, "big"), own)
        told = RULES[type(message)].handle(context, message)
        own.verify()
        self.rows.update({(one.table.number, one.key): one.row for one in own.written.values()})
        return told

    def refuses(self, message, by):
        with pytest.raises(Rejected):
            self.send(message, by)
        return True

    @property
    def state(self):
        return Rows(self.rows)


OPENED = Ledger(*scene.ENROLLED)


def opened():
    ledger = Ledger()
    ledger.rows, ledger.height, ledger.time = dict(OPENED.rows), OPENED.height, OPENED.time
    return ledger


def redrawn(random):
    """A dispenser draws again: its second digest is refused, and another one of the second dispenser holds the trial."""
    ledger = opened()
    first, again = random.randbytes(32), random.randbytes(32)
    ledger.send(port.Allocate(scene.ENROLMENT, first), scene.FIRST)
    refused = ledger.refuses(port.Allocate(scene.ENROLMENT, again), scene.FIRST)
    ledger.send(port.Allocate(scene.ENROLMENT, again), scene.SECOND)
    return refused and port.study(ledger.state, scene.STUDY).status is port.StudyStatus.HOLD


def extra_look(random):
    ledger = opened()
    for step, by in (
        (port.LookStep.CUT, scene.STATS),
        (port.LookStep.CONTINUE, scene.BOARD),
        (port.LookStep.FOLLOW, scene.SPONSOR),
    ):
        ledger.send(port.StepLook(scene.STUDY, 1, step, scene.ONE), by)
    number = random.choice((1, len(scene.LOOKS) + 1, len(scene.LOOKS) + 2))
    return ledger.refuses(port.StepLook(scene.STUDY, number, port.LookStep.CUT, scene.ONE), scene.STATS)


def missed_clock(random):
    ledger = opened()
    kind = random.choice((port.ClockKind.DAYS_7, port.ClockKind.DAYS_15))
    ledger.send(port.StartClock(scene.STUDY, scene.CASE, kind, scene.ONE), scene.SPONSOR)
    days = 7 if kind is port.ClockKind.DAYS_7 else 15
    later = ledger.time + days * DAY + random.randint(1, 10**9)
    seen = port.overdue(port.clock(ledger.state, scene.CASE), later)
    ledger.send(port.MeetClock(scene.CASE, scene.ONE), scene.SPONSOR, later=later - ledger.time)
    return seen and port.clock(ledger.state, scene.CASE).status is port.ClockStatus.LATE


MEASURES = ("Change in pain score", "Pulse rate", "Time to relief", "Rescue medicine used", "Sleep quality", "Mood")


def registered(random):
    count = random.randint(3, 6)
    frames = [f"Week {random.randint(1, 12)}" for _ in range(count)]
    return [
        Registered(
            f"o{number}", "primary" if not number else "secondary", MEASURES[number], frames[number], f"an-{number}"
        )
        for number in range(count)
    ]


def switched(random):
    """Return (registered, reported, {id: what a reader must be told})."""
    planned = registered(random)
    reported, expected = [], {}
    for one in planned:
        kind = random.choice(("as", "as", "as", "missing", "level", "measure", "time_frame", "analysis"))
        if kind == "missing":
            expected[one.id] = (Told.MISSING, ())
            continue
        other = {"level": "secondary" if one.level == "primary" else "primary", "analysis": one.analysis + "-post-hoc"}
        other |= {"measure": f"{one.measure}, responders", "time_frame": f"{one.time_frame} or last"}
        changes = {} if kind == "as" else {kind: other[kind]}
        noise = (
            one.measure.upper() if random.random() < 0.3 and kind != "measure" else changes.get("measure", one.measure)
        )
        fields = {
            "id": one.id,
            "level": one.level,
            "measure": noise,
            "time_frame": one.time_frame,
            "analysis": one.analysis,
        }
        reported.append(Registered(**(fields | {k: v for k, v in changes.items() if k != "measure"})))
        expected[one.id] = (Told.CHANGED, (kind,)) if changes else (Told.AS_SPECIFIED, ())
    for number in range(random.randint(0, 2)):
        reported.append(Registered(f"new{number}", "secondary", f"Something else {number}", "Week 99", "an-x"))
        expected[f"new{number}"] = (Told.ADDED, ())
    random.shuffle(reported)
    return planned, reported, expected


def silent_endpoint_change(random):
    """A report that changes an outcome, and another definition under the approved number: both are told."""
    planned = registered(random)
    at = random.randrange(len(planned))
    facts = {name: getattr(planned[at], name) for name in ("id", "level", "measure", "time_frame", "analysis")}
    changed = Registered(**(facts | {"time_frame": "Week 52 or last"}))
    lines = compare(planned, [*planned[:at], changed, *planned[at + 1 :]])
    found = [one.id for one in lines if one.told is not Told.AS_SPECIFIED] == [changed.id]
    ledger = opened()
    ledger.send(port.ProposeVersion(scene.STUDY, scene.AMENDED, True, 0), scene.SPONSOR)
    return found and ledger.refuses(port.Approve(scene.STUDY, 2, scene.NEXT), scene.ETHICS)


IN_CHAINS = (late_consent, wrong_form, out_of_window, ineligible, back_dated, edited_after_lock)
ON_LEDGER = (redrawn, extra_look, missed_clock, silent_endpoint_change)


def caught(seeds, monkeypatch):
    """Return how many planted faults were caught, of how many, and alarms of sound trials, of how many."""
    found = planted = alarms = 0
    for seed in range(seeds):
        for kind in (*IN_CHAINS, *ON_LEDGER):
            planted += 1
            found += kind(Random(f"{kind.__name__} {seed}"))
        planted += 1
        found += swapped_arm(Random(f"swapped {seed}"), monkeypatch)
        alarms += bool(told(sound(Random(f"sound {seed}"))))
        made, kits, _ = draws(Random(f"draws {seed}"))
        alarms += bool(audited(made, kits, monkeypatch))
    return found, planted, alarms, 2 * seeds


def test_planted_faults_are_caught_and_sound_trials_are_left_alone(monkeypatch):
    found, planted, alarms, sound_ones = caught(SEEDS, monkeypatch)
    assert (found, alarms) == (planted, 0)
    assert (planted, sound_ones) == (11 * SEEDS, 2 * SEEDS)


@pytest.mark.soak
def test_planted_faults_are_caught_in_many_trials(monkeypatch):
    found, planted, alarms, sound_ones = caught(SOAK, monkeypatch)
    assert found >= planted * 99 // 100
    assert alarms <= sound_ones // 200


def test_switched_outcomes_of_200_reports_are_told_with_what_changed():
    right = wrong = missed = 0
    for seed in range(200):
        planned, reported, expected = switched(Random(seed))
        lines = {one.id: (one.told, one.changed) for one in compare(planned, reported)}
        flagged = {id_ for id_, (what, _) in lines.items() if what is not Told.AS_SPECIFIED}
        meant = {id_ for id_, (what, _) in expected.items() if what is not Told.AS_SPECIFIED}
        right += len({id_ for id_ in flagged & meant if lines[id_] == expected[id_]})
        wrong += len(flagged - meant)
        missed += len({id_ for id_ in meant if lines.get(id_) != expected[id_]})
    assert right > 300
    assert (wrong, missed) == (0, 0)
