"""A month of claims under twenty plan designs, with planted faults: every one as planted, every price as a second reckoner's.

The whole way is taken, 837 in and 835 out. `naive.Naive` shares no code with what it is held against.
"""

import random
from collections import Counter
from decimal import Decimal

import msgspec
import pytest

from salus.agreements.claims.alone import Outcome, adjudicate
from salus.agreements.claims.members import Member, Members, person_of
from salus.agreements.claims.plan import Accumulator, Benefit, Coding, PairEdit, Plan, UnitEdit
from salus.interop.x12.claim import Adjustment, Claim, Line, LineDecision, OtherPayer, Party, Person
from tests.agreements.claims.cases import JANE, PLAN, RATES, SETTINGS, claim, file_of, line
from tests.agreements.claims.naive import Naive

DESIGNS = 20
PROCEDURES = ("G0402", "G0403", "S9129", "J0696", "G0499", "G9001")
PRICES = {rate.procedure: Decimal(rate.amount) / 100 for rate in RATES.rates if rate.procedure}
PLANTED = ("duplicate", "repeat", "secondary", "suspect", "defect", "defect", "bundle", "units")
PAIR = ("G0438", "G0439")
"""Of the second the payer denies what comes after the first, on whatever claim of the day."""
DAILY, MOST = "J1100", 4
EVERY = 12  # each so manieth claim is a planted one
DEFECTS = (
    {"rendering": Party("ROE", "1234567890", "RICHARD")},
    {"charge": 1},
    {"diagnoses": ("J06.9",)},
    {"facility": "00"},
    {"diagnoses": ("9999",)},
)
LINE_DEFECTS = ({"pointers": (9,)}, {"place": "00"}, {"procedure": "G04"}, {"first": "20250901", "last": "20250901"})
replace = msgspec.structs.replace


def design(number: int) -> tuple[Plan, dict]:
    """A plan, and the same as the naive reckoner reads it."""
    copay, coinsurance = 500 * (number % 5), 500 * (number % 7)
    own, pocket = 10_000 * (1 + number % 6), 60_000 + 15_000 * (number % 4)
    families = own * (3 + number % 2) // 2, pocket * (3 + number % 3) // 2
    excluded = Benefit(category="cosmetic", tier="in", clause="3.9", covered=False)
    office = Benefit(category="office", tier="in", clause="3.1", copay=copay, coinsurance=coinsurance)
    plan = replace(
        PLAN,
        name=f"Design {number}",
        categories=(PLAN.categories[0], PLAN.categories[-1]),
        benefits=(excluded, office, PLAN.benefits[-1]),
        accumulators=(
            Accumulator(bucket="deductible", tier="in", clause="2.1", individual=own, family=families[0]),
            Accumulator(bucket="out-of-pocket", tier="in", clause="2.2", individual=pocket, family=families[1]),
        ),
        coding=Coding(
            pairs=(PairEdit(first=PAIR[0], second=PAIR[1], indicator=1),),
            units=(UnitEdit(procedure=DAILY, most=1000 * MOST, per="day"),),
        ),
        cuts=type(PLAN.cuts)(),
        limits=(),
        prompt_pay=None,
    )
    told = {
        "copay": Decimal(copay) / 100,
        "coinsurance": Decimal(coinsurance) / 10_000,
        "deductible": {"individual": Decimal(own) / 100, "family": Decimal(families[0]) / 100},
        "pocket": {"individual": Decimal(pocket) / 100, "family": Decimal(families[1]) / 100},
        "excluded": "G9",
        "pairs": [PAIR],
        "units": {DAILY: MOST},
    }
    return plan, told


