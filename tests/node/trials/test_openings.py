"""Consents by the participant's own wallet, signatures under a fresh credential, openings by trustees, and thieves."""

import base64
from pathlib import Path
from random import Random

import pytest
from msgspec import structs

from salus.agreements.threshold import interpolate
from salus.agreements.trials.allocation import open_allocation
from salus.agreements.trials.consenting import TrialPart
from salus.agreements.trials.draws import DrawRefused
from salus.agreements.trials.payments import commitment
from salus.contracts.consent import port as consent_port
from salus.contracts.trials import port
from salus.core.encoding import decode, encode
from salus.node.demo.trial_scene import PARTIES, Scene, sample
from salus.node.errors import EdgeError, Forbidden, Malformed, NotFound, Refused, Unauthenticated
from salus.node.exchange.delivery import deliver_due
from salus.node.exchange.wire import RemoteRefusal
from salus.node.trials import (
    agree_to_opening,
    ask_opening,
    assess,
    bill_trial,
    list_openings,
    list_payments,
    list_tasks,
    offer_trial,
    read_opening,
    settle_trial,
    show_trial,
    take_consent,
    withdraw_consent,
)
from salus.node.trials.conducting import ListTasks, TakeConsent, WithdrawConsent
from salus.node.trials.drawing import check_evidence
from salus.node.trials.founding import ShowTrial
from salus.node.trials.kept import (
    KINDS,
    AskedOpening,
    Envelope,
    OpeningPartial,
    SentStatement,
    Subject,
    Superseded,
    Supply,
    keep,
    kept,
    one,
)
from salus.node.trials.offering import Consent, Consented, OfferTrial, read_offer
from salus.node.trials.openings import (
    PATH,
    AgreeToOpening,
    AskCiphertext,
    AskOpening,
    CiphertextTold,
    ListOpenings,
    ReadOpening,
)
from salus.node.trials.paying import BillTrial, ListPayments, SettleTrial
from salus.node.trials.unblinding import Assess
from salus.node.wallet import trialling
from salus.node.wallet.holder import Holder
from tests.node.trials.test_members import taken

PARTY_MEMBERS = {each.partition("=")[2] for each in PARTIES}


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


@pytest.mark.parametrize("seeds", [range(12), pytest.param(range(12, 112), marks=pytest.mark.soak)])
def test_attack_one_person_twice_at_a_site(scene: Scene, seeds: range) -> None:
    """Under the same number, another number of the same link, a link found to be the same patient's, or by wallet from there."""
    north, caught = scene.node("north"), 0
    for seed in seeds:
        random = Random(seed)
        first, second = (str(random.randrange(10**9, 10**10)) for _ in range(2))
        taken = take_consent(
            north, TakeConsent(study=scene.id, assigner="urn:mrn:north", identifier=first, language="en")
        )
        link = north.vault.open_link("urn:mrn:north", first)
        way = random.choice(("same", "other", "joined", "wallet"))
        if way == "other":
            north.vault.add_identifier(link, "urn:ssn", second)
        elif way != "same":
            other = north.vault.open_link("urn:ssn", second)
            north.catch_up()
            north.index.join([(link, other)])
        try:
            if way == "wallet":
                holder = scene.together.holder()
                holder.join("north", north.vault.invite(other))
                agreed(scene, holder)
            else:
                named = ("urn:mrn:north", first) if way == "same" else ("urn:ssn", second)
                again = TakeConsent(study=scene.id, assigner=named[0], identifier=named[1], language="en")
                take_consent(north, again)
        except EdgeError as refused:
            caught += refused.code == "trials.twice"
        found = [key[16:].hex() for key, one_ in kept(north, Subject, scene.study) if one_.link == link]
        assert found == [taken.subject]
    assert caught == len(seeds)


