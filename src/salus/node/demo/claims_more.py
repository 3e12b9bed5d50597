"""Further steps of the claims chapter: shared accumulators, an approval, a second payer, the patient."""

from typing import Final

import msgspec

from salus.agreements.claims.decision import Decision
from salus.agreements.claims.members import Member, Members, OtherCover, person_of
from salus.agreements.claims.plan import Benefit
from salus.agreements.claims.rates import Rate, read_rates
from salus.contracts.claims import port
from salus.interop.x12.claim import Claim, Party, Person
from salus.interop.x12.envelope import Stamp, Trader, interchange
from salus.interop.x12.review import Asked, Review, request_set
from salus.node.claims import (
    approve,
    ask_approval,
    dossiers,
    list_cases,
    open_year,
    rule_on_claim,
    share_year,
)
from salus.node.claims.approving import Approve, AskApproval
from salus.node.claims.crossing import CROSSED
from salus.node.claims.deciding import DecideClaims, RuleOnClaim
from salus.node.claims.keeper import OpenYear, ShareYear
from salus.node.claims.listing import ListCases
from salus.node.claims.objecting import (
    AppealDecision,
    AskEobs,
    FindDoubleBills,
    appeal_decision,
    find_double_bills,
    list_eobs,
)
from salus.node.demo.claims_scene import PAYER, TODAY, Scene, fresh, plan_of, written
from salus.node.demo.serving import Hosted

MBI: Final = "1EG4TE5MK73"
MEDICARE: Final = OtherCover(
    payer="MERID1",
    name="MERIDIAN",
    member="meridian",
    number=MBI,
    filing="MB",
    medicare="age",
    since="20240101",
)


def share(scene: Scene) -> None:
    """Have the plan year kept by one payer for two."""
    with scene.telling.step(
        "Two payers share accumulators", "One keeps them, signed and proven; none can fork them."
    ) as step:
        opened = open_year(scene.payer, OpenYear(plan=scene.documents.plan, payers=("remedy",)))
        scene.settle()
        shared = share_year(scene.node("remedy"), ShareYear(plan=_pharmacy(scene).plan, year=opened.year))
        step.figure("keeper", shared.keeper)
        step.holds("the ledger names the keeper", shared.keeper == PAYER)


def tell(scene: Scene) -> None:
    """Tell what needs the month to be decided."""
    _pharmacy_claim(scene)
    _approval(scene)
    _second_payer(scene)
    _patient(scene)


def _pharmacy(scene: Scene) -> DecideClaims:
    """Return the documents of the pharmacy payer: the same plan, prices and persons under its own name."""
    plan = msgspec.structs.replace(plan_of(scene), payer="REMEDY1", payer_name="REMEDY PHARMACY PLAN")
    rates = [msgspec.structs.replace(one, payer="REMEDY1") for one in read_rates(scene.documents.rates)]
    members = msgspec.structs.replace(msgspec.json.decode(scene.documents.members, type=Members), payer="REMEDY1")
    return DecideClaims(
        plan=msgspec.json.encode(plan), rates=msgspec.json.encode(rates), members=msgspec.json.encode(members)
    )


def _for(payer: str, name: str) -> dict[str, Party]:
    return {"payer": Party(name, payer), "receiver": Party(name, payer)}


def _large(scene: Scene) -> Claim:
    """Return the claim of the month with the largest charge: its family reached the maximum."""
    return max((claim for claim, _ in scene.sent["birch"]), key=lambda one: one.charge)


def _pharmacy_claim(scene: Scene) -> None:
    with scene.telling.step("The pharmacy payer counts on", "What the medical payer took is in its facts.") as step:
        person = _large(scene)
        who = {"subscriber": person.subscriber, "patient": person.patient, "relationship": person.relationship}
        file = fresh(scene, "J0696", "PTDRUG", "20250404", **who, **_for("REMEDY1", "REMEDY PHARMACY PLAN"))
        (case,) = scene.submit("cedar", file, "remedy")
        scene.decide(_pharmacy(scene), "remedy")
        decision = scene.decision(case, "remedy")
        step.figure("left to the patient at the pharmacy, dollars", f"{decision.patient / 100:.2f}")
        ended = any("ended by the out-of-pocket maximum" in one.rule for one in decision.trace)
        step.holds("the family's maximum holds across both payers", decision.patient == 0 and ended)


