"""Level 4, situation: what one value asks of another in the same claim, remittance or set."""

import msgspec

from salus.interop.x12.calendar import first_day, is_date, last_day
from salus.interop.x12.findings import NOTE, REFUSE, Finding
from salus.interop.x12.level3 import service_of
from salus.interop.x12.loops import Loop
from salus.interop.x12.money import BadAmount, cents, thousandths
from salus.interop.x12.tokens import Segment

DIAGNOSES = frozenset({"ABK", "BK", "ABF", "BF"})
INPATIENT = frozenset({"11", "18", "21", "41"})


def _finding(
    loop: Loop,
    segment: Segment,
    rule: str,
    expected: str,
    fix: str,
    *,
    element: int = 0,
    component: int = 0,
    severity: str = REFUSE,
) -> Finding:
    return Finding(
        level=4,
        rule=rule,
        loop=loop.name,
        tag=segment.tag,
        position=segment.position,
        element=element,
        component=component,
        expected=expected,
        got=segment.get(element)[:80] if element else "",
        fix=fix,
        severity=severity,
    )


def claim(loop: Loop, component: str, received: str) -> list[Finding]:
    """Check one claim (loop 2300). `received` is the day, CCYYMMDD, that no service may lie after."""
    head = loop.first
    frequency = ([*head.get(5).split(component), "", ""])[2]
    found = [*_patient(loop), *_lines(loop, component), *_dates(loop, received)]
    if frequency in {"7", "8"} and loop.one("REF", "F8") is None:
        fix = "add REF*F8 with the payer's number of the claim that this one replaces or voids"
        found.append(_finding(loop, head, "original-reference", "REF*F8 in loop 2300", fix, element=5, component=3))
    subscriber = loop.parent if loop.parent is not None and loop.parent.name == "2000B" else loop.up("2000B")
    rank = subscriber.value("SBR", 1) if subscriber else ""
    if rank == "S" and not any(other.first.get(1) == "P" for other in loop.loops("2320")):
        fix = "add loop 2320 with the primary payer and what it decided"
        found.append(_finding(loop, head, "primary-payer", "loop 2320 with SBR01 = P", fix))
    facility = ([*head.get(5).split(component), ""])[1]
    if facility == "A" and head.get(5)[:2] in INPATIENT and loop.one("DTP", "435") is None:
        found.append(_finding(loop, head, "admission-date", "DTP*435", "add the admission date and hour", element=5))
    return found


def _patient(loop: Loop) -> list[Finding]:
    around = loop.parent
    subscriber = around if around is not None and around.name == "2000B" else loop.up("2000B")
    if around is None or subscriber is None:
        return []
    found: list[Finding] = []
    own = subscriber.value("SBR", 2) == "18"
    if own != (around.name == "2000B"):
        expected = "the claim under the subscriber" if own else "the claim under the patient's level (loop 2000C)"
        fix = "SBR02 = 18 says that the subscriber is the patient; place the claim accordingly"
        found.append(_finding(loop, loop.first, "patient-level", expected, fix))
    person = subscriber.loop("2010BA")
    if own and person is not None:
        for tag in ("N3", "N4", "DMG"):
            if person.one(tag) is None:
                fix = f"add {tag}: the subscriber is the patient"
                found.append(_finding(person, person.first, "patient-details", f"{tag} in loop 2010BA", fix))
    return found


def _lines(loop: Loop, component: str) -> list[Finding]:
    found: list[Finding] = []
    listed = sum(
        1 for segment in loop.all("HI") for value in segment.elements[1:] if value.split(component)[0] in DIAGNOSES
    )
    for number, line in enumerate(loop.loops("2400"), 1):
        if line.first.get(1) != str(number):
            fix = "number the lines 1, 2, 3 within the claim"
            found.append(_finding(line, line.first, "line-number", str(number), fix, element=1))
        service, _ = service_of(line)
        if service.tag == "SV1":
            pointers = service.get(7).split(component) if service.get(7) else []
            if any(
                not part.split(".")[0].isdecimal() or not 1 <= int(part.split(".")[0]) <= listed for part in pointers
            ):
                expected = f"pointers from 1 to {listed}" if listed else "a diagnosis in HI to point to"
                fix = "point to a diagnosis that the claim lists"
                found.append(_finding(line, service, "diagnosis-pointer", expected, fix, element=7))
        place = 4 if service.tag == "SV1" else 5
        try:
            positive = not service.get(place) or thousandths(service.get(place)) > 0
        except BadAmount:
            positive = False
        if not positive and service.tag in {"SV1", "SV2"}:
            found.append(_finding(line, service, "quantity", "a quantity above zero", "write the units", element=place))
    return found


