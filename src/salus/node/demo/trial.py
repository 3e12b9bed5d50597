"""The chapter of clinical trials: eleven members, three sites, 72 synthetic participants; one signed definition."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from salus.agreements.trials.acts import SignedAct, act_digest
from salus.contracts.trials import port
from salus.node.anchoring import anchor
from salus.node.demo import trial_end
from salus.node.demo.telling import Telling
from salus.node.demo.trial_scene import DAY, FOUNDERS, PARTIES, SITES, Said, Scene, day_of, opened, sample
from salus.node.demo.trial_story import Story, anchor_all, at_each_site, at_once, visit_all
from salus.node.errors import EdgeError, Malformed, Unavailable
from salus.node.trials import list_tasks, take_consent, withdraw_consent
from salus.node.trials.anchors import content_of
from salus.node.trials.conducting import ListTasks, TakeConsent, WithdrawConsent, kit_of
from salus.node.trials.kept import Envelope, Subject, kept, one

SCREENED: Final = 72
ENROLLED: Final = 60
STRATA: Final = ("under-65", "65-and-over")


class Trial:
    """The chapter."""

    name = "trial"
    title = "A trial that runs as its protocol says, from one signed definition"
    budget_seconds = 60

    def tell(self, telling: Telling, source: Path | None) -> None:
        """Tell it on the sample trial. Raises StoryEnds."""
        if find_spec("py_arkworks_bls12381") is None:
            raise Unavailable(
                "trials.extra", "the curve's library is not installed", todo="install salus-health[trials]"
            )
        if source is not None:
            raise Malformed("demo.input", "this chapter is told on its sample alone", todo="leave --input out")
        with opened(telling.folder, FOUNDERS) as scene:
            scene.sites = SITES
            story = Story(scene)
            for site in scene.sites:
                scene.together.nodes[site].ticking = True  # this chapter anchors for them, after each step
            _found(telling, story)
            _screen(telling, story)
            _draw(telling, story)
            _visit(telling, story)
            trial_end.tell(telling, story)
        telling.notes += [
            "All members run in this process, each with a folder, keys, a vault and a replica of its own.",
            "Participants, their values and their kits are made up; consent is taken on paper at the site.",
            "Three of five trustees together foresee every draw, and so does a quantum computer.",
            "Results are computed from the locked rows as planned; the ledger holds a digest of what was reported.",
        ]
        telling.next_commands += ["salus trial protocol --help", "salus trial commit --help"]


def _found(telling: Telling, story: Story) -> None:
    scene = story.scene
    with telling.step(
        "Five trustees make a key that nobody holds", "Three of them sign a draw; two foresee nothing."
    ) as step:
        key = scene.deal()
        step.figure("members", len(scene.together.nodes))
        step.holds("the key has five shares", len(json.loads(key)["shares"]) == 5)
    with telling.step(
        "One definition, signed by every party", "Protocol, terms and analysis plan have one root."
    ) as step:
        terms = json.loads(sample("terms-1"))
        terms["outcomes"][0]["measure"] = "To be determined"
        with step.refused("an outcome to be determined", EdgeError):
            scene.commit(key, terms=json.dumps(terms).encode())
        with step.refused("a sponsor that keeps the kits", EdgeError):
            scene.commit(key, [each.replace("pharmacy-a", "sponsor") for each in PARTIES])
        made = scene.commit(key)
        step.figure("root", made.root[:16])
        step.figure("parties that sign", len(made.waiting))
        step.holds("committed once all have signed", scene.sign_all(made.waiting) == "committed")
    with telling.step("Approved, registered, opened", "No consent is older than the registration.") as step:
        scene.step("ethics", "approve")
        scene.step("authority", "approve")
        with step.refused("a consent before the registration", EdgeError):
            scene.screen("north", 0)
        scene.step("sponsor", "register", "NCT00000000 A sample trial of a medicine for pain")
        scene.open_sites()
        step.holds("the study is open", scene.step("sponsor", "open") == "open")
        scene.supply()
        step.figure("sites", len(scene.sites))


def _screen(telling: Telling, story: Story) -> None:
    scene = story.scene
    with telling.step(
        "Screen 72, enrol 60", "Each consent is a grant; an act that breaks a rule is refused by name."
    ) as step:
        screened = at_each_site(scene, lambda site: _screened(scene, site))
        story.subjects = [one_ for group in screened for one_ in group]
        anchor_all(scene)
        site, subject = story.subjects[0]
        early = scene.together.clock() - 3_600_000
        with step.refused("a visit dated back by an hour", EdgeError):
            scene.say(
                site, subject, [(f"nurse-{site}", "visit", day_of(early), {"visit": "unscheduled"})], entered=early
            )
        with step.refused("a visit entered by who is not delegated", EdgeError):
            scene.say(site, subject, [("stranger", "visit", day_of(early), {"visit": "unscheduled"})])
        request = TakeConsent(study=scene.id, assigner=f"urn:mrn:{site}", identifier="0", language="en")
        with step.refused("the same person twice at a site", EdgeError):
            take_consent(scene.node(site), request)
        step.figure("screened", SCREENED)
        step.figure("screen failures", SCREENED - len(story.subjects))
        step.holds("60 are eligible", len(story.subjects) == ENROLLED)


def _screened(scene: Scene, site: str) -> list[tuple[str, str]]:
    """Screen a site's share; return who is eligible."""
    found = []
    for number in range(SCREENED // len(scene.sites)):
        eligible = number % 6 != 5
        subject = scene.screen(site, number, eligible=eligible)
        if eligible:
            found.append((site, subject))
    return found


def _draw(telling: Telling, story: Story) -> None:
    scene = story.scene
    with telling.step(
        "Draw 60 arms that nobody chose", "Two dispensers must post the same digest, or the study is held."
    ) as step:
        site = scene.sites[0]
        unconsented = scene.screen(site, 1000)
        anchor(scene.node(site))
        withdraw_consent(scene.node(site), WithdrawConsent(study=scene.id, subject=unconsented))
        without = scene.enrol(site, unconsented, STRATA[0])
        at_each_site(scene, lambda where: _enrolled(story, where))
        done = scene.work(*scene.trustees)
        at_once(scene.work, ("pharmacy-a", "pharmacy-b"))
        scene.work("pharmacy-a", "pharmacy-b")
        step.figure("draws signed by each trustee", done["ethics"].signed)
        state = scene.node("sponsor").ledger.read()
        rows = {id_: port.enrolment(state, id_) for id_ in (without, *story.enrolments.values())}
        row = rows.pop(without)
        step.holds("refused on the ledger", row is not None and row.status is port.EnrolmentStatus.REFUSED)
        allocated = [
            each for each in rows.values() if each is not None and each.status is port.EnrolmentStatus.ALLOCATED
        ]
        step.figure("allocated", len(allocated))
        step.holds("every other enrolment has one allocation", len(allocated) == ENROLLED)
        blind = [name for name in scene.together.nodes if list(kept(scene.node(name), Envelope))]
        step.holds("only dispensers hold arms", blind == ["pharmacy-a", "pharmacy-b"])
        at_each_site(scene, lambda where: _randomised(story, where))
        anchor_all(scene)


def _enrolled(story: Story, site: str) -> None:
    for number, subject in enumerate(story.at(site)):
        story.enrolments[subject] = story.scene.enrol(site, subject, STRATA[number % 2])


def _randomised(story: Story, site: str) -> None:
    scene = story.scene
    for subject in story.at(site):
        kit = kit_of(scene.node(site), scene.study, bytes.fromhex(subject))
        fields = {"enrolment": story.enrolments[subject].hex(), "kit": kit}
        scene.say(site, subject, [(f"nurse-{site}", "randomised", "", fields)])


def _visit(telling: Telling, story: Story) -> None:
    scene = story.scene
    with telling.step("Visits, judged twice", "Site and sponsor run one function over the same signed chain.") as step:
        visit_all(story, "base")
        scene.together.clock.advance(14 * DAY)
        visit_all(story, "week2", late=1)
        for site in scene.sites:
            scene.send(site)
        told = list_tasks(scene.node("sponsor"), ListTasks(study=scene.id))
        outside = [each for each in told.deviations if "WINDOW" in each]
        step.figure("deviation", outside[0].split(": ", 1)[1] if outside else "none")
        step.holds("the one visit outside its window is a deviation, and no other", len(told.deviations) == 1)
        step.holds("no act is refused by the replay", not told.verdicts)
    with telling.step(
        "A site that skips its own checks", "The first member that its acts are sent to names the act."
    ) as step:
        site, subject = story.subjects[3]
        early = scene.together.clock() - 5 * 3_600_000
        said: list[Said] = [(f"nurse-{site}", "visit", day_of(early), {"visit": "unscheduled"})]
        (made,) = scene.acts(site, subject, said, entered=early)
        act, signature = (bytes.fromhex(part) for part in made.split(":"))
        number = scene.chains[site, subject].number + 1
        link = one(scene.node(site), Subject, scene.study + bytes.fromhex(subject)).link
        content = content_of(scene.study, bytes.fromhex(subject), number, SignedAct(act, signature))
        scene.node(site).vault.write(link, [content])
        scene.chains[site, subject].number = number
        scene.chains[site, subject].previous = act_digest(act)
        scene.send(site)
        told = list_tasks(scene.node("sponsor"), ListTasks(study=scene.id))
        step.figure("named", told.verdicts[0].split(": ", 1)[1] if told.verdicts else "nothing")
        step.holds("exactly this act is named", len(told.verdicts) == 1 and "BACKDATED" in told.verdicts[0])


CHAPTER: Final = Trial()
