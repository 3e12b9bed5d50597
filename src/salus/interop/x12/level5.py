"""Level 5, code sets: check digits, and codes that exist and are in force on the day."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from salus.interop.npi import npi_valid
from salus.interop.x12.codes import (
    ICD9,
    ICD10,
    ICD10_FROM,
    MODIFIER,
    PROCEDURE,
    REMARK,
    REVENUE,
    TAXONOMY,
    CodeSets,
    routing_valid,
)
from salus.interop.x12.findings import Finding
from salus.interop.x12.tokens import Segment

Fault = tuple[int, int, str, str, str]
"""Element, component, rule, expected, fix."""
_npi_valid: Final = lru_cache(maxsize=4096)(npi_valid)


def check(
    segments: Iterable[tuple[Segment, object]], loop: str, component: str, codes: CodeSets, day: str
) -> list[Finding]:
    """Check the codes of a loop's segments against those in force on `day` (CCYYMMDD; empty: not dated)."""
    found: list[Finding] = []
    for segment, _ in segments:
        checker = _CHECKS.get(segment.tag)
        if checker is not None:
            for fault in checker(segment, component, codes, day):
                found.append(_finding(segment, loop, fault))  # noqa: PERF401 -- most have no fault, and a list costs more
    return found


def _finding(segment: Segment, loop: str, fault: Fault) -> Finding:
    element, part, rule, expected, fix = fault
    return Finding(
        level=5,
        rule=rule,
        loop=loop,
        tag=segment.tag,
        position=segment.position,
        element=element,
        component=part,
        expected=expected,
        got=segment.get(element)[:80],
        fix=fix,
    )


def _npi(element: int) -> Fault:
    return element, 0, "npi", "an NPI whose check digit holds", "look the NPI up and correct it"


def _name(segment: Segment, _component: str, _codes: CodeSets, _day: str) -> Sequence[Fault]:
    if segment.get(8) == "XX" and segment.get(9) and not _npi_valid(segment.get(9)):
        return (_npi(9),)
    return ()


def _party(segment: Segment, _component: str, _codes: CodeSets, _day: str) -> Iterator[Fault]:
    if segment.get(3) == "XX" and segment.get(4) and not _npi_valid(segment.get(4)):
        yield _npi(4)


def _provider(segment: Segment, _component: str, _codes: CodeSets, _day: str) -> Iterator[Fault]:
    if segment.get(2) == "PXC" and TAXONOMY.fullmatch(segment.get(3)) is None:
        yield 3, 0, "taxonomy", "a taxonomy code of ten characters", "take the code from the taxonomy list"


def _place(segment: Segment, _component: str, codes: CodeSets, _day: str) -> Sequence[Fault]:
    if segment.get(2) and segment.get(4) in {"", "US"} and segment.get(2) not in codes.states:
        return ((2, 0, "state", "a state code of the postal service", "write the two-letter state"),)
    return ()


def _claim(segment: Segment, component: str, codes: CodeSets, _day: str) -> Sequence[Fault]:
    facility = [*segment.get(5).split(component), "", ""]
    if facility[1] == "B" and facility[0] not in codes.places:
        return ((5, 1, "place-of-service", "a place of service code", "write the two-digit place of service"),)
    return ()


_ICD10_TYPES: Final = frozenset({"ABK", "ABF", "ABJ", "APR", "ABN"})
_ICD9_TYPES: Final = frozenset({"BK", "BF", "BJ", "PR", "BN"})


def _health(segment: Segment, component: str, codes: CodeSets, day: str) -> Iterator[Fault]:
    for element, value in enumerate(segment.elements[1:], 1):
        kind, _, rest = value.partition(component)
        code = rest.split(component)[0]
        if kind in _ICD10_TYPES:
            if ICD10.fullmatch(code) is None:
                yield element, 2, "diagnosis", "an ICD-10-CM code without point", "correct the diagnosis"
            elif day and day < ICD10_FROM:
                yield element, 1, "diagnosis-version", "ICD-9 before 2015-10-01", "use the edition of the service date"
            elif day and codes.retired_diagnoses.get(code, "9") <= day:
                yield element, 2, "diagnosis-retired", f"a code in force on {day}", "use the code that replaced it"
        elif kind in _ICD9_TYPES:
            if ICD9.fullmatch(code) is None:
                yield element, 2, "diagnosis", "an ICD-9-CM code without point", "correct the diagnosis"
            elif day >= ICD10_FROM:
                yield element, 1, "diagnosis-version", "ICD-10 from 2015-10-01", "use the edition of the service date"


