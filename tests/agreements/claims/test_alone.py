"""One organisation alone: a file in, every answer out; and an 835 audited against the contract."""

import json
import re

import msgspec
import pytest

from salus.agreements.claims.alone import adjudicate
from salus.agreements.claims.audit import audit
from salus.agreements.claims.decision import Approval
from salus.agreements.claims.history import Granted
from salus.agreements.claims.members import members_of, person_of, read_members
from salus.agreements.claims.plan import (
    AppealLevel,
    Clock,
    Coding,
    Cuts,
    DocumentRefused,
    InterestRate,
    PairEdit,
    PersonEdit,
    Plan,
    PromptPay,
    Sequestration,
    UnitEdit,
    read_plan,
    schema,
)
from salus.agreements.claims.plan_check import check_plan, check_rates
from salus.agreements.claims.plan_compare import Case, compare
from salus.agreements.claims.posting import post
from salus.agreements.claims.rates import Rate, Rates, read_rates
from salus.interop.fhir.gate import read_resource
from salus.interop.x12.examine import SetSeen, UnitSeen, examine
from salus.interop.x12.findings import refused
from salus.interop.x12.remittance import read_remittance
from salus.interop.x12.tokens import Unreadable, tokenize
from tests.agreements.claims.cases import (
    CLINIC,
    JOHN,
    LAW,
    MEMBERS,
    PLAN,
    RATES,
    SETTINGS,
    claim,
    facts,
    file_of,
    line,
)
from tests.interop.x12.oracles import oxedi_accepts, pyx12_accepts

RATE = InterestRate(since="20250101", rate=1)
CHILD = {"patient": JOHN, "relationship": "19"}
DAY = [
    claim(line(), line(2, "G0403", 7000), identifier="A1"),
    claim(line(1, "R0070", 20000), identifier="A2"),
    claim(line(), identifier="A3"),
    claim(line(1, "S9129", 9000, "20250302"), identifier="A4"),
    claim(line(1, "G0404", 25000, "20250303"), identifier="A5", **CHILD),
]


def texts(data: bytes) -> list[str]:
    return [part.text for part, _ in tokenize([data])]


def test_a_file_gets_all_its_answers() -> None:
    outcome = adjudicate([file_of(*DAY)], PLAN, [RATES], MEMBERS, SETTINGS)
    assert outcome.envelopes == ()
    assert "AK9*A*1*1*1" in texts(outcome.acknowledgments[0])
    assert len([text for text in texts(outcome.claim_acknowledgments[0]) if text.startswith("STC*A2")]) == 5
    assert [part.status for part in outcome.decisions] == ["paid", "denied", "denied", "paid", "paid"]
    assert [name for name, _ in outcome.explanations] == [part.control for part in outcome.decisions]
    controls = [re.findall(r"ISA.{87}(\d{9})", data.decode())[0] for data in (*outcome.acknowledgments,)]
    assert controls == ["000000500"]
    assert "BPR*I*64*C*CHK************20250315" in texts(outcome.remittance)


def test_a_refused_claim_is_not_decided_and_the_page_says_why() -> None:
    data = file_of(*DAY).replace(b"CLM*A2*200", b"CLM*A2*201")
    outcome = adjudicate([data], PLAN, [RATES], MEMBERS, SETTINGS)
    assert [part.claim.identifier for part in outcome.decisions] == ["A1", "A3", "A4", "A5"]
    assert "<h1>HARBOR HEALTH: 4 claims decided, 1 refused at the door</h1>" in outcome.page
    told = re.search(r"<li>claim A2: 2300 CLM02, segment (\d+): (.*?)</li>", outcome.page)
    assert told is not None
    fix = "correct CLM02 or the amounts below it, which come to 200"
    assert told[2] == f"balance-charge, expected 200, got 201; {fix}"
    (status,) = (text for text in texts(outcome.claim_acknowledgments[0]) if text.startswith("STC*A7"))
    assert status.endswith(f"CLM02, segment {told[1]}, expected 200, got 201, {fix}")