def test_one_person_who_is_found_twice_later_is_told(scene: Scene) -> None:
    north = scene.node("north")
    subjects = [scene.screen("north", number) for number in (700, 701)]
    assert not any("the same person" in each for each in list_tasks(north, ListTasks(study=scene.id)).tasks)
    north.index.join([[north.vault.open_link("urn:mrn:north", number) for number in ("700", "701")]])
    told = [each for each in list_tasks(north, ListTasks(study=scene.id)).tasks if "the same person" in each]
    assert len(told) == 1
    assert all(subject[:8] in told[0] for subject in subjects)
    north.index.join([])


def test_a_site_is_paid_what_the_sponsor_computes_too(scene: Scene) -> None:
    """Stated by commitment, agreed to only as the chains tell, paid once; another's statement, or another sum, is refused."""
    north, sponsor = scene.node("north"), scene.node("sponsor")
    for number in (150, 151):
        grant, told = agreed(scene, joined(scene, number))
        screened(scene, grant, told.subject)
        form = {"visit": "screen", "activity": "measure", "item.PAIN": "6", "item.PULSE": "70"}
        signed = ("investigator-north", "sign", "", {"visit": "screen"})
        scene.say("north", told.subject.hex(), [("nurse-north", "form", "", form), signed])
    scene.send("north")
    scene.together.settle()
    (due,) = (each for each in list_payments(north, ListPayments(study=scene.id)).sites if each.startswith("north: "))
    assert due in list_payments(sponsor, ListPayments(study=scene.id)).sites

    made = bill_trial(north, BillTrial(study=scene.id))

    assert (made.number, made.status, due) == (1, "stated", f"north: {made.lines} lines, {made.total}")
    row = port.payment(sponsor.ledger.read(), scene.study, "north", 1)
    assert row is not None
    sent = one(north, SentStatement, port.payment_key(scene.study, "north", 1))
    assert row.commitment == commitment(sent.statement, sent.salt)
    more = structs.replace(sent.statement, lines=(structs.replace(sent.statement.lines[0], amount=1),))
    key = port.payment_key(scene.study, "north", 1)
    keep(sponsor, key, structs.replace(sent, statement=more))
    agree = SettleTrial(study=scene.id, site="north", number=1, step="agree")
    with pytest.raises(EdgeError, match=r"trials\.statement"):
        settle_trial(sponsor, agree)
    keep(sponsor, key, sent)
    with pytest.raises(Refused, match="NOT_PARTY"):
        settle_trial(north, agree)
    with pytest.raises(EdgeError, match=r"trials\.statement"):
        taken(scene, "north", "sponsor", "statement", structs.replace(sent, statement=more))
    with pytest.raises(EdgeError, match=r"trials\.sender"):
        taken(scene, "statistics", "sponsor", "statement", sent)
    assert settle_trial(sponsor, agree).status == "agreed"
    assert list_payments(sponsor, ListPayments(study=scene.id)).sites == ()
    scene.together.abreast()
    with pytest.raises(NotFound, match=r"trials\.nothing-due"):
        bill_trial(north, BillTrial(study=scene.id))
    assert settle_trial(sponsor, structs.replace(agree, step="pay")).status == "paid"
    scene.together.abreast()
    assert list_payments(north, ListPayments(study=scene.id)).statements == ("north 1: paid",)


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


@pytest.fixture(scope="module")
def allocated(scene: Scene) -> tuple[bytes, bytes]:
    """Two enrolments with allocations."""
    found = [scene.enrol("north", scene.screen("north", number), "under-65") for number in (140, 141)]
    scene.work()
    return found[0], found[1]


def asked(scene: Scene, member: str, enrolment: bytes, kind: str = "susar") -> str:
    request = AskOpening(study=scene.id, kind=kind, reason="safety-report", enrolment=enrolment.hex())
    return ask_opening(scene.node(member), request).case


def arm_of(scene: Scene, enrolment: bytes) -> tuple[str, str]:
    envelope = one(scene.node("pharmacy-a"), Envelope, enrolment)
    return ("arm-placebo", "arm-active")[envelope.arm], envelope.kit


