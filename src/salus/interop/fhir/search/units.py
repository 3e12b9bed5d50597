"""Quantities asked in one unit, found in every unit of its dimension (R4 3.1.1.4.14).

Nothing is converted where it is stored: a question in a UCUM unit is widened by the same question in each other unit that
the index has seen of that dimension. What has no common measure (arbitrary units, pH) is found in its own unit alone.
"""

import re
from collections.abc import Collection, Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import islice, product
from typing import Final

import msgspec

from salus.interop.fhir.fhirpath.units import Unit, known, unit
from salus.interop.fhir.search.query import AnyOf, Chain, Criterion, Query, Reverse, Test
from salus.interop.fhir.search.terms import CompositeTerm, RangeTerm, Term
from salus.interop.fhir.search.values import bounded

UCUM: Final = "http://unitsofmeasure.org"
MAX_UNITS: Final = 200
"""Units of one dimension that a question is asked in: prefixes and products of clinical ones stay below."""
_ZERO: Final = {"K": Fraction(0), "Cel": Fraction("273.15"), "[degF]": Fraction("459.67")}
"""Temperatures by themselves, with what is added before the factor: kelvin = factor * (value + zero)."""
_DEGREE: Final = {"K": Fraction(1), "Cel": Fraction(1), "[degF]": Fraction(5, 9)}
_FREE: Final = re.compile(r"[{}]|[0-9]{4}")


def is_kept(code: str) -> bool:
    """Tell whether a UCUM code may stand in the list of units seen: made of known units alone, no free text, no long number."""
    return known(code) and not _FREE.search(code)


def asks_units(query: Query) -> bool:
    """Tell whether a question has a quantity in a UCUM unit."""
    return any(_in_units(term) for test in query.tests for term in _terms(test))


def widened(query: Query, seen: Collection[str]) -> Query:
    """Return a question with each quantity in a UCUM unit asked in the units of `seen` that measure the same, too."""
    tests = tuple(_test(test, seen) for test in query.tests)
    return msgspec.structs.replace(query, tests=tests)


def scales(seen: Collection[str]) -> list[tuple[str, float, float]]:
    """Return (code, zero, factor) of units seen: factor * (value + zero) is the value in the base units of its dimension."""
    told = ((code, float(_ZERO.get(code, Fraction(0))), bounded(_factor(code))) for code in sorted(seen))
    return [one for one in told if one[1:] != (0.0, 1.0)][:MAX_UNITS]


def _terms(test: Test) -> Iterator[Term]:
    match test:
        case Criterion():
            yield from test.terms
        case AnyOf(criteria):
            for one in criteria:
                yield from one.terms
        case Chain():
            for _, inner in test.inner:
                yield from _terms(inner)
        case Reverse():
            yield from _terms(test.inner)


def _in_units(term: Term) -> bool:
    if isinstance(term, CompositeTerm):
        return any(_in_units(part) for part in term.parts)
    return isinstance(term, RangeTerm) and term.system == UCUM and term.code is not None and term.decimals is not None


def _test(test: Test, seen: Collection[str]) -> Test:
    match test:
        case Criterion():
            terms = tuple(one for term in test.terms for one in _alternatives(term, seen))
            return msgspec.structs.replace(test, terms=terms)
        case Chain():
            inner = tuple((kind, _test(one, seen)) for kind, one in test.inner)
            return msgspec.structs.replace(test, inner=inner)
        case Reverse():
            return msgspec.structs.replace(test, inner=_test(test.inner, seen))
    return test


def _alternatives(term: Term, seen: Collection[str]) -> Iterator[Term]:
    """Yield a term, and the same in other units; the one as it was asked comes first."""
    if isinstance(term, CompositeTerm):
        parts = [tuple(_alternatives(part, seen)) for part in term.parts]
        for one in islice(product(*parts), MAX_UNITS):
            yield CompositeTerm(one)
        return
    yield term
    if not (_in_units(term) and isinstance(term, RangeTerm) and term.code is not None and term.decimals is not None):
        return
    own = term.code
    others = sorted(code for code in seen if code != own and _measure(code) == _measure(own))
    for code in sorted(others, key=len)[: MAX_UNITS - 1]:
        lo, hi, exact = (_converted(one, own, code) for one in term.decimals)
        yield msgspec.structs.replace(term, lo=lo, hi=hi, exact=exact, code=code, decimals=None)


def _measure(code: str) -> tuple[tuple[str, int], ...]:
    """Return the dimension of a unit; temperatures, which differ in zero as well, have one."""
    return (("K", 1),) if code in _ZERO else unit(code).dimensions


def _converted(value: Decimal, own: str, other: str) -> float:
    zero, factor = _ZERO.get(own, Fraction(0)), _factor(own)
    base = (Fraction(value) + zero) * factor
    return bounded(base / _factor(other) - _ZERO.get(other, Fraction(0)))


def _factor(code: str) -> Fraction:
    known_unit: Unit = unit(code)
    return _DEGREE.get(code, known_unit.factor)