def test_what_a_sender_writes_is_text_on_the_page() -> None:
    outcome = adjudicate([file_of(claim(identifier="A1<B>&"))], PLAN, [RATES], MEMBERS, SETTINGS)
    assert (
        "<h2>Claim A1&lt;B&gt;&amp;, our number H00000001: decided, all of it the patient's share or written off</h2>"
        in outcome.page
    )


def test_a_refused_set_decides_nothing() -> None:
    outcome = adjudicate([file_of(*DAY).replace(b"SBR*P*18", b"SBR*Q*18", 1)], PLAN, [RATES], MEMBERS, SETTINGS)
    assert outcome.decisions == ()
    assert outcome.remittance == b""
    assert "IK5*R*5" in texts(outcome.acknowledgments[0])


def test_a_truncated_file_gets_a_ta1_and_decides_nothing() -> None:
    whole = file_of(*DAY)
    outcome = adjudicate([whole[: whole.index(b"SE*")]], PLAN, [RATES], MEMBERS, SETTINGS)
    assert texts(outcome.envelopes[0])[1].endswith("*R*023")
    assert outcome.decisions == ()
    with pytest.raises(Unreadable):
        adjudicate([b"not X12"], PLAN, [RATES], MEMBERS, SETTINGS)


@pytest.mark.parametrize(
    ("found", "written", "answer", "told"),
    [
        (rb"GE\*1\*", b"GE*2*", "AK9*R*2*1*0*5", ": GE01 is not the number of its sets; count them"),
        (rb"IEA\*1\*", b"IEA*2*", "*R*021", "envelope: IEA01, segment "),
        (rb"IEA\*.*~", b"", "*R*023", "envelope: ISA, segment 1: truncated"),
    ],
)
def test_an_envelope_that_turns_out_wrong_at_its_end_decides_nothing(
    found: bytes, written: bytes, answer: str, told: str
) -> None:
    """Its sender is told to send it again: what was decided before would then be paid and denied as a duplicate."""
    data, times = re.subn(found, written, file_of(*DAY))
    assert times == 1
    outcome = adjudicate([data], PLAN, [RATES], MEMBERS, SETTINGS)
    assert any(text.endswith(answer) for text in texts((outcome.envelopes or outcome.acknowledgments)[0]))
    assert bool(outcome.envelopes) != bool(outcome.acknowledgments)
    assert (outcome.decisions, outcome.claim_acknowledgments, outcome.remittance) == ((), (), b"")
    assert "0 claims decided, 5 refused at the door" in outcome.page
    assert told in outcome.page


def test_a_set_and_a_group_are_refused_without_the_others() -> None:
    one, other = (file_of(*part) for part in (DAY[:2], DAY[3:]))
    header, group = one.index(b"GS*"), one.index(b"IEA*")
    second = other[other.index(b"GS*") : other.index(b"IEA*")]
    wrong, end = second.replace(b"GE*1*", b"GE*3*"), one[group:].replace(b"IEA*1*", b"IEA*3*")
    data = b"".join((one[:group], wrong, one[header:group], end))
    outcome = adjudicate([data], PLAN, [RATES], MEMBERS, SETTINGS)
    assert [part.claim.identifier for part in outcome.decisions] == ["A1", "A2", "A1", "A2"]


def test_the_277ca_tells_the_day_on_which_the_file_came() -> None:
    settings = msgspec.structs.replace(SETTINGS, stamp=msgspec.structs.replace(SETTINGS.stamp, day="20250314"))
    told = texts(adjudicate([file_of(*DAY)], PLAN, [RATES], MEMBERS, settings).claim_acknowledgments[0])
    assert f"DTP*050*D8*{SETTINGS.received}" in told
    assert "DTP*009*D8*20250314" in told


def test_the_same_input_gives_the_same_bytes() -> None:
    one = adjudicate([file_of(*DAY)], PLAN, [RATES], MEMBERS, SETTINGS)
    two = adjudicate([file_of(*DAY)[:99], file_of(*DAY)[99:]], PLAN, [RATES], MEMBERS, SETTINGS)
    assert (one.remittance, one.page, one.explanations) == (two.remittance, two.page, two.explanations)


