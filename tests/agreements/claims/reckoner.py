"""A third adjudicator, for what `naive` leaves out: it reads the documents as they are written down, and shares no code.

Plan, rates and claims come as plain JSON values; money is `Decimal` dollars throughout. It knows both forms, every method of
pricing, cuts by modifier and for several procedures of a day, tiers, limits, embedded and aggregate families, the order of
cost shares, coordination by all three methods, cuts by law, withholds, interest, voids and replacements. It decides no
duplicates, approvals, coding edits or filing limits: what is generated for it has none.
"""

import decimal
from datetime import date
from decimal import Decimal
from typing import Any

Json = dict[str, Any]
ZERO, CENT, ALL = Decimal(0), Decimal("0.01"), Decimal(10_000)
MODES = {
    "half-up": decimal.ROUND_HALF_UP,
    "half-down": decimal.ROUND_HALF_DOWN,
    "half-even": decimal.ROUND_HALF_EVEN,
    "down": decimal.ROUND_DOWN,
    "up": decimal.ROUND_UP,
}


def dollars(cents: int) -> Decimal:
    return Decimal(cents) / 100


def day_of(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def spread(total: Decimal, weights: list[Decimal]) -> list[Decimal]:
    """Spread a sum over weights so that the cents that are missing go where most was cut off."""
    whole = sum(weights, ZERO)
    exact = [total * weight / whole for weight in weights]
    parts = [one.quantize(CENT, decimal.ROUND_DOWN) for one in exact]
    while sum(parts, ZERO) < total:
        place = max(range(len(parts)), key=lambda at: (exact[at] - parts[at], -at))
        parts[place] += CENT
        exact[place] = parts[place]  # each gets one at most
    return parts


class Answer:
    """What a claim comes to: by line allowed, paid and the patient's; interest; and what it took."""

    def __init__(self, lines: int) -> None:
        self.allowed = [ZERO] * lines
        self.paid = [ZERO] * lines
        self.patient = [ZERO] * lines
        self.interest = ZERO
        self.taken: list[tuple[tuple[str, ...], Decimal]] = []
        self.used: list[tuple[str, int]] = []


class Reckoner:
    """One payer's year."""

    def __init__(self, plan: Json, contracts: list[Json], received: str, paid_on: str, families: set[str]) -> None:
        self.plan, self.received, self.paid_on, self.families = plan, received, paid_on, families
        self.contracts = {one["provider"]: one for one in contracts}
        self.taken: dict[tuple[str, ...], Decimal] = {}
        self.used: dict[tuple[str, str], int] = {}
        self.known: dict[str, tuple[str, Answer]] = {}
        self.kinds: set[str] = set()
        """What was met, so that a test can tell that it was."""

    def cut(self, amount: Decimal, share: int, point: str) -> Decimal:
        return (amount * share / ALL).quantize(CENT, MODES[self.plan["rounding"][point]])

    def claim(self, number: str, claim: Json) -> tuple[Answer | None, Answer | None]:
        """Return what is taken back and what is decided."""
        person = f"{claim['subscriber']['member']}/{claim['patient']['birth']}/{claim['patient']['first']}"
        back = None
        if claim["frequency"] in "78":
            self.kinds.add("void" if claim["frequency"] == "8" else "replacement")
            owner, back = self.known.pop(claim["original"])
            assert owner == person
            for cell, amount in back.taken:
                self.taken[cell] -= amount
            for limit, units in back.used:
                self.used[person, limit] -= units
            if claim["frequency"] == "8":
                return back, None
        answer = self.decide(claim, person)
        for cell, amount in answer.taken:
            self.taken[cell] = self.taken.get(cell, ZERO) + amount
        for limit, units in answer.used:
            self.used[person, limit] = self.used.get((person, limit), 0) + units
        self.known[number] = person, answer
        return back, answer

    def decide(self, claim: Json, person: str) -> Answer:
        contract = self.contracts.get(claim["billing"]["identifier"])
        tier = contract["tier"] if contract else self.plan["tiers"][-1]
        lines = claim["lines"]
        answer = Answer(len(lines))
        benefits = [self.benefit(claim, line, tier) for line in lines]
        going = self.covered(lines, benefits, tier, person, answer)
        prices = self.prices(claim, [lines[at] for at in going], contract)
        for at, price in zip(going, prices, strict=True):
            lesser = contract is None or contract["lesser_of"]
            answer.allowed[at] = min(price, dollars(lines[at]["charge"])) if lesser else price
            if answer.allowed[at] > dollars(lines[at]["charge"]):
                self.kinds.add("above the charge")
            if contract is None:  # what no contract forbids is the patient's
                answer.patient[at] = dollars(lines[at]["charge"]) - answer.allowed[at]
        shares = self.shares(claim, going, benefits, answer, person)
        own = {at: answer.allowed[at] - sum(shares[at].values(), ZERO) for at in going}
        if any(other["paid"] is not None for other in claim["others"]):
            owed = self.after_others(claim, going, answer, shares, own)
        else:
            owed = own
            for at in going:
                answer.patient[at] += sum(shares[at].values(), ZERO)
        for at in going:
            answer.taken += self.takes(shares[at], benefits[at]["tier"], claim, person)
            answer.paid[at] = self.withheld(owed[at], lines[at], contract)
        if going:
            answer.interest = self.late(sum(answer.paid, ZERO))
        return answer

    def benefit(self, claim: Json, line: Json, tier: str) -> Json | None:
        for category in self.plan["categories"]:
            if category["kind"] not in ("", claim["kind"]):
                continue
            if category["procedures"] and not any(line["procedure"].startswith(one) for one in category["procedures"]):
                continue
            if category["revenue"] and not any(line["revenue"].startswith(one) for one in category["revenue"]):
                continue
            for benefit in self.plan["benefits"]:
                if (benefit["category"], benefit["tier"]) == (category["category"], tier):
                    return benefit
            return None
        return None

    def covered(
        self, lines: list[Json], benefits: list[Json | None], tier: str, person: str, answer: Answer
    ) -> list[int]:
        """Return the lines that the plan pays for; of the others the patient owes all, or nothing."""
        limits = {one["name"]: one for one in self.plan["limits"]}
        here: dict[str, int] = {}
        going = []
        for at, (line, benefit) in enumerate(zip(lines, benefits, strict=True)):
            if benefit is None or (not benefit["covered"] and tier == self.plan["tiers"][-1]):
                self.kinds.add("no benefit")
                answer.patient[at] = dollars(line["charge"])
            elif not benefit["covered"]:
                self.kinds.add("excluded")
            elif benefit["limit"]:
                name = benefit["limit"]
                limit = limits[name]
                before = here.get(name, 0) + (self.used.get((person, name), 0) if limit["per"] != "claim" else 0)
                if before + line["units"] > limit["units"]:
                    self.kinds.add(f"limit per {limit['per']}")
                    answer.patient[at] = dollars(line["charge"])
                else:
                    here[name] = here.get(name, 0) + line["units"]
                    answer.used.append((name, line["units"]))
                    going.append(at)
            else:
                going.append(at)
        return going

    def prices(self, claim: Json, lines: list[Json], contract: Json | None) -> list[Decimal]:
        charges = [dollars(line["charge"]) for line in lines]
        if contract is None:
            self.kinds.add("outside")
            return [self.cut(one, self.plan["out_of_network"], "percent") for one in charges]
        if not lines:
            return []
        for rate in contract["rates"]:
            if rate["method"] == "case" and claim["drg"] and rate["drg"] == claim["drg"]:
                self.kinds.add("case")
                amount = dollars(rate["amount"])
                return spread(min(amount, sum(charges, ZERO)) if contract["lesser_of"] else amount, charges)
        found = [self.rate(claim, line, contract) for line in lines]
        prices = [self.price(line, rate, contract) for line, rate in zip(lines, found, strict=True)]
        parts = self.plan["cuts"]["multiple"]
        for day in {line["first"] for line in lines} if parts else ():
            group = [at for at, line in enumerate(lines) if line["first"] == day and found[at]["multiple"]]
            group.sort(key=lambda at: (prices[at], -at), reverse=True)
            for rank, at in enumerate(group):
                if rank:
                    self.kinds.add("several procedures")
                prices[at] = self.cut(prices[at], parts[rank] if rank < len(parts) else parts[-1], "cuts")
        if contract["lesser_of"] and any(price > charge for price, charge in zip(prices, charges, strict=True)):
            self.kinds.add("lesser of")
        return prices

    @staticmethod
    def rate(claim: Json, line: Json, contract: Json) -> Json:
        def reaches(rate: Json) -> bool:
            if rate["method"] == "case" or (rate["method"] == "per-diem" and claim["kind"] == "P"):
                return False
            if rate["procedure"] and rate["procedure"] != line["procedure"]:
                return False
            if rate["modifier"] and rate["modifier"] not in line["modifiers"]:
                return False
            return not rate["revenue"] or line["revenue"].startswith(rate["revenue"])

        return next(rate for rate in contract["rates"] if reaches(rate))

    def price(self, line: Json, rate: Json, contract: Json) -> Decimal:
        self.kinds.add(rate["method"])
        if rate["method"] == "percent":
            price = self.cut(dollars(line["charge"]), rate["percent"], "percent")
        elif rate["method"] == "per-diem":
            price = dollars(rate["amount"]) * max((day_of(line["last"]) - day_of(line["first"])).days, 1)
        else:
            units = Decimal(line["units"]) / 1000
            each = dollars(rate["amount"])
            if rate["method"] == "relative-value":
                place = contract["locality"]
                value = sum(
                    (
                        Decimal(rate[one]) / 100 * Decimal(place[one]) / 1000
                        for one in ("work", "practice", "malpractice")
                    ),
                    ZERO,
                )
                each = value * Decimal(place["factor"]) / 10_000
                each = each.quantize(CENT, MODES[self.plan["rounding"]["price"]])
            price = (each * units).quantize(CENT, MODES[self.plan["rounding"]["price"]])
        for modifier in line["modifiers"]:
            if modifier in self.plan["cuts"]["modifiers"]:
                self.kinds.add(f"modifier {modifier}")
                price = self.cut(price, self.plan["cuts"]["modifiers"][modifier], "cuts")
        return price

    def limits_on(
        self, bucket: str, tier: str, claim: Json, person: str
    ) -> list[tuple[tuple[str, ...], Decimal | None]]:
        """Return the cells of a maximum with what each may hold; None where a cell only counts."""
        family = claim["subscriber"]["member"]
        for one in self.plan["accumulators"]:
            if (one["bucket"], one["tier"]) == (bucket, tier):
                mine, ours = (bucket, tier, "member", person), (bucket, tier, "family", family)
                if family not in self.families or not one["family"]:
                    return [(mine, dollars(one["individual"]))]
                whole = (ours, dollars(one["family"]))
                if one["method"] == "aggregate":
                    self.kinds.add("aggregate")
                    return [(mine, None), whole]
                return [(mine, dollars(one["individual"])), whole]
        return []

    def shares(
        self, claim: Json, going: list[int], benefits: list[Json | None], answer: Answer, person: str
    ) -> dict[int, dict[str, Decimal]]:
        """Return by line what copay, deductible and coinsurance take, each maximum as this claim fills it."""
        held = dict(self.taken)
        visits = set()
        result: dict[int, dict[str, Decimal]] = {}

        def room(bucket: str, tier: str, none: Decimal) -> Decimal:
            found = self.limits_on(bucket, tier, claim, person)
            left = [most - held.get(cell, ZERO) for cell, most in found if most is not None]
            return max(min(left), ZERO) if left else none

        for at in going:
            benefit, line = benefits[at], claim["lines"][at]
            assert benefit is not None
            rest, tier = answer.allowed[at], benefit["tier"]
            result[at] = {}
            for kind in self.plan["cost_share_order"]:
                if kind == "copay":
                    visit = (line["first"], benefit["category"])
                    free = benefit["copay_per"] == "visit" and visit in visits
                    visits.add(visit)
                    part = ZERO if free else min(dollars(benefit["copay"]), rest)
                elif kind == "deductible":
                    part = min(room("deductible", tier, ZERO), rest) if benefit["deductible"] else ZERO
                else:
                    part = self.cut(rest, benefit["coinsurance"], "coinsurance")
                most = room("out-of-pocket", tier, part)
                if most < part:
                    self.kinds.add("out-of-pocket maximum")
                    part = most
                rest -= part
                result[at][kind] = part
                for cell, amount in self.takes({kind: part}, tier, claim, person):
                    held[cell] = held.get(cell, ZERO) + amount
        return result

    def takes(
        self, shares: dict[str, Decimal], tier: str, claim: Json, person: str
    ) -> list[tuple[tuple[str, ...], Decimal]]:
        found = []
        for kind, amount in shares.items():
            for bucket in ("deductible", "out-of-pocket") if kind == "deductible" else ("out-of-pocket",):
                found += [(cell, amount) for cell, _ in self.limits_on(bucket, tier, claim, person)]
        return found

    def after_others(
        self,
        claim: Json,
        going: list[int],
        answer: Answer,
        shares: dict[int, dict[str, Decimal]],
        own: dict[int, Decimal],
    ) -> dict[int, Decimal]:
        """Return what is owed behind the payer that came first; the patient's part and the shares become what is left."""
        lines, method = claim["lines"], self.plan["coordination"]
        charges = [dollars(line["charge"]) for line in lines]
        paid, left, agreed = self.told(claim, charges)
        owed: dict[int, Decimal] = {}
        for at in going:
            if method == "non-duplication":
                owed[at] = min(own[at] - paid[at], left[at])
            elif method == "standard":
                owed[at] = min(own[at], answer.allowed[at] - paid[at], left[at])
            else:  # 42 CFR 411.33(a): the charge counts as far as the provider may collect it
                collect = paid[at] + left[at]
                highest = max(answer.allowed[at], agreed[at])
                owed[at] = min(collect - paid[at], own[at], highest - paid[at])
            owed[at] = max(owed[at], ZERO)
        self.kinds.add(method)
        if method == "medicare-secondary" and claim["kind"] == "I":  # 411.33(e), of the claim as a whole
            self.kinds.add("411.33(e)")
            gross = sum((answer.allowed[at] for at in going), ZERO)
            share = sum((amount for at in going for amount in shares[at].values()), ZERO)
            before = sum((paid[at] for at in going), ZERO)
            charge = sum((min(charges[at], paid[at] + left[at]) for at in going), ZERO)
            terms = [gross - share, gross - before, charge - before, charge - share]
            rest = max(min(terms), ZERO)
            if rest:
                self.kinds.add(f"411.33(e)({1 + terms.index(rest)})")
            for at in going:
                owed[at] = min(rest, left[at])
                rest -= owed[at]
        for at in going:
            ceiling = max(answer.allowed[at], agreed[at]) if method == "medicare-secondary" else answer.allowed[at]
            due = max(min(left[at], ceiling - paid[at]), ZERO)
            answer.patient[at] = max(due - owed[at], ZERO)
            rest = answer.patient[at]
            for kind in self.plan["cost_share_order"]:
                shares[at][kind] = min(rest, shares[at][kind])
                rest -= shares[at][kind]
        return owed

    def told(self, claim: Json, charges: list[Decimal]) -> tuple[list[Decimal], list[Decimal], list[Decimal]]:
        """Return by line what the payer before paid, left to the patient, and allowed."""

        def sums(paid: int, adjustments: list[Json]) -> tuple[Decimal, Decimal, Decimal]:
            patient = [one for one in adjustments if one["group"] == "PR"]
            shares = sum(one["amount"] for one in patient if one["reason"] in ("1", "2", "3"))
            return dollars(paid), dollars(sum(one["amount"] for one in patient)), dollars(paid + shares)

        if claim["lines"][0]["decisions"]:
            each = [sums(line["decisions"][0]["paid"], line["decisions"][0]["adjustments"]) for line in claim["lines"]]
            return [one[0] for one in each], [one[1] for one in each], [one[2] for one in each]
        self.kinds.add("decided as a whole")
        (other,) = claim["others"]
        paid, left, agreed = (spread(one, charges) for one in sums(other["paid"], other["adjustments"]))
        return paid, left, agreed

    def withheld(self, owed: Decimal, line: Json, contract: Json | None) -> Decimal:
        for law in self.plan["sequestration"]:
            if law["since"] <= line["first"] <= law["until"]:
                self.kinds.add("sequestration")
                owed -= self.cut(owed, law["share"], "withhold")
        if contract and contract["withhold"]:
            self.kinds.add("withhold")
            owed -= self.cut(owed, contract["withhold"], "withhold")
        return owed

    def late(self, net: Decimal) -> Decimal:
        clock = self.plan["prompt_pay"]
        if clock is None:
            return ZERO
        days = (day_of(self.paid_on) - day_of(self.received)).days - clock["due_days"]
        rates = [one["rate"] for one in clock["rates"] if one["since"] <= self.paid_on]
        if days <= 0 or not rates:
            return ZERO
        self.kinds.add("interest")
        exact = net * Decimal(rates[-1]) / 100_000 * days / 365
        return exact.quantize(CENT, MODES[self.plan["rounding"]["interest"]])
