"""The chapter of clinical trials from its amendment to its register, and the thief who guesses."""

import json
from typing import Final

from msgspec import structs

from salus.agreements.trials.draws import Blocks, next_arm, number
from salus.agreements.trustees import ThresholdRefused
from salus.core.encoding import decode, encode
from salus.interop.cdisc.dataset_json import read_dataset
from salus.node.demo.telling import Step, Telling
from salus.node.demo.trial_scene import DAY, SIZE_KEY, SIZES, Said, Scene, day_of, sample
from salus.node.demo.trial_story import Story, anchor_all, visit_all
from salus.node.errors import EdgeError
from salus.node.trials import (
    agree_to_opening,
    amend_trial,
    analyse_trial,
    ask_opening,
    assess,
    audit_draws,
    bill_trial,
    compare_outcomes,
    export_trial,
    list_payments,
    list_tasks,
    lock_trial,
    meet_clock,
    post_result,
    publish_draws,
    read_opening,
    settle_trial,
    show_flow,
    show_registry,
    show_result_rows,
    show_trial,
    sign_lock,
    start_clock,
    unblind,
    verify_evidence,
    write_evidence,
)
from salus.node.trials.analysing import AnalyseTrial, ShowResultRows
from salus.node.trials.closing import AuditDraws, CompareOutcomes, LockTrial, PostResult, PublishDraws
from salus.node.trials.conducting import ListTasks
from salus.node.trials.duties import MeetSafetyClock, StartSafetyClock
from salus.node.trials.evidence import TrialEvidence, VerifyEvidence, WriteEvidence
from salus.node.trials.exporting import ExportTrial, ShowFlow
from salus.node.trials.founding import AmendTrial, ShowTrial
from salus.node.trials.kept import Draws, Envelope, keep, kept, one
from salus.node.trials.openings import AgreeToOpening, AskOpening, ReadOpening
from salus.node.trials.paying import BillTrial, ListPayments, SettleTrial
from salus.node.trials.registering import ShowRegistry
from salus.node.trials.sight import in_order, place_of
from salus.node.trials.unblinding import Assess, Unblind

DEVIATIONS: Final = 4  # of a fair coin's share of heads, that the thief's share of right guesses may lie off one half
LOCKED_TABLES: Final = "lock 1: the tables are those that are locked"


def tell(telling: Telling, story: Story) -> None:
    """Tell the chapter from the amendment on. Raises StoryEnds."""
    _amend(telling, story)
    _safety(telling, story)
    _thief(telling, story)
    _lock(telling, story)
    _report(telling, story)
    _export(telling, story)
    _inspect(telling, story)


def _amend(telling: Telling, story: Story) -> None:
    scene = story.scene
    with telling.step("An amendment with re-consent", "In force per site; an overdue consent is a deviation.") as step:
        made = scene.amend()
        scene.step("ethics", "approve")
        scene.step("authority", "approve")
        for site in scene.sites:
            scene.step(site, "adopt")
        form = json.loads(sample("terms-2"))["consent_form"]
        for site, subject in story.subjects[1:]:
            today = day_of(scene.together.clock())
            scene.say(site, subject, [(f"nurse-{site}", "reconsent", today, {"form": form})])
        anchor_all(scene)
        scene.together.clock.advance(14 * DAY)
        visit_all(story, "week4")
        scene.together.clock.advance(8 * DAY)
        for site in scene.sites:
            scene.send(site)
        told = list_tasks(scene.node("sponsor"), ListTasks(study=scene.id))
        overdue = [each for each in told.deviations if "RECONSENT_OVERDUE" in each]
        step.figure("version", made.number)
        step.figure("consents overdue", len(overdue))
        step.holds("no further act is refused by the replay", len(told.verdicts) == 1)
        step.holds("the one who did not renew is told, and no other", len(overdue) == 1)


