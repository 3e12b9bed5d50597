# ruff: noqa: INP001
"""Make the sample month of claims: a fictional clinic, hospital, payer and its families. Same bytes always.

Usage, in an environment with Salus: `python samples/make_claims.py`. What is planted is listed in `planted.json`.
Procedure codes are HCPCS Level II, numbers and names of nobody.
"""

import gzip
import json
import random
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from salus.interop.npi import npi_valid
from salus.interop.x12.claim import Claim, Line, Party, Person
from salus.interop.x12.claim_writer import set_of
from salus.interop.x12.envelope import Stamp, Trader, interchange

HERE = Path(__file__).parent / "claims"
MONTH = HERE / "month"
FAMILIES, CLAIMS = 160, 2_000
LAST = (
    "ALDERWOOD",
    "BRACKENBURY",
    "CATTERMOLE",
    "DRAKEFORD",
    "ELPHINSTONE",
    "FAIRWEATHER",
    "GREENHALGH",
    "HOLLINGWORTH",
)
FIRST = ("ARABELLA", "BENEDICT", "CLEMENTINE", "DOMINIC", "EUGENIA", "FLORIAN", "GENEVIEVE", "HUMPHREY")
PRICES = {"G0402": 15000, "G0403": 7500, "G0404": 22000, "S9129": 9000, "J0696": 1500, "R0070": 20000}
USUAL = ("G0402", "G0402", "G0403", "G0404", "J0696")


def npi(first_nine: int) -> str:
    """Return a provider number with its check digit."""
    return next(f"{first_nine}{digit}" for digit in range(10) if npi_valid(f"{first_nine}{digit}"))


CEDAR = Party(
    "CEDAR CLINIC", npi(123456789), "", "123456789", "207Q00000X", "1 MAIN ST", "SPRINGFIELD", "IL", "627010001"
)
BIRCH = Party(
    "BIRCH HOSPITAL", npi(198765432), "", "987654321", "282N00000X", "9 HILL RD", "SPRINGFIELD", "IL", "627010009"
)
HARBOR = Party("HARBOR HEALTH", "HARBOR1")


def families(chance: random.Random) -> list[list[Person]]:
    """Return the covered persons, by family; the first is the subscriber."""
    found = []
    for number in range(FAMILIES):
        member = f"HB{730_000 + 7 * number:07d}"
        last = f"{LAST[number % len(LAST)]}{chr(65 + number // len(LAST))}"
        family = []
        for place in range(1 + chance.randrange(4)):
            born = (1960 + chance.randrange(35)) if place < 2 else (2008 + chance.randrange(12))
            birth = f"{born}{1 + chance.randrange(12):02d}{1 + chance.randrange(28):02d}"
            first = FIRST[(number + 3 * place) % len(FIRST)]
            family.append(
                Person(last, first, member, birth, "FM"[place % 2], "2 OAK AVE", "SPRINGFIELD", "IL", "62701")
            )
        found.append(family)
    return found


def members(people: list[list[Person]]) -> dict[str, Any]:
    """Return the members document."""
    return {
        "payer": HARBOR.identifier,
        "members": [
            {
                "subscriber": one.member,
                "last": one.last,
                "first": one.first,
                "birth": one.birth,
                "sex": one.sex,
                "relationship": ("18", "01", "19", "19")[place],
                "since": "20240101",
            }
            for family in people
            for place, one in enumerate(family)
        ],
    }


class Month:
    """Claims as they are made; what is planted is written down."""

    def __init__(self) -> None:
        self.chance = random.Random(8)  # noqa: S311 - a sample, no secret
        self.people = families(self.chance)
        self.clinic: list[Claim] = []
        self.hospital: list[Claim] = []
        self.planted: dict[str, list[str]] = {}
        self._used: set[tuple[str, str, str]] = set()

    def plant(self, kind: str, claim: Claim) -> Claim:
        """Write down what a claim was planted as, and add it."""
        self.planted.setdefault(kind, []).append(claim.identifier)
        return self.add(claim)

    def add(self, claim: Claim) -> Claim:
        """Add a claim to its provider's file."""
        (self.clinic if claim.kind == "P" else self.hospital).append(claim)
        return claim

    def name(self) -> str:
        """Return the next claim number of a provider."""
        return f"PT{len(self.clinic) + len(self.hospital) + 1:06d}"

    def day(self, person: Person, what: str) -> str:
        """Return a day of the month on which this person had no such service yet."""
        while True:
            day = f"202503{1 + self.chance.randrange(28):02d}"
            key = (person.member + person.first, what, day)
            if key not in self._used:
                self._used.add(key)
                return day

    def visit(self, family: list[Person], place: int, *codes: str) -> Claim:
        """Return a visit to the clinic."""
        day = self.day(family[place], "visit")
        lines = tuple(
            Line(number, code, PRICES[code], 1000, day, day, place="11", pointers=(1,), control=f"L{number}")
            for number, code in enumerate(codes, 1)
        )
        return self._claim("P", family, place, lines)

    def stay(self, family: list[Person], place: int, days: int = 1) -> Claim:
        """Return some days at the hospital, on the bill of one."""
        day = self.day(family[place], "stay")
        lines = tuple(
            Line(number, "", days * charge, days * 1000, day, day, revenue=revenue, control=f"L{number}")
            for number, (revenue, charge) in enumerate((("0120", 180_000), ("0250", 24_000)), 1)
        )
        return self._claim("I", family, place, lines)

    def _claim(self, kind: str, family: list[Person], place: int, lines: tuple[Line, ...]) -> Claim:
        billing = CEDAR if kind == "P" else BIRCH
        return Claim(
            kind,
            self.name(),
            sum(line.charge for line in lines),
            "11" if kind == "P" else "13",
            "1",
            Party(billing.name, billing.identifier, telephone="2175550100"),
            HARBOR,
            billing,
            HARBOR,
            family[0],
            family[place],
            ("18", "01", "19", "19")[place],
            ("J069", "E119") if kind == "P" else ("K3580",),
            lines,
            min(line.first for line in lines),
            max(line.last for line in lines),
            stay=("", "", "") if kind == "P" else ("1", "1", "01"),
        )


