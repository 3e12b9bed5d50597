"""A trial among members: founded, drawn, conducted, opened, locked and reported, with what each attack meets."""

import json
import os
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path

import pytest
from msgspec import structs

from salus.agreements.trials.acts import run_signing_bytes
from salus.agreements.trials.terms import package_root
from salus.contracts.trials import port
from salus.core.encoding import Message, decode, encode
from salus.engines.errors import Busy
from salus.engines.ports import Ledger, Outcome
from salus.interop.cdisc.dataset_json import read_dataset
from salus.node import emergency
from salus.node.demo.trial_scene import PARTIES, Scene, day_of, sample
from salus.node.errors import Conflict, EdgeError, Forbidden, Malformed, NotFound, Refused, Unavailable
from salus.node.exchange.delivery import deliver_due
from salus.node.exchange.wire import RemoteRefusal
from salus.node.submitting import Submitter
from salus.node.trials import (
    assess,
    audit_draws,
    compare_outcomes,
    deal_shares,
    draft_act,
    expect_event,
    export_trial,
    list_payments,
    list_tasks,
    lock_trial,
    meet_clock,
    post_result,
    publish_draws,
    read_trail,
    record_acts,
    show_key,
    show_registry,
    show_trial,
    sign_lock,
    sign_trial,
    start_clock,
    step_look,
    take_consent,
    unblind,
    verify_evidence,
    withdraw_consent,
    write_evidence,
)
from salus.node.trials.closing import (
    AuditDraws,
    CompareOutcomes,
    LockTrial,
    PostResult,
    PublishDraws,
    StepTrialLook,
)
from salus.node.trials.conducting import DraftAct, ListTasks, RecordActs, TakeConsent, WithdrawConsent, kit_of
from salus.node.trials.drawing import check_evidence
from salus.node.trials.duties import MeetSafetyClock, StartSafetyClock
from salus.node.trials.evidence import TrialEvidence, VerifyEvidence, WriteEvidence
from salus.node.trials.exchange import TAKERS
from salus.node.trials.exporting import ExportTrial
from salus.node.trials.founding import DealShares, ShowKey, ShowTrial, SignTrial, make_keys
from salus.node.trials.kept import (
    Draws,
    Envelope,
    Evidence,
    PartialsBatch,
    Rows,
    SentPartials,
    Subject,
    Supply,
    keep,
    kept,
    one,
)
from salus.node.trials.overseeing import ExpectEvent, ReadTrail
from salus.node.trials.paying import ListPayments
from salus.node.trials.registering import CheckRegistry, RegistryChecked, ShowRegistry, check_registry
from salus.node.trials.sight import definition, own_chain, root_of, states, terms_of
from salus.node.trials.unblinding import AskArm, Assess, Unblind, answer
from salus.vault.envelope import seal_envelope
from salus.vault.journal import Side
from tests.interop.cdisc.open_rules import findings_in
from tests.node.trials.dating import acts_are_dated_by_their_anchors, no_adoption_is_left_out
from tests.node.trials.locking import exported_as_locked, only_what_is_known_is_signed, unlocked_and_locked_again
from tests.node.trials.signing import sign_everything


def consent(scene: Scene, number: int) -> TakeConsent:
    return TakeConsent(study=scene.id, assigner="urn:mrn:north", identifier=str(number), language="en")


def sealed(scene: Scene, sender: str, receiver: str, kind: str, value: object) -> bytes:
    node = scene.node(sender)
    return seal_envelope(
        encode(value),  # type: ignore[arg-type]
        node.context(f"trial-{kind}", node.entropy(16)),
        recipient=node.keys_of(receiver).receive_key,
        sign=node.signing_key,
    )


def taken(scene: Scene, sender: str, receiver: str, kind: str, value: object) -> None:
    TAKERS[f"trial-{kind}"](scene.node(receiver), sender, sealed(scene, sender, receiver, kind, value))


