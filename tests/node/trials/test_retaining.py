"""Erasure asked for by who is in a trial: retained while the trial's duty stands, its name and end told, then deleted."""

import json
from pathlib import Path

import pytest
from msgspec import structs
from msgspec.structs import replace

from salus.agreements.trials.acts import SignedAct
from salus.agreements.trials.terms import Retention
from salus.contracts.consent import port as consent_port
from salus.contracts.records.port import ErasureStatus, Rank, RetentionReason, erasure
from salus.contracts.trials import port
from salus.core.encoding import decode, encode
from salus.core.proof.digest import mac
from salus.node import erasing
from salus.node.demo.trial_scene import Scene, sample
from salus.node.errors import EdgeError
from salus.node.trials import list_tasks, take_consent, verify_evidence, write_evidence
from salus.node.trials.conducting import ListTasks, TakeConsent
from salus.node.trials.evidence import EvidenceVerified, TrialEvidence, VerifyEvidence, WriteEvidence
from salus.node.trials.kept import ErasedSubject, Evidence, Subject, keep, kept, one
from salus.node.trials.retaining import Duty, forget
from salus.node.wallet import trialling
from salus.vault.drill import frames_of, pages_of
from salus.vault.links import Standing
from salus.vault.sealing import Content
from tests.node.trials.test_openings import agreed, joined, screened

DAY = 86_400_000
DUTY = "Regulation (EU) 536/2014, Art. 58"


@pytest.fixture(scope="module")
def retained(scene: Scene) -> Scene:
    """The trial once more, founded anew with a duty to keep records for a year."""
    other = Scene(scene.together, b"retained-study-1", scene.persons)
    other.sites, other.trustees, other.threshold = scene.sites, scene.trustees, scene.threshold
    terms = json.dumps(json.loads(sample("terms-1")) | {"retention": {"duty": DUTY, "years": 1}}).encode()
    made = other.commit(other.deal(), terms=terms)
    other.sign_all(made.waiting)
    for member, step in (("ethics", "approve"), ("authority", "approve"), ("sponsor", "register")):
        other.step(member, step, "NCT00000002 Retained")
    other.open_sites()
    other.step("sponsor", "open")
    other.supply()
    return other


def test_a_participant_whose_record_is_retained_stays_in_the_trial(retained: Scene) -> None:
    """Recorded and sent, read by the participant, shared with nobody under a grant, withdrawn by the wallet, called off."""
    scene, north = retained, retained.node("north")
    holder = joined(scene, 920)
    grant, told = agreed(scene, holder)
    link = north.vault.open_link("urn:mrn:north", "920")
    case, asked = holder.ask_erasure("north")
    assert asked.duty == DUTY
    assert consent_port.live(north.ledger.read(), grant, north.ledger_time())

    screened(scene, grant, told.subject)
    subject = told.subject.hex()
    sent = scene.send("north")
    assert (sent.acts, sent.withheld) == (4, 0)
    enrolment = scene.enrol("north", subject, "under-65")
    scene.say("north", subject, [("nurse-north", "adverse", "2026-01-02", {"term": "headache"})])
    assert scene.send("north").acts == 1
    row = port.enrolment(north.ledger.read(), enrolment)
    assert row is not None
    assert standing(scene, link, case) == (Standing.RETAINED, ErasureStatus.RETAINED)
    assert holder.access_log().lines
    assert holder.records("north")

    trialling.withdraw(holder, grant, "data", through="north")
    before = scene.send("north").withheld
    scene.say("north", subject, [("nurse-north", "adverse", "2026-01-03", {"term": "cough"})])
    assert scene.send("north").withheld == before + 1

    erasing.cancel(north, case, Rank.IN_PERSON)
    assert standing(scene, link, case) == (Standing.OPEN, ErasureStatus.CANCELLED)


def test_a_persons_decision_ends_and_the_trials_duty_goes_on(retained: Scene) -> None:
    scene, north = retained, retained.node("north")
    holder = joined(scene, 930)
    link = north.vault.open_link("urn:mrn:north", "930")
    case, _ = holder.ask_erasure("north")
    erasing.retain(north, case, RetentionReason.LEGAL_CLAIMS)
    take_consent(north, TakeConsent(study=scene.id, assigner="urn:mrn:north", identifier="930", language="en"))

    assert erasing.release(north, case) == Duty(DUTY, 0)

    assert standing(scene, link, case) == (Standing.RETAINED, ErasureStatus.RETAINED)
    assert erasing.newest(north, link)[1] == Duty(DUTY, 0)
    erasing.cancel(north, case, Rank.IN_PERSON)


