"""Single defects in sound claims and remittances: each is found, by its rule, at its level, and stops no other claim."""

import contextlib
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.agreements.claims.alone import adjudicate
from salus.interop.x12 import level1
from salus.interop.x12.claim import Adjustment, OtherPayer
from salus.interop.x12.codes import BUILT_IN
from salus.interop.x12.examine import GroupSeen, InterchangeSeen, SetSeen, UnitSeen, examine
from salus.interop.x12.findings import REFUSE, Finding
from salus.interop.x12.loops import Loop
from salus.interop.x12.tokens import Unreadable
from tests.agreements.claims.cases import (
    CLINIC,
    JOHN,
    MEMBERS,
    PLAN,
    RATES,
    SETTINGS,
    STAMP,
    claim,
    file_of,
    line,
    stay,
)

PROFESSIONAL = file_of(
    claim(line(), line(2, "G0403", 7000, modifiers=("59",))),
    claim(line(3 - 2), identifier="A2", patient=JOHN, relationship="19"),
    stamp=STAMP,
)
INSTITUTIONAL = file_of(stay(line(), line(2, "J0696", 9000)), stamp=STAMP)
REMITTANCE = adjudicate([PROFESSIONAL], PLAN, [RATES], MEMBERS, SETTINGS).remittance
PAID = adjudicate(
    [file_of(claim(line(1, "S9129", 9000)), claim(line(1, "S9129", 9000, "20250305"), identifier="A2"))],
    PLAN,
    [RATES],
    MEMBERS,
    SETTINGS,
).remittance

Edit = Callable[[bytes], bytes]


def swap(old: str, new: str, count: int = 1) -> Edit:
    def edit(data: bytes) -> bytes:
        assert old.encode() in data, old
        return data.replace(old.encode(), new.encode(), count)

    return edit


def cut(start: str) -> Edit:
    """Leave out the first segment that begins so, and set the count of SE right."""

    def edit(data: bytes) -> bytes:
        lines = data.split(b"\n")
        place = next(number for number, text in enumerate(lines) if text.startswith(start.encode()))
        del lines[place]
        return recount(b"\n".join(lines))

    return edit


def add(after: str, new: str) -> Edit:
    """Put a segment behind the first that begins so."""

    def edit(data: bytes) -> bytes:
        lines = data.split(b"\n")
        place = next(number for number, text in enumerate(lines) if text.startswith(after.encode()))
        lines.insert(place + 1, new.encode() + b"~")
        return recount(b"\n".join(lines))

    return edit


def last(new: str) -> Edit:
    """Put a segment at the end of the first set."""

    def edit(data: bytes) -> bytes:
        return recount(swap("SE*", f"{new}~\nSE*")(data))

    return edit


def recount(data: bytes) -> bytes:
    lines = data.split(b"\n")
    start = next(number for number, text in enumerate(lines) if text.startswith(b"ST*"))
    for number, text in enumerate(lines):
        if text.startswith(b"SE*"):
            lines[number] = b"SE*%d*%s" % (number - start + 1, text.split(b"*")[2])
    return b"\n".join(lines)


def faults(data: bytes, received: str = "20250310") -> list[Finding]:
    found: list[Finding] = []
    for event in examine([data], received=received):
        if isinstance(event, UnitSeen | SetSeen | InterchangeSeen):
            found.extend(part for part in event.findings if part.severity == REFUSE)
    return found


@pytest.mark.parametrize("data", [PROFESSIONAL, INSTITUTIONAL, REMITTANCE, PAID])
def test_what_we_write_has_no_fault(data: bytes) -> None:
    assert faults(data) == []
    ends = [event for event in examine([data]) if isinstance(event, SetSeen | GroupSeen)]
    assert [event.envelope for event in ends] == [()] * len(ends)


