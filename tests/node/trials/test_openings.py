"""Consents by the participant's own wallet, and signatures under a credential renewed just before."""

import base64

import pytest
from msgspec import structs

from salus.agreements.trials.consenting import TrialPart
from salus.contracts.consent import port as consent_port
from salus.contracts.trials import port
from salus.core.encoding import decode, encode
from salus.node.demo.trial_scene import Scene, sample
from salus.node.errors import EdgeError, Forbidden, Malformed, Unauthenticated
from salus.node.exchange.wire import RemoteRefusal
from salus.node.trials import list_tasks, offer_trial, withdraw_consent
from salus.node.trials.conducting import ListTasks, WithdrawConsent
from salus.node.trials.drawing import check_evidence
from salus.node.trials.kept import Subject, Superseded, kept, one
from salus.node.trials.offering import Consent, Consented, OfferTrial, read_offer
from salus.node.wallet import trialling
from salus.node.wallet.holder import Holder


def joined(scene: Scene, number: int) -> Holder:
    """Return a patient of the site with a wallet that joined it."""
    holder, vault = scene.together.holder(), scene.node("north").vault
    holder.join("north", vault.invite(vault.open_link("urn:mrn:north", str(number))))
    return holder


def code(scene: Scene) -> str:
    return offer_trial(scene.node("north"), OfferTrial(study=scene.id, options=("samples",))).code


def agreed(scene: Scene, holder: Holder, **chosen: str) -> tuple[bytes, Consented]:
    offer = trialling.offered(holder, code(scene))
    return trialling.consent(holder, offer, days=700, through="north", **chosen)


def screened(scene: Scene, grant: bytes, subject: bytes, form: str = "") -> None:
    today = "2026-01-01"
    told = {"grant": grant.hex(), "form": form or one_form(scene)}
    answers = {"adult": "yes", "pain": "yes", "allergy": "no", "other-trial": "no"}
    scene.say(
        "north",
        subject.hex(),
        [
            ("nurse-north", "consent", today, told),
            ("nurse-north", "visit", today, {"visit": "screen"}),
            ("nurse-north", "screen", "", answers),
            ("investigator-north", "eligible", "", {}),
        ],
    )


def one_form(scene: Scene) -> str:
    return read_offer(code(scene))[0].form.hex()


def test_a_wallet_consents_and_alone_withdraws(scene: Scene) -> None:
    holder, north = joined(scene, 100), scene.node("north")
    offer = trialling.offered(holder, code(scene))
    assert (offer.site, offer.sponsor, offer.options) == ("north", "sponsor", ("samples",))
    with pytest.raises(Malformed, match=r"wallet\.trial"):
        trialling.consent(holder, offer, days=7, through="north", options=("genome",))
    grant, told = trialling.consent(holder, offer, days=700, through="north", options=("samples",))
    subject = one(north, Subject, scene.study + told.subject)
    part = decode(subject.proof.part, TrialPart)
    assert (subject.way, subject.seed, part.way, part.options) == ("wallet", b"", "wallet", ("samples",))
    screened(scene, grant, told.subject)
    enrolment = scene.enrol("north", told.subject.hex(), "under-65")
    scene.work()
    row = port.enrolment(north.ledger.read(), enrolment)
    assert row is not None
    assert row.status is port.EnrolmentStatus.ALLOCATED
    lines = list_tasks(north, ListTasks(study=scene.id)).participants
    assert any(f"{told.subject.hex()[:8]}: eligible" in each and "consent: wallet" in each for each in lines)
    with pytest.raises(RemoteRefusal, match=r"trials\.twice"):
        agreed(scene, holder)
    with pytest.raises(Forbidden, match=r"trials\.wallet-consent"):
        withdraw_consent(north, WithdrawConsent(study=scene.id, subject=told.subject.hex()))
    before = scene.send("north").withheld
    scene.say("north", told.subject.hex(), [("nurse-north", "adverse", "", {"term": "headache"})])
    trialling.withdraw(holder, grant, "treatment", through="north")
    assert not consent_port.live(north.ledger.read(), grant, north.ledger_time())
    assert scene.send("north").withheld == before + 1
    tasks = list_tasks(north, ListTasks(study=scene.id)).tasks
    assert any("withdrawal from treatment" in each for each in tasks)
    for scope in ("everything",):
        with pytest.raises(Malformed):
            trialling.withdraw(holder, grant, scope, through="north")