def _procedure(text: str, element: int, component: str, codes: CodeSets, day: str) -> Sequence[Fault]:
    kind, _, rest = text.partition(component)
    if kind != "HC" or not (rest or component in text):
        return ()
    in_force = not day or codes.retired_procedures.get(rest, "9") > day
    if in_force and component not in rest and PROCEDURE.fullmatch(rest) is not None:
        return ()  # most: a code alone, in force
    return tuple(_procedure_faults(rest.split(component), element, codes, day))


def _procedure_faults(parts: Sequence[str], element: int, codes: CodeSets, day: str) -> Iterator[Fault]:
    if PROCEDURE.fullmatch(parts[0]) is None:
        yield element, 2, "procedure", "a HCPCS code of five characters", "correct the procedure code"
    elif day and codes.retired_procedures.get(parts[0], "9") <= day:
        yield element, 2, "procedure-retired", f"a code in force on {day}", "use the code that replaced it"
    for place, modifier in enumerate(parts[1:5], 3):
        if modifier and MODIFIER.fullmatch(modifier) is None:
            yield element, place, "modifier", "a modifier of two letters or digits", "correct the modifier"


def _professional(segment: Segment, component: str, codes: CodeSets, day: str) -> Sequence[Fault]:
    found = _procedure(segment.get(1), 1, component, codes, day)
    place = segment.get(5)
    if place and place not in codes.places:
        return (*found, (5, 0, "place-of-service", "a place of service code", "write the two-digit place of service"))
    return found


def _institutional(segment: Segment, component: str, codes: CodeSets, day: str) -> Iterator[Fault]:
    if REVENUE.fullmatch(segment.get(1)) is None:
        yield 1, 0, "revenue-code", "a revenue code of four digits", "write four digits, zeros in front"
    if segment.get(2):
        yield from _procedure(segment.get(2), 2, component, codes, day)


def _service(segment: Segment, component: str, codes: CodeSets, day: str) -> Sequence[Fault]:
    return _procedure(segment.get(1), 1, component, codes, day)


def _adjustment(segment: Segment, _component: str, codes: CodeSets, day: str) -> Iterator[Fault]:
    for element in range(2, len(segment.elements), 3):
        code = segment.get(element)
        if code in codes.reasons or not code:
            continue
        ended = codes.retired_reasons.get(code)
        if ended is None:
            yield element, 0, "reason-unknown", "a claim adjustment reason code", "take the code from the list"
        elif day >= ended:
            yield element, 0, "reason-retired", f"a reason code in force on {day}", "use the code that replaced it"


def _remark(segment: Segment, _component: str, _codes: CodeSets, _day: str) -> Iterator[Fault]:
    if segment.get(1) == "HE" and REMARK.fullmatch(segment.get(2)) is None:
        yield 2, 0, "remark-code", "a remittance advice remark code", "take the code from the list"


def _bank(segment: Segment, _component: str, _codes: CodeSets, _day: str) -> Iterator[Fault]:
    for kind, number in ((6, 7), (12, 13)):
        if segment.get(kind) == "01" and not routing_valid(segment.get(number)):
            yield number, 0, "routing-number", "an ABA number whose check digit holds", "correct the routing number"


def _provider_adjustment(segment: Segment, component: str, codes: CodeSets, _day: str) -> Iterator[Fault]:
    for element in range(3, len(segment.elements), 2):
        if segment.get(element).split(component)[0] not in codes.provider_adjustments:
            yield element, 1, "provider-adjustment", "a provider adjustment code", "take the code from the list"


def _drug(segment: Segment, _component: str, _codes: CodeSets, _day: str) -> Iterator[Fault]:
    number = segment.get(3)
    if segment.get(2) == "N4" and not (len(number) == 11 and number.isdecimal()):
        yield 3, 0, "drug-number", "an NDC of eleven digits", "write 5-4-2 digits without hyphens"


_CHECKS: Final[dict[str, Callable[[Segment, str, CodeSets, str], Iterable[Fault]]]] = {
    "NM1": _name,
    "N1": _party,
    "PRV": _provider,
    "N4": _place,
    "CLM": _claim,
    "HI": _health,
    "SV1": _professional,
    "SV2": _institutional,
    "SVC": _service,
    "CAS": _adjustment,
    "LQ": _remark,
    "BPR": _bank,
    "PLB": _provider_adjustment,
    "LIN": _drug,
}
