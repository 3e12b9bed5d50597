"""A small world of fictional parties: one clinic, one hospital, one payer with a family plan. Codes are HCPCS II."""

from zlib import crc32

import msgspec

from salus.agreements.claims.alone import Settings
from salus.agreements.claims.decision import Decision, Facts
from salus.agreements.claims.members import Member, Members
from salus.agreements.claims.plan import (
    Accumulator,
    Address,
    AppealLevel,
    Benefit,
    Category,
    Coding,
    Cuts,
    Filing,
    InterestRate,
    Limit,
    PairEdit,
    Plan,
    PromptPay,
    Source,
    UnitEdit,
)
from salus.agreements.claims.rates import Rate, Rates
from salus.interop.npi import npi_valid
from salus.interop.x12.claim import Claim, Line, Party, Person
from salus.interop.x12.claim_writer import set_of
from salus.interop.x12.envelope import Stamp, Trader, interchange


def npi(first_nine: int) -> str:
    return next(f"{first_nine}{digit}" for digit in range(10) if npi_valid(f"{first_nine}{digit}"))


CLINIC = Party(
    "CEDAR CLINIC", npi(123456789), "", "123456789", "207Q00000X", "1 MAIN ST", "SPRINGFIELD", "IL", "627010001"
)
HOSPITAL = Party(
    "BIRCH HOSPITAL", npi(198765432), "", "987654321", "282N00000X", "9 HILL RD", "SPRINGFIELD", "IL", "627010009"
)
PAYER = Party("HARBOR HEALTH", "HARBOR1", "", "555443333", "", "5 QUAY ST", "CHICAGO", "IL", "60601")
JANE = Person("DOE", "JANE", "M1", "19800101", "F", "2 OAK AVE", "SPRINGFIELD", "IL", "62701")
JOHN = Person("DOE", "JOHN", "M1", "20100505", "M", "2 OAK AVE", "SPRINGFIELD", "IL", "62701")
ENDS = (Trader("ZZ", "CEDAR"), Trader("ZZ", "HARBOR"))
STAMP = Stamp("20250310", "1200", 1)
LAW = Source(law="42 CFR 422.520", source="https://www.ecfr.gov", date="20250101")

PLAN = Plan(
    name="Harbor Family",
    version="2025.1",
    payer="HARBOR1",
    payer_name="HARBOR HEALTH",
    payer_tax="555443333",
    payer_address=Address(street="5 QUAY ST", city="CHICAGO", state="IL", zip="60601", telephone="3125550100"),
    since="20250101",
    until="20251231",
    tiers=("in", "out"),
    categories=(
        Category(category="cosmetic", procedures=("G9",)),
        Category(category="imaging", procedures=("R",)),
        Category(category="therapy", procedures=("S9",)),
        Category(category="inpatient", kind="I", revenue=("01",)),
        Category(category="office"),
    ),
    benefits=(
        Benefit(category="cosmetic", tier="in", clause="3.9", covered=False),
        Benefit(category="imaging", tier="in", clause="3.2", coinsurance=2000, authorisation=True),
        Benefit(category="therapy", tier="in", clause="3.3", coinsurance=2000, deductible=False, limit="therapy"),
        Benefit(category="inpatient", tier="in", clause="3.4", coinsurance=1000),
        Benefit(category="office", tier="in", clause="3.1", copay=2000, coinsurance=2000),
        *(
            Benefit(category=category, tier="out", clause="3.8", covered=False)
            for category in ("cosmetic", "imaging", "therapy", "inpatient")
        ),
        Benefit(category="office", tier="out", clause="3.8", coinsurance=4000),
    ),
    accumulators=(
        Accumulator(bucket="deductible", tier="in", clause="2.1", individual=50000, family=80000),
        Accumulator(bucket="out-of-pocket", tier="in", clause="2.2", individual=200000, family=300000),
        Accumulator(bucket="deductible", tier="out", clause="2.3", individual=100000),
    ),
    limits=(Limit(name="therapy", clause="3.3", units=4000),),
    filing=Filing(clause="5.1", days=90),
    coding=Coding(
        pairs=(
            PairEdit(first="G0402", second="G0403", indicator=1),
            PairEdit(first="G0404", second="G0405", indicator=0),
        ),
        units=(UnitEdit(procedure="J0696", most=8000),),
    ),
    cuts=Cuts(modifiers={"52": 5000}, multiple=(10000, 5000)),
    prompt_pay=PromptPay(clause="6.1", origin=LAW, rates=(InterestRate(since="20250101", rate=4625),)),
    appeals=(AppealLevel(name="first appeal", days=180, clause="7.1"),),
)
RATES = Rates(
    payer="HARBOR1",
    provider=CLINIC.identifier,
    version="1",
    tier="in",
    clause="schedule A",
    since="20250101",
    until="20251231",
    rates=(
        Rate(method="fixed", procedure="G0402", clause="A1", amount=10000),
        Rate(method="fixed", procedure="G0403", clause="A2", amount=5000),
        Rate(method="fixed", procedure="G0404", clause="A3", amount=20000, multiple=True),
        Rate(method="fixed", procedure="G0405", clause="A4", amount=10000, multiple=True),
        Rate(method="fixed", procedure="R0070", clause="A5", amount=15000),
        Rate(method="fixed", procedure="S9129", clause="A6", amount=8000),
        Rate(method="fixed", procedure="J0696", clause="A7", amount=1000),
        Rate(method="percent", clause="A9", percent=7000),
    ),
)
MEMBERS = Members(
    payer="HARBOR1",
    members=(
        Member(subscriber="M1", last="DOE", first="JANE", birth="19800101", sex="F", since="20240101"),
        Member(
            subscriber="M1", last="DOE", first="JOHN", birth="20100505", sex="M", relationship="19", since="20240101"
        ),
    ),
)
SETTINGS = Settings(stamp=Stamp("20250315", "0900", 500), received="20250310", decided="20250315", prefix="H")