def test_void_and_replacement_reverse_in_the_same_remittance() -> None:
    void = claim(line(1, "S9129", 9000, "20250302"), identifier="A4", frequency="8", original="H00000004")
    better = claim(line(1, "G0404", 25000, "20250304"), identifier="A5", frequency="7", original="H00000005", **CHILD)
    outcome = adjudicate([file_of(*DAY, void, better)], PLAN, [RATES], MEMBERS, SETTINGS)
    told = texts(outcome.remittance)
    reversal = "CLP*A4*22*-90*-64**12*H00000004*11*1"
    assert reversal in told
    assert "BPR*H*0*C*NON************20250315" in told
    place = told.index("CLP*A5*22*-250*0**12*H00000005*11*1")
    assert told[place:].index(next(text for text in told[place:] if text.startswith("CLP*A5*1"))) > 0
    assert all(not refused(event.findings) for event in examine([outcome.remittance]) if isinstance(event, UnitSeen))


def test_a_claim_can_be_voided_once_and_billed_anew_after_it() -> None:
    void = claim(line(1, "S9129", 9000, "20250302"), identifier="A4", frequency="8", original="H00000001")
    anew = claim(line(1, "S9129", 9000, "20250302"), identifier="A5")
    first = claim(line(1, "S9129", 9000, "20250302"), identifier="A4")
    outcome = adjudicate([file_of(first, void, void, anew)], PLAN, [RATES], MEMBERS, SETTINGS)
    assert [part.status for part in outcome.decisions] == ["paid", "voided", "denied", "paid"]
    assert outcome.decisions[2].lines[0].reasons[0].code == "129"
    assert outcome.paid == 6400


def test_one_claim_twice_in_a_file_is_paid_once() -> None:
    one = claim(line(1, "S9129", 9000))
    outcome = adjudicate([file_of(one, one)], PLAN, [RATES], MEMBERS, SETTINGS)
    assert [(part.status, part.paid) for part in outcome.decisions] == [("paid", 6400), ("denied", 0)]
    assert outcome.paid == 6400


def test_an_approval_on_file_is_honoured_until_its_units_are_used() -> None:
    approval = Approval("PA1", "R0070", CLINIC.identifier, "20250301", "20250331", 1000)
    granted = (Granted(person_of(claim()), approval),)
    made = [
        claim(line(1, "R0070", 20000), identifier="A1"),
        claim(line(1, "R0070", 20000, "20250302"), identifier="A2"),
    ]
    outcome = adjudicate([file_of(*made)], PLAN, [RATES], MEMBERS, SETTINGS, granted=granted)
    assert [part.status for part in outcome.decisions] == ["paid", "denied"]
    assert outcome.decisions[1].lines[0].reasons[0].code == "198"


def test_explanations_are_json_with_exact_amounts() -> None:
    outcome = adjudicate([file_of(*DAY)], PLAN, [RATES], MEMBERS, SETTINGS)
    text = dict(outcome.explanations)["H00000004"]
    assert b'"value":64.00,"currency":"USD"' in text
    resource = json.loads(text)
    assert resource["resourceType"] == "ExplanationOfBenefit"
    sums = {part["category"]["coding"][0]["code"]: part["amount"]["value"] for part in resource["total"]}
    assert (sums["submitted"], sums["eligible"], sums["coinsurance"], sums["paidtoprovider"]) == (90, 80, 16, 64)
    assert resource["item"][0]["adjudication"][-1]["reason"]["coding"][0]["code"] == "2"


def test_explanations_pass_the_gate_that_records_pass() -> None:
    outcome = adjudicate([file_of(*DAY)], PLAN, [RATES], MEMBERS, SETTINGS)
    for control, text in outcome.explanations:
        admitted = read_resource(text)
        assert (admitted.type, admitted.id) == ("ExplanationOfBenefit", control)