DEFECTS = [
    (PROFESSIONAL, swap("DTP*472*D8*20250301", "DTP*472*D8*20250231"), 1, "date"),
    (PROFESSIONAL, swap("BHT*0019*00*0001*20250310*1200", "BHT*0019*00*0001*20250310*2560"), 1, "time"),
    (PROFESSIONAL, swap("NM1*IL*1*DOE*JANE", "NM1*IL*1*D\u00d6E*JANE"), 1, "character"),
    (PROFESSIONAL, swap("N3*2 OAK AVE", "N3*" + "X" * 56), 1, "element-long"),
    (PROFESSIONAL, swap("MI*M1", "MI*M"), 1, "element-short"),
    (PROFESSIONAL, swap("CLM*A1*220", "CLM*A1*22O"), 1, "element-type"),
    (PROFESSIONAL, swap("SV1*HC:G0402*150", "SV1*HC:G0402*1,50"), 1, "element-type"),
    (PROFESSIONAL, swap("LX*1~", "LX*A~"), 1, "element-type"),
    (PROFESSIONAL, swap("REF*6R*L1~", "REF*6R*L1*~"), 1, "separators-trailing"),
    (PROFESSIONAL, swap("LX*1~", "LX*1*2~"), 1, "elements-many"),
    (PROFESSIONAL, swap("SV1*HC:G0402*", "SV1*HC:G0402:1A:2B:3C:4D:T:U:V*"), 1, "components-many"),
    (PROFESSIONAL, swap("SV1*HC:G0402*", "SV1*HC*"), 1, "element-missing"),
    (PROFESSIONAL, swap("REF*6R*L1", "RFF*6R*L1"), 1, "segment-unknown"),
    (PROFESSIONAL, swap("DMG*D8*19800101", "DMG*D8*19801301"), 1, "date"),
    (PROFESSIONAL, cut("BHT"), 2, "segment-missing"),
    (PROFESSIONAL, cut("NM1*40"), 2, "loop-missing"),
    (PROFESSIONAL, cut("SBR"), 2, "segment-missing"),
    (PROFESSIONAL, cut("NM1*PR"), 2, "loop-missing"),
    (PROFESSIONAL, cut("HI"), 2, "segment-missing"),
    (PROFESSIONAL, cut("DTP*472"), 2, "segment-missing"),
    (PROFESSIONAL, cut("N3*1 MAIN"), 2, "segment-missing"),
    (PROFESSIONAL, cut("REF*EI"), 5, None),
    (PROFESSIONAL, swap("NM1*PR*2", "NM1*PX*2"), 2, "loop-missing"),
    (PROFESSIONAL, add("CLM*A1", "CLP*A*1*1*1"), 2, "segment-unexpected"),
    (PROFESSIONAL, add("REF*6R*L1", "HI*BP:G0405"), 2, "segment-order"),
    (PROFESSIONAL, add("NM1*85", "N2*CEDAR"), 2, "segment-unexpected"),
    (PROFESSIONAL, add("N3*1 MAIN", "N3*1 MAIN ST"), 2, "segment-repeats"),
    (PROFESSIONAL, swap("CLM*A1*220***11:B:1*Y*A", "CLM*A1*220***11:B:1*Y*Q"), 2, "code"),
    (PROFESSIONAL, swap("CLM*A1*220***11:B:1", "CLM*A1*220***11:X:1"), 2, "code"),
    (PROFESSIONAL, swap("CLM*A1*220***11:B:1*Y*A*Y*Y", "CLM*A1*220***11:B:1*Y*A*Y"), 2, "element-required"),
    (PROFESSIONAL, swap("SBR*P*18", "SBR*X*18"), 2, "code"),
    (PROFESSIONAL, swap("DMG*D8*19800101*F", "DMG*D8*19800101*X"), 2, "code"),
    (PROFESSIONAL, swap("HL*2*1*22*0", "HL*3*1*22*0"), 2, "hl-number"),
    (PROFESSIONAL, swap("HL*2*1*22*0", "HL*2*7*22*0"), 2, "hl-parent"),
    (PROFESSIONAL, swap("DTP*472*D8*20250301", "DTP*999*D8*20250301"), 2, "qualifier"),
    (PROFESSIONAL, swap("CLM*A1*220", "CLM*A1*221"), 3, "balance-charge"),
    (PROFESSIONAL, swap("SV1*HC:G0403:59*70", "SV1*HC:G0403:59*70.01"), 3, "balance-charge"),
    (PROFESSIONAL, swap("CLM*A1*220", "CLM*A1*220.005"), 3, "amount"),
    (PROFESSIONAL, swap("CLM*A1*220", "CLM*A1*999999999999999.99"), 3, "amount"),
    (PROFESSIONAL, swap("CLM*A1*220", "CLM*A1*9999999999999999999"), 1, "element-long"),
    (PAID, swap("CLP*A1*1*90", "CLP*A1*1*999999999999999.99"), 3, "amount"),
    (PROFESSIONAL, swap("*11**1~", "*11**3~"), 4, "diagnosis-pointer"),
    (PROFESSIONAL, swap("CLM*A1*220***11:B:1", "CLM*A1*220***11:B:7"), 4, "original-reference"),
    (PROFESSIONAL, swap("CLM*A1*220***11:B:1", "CLM*A1*220***11:B:8"), 4, "original-reference"),
    (PROFESSIONAL, swap("DTP*472*D8*20250301", "DTP*472*D8*20250311"), 4, "service-in-future"),
    (PROFESSIONAL, swap("DMG*D8*19800101", "DMG*D8*20250302"), 4, "birth-after-service"),
    (PROFESSIONAL, swap("SBR*P*18", "SBR*P*"), 4, "patient-level"),
    (PROFESSIONAL, swap("LX*2~", "LX*3~"), 4, "line-number"),
    (PROFESSIONAL, swap("*UN*1*11", "*UN*0*11"), 4, "quantity"),
    (PROFESSIONAL, swap("SBR*P*18", "SBR*S*18"), 4, "primary-payer"),
    (PROFESSIONAL, cut("DMG*D8*19800101"), 4, "patient-details"),
    (PROFESSIONAL, swap(CLINIC.identifier, "1234567890"), 5, None),
    (PROFESSIONAL, swap(f"XX*{CLINIC.identifier}", "XX*1234567890"), 5, "npi"),
    (PROFESSIONAL, swap("ABK:J069", "ABK:J06.9"), 5, "diagnosis"),
    (PROFESSIONAL, swap("ABK:J069", "BK:4660"), 5, "diagnosis-version"),
    (PROFESSIONAL, swap("HC:G0402", "HC:G0O02"), 5, "procedure"),
    (PROFESSIONAL, swap("G0403:59", "G0403:5-"), 5, "modifier"),
    (PROFESSIONAL, swap("CLM*A1*220***11:B", "CLM*A1*220***98:B"), 5, "place-of-service"),
    (PROFESSIONAL, swap("*IL*627010001", "*ZX*627010001"), 5, "state"),
    (PROFESSIONAL, swap("PXC*207Q00000X", "PXC*207Q0000X"), 5, "taxonomy"),
    (PROFESSIONAL, add("REF*6R*L1", "LIN**N4*0000416501"), 5, "drug-number"),
    (INSTITUTIONAL, swap("SV2*0120", "SV2*120"), 5, "revenue-code"),
    (INSTITUTIONAL, cut("CL1"), 2, "segment-missing"),
    (INSTITUTIONAL, cut("DTP*434"), 2, "segment-missing"),
    (INSTITUTIONAL, swap("***13:A:1", "***11:A:1"), 4, "admission-date"),
    (INSTITUTIONAL, swap("DTP*472*D8*20250301", "DTP*472*D8*20250302"), 4, "line-outside-statement"),
    (PAID, swap("BPR*I*128", "BPR*I*127"), 3, "balance-payment"),
    (PAID, swap("*90*64*16*", "*90*63*16*"), 3, "balance-claim"),
    (PAID, swap("*90*64*16*", "*91*64*16*"), 3, "balance-charge"),
    (PAID, swap("*90*64*16*", "*90*64*15*"), 3, "balance-patient"),
    (PAID, swap("SVC*HC:S9129*90*64", "SVC*HC:S9129*90*65"), 3, "balance-line"),
    (PAID, swap("CAS*PR*2*16", "CAS*PR*2*17"), 3, "balance-line"),
    (PAID, swap("BPR*I*128", "BPR*I*-128"), 4, "payment-negative"),
    (PAID, swap("BPR*I*128*C*CHK", "BPR*I*128*C*NON"), 4, "payment-method"),
    (PAID, swap("BPR*I*128*C*CHK", "BPR*I*128*C*ACH"), 4, "payment-account"),
    (PAID, add("REF*6R*L1", "AMT*B6*80"), 2, None),
    (PAID, swap("CLP*A1*1*90", "CLP*A1*4*90"), 4, "denial-paid"),
    (PAID, swap("CLP*A1*1*90", "CLP*A1*22*90"), 4, "reversal-sign"),
    (PAID, swap("CLP*A1*1*90", "CLP*A1*22*90"), 4, "reversal-patient"),
    (PAID, swap("CAS*CO*45", "CAS*CO*42"), 5, "reason-retired"),
    (PAID, swap("CAS*CO*45", "CAS*CO*999"), 5, "reason-unknown"),
    (PAID, swap("CAS*CO*45", "CAS*XX*45"), 2, "code"),
    (PAID, swap("XX*" + CLINIC.identifier, "XX*1234567890"), 5, "npi"),
    (PAID, cut("TRN"), 2, "segment-missing"),
    (PAID, cut("N1*PE"), 2, "loop-missing"),
    (REMITTANCE, swap("BPR*H*0*C*NON", "BPR*I*0*C*ACH"), 4, "payment-zero"),
    (PAID, add("REF*6R*L1", "LQ*HE*X1"), 5, "remark-code"),
    (
        PAID,
        lambda data: swap("BPR*I*128", "BPR*I*123")(last(f"PLB*{CLINIC.identifier}*20251231*ZZ:1*5")(data)),
        5,
        "provider-adjustment",
    ),
    (PAID, last(f"PLB*{CLINIC.identifier}*20251231*WO:1*5"), 3, "balance-payment"),
    (PAID, last(f"PLB*{CLINIC.identifier}*20251231*WO:1*0"), 4, "provider-adjustment-zero"),
    (PAID, last(f"PLB*{CLINIC.identifier}*20251231*WO:1*0.001"), 3, "amount"),
    (
        PAID,
        swap("BPR*I*128*C*CHK************", "BPR*I*128*C*ACH*CCP*01*111111111*DA*1*1555443333**01*011000015*DA*2*"),
        5,
        "routing-number",
    ),
    (PAID, swap("CLP*A1*1*90*64", "CLP*A1*1*90*64.001"), 3, "amount"),
    (PROFESSIONAL, add("REF*6R*L1", "SVD*FIRST1*100*HC:G0402**1"), 3, "balance-other-line"),
]