def test_two_of_three_trustees_open_one_allocation_for_the_regulator(
    scene: Scene, allocated: tuple[bytes, bytes]
) -> None:
    enrolment, other = allocated
    authority = scene.node("authority")
    case = asked(scene, "authority", enrolment)
    assert asked(scene, "authority", enrolment) == case
    waiting = list_openings(scene.node("ethics"), ListOpenings(study=scene.id)).openings
    assert [each.split(", ")[0] for each in waiting] == [case]
    first = agree_to_opening(scene.node("ethics"), AgreeToOpening(case=case))
    assert (first.status, first.agreed) == ("requested", 1)
    with pytest.raises(Forbidden, match=r"trials\.not-opened"):
        read_opening(authority, ReadOpening(case=case))
    assert agree_to_opening(scene.node("statistics"), AgreeToOpening(case=case)).status == "opened"
    told = read_opening(authority, ReadOpening(case=case))
    assert ((told.arm, told.kit), told.wrong) == (arm_of(scene, enrolment), ())
    row = port.opening(scene.node("sponsor").ledger.read(), bytes.fromhex(case))
    assert row is not None
    assert enrolment not in encode(row)
    partials = {each.trustee: each.seal for _, each in kept(authority, OpeningPartial, bytes.fromhex(case))}
    ciphertext = one(scene.node("pharmacy-a"), Envelope, other).ciphertext
    with pytest.raises(DrawRefused):
        open_allocation(other, ciphertext, interpolate(partials))
    for member in ("sponsor", "north", "ethics"):
        with pytest.raises((Forbidden, NotFound)):
            read_opening(scene.node(member), ReadOpening(case=case))
    shown = show_trial(scene.node("sponsor"), ShowTrial(study=scene.id)).openings
    assert "susar, safety_report, opened, authority" in shown
    assert assess(scene.node("sponsor"), Assess(case=case, assessment="sound")).status == "assessed"


def test_an_opening_goes_on_where_it_stopped_and_none_is_opened_twice(
    scene: Scene, allocated: tuple[bytes, bytes]
) -> None:
    enrolment, authority, ethics = allocated[1], scene.node("authority"), scene.node("ethics")
    lost = AskedOpening(scene.study, b"c" * 16, enrolment, bytes(32), int(port.Kind.BOARD), "authority", 0)
    keep(authority, lost.case, lost)  # killed before the ledger heard of it
    case = asked(scene, "authority", enrolment, "board")
    assert case == lost.case.hex()
    scene.node("ethics").submitter.submit(port.GrantOpening(lost.case, 2))  # killed before its signature was sent
    assert not list(kept(authority, OpeningPartial, lost.case))
    assert agree_to_opening(ethics, AgreeToOpening(case=case)).agreed == 1
    assert agree_to_opening(ethics, AgreeToOpening(case=case)).agreed == 1
    assert len(list(kept(authority, OpeningPartial, lost.case))) == 1
    scene.together.transport.down.add("https://authority.example")
    assert agree_to_opening(scene.node("statistics"), AgreeToOpening(case=case)).status == "opened"
    scene.together.abreast()
    with pytest.raises(NotFound, match=r"trials\.partials"):
        read_opening(authority, ReadOpening(case=case))
    scene.together.transport.down.clear()
    scene.together.clock.advance(3_600_000)
    deliver_due(scene.node("statistics"))
    told = read_opening(authority, ReadOpening(case=case))
    assert (told.arm, told.kit) == arm_of(scene, enrolment)
    rows = [row for _, row in port.openings(authority.ledger.read(), scene.study) if row.kind is port.Kind.BOARD]
    assert len(rows) == 1