def test_the_page_names_clause_and_remedy_of_every_reduction() -> None:
    outcome = adjudicate([file_of(*DAY)], PLAN, [RATES], MEMBERS, SETTINGS)
    for decision in outcome.decisions:
        for part in decision.lines:
            for reason in part.reasons:
                assert f"{reason.group}-{reason.code}" in outcome.page
                assert (
                    f"clause {reason.clause}). What would help: {reason.remedy}." in outcome.page
                    or reason.remedy.startswith("nothing: ")
                )
    assert "To object: first appeal within 180 days (7.1)." in outcome.page
    more = (*PLAN.appeals, AppealLevel(name="second appeal", days=60, clause="7.2"))
    plan = msgspec.structs.replace(PLAN, appeals=more, clocks=(Clock(name="decision", days=30, origin=LAW),))
    page = adjudicate([file_of(claim())], plan, [RATES], MEMBERS, SETTINGS).page
    assert "first appeal within 180 days (7.1); then second appeal within 60 days (7.2)." in page
    assert "decision: 30 days (42 CFR 422.520, as of 2025-01-01)" in page


def test_a_short_payment_is_found_and_a_right_one_is_not() -> None:
    outcome = adjudicate([file_of(*DAY)], PLAN, [RATES], MEMBERS, SETTINGS)
    right = audit([outcome.remittance], [RATES], PLAN.cuts)
    assert (right.findings, right.shortfalls, right.unpriced) == ((), (), ())
    cheap = msgspec.structs.replace(RATES.rates[5], amount=7000)
    wrong = msgspec.structs.replace(RATES, rates=(*RATES.rates[:5], cheap, *RATES.rates[6:]))
    paid = adjudicate([file_of(*DAY)], PLAN, [wrong], MEMBERS, SETTINGS).remittance
    found = audit([paid], [RATES], PLAN.cuts)
    assert [(part.identifier, part.line, part.agreed, part.allowed) for part in found.shortfalls] == [
        ("A4", 1, 8000, 7000)
    ]
    assert found.missing == 1000
    assert found.shortfalls[0].clause == "A6"


def test_a_price_above_the_charge_is_paid_where_no_lesser_of_is_agreed() -> None:
    contract, made = msgspec.structs.replace(RATES, lesser_of=False), claim(line(1, "S9129", 5000))
    outcome = adjudicate([file_of(made)], PLAN, [contract], MEMBERS, SETTINGS)
    told = texts(outcome.remittance)
    assert "CLP*A1*1*50*64*16*12*H00000001*11*1" in told
    assert [text for text in told if text[:3] in {"CAS", "AMT"}] == ["CAS*CO*94*-30", "CAS*PR*2*16", "AMT*B6*80"]
    assert oxedi_accepts(outcome.remittance) is True
    assert pyx12_accepts(outcome.remittance) is True
    (seen,) = [event for event in examine([outcome.remittance], keep=True) if isinstance(event, SetSeen)]
    assert seen.root is not None
    (posted,) = post([read_remittance(seen.root, ":")], [made]).claims
    assert [(one.paid, one.patient, one.written_off, one.open) for one in posted.lines] == [(6400, 1600, -3000, 0)]
    read_resource(dict(outcome.explanations)["H00000001"])
    assert "the agreed price is above the charge" in outcome.page
    capped = adjudicate([file_of(made)], PLAN, [RATES], MEMBERS, SETTINGS)
    assert audit([outcome.remittance], [contract]).missing == 0
    assert audit([capped.remittance], [contract]).missing == 3000


def test_what_does_not_balance_is_named() -> None:
    paid = adjudicate([file_of(*DAY)], PLAN, [RATES], MEMBERS, SETTINGS).remittance
    found = audit([paid.replace(b"BPR*I*64", b"BPR*I*65")], [RATES])
    assert [part.rule for part in found.findings] == ["balance-payment"]


