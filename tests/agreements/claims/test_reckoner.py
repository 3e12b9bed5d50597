"""Worlds of plans, contracts and claims drawn by chance: every price, share and takeback as a reckoner apart has it.

The whole way is taken, 837 in and 835 out; the reckoner reads the documents as JSON and shares no code.
"""

import random
from collections import Counter
from decimal import Decimal

import msgspec
import pytest

from salus.agreements.claims.alone import adjudicate
from salus.agreements.claims.decision import Decision
from salus.agreements.claims.members import Member, Members
from salus.agreements.claims.plan import (
    Accumulator,
    Benefit,
    Category,
    Cuts,
    InterestRate,
    Limit,
    Plan,
    PromptPay,
    Rounding,
    Sequestration,
)
from salus.agreements.claims.rates import Locality, Rate, Rates
from salus.interop.x12.claim import Adjustment, Claim, Line, LineDecision, OtherPayer, Party, Person
from tests.agreements.claims.cases import CLINIC, HOSPITAL, JANE, LAW, PLAN, SETTINGS, claim, file_of, line, npi, stay
from tests.agreements.claims.reckoner import Answer, Reckoner

replace = msgspec.structs.replace
OUTSIDE = replace(CLINIC, name="DUNE CLINIC", identifier=npi(112233445), tax="222334444")
MODES = ("half-up", "half-up", "half-down", "half-even", "down", "up")
PROFESSIONAL = ("G0402", "G0403", "G0404", "G0405", "R0070", "S9129", "J0696", "G0499", "G9001")
REVENUE = (("0120", ""), ("0250", ""), ("0300", "G0403"), ("0420", "S9129"), ("0960", "G9001"))
KINDS = {
    "void",
    "replacement",
    "no benefit",
    "excluded",
    "limit per claim",
    "limit per year",
    "limit per lifetime",
    "outside",
    "case",
    "several procedures",
    "lesser of",
    "above the charge",
    "percent",
    "per-diem",
    "fixed",
    "relative-value",
    "modifier 50",
    "modifier 52",
    "aggregate",
    "out-of-pocket maximum",
    "standard",
    "non-duplication",
    "medicare-secondary",
    "decided as a whole",
    "411.33(e)",
    "411.33(e)(1)",
    "411.33(e)(2)",
    "411.33(e)(3)",
    "411.33(e)(4)",
    "sequestration",
    "withhold",
    "interest",
}