def test_attack_openings_by_who_may_not_and_signatures_that_do_not_hold(
    scene: Scene, allocated: tuple[bytes, bytes]
) -> None:
    enrolment, other = allocated
    with pytest.raises(Refused, match=r"trials\.NOT_PARTY"):
        asked(scene, "sponsor", enrolment)
    with pytest.raises(NotFound, match=r"trials\.not-allocated"):
        asked(scene, "authority", bytes(32))
    with pytest.raises(Malformed):
        asked(scene, "authority", enrolment, "curiosity")
    with pytest.raises(Malformed, match=r"trials\.enrolment"):
        ask_opening(scene.node("north"), AskOpening(study=scene.id, kind="agreed", reason="other"))
    case = bytes.fromhex(asked(scene, "ethics", enrolment, "agreed"))
    sound = one(scene.node("statistics"), AskedOpening, case)
    swapped = structs.replace(sound, enrolment=other)
    with pytest.raises(Malformed, match=r"trials\.other-opening"):
        taken(scene, "ethics", "statistics", "opening", swapped)
    with pytest.raises(Forbidden, match=r"trials\.sender"):
        taken(scene, "sponsor", "statistics", "opening", sound)
    keep(scene.node("statistics"), case, swapped)
    with pytest.raises(Forbidden, match=r"trials\.other-opening"):
        agree_to_opening(scene.node("statistics"), AgreeToOpening(case=case.hex()))
    keep(scene.node("statistics"), case, sound)
    height = scene.node("ethics").ledger.head().height
    early = OpeningPartial(case, 3, height, bytes(48))
    with pytest.raises(Malformed, match=r"trials\.no-event"):
        taken(scene, "statistics", "ethics", "partial", early)
    agree_to_opening(scene.node("statistics"), AgreeToOpening(case=case.hex()))
    with pytest.raises(Forbidden, match=r"trials\.sender"):
        taken(scene, "sponsor", "ethics", "partial", early)
    taken(scene, "statistics", "ethics", "partial", early)  # its own trustee sends a wrong one
    agree_to_opening(scene.node("authority"), AgreeToOpening(case=case.hex()))
    with pytest.raises(NotFound, match="statistics"):
        read_opening(scene.node("ethics"), ReadOpening(case=case.hex()))
    agree_to_opening(scene.node("statistics"), AgreeToOpening(case=case.hex()))
    assert read_opening(scene.node("ethics"), ReadOpening(case=case.hex())).wrong == ()
    mishap = AskOpening(study=scene.id, kind="inadvertent", reason="error", enrolment=enrolment.hex())
    assert ask_opening(scene.node("north"), mishap).status == "opened"
    ask = AskCiphertext(enrolment)
    outsider = next((name for name in scene.together.nodes if name not in {"north", *PARTY_MEMBERS}), "")
    assert outsider == ""
    with pytest.raises(RemoteRefusal):
        scene.node("sponsor").peers.ask("pharmacy-a", PATH, AskCiphertext(bytes(32)), CiphertextTold)
    assert scene.node("sponsor").peers.ask("pharmacy-a", PATH, ask, CiphertextTold).ciphertext


def test_attack_a_thief_with_all_files_but_the_dispensers_learns_no_arm(
    scene: Scene, allocated: tuple[bytes, bytes]
) -> None:
    """Everything that the other members keep, opened with their own keys, and the raw bytes of their folders."""
    for enrolment in allocated:
        envelope = one(scene.node("pharmacy-a"), Envelope, enrolment)
        for member, node in scene.together.nodes.items():
            if member.startswith("pharmacy"):
                continue
            values = [value for kind in KINDS.values() for _, value in kept(node, kind)]
            assert not any(isinstance(value, Envelope | Supply) for value in values)
            secret = (envelope.draw, envelope.seal, envelope.ciphertext)
            assert not any(piece in encode(value) for value in values for piece in secret)
            folder = Path(node.config.data)
            raw = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
            assert not any(piece in raw for piece in secret)
            assert len(raw) > 100_000


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