@pytest.mark.parametrize(("data", "edit", "level", "rule"), DEFECTS)
def test_a_defect_is_found_by_its_rule(data: bytes, edit: Edit, level: int, rule: str | None) -> None:
    changed = edit(data)
    assert changed != data
    found = faults(changed)
    if rule is not None:
        assert (level, rule) in {(part.level, part.rule) for part in found}
        told = next(part for part in found if (part.level, part.rule) == (level, rule))
        assert told.expected
        assert told.fix
        assert told.position > 0


def test_more_than_sixty_kinds_of_defects_are_covered() -> None:
    assert len([defect for defect in DEFECTS if defect[3] is not None]) >= 75


def test_an_adjustment_of_zero_is_noted_not_refused() -> None:
    data = swap("CAS*CO*45*10", "CAS*CO*45*10**96*0")(PAID)
    (unit, *_) = [event for event in examine([data]) if isinstance(event, UnitSeen)]
    assert [(part.rule, part.severity) for part in unit.findings] == [("adjustment-zero", "note")]


def test_a_payer_before_us_accounts_for_the_whole_charge() -> None:
    first = OtherPayer("P", "FIRST1", "FIRST", "X9", "DOE", 9000, (Adjustment("PR", "2", 5000),))
    made = claim(rank="S", others=(first,))
    assert [(part.level, part.rule) for part in faults(file_of(made))] == [(3, "balance-other-payer")]
    whole = msgspec.structs.replace(first, adjustments=(Adjustment("PR", "2", 6000),))
    assert faults(file_of(msgspec.structs.replace(made, others=(whole,)))) == []