def test_documents_survive_json_and_refuse_what_is_not_theirs() -> None:
    assert read_plan(msgspec.json.encode(PLAN)) == PLAN
    assert read_rates(msgspec.json.encode([RATES])) == (RATES,)
    assert read_members(msgspec.json.encode(MEMBERS)) == MEMBERS
    good = json.loads(msgspec.json.encode(PLAN))
    for change, words in (
        ({"surprise": 1}, "cannot be read: Object has a field that is not known here"),
        ({"since": "2025-01-01"}, "since"),
        ({"out_of_network": -1}, "out_of_network"),
        ({"coordination": "mine"}, "coordination"),
    ):
        with pytest.raises(DocumentRefused, match=words) as caught:
            read_plan(json.dumps({**good, **change}).encode())
        assert not any(isinstance(value, str) and value in str(caught.value) for value in change.values())
    for text in (b'{"name":"a","name":"b"}', b'{"copay":1.0}', b'{"copay":1e3}', b"[" * 100000, b"\xff", b"NaN"):
        with pytest.raises(DocumentRefused):
            read_plan(text)
    with pytest.raises(DocumentRefused, match="bytes"):
        read_plan(b" " * (1 << 20) + b"{}")


def test_the_schema_has_every_field_of_plan_and_rates() -> None:
    for kind in (Plan, Rates):
        document = schema(kind)
        properties = document["$defs"][kind.__name__]["properties"]
        assert set(properties) == set(kind.__struct_fields__)


@pytest.mark.parametrize(
    ("change", "pointer", "rule"),
    [
        ({"until": "20240101"}, "/until", "period"),
        ({"since": "20250231"}, "/since", "date"),
        ({"tiers": ("in",)}, "/benefits/5/tier", "unknown-tier"),
        ({"benefits": (*PLAN.benefits, PLAN.benefits[0])}, "/benefits/10", "overlap"),
        ({"benefits": PLAN.benefits[1:]}, "/categories/0", "gap"),
        ({"benefits": (*PLAN.benefits[:5], *PLAN.benefits[6:])}, "/categories/0", "gap"),
        ({"limits": ()}, "/benefits/2/limit", "unknown-limit"),
        ({"limits": PLAN.limits * 2}, "/limits/1", "overlap"),
        ({"out_of_network": 10001}, "/out_of_network", "amount"),
        ({"cuts": Cuts(multiple=(10000, 10001))}, "/cuts/multiple/1", "amount"),
        ({"cover_order": ("longer", "longer")}, "/cover_order", "order"),
        ({"categories": PLAN.categories[:-1]}, "/benefits/4/category", "unknown-category"),
        ({"categories": (PLAN.categories[-1], *PLAN.categories[:-1])}, "/categories/0", "overlap"),
        ({"accumulators": PLAN.accumulators[1:]}, "/accumulators", "gap"),
        ({"accumulators": (*PLAN.accumulators, PLAN.accumulators[0])}, "/accumulators/3", "overlap"),
        (
            {"accumulators": (msgspec.structs.replace(PLAN.accumulators[0], family=1), *PLAN.accumulators[1:])},
            "/accumulators/0/family",
            "amount",
        ),
        (
            {
                "accumulators": (
                    msgspec.structs.replace(PLAN.accumulators[0], individual=300000, family=300000),
                    *PLAN.accumulators[1:],
                )
            },
            "/accumulators/0/individual",
            "amount",
        ),
        ({"cost_share_order": ("copay", "copay", "deductible")}, "/cost_share_order", "order"),
        ({"tiers": ()}, "/tiers", "empty"),
        (
            {"benefits": (msgspec.structs.replace(PLAN.benefits[0], coinsurance=10001), *PLAN.benefits[1:])},
            "/benefits/0/coinsurance",
            "amount",
        ),
        (
            {"categories": (msgspec.structs.replace(PLAN.categories[0], procedures=("g9",)), *PLAN.categories[1:])},
            "/categories/0/procedures/0",
            "unknown-code",
        ),
        (
            {"accumulators": (msgspec.structs.replace(PLAN.accumulators[0], tier="far"), *PLAN.accumulators[1:])},
            "/accumulators/0/tier",
            "unknown-tier",
        ),
        (
            {
                "accumulators": (
                    *PLAN.accumulators[:2],
                    msgspec.structs.replace(PLAN.accumulators[2], method="aggregate"),
                )
            },
            "/accumulators/2/family",
            "amount",
        ),
        ({"coding": Coding(units=(UnitEdit(procedure="J1", most=1),))}, "/coding/units/0/procedure", "unknown-code"),
        ({"duplicates": "tricare", "deliveries": ("S9001", "J1")}, "/deliveries/1", "unknown-code"),
        ({"deliveries": ("S9001",)}, "/deliveries", "unused"),
        (
            {"coding": Coding(persons=(PersonEdit(procedure="G0402", youngest=9, oldest=8),))},
            "/coding/persons/0/oldest",
            "amount",
        ),
        (
            {"prompt_pay": PromptPay(clause="6", origin=LAW, rates=(RATE, RATE))},
            "/prompt_pay/rates/1/since",
            "overlap",
        ),
        (
            {
                "sequestration": (
                    Sequestration(clause="6", origin=LAW, share=10001, since="20250101", until="20251231"),
                )
            },
            "/sequestration/0/share",
            "amount",
        ),
        (
            {"sequestration": (Sequestration(clause="6", origin=LAW, share=200, since="20251231", until="20250101"),)},
            "/sequestration/0/until",
            "period",
        ),
        (
            {
                "coding": Coding(
                    pairs=(PairEdit(first="G0402", second="G0403", indicator=0, until="20200101", since="20250101"),)
                )
            },
            "/coding/pairs/0/until",
            "period",
        ),
        ({"clocks": (Clock(name="x", days=1, origin=LAW),) * 2}, "/clocks/1", "overlap"),
        ({"appeals": PLAN.appeals * 2}, "/appeals/1", "overlap"),
        ({"steps_off": ("pricing",)}, "/steps_off/0", "unknown-step"),
        (
            {
                "coding": msgspec.structs.replace(
                    PLAN.coding, pairs=(msgspec.structs.replace(PLAN.coding.pairs[0], first="X"),)
                )
            },
            "/coding/pairs/0/first",
            "unknown-code",
        ),
    ],
)
def test_faults_of_a_plan_are_named_by_json_pointer(change: dict, pointer: str, rule: str) -> None:
    found = check_plan(msgspec.structs.replace(PLAN, **change))
    assert (pointer, rule) in [(part.pointer, part.rule) for part in found]