def service_period(loop: Loop) -> tuple[str, str]:
    """Return first and last day of service of a whole claim (loop 2300), empty where no date stands."""
    if loop.period is None:
        loop.period = _period(loop)
    return loop.period


def _period(loop: Loop) -> tuple[str, str]:
    days = [loop.value("DTP", 3, "434"), *(line.value("DTP", 3, "472") for line in loop.loops("2400"))]
    known = [day for day in days if day]
    return min(map(first_day, known), default=""), max(map(last_day, known), default="")


def _dates(loop: Loop, received: str) -> list[Finding]:
    found: list[Finding] = []
    first, last = service_period(loop)
    patient = loop.parent.loop("2010CA", "2010BA") if loop.parent is not None else None
    birth = patient.value("DMG", 2) if patient else ""
    if patient is not None and first and is_date(birth) and birth > first:
        segment = patient.one("DMG") or patient.first
        fix = "correct the date of birth or of service"
        found.append(_finding(patient, segment, "birth-after-service", f"not after {first}", fix, element=2))
    if last and received and last > received:
        fix = "bill after the service was given"
        future = _finding(loop, loop.first, "service-in-future", f"service until {received}", fix)
        found.append(msgspec.structs.replace(future, got=last))
    statement = loop.value("DTP", 3, "434")
    if statement:
        for line in loop.loops("2400"):
            day = line.one("DTP", "472")
            if day is not None and not first_day(statement) <= first_day(day.get(3)) <= last_day(statement):
                fix = "the line's date must lie in the claim's statement period"
                found.append(_finding(line, day, "line-outside-statement", statement, fix, element=3))
    return found


def payment(loop: Loop) -> list[Finding]:
    """Check one claim payment (loop 2100) of an 835."""
    head = loop.first
    found: list[Finding] = []
    try:
        paid, charge = cents(head.get(4)), cents(head.get(3))
    except BadAmount:
        return []
    if head.get(2) == "22":
        if paid > 0 or charge > 0:
            found.append(_finding(loop, head, "reversal-sign", "negated amounts", "negate what is reversed", element=4))
        if head.get(5):
            fix = "leave CLP05 out of a reversal"
            found.append(_finding(loop, head, "reversal-patient", "no CLP05", fix, element=5))
    if head.get(2) == "4" and paid:
        found.append(_finding(loop, head, "denial-paid", "0", "a denied claim pays nothing", element=4))
    for part in loop.walk():
        for segment, _ in part.segments:
            if segment.tag == "CAS":
                _zeros(found, part, segment)
    return found


def _zeros(found: list[Finding], loop: Loop, segment: Segment) -> None:
    """Note the reasons of a CAS segment that take nothing off."""
    for place in range(3, len(segment.elements), 3):
        if not segment.elements[place].strip("-.0"):
            fix = "leave out adjustments of zero"
            zero = _finding(loop, segment, "adjustment-zero", "an amount", fix, element=place, severity=NOTE)
            found.append(zero)


def cents_or_zero(text: str) -> int:
    """Return an amount in cents, or 0 where the text is none: level 3 has named it."""
    try:
        return cents(text)
    except BadAmount:
        return 0


def remittance(root: Loop) -> list[Finding]:
    """Check the payment of an 835: sign, method, account and provider adjustments."""
    header = root.one("BPR")
    if header is None:
        return []
    found: list[Finding] = []
    try:
        paid = cents(header.get(2))
    except BadAmount:
        paid = 0
    if paid < 0:
        fix = "forward the balance in PLB FB until an 835 can carry it"
        found.append(_finding(root, header, "payment-negative", "0 or more", fix, element=2))
    if paid == 0 and (header.get(1), header.get(4)) != ("H", "NON"):
        found.append(_finding(root, header, "payment-zero", "BPR01 = H, BPR04 = NON", "write H and NON", element=4))
    if paid > 0 and "NON" in header.get(4):
        found.append(_finding(root, header, "payment-method", "ACH, CHK, FWT or BOP", "name the method", element=4))
    found.extend(_account(root, header))
    for segment in root.all("PLB"):
        for place in range(4, len(segment.elements), 2):
            if cents_or_zero(segment.get(place)) == 0:
                fix = "leave out provider adjustments of zero"
                found.append(_finding(root, segment, "provider-adjustment-zero", "an amount", fix, element=place))
    return found


def _account(root: Loop, header: Segment) -> list[Finding]:
    if header.get(4) != "ACH":
        return []
    return [
        _finding(root, header, "payment-account", "a value", f"fill BPR{place:02d}: ACH names accounts", element=place)
        for place in (5, 6, 7, 8, 9, 10, 12, 13, 14, 15)
        if not header.get(place)
    ]