def test_two_interchanges_of_which_the_first_has_no_end() -> None:
    broken = PROFESSIONAL[: PROFESSIONAL.index(b"IEA")]
    seen = [event for event in examine([broken + INSTITUTIONAL]) if isinstance(event, InterchangeSeen)]
    assert [event.code for event in seen] == ["023", "000"]


def test_a_control_number_used_twice_in_a_group_is_named() -> None:
    start, end = PROFESSIONAL.index(b"ST*"), PROFESSIONAL.index(b"GE*")
    data = PROFESSIONAL[:end] + PROFESSIONAL[start:end] + PROFESSIONAL[end:].replace(b"GE*1*", b"GE*2*")
    seen = [event.envelope for event in examine([data]) if isinstance(event, SetSeen)]
    assert seen == [(), ("23",)]


def test_one_bad_claim_leaves_the_other_of_its_set_alone() -> None:
    data = swap("CLM*A1*220", "CLM*A1*221")(PROFESSIONAL)
    units = [event for event in examine([data], received="20250310") if isinstance(event, UnitSeen)]
    assert [bool(unit.findings) for unit in units] == [True, False]


def test_a_billing_providers_fault_is_a_fault_of_all_its_claims() -> None:
    data = swap(f"XX*{CLINIC.identifier}", "XX*1234567890")(PROFESSIONAL)
    units = [event for event in examine([data], received="20250310") if isinstance(event, UnitSeen)]
    assert [{part.rule for part in unit.findings} for unit in units] == [{"npi"}, {"npi"}]


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (swap("IEA*1*000000001", "IEA*1*000000002"), "001"),
        (swap("IEA*1*", "IEA*2*"), "021"),
        (swap("*00501*", "*00401*"), "017"),
        (lambda data: data[: data.index(b"IEA")], "023"),
        (lambda data: data[:600], "023"),
        (swap("GS*HC", "ZZ*1~\nGS*HC"), "022"),
        (swap("*20250310*1200*1*X", "*20251310*1200*1*X"), "024"),
    ],
)
def test_envelope_faults_are_named_by_their_ta1_code(edit: Edit, code: str) -> None:
    seen = [event for event in examine([edit(PROFESSIONAL)]) if isinstance(event, InterchangeSeen)]
    assert [event.code for event in seen] == [code]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda data: data[:106] + data[106:].replace(b"*", b"|"), ["separator: * between elements, as in ISA"]),
        (
            lambda data: data[:105] + b"!" + data[106:],
            ["truncated: end each segment by the last character of ISA, here !"],
        ),
        (lambda data: data[:600], ["truncated: send the whole interchange again"]),
        (swap("GS*HC", "ZZ*1~YY*2~GS*HC"), ["control-structure: begin groups with GS and sets with ST"]),
    ],
)
def test_wrong_separators_and_structure_are_told_once_and_by_their_cause(edit: Edit, told: list[str]) -> None:
    (seen,) = (event for event in examine([edit(PROFESSIONAL)]) if isinstance(event, InterchangeSeen))
    found = [(one.rule, f"{one.rule}: {one.expected}", f"{one.rule}: {one.fix}") for one in seen.findings]
    assert len(found) == len(told)
    assert all(words[1].startswith(one) or words[2].startswith(one) for words, one in zip(found, told, strict=True))


