"""The patient of two payers: reads EOBs, finds a double bill, appeals through any member, and is heard by a person."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from salus.contracts.claims import port
from salus.contracts.membership.port import Role
from salus.core.encoding import encode
from salus.interop.x12.claim import Claim, Party, Person
from salus.interop.x12.envelope import interchange
from salus.interop.x12.review import Asked, Review, request_set
from salus.node.claims import (
    ask_approval,
    decide_claims,
    dispute_decision,
    dossiers,
    lift_restriction,
    list_cases,
    list_restrictions,
    patients,
    rule_on_claim,
    submit_claims,
)
from salus.node.claims.approving import AskApproval
from salus.node.claims.deciding import DecideClaims, RuleOnClaim
from salus.node.claims.exchange import read_decision
from salus.node.claims.listing import ListCases
from salus.node.claims.objecting import (
    AppealDecision,
    AskEobs,
    AskRestrictions,
    AskSpending,
    EobLine,
    FindDoubleBills,
    PayInFull,
    appeal_decision,
    find_double_bills,
    list_eobs,
    list_own_restrictions,
    pay_in_full,
    sum_spending,
)
from salus.node.claims.restricting import LiftRestriction, ListRestrictions
from salus.node.claims.submitting import DisputeDecision, SubmitClaims
from salus.node.demo.serving import Hosted
from salus.node.errors import Conflict, Forbidden, Malformed, NotFound
from salus.node.exchange.wire import RemoteRefusal
from salus.node.together import Clock, Founder, Together, found_together
from salus.vault.envelope import Context, seal_envelope
from salus.vault.journal import Side
from tests.agreements.claims.cases import CLINIC, ENDS, MEMBERS, PAYER, PLAN, RATES, STAMP, claim, file_of, line

JSON = msgspec.json.encode
SECOND = msgspec.structs.replace(PAYER, identifier="OTHER1", name="OTHER PLAN")
PERSON = "M1|19800101|JANE"


def request(payer: str) -> DecideClaims:
    return DecideClaims(
        plan=JSON(msgspec.structs.replace(PLAN, payer=payer)),
        rates=JSON([msgspec.structs.replace(RATES, payer=payer)]),
        members=JSON(msgspec.structs.replace(MEMBERS, payer=payer)),
    )


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    founders = (
        Founder("cedar", "Cedar Clinic", (Role.PROVIDER,)),
        Founder("harbor", "Harbor Health", (Role.PAYER,)),
        Founder("other", "Other Plan", (Role.PAYER,)),
    )
    found = found_together(Path(tmp_path_factory.mktemp("members")), founders, clock=Clock(lambda: 1_741_608_000_000))
    yield found
    found.close()


@pytest.fixture(scope="module")
def wallet(together: Together) -> Hosted:
    """A patient with two EOBs at one payer, one at another, and links at all three members."""
    other = {"payer": SECOND, "receiver": SECOND}
    send(together, "harbor", claim(line(1, "S9129", 9000)))
    send(together, "other", claim(line(1, "S9129", 9000), **other))
    send(together, "harbor", claim(line(1, "R0070", 90000, "20250302", units=5000), identifier="B2"))
    for payer, code in (("harbor", "HARBOR1"), ("other", "OTHER1")):
        decide_claims(together.nodes[payer], request(code))
    hosted = Hosted(together)
    for member, code in (("harbor", "HARBOR1"), ("other", "OTHER1"), ("cedar", "HARBOR1")):
        link = together.nodes[member].vault.open_link(f"urn:payer:{code}", PERSON)
        hosted.holder.join(member, together.nodes[member].vault.invite(link))
    return hosted


def send(together: Together, payer: str, one: Claim) -> None:
    submit_claims(together.nodes["cedar"], SubmitClaims(payer=payer, file=file_of(one)))
    together.abreast()


def review_of(code: str, day: str) -> bytes:
    review = Review(
        "SP",
        Party(PAYER.name, PAYER.identifier),
        Party(CLINIC.name, CLINIC.identifier),
        Person("DOE", "JANE", "M1", "19800101", "F"),
        ("J069",),
        (Asked(code, 1000, day, day),),
    )
    return interchange(ENDS, STAMP, "HI", "005010X217", [request_set(review, "0001", ("20250310", "1200"))])


def denied(wallet: Hosted) -> EobLine:
    return next(one for one in list_eobs(wallet, AskEobs()).eobs if one.status == "denied")


def test_explanations_say_who_billed_what_and_who_pays(wallet: Hosted) -> None:
    told = list_eobs(wallet, AskEobs())
    assert [(one.payer, one.status, one.billed, one.paid, one.yours) for one in told.eobs] == [
        ("harbor", "paid", 9000, 6400, 1600),
        ("other", "paid", 9000, 6400, 1600),
        ("harbor", "denied", 90000, 0, 0),
    ]
    assert any("an approval was needed" in one for one in told.eobs[2].why)
    assert told.silent == ()
    assert all(len(one.appeal_key) == 64 for one in told.eobs)


def test_no_explanation_holds_an_appeal_key(together: Together, wallet: Hosted) -> None:
    keys = [bytes.fromhex(one.appeal_key) for one in list_eobs(wallet, AskEobs()).eobs]
    for one in wallet.holder.records("harbor"):
        assert not any(key in one.content.body or key.hex().encode() in one.content.body for key in keys)


def test_spending_adds_up(wallet: Hosted) -> None:
    told = sum_spending(wallet, AskSpending()).years
    assert [(one.payer, one.year, one.claims, one.billed, one.paid, one.yours) for one in told] == [
        ("harbor", "2025", 2, 99000, 6400, 1600),
        ("other", "2025", 1, 9000, 6400, 1600),
    ]


def test_a_double_bill_is_found_by_the_wallet_alone_and_told_on_the_patients_word(
    together: Together, wallet: Hosted
) -> None:
    (found,) = find_double_bills(wallet, FindDoubleBills()).found
    assert (found.what, found.charge, found.told) == ("S9129", 9000, False)
    assert all(not one.waits for one in list_cases(together.nodes["other"], ListCases()).cases)
    find_double_bills(wallet, FindDoubleBills(tell=True))
    for payer in ("harbor", "other"):
        waits = [told for one in list_cases(together.nodes[payer], ListCases()).cases for told in one.waits]
        assert any("bill one service of 2025-03-01" in told for told in waits)


def test_an_appeal_through_another_member_is_decided_by_a_person_and_paid(together: Together, wallet: Hosted) -> None:
    one = denied(wallet)
    asked = AppealDecision(
        payer="harbor", case=one.case, appeal_key=one.appeal_key, statement="it was an emergency", through="cedar"
    )
    appeal_decision(wallet, asked)
    together.abreast()
    harbor = together.nodes["harbor"]
    row = port.case(harbor.ledger.read(), bytes.fromhex(one.case))
    assert row is not None
    assert (row.status, row.round) == (port.CaseStatus.REOPENED, 2)
    assert decide_claims(harbor, request("HARBOR1")).waiting == 1
    ruling = RuleOnClaim(case=one.case, verdict="allow", step="authorisation", basis="emergency")
    rule_on_claim(harbor, ruling)
    assert decide_claims(harbor, request("HARBOR1")).decided == 1
    together.abreast()
    paid = next(told for told in list_eobs(wallet, AskEobs()).eobs if told.claim == one.claim)
    assert (paid.status, paid.paid > 0) == ("paid", True)
    (kept,) = [dossiers.dossier_of(together.nodes["cedar"], bytes.fromhex(one.case))]
    assert (kept.last.number, kept.last.difference) == (2, "")

    with pytest.raises(RemoteRefusal) as refused:
        appeal_decision(wallet, asked)  # each decision has a key of its own
    assert refused.value.code == "claims.NOT_APPEAL_KEY"


def test_a_statement_other_than_the_one_appealed_is_refused(together: Together, wallet: Hosted) -> None:
    harbor = together.nodes["harbor"]
    ((case, kept, _), *_) = dossiers.kept_cases(harbor, payer_side=True)
    author = together.nodes["cedar"].signing_key
    public = author.public_key().public_bytes_raw()
    sent = patients.SentAppeal(1, case, bytes(32), "a forged statement")
    envelope = seal_envelope(
        encode(sent),
        Context(harbor.network, public, patients.APPEAL, bytes(16)),
        recipient=harbor.keys_of("harbor").receive_key,
        sign=author,
    )
    with pytest.raises(Conflict, match=r"claims\.commitment"):
        patients.take_appeal(harbor, "cedar", envelope)
    with pytest.raises(Malformed, match=r"claims\.envelope"):
        patients.take_appeal(harbor, "cedar", envelope[:-1])
    assert dossiers.dossier_of(harbor, case) == kept


def test_no_payer_is_told_of_a_service_that_was_paid_in_full(together: Together, wallet: Hosted) -> None:
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    told = pay_in_full(wallet, PayInFull(member="cedar", first="20250306", codes=("S9129",))).restrictions
    assert [(one.member, one.days, one.codes, one.lifted) for one in told] == [
        ("cedar", "20250306 to 20250306", ("S9129",), "")
    ]
    assert pay_in_full(wallet, PayInFull(member="cedar", first="20250306", codes=("S9129",))).restrictions == told
    link = cedar.vault.open_link("urn:payer:HARBOR1", PERSON)
    before = (len(dossiers.kept_cases(harbor)), len(list(port.cases(cedar.ledger.read()))))
    lines_before = len(cedar.vault.lines(Side.CUSTODIAN, link))

    paid = claim(line(1, "S9129", 9000, "20250306"), line(2, "G0402", 15000, "20250306"), identifier="SP1")
    with pytest.raises(Forbidden, match=r"claims\.self-pay"):
        submit_claims(cedar, SubmitClaims(payer="harbor", file=file_of(paid)))
    with pytest.raises(Forbidden, match=r"claims\.self-pay"):
        ask_approval(cedar, AskApproval(payer="harbor", file=review_of("S9129", "20250306")))
    assert (len(dossiers.kept_cases(harbor)), len(list(port.cases(cedar.ledger.read())))) == before
    assert len(cedar.vault.lines(Side.CUSTODIAN, link)) == lines_before

    free = claim(line(1, "G0402", 15000, "20250306"), identifier="SP2")
    done = submit_claims(cedar, SubmitClaims(payer="harbor", file=file_of(paid, free)))
    assert (len(done.cases), done.withheld) == (1, ("SP1",))


def test_what_a_restriction_meets_on_its_way_stays_and_what_is_known_is_not_told_again(
    together: Together, wallet: Hosted
) -> None:
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    one = claim(line(1, "S9129", 9000, "20250307"), identifier="SP3")
    (case,) = submit_claims(cedar, SubmitClaims(payer="harbor", file=file_of(one))).cases
    together.abreast()
    decide_claims(harbor, request("HARBOR1"))
    together.abreast()
    kept = dossiers.dossier_of(cedar, bytes.fromhex(case))
    pay_in_full(wallet, PayInFull(member="cedar", first="20250307", payer="harbor"))
    with pytest.raises(Forbidden, match=r"claims\.self-pay"):
        dispute_decision(cedar, DisputeDecision(case=case, statement="again"))
    dossiers.keep(cedar, [(bytes.fromhex(case), kept.with_last(told=False))])
    more = msgspec.structs.replace(one, identifier="SP5")
    with pytest.raises(Forbidden, match=r"claims\.self-pay"):
        submit_claims(cedar, SubmitClaims(payer="harbor", file=file_of(more)))  # would send first what a crash left
    assert not dossiers.dossier_of(cedar, bytes.fromhex(case)).last.told
    dossiers.keep(cedar, [(bytes.fromhex(case), kept)])
    control = read_decision(kept.last.decided).control if kept.last.decided else ""
    void = msgspec.structs.replace(one, frequency="8", original=control)
    assert submit_claims(cedar, SubmitClaims(payer="harbor", file=file_of(void))).cases == (case,)


def test_a_restriction_whose_condition_does_not_hold_is_lifted_with_a_reason(
    together: Together, wallet: Hosted
) -> None:
    cedar = together.nodes["cedar"]
    pay_in_full(wallet, PayInFull(member="cedar", first="20250308", last="20250309", payer="harbor"))
    found = next(one for one in list_restrictions(cedar, ListRestrictions()).restrictions if one.last == "20250309")
    lift_restriction(cedar, LiftRestriction(id=found.id, reason="half of it was paid"))
    told = list_own_restrictions(wallet, AskRestrictions()).restrictions
    assert [one.lifted for one in told if one.days == "20250308 to 20250309"] == ["half of it was paid"]
    one = claim(line(1, "G0402", 15000, "20250308"), identifier="SP4")
    assert len(submit_claims(cedar, SubmitClaims(payer="harbor", file=file_of(one))).cases) == 1
    with pytest.raises(NotFound, match=r"claims\.no-restriction"):
        lift_restriction(cedar, LiftRestriction(id="00" * 16, reason="nothing"))
    with pytest.raises(RemoteRefusal) as refused:
        pay_in_full(wallet, PayInFull(member="cedar", first="20250309", last="20250308"))
    assert refused.value.code == "claims.self-pay-days"