def _codes(decision: Decision) -> set[str]:
    return {f"{one.group}-{one.code}" for line in decision.lines for one in line.reasons}


def _approval(scene: Scene) -> None:
    with scene.telling.step(
        "An approval is honoured", "Asked by 278, committed; its units are used up, not forgotten."
    ) as step:
        claim, _ = next(one for one in scene.sent["cedar"] if one[0].lines[0].procedure == "G0402")
        patient = claim.patient
        review = Review(
            "R1",
            Party(claim.payer.name, claim.payer.identifier),
            Party(claim.billing.name, claim.billing.identifier),
            Person(patient.last, patient.first, claim.subscriber.member, patient.birth, patient.sex),
            claim.diagnoses,
            (Asked("R0070", 1000, "20250401", "20250430"),),
        )
        body = request_set(review, "0001", (TODAY, "0900"))
        ends = (Trader("ZZ", "CEDAR"), Trader("ZZ", "HARBOR"))
        file = interchange(ends, Stamp(TODAY, "0900", 3), "HI", "005010X217", [body])
        asked = ask_approval(scene.node("cedar"), AskApproval(payer=PAYER, file=file, urgent=True))
        scene.settle()
        (number,) = approve(scene.payer, Approve(case=asked.case, verdict="approve")).numbers
        scene.settle()
        found, cases = [], []
        for place in (1, 2):
            sent = fresh(scene, "R0070", f"PTIMAGE{place}", f"2025040{4 + place}", authorisation=number)
            (case,) = scene.submit("cedar", sent)
            scene.decide()
            cases.append(case)
            found.append(_codes(scene.decision(case)))
        step.figure("approval", number)
        step.figure("units approved", 1)
        step.figure("first image, dollars allowed", f"{_allowed(scene, cases[0]) / 100:.2f}")
        step.figure("second image, the units used up", f"denied with {', '.join(sorted(found[1] & {'CO-198'}))}")
        step.holds("the first image is not denied", not found[0] & {"CO-197", "CO-198"})
        step.holds("the second is, for the units are used up", "CO-198" in found[1])


def _allowed(scene: Scene, case: str) -> int:
    return sum(line.allowed for line in scene.decision(case).lines)


def _second_payer(scene: Scene) -> None:
    with scene.telling.step(
        "A second payer pays what the regulation says", "42 CFR 411.33(b), from the first 837 to the second 835."
    ) as step:
        claim = _example(scene)
        first, second = _rules(scene, claim, "HARBOR1", 15_000), _rules(scene, claim, "MERID1", 12_500)
        (case,) = scene.submit("cedar", written(claim))
        scene.decide(first)
        step.figure("first payer, dollars", f"{scene.decision(case).paid / 100:.2f}")
        follows = scene.node("cedar").desk.claim_state(CROSSED + case)
        step.holds("the first payer hands it on; its provider sends nothing", bool(follows))
        scene.decide(second, "meridian")
        paid = scene.decision(follows.hex(), "meridian").paid
        own = dossiers.dossier_of(scene.node("cedar"), follows).last
        step.holds("the provider recomputes the second decision too", own.decided and not own.difference)
        step.figure("second payer, dollars", f"{paid / 100:.2f}")
        step.holds("the published figure: $120.00, then $30.00", (scene.decision(case).paid, paid) == (12_000, 3_000))


def _example(scene: Scene) -> Claim:
    claim, _ = next(one for one in scene.sent["cedar"] if one[0].lines[0].procedure == "G0402")
    line = msgspec.structs.replace(claim.lines[0], charge=17_500, first="20250408", last="20250408")
    return msgspec.structs.replace(
        claim, identifier="PTMSP", charge=17_500, lines=(line,), first="20250408", last="20250408"
    )


