"""Level 3, balancing: what must add up in a claim and in a remittance, in integer cents.

835: line SVC02 - CAS = SVC03; claim CLP03 - CAS = CLP04, CLP03 = sum of SVC02, CLP05 = sum of CAS in group PR;
payment BPR02 = sum of CLP04 - sum of PLB. 837: CLM02 = sum of lines; each payer before accounts for the whole charge.
"""

from salus.interop.x12.findings import Finding
from salus.interop.x12.loops import Loop
from salus.interop.x12.money import BadAmount, amount, cents
from salus.interop.x12.tokens import Segment


def adjustments(loop: Loop, group: str = "") -> int:
    """Return the sum of the CAS amounts of a loop in cents, of one group if it is named."""
    total = 0
    for segment in loop.all("CAS"):
        if not group or segment.get(1) == group:
            total += sum(cents(segment.get(place)) for place in range(3, len(segment.elements), 3))
    return total


def _adjusted(loop: Loop) -> tuple[int, int]:
    """Return the sum of the CAS amounts of a loop, and of those in group PR, cents."""
    total = patient = 0
    for segment, _ in loop.segments:
        if segment.tag == "CAS":
            part = sum(map(cents, segment.elements[3::3]))
            total += part
            if segment.get(1) == "PR":
                patient += part
    return total, patient


def unequal(loop: Loop, segment: Segment, rule: str, element: int, amounts: tuple[int, int]) -> Finding:
    """Make the finding of an amount that is not what the rest says; `amounts` are expected and got, cents."""
    expected, got = amounts
    return Finding(
        level=3,
        rule=rule,
        loop=loop.name,
        tag=segment.tag,
        position=segment.position,
        element=element,
        expected=amount(expected),
        got=amount(got),
        fix=f"correct {segment.tag}{element:02d} or the amounts below it, which come to {amount(expected)}",
    )


class Balance:
    """The balance of one transaction set; claims are checked one by one, the payment at the end."""

    def __init__(self, set_id: str) -> None:
        self._set_id = set_id
        self.paid = 0
        """Sum of CLP04 so far, cents."""

    def fork(self) -> "Balance":
        """Return another that has seen the same."""
        other = Balance(self._set_id)
        other.paid = self.paid
        return other

    def unit(self, loop: Loop) -> list[Finding]:
        """Check one claim (loop 2300) or one claim payment (loop 2100)."""
        try:
            if self._set_id == "837":
                return _claim(loop)
            return self._payment(loop) if self._set_id == "835" else []
        except BadAmount as wrong:
            return [_amount(loop, wrong)]

    def closing(self, root: Loop) -> list[Finding]:
        """Check the payment of an 835 once all its claims have passed."""
        header = root.one("BPR")
        if self._set_id != "835" or header is None:
            return []
        try:
            provider = sum(
                cents(segment.get(place)) for segment in root.all("PLB") for place in range(4, len(segment.elements), 2)
            )
            due, said = self.paid - provider, cents(header.get(2))
        except BadAmount as wrong:
            return [_amount(root, wrong)]
        return [] if due == said else [unequal(root, header, "balance-payment", 2, (due, said))]

    def _payment(self, loop: Loop) -> list[Finding]:
        found: list[Finding] = []
        head = loop.first
        charge, paid = cents(head.get(3)), cents(head.get(4))
        (taken, patient), lines = _adjusted(loop), 0
        services = loop.loops("2110")
        for line in services:
            billed, got = cents(line.first.get(2)), cents(line.first.get(3))
            cut, share = _adjusted(line)
            if billed - cut != got:
                found.append(unequal(line, line.first, "balance-line", 3, (billed - cut, got)))
            lines += billed
            taken += cut
            patient += share
        self.paid += paid
        if services and lines != charge:
            found.append(unequal(loop, head, "balance-charge", 3, (lines, charge)))
        if charge - taken != paid:
            found.append(unequal(loop, head, "balance-claim", 4, (charge - taken, paid)))
        if head.get(2) != "22" and cents(head.get(5)) != patient:
            found.append(unequal(loop, head, "balance-patient", 5, (patient, cents(head.get(5)))))
        return found


def _amount(loop: Loop, wrong: BadAmount) -> Finding:
    return Finding(
        level=3,
        rule="amount",
        loop=loop.name,
        tag=loop.first.tag,
        position=loop.first.position,
        expected="amounts to the cent, none above 100000000000",
        got=str(wrong),
        fix="correct the amount",
    )


def service_of(line: Loop) -> tuple[Segment, int]:
    """Return a 2400 loop's service segment and the number of its charge element; the LX where there is none."""
    if line.service is None:
        line.service = _service_of(line)
    return line.service


def _service_of(line: Loop) -> tuple[Segment, int]:
    professional = line.one("SV1")
    if professional is not None:
        return professional, 2
    institutional = line.one("SV2")
    return (institutional, 3) if institutional is not None else (line.first, 0)


def line_charge(line: Loop) -> int:
    """Return the charge of a 2400 loop in cents. Raises BadAmount."""
    service, element = service_of(line)
    return cents(service.get(element)) if element else 0


def _claim(loop: Loop) -> list[Finding]:
    found: list[Finding] = []
    charge = cents(loop.first.get(2))
    lines = loop.loops("2400")
    total = sum(line_charge(line) for line in lines)
    if total != charge:
        found.append(unequal(loop, loop.first, "balance-charge", 2, (total, charge)))
    for line in lines:
        billed = line_charge(line)
        for payer in line.loops("2430"):
            explained = cents(payer.first.get(2)) + adjustments(payer)
            if explained != billed:
                found.append(
                    unequal(payer, payer.first, "balance-other-line", 2, (billed - adjustments(payer), explained))
                )
    for other in loop.loops("2320"):
        found.extend(_other_payer(loop, other, charge, lines))
    return found


def _other_payer(loop: Loop, other: Loop, charge: int, lines: list[Loop]) -> list[Finding]:
    paid = other.one("AMT", "D")
    payer = other.loop("2330B")
    number = payer.first.get(9) if payer else ""
    below = [part for line in lines for part in line.loops("2430") if part.first.get(1) == number]
    taken = adjustments(other) + sum(adjustments(part) for part in below)
    if paid is None or not taken:
        return []
    got = cents(paid.get(2))
    return [] if got + taken == charge else [unequal(loop, paid, "balance-other-payer", 2, (charge - taken, got))]
