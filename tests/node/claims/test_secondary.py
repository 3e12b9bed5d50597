"""Two payers in order: the published figure of 42 CFR 411.33(b) from the first 837 to the second 835."""

from collections.abc import Iterator

import msgspec
import pytest

from salus.agreements.claims.members import OtherCover
from salus.agreements.claims.plan import Benefit, Plan
from salus.agreements.claims.rates import Rate, Rates
from salus.contracts.claims import port
from salus.contracts.membership.port import Role
from salus.core.encoding import decode
from salus.interop.x12.examine import UnitSeen, examine
from salus.interop.x12.findings import refused
from salus.interop.x12.remittance import Payment, read_payment
from salus.node.claims import correct_claim, decide_claims, dossiers, submit_claims, submit_secondary
from salus.node.claims.crossing import CROSSING, Crossing, SentCrossing, take_crossing
from salus.node.claims.deciding import CorrectClaim, DecideClaims
from salus.node.claims.exchange import SentAgain, read_decision, submission_commitment
from salus.node.claims.following import FOLLOWING, Fixed, take_again
from salus.node.claims.submitting import SubmitClaims, SubmitSecondary
from salus.node.errors import Conflict, Forbidden, NotFound, Unavailable
from salus.node.exchange.delivery import deliver_due
from salus.node.exchange.documents import seal_document
from salus.node.together import Clock, Founder, Together, found_together
from salus.vault.journal import Side
from tests.agreements.claims.cases import MEMBERS, PLAN, RATES, claim, file_of, line
from tests.node.claims.dying import dying

JSON = msgspec.json.encode
MBI = "1EG4TE5MK73"


def plan_of(payer: str, share: int, coordination: str) -> Plan:
    return msgspec.structs.replace(
        PLAN,
        payer=payer,
        tiers=("in",),
        benefits=(Benefit(category="office", tier="in", clause="1", coinsurance=share, deductible=False),),
        categories=(PLAN.categories[-1],),
        accumulators=(),
        limits=(),
        coordination=coordination,
    )


def rates_of(payer: str, amount: int) -> Rates:
    return msgspec.structs.replace(
        RATES, payer=payer, rates=(Rate(method="fixed", procedure="G0402", clause="fee", amount=amount),)
    )


def request(plan: Plan, rates: Rates, number: str = "M1") -> DecideClaims:
    members = tuple(msgspec.structs.replace(one, subscriber=number) for one in MEMBERS.members)
    return DecideClaims(
        plan=JSON(plan),
        rates=JSON([rates]),
        members=JSON(msgspec.structs.replace(MEMBERS, payer=plan.payer, members=members)),
    )


FIRST = request(plan_of("HARBOR1", 2000, "standard"), rates_of("HARBOR1", 15000))
SECOND = request(plan_of("MERID1", 2000, "medicare-secondary"), rates_of("MERID1", 12500), MBI)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    """One network for all tests: each has claims of days of its own."""
    founders = (
        Founder("cedar", "Cedar Clinic", (Role.PROVIDER,)),
        Founder("harbor", "Harbor Health", (Role.PAYER,)),
        Founder("meridian", "Meridian", (Role.PAYER,)),
    )
    found = found_together(tmp_path_factory.mktemp("together"), founders, clock=Clock(lambda: 1_741_608_000_000))
    yield found
    found.close()


def payments(together: Together) -> list[Payment]:
    found = []
    for _, body in together.nodes["cedar"].desk.claim_states("835/"):
        for event in examine([msgspec.msgpack.decode(body, type=tuple)[2]]):
            if isinstance(event, UnitSeen):
                assert not refused(event.findings)
                found.append(read_payment(event.loop, event.head.delimiters.component))
    return [one for one in found if one.identifier == "A1"]


def after(case: str) -> SubmitSecondary:
    return SubmitSecondary(case=case, payer="meridian", identifier="MERID1", name="MERIDIAN", number=MBI, filing="MB")