@pytest.mark.parametrize("coding", ["utf-8", "latin-1"])
def test_a_letter_that_x12_lacks_is_shown_as_its_sender_wrote_it(coding: str) -> None:
    data = PROFESSIONAL.replace(b"*DOE*", "*D\u00d6E*".encode(coding), 1)
    (found,) = (one for event in examine([data]) if isinstance(event, SetSeen) for one in event.findings)
    assert (found.rule, found.got, found.fix[:27]) == ("character", "D\u00d6E", "use letters without accents")


@pytest.mark.parametrize(
    ("edit", "codes"),
    [
        (swap("SE*", "SE*9"), ("4",)),
        (lambda data: data.replace(b"*0001~\nGE", b"*0002~\nGE"), ("3",)),
        (swap("ST*837*0001*005010X222A1", "ST*837*0001*005010X299A1"), ("1",)),
        (lambda data: data[: data.index(b"SE*")] + data[data.index(b"GE*") :], ("2",)),
    ],
)
def test_set_faults_are_named_by_their_999_code(edit: Edit, codes: tuple[str, ...]) -> None:
    seen = [event for event in examine([edit(PROFESSIONAL)]) if isinstance(event, SetSeen)]
    assert seen[0].envelope == codes


@pytest.mark.parametrize(("edit", "codes"), [(swap("GE*1*", "GE*7*"), ("5",)), (swap("GE*1*1", "GE*1*2"), ("4",))])
def test_group_faults_are_named_by_their_999_code(edit: Edit, codes: tuple[str, ...]) -> None:
    seen = [event for event in examine([edit(PROFESSIONAL)]) if isinstance(event, GroupSeen)]
    assert seen[0].envelope == codes


def test_a_code_is_valid_until_the_day_it_was_retired() -> None:
    codes = msgspec.structs.replace(
        BUILT_IN, retired_diagnoses={"J069": "20250302", "E119": "20250301"}, retired_procedures={"G0403": "20250301"}
    )
    units = [event for event in examine([PROFESSIONAL], codes=codes) if isinstance(event, UnitSeen)]
    assert sorted(part.rule for part in units[0].findings) == ["diagnosis-retired", "procedure-retired"]