def test_sound_documents_have_no_fault_and_faults_of_rates_are_named() -> None:
    assert check_plan(PLAN) == ()
    assert check_rates(RATES) == ()
    bad = msgspec.structs.replace(RATES, provider="1234567890", rates=(*RATES.rates, RATES.rates[0]))
    assert [(part.pointer, part.rule) for part in check_rates(bad)] == [("/provider", "npi"), ("/rates/8", "overlap")]
    bad = msgspec.structs.replace(RATES, withhold=10001, until="20240101")
    assert [(part.pointer, part.rule) for part in check_rates(bad)] == [("/until", "period"), ("/withhold", "amount")]


def test_a_plan_that_pays_network_providers_only_has_no_gap_outside() -> None:
    inside = tuple(one for one in PLAN.benefits if one.tier == "in")
    assert check_plan(msgspec.structs.replace(PLAN, benefits=inside)) == ()


@pytest.mark.parametrize(
    ("rate", "pointer", "rule"),
    [
        (Rate(method="fixed", clause="x", procedure="G04"), "/rates/8/procedure", "unknown-code"),
        (Rate(method="relative-value", clause="x", procedure="G0499"), "/locality", "gap"),
        (Rate(method="case", clause="x"), "/rates/8/drg", "gap"),
        (Rate(method="fixed", clause="x"), "/rates/8", "gap"),
        (
            Rate(method="percent", clause="x", procedure="G0499", until="20240101", since="20250101"),
            "/rates/8/until",
            "period",
        ),
    ],
)
def test_faults_of_a_rate_are_named_by_json_pointer(rate: Rate, pointer: str, rule: str) -> None:
    found = check_rates(msgspec.structs.replace(RATES, rates=(*RATES.rates, rate)))
    assert (pointer, rule) in [(part.pointer, part.rule) for part in found]