class Month:
    """The claims of one design, in the order of the file, and what each was planted as."""

    def __init__(self, number: int, claims: int) -> None:
        self._chance = random.Random(number)
        self._used: set[tuple[str, str, str]] = set()
        self.people = [self._family(f"F{place}") for place in range(max(1, claims // 5))]
        self.apart: list[tuple[Person, Person]] = []
        self.claims: list[Claim] = []
        self.planted: dict[str, str] = {}
        while len(self.claims) < claims:
            made = self._visit(self._chance.choice(self.people))
            turn = len(self.claims)
            if turn % EVERY == EVERY - 1:
                self._plant(PLANTED[turn // EVERY % len(PLANTED)], made)
            else:
                self._add(made)

    @staticmethod
    def _family(number: str) -> tuple[Person, Person]:
        first = replace(JANE, member=number, last=f"DOE{number}")
        return first, replace(first, first="JOHN", birth="20100505", sex="M")

    def _add(self, made: Claim, kind: str = "") -> None:
        named = replace(made, identifier=f"P{len(self.claims):06d}")
        self.claims.append(named)
        if kind:
            self.planted[named.identifier] = kind

    def _visit(self, family: tuple[Person, Person]) -> Claim:
        place = self._chance.randrange(2)
        lines = [self._line(family[place], number) for number in range(1, self._chance.randrange(2, 5))]
        return claim(
            *lines, subscriber=family[0], patient=family[place], relationship=("18", "19")[place], diagnoses=("J069",)
        )

    def _line(self, person: Person, number: int) -> Line:
        while True:
            procedure = self._chance.choice(PROCEDURES)
            if day := self._day(person, procedure):
                return line(number, procedure, self._chance.randrange(100, 90_000), day)

    def _day(self, person: Person, procedure: str) -> str:
        """Return a day on which the person has no such line yet; empty where the one drawn has."""
        day = f"2025{self._chance.choice(('01', '02'))}{1 + self._chance.randrange(28):02d}"
        key = (person.member + person.first, procedure, day)
        new = key not in self._used
        self._used.add(key)
        return day if new else ""

    def _plant(self, kind: str, made: Claim) -> None:
        if kind == "defect":
            number = len(self.planted)
            if number % 2:
                self._add(replace(made, **DEFECTS[number // 2 % len(DEFECTS)]), kind)
            else:
                first = replace(made.lines[0], **LINE_DEFECTS[number // 2 % len(LINE_DEFECTS)])
                days = {"last": max(one.last for one in (first, *made.lines[1:]))}
                self._add(replace(made, lines=(first, *made.lines[1:]), **days), kind)
        elif kind == "secondary":
            alone = replace(made.subscriber, member=f"S{len(self.claims)}")
            self.apart.append((alone, alone))  # nobody else's claims count with these
            told = tuple(self._decided(part) for part in made.lines)
            other = OtherPayer("P", "FIRST1", "FIRST", "X9", "DOE", sum(part.decisions[0].paid for part in told))
            who = {"subscriber": alone, "patient": alone, "relationship": "18"}
            self._add(replace(made, lines=told, rank="S", others=(other,), **who), kind)
        elif kind in {"bundle", "units"}:
            first, second = (PAIR[0], PAIR[1]) if kind == "bundle" else (DAILY, DAILY)
            while not (day := self._day(made.patient, first)):
                pass
            units = {"units": 1000 * (1 + MOST // 2)} if kind == "units" else {}
            again = {"modifiers": ("76",)} if kind == "units" else {}
            self._add(replace(made, **self._alone(line(1, first, 20_000, day, **units))))
            self._add(replace(made, **self._alone(line(1, second, 30_000, day, **units, **again))), kind)
        else:
            self._add(made)
            one = made.lines[0]
            changes = {
                "duplicate": made.lines,
                "repeat": tuple(replace(part, modifiers=("76",)) for part in made.lines),
                "suspect": (replace(one, charge=one.charge + 100),),
            }[kind]
            self._add(replace(made, lines=changes, charge=sum(part.charge for part in changes)), kind)

    @staticmethod
    def _alone(one: Line) -> dict:
        return {"lines": (one,), "charge": one.charge, "first": one.first, "last": one.last}

    @staticmethod
    def _decided(part: Line) -> Line:
        paid = part.charge // 2
        left = Adjustment("PR", "2", part.charge - paid)
        return replace(part, decisions=(LineDecision("FIRST1", paid, "20250305", (left,)),))

    def members(self) -> Members:
        """The members document: whoever is in a claim."""
        found = {}
        for family in (*self.people, *self.apart):
            for place, one in enumerate(family):
                member = Member(
                    subscriber=one.member,
                    last=one.last,
                    first=one.first,
                    birth=one.birth,
                    sex=one.sex,
                    relationship=("18", "19")[place],
                    since="20240101",
                )
                found.setdefault(member.person, member)
        return Members(payer="HARBOR1", members=tuple(found.values()))


def held(number: int, claims: int) -> Counter[str]:
    """Take one design's claims the whole way; return how many of each kind there were and were as planted."""
    (plan, told), month = design(number), Month(number, claims)
    outcome = adjudicate([file_of(*month.claims)], plan, [RATES], month.members(), SETTINGS)
    decided = {one.claim.identifier: one for one in outcome.decisions}
    kinds = Counter(month.planted.values())
    defects = {name for name, kind in month.planted.items() if kind == "defect"}
    assert {one.identifier for one in month.claims} - set(decided) == defects
    waiting = {name for name, one in decided.items() if one.status == "pended"}
    assert waiting == {name for name, kind in month.planted.items() if kind == "suspect"}
    for name, kind in month.planted.items():
        codes = {
            f"{reason.group}-{reason.code}"
            for part in getattr(decided.get(name), "lines", ())
            for reason in part.reasons
        }
        planted = {"CO-18": "duplicate", "CO-97": "bundle", "CO-151": "units"}
        assert codes & set(planted) == {code for code, one in planted.items() if one == kind}, (name, kind)
    assert all(
        reason.clause and reason.remedy for one in decided.values() for part in one.lines for reason in part.reasons
    )
    same(outcome, told, month)
    kinds["claims"], kinds["waiting"], kinds["sound"] = len(month.claims), len(waiting), len(decided)
    return kinds


def same(outcome: Outcome, told: dict, month: Month) -> None:
    """Hold every payment against the naive reckoner's, and the 835's sum against both."""
    prices = PRICES | {f"{name}|76": price for name, price in PRICES.items()}
    naive, paid = Naive(told, prices, Decimal("0.70")), Decimal(0)
    for one in outcome.decisions:
        if one.status == "pended":
            continue
        made = one.claim
        paid += Decimal(one.paid) / 100
        if month.planted.get(made.identifier) == "secondary":
            assert one.paid + one.patient <= sum(part.charge - part.decisions[0].paid for part in made.lines)
            continue
        lines = [
            (
                "|".join((part.procedure, *part.modifiers)),
                part.first,
                Decimal(part.charge) / 100,
                Decimal(part.units) / 1000,
            )
            for part in made.lines
        ]
        expected = naive.claim(person_of(made), made.subscriber.member, lines)
        got = [(Decimal(part.paid) / 100, Decimal(part.patient) / 100) for part in one.lines]
        assert got == expected, made.identifier
    assert Decimal(outcome.paid) / 100 == paid


def whole_month(claims: int) -> None:
    total: Counter[str] = Counter()
    for number in range(DESIGNS):
        total += held(number, claims // DESIGNS)
    assert total["claims"] >= claims
    assert total["waiting"] <= 0.05 * total["sound"]
    assert min(total[kind] for kind in PLANTED) >= DESIGNS


@pytest.mark.unmeasured
def test_a_month_of_two_thousand_claims_under_twenty_plans_is_decided_as_planted() -> None:
    whole_month(2_000)


@pytest.mark.soak
def test_a_month_of_twenty_thousand_claims_under_twenty_plans_is_decided_as_planted() -> None:
    whole_month(20_000)