def test_a_participant_from_consent_to_kit_and_what_leaves(scene: Scene) -> None:
    subject = scene.screen("north", 10)
    with pytest.raises(Conflict, match=r"trials\.twice"):
        take_consent(scene.node("north"), consent(scene, 10))
    enrolment = scene.enrol("north", subject, "under-65")
    with pytest.raises(Conflict, match=r"trials\.enrolled"):
        scene.enrol("north", subject, "under-65")
    scene.work()
    kit = kit_of(scene.node("north"), scene.study, bytes.fromhex(subject))
    row = port.enrolment(scene.node("north").ledger.read(), enrolment)
    assert row is not None
    assert row.status is port.EnrolmentStatus.ALLOCATED
    with pytest.raises(Conflict, match=r"trials\.supplied"):
        scene.supply()
    told = [one(scene.node(name), Envelope, enrolment) for name in ("pharmacy-a", "pharmacy-b")]
    assert {(each.arm, each.kit) for each in told} == {(told[0].arm, kit)}
    assert not list(kept(scene.node("sponsor"), Envelope))
    scene.say("north", subject, [("nurse-north", "randomised", "", {"enrolment": enrolment.hex(), "kit": kit})])
    sent = scene.send("north")
    assert sent.acts >= 5
    for name in ("sponsor", "statistics"):
        ((site, _, state),) = [each for each in states(scene.node(name), scene.study) if each[1].hex() == subject]
        assert (site, state.status.value, state.verdicts) == ("north", "on-study", [])
    link = one(scene.node("north"), Subject, scene.study + bytes.fromhex(subject)).link
    lines = scene.node("north").vault.lines(Side.CUSTODIAN, link)
    assert {(line.disclosure.member, line.disclosure.purpose) for line in lines} == {
        ("sponsor", "CLINTRCH"),
        ("statistics", "CLINTRCH"),
    }
    assert all(line.anchoring is not None for line in lines)
    assert scene.send("north").acts == 0


def test_attack_a_kit_asked_for_an_unconsented_subject(scene: Scene) -> None:
    subject = scene.screen("north", 20)
    north = scene.node("north")
    withdraw_consent(north, WithdrawConsent(study=scene.id, subject=subject))
    enrolment = scene.enrol("north", subject, "65-and-over")
    done = scene.work("authority", "ethics", "pharmacy-a")["pharmacy-a"]
    assert done.refused == (f"{enrolment.hex()}: trials.no-consent",)
    assert not list(kept(scene.node("pharmacy-a"), Envelope, enrolment))
    row = port.enrolment(scene.node("north").ledger.read(), enrolment)
    assert row is not None
    assert row.status is port.EnrolmentStatus.REFUSED
    evidence = one(scene.node("pharmacy-a"), Evidence, enrolment)
    for changes in (
        {"eligible": structs.replace(evidence.eligible, signature=bytes(64))},
        {"consent": structs.replace(evidence.consent, grant=bytes(32))},
        {"delegated": (), "investigator": bytes(32)},
        {"consent_salt": bytes(32)},
    ):
        keep(scene.node("pharmacy-b"), enrolment, structs.replace(evidence, **changes))
        with pytest.raises(Forbidden):
            check_evidence(scene.node("pharmacy-b"), enrolment, row)
    assert scene.send("north").withheld == 1


def test_too_few_trustees_the_enrolment_waits_and_goes_on_where_it_stopped(scene: Scene) -> None:
    enrolment = scene.enrol("north", scene.screen("north", 30), "under-65")
    done = scene.work("ethics", "pharmacy-a")["pharmacy-a"]
    assert done.waiting == (f"{enrolment.hex()}: trustees missing: authority, statistics",)
    assert not list(kept(scene.node("pharmacy-a"), Envelope, enrolment))
    assert scene.work("ethics")["ethics"].signed == 0
    scene.together.transport.down.add("https://pharmacy-b.example")
    scene.work("statistics", "pharmacy-a")
    row = port.enrolment(scene.node("sponsor").ledger.read(), enrolment)
    assert row is not None
    assert row.status is port.EnrolmentStatus.POSTED
    scene.together.transport.down.clear()
    scene.together.clock.advance(3_600_000)
    for name in ("ethics", "statistics", "north"):
        deliver_due(scene.node(name))
    done = scene.work("pharmacy-b", "pharmacy-a")["pharmacy-b"]
    assert (done.posted, done.wrong) == (1, ())
    row = port.enrolment(scene.node("sponsor").ledger.read(), enrolment)
    assert row is not None
    assert row.status is port.EnrolmentStatus.ALLOCATED


def batch(scene: Scene, enrolment: bytes) -> PartialsBatch:
    height = scene.node("ethics").ledger.head().height
    return PartialsBatch(scene.study, height, (SentPartials(enrolment, 2, b"d" * 48, b"s" * 48),))