def test_interest_travels_as_a_provider_adjustment_that_raises_the_payment() -> None:
    late = msgspec.structs.replace(SETTINGS, decided="20250509")
    made = claim(line(1, "S9129", 900000), line(2, "G0499", 5000000, "20250302"))
    outcome = adjudicate([file_of(made)], PLAN, [RATES], MEMBERS, late)
    (decision,) = outcome.decisions
    assert decision.interest > 0
    told = texts(outcome.remittance)
    plb = next(text for text in told if text.startswith("PLB"))
    assert plb == f"PLB*{CLINIC.identifier}*20251231*L6:H00000001*-{decision.interest / 100:g}"
    assert outcome.paid == decision.paid + decision.interest
    assert all(not event.findings for event in examine([outcome.remittance]) if isinstance(event, UnitSeen | SetSeen))
    assert "interest is added" in outcome.page


def test_an_audit_counts_modifiers_and_names_what_has_no_price() -> None:
    made = [
        claim(line(1, "S9129", 9000, modifiers=("52",))),
        claim(line(1, "J0696", 1500, "20250304"), identifier="A2"),
    ]
    paid = adjudicate([file_of(*made)], PLAN, [RATES], MEMBERS, SETTINGS).remittance
    assert audit([paid], [RATES], PLAN.cuts).shortfalls == ()
    assert [part.missing for part in audit([paid], [RATES]).shortfalls] == [4000]
    few = msgspec.structs.replace(RATES, rates=RATES.rates[5:6])
    assert audit([paid], [few], PLAN.cuts).unpriced == (("A2", 1),)
    broken = audit([paid.replace(b"SVC*HC:J0696*15*", b"SVC*HC:J0696*15.001*")], [RATES])
    assert broken.remittances == ()
    assert "amount" in {part.rule for part in broken.findings}


def test_a_new_version_lists_every_decision_that_changes() -> None:
    dearer = msgspec.structs.replace(PLAN.benefits[2], coinsurance=3000)
    new = msgspec.structs.replace(PLAN, version="2025.2", benefits=(*PLAN.benefits[:2], dearer, *PLAN.benefits[3:]))
    cases = [
        Case(claim(), RATES, facts(control="H1")),
        Case(claim(line(1, "S9129", 9000)), RATES, facts(control="H2")),
    ]
    (change,) = compare(PLAN, new, cases)
    assert (change.control, change.before, change.after, change.lines) == (
        "H2",
        ("paid", 6400, 1600),
        ("paid", 5600, 2400),
        (1,),
    )


ENROLMENT = (
    b"ISA*00*          *00*          *ZZ*WIDGET         *ZZ*HARBOR         *250101*0900*^*00501*000000002*0*T*:~"
    b"GS*BE*WIDGET*HARBOR*20250101*0900*2*X*005010X220A1~ST*834*0001*005010X220A1~"
    b"BGN*00*1*20250101*0900****2~N1*P5*WIDGET*FI*234567891~N1*IN*HARBOR*FI*876543219~"
    b"INS*Y*18*021*XN*A*C**FT~REF*0F*M1~DTP*356*D8*20240101~NM1*IL*1*DOE*JANE~DMG*D8*19800101*F~"
    b"HD*021**PPO**FAM~DTP*348*D8*20240101~INS*N*19*024*XN*T~REF*0F*M1~DTP*357*D8*20250228~NM1*IL*1*DOE*JOHN~"
    b"DMG*D8*20100505*M~SE*17*0001~GE*1*2~IEA*1*000000002~"
)


def test_members_come_from_an_834() -> None:
    events = list(examine([ENROLMENT]))
    assert [event.findings for event in events if isinstance(event, SetSeen)] == [()]
    members = members_of("HARBOR1", events)
    outcome = adjudicate([file_of(*DAY)], PLAN, [RATES], members, SETTINGS)
    assert [part.status for part in outcome.decisions] == ["paid", "denied", "denied", "paid", "denied"]
    assert outcome.decisions[4].lines[0].reasons[0].code == "27"