def test_attack_consents_that_do_not_hold(scene: Scene) -> None:
    holder, other, north = joined(scene, 110), joined(scene, 111), scene.node("north")
    for text, kind in (("salus-trial:AAAA", Malformed), (code(scene)[:-8], Malformed), ("x" * 3000, Malformed)):
        with pytest.raises(kind):
            trialling.offered(holder, text)
    offer, signed = read_offer(code(scene))
    forged = encode(structs.replace(signed, data=encode(structs.replace(offer, title="Another trial"))))
    text = "salus-trial:" + base64.urlsafe_b64encode(forged).decode()
    with pytest.raises(Forbidden, match=r"trials\.offer"):
        trialling.offered(holder, text)
    stale = structs.replace(offer, form=bytes(32))
    before = len(list(kept(north, Subject)))
    for wrong in (stale, structs.replace(offer, sponsor="statistics")):
        with pytest.raises((RemoteRefusal, EdgeError)):
            trialling.consent(holder, wrong, days=7, through="north")
    sent: list[Consent] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            holder, "instruct", lambda _m, _a, argument, _k: sent.append(argument) or Consented(bytes(16), ())
        )
        trialling.consent(holder, offer, days=7, through="north")
    (sound,) = sent
    wrongs = (
        structs.replace(sound, proof=structs.replace(sound.proof, salt=bytes(32))),
        structs.replace(sound, proof=structs.replace(sound.proof, grant=bytes(32))),
        structs.replace(sound, shown=structs.replace(sound.shown, salt=bytes(32))),
        structs.replace(sound, study=bytes(16)),
    )
    for wrong in wrongs:
        with pytest.raises((RemoteRefusal, EdgeError)):
            holder.instruct("north", "trial-consent", wrong, Consented)
    with pytest.raises((RemoteRefusal, EdgeError)):
        other.instruct("north", "trial-consent", sound, Consented)
    assert len(list(kept(north, Subject))) == before
    live = [one_ for one_ in holder.permissions() if not one_.revoked]
    assert len(live) == 1
    assert holder.instruct("north", "trial-consent", sound, Consented).superseded == ()


def test_a_signature_is_under_a_credential_renewed_just_before(scene: Scene) -> None:
    subject = scene.screen("north", 120)
    said = ("investigator-north", "sign", "", {"visit": "screen"})
    with pytest.raises(Forbidden, match=r"trials\.not-renewed"):
        scene.say("north", subject, [(*said[:3], {"visit": "screen", "renewed": "1"})])
    with pytest.raises(Forbidden, match=r"trials\.no-meaning"):
        scene.say("north", subject, [(*said[:3], {"visit": "screen", "meaning": ""})])
    with pytest.MonkeyPatch.context() as patch:
        old = scene.renewed("north", "investigator-north")
        scene.together.clock.advance(6 * 60_000)
        patch.setattr(scene, "renewed", lambda *_: old)
        with pytest.raises(Forbidden, match=r"trials\.not-renewed"):
            scene.say("north", subject, [said])
        scene.credentials["investigator-north"] = "no.such.one"
        with pytest.raises(Unauthenticated):
            scene.say("north", subject, [said])
    assert scene.say("north", subject, [said]).acts == 5


def test_a_newer_form_supersedes_the_consent_before_and_overwrites_nothing(scene: Scene) -> None:
    holder, north = joined(scene, 130), scene.node("north")
    first, told = agreed(scene, holder, signer="representative")
    screened(scene, first, told.subject)
    scene.amend()
    for member, step in (("ethics", "approve"), ("authority", "approve"), ("north", "adopt")):
        scene.step(member, step)
    second, again = agreed(scene, holder)
    assert (again.subject, again.superseded) == (told.subject, (first,))
    state = north.ledger.read()
    assert [consent_port.live(state, each, north.ledger_time()) for each in (first, second)] == [False, True]
    old = one(north, Superseded, scene.study + told.subject + first)
    assert (old.proof.grant, old.way) == (first, "representative")
    subject = one(north, Subject, scene.study + told.subject)
    assert (subject.proof.grant, subject.way) == (second, "wallet")
    scene.say("north", told.subject.hex(), [("nurse-north", "reconsent", "2026-01-02", {"form": one_form(scene)})])
    enrolment = scene.enrol("north", told.subject.hex(), "65-and-over")
    assert scene.work()["pharmacy-b"].refused == ()
    row = port.enrolment(scene.node("pharmacy-a").ledger.read(), enrolment)
    assert row is not None
    check_evidence(scene.node("pharmacy-a"), enrolment, row)
    assert sample("terms-2") != sample("terms-1")