def test_medicare_pays_thirty_dollars_after_the_first_payer(together: Together) -> None:
    cedar = together.nodes["cedar"]
    file = file_of(claim(line(1, charge=17500)))
    (case,) = submit_claims(cedar, SubmitClaims(payer="harbor", file=file)).cases
    together.abreast()
    decide_claims(together.nodes["harbor"], FIRST)
    together.abreast()

    (second,) = submit_secondary(cedar, after(case)).cases
    together.abreast()
    done = decide_claims(together.nodes["meridian"], SECOND)
    together.abreast()

    assert (done.decided, done.cents) == (1, 3000)
    first, last = sorted(payments(together), key=lambda one: one.status)
    assert (first.status, first.charge, first.paid, first.patient) == ("1", 17500, 12000, 3000)
    assert (last.status, last.charge, last.paid) == ("2", 17500, 3000)
    taken = {(one.group, one.reason): one.amount for one in last.services[0].adjustments}
    assert taken == {("OA", "23"): 14500}
    written_off = 17500 - 15000
    assert 17500 - first.paid - written_off - last.paid == 0
    assert dossiers.dossier_of(cedar, bytes.fromhex(second)).last.difference == ""


def on_file(member: str = "meridian") -> DecideClaims:
    after = OtherCover(
        payer="MERID1", name="MERIDIAN", member=member, number=MBI, filing="MB", medicare="age", since="20240101"
    )
    members = msgspec.json.decode(FIRST.members, type=type(MEMBERS))
    some = tuple(msgspec.structs.replace(one, employees=20, others=(after,)) for one in members.members)
    return msgspec.structs.replace(FIRST, members=JSON(msgspec.structs.replace(members, members=some)))


def crossed(together: Together, day: str) -> tuple[bytes, SentCrossing]:
    """Have a claim of $175 decided by the first payer; return its case and what went on."""
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    file = file_of(claim(line(1, charge=17500, day=day), identifier=f"X{day}"))
    (case,) = submit_claims(cedar, SubmitClaims(payer="harbor", file=file)).cases
    together.abreast()
    assert decide_claims(harbor, on_file()).crossed == 1
    together.abreast()
    kept = decode(harbor.desk.claim_state(f"crossing/{case}"), Crossing)
    height = together.owner.ledger.head().height
    return bytes.fromhex(case), SentCrossing(
        height, kept.case, kept.salt, kept.key, kept.file, kept.follows, kept.payer, kept.round
    )


def test_the_first_payer_hands_a_claim_on_and_the_provider_recomputes_both(together: Together) -> None:
    case, sent = crossed(together, "20250202")
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    assert decide_claims(harbor, on_file()).crossed == 0
    done = decide_claims(together.nodes["meridian"], SECOND)
    together.abreast()
    assert (done.decided, done.cents) == (1, 3000)
    for one in (case, sent.case):
        last = dossiers.dossier_of(cedar, one).last
        assert (last.difference, bool(last.remittance)) == ("", True)
    link = harbor.vault.open_link("urn:payer:HARBOR1", "M1|19800101|JANE")
    told = [one.disclosure.member for one in harbor.vault.lines(Side.CUSTODIAN, link)]
    assert told[-2:] == ["meridian", "cedar"]
    with pytest.raises(Conflict, match=r"claims\.crossed"):
        submit_secondary(cedar, after(case.hex()))


def test_a_crossing_is_made_once_wherever_the_first_payer_stops(together: Together) -> None:
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    died, known = 0, [len(dossiers.kept_cases(one)) for one in (together.nodes["meridian"], cedar)]
    for place in range(4):
        file = file_of(claim(line(1, charge=17500, day=f"2025010{place + 1}"), identifier=f"A{place}"))
        submit_claims(cedar, SubmitClaims(payer="harbor", file=file))
        together.abreast()
        with dying(harbor, 5 + 2 * place) as seen:
            decide_claims(harbor, on_file())
        died += "died" in seen
        decide_claims(harbor, on_file())
        together.clock.advance(3_600_000)
        deliver_due(harbor)
        together.abreast()
        assert len(dossiers.kept_cases(together.nodes["meridian"])) == known[0] + place + 1
    assert died == 4
    assert len(dossiers.kept_cases(cedar)) == known[1] + 8