def _safety(telling: Telling, story: Story) -> None:
    scene = story.scene
    with telling.step("A serious event", "Clocks of 24 hours and 15 days start and end by block time alone.") as step:
        site, subject = story.subjects[4]
        said: list[Said] = [(f"nurse-{site}", "adverse", "", {"term": "collapse", "hospitalisation": "yes"})]
        scene.say(site, subject, said)
        anchor_all(scene)
        first = start_clock(scene.node(site), StartSafetyClock(study=scene.id, kind="24-hours", event="collapse"))
        met = meet_clock(scene.node(site), MeetSafetyClock(case=first.case, acknowledgement=b"sponsor"))
        step.holds("the site told in time", met.status == "met")
        second = start_clock(scene.node("sponsor"), StartSafetyClock(study=scene.id, kind="15-days", event="collapse"))
        scene.together.clock.advance(16 * DAY)
        shown = show_trial(scene.node("ethics"), ShowTrial(study=scene.id))
        step.figure("overdue, for everyone to see", "; ".join(shown.overdue))
        step.holds("the sponsor's clock of 15 days is overdue, the site's was met", len(shown.overdue) == 1)
        late = meet_clock(scene.node("sponsor"), MeetSafetyClock(case=second.case, acknowledgement=b"authority"))
        step.holds("told too late stays late", late.status == "late")
    _susar(telling, story)
    with telling.step("One emergency, one arm", "The register shows that it happened, not whose arm it was.") as step:
        told = unblind(scene.node(site), Unblind(study=scene.id, subject=subject, reason="treatment"))
        story.opening = told.case
        envelope = one(scene.node("pharmacy-a"), Envelope, story.enrolments[subject])
        arms = json.loads(sample("terms-1"))["randomisation"]["arms"]
        step.holds("the arm is the one that was drawn", (told.arm, told.kit) == (arms[envelope.arm], envelope.kit))
        step.holds("the site holds no other", not list(kept(scene.node(site), Envelope)))
        status = assess(scene.node("sponsor"), Assess(case=told.case, assessment="needed")).status
        step.figure("register", "; ".join(show_trial(scene.node("ethics"), ShowTrial(study=scene.id)).openings))
        step.holds("assessed by the sponsor", status == "assessed")
    with telling.step("A switched primary outcome", "Proposed after an opening, it is flagged for ever.") as step:
        terms = json.loads(sample("terms-2"))
        terms["outcomes"][0] |= {"time_frame": "Baseline to week 2"}
        request = AmendTrial(
            study=scene.id,
            protocol=sample("protocol-2"),
            terms=json.dumps(terms).encode(),
            analysis=sample("analysis"),
            substantial=True,
            reconsent_days=0,
        )
        made = amend_trial(scene.node("sponsor"), request)
        shown = show_trial(scene.node("ethics"), ShowTrial(study=scene.id))
        step.figure("flagged versions", ", ".join(map(str, shown.flagged)))
        step.holds("the amendment carries the flag", made.after_unblinding and made.number in shown.flagged)


def _susar(telling: Telling, story: Story) -> None:
    """Let the authority learn the arm of one participant by three of five trustees."""
    scene = story.scene
    with telling.step(
        "A safety report opened for the authority",
        "Three trustees open one seal; two open nothing; the sponsor stays blind.",
    ) as step:
        _, subject = story.subjects[2]
        enrolment = story.enrolments[subject]
        request = AskOpening(study=scene.id, kind="susar", reason="safety-report", enrolment=enrolment.hex())
        with step.refused("the sponsor asks", EdgeError):
            ask_opening(scene.node("sponsor"), request)
        asked = ask_opening(scene.node("authority"), request)
        agree = AgreeToOpening(case=asked.case)
        for name in scene.trustees[1:3]:
            agree_to_opening(scene.node(name), agree)
        with step.refused("read after two of three agreed", EdgeError):
            read_opening(scene.node("authority"), ReadOpening(case=asked.case))
        agreed = agree_to_opening(scene.node(scene.trustees[3]), agree)
        told = read_opening(scene.node("authority"), ReadOpening(case=asked.case))
        step.figure("trustees that agreed", f"{agreed.agreed} of {len(scene.trustees)}")
        step.holds("it is the participant's kit", told.kit == one(scene.node("pharmacy-a"), Envelope, enrolment).kit)
        status = assess(scene.node("sponsor"), Assess(case=asked.case, assessment="reported")).status
        step.holds("assessed by the sponsor, who learned no arm", status == "assessed")


def _thief(telling: Telling, story: Story) -> None:
    from salus.agreements.threshold import interpolate, verify  # noqa: PLC0415 -- the extra may not be installed
    from salus.node.trials.drawing import trustee_key  # noqa: PLC0415
    from salus.vault.threshold import sign  # noqa: PLC0415

    scene = story.scene
    with telling.step(
        "A thief with two trustees' keys", "Guesses arms no better than a coin; three keys would see all."
    ) as step:
        keys = [trustee_key(scene.node(name), scene.study)[0] for name in scene.trustees[:2]]
        right = signed = 0
        guessed: dict[bytes, list[int]] = {}
        scheme = Blocks((1, 1), SIZES, SIZE_KEY)  # the thief even knows the hidden block sizes
        rows = [(id_, row) for id_, row in in_order(scene.node("ethics"), scene.study) if row.allocation]
        for id_, row in rows:
            _, place = place_of(scene.node("ethics"), id_)
            forged = interpolate({key.number: sign(key, place.draw) for key in keys})
            try:
                verify(keys[0].group, place.draw, forged)
                signed += 1
            except ThresholdRefused:
                pass
            before = guessed.setdefault(row.stratum, [])
            before.append(next_arm(scheme, row.stratum, before, number(forged)))
            right += before[-1] == one(scene.node("pharmacy-a"), Envelope, id_).arm
        step.figure("right guesses", f"{right} of {len(rows)}")
        step.holds("two keys sign no draw", signed == 0)
        step.holds(
            "about half of the guesses are right", abs(right / len(rows) - 0.5) <= DEVIATIONS * 0.5 / len(rows) ** 0.5
        )


