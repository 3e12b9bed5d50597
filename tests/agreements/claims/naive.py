"""A second adjudicator, written apart from the first in `Decimal` and plain dictionaries, for what the tests generate.

It shares no code with Salus. It knows professional claims, fixed and percent prices, copay, deductible, coinsurance,
member and family maxima, exclusions and exact duplicates, nothing else.
"""

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


class Naive:
    def __init__(self, plan: dict, prices: dict[str, Decimal], percent: Decimal) -> None:
        self.plan = plan
        self.prices = prices
        self.percent = percent
        self.deductible: dict[str, Decimal] = {}
        self.pocket: dict[str, Decimal] = {}
        self.seen: set[tuple] = set()

    def room(self, table: dict[str, Decimal], most: dict[str, Decimal], person: str, family: str) -> Decimal:
        own = most["individual"] - table.get(person, Decimal(0))
        all_ = most["family"] - table.get("family:" + family, Decimal(0))
        return max(Decimal(0), min(own, all_))

    def count(self, table: dict[str, Decimal], person: str, family: str, amount: Decimal) -> None:
        table[person] = table.get(person, Decimal(0)) + amount
        key = "family:" + family
        table[key] = table.get(key, Decimal(0)) + amount

    def claim(self, person: str, family: str, lines: list[tuple[str, str, Decimal]]) -> list[tuple[Decimal, Decimal]]:
        """Return paid and patient's share of each line (procedure, day, charge)."""
        result = []
        copaid = set()
        keys = [(person, *line) for line in lines]
        fresh = []
        for place, key in enumerate(keys):
            fresh.append(key not in self.seen and key not in keys[:place])
        self.seen.update(keys)
        for good, (procedure, day, charge) in zip(fresh, lines, strict=True):
            if not good or procedure.startswith(self.plan["excluded"]):
                result.append((Decimal(0), Decimal(0)))
                continue
            price = self.prices.get(procedure)
            if price is None:
                price = (charge * self.percent).quantize(CENT, ROUND_HALF_UP)
            left = min(price, charge)
            patient = Decimal(0)
            for kind in ("copay", "deductible", "coinsurance"):
                if kind == "copay":
                    part = Decimal(0) if day in copaid else min(self.plan["copay"], left)
                    copaid.add(day)
                elif kind == "deductible":
                    part = min(self.room(self.deductible, self.plan["deductible"], person, family), left)
                else:
                    part = (left * self.plan["coinsurance"]).quantize(CENT, ROUND_HALF_UP)
                part = min(part, self.room(self.pocket, self.plan["pocket"], person, family))
                if kind == "deductible":
                    self.count(self.deductible, person, family, part)
                self.count(self.pocket, person, family, part)
                left -= part
                patient += part
            result.append((left, patient))
        return result