@pytest.mark.parametrize(("day", "found"), [("20070531", []), ("20070601", ["reason-retired"])])
def test_a_reason_code_is_valid_until_the_day_it_was_retired(day: str, found: list[str]) -> None:
    data = swap("CAS*CO*45", "CAS*CO*42")(PAID)
    units = [event for event in examine([data], received=day) if isinstance(event, UnitSeen)]
    assert [part.rule for part in units[0].findings] == found


def test_memory_holds_one_claim_at_a_time() -> None:
    roots = [event.root for event in examine([PROFESSIONAL]) if isinstance(event, SetSeen)]
    assert roots[0] is not None
    assert not [loop for loop in roots[0].walk() if loop.name == "2300"]
    kept = [event.root for event in examine([PROFESSIONAL], keep=True) if isinstance(event, SetSeen)]
    assert kept[0] is not None
    assert len([loop for loop in kept[0].walk() if loop.name == "2300"]) == 2


def test_a_claim_of_999_lines_is_read_and_one_of_51_professional_lines_refused() -> None:
    many = stay(*(line(number, charge=100) for number in range(1, 1000)))
    assert faults(file_of(many)) == []
    found = faults(file_of(claim(*(line(number, charge=100) for number in range(1, 52)))))
    assert [(part.level, part.rule) for part in found] == [(2, "loop-repeats")]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2), st.lists(st.tuples(st.integers(106, 3000), st.binary(max_size=6)), min_size=1, max_size=4))
def test_any_damage_gives_findings_or_the_named_refusal_and_never_anything_else(
    which: int, damage: list[tuple[int, bytes]]
) -> None:
    data = (PROFESSIONAL, INSTITUTIONAL, PAID)[which]
    for place, new in damage:
        at = place % len(data)
        data = data[:at] + new + data[at + len(new) :]
    with contextlib.suppress(Unreadable):
        list(examine([data]))


def _tree(loop: Loop) -> tuple[object, ...]:
    own = [(part.text, part.position, part.lead, use) for part, use in loop.segments]
    return loop.name, loop.counts, own, [_tree(child) for child in loop.children]


def _seen(chunks: list[bytes], received: str, *, keep: bool) -> list[object]:
    """Return all that examining tells, with the loops around each unit as they stand when it is handed on."""
    seen: list[object] = []
    with contextlib.suppress(Unreadable):
        for event in examine(chunks, received=received, keep=keep):
            if isinstance(event, UnitSeen):
                around = event.loop.up("ST_LOOP")
                seen += [event.head, event.findings, _tree(event.loop), around and _tree(around)]
            elif isinstance(event, SetSeen):
                seen += [event.head, event.findings, event.envelope, event.units, event.root and _tree(event.root)]
            else:
                seen.append(event)
    return seen


EARLY = PROFESSIONAL.replace(b"*20250310*1200*", b"*20240310*1200*", 1)
"""Its group was written before the services, so that it says of itself that they lie in the future."""


@settings(max_examples=150)
@given(
    st.integers(0, 3),
    st.lists(st.tuples(st.integers(0, 1200), st.binary(max_size=6)), max_size=3),
    st.sampled_from(["", "20240101"]),
    st.booleans(),
)
def test_what_is_told_does_not_depend_on_what_was_read_before(
    which: int, damage: list[tuple[int, bytes]], received: str, keep: bool
) -> None:
    """A head that is known, and segments that are, are not read again: nothing of it shows, and no file in another."""
    data = (PROFESSIONAL, INSTITUTIONAL, REMITTANCE, EARLY)[which]
    for place, put in damage:
        data = data[:place] + put + data[place + len(put) :]
    known = [_seen([data], received, keep=keep) for _ in range(2)]
    level1.patterns.cache_clear()
    without_head = _seen([data[:50], data[50:]], received, keep=keep)
    assert known == [without_head, without_head]


def test_components_joined_by_another_sign_than_isa16_names_are_told_so() -> None:
    data = PROFESSIONAL[:106] + PROFESSIONAL[106:].replace(b":", b">")
    found = [one for event in examine([data]) if isinstance(event, SetSeen) for one in event.findings if one.level == 1]
    assert {(one.rule, one.expected) for one in found} == {("separator", ": between components, as in ISA16")}