def test_attack_partials_wrong_or_for_no_event(scene: Scene) -> None:
    enrolment = scene.enrol("north", scene.screen("north", 40), "under-65")
    with pytest.raises(Malformed, match=r"trials\.no-event"):
        taken(scene, "ethics", "pharmacy-a", "partials", batch(scene, bytes(32)))
    with pytest.raises(Forbidden, match=r"trials\.sender"):
        taken(scene, "sponsor", "pharmacy-a", "partials", batch(scene, enrolment))
    for name in ("pharmacy-a", "pharmacy-b"):
        taken(scene, "ethics", name, "partials", batch(scene, enrolment))
    done = scene.work("authority", "statistics", "pharmacy-a", "pharmacy-b")
    assert done["pharmacy-a"].wrong == done["pharmacy-b"].wrong
    assert "ethics" in done["pharmacy-a"].wrong[0]
    assert done["pharmacy-b"].posted == 1


def test_an_emergency_shows_one_arm_and_stands_in_the_register(scene: Scene) -> None:
    subject = scene.screen("north", 50)
    north = scene.node("north")
    with pytest.raises(NotFound):
        unblind(north, Unblind(study=scene.id, subject=subject))
    enrolment = scene.enrol("north", subject, "65-and-over")
    scene.work()
    told = unblind(north, Unblind(study=scene.id, subject=subject, reason="pregnancy"))
    envelope = one(scene.node("pharmacy-a"), Envelope, enrolment)
    assert (told.kit, told.arm) == (envelope.kit, ("arm-placebo", "arm-active")[envelope.arm])
    assert not told.deferred
    shown = show_trial(scene.node("sponsor"), ShowTrial(study=scene.id))
    assert "emergency, pregnancy, opened, pharmacy-b" in shown.openings
    state = scene.node("sponsor").ledger.read()
    row = port.opening(state, bytes.fromhex(told.case))
    assert row is not None
    assert enrolment not in encode(row)
    assert not list(kept(north, Envelope))
    with pytest.raises(Malformed):
        unblind(north, Unblind(study=scene.id, subject=subject, reason="curiosity"))
    assert assess(scene.node("sponsor"), Assess(case=told.case, assessment="sound")).status == "assessed"


class Halted:
    """A ledger that orders nothing while it is halted."""

    def __init__(self, ledger: Ledger) -> None:
        self.head = ledger.head

    def submit(self, _wire: bytes) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        future.set_exception(Busy("halted"))
        return future


def test_an_emergency_is_answered_while_the_ledger_is_halted_and_committed_later(scene: Scene) -> None:
    subject = scene.screen("north", 55)
    scene.enrol("north", subject, "65-and-over")
    scene.work()
    service = scene.node("pharmacy-b")
    sound = service.submitter
    service.submitter = Submitter(
        Halted(service.ledger),  # type: ignore[arg-type]
        service.network,
        service.member,
        service.signing_key,
        clock=service.now,
        entropy=service.entropy,
    )
    told = unblind(scene.node("north"), Unblind(study=scene.id, subject=subject))
    service.submitter = sound
    assert told.deferred
    assert port.opening(service.ledger.read(), bytes.fromhex(told.case)) is None
    assert emergency.settle(service) == 1
    row = port.opening(scene.node("sponsor").ledger.read(), bytes.fromhex(told.case))
    assert row is not None
    assert row.deferred
    assert emergency.settle(service) == 0