def test_what_a_trial_must_keep_is_retained_with_the_duty_named_until_it_ends(retained: Scene) -> None:
    scene, north = retained, retained.node("north")
    holder, other = joined(scene, 910), joined(scene, 911)
    link, free = (north.vault.open_link("urn:mrn:north", number) for number in ("910", "911"))
    for each in (link, free):
        north.vault.write(each, [Content("Patient", "p", b'{"resourceType":"Patient","id":"p"}')])
    take_consent(north, TakeConsent(study=scene.id, assigner="urn:mrn:north", identifier="910", language="en"))

    case, told = holder.ask_erasure("north")
    own, nothing = other.ask_erasure("north")
    assert (told.duty, told.until) == (DUTY, 0)
    assert (nothing.duty, nothing.until) == ("", 0)
    assert standing(scene, link, case) == (Standing.RETAINED, ErasureStatus.RETAINED)
    row = erasure(north.ledger.read(), case)
    assert row is not None
    assert row.reason == RetentionReason.LEGAL_OBLIGATION
    stands = holder.erasure("north")
    assert (stands.status, stands.reason, stands.duty, stands.until) == ("retained", "legal-obligation", DUTY, 0)
    stands = other.erasure("north")
    assert (stands.status, stands.reason, stands.duty) == ("requested", "", "")
    assert stands.earliest - stands.opened == 7 * DAY
    with pytest.raises(EdgeError, match=r"erasure\.open"):
        holder.erase("north")

    later(scene, 8)
    assert erasing.advance(north) == 1
    assert standing(scene, link, case) == (Standing.RETAINED, ErasureStatus.RETAINED)
    assert standing(scene, free, own) == (Standing.ERASED, ErasureStatus.DELETED)

    scene.step("sponsor", "close-recruitment")
    scene.step("sponsor", "last-visit")
    later(scene, 1)
    study = port.study(north.ledger.read(), scene.study)
    assert study is not None
    ends = Retention(duty=DUTY, years=1).ends(port.last_visit(study))
    assert erasing.begin(north, link, case) == Duty(DUTY, ends)
    assert (holder.erasure("north").duty, holder.erasure("north").until) == (DUTY, ends)
    with pytest.raises(EdgeError, match=r"instruction\.refused"):  # what is deleted tells nothing any more
        other.erasure("north")
    assert other.keep() == {"north": False}
    assert erasing.advance(north) == 0

    pass_time(scene, 13 * [27] + [6])
    assert erasing.advance(north) == 2  # reviewed after a year; the other's last backup has expired
    assert standing(scene, link, case) == (Standing.RETAINED, ErasureStatus.RETAINED)
    assert erasing.advance(north) == 0
    pass_time(scene, [20])
    erasing.advance(north)
    assert standing(scene, link, case) == (Standing.ERASED, ErasureStatus.DELETED)


def pass_time(scene: Scene, days: list[int]) -> None:
    """Let days pass, the ledger told now and then: it believes no clock that leaves it far behind."""
    north = scene.node("north")
    for each in days:
        scene.together.clock.advance(each * DAY)
        north.submitter.submit(port.StartClock(scene.study, north.entropy(16), port.ClockKind.HOURS_24, bytes(32)))


def later(scene: Scene, days: int) -> None:
    scene.together.clock.advance(days * DAY)
    scene.together.settle()


def standing(scene: Scene, link: bytes, case: bytes) -> tuple[Standing, ErasureStatus]:
    north = scene.node("north")
    row = erasure(north.ledger.read(), case)
    assert row is not None
    return north.vault.link_info(link).standing, row.status


