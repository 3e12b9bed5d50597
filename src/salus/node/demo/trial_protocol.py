"""The chapter of clinical trials on any protocol file: what USDM leaves open is filled with terms marked as the demo's.

Visits are those of the main timeline on its default path, each on its target day. Steps that the design has no place for
are named in the step where they would come.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from salus.agreements.trials.draft import GAP, draft
from salus.agreements.trials.plan import Anchoring, Plan, Visit
from salus.agreements.trials.terms import PLACEHOLDERS, size_commitment
from salus.contracts.records.port import Anchor, count_bucket
from salus.contracts.trials import port
from salus.interop.cdisc.findings import DocumentRefused
from salus.interop.cdisc.times import shifted
from salus.node.demo.telling import Step, Telling
from salus.node.demo.trial_scene import DAY, FOUNDERS, SITES, SIZE_KEY, TRUSTEES, Said, Scene, day_of, opened
from salus.node.demo.trial_story import anchor_all, at_each_site
from salus.node.errors import EdgeError, Malformed
from salus.node.trials import (
    audit_draws,
    list_tasks,
    lock_trial,
    post_result,
    publish_draws,
    show_registry,
    sign_lock,
    take_consent,
)
from salus.node.trials.alone import plan_of, unpacked
from salus.node.trials.closing import AuditDraws, LockTrial, PostResult, PublishDraws
from salus.node.trials.conducting import ListTasks, TakeConsent, kit_of
from salus.node.trials.exchange import curve
from salus.node.trials.registering import ShowRegistry

MARK: Final = "Demo"
THRESHOLD: Final = 3
EACH: Final = 4  # participants of a site
LONGEST_PAUSE: Final = 14 * DAY  # a ledger believes no clock that jumps by more than 30 days
LATE_DAYS: Final = 1  # how much later than its window the one late visit is


@dataclass
class _Playing:
    """What the chapter keeps between its steps."""

    scene: Scene
    plan: Plan
    terms: dict[str, Any]
    subjects: list[tuple[str, str]] = field(default_factory=list)
    late: str = ""
    """Id of the visit that one participant comes to too late."""

    @property
    def drawn(self) -> bool:
        """Whether arms are drawn: a design with fewer than two has none to draw."""
        return bool(self.terms["randomisation"]["method"] != "external")


class ProtocolTrial:
    """The chapter, on one protocol."""

    name = "trial"
    title = "A protocol file becomes the running contract"
    budget_seconds = 60

    def __init__(self, protocol: bytes) -> None:
        self._protocol = protocol

    def tell(self, telling: Telling, source: Path | None) -> None:
        """Tell it. Raises StoryEnds where a step cannot be told, Malformed for a file that is no protocol."""
        del source
        curve()
        try:
            plan = plan_of(self._protocol)
        except DocumentRefused as wrong:
            raise Malformed("trials.protocol", str(wrong), todo="`salus trial protocol` lists every finding") from None
        with opened(telling.folder, FOUNDERS) as scene:
            scene.sites, scene.trustees, scene.threshold = SITES, TRUSTEES, THRESHOLD
            for site in scene.sites:
                scene.together.nodes[site].ticking = True  # this chapter anchors for them, after each step
            playing = _Playing(scene, plan, {})
            _define(telling, playing, self._protocol)
            _found(telling, playing)
            _screen(telling, playing)
            _draw(telling, playing)
            _visit(telling, playing)
            _end(telling, playing)
        telling.notes += [
            f"Terms that begin with {MARK} are the demo's: the protocol leaves them open.",
            "Participants, their values and their kits are made up; every criterion is attested.",
        ]
        telling.next_commands += ["salus trial draft --help", "salus demo trial"]


def filled(plan: Plan) -> tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]:
    """Return terms and analysis plan of a protocol, its gaps filled and marked, and what was filled."""
    drafted = draft(plan)
    terms = drafted.terms | {"title": f"{MARK}: {drafted.terms['title']}"[:200], "consent_form": SIZE_KEY.hex()}
    outcomes: list[dict[str, str]] = []
    excused: dict[str, str] = {}
    for outcome in terms["outcomes"]:
        open_ = any(word in outcome["measure"].lower() for word in PLACEHOLDERS)
        if open_ and len(terms["outcomes"]) > len(excused) + 1:
            excused[outcome["id"]] = f"{MARK}: the protocol leaves its measure open"
            continue
        measure = f"{MARK} measure" if open_ else outcome["measure"]
        outcomes.append(outcome | {"measure": measure, "time_frame": f"{MARK}: until the last visit"})
    terms |= {"outcomes": outcomes, "excused": excused}
    if terms["randomisation"]["method"] == "blocks":
        sizes = (2 * len(plan.arms),)
        terms["randomisation"] = terms["randomisation"] | {"size_commitment": size_commitment(sizes, SIZE_KEY)}
    return terms, drafted.analysis, tuple(f"{each.path}: {each.expected}" for each in drafted.gaps)


def _define(telling: Telling, playing: _Playing, protocol: bytes) -> None:
    with telling.step(
        "The protocol compiles", "What USDM leaves open is filled with terms marked as the demo's."
    ) as step:
        plan = playing.plan
        playing.terms, analysis, gaps = filled(plan)
        playing.scene.package = (unpacked(protocol), json.dumps(playing.terms).encode(), json.dumps(analysis).encode())
        step.figure("visits", len(plan.main.visits))
        step.figure("arms", len(plan.arms))
        step.figure("criteria", len(plan.criteria))
        step.figure("forms from biomedical concepts", len(plan.forms))
        step.figure("gaps filled by the demo", len(gaps))
        step.figure("endpoints excused", len(playing.terms["excused"]))
        step.holds("no gap is left", GAP.lower() not in json.dumps(playing.terms).lower())


def _found(telling: Telling, playing: _Playing) -> None:
    scene = playing.scene
    with telling.step(
        "Signed, approved, registered, opened", "One root over protocol, terms and analysis plan."
    ) as step:
        key = scene.deal() if playing.drawn else ""
        made = scene.commit(key)
        step.figure("root", made.root[:16])
        step.figure("labels", "; ".join(made.labels) or "none")
        step.holds("committed once all have signed", scene.sign_all(made.waiting) == "committed")
        scene.step("ethics", "approve")
        scene.step("authority", "approve")
        with step.refused("a consent before the registration", EdgeError):
            _consent(scene, "north", 0)
        scene.step("sponsor", "register", "NCT00000000 A protocol's trial")
        scene.open_sites()
        step.holds("the study is open", scene.step("sponsor", "open") == "open")
        if playing.drawn:
            scene.supply(2 * EACH, len(playing.plan.arms))


def _consent(scene: Scene, site: str, number: int) -> Any:
    request = TakeConsent(study=scene.id, assigner=f"urn:mrn:{site}", identifier=str(number), language="en")
    return take_consent(scene.node(site), request)


def _screen(telling: Telling, playing: _Playing) -> None:
    scene, plan = playing.scene, playing.plan
    with telling.step("Consent and screening", "Every criterion of the protocol is judged; one is not met.") as step:
        first = _path(plan)[0]
        answers = {each.id: "yes" if each.inclusion else "no" for each in plan.criteria}
        for number in range(EACH):
            for site in scene.sites:
                taken = _consent(scene, site, number)
                nurse, investigator = f"nurse-{site}", f"investigator-{site}"
                said: list[Said] = [
                    (nurse, "consent", day_of(scene.together.clock()), {"grant": taken.grant, "form": taken.form}),
                    (nurse, "screen", "", answers),
                ]
                scene.say(site, taken.subject, said)
                playing.subjects.append((site, taken.subject))
                last = (site, number) == (scene.sites[-1], EACH - 1)
                if last and plan.criteria:
                    _fail(playing, step, taken.subject)
                else:
                    scene.say(site, taken.subject, [(investigator, "eligible", "", {})])
        anchor_all(scene)
        site, subject = playing.subjects[0]
        early = scene.together.clock() - 3_600_000
        with step.refused("a visit dated back by an hour", EdgeError):
            scene.say(site, subject, [(f"nurse-{site}", "visit", day_of(early), {"visit": first.id})], entered=early)
        step.figure("screened", EACH * len(scene.sites))
        step.figure("eligible", len(playing.subjects))


def _fail(playing: _Playing, step: Step, subject: str) -> None:
    """Let the last participant not meet the first criterion: eligibility is then refused."""
    scene, criterion = playing.scene, playing.plan.criteria[0]
    site, _ = playing.subjects.pop()
    wrong = {criterion.id: "no" if criterion.inclusion else "yes"}
    scene.say(site, subject, [(f"nurse-{site}", "screen", "", wrong)])
    with step.refused("eligibility while a criterion is not met", EdgeError):
        scene.say(site, subject, [(f"investigator-{site}", "eligible", "", {})])
    scene.say(site, subject, [(f"investigator-{site}", "fail", "", {"criteria": criterion.id})])


def _draw(telling: Telling, playing: _Playing) -> None:
    scene = playing.scene
    with telling.step("Arms are drawn", "By trustees and two dispensers, of as many arms as the protocol has.") as step:
        if not playing.drawn:
            step.figure("no place in this design", "a draw: it has fewer than two arms")
            return
        stratum = playing.terms["randomisation"]["strata"][0]
        enrolments = {one: scene.enrol(one[0], one[1], stratum) for one in playing.subjects}
        scene.work()
        for (site, subject), enrolment in enrolments.items():
            kit = kit_of(scene.node(site), scene.study, bytes.fromhex(subject))
            fields = {"enrolment": enrolment.hex(), "kit": kit}
            scene.say(site, subject, [(f"nurse-{site}", "randomised", "", fields)])
        anchor_all(scene)
        state = scene.node("sponsor").ledger.read()
        rows = [row for _, row in port.enrolments(state, scene.study)]
        step.figure("enrolled", len(rows))
        step.holds("each has one allocation", all(row.status is port.EnrolmentStatus.ALLOCATED for row in rows))


def _path(plan: Plan) -> list[Visit]:
    """Return the visits of the main timeline on its default path."""
    visits = {each.id: each for each in plan.main.visits}
    decisions = {each.id: each.following or each.branches[0][1] for each in plan.main.decisions}
    found: list[Visit] = []
    at = plan.main.visits[0].id
    while at:
        visit = visits.get(at)
        if visit is not None:
            found.append(visit)
        at = decisions.get(at, "") if visit is None else visit.following
    return found


def _days(path: list[Visit]) -> dict[str, int]:
    """Return the target day of each visit, counted from the one that none comes before; in months from 1970."""
    visits = {each.id: each for each in path}
    days: dict[str, int] = {}

    def day(visit: Visit, last: int) -> int:
        placement = visit.placement
        if visit.id in days:
            return days[visit.id]
        if placement is None:
            return last
        if placement.anchoring is Anchoring.FIXED or placement.anchor not in visits:
            return 0
        sign = -1 if placement.anchoring is Anchoring.BEFORE else 1
        return shifted(day(visits[placement.anchor], last), placement.offset, sign)

    last = 0
    for visit in path:
        last = days[visit.id] = day(visit, last)
    first = min(days.values())
    return {id_: each - first for id_, each in days.items()}


def _pass(scene: Scene, until: int) -> None:
    """Let time pass, with an anchor of nothing where nothing happens for long."""
    while (left := until - scene.together.clock()) > 0:
        scene.together.clock.advance(min(left, LONGEST_PAUSE))
        node = scene.node("sponsor")
        node.submitter.submit(Anchor(node.entropy(32), count_bucket(0), deferred=False))


def _visit(telling: Telling, playing: _Playing) -> None:
    scene, path = playing.scene, _path(playing.plan)
    with telling.step(
        "Every visit of the main timeline", "On its target day; one participant comes late to one."
    ) as step:
        days, start = _days(path), scene.together.clock()
        playing.late = next((each.id for each in path if _whole_days(each)), "")
        for visit in sorted(path, key=lambda each: days[each.id]):
            _pass(scene, start + days[visit.id] * DAY)
            _attended(playing, visit)
            if visit.id == playing.late:
                _late(playing, visit)
        for site in scene.sites:
            scene.send(site)
        told = list_tasks(scene.node("sponsor"), ListTasks(study=scene.id))
        step.figure("visits entered", len(path) * len(playing.subjects))
        step.holds("no act is refused by the replay", not told.verdicts)
        outside = [each for each in told.deviations if "WINDOW" in each]
        if playing.late:
            step.figure("deviation", outside[0].split(": ", 1)[1] if outside else "none")
            step.holds("the late visit is a deviation, and no other is", len(outside) == 1)
        else:
            step.figure("no place in this design", "a late visit: no window is in whole days")


def _attended(playing: _Playing, visit: Visit) -> None:
    """Let everyone come to a visit today, but the one who comes too late."""
    scene = playing.scene
    today = day_of(scene.together.clock())
    present = playing.subjects[int(visit.id == playing.late) :]

    def attend(site: str) -> None:
        for where, subject in present:
            if where == site:
                scene.say(site, subject, list(_said(site, visit, today)))

    at_each_site(scene, attend)
    anchor_all(scene)


def _whole_days(visit: Visit) -> bool:
    placement = visit.placement
    if placement is None or placement.window is None or placement.anchoring is not Anchoring.AFTER:
        return False
    return not placement.window.clock and not placement.offset.clock and not placement.window.upper.months


def _said(site: str, visit: Visit, day: str) -> Iterator[Said]:
    nurse = f"nurse-{site}"
    yield nurse, "visit", day, {"visit": visit.id}
    for activity in visit.activities:
        yield nurse, "form", day, {"visit": visit.id, "activity": activity, "item.DONE": "yes"}
    yield f"investigator-{site}", "sign", "", {"visit": visit.id}


def _late(playing: _Playing, visit: Visit) -> None:
    scene, placement = playing.scene, visit.placement
    upper = placement.window.upper.days if placement is not None and placement.window is not None else 0
    scene.together.clock.advance((upper + LATE_DAYS) * DAY)
    site, subject = playing.subjects[0]
    scene.say(site, subject, list(_said(site, visit, day_of(scene.together.clock()))))
    anchor_all(scene)


def _end(telling: Telling, playing: _Playing) -> None:
    scene = playing.scene
    with telling.step("Locked, replayed, reported", "Every outcome of the protocol has a result or a reason.") as step:
        for name in ("close-recruitment", "last-visit", "clean"):
            scene.step("sponsor", name)
        scene.step("statistics", "soft-lock")
        lock = LockTrial(study=scene.id)
        made = lock_trial(scene.node("statistics"), lock)
        sign_lock(scene.node("sponsor"), lock)
        step.figure("rows", made.rows)
        step.holds("all have signed the lock", sign_lock(scene.node("north"), lock).status == "locked")
        scene.step("statistics", "unblind")
        if playing.drawn:
            publish_draws(scene.node("pharmacy-a"), PublishDraws(study=scene.id))
            audited = audit_draws(scene.node("statistics"), AuditDraws(study=scene.id))
            step.figure("draws replayed", audited.draws)
            step.holds("each allocation is what its draw gives", not audited.wrong)
        scene.step("statistics", "analyse")
        for outcome in playing.terms["outcomes"]:
            request = PostResult(study=scene.id, outcome=outcome["id"], reason=f"{MARK}: nothing was measured")
            post_result(scene.node("statistics"), request)
        step.holds("reported", scene.step("sponsor", "report") == "reported")
        record = json.loads(show_registry(scene.node("ethics"), ShowRegistry(study=scene.id)).record)
        step.figure("registry record", f"{record['overallStatus']}, {record['enrollmentInfo']['count']} enrolled")