def _lock(telling: Telling, story: Story) -> None:
    scene = story.scene
    with telling.step(
        "Locked, unblinded, every draw replayed", "An altered allocation is named; an edit is refused."
    ) as step:
        for site in scene.sites:
            scene.send(site)
        for name in ("close-recruitment", "last-visit", "clean"):
            scene.step("sponsor", name)
        scene.step("statistics", "soft-lock")
        lock = LockTrial(study=scene.id)
        made = lock_trial(scene.node("statistics"), lock)
        sign_lock(scene.node("sponsor"), lock)
        step.holds(
            "statistician, sponsor and coordinator sign", sign_lock(scene.node("north"), lock).status == "locked"
        )
        step.figure("rows", made.rows)
        step.figure("lines of tables", made.tables)
        paid = [list_payments(scene.node(name), ListPayments(study=scene.id)).sites for name in ("sponsor", "north")]
        step.holds("site and sponsor compute the same payment", paid[1][0] in paid[0])
        step.figure("to be paid", paid[1][0])
        bill_trial(scene.node("north"), BillTrial(study=scene.id))
        steps = (SettleTrial(study=scene.id, site="north", number=1, step=each) for each in ("agree", "pay"))
        stands = [settle_trial(scene.node("sponsor"), each).status for each in steps]
        step.holds("the sponsor agrees to the site's statement, then pays it", stands == ["agreed", "paid"])
        site, subject = story.subjects[5]
        item = {"item": "week4/measure/1/PAIN", "value": "0", "reason": "better"}
        with step.refused("an edit after the lock", EdgeError):
            scene.say(site, subject, [(f"nurse-{site}", "change", "", item)])
        scene.step("statistics", "unblind")
        publish_draws(scene.node("pharmacy-a"), PublishDraws(study=scene.id))
        audited = audit_draws(scene.node("statistics"), AuditDraws(study=scene.id))
        step.figure("draws replayed", audited.draws)
        step.figure("arms", ", ".join(audited.arms))
        step.holds("each allocation is what its draw gives", not audited.wrong)
        _redraw(scene, step)


def _redraw(scene: Scene, step: Step) -> None:
    """Show a re-drawn allocation to the audit, and put the sound one back."""
    node, key = scene.node("statistics"), scene.study + b"pharmacy-a"
    told = next(value for _, value in kept(node, Draws, scene.study))
    forged = type(told.draws[1])(
        told.study,
        told.draws[1].enrolment,
        told.draws[2].draw,
        told.draws[1].seal,
        told.draws[1].ciphertext,
        told.draws[1].arm,
        told.draws[1].kit,
    )
    keep(node, key, type(told)(told.study, told.height, told.supply, (told.draws[0], forged, *told.draws[2:])))
    wrong = audit_draws(node, AuditDraws(study=scene.id)).wrong
    keep(node, key, told)
    step.figure("a re-drawn allocation", wrong[0].split(": ", 1)[1] if wrong else "not seen")
    step.holds(
        "the re-drawn allocation is named", any(each.startswith(told.draws[1].enrolment.hex()) for each in wrong)
    )