def _rules(scene: Scene, claim: Claim, payer: str, price: int) -> DecideClaims:
    """Return the documents of the regulation's example: one price, 20 % to the patient, no deductible left."""
    secondary = payer != claim.payer.identifier
    start = plan_of(scene)
    plan = msgspec.structs.replace(
        start,
        payer=payer,
        name="Example of 411.33",
        tiers=("in",),
        benefits=(Benefit(category="office", tier="in", clause="42 CFR 411.33", coinsurance=2000, deductible=False),),
        categories=(start.categories[-1],),
        accumulators=(),
        limits=(),
        coordination="medicare-secondary" if secondary else "standard",
    )
    (rates,) = [one for one in read_rates(scene.documents.rates) if one.provider == claim.billing.identifier]
    rate = Rate(method="fixed", procedure="G0402", clause="fee", amount=price)
    patient = claim.patient
    member = Member(
        subscriber=MBI if secondary else claim.subscriber.member,
        last=patient.last,
        first=patient.first,
        birth=patient.birth,
        since="20240101",
        employees=0 if secondary else 20,
        others=() if secondary else (MEDICARE,),
    )
    return DecideClaims(
        plan=msgspec.json.encode(plan),
        rates=msgspec.json.encode([msgspec.structs.replace(rates, payer=payer, rates=(rate,))]),
        members=msgspec.json.encode(Members(payer=payer, members=(member,))),
    )


def _patient(scene: Scene) -> None:
    claim = _denied(scene)
    with scene.telling.step(
        "The patient reads and finds a double bill", "Only the wallet sees the EOBs of all payers."
    ) as step:
        visit = fresh(scene, "S9129", "PTTWICE", "20250409", **_who(claim))
        scene.submit("cedar", visit)
        other = fresh(scene, "S9129", "PTTWICE", "20250409", **_who(claim), **_for("REMEDY1", "REMEDY PHARMACY PLAN"))
        scene.submit("cedar", other, "remedy")
        scene.decide()
        scene.decide(_pharmacy(scene), "remedy")
        scene.together.settle()
        wallet = Hosted(scene.together)
        for member, code in ((PAYER, "HARBOR1"), ("remedy", "REMEDY1"), ("cedar", "HARBOR1")):
            vault = scene.node(member).vault
            link = vault.open_link(f"urn:payer:{code}", person_of(claim))
            wallet.holder.join(member, vault.invite(link))
        told = list_eobs(wallet, AskEobs()).eobs
        step.figure("explanations of benefits", len(told))
        step.figure("payers", len({one.payer for one in told}))
        found = find_double_bills(wallet, FindDoubleBills(tell=True)).found
        step.figure("services billed to two payers", len(found))
        step.holds("one is found, and both payers are told", [one.told for one in found] == [True])
        waits = [
            one for one in list_cases(scene.payer, ListCases()).cases if any("bill one service" in w for w in one.waits)
        ]
        step.holds("a person at the payer sees the notice", len(waits) == 1)
    with scene.telling.step(
        "The patient appeals and wins", "Through the clinic, so that no payer can swallow it."
    ) as step:
        eob = next(one for one in told if one.status == "denied" and one.payer == PAYER and one.case)
        appeal = AppealDecision(
            payer=PAYER, case=eob.case, appeal_key=eob.appeal_key, statement="it was an emergency", through="cedar"
        )
        appeal_decision(wallet, appeal)
        scene.settle()
        row = port.case(scene.payer.ledger.read(), bytes.fromhex(eob.case))
        step.holds("the ledger has the case reopened, with its clock", row is not None and row.round == 2 and row.due)
        _, waiting, _ = scene.decide()
        step.holds("it waits for a person", waiting == 1)
        basis = "emergency: no approval was due"
        rule_on_claim(scene.payer, RuleOnClaim(case=eob.case, verdict="allow", step="authorisation", basis=basis))
        scene.decide()
        last = dossiers.dossier_of(scene.node("cedar"), bytes.fromhex(eob.case)).last
        step.figure("denied before, now", scene.decision(eob.case).status)
        step.figure("paid now, dollars", f"{scene.decision(eob.case).paid / 100:.2f}")
        step.holds("it is decided anew, and the provider recomputes it alike", last.number == 2 and not last.difference)
        step.holds("nothing is denied any more", scene.decision(eob.case).status == "paid")


def _denied(scene: Scene) -> Claim:
    """Return a claim of the month that was denied for lack of an approval."""
    return next(one.claim for one in scene.decisions() if "CO-197" in _codes(one))


def _who(claim: Claim) -> dict[str, object]:
    return {"subscriber": claim.subscriber, "patient": claim.patient, "relationship": claim.relationship}