def test_what_is_handed_on_falsely_is_refused_by_name(together: Together) -> None:
    case, sent = crossed(together, "20250203")
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    before = dossiers.kept_cases(cedar)
    lie = sent.file.replace(b"SVD*HARBOR1*120", b"SVD*HARBOR1*20").replace(b"AMT*D*120", b"AMT*D*20")
    lie = lie.replace(b"CAS*PR*2*30", b"CAS*PR*2*130")
    assert lie != sent.file
    key, id_ = bytes(32), b"n" * 16
    one = port.Crossing(id_, "cedar", port.payer_digest(sent.salt, id_, "meridian"), submission_commitment(key, lie))
    harbor.submitter.submit(port.Cross(port.Clock.DAYS_3, port.Clock.DAYS_30, (one,)))
    together.abreast()
    height = together.owner.ledger.head().height
    forged = SentCrossing(height, id_, sent.salt, key, lie, case, "meridian", 1)
    with pytest.raises(Conflict, match=r"claims\.crossing"):
        take_crossing(cedar, "harbor", seal_document(harbor, "cedar", CROSSING, forged))
    elsewhere = msgspec.structs.replace(forged, payer="harbor")
    with pytest.raises(Forbidden, match=r"claims\.address"):
        take_crossing(cedar, "harbor", seal_document(harbor, "cedar", CROSSING, elsewhere))
    other = msgspec.structs.replace(forged, file=sent.file)
    with pytest.raises(Conflict, match=r"claims\.commitment"):
        take_crossing(together.nodes["meridian"], "harbor", seal_document(harbor, "meridian", CROSSING, other))
    meridian = together.nodes["meridian"]
    with pytest.raises(Forbidden, match=r"claims\.payer"):
        take_crossing(cedar, "meridian", seal_document(meridian, "cedar", CROSSING, forged))
    assert dossiers.kept_cases(cedar) == before


def test_a_claim_that_its_first_payer_has_not_decided_is_not_taken(together: Together) -> None:
    """The second payer holds what is told against its own replica: whose case it is, and that it is decided."""
    _, sent = crossed(together, "20250211")
    cedar, harbor, meridian = (together.nodes[name] for name in ("cedar", "harbor", "meridian"))
    file = file_of(claim(line(1, charge=17500, day="20250212"), identifier="X20250212"))
    (undecided,) = submit_claims(cedar, SubmitClaims(payer="harbor", file=file)).cases
    together.abreast()
    id_ = b"u" * 16
    digest = port.payer_digest(sent.salt, id_, "meridian")
    one = port.Crossing(id_, "cedar", digest, submission_commitment(sent.key, sent.file))
    harbor.submitter.submit(port.Cross(port.Clock.DAYS_3, port.Clock.DAYS_30, (one,)))
    together.abreast()
    fresh = msgspec.structs.replace(sent, height=together.owner.ledger.head().height, case=id_, payer="")
    before = dossiers.kept_cases(meridian)
    lies = (
        (msgspec.structs.replace(fresh, round=2), Conflict, "undecided"),
        (msgspec.structs.replace(fresh, follows=bytes.fromhex(undecided)), Forbidden, "payer"),
        (msgspec.structs.replace(fresh, follows=sent.case), Forbidden, "payer"),
        (msgspec.structs.replace(fresh, follows=b"w" * 16), NotFound, "no-case"),
    )
    for lie, error, code in lies:
        with pytest.raises(error, match=rf"claims\.{code}"):
            take_crossing(meridian, "harbor", seal_document(harbor, "meridian", CROSSING, lie))
    assert dossiers.kept_cases(meridian) == before


def test_what_is_not_decided_or_not_covered_does_not_go_on(together: Together) -> None:
    cedar = together.nodes["cedar"]
    file = file_of(claim(line(1, day="20250204"), identifier="A2"))
    (case,) = submit_claims(cedar, SubmitClaims(payer="harbor", file=file)).cases
    together.abreast()
    with pytest.raises(NotFound, match=r"claims\.undecided"):
        submit_secondary(cedar, after(case))
    nobody = msgspec.structs.replace(FIRST, members=JSON(msgspec.structs.replace(MEMBERS, members=())))
    decide_claims(together.nodes["harbor"], nobody)
    together.abreast()
    with pytest.raises(Conflict, match=r"claims\.not-covered"):
        submit_secondary(cedar, after(case))


def cheaper(amount: int) -> DecideClaims:
    return msgspec.structs.replace(on_file(), rates=JSON([rates_of("HARBOR1", amount)]))