def _report(telling: Telling, story: Story) -> None:
    scene = story.scene
    with telling.step(
        "Results against the register", "No report without a result or a reason for each outcome."
    ) as step:
        node = scene.node("statistics")
        told = analyse_trial(node, AnalyseTrial(study=scene.id, file=str(telling.folder / "results.ars.json")))
        numbers = dict(each.split(": ", 1) for each in told.results)
        means = [numbers[f"an-pain-arms summary-mean, {arm}"].split()[0] for arm in ("arm-placebo", "arm-active")]
        step.figure("mean change in pain, placebo and active", ", ".join(means))
        step.holds("every planned analysis was run over the locked rows", not told.open)
        ask = ShowResultRows(study=scene.id, analysis="an-pain-arms", operation="summary-mean", groups=("arm-active",))
        behind = show_result_rows(node, ask)
        step.figure("rows behind the mean of active", behind.count)
        p_value = numbers["an-pain anova-p, by arm"].split()[0]
        step.figure("difference in pain, p", p_value)
        with step.refused("analyses run at the sponsor, to whom no draws were published", EdgeError):
            analyse_trial(scene.node("sponsor"), AnalyseTrial(study=scene.id))
        post_result(node, PostResult(study=scene.id, outcome="pain-week4", result=f"{', '.join(means)}, p {p_value}"))
        scene.step("statistics", "analyse")
        with step.refused("a report that leaves two outcomes out", EdgeError):
            scene.step("sponsor", "report")
        post_result(node, PostResult(study=scene.id, outcome="response", result="see table 2"))
        post_result(node, PostResult(study=scene.id, outcome="pulse-week4", reason="pulse was the same by design"))
        step.holds("reported", scene.step("sponsor", "report") == "reported")
        outcomes = json.loads(sample("terms-1"))["outcomes"]
        outcomes[0]["time_frame"] = "Baseline to week 2"
        report = CompareOutcomes(study=scene.id, report=json.dumps([*outcomes[:2]]).encode())
        compared = compare_outcomes(scene.node("ethics"), report).outcomes
        step.figure("a paper that switches outcomes", "; ".join(compared))
        step.holds(
            "the switch and the missing one are told",
            "changed (time_frame)" in compared[0] and "missing" in compared[2],
        )
        record = json.loads(show_registry(scene.node("ethics"), ShowRegistry(study=scene.id)).record)
        step.figure("registry record", f"{record['overallStatus']}, {record['enrollmentInfo']['count']} enrolled")


def _export(telling: Telling, story: Story) -> None:
    scene = story.scene
    with telling.step(
        "Out in the standards' forms", "ODM with its audit trail, SDTM tables, and a flow that the ledger counts."
    ) as step:
        node, folder = scene.node("statistics"), telling.folder / "export"
        odm = ExportTrial(study=scene.id, folder=str(folder))
        made = export_trial(node, odm)
        with step.refused("a file written over", EdgeError):
            export_trial(node, odm)
        tables = export_trial(node, ExportTrial(study=scene.id, folder=str(folder), form="sdtm"))
        step.figure("files", ", ".join(each.split(":")[0] for each in (*made.files, *tables.files)))
        read = [read_dataset((folder / each.split(":")[0]).read_bytes()) for each in tables.files]
        step.figure("rows", ", ".join(f"{each.name} {len(each.rows)}" for each in read))
        step.holds("arms are in it, since the draws are published", not tables.blinded)
        blind = export_trial(
            scene.node("sponsor"), ExportTrial(study=scene.id, folder=str(folder / "sponsor"), form="sdtm")
        )
        step.holds("and not at the sponsor, to whom none were", blind.blinded)
        step.holds("but for arms they are the tables that are locked", tables.lock == blind.lock == LOCKED_TABLES)
        told = show_flow(node, ShowFlow(study=scene.id))
        step.figure(
            "flow",
            f"{told.screened} screened, {told.excluded} excluded, {told.allocated} allocated, {told.going} on study",
        )
        step.figure("allocated", "; ".join(told.arms))
        step.holds("chains and ledger agree", told.sound and told.allocated == len(story.subjects))


def _inspect(telling: Telling, story: Story) -> None:
    scene = story.scene
    with telling.step(
        "An inspector's file, without a network",
        "Rows, chains, the times of anchors, lock and draws follow from one file.",
    ) as step:
        node, file = scene.node("statistics"), telling.folder / "trial.evidence"
        write_evidence(node, WriteEvidence(study=scene.id, file=str(file), scope="inspector"))
        trust = scene.together.trust().to_json().encode()
        told = verify_evidence(node, VerifyEvidence(file=file.read_bytes(), trust=trust))
        step.figure("judged anew", f"{told.acts} acts of {told.participants} participants, {told.draws} draws")
        step.figure("named", told.wrong[0].split(": ", 1)[1] if told.wrong else "nothing")
        step.holds(
            "only the visit that was dated back does not hold", len(told.wrong) == 1 and "BACKDATED" in told.wrong[0]
        )
        made = decode(file.read_bytes(), TrialEvidence)
        bare = structs.replace(made.chains[0], proofs=made.chains[0].proofs[1:])
        data = encode(structs.replace(made, chains=(bare, *made.chains[1:])))
        wrong = verify_evidence(node, VerifyEvidence(file=data, trust=trust)).wrong
        step.holds("an act without proof of its anchor is named", any("not proven" in each for each in wrong))