def test_attack_an_arm_is_asked_for_under_a_case_that_waits_for_the_ledger(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row would stand for two openings; the same question again is answered again, and entered once."""
    enrolments = [scene.enrol("north", scene.screen("north", 56 + at), "65-and-over") for at in range(2)]
    scene.work()
    north, service = scene.node("north"), scene.node("pharmacy-b")
    asks = [AskArm(b"i" * 16, each, int(port.ReasonClass.TREATMENT), north.entropy(32)) for each in enrolments]

    def halted(_message: Message) -> None:
        raise Unavailable("ledger.timeout", "the ledger did not answer")

    with monkeypatch.context() as changed:
        changed.setattr(service.submitter, "submit", halted)
        for _ in range(2):
            answer(service, "north", encode(asks[0]))
        with pytest.raises(Malformed, match=r"another opening has this case"):
            answer(service, "north", encode(asks[1]))
    assert emergency.settle(service) == 1
    row = port.opening(service.ledger.read(), b"i" * 16)
    assert row is not None
    with monkeypatch.context() as changed:  # the ledger has it, and its answer is lost
        changed.setattr(service.submitter, "submit", halted)
        answer(service, "north", encode(asks[0]))
        with pytest.raises(Malformed, match=r"another opening has this case"):
            answer(service, "north", encode(asks[1]))
    assert (emergency.settle(service), service.desk.deferred()) == (0, [])


def test_duties_of_telling_and_paying(scene: Scene) -> None:
    started = start_clock(scene.node("north"), StartSafetyClock(study=scene.id, kind="24-hours", event="collapse"))
    met = MeetSafetyClock(case=started.case, acknowledgement=b"ack")
    with pytest.raises(Refused, match=r"trials\.NOT_PARTY"):
        meet_clock(scene.node("sponsor"), met)
    assert meet_clock(scene.node("north"), met).status == "met"
    with pytest.raises(Refused, match=r"trials\.WRONG_KIND"):
        start_clock(scene.node("north"), StartSafetyClock(study=scene.id, kind="15-days", event="collapse"))
    fatal = start_clock(scene.node("sponsor"), StartSafetyClock(study=scene.id, kind="7-days", event="death"))
    told = meet_clock(scene.node("sponsor"), MeetSafetyClock(case=fatal.case, acknowledgement=b"ack"))
    follow_up = port.clock(scene.node("sponsor").ledger.read(), bytes.fromhex(told.follow_up))
    assert follow_up is not None
    assert (told.status, follow_up.kind) == ("met", port.ClockKind.FOLLOW_UP)
    subject = scene.screen("north", 70)
    scene.send("north")
    before = list_payments(scene.node("north"), ListPayments(study=scene.id))
    form = {"visit": "screen", "activity": "measure", "item.PAIN": "6", "item.PULSE": "70"}
    signed = ("investigator-north", "sign", "", {"visit": "screen"})
    scene.say("north", subject, [("nurse-north", "form", "", form), signed])
    assert (
        list_payments(scene.node("north"), ListPayments(study=scene.id)) == before
    )  # the sponsor knows nothing of it yet
    scene.send("north")
    after = list_payments(scene.node("north"), ListPayments(study=scene.id))
    assert (after.sites, after.held) == (("north: 1 lines, 25000",), before.held - 1)
    assert before.sites == ()


def test_an_unexpected_event_starts_its_clock_once_and_only_at_the_sponsor(scene: Scene) -> None:
    subject, sponsor = scene.screen("north", 75), scene.node("sponsor")
    said = ("nurse-north", "adverse", "", {"term": "stroke", "life-threatening": "yes"})
    number = scene.say("north", subject, [said]).acts
    asking = ExpectEvent(study=scene.id, subject=subject, event=number, reference=sample("reference"))
    with pytest.raises(NotFound):
        expect_event(sponsor, asking)
    scene.send("north")
    longer = sample("reference").replace(b"headache", b"stroke")
    for request, node, refusal in (
        (structs.replace(asking, reference=longer), sponsor, r"trials\.reference"),
        (asking, scene.node("north"), r"trials\.not-sponsor"),
    ):
        with pytest.raises(Forbidden, match=refusal):
            expect_event(node, request)
    with pytest.raises(NotFound, match=r"trials\.no-event"):
        expect_event(sponsor, structs.replace(asking, event=1))
    before = len(list(port.clocks(sponsor.ledger.read(), scene.study)))
    told = expect_event(sponsor, asking)
    assert (told.expected, told.susar) == (False, True)
    assert expect_event(sponsor, asking) == told
    rows = dict(port.clocks(sponsor.ledger.read(), scene.study))
    assert len(rows) == before + 1
    assert rows[bytes.fromhex(told.case)].kind is port.ClockKind.DAYS_7
    assert told.due > scene_time(scene)


def scene_time(scene: Scene) -> str:
    return day_of(scene.together.clock(), 6)


def test_the_audit_trail_is_alike_at_site_and_sponsor_and_blind(scene: Scene, tmp_path: Path) -> None:
    subject = scene.screen("north", 76)
    scene.enrol("north", subject, "under-65")
    scene.work()
    kit = kit_of(scene.node("north"), scene.study, bytes.fromhex(subject))
    form = {"visit": "screen", "activity": "measure", "item.PAIN": "6"}
    change = {"item": "screen/measure/1/PAIN", "value": "5", "reason": "typing error"}
    said = [("randomised", {"enrolment": "ee", "kit": kit}), ("form", form), ("change", change)]
    scene.say("north", subject, [("nurse-north", kind, "", fields) for kind, fields in said])
    scene.send("north")
    asking = ReadTrail(study=scene.id, subject=subject)
    own, sent = (read_trail(scene.node(name), asking) for name in ("north", "sponsor"))
    assert own == sent
    rows = [dict(zip(own.columns.split("\t"), line.split("\t"), strict=True)) for line in own.lines]
    assert (rows[-1]["old"], rows[-1]["new"], rows[-1]["reason"]) == ("6", "5", "typing error")
    assert rows[-1]["role"] == "coordinator"
    assert rows[-1]["who"] == scene.public("nurse-north").hex()[:16]
    assert all(row["entered"] <= row["anchored"] for row in rows)
    assert not any(kit in line for line in own.lines)
    with pytest.raises(NotFound):
        read_trail(scene.node("pharmacy-a"), asking)
    told = export_trial(scene.node("sponsor"), ExportTrial(study=scene.id, folder=str(tmp_path / "out"), form="sdtm"))
    assert any(each.startswith("qs.json: Collected of QS, ") for each in told.files)
    table = read_dataset((tmp_path / "out" / "qs.json").read_bytes())
    assert "5" in {row[table.place("QSORRES") or 0] for row in table.rows}


def test_attack_an_emergency_asked_by_another_member(scene: Scene) -> None:
    from salus.node.trials.unblinding import PATH, ArmTold  # noqa: PLC0415

    enrolment = next(key for key, _ in kept(scene.node("pharmacy-b"), Envelope))
    before = len(list(port.openings(scene.node("sponsor").ledger.read(), scene.study)))
    for ask in (AskArm(bytes(16), enrolment, 1, bytes(32)), AskArm(bytes(16), bytes(32), 99, bytes(32))):
        with pytest.raises(RemoteRefusal):
            scene.node("sponsor").peers.ask("pharmacy-b", PATH, ask, ArmTold)
    assert len(list(port.openings(scene.node("sponsor").ledger.read(), scene.study))) == before


def test_attack_a_visit_dated_back_is_refused_and_the_chain_goes_on(scene: Scene) -> None:
    subject = scene.screen("north", 60)
    early = scene.together.clock() - 30 * 60_000
    for code, said in (
        ("backdated", ("nurse-north", "visit", day_of(early), {"visit": "unscheduled"})),
        ("not-delegated", ("stranger", "visit", day_of(early), {"visit": "unscheduled"})),
    ):
        with pytest.raises(Forbidden, match=rf"trials\.{code}"):
            scene.say("north", subject, [said], entered=early if code == "backdated" else 0)
    told = scene.say("north", subject, [("nurse-north", "adverse", "", {"term": "headache"})])
    assert told.acts == 5
    drafted = draft_act(
        scene.node("north"),
        DraftAct(study=scene.id, subject=subject, person="ab" * 32, kind="visit", fields=("visit=base",)),
    )
    assert len(bytes.fromhex(drafted.act)) > 100
    with pytest.raises(Forbidden, match=r"trials\.not-delegated"):
        scene.say("north", "", [("nurse-north", "delegate", "", {"person": "aa" * 32, "role": "monitor"})])


def test_attack_eligibility_signed_with_other_acts(scene: Scene) -> None:
    """Dispensers are shown that act alone: a signature over more would leave them without proof, and the subject without kit."""
    subject = take_consent(scene.node("north"), consent(scene, 31)).subject
    who = "investigator-north"
    made = scene.acts(
        "north", subject, [(who, "visit", scene_time(scene), {"visit": "screen"}), (who, "eligible", "", {})]
    )
    acts = [bytes.fromhex(each.split(":")[0]) for each in made]
    together = scene.person(who).sign(run_signing_bytes(acts)).hex()
    request = RecordActs(study=scene.id, subject=subject, acts=(f"{acts[0].hex()}:", f"{acts[1].hex()}:{together}"))
    with pytest.raises(Forbidden, match=r"trials\.signed-together"):
        record_acts(scene.node("north"), request)
    assert own_chain(scene.node("north"), scene.study, bytes.fromhex(subject)) == []


def test_attack_documents_from_who_may_not_send_them(scene: Scene) -> None:
    told = definition(scene.node("sponsor"), scene.study, 1)
    with pytest.raises(Forbidden):
        taken(scene, "north", "ethics", "definition", told)
    with pytest.raises(Conflict):
        taken(scene, "sponsor", "ethics", "definition", structs.replace(told, terms=told.terms + b" "))
    with pytest.raises(Forbidden, match=r"trials\.blind"):
        publish_draws_to(scene)
    with pytest.raises(NotFound):
        show_key(scene.node("sponsor"), ShowKey(study=scene.id))
    with pytest.raises(NotFound):
        sign_trial(scene.node("sponsor"), SignTrial(study="00" * 16))


def publish_draws_to(scene: Scene) -> None:
    height = scene.node("pharmacy-a").ledger.head().height
    supply = next(value for _, value in kept(scene.node("pharmacy-a"), Supply))
    taken(scene, "pharmacy-a", "statistics", "draws", Draws(scene.study, height, supply, ()))


def test_attack_terms_that_do_not_compile_or_parties_that_meet(scene: Scene) -> None:
    terms = json.loads(sample("terms-1"))
    terms["outcomes"][0]["measure"] = "To be determined"
    key = show_key(scene.node("ethics"), ShowKey(study=scene.id)).key
    other = Scene(scene.together, b"other-study-1234", scene.persons)
    with pytest.raises(Malformed, match="placeholder"):
        other.commit(key, terms=json.dumps(terms).encode())
    meeting = tuple(one_.replace("pharmacy-b", "sponsor") for one_ in PARTIES)
    with pytest.raises(Refused, match=r"trials\.PARTS_MEET"):
        other.commit(key, meeting)
    with pytest.raises(Malformed):
        other.commit(key, ("NOTHING=x",))
    with pytest.raises(Malformed, match=r"trials\.method"):
        other.commit("")
    other.forms = b"<!DOCTYPE ODM><ODM/>"
    with pytest.raises(Malformed, match="declaration"):
        other.commit(key)
    other.forms, other.findings = b"", findings_in(b"another protocol")
    with pytest.raises(Malformed, match="other-protocol"):
        other.commit(key)


def test_every_party_holds_the_forms_and_findings_that_it_signed(scene: Scene) -> None:
    for name in ("north", "authority"):
        told = definition(scene.node(name), scene.study, 1)
        assert (told.forms, told.findings) == (scene.forms, scene.findings)
        without = package_root({part: getattr(told, part) for part in ("protocol", "terms", "analysis")})
        assert root_of(told) == port.version(scene.node(name).ledger.read(), scene.study, 1).package != without
    plan, _ = terms_of(scene.node("north"), scene.study, 1)
    assert [each.name for form in plan.forms for each in form.items] == ["PULSE", "PAIN", "SMOKES"]
    assert [each.id for each in plan.checks] == ["IT.PULSE.1", "IT.PAIN.1", "IT.PAIN.2", "IT.SMOKES.codes"]


def test_what_a_key_was_made_of_goes_when_the_study_stands(scene: Scene) -> None:
    """The polynomials that trustees dealt, and shares beside the finished key, lie on no disk any longer."""
    for name in scene.trustees:
        node = scene.node(name)
        make_keys(node)
        assert [len(node.desk.trials(kind)) for kind in ("key-asked", "own-dealing", "share")] == [0, 0, 0]
        told = deal_shares(node, DealShares(study=scene.id, trustees=scene.trustees, threshold=scene.threshold))
        assert (told.done, told.arrived) == (True, len(scene.trustees))
        assert not node.desk.trials("key-asked")


def test_a_look_is_taken_as_it_was_planned_and_none_beside(scene: Scene) -> None:
    for member, step, status in (
        ("statistics", "cut", "cut"),
        ("authority", "continue", "continue"),
        ("sponsor", "follow", "followed"),
    ):
        assert step_look(scene.node(member), StepTrialLook(study=scene.id, number=1, step=step)).status == status
    with pytest.raises(Refused, match=r"trials\.NO_SUCH_CASE"):  # one look more than was signed
        step_look(scene.node("statistics"), StepTrialLook(study=scene.id, number=2, step="cut"))
    with pytest.raises(Malformed, match=r"trials\.step"):
        step_look(scene.node("statistics"), StepTrialLook(study=scene.id, number=1, step="peek"))


def test_an_amendment_is_adopted_and_the_lock_the_draws_and_the_report_follow(scene: Scene, tmp_path: Path) -> None:
    for number in (90, 91):
        scene.enrol("north", scene.screen("north", number), "under-65")
    scene.work()
    assert scene.amend().after_unblinding is False  # its outcomes and analyses are those of the first version
    for name in ("ethics", "authority"):
        scene.step(name, "approve")
    scene.step("north", "adopt")
    shown = show_trial(scene.node("sponsor"), ShowTrial(study=scene.id))
    assert shown.sites == ("north active version 2",)
    scene.send("north")
    tasks = list_tasks(scene.node("statistics"), ListTasks(study=scene.id))
    assert not tasks.verdicts
    for member, step in (("sponsor", "close-recruitment"), ("sponsor", "last-visit"), ("sponsor", "clean")):
        scene.step(member, step)
    scene.step("statistics", "soft-lock")
    lock = LockTrial(study=scene.id)
    with pytest.raises(Conflict, match=r"trials\.unsigned"):
        lock_trial(scene.node("statistics"), lock)
    sign_everything(scene)
    assert lock_trial(scene.node("statistics"), lock).status == "proposed"
    only_what_is_known_is_signed(scene)
    sign_lock(scene.node("sponsor"), lock)
    assert sign_lock(scene.node("north"), lock).status == "locked"
    unlocked_and_locked_again(scene)
    for name, rows, refusal in (("statistics", (), Malformed), ("north", (b"[]",), Forbidden)):
        with pytest.raises(refusal, match=r"trials\.(rows|sender)"):
            taken(scene, name, "sponsor", "rows", Rows(scene.study, 1, rows, rows))
    exported_as_locked(scene, tmp_path)
    subject = next(key[16:].hex() for key, _ in kept(scene.node("north"), Subject, scene.study))
    with pytest.raises(Forbidden, match=r"trials\.locked"):
        scene.say("north", subject, [("nurse-north", "adverse", "", {"term": "late"})])
    with pytest.raises(NotFound):
        audit_draws(scene.node("statistics"), AuditDraws(study=scene.id))
    scene.step("statistics", "unblind")
    count = publish_draws(scene.node("pharmacy-a"), PublishDraws(study=scene.id)).draws
    audited = audit_draws(scene.node("statistics"), AuditDraws(study=scene.id))
    assert (audited.draws, audited.wrong) == (count, ())
    told = next(value for _, value in kept(scene.node("statistics"), Draws))
    first = structs.replace(told.draws[0], draw=told.draws[1].draw)
    keep(scene.node("statistics"), scene.study + b"pharmacy-a", structs.replace(told, draws=(first, *told.draws[1:])))
    assert first.enrolment.hex() in str(audit_draws(scene.node("statistics"), AuditDraws(study=scene.id)).wrong)
    for outcome, fields in (
        ("pain-week4", {"result": "-1.9"}),
        ("response", {"reason": "too few"}),
        ("pulse-week4", {"result": "71"}),
        ("mood", {"result": "better"}),
    ):
        post_result(scene.node("statistics"), PostResult(study=scene.id, outcome=outcome, **fields))
    with pytest.raises(Malformed):
        post_result(scene.node("statistics"), PostResult(study=scene.id, outcome="mood"))
    scene.step("statistics", "analyse")
    assert scene.step("sponsor", "report") == "reported"
    record = json.loads(show_registry(scene.node("ethics"), ShowRegistry(study=scene.id)).record)
    assert [one_["salusStatus"] for one_ in record["secondaryOutcomes"]] == ["not_done", "posted"]
    assert record["overallStatus"] == "REPORTED"
    terms = json.loads(sample("terms-1"))["outcomes"]
    terms[0]["time_frame"] = "Baseline to week 2"
    report = CompareOutcomes(study=scene.id, report=json.dumps(terms[:2]).encode())
    compared = compare_outcomes(scene.node("ethics"), report)
    assert compared.outcomes == (
        "pain-week4: changed (time_frame)",
        "response: as specified",
        "pulse-week4: missing",
    )
    with pytest.raises(EdgeError):
        scene.step("sponsor", "nothing")


def test_the_public_record_proves_itself_and_no_other(scene: Scene) -> None:
    """Without an account: a switched measure, a status, an outcome left out, and a row of another are each named."""
    trust = scene.together.trust().to_json().encode()
    record = json.loads(show_registry(scene.node("ethics"), ShowRegistry(study=scene.id)).record)

    def checked(**changes: object) -> RegistryChecked:
        return check_registry(None, CheckRegistry(record=json.dumps(record | changes).encode(), trust=trust))

    told = checked()
    assert (told.sound, told.wrong, told.flagged) == (True, (), False)
    assert told.outcomes[0].endswith("posted")
    first, *others = record["primaryOutcomes"]
    for changes, name in (
        ({"primaryOutcomes": [first | {"measure": "Pulse"}, *others]}, "not the outcome of its definition"),
        ({"primaryOutcomes": [first | {"timeFrame": "Week 2"}, *others]}, "not the outcome of its definition"),
        ({"primaryOutcomes": others}, "is left out"),
        ({"secondaryOutcomes": [*record["secondaryOutcomes"], first]}, "not the outcome of its definition"),
        ({"primaryOutcomes": [first | {"salusStatus": "not_done"}, *others]}, "not_done, proven posted"),
        ({"otherOutcomes": [{"salusDefinition": "00" * 32, "salusStatus": "post_hoc"}]}, "no proof of row"),
        ({"otherOutcomes": [{"salusDefinition": "odd", "salusStatus": "post_hoc"}]}, "no digest"),
        ({"overallStatus": "OPEN"}, "OPEN, proven REPORTED"),
        ({"salusChangedAfterOpening": True}, "proven False"),
        ({"salusVersion": 1}, "are not proven"),
        ({"salusProofs": record["salusProofs"][1:]}, "are not proven"),
        ({"salusProofs": []}, "are not proven"),
    ):
        assert any(name in each for each in checked(**changes).wrong), changes
    for changes in ({"salusProofs": ["AAAA"]}, {"salusNetwork": "00" * 32}, {"salusStudy": "x"}, {"salusVersion": "1"}):
        with pytest.raises(Malformed, match=r"trials\.registry"):
            checked(**changes)


VERIFY = """
import pathlib, sys
from salus.node.trials.evidence import VerifyEvidence, verify_evidence
file, trust = (pathlib.Path(name).read_bytes() for name in sys.argv[1:])
told = verify_evidence(None, VerifyEvidence(file=file, trust=trust))
print(told.sound, told.status, told.participants, told.draws)
"""


def test_the_evidence_is_replayed_in_another_process_without_a_network(scene: Scene, tmp_path: Path) -> None:
    trust = tmp_path / "trust.json"
    trust.write_text(scene.together.trust().to_json())
    public, whole = tmp_path / "public", tmp_path / "whole"
    made = write_evidence(scene.node("authority"), WriteEvidence(study=scene.id, file=str(public)))
    assert (made.participants, made.draws > 5) == (0, True)
    with pytest.raises(Conflict, match=r"trials\.evidence"):
        write_evidence(scene.node("authority"), WriteEvidence(study=scene.id, file=str(public)))
    paths = os.pathsep.join(each for each in sys.path if each)
    done = subprocess.run(
        [sys.executable, "-c", VERIFY, str(public), str(trust)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": paths},
    )
    assert done.stdout.split() == ["True", "reported", "0", str(made.draws)]
    write_evidence(scene.node("statistics"), WriteEvidence(study=scene.id, file=str(whole), scope="inspector"))
    data = whole.read_bytes()
    told = verify_evidence(None, VerifyEvidence(file=data, trust=trust.read_bytes()))  # type: ignore[arg-type]
    assert told.participants > 0
    assert told.acts > told.participants
    assert told.unchecked == ()
    # the statistician's copy holds the draw that the test before altered, which moves those after it; nothing else is wrong
    assert {each.split()[0] for each in told.wrong} == {"enrolment"}
    evidence = decode(data, TrialEvidence)
    short = tuple(structs.replace(each, acts=each.acts[:3]) for each in evidence.chains)
    altered = tuple(structs.replace(each, terms=each.terms + b" ") for each in evidence.definitions)
    for changed, word in (
        (structs.replace(evidence, chains=short), "lock"),
        (structs.replace(evidence, rows=evidence.rows[1:]), "the"),
        (structs.replace(evidence, definitions=altered), "version"),
        (structs.replace(evidence, rows=(structs.replace(evidence.rows[0], row=b""), *evidence.rows[1:])), "row"),
    ):
        request = VerifyEvidence(file=encode(changed), trust=trust.read_bytes())
        assert word in {each.split()[0] for each in verify_evidence(None, request).wrong}  # type: ignore[arg-type]
    acts_are_dated_by_their_anchors(evidence, trust.read_bytes())
    no_adoption_is_left_out(evidence, trust.read_bytes())
    with pytest.raises(Malformed):
        verify_evidence(None, VerifyEvidence(file=data[:-1], trust=trust.read_bytes()))  # type: ignore[arg-type]


def test_the_tables_stay_those_that_are_locked_while_days_go_by(scene: Scene, tmp_path: Path) -> None:
    north, sponsor = scene.node("north"), scene.node("sponsor")
    for _ in range(4):
        scene.together.clock.advance(20 * 86_400_000)
        north.submitter.submit(port.StartClock(scene.study, north.entropy(16), port.ClockKind.HOURS_24, bytes(32)))
    told_by_time = {each.code for _, _, state in states(sponsor, scene.study) for each in state.deviations}
    assert told_by_time == {"RECONSENT_OVERDUE"}
    told = export_trial(sponsor, ExportTrial(study=scene.id, folder=str(tmp_path), form="sdtm"))
    assert told.lock == "lock 3: the tables are those that are locked"
    assert b"RECONSENT_OVERDUE" not in (tmp_path / "dv.json").read_bytes()