def decided_again(together: Together, case: bytes, amount: int) -> SentAgain:
    """Have the first payer correct its decision; return what it hands on again."""
    harbor = together.nodes["harbor"]
    correct_claim(harbor, CorrectClaim(case=case.hex()))
    assert decide_claims(harbor, cheaper(amount)).crossed == 1
    together.abreast()
    number = dossiers.dossier_of(harbor, case).last.number
    kept = decode(harbor.desk.claim_state(f"following/{case.hex()}/{number:08d}"), Fixed).sent
    return msgspec.structs.replace(kept, height=together.owner.ledger.head().height)


def test_a_correction_by_the_first_payer_is_decided_again_by_the_second(together: Together) -> None:
    cedar, harbor, meridian = (together.nodes[name] for name in ("cedar", "harbor", "meridian"))
    case, sent = crossed(together, "20250205")
    decide_claims(meridian, SECOND)
    together.abreast()

    decided_again(together, case, 10000)  # pays 8000 now and leaves 2000 to the patient
    assert decide_claims(harbor, cheaper(10000)).crossed == 0
    done = decide_claims(meridian, SECOND)
    together.abreast()

    assert (done.decided, done.remitted) == (1, 1)
    assert decide_claims(meridian, SECOND).decided == 0
    for one in (case, sent.case):
        kept = dossiers.dossier_of(cedar, one)
        assert [(each.number, each.difference, bool(each.remittance)) for each in kept.rounds] == [
            (1, "", True),
            (2, "", True),
        ]
        assert kept.last.decided is not None
        assert read_decision(kept.last.decided).paid == (8000 if one == case else 2000)
    assert port.case(together.owner.ledger.read(), sent.case).round == 2  # type: ignore[union-attr]


def test_a_void_at_the_first_payer_takes_back_what_the_second_paid(together: Together) -> None:
    cedar, harbor, meridian = (together.nodes[name] for name in ("cedar", "harbor", "meridian"))
    case, sent = crossed(together, "20250206")
    decide_claims(meridian, SECOND)
    together.abreast()
    first = dossiers.dossier_of(cedar, case).last.decided
    assert first is not None
    void = claim(
        line(1, charge=17500, day="20250206"),
        identifier="X20250206",
        frequency="8",
        original=read_decision(first).control,
    )
    submit_claims(cedar, SubmitClaims(payer="harbor", file=file_of(void)))
    together.abreast()
    assert decide_claims(harbor, on_file()).crossed == 1
    together.abreast()
    assert decide_claims(meridian, SECOND).decided == 1
    together.abreast()
    last = dossiers.dossier_of(cedar, sent.case).last
    assert last.decided is not None
    decision = read_decision(last.decided)
    assert (decision.status, last.difference) == ("voided", "")
    assert decision.reverses is not None
    assert decision.reverses.paid == 3000


def test_what_comes_before_the_second_has_decided_waits_and_only_the_newest_counts(together: Together) -> None:
    cedar, meridian = together.nodes["cedar"], together.nodes["meridian"]
    decide_claims(meridian, SECOND)
    case, sent = crossed(together, "20250207")
    decided_again(together, case, 10000)
    decided_again(together, case, 12000)
    assert [decide_claims(meridian, SECOND).decided for _ in range(3)] == [1, 1, 0]
    together.abreast()
    last = dossiers.dossier_of(cedar, sent.case).last
    assert last.decided is not None
    assert (last.number, last.difference, read_decision(last.decided).paid) == (2, "", 2400)