def test_who_asks_to_be_erased_holds_up_nobody_else(scene: Scene, tmp_path: Path) -> None:
    """A trial without a duty: nothing more of that participant leaves, the others' acts do; after the deletion too."""
    north, ask, stay = scene.node("north"), joined(scene, 940), joined(scene, 941)
    gone, other = agreed(scene, ask), agreed(scene, stay)
    for grant, told in (gone, other):
        screened(scene, grant, told.subject)
    scene.send("north")
    case, told_duty = ask.ask_erasure("north")
    assert told_duty.duty == ""
    for _, told in (gone, other):
        scene.say("north", told.subject.hex(), [("nurse-north", "adverse", "2026-01-02", {"term": "cough"})])

    sent = scene.send("north")

    assert (sent.participants, sent.acts, sent.withheld) == (1, 1, 1)
    before = one(north, Subject, scene.study + gone[1].subject)
    waits = evidence(scene, "north", tmp_path / "waits")
    assert [len(each.acts) for each in waits.erased] == [4]
    assert left_on_desk(scene, gone[1].subject, before)
    later(scene, 8)
    erasing.advance(north)
    row = erasure(north.ledger.read(), case)
    assert row is not None
    assert row.status is ErasureStatus.DELETED
    scene.say("north", other[1].subject.hex(), [("nurse-north", "adverse", "2026-01-03", {"term": "rash"})])
    assert (scene.send("north").acts, scene.send("north").acts) == (1, 0)
    people = list_tasks(north, ListTasks(study=scene.id)).participants
    assert any(each.startswith(f"north {other[1].subject.hex()[:8]}: eligible") for each in people)
    erased_and_proven(scene, tmp_path, gone[1].subject, before)


def test_what_a_site_that_dispenses_was_shown_goes_too(scene: Scene) -> None:
    north = scene.node("north")
    link, key, enrolment = north.vault.open_link("urn:mrn:north", "950"), scene.study + b"s" * 16, b"e" * 32
    told = replace(next(value for _, value in kept(north, Subject)), link=link, enrolment=enrolment, sent=0)
    keep(north, key, told)
    signed = SignedAct(b"", b"")
    keep(north, enrolment, Evidence(scene.study, enrolment, 0, told.proof, b"", b"", signed, b"", ()))
    others = len(list(kept(north, Subject)))
    forget(north, link)
    assert not list(kept(north, Evidence, enrolment))
    assert not list(kept(north, Subject, key))
    assert len(list(kept(north, Subject))) == others - 1
    assert all(len(one.acts) in {0, 4} for _, one in kept(north, ErasedSubject))


def erased_and_proven(scene: Scene, folder: Path, subject: bytes, before: Subject) -> None:
    """One erased: leaves of the acts, nothing that tells whose, every other proof valid; what was sent stays where it went."""
    assert left_on_desk(scene, subject, before) == []
    made, sponsors = (evidence(scene, name, folder / name) for name in ("north", "sponsor"))
    assert [len(each.acts) for each in made.erased] == [4]
    assert subject not in encode(made)
    assert before.link not in encode(made)
    told = verified(scene, made)
    assert (told.sound, told.erased, told.participants) == (True, 1, len(made.chains)), told.wrong
    assert {each.subject for each in sponsors.chains} == {each.subject for each in made.chains} | {subject}
    assert (verified(scene, sponsors).sound, verified(scene, sponsors).erased) == (True, 0)
    (left,) = made.erased
    altered = structs.replace(left, acts=(structs.replace(left.acts[0], leaf=bytes(32)), *left.acts[1:]))
    told = verified(scene, structs.replace(made, erased=(altered,)))
    assert told.wrong == ("north erased 1: act 1: the batch holds another leaf there",)
    foreign = structs.replace(made.chains[0], site="south")
    assert "no site" in verified(scene, structs.replace(made, chains=(foreign, *made.chains[1:]))).wrong[0]


def evidence(scene: Scene, member: str, file: Path) -> TrialEvidence:
    scene.settle()
    write_evidence(scene.node(member), WriteEvidence(study=scene.id, file=str(file), scope="inspector"))
    return decode(file.read_bytes(), TrialEvidence)


def verified(scene: Scene, made: TrialEvidence) -> EvidenceVerified:
    trust = scene.together.trust().to_json().encode()
    return verify_evidence(None, VerifyEvidence(file=encode(made), trust=trust))  # type: ignore[arg-type]


def left_on_desk(scene: Scene, subject: bytes, told: Subject) -> list[str]:
    """Decrypt every page and frame of the site's desk; return where something of the participant lies: code, consent."""
    north = scene.node("north")
    path, key = Path(north.desk._path), mac(north.keys.vault, "salus/v1/desk")
    needles = (subject, told.proof.grant, told.proof.salt)  # the part is alike for all who chose alike
    pages = [*pages_of(path, key), *frames_of(path.with_name(path.name + "-wal"), key)]
    assert len(pages) > 10
    return [f"{number}" for number, text in pages if any(needle in text for needle in needles)]
