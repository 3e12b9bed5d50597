"""A second adjudicator, written apart from the first in `Decimal` and plain dictionaries, for what the tests generate.

It shares no code with Salus. It knows professional claims, fixed and percent prices, copay, deductible, coinsurance,
member and family maxima, exclusions, exact duplicates, and pairs and units of a day over all claims of one provider,
nothing else.
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
        self.done: dict[tuple, list[tuple[str, set[str], Decimal]]] = {}
        """By person and day: procedure, modifiers and units of what was not denied."""

    def room(self, table: dict[str, Decimal], most: dict[str, Decimal], person: str, family: str) -> Decimal:
        own = most["individual"] - table.get(person, Decimal(0))
        all_ = most["family"] - table.get("family:" + family, Decimal(0))
        return max(Decimal(0), min(own, all_))

    def count(self, table: dict[str, Decimal], person: str, family: str, amount: Decimal) -> None:
        table[person] = table.get(person, Decimal(0)) + amount
        key = "family:" + family
        table[key] = table.get(key, Decimal(0)) + amount

    def bundled(self, person: str, lines: list[tuple[str, str, Decimal, Decimal]], fresh: list[bool]) -> list[bool]:
        """Tell of each line whether a pair or the units of its day deny it, earlier claims of the day counted."""
        parts = [(name.split("|")[0], set(name.split("|")[1:]), day, units) for name, day, _, units in lines]
        denied = [not good for good in fresh]
        for first, second in self.plan.get("pairs", ()):
            for place, (code, marks, day, _) in enumerate(parts):
                beside = [
                    part[1]
                    for spot, part in enumerate(parts)
                    if part[0] == first and part[2] == day and not denied[spot]
                ]
                beside += [other[1] for other in self.done.get((person, day), []) if other[0] == first]
                if code == second and beside and not any("59" in one for one in [marks, *beside]):
                    denied[place] = True
        for code, most in self.plan.get("units", {}).items():
            for day in {part[2] for part in parts}:
                mine = [
                    spot for spot, part in enumerate(parts) if part[0] == code and part[2] == day and not denied[spot]
                ]
                before = sum(other[2] for other in self.done.get((person, day), []) if other[0] == code)
                if mine and before + sum(parts[spot][3] for spot in mine) > most:
                    for spot in mine:
                        denied[spot] = True
        return denied

    def claim(
        self, person: str, family: str, lines: list[tuple[str, str, Decimal, Decimal]]
    ) -> list[tuple[Decimal, Decimal]]:
        """Return paid and patient's share of each line (procedure and modifiers, day, charge, units)."""
        result = []
        copaid = set()
        keys = [(person, *line) for line in lines]
        fresh = []
        for place, key in enumerate(keys):
            fresh.append(key not in self.seen and key not in keys[:place])
        self.seen.update(keys)
        denied = self.bundled(person, lines, fresh)
        for bad, (procedure, day, charge, units) in zip(denied, lines, strict=True):
            if bad or procedure.startswith(self.plan["excluded"]):
                result.append((Decimal(0), Decimal(0)))
                continue
            code, *marks = procedure.split("|")
            self.done.setdefault((person, day), []).append((code, set(marks), units))
            price = self.prices.get(procedure)
            if price is None:
                price = (charge * self.percent).quantize(CENT, ROUND_HALF_UP)
            else:
                price *= units
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