class World:
    """A plan, two contracts, some families and their claims."""

    def __init__(self, seed: int, claims: int) -> None:
        self.chance = random.Random(seed)
        self.plan = self._plan()
        self.contracts = [self._clinic(), self._hospital()]
        self.people = [self._family(f"F{number}", number) for number in range(3)]
        self.used: set[tuple[str, str, str, int]] = set()
        self.day = "01", 1
        self.claims: list[Claim] = []
        for kind in "PI":
            first = len(self.claims)
            while len(self.claims) < first + claims:
                self._add(kind, first)

    def one(self, *values: int) -> int:
        return self.chance.choice(values)

    def _plan(self) -> Plan:
        chance, one = self.chance, self.one
        order = ["copay", "deductible", "coinsurance"]
        chance.shuffle(order)
        maxima = []
        for tier in ("first", "in", "out"):
            for bucket, size in (
                ("deductible", one(0, 8_000, 25_000)),
                ("out-of-pocket", one(30_000, 60_000, 250_000)),
            ):
                family = one(0, size * 3 // 2, size * 2)
                method = chance.choice(("embedded", "aggregate")) if family else "embedded"
                maxima.append(
                    Accumulator(bucket=bucket, tier=tier, clause="2", individual=size, family=family, method=method)
                )
        return replace(
            PLAN,
            tiers=("first", "in", "out"),
            categories=(
                Category(category="cosmetic", procedures=("G9",)),
                Category(category="therapy", procedures=("S9",)),
                Category(category="bed", kind="I", revenue=("01",)),
                Category(category="imaging", procedures=("R",)),
                Category(category="office"),
            ),
            benefits=tuple(self._benefits()),
            accumulators=tuple(maxima),
            limits=(
                Limit(
                    name="therapy",
                    clause="3",
                    units=one(1, 3, 6) * 1000,
                    per=chance.choice(("claim", "year", "lifetime")),
                ),
            ),
            cost_share_order=tuple(order),
            coordination=chance.choice(("standard", "non-duplication", "medicare-secondary")),
            coding=type(PLAN.coding)(),
            cuts=Cuts(
                modifiers={"50": 15_000, "52": one(5000, 3333)},
                multiple=chance.choice(((), (10_000, 5_000), (10_000, 5_000, 2_500), (9_000, 3_333, 3_333, 1_111))),
            ),
            out_of_network=one(10_000, 6_667, 0),
            prompt_pay=PromptPay(
                clause="6",
                origin=LAW,
                rates=(InterestRate(since="20240701", rate=4875), InterestRate(since="20250101", rate=4625)),
            )
            if one(0, 1)
            else None,
            sequestration=(Sequestration(clause="7", origin=LAW, share=200, since="20250110", until="20250214"),)
            if one(0, 1)
            else (),
            rounding=Rounding(
                **{
                    part: chance.choice(MODES)
                    for part in ("price", "percent", "cuts", "coinsurance", "withhold", "interest")
                }
            ),
        )

    def _benefits(self) -> list[Benefit]:
        one = self.one
        found = []
        for tier in ("first", "in", "out"):
            for category in ("cosmetic", "therapy", "bed", "imaging", "office"):
                if tier == "out" and category in {"bed", "imaging"} and one(0, 1):
                    continue
                found.append(
                    Benefit(
                        category=category,
                        tier=tier,
                        clause="3",
                        covered=category != "cosmetic",
                        copay=one(0, 1500, 4000),
                        copay_per=self.chance.choice(("visit", "line")),
                        coinsurance=one(0, 1000, 2000, 3333),
                        deductible=bool(one(0, 1, 1)),
                        limit="therapy" if category == "therapy" else "",
                    )
                )
        return found

    def _contract(self, provider: Party, *prices: Rate, place: Locality | None = None) -> Rates:
        return Rates(
            payer="HARBOR1",
            provider=provider.identifier,
            version="1",
            tier=self.chance.choice(("first", "in")),
            clause="A",
            since="20250101",
            until="20251231",
            rates=prices,
            locality=place,
            withhold=self.one(0, 0, 150, 333),
            lesser_of=bool(self.one(0, 1, 1)),
        )

    def _clinic(self) -> Rates:
        one = self.one
        values = {"work": one(97, 150), "practice": one(88, 241), "malpractice": one(7, 20)}
        return self._contract(
            CLINIC,
            Rate(method="fixed", procedure="G0402", modifier="50", clause="A", amount=one(9_999, 11_111)),
            Rate(method="fixed", procedure="G0402", clause="A", amount=one(7_777, 10_000), multiple=True),
            Rate(method="relative-value", procedure="G0403", clause="A", multiple=True, **values),
            Rate(method="relative-value", procedure="R0070", clause="A", **values),
            Rate(method="fixed", procedure="G0404", clause="A", amount=20_001, multiple=True),
            Rate(method="fixed", procedure="G0405", clause="A", amount=one(10_000, 20_001), multiple=True),
            Rate(method="fixed", procedure="S9129", clause="A", amount=8_005),
            Rate(method="fixed", procedure="J0696", clause="A", amount=1_003),
            Rate(method="percent", clause="A", percent=one(7_000, 3_333)),
            place=Locality(table="T", work=one(1000, 1054), practice=one(869, 1081), malpractice=575, factor=323_465),
        )

    def _hospital(self) -> Rates:
        one = self.one
        return self._contract(
            HOSPITAL,
            Rate(method="case", drg="470", clause="A", amount=one(90_000, 270_001)),
            Rate(method="per-diem", revenue="012", clause="A", amount=one(30_000, 44_444)),
            Rate(method="fixed", procedure="S9129", clause="A", amount=8_005),
            Rate(method="fixed", procedure="G0403", revenue="03", clause="A", amount=5_005, multiple=True),
            Rate(method="percent", clause="A", percent=one(6_500, 9_999)),
        )

    @staticmethod
    def _family(number: str, size: int) -> list[Person]:
        first = replace(JANE, member=number, last=f"DOE{number}")
        return [first, *(replace(first, first=name, birth="20100505", sex="M") for name in ("JOHN", "JIM")[:size])]

    def _add(self, kind: str, first: int) -> None:
        earlier = self._to_take_back(first)
        if earlier is None:
            family = self.chance.choice(self.people)
            made = self._made(kind, family[0], self.chance.choice(family))
        else:
            place, old = earlier
            frequency = self.chance.choice("78")
            right = old if frequency == "8" else self._made(kind, old.subscriber, old.patient)
            made = replace(right, frequency=frequency, original=f"H{place + 1:08d}")
        self.claims.append(replace(made, identifier=f"P{len(self.claims):04d}"))

    def _to_take_back(self, first: int) -> tuple[int, Claim] | None:
        gone = {one.original for one in self.claims}
        standing = [
            (place, one)
            for place, one in enumerate(self.claims)
            if place >= first and one.frequency != "8" and f"H{place + 1:08d}" not in gone
        ]
        return self.chance.choice(standing) if standing and self.chance.random() < 0.15 else None

    def _made(self, kind: str, subscriber: Person, patient: Person) -> Claim:
        lines = [self._line(kind, patient, number) for number in range(1, self.chance.randrange(2, 6))]
        who = {"subscriber": subscriber, "patient": patient, "relationship": "18" if patient is subscriber else "19"}
        whole = bool(self.one(0, 1))
        after = self.chance.random() < 0.35
        if after and (kind == "P" or not whole):
            lines = [self._decided(part) for part in lines]
        if kind == "P":
            billing = self.chance.choice((CLINIC, CLINIC, CLINIC, OUTSIDE))
            made = claim(*lines, billing=billing, diagnoses=("J069",), **who)
        else:
            drg = self.chance.choice(("", "470"))
            bed = {"facility": "11", "admitted": min(part.first for part in lines), "drg": drg}
            made = stay(*lines, diagnoses=("J069",), **who, **(bed if drg else {}))
        return self._after(made) if after else made

    def _line(self, kind: str, patient: Person, number: int) -> Line:
        chance = self.chance
        while True:
            revenue, procedure = chance.choice(REVENUE) if kind == "I" else ("", chance.choice(PROFESSIONAL))
            if chance.random() < 0.5:  # several lines fall on one day
                self.day = chance.choice(("01", "02")), chance.randrange(1, 25)
            month, first = self.day
            last = first + (chance.randrange(4) if revenue == "0120" else 0)
            keys = {
                (patient.member + patient.first, procedure or revenue, month, one) for one in range(first, last + 1)
            }
            if self.used.isdisjoint(keys):
                self.used |= keys
                break
        modifiers = chance.choice(((), (), ("50",), ("52",), ("52", "50"))) if procedure else ()
        more = {
            "modifiers": modifiers,
            "units": chance.choice((1000, 1000, 2000, 1500)),
            "last": f"2025{month}{last:02d}",
        }
        days = f"2025{month}{first:02d}"
        return line(number, procedure, chance.randrange(100, 90_000), days, revenue=revenue, **more)

    def _told(self, charge: int) -> tuple[int, tuple[Adjustment, ...]]:
        """Return what a first payer may have decided on a charge."""
        chance = self.chance
        paid = chance.choice((0, chance.randrange(charge + 1), chance.randrange(charge + 1)))
        left = chance.choice(
            (0, charge - paid, chance.randrange(charge - paid + 1), chance.randrange(charge - paid + 1))
        )
        excess = chance.randrange(left + 1) if self.one(0, 0, 1) else 0
        amounts = (("PR", "2", left - excess), ("PR", "45", excess), ("CO", "45", charge - paid - left))
        return paid, tuple(Adjustment(group, code, amount) for group, code, amount in amounts if amount)

    def _decided(self, part: Line) -> Line:
        paid, reasons = self._told(part.charge)
        return replace(part, decisions=(LineDecision("FIRST1", paid, "20250305", reasons),))

    def _after(self, made: Claim) -> Claim:
        if made.lines[0].decisions:
            paid, reasons = sum(part.decisions[0].paid for part in made.lines), ()
        else:
            paid, reasons = self._told(made.charge)
        other = OtherPayer("P", "FIRST1", "FIRST", "X9", "DOE", paid, reasons, "CI", "18", "20250305")
        return replace(made, rank="S", others=(other,))

    def files(self) -> list[bytes]:
        return [file_of(*(one for one in self.claims if one.kind == kind)) for kind in "PI"]

    def members(self) -> Members:
        found = [
            Member(
                subscriber=one.member,
                last=one.last,
                first=one.first,
                birth=one.birth,
                sex=one.sex,
                relationship="18" if place == 0 else "19",
                since="20240101",
            )
            for family in self.people
            for place, one in enumerate(family)
        ]
        return Members(payer="HARBOR1", members=tuple(found))


def told(decision: Decision) -> tuple[list[tuple[int, int, int]], int]:
    return [(part.allowed, part.paid, part.patient) for part in decision.lines], decision.interest


def expected(answer: Answer) -> tuple[list[tuple[int, int, int]], int]:
    parts = zip(answer.allowed, answer.paid, answer.patient, strict=True)
    return [tuple(int(one * 100) for one in part) for part in parts], int(answer.interest * 100)


def held(seed: int, claims: int) -> set[str]:
    """Hold one world against the reckoner; return what it met there."""
    world = World(seed, claims)
    times = replace(SETTINGS, received="20250301", decided="20250501" if seed % 2 else "20250310")
    outcome = adjudicate(world.files(), world.plan, world.contracts, world.members(), times)
    assert len(outcome.decisions) == len(world.claims)
    plan, contracts = msgspec.to_builtins(world.plan), msgspec.to_builtins(world.contracts)
    families = {family[0].member for family in world.people if len(family) > 1}
    apart = Reckoner(plan, contracts, times.received, times.decided, families)
    moved = Decimal(0)
    for number, (made, decision) in enumerate(zip(world.claims, outcome.decisions, strict=True), 1):
        back, answer = apart.claim(f"H{number:08d}", msgspec.to_builtins(made))
        assert (decision.status == "voided") == (answer is None)
        assert (decision.reverses is not None) == (back is not None)
        if back is not None:
            assert decision.reverses is not None
            assert told(decision.reverses) == expected(back), (seed, made.identifier)
            moved -= sum(back.paid) + back.interest
        if answer is not None:
            assert told(decision) == expected(answer), (seed, made.identifier)
            moved += sum(answer.paid) + answer.interest
    owed = sum(one.amount for one in outcome.owed.values())
    assert Decimal(outcome.paid - owed) == moved * 100
    return apart.kinds


def worlds(count: int, claims: int) -> None:
    met: Counter[str] = Counter()
    for seed in range(count):
        met.update(held(seed, claims))
    assert set(met) == KINDS
    assert min(met.values()) >= 2


@pytest.mark.unmeasured
def test_a_reckoner_apart_has_every_method_and_share_alike() -> None:
    worlds(60, 8)


@pytest.mark.soak
def test_a_reckoner_apart_has_thousands_of_worlds_alike() -> None:
    worlds(3_000, 12)