def make(claims: int = CLAIMS) -> Month:
    """Return a month of so many claims."""
    month = Month()
    chance = month.chance
    turns = 0
    large = next(family for family in month.people if len(family) == 4)
    for place in range(3):
        month.plant("family maximum", month.stay(large, place, days=10))
    while len(month.clinic) + len(month.hospital) < claims:
        family = month.people[chance.randrange(FAMILIES)]
        place = chance.randrange(len(family))
        turns += 1
        if turns % 30 == 0:
            plant(month, turns // 30, family, place)
        elif turns % 11 == 0:
            month.add(month.stay(family, place))
        else:
            month.add(month.visit(family, place, USUAL[chance.randrange(len(USUAL))]))
    return month


def plant(month: Month, turn: int, family: list[Person], place: int) -> None:
    """Add one claim of the next planted kind."""
    claim = month.visit(family, place, "G0402")
    line = claim.lines[0]
    kind = turn % 8
    if kind == 0:
        month.plant("refused: check digit", replace(claim, rendering=Party("HOLM", "1234567890", "ANNA")))
    elif kind == 1:
        month.plant("refused: total", replace(claim, charge=claim.charge + 100))
    elif kind == 2:
        month.add(claim)
        month.plant("duplicate", replace(claim, identifier=month.name()))
    elif kind == 3:
        month.add(claim)
        dearer = replace(line, charge=line.charge + 500)
        month.plant("suspect", replace(claim, identifier=month.name(), charge=dearer.charge, lines=(dearer,)))
    elif kind == 4:
        month.add(claim)
        month.plant("repeat", replace(claim, identifier=month.name(), lines=(replace(line, modifiers=("76",)),)))
    elif kind == 5:
        early = replace(line, first="20250103", last="20250103")
        month.plant("late", replace(claim, lines=(early,), first="20250103", last="20250103"))
    elif kind == 6:
        stranger = replace(family[place], member="HB9999999")
        month.plant("stranger", replace(claim, subscriber=stranger, patient=stranger, relationship="18"))
    else:
        image = month.visit(family, place, "R0070")
        month.plant("no approval", image)


def file_of(claims: list[Claim], sender: str, control: int) -> bytes:
    """Return an 837 of one provider."""
    version = "005010X222A1" if claims[0].kind == "P" else "005010X223A2"
    body = set_of(tuple(claims), "0001", "20250331", "0900")
    return interchange(
        (Trader("ZZ", sender), Trader("ZZ", "HARBOR")), Stamp("20250331", "0900", control), "HC", version, [body]
    )


def rates() -> list[dict[str, Any]]:
    """Return the rates of both providers."""
    (clinic,) = json.loads((HERE / "rates.json").read_text())
    hospital = clinic | {
        "provider": BIRCH.identifier,
        "clause": "schedule B",
        "rates": [
            {"method": "fixed", "revenue": "012", "clause": "B1", "amount": 150_000},
            {"method": "percent", "clause": "B2", "percent": 6000},
        ],
    }
    return [clinic, hospital]


def write(folder: Path, month: Month) -> None:
    """Write the files of a month into a folder."""
    folder.mkdir(exist_ok=True)
    for name, claims, control in (("cedar", month.clinic, 1), ("birch", month.hospital, 2)):
        (folder / f"{name}.837.gz").write_bytes(gzip.compress(file_of(claims, name.upper(), control), mtime=0))
    documents = {"rates": rates(), "members": members(month.people), "planted": month.planted}
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(MONTH, make())