def test_a_correction_is_handed_on_once_wherever_a_payer_stops(together: Together) -> None:
    cedar, harbor, meridian = (together.nodes[name] for name in ("cedar", "harbor", "meridian"))
    case, sent = crossed(together, "20250208")
    decide_claims(meridian, SECOND)
    together.abreast()
    died = 0
    for place, amount in enumerate((10000, 11000, 12000)):
        correct_claim(harbor, CorrectClaim(case=case.hex()))
        with dying(harbor, 4 + 2 * place) as seen:
            decide_claims(harbor, cheaper(amount))
        died += "died" in seen
        decide_claims(harbor, cheaper(amount))
        together.clock.advance(3_600_000)
        deliver_due(harbor)
        together.abreast()
        with dying(meridian, place) as seen:
            decide_claims(meridian, SECOND)
        died += "died" in seen
        decide_claims(meridian, SECOND)
        together.clock.advance(3_600_000)
        deliver_due(meridian)
        together.abreast()
        last = dossiers.dossier_of(cedar, sent.case).last
        assert last.decided is not None
        assert (last.number, last.difference, read_decision(last.decided).paid) == (2 + place, "", amount // 5)
    assert died == 6


def test_a_stale_or_false_correction_is_refused_by_name(together: Together) -> None:
    cedar, harbor, meridian = (together.nodes[name] for name in ("cedar", "harbor", "meridian"))
    case, first = crossed(together, "20250209")
    decide_claims(meridian, SECOND)
    together.abreast()
    receivers = [one for one in together.transport.doors if "harbor" not in one]
    together.transport.down.update(receivers)
    stale = decided_again(together, case, 10000)  # on its way while the next one is decided
    together.transport.down.clear()
    newest = decided_again(together, case, 12000)

    def kept() -> list[object]:
        return [
            [node.desk.claim_states(name) for name in ("followed/", "followed-open/")] for node in (cedar, meridian)
        ]

    before = kept()
    again = msgspec.structs.replace(newest, key=bytes(32), file=stale.file)
    ahead = msgspec.structs.replace(stale, round=9)
    refusals = (
        (stale, "harbor", Conflict, "stale"),
        (again, "harbor", Conflict, "crossing"),
        (ahead, "harbor", Conflict, "undecided"),
        (newest, "meridian", Forbidden, "payer"),
        (msgspec.structs.replace(newest, follows=first.case), "harbor", Forbidden, "payer"),
    )
    for sent, sender, error, code in refusals:
        for receiver in {"cedar", "meridian"} - {sender}:
            envelope = seal_document(together.nodes[sender], receiver, FOLLOWING, sent)
            with pytest.raises(error, match=rf"claims\.{code}"):
                take_again(together.nodes[receiver], sender, envelope)
    take_again(meridian, "harbor", seal_document(harbor, "meridian", FOLLOWING, newest))
    assert kept() == before

    assert decide_claims(meridian, SECOND).decided == 1
    together.abreast()
    last = dossiers.dossier_of(cedar, first.case).last
    assert last.decided is not None
    assert (last.number, last.difference, read_decision(last.decided).paid) == (2, "", 2400)


def test_the_provider_refuses_a_correction_that_tells_another_decision(together: Together) -> None:
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    case, first = crossed(together, "20250210")

    def fixed(number: int) -> SentAgain:
        kept = decode(harbor.desk.claim_state(f"following/{case.hex()}/{number:08d}"), Fixed).sent
        return msgspec.structs.replace(kept, height=together.owner.ledger.head().height)

    with dying(harbor, 1_000) as seen:
        decided_again(together, case, 10000)
    correct_claim(harbor, CorrectClaim(case=case.hex()))
    with dying(harbor, len(seen) - 7) as stopped:  # one by the command that reopens, six by what hands on
        decide_claims(harbor, cheaper(12000))
    assert "died" in stopped
    together.abreast()
    lies = (
        (msgspec.structs.replace(fixed(3), file=fixed(2).file), "crossing"),
        (msgspec.structs.replace(fixed(3), day="20200101"), "day"),
    )
    for lie, code in lies:
        with pytest.raises(Conflict, match=rf"claims\.{code}"):
            take_again(cedar, "harbor", seal_document(harbor, "cedar", FOLLOWING, lie))
    assert [name[-1] for name, _ in cedar.desk.claim_states(f"followed/{first.case.hex()}/")] == ["2"]
    decide_claims(harbor, cheaper(12000))
    assert [name[-1] for name, _ in cedar.desk.claim_states(f"followed/{first.case.hex()}/")] == ["2", "3"]

    correct_claim(harbor, CorrectClaim(case=case.hex()))
    together.transport.down.update(one for one in together.transport.doors if "harbor" not in one)
    decide_claims(harbor, cheaper(10000))
    together.transport.down.clear()
    with pytest.raises(Unavailable, match=r"claims\.undecided"):
        take_again(cedar, "harbor", seal_document(harbor, "cedar", FOLLOWING, fixed(4)))