def line(number: int = 1, procedure: str = "G0402", charge: int = 15000, day: str = "20250301", **more: object) -> Line:
    start = Line(number, procedure, charge, 1000, day, day, place="11", pointers=(1,), control=f"L{number}")
    return msgspec.structs.replace(start, **more)


def claim(*lines: Line, identifier: str = "A1", **more: object) -> Claim:
    parts = lines or (line(),)
    start = Claim(
        "P",
        identifier,
        sum(part.charge for part in parts),
        "11",
        "1",
        Party(CLINIC.name, CLINIC.identifier, telephone="2175550100"),
        Party(PAYER.name, PAYER.identifier),
        CLINIC,
        Party(PAYER.name, PAYER.identifier),
        JANE,
        JANE,
        "18",
        ("J069", "E119"),
        parts,
        min(part.first for part in parts),
        max(part.last for part in parts),
    )
    return msgspec.structs.replace(start, **more)


def stay(*lines: Line, identifier: str = "S1", **more: object) -> Claim:
    parts = tuple(
        msgspec.structs.replace(part, place="", pointers=(), revenue=part.revenue or "0120") for part in lines
    )
    base = claim(*parts, identifier=identifier)
    changed = msgspec.structs.replace(
        base,
        kind="I",
        facility="13",
        submitter=Party(HOSPITAL.name, HOSPITAL.identifier, telephone="2175550101"),
        billing=HOSPITAL,
        stay=("1", "1", "01"),
    )
    return msgspec.structs.replace(changed, **more)


def file_of(*claims: Claim, stamp: Stamp | None = None) -> bytes:
    """An 837 of these claims; its control number follows from them unless a stamp tells it."""
    if stamp is None:
        stamp = msgspec.structs.replace(STAMP, control=1 + crc32(repr(claims).encode()) % 999_999_999)
    version = "005010X222A1" if claims[0].kind == "P" else "005010X223A2"
    return interchange(ENDS, stamp, "HC", version, [set_of(claims, "0001", stamp.day, stamp.time)])


def facts(**more: object) -> Facts:
    start = Facts(
        received="20250310", decided="20250315", control="H1", coverage="active", provider="contracted", family=True
    )
    return msgspec.structs.replace(start, **more)


def reasons(decision: Decision) -> list[tuple[int, str, int]]:
    return [
        (part.number, f"{reason.group}-{reason.code}", reason.amount)
        for part in decision.lines
        for reason in part.reasons
    ]
