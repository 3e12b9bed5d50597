"""UCUM as far as FHIRPath's quantity operators need it: factors and dimensions of units, exactly.

Covers the base units, the units of clinical observations, all prefixes, products, quotients, exponents and annotations.
Units with an offset or a logarithm (Cel, pH, dB) and arbitrary units are compared by their own code only. A unit that is not known
here is a dimension of its own: it equals itself and nothing else, so that no wrong conversion is ever made.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

MAX_UNIT = 128  # characters; the longest unit in LOINC has 29


class Unit(NamedTuple):
    """A unit as factor times product of base dimensions; `dimensions` is sorted and holds no zero exponent."""

    factor: Fraction
    dimensions: tuple[tuple[str, int], ...]


_PREFIXES: Final = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
    "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip

# code: (metric, factor, unit in terms of earlier ones); UCUM tables 1 to 12
_ATOMS: Final[Mapping[str, tuple[bool, str, str]]] = {
    "m": (True, "1", ""), "s": (True, "1", ""), "g": (True, "1", ""), "rad": (True, "1", ""),
    "K": (True, "1", ""), "C": (True, "1", ""), "cd": (True, "1", ""),
    "min": (False, "60", "s"), "h": (False, "3600", "s"), "d": (False, "86400", "s"), "wk": (False, "604800", "s"),
    "a": (False, "31557600", "s"), "a_j": (False, "31557600", "s"), "a_t": (False, "31556925.216", "s"),
    "a_g": (False, "31556952", "s"), "mo": (False, "2629800", "s"), "mo_j": (False, "2629800", "s"),
    "mol": (True, "602213670000000000000000", "1"), "l": (True, "1", "dm3"), "L": (True, "1", "dm3"),
    "t": (True, "1000000", "g"), "u": (True, "1.6605402e-24", "g"), "eq": (True, "1", "mol"), "osm": (True, "1", "mol"),
    "N": (True, "1000", "g.m/s2"), "Pa": (True, "1", "N/m2"), "J": (True, "1", "N.m"), "W": (True, "1", "J/s"),
    "A": (True, "1", "C/s"), "V": (True, "1", "J/C"), "Ohm": (True, "1", "V/A"), "F": (True, "1", "C/V"),
    "Hz": (True, "1", "s-1"), "Bq": (True, "1", "s-1"), "Gy": (True, "1", "J/kg"), "Sv": (True, "1", "J/kg"),
    "lm": (True, "1", "cd"), "lx": (True, "1", "cd/m2"), "T": (True, "1", "V.s/m2"), "S": (True, "1", "A/V"),
    "bar": (True, "100000", "Pa"), "atm": (False, "101325", "Pa"), "kat": (True, "1", "mol/s"),
    "U": (True, "1e-6", "mol/min"), "cal": (True, "4.184", "J"), "[Cal]": (False, "1000", "cal"),
    "m[Hg]": (True, "133322", "Pa"), "m[H2O]": (True, "9806.65", "Pa"), "eV": (True, "1.60217733e-19", "J"),
    "Ci": (True, "37000000000", "Bq"), "RAD": (True, "0.01", "Gy"), "REM": (True, "0.01", "Sv"),
    "%": (False, "0.01", "1"), "[ppth]": (False, "0.001", "1"), "[ppm]": (False, "0.000001", "1"),
    "[ppb]": (False, "0.000000001", "1"), "10*": (False, "10", "1"), "10^": (False, "10", "1"),
    "deg": (False, "0.017453292519943295", "rad"), "[degF]": (False, "1", ""), "Cel": (True, "1", ""),
    "[in_i]": (False, "0.0254", "m"), "[ft_i]": (False, "0.3048", "m"), "[yd_i]": (False, "0.9144", "m"),
    "[mi_i]": (False, "1609.344", "m"), "[nmi_i]": (False, "1852", "m"), "[sin_i]": (False, "0.00064516", "m2"),
    "[cin_i]": (False, "0.000016387064", "m3"), "[lb_av]": (False, "453.59237", "g"), "[oz_av]": (False, "28.349523125", "g"),
    "[gr]": (False, "0.06479891", "g"), "[st_av]": (False, "6350.29318", "g"), "[ston_av]": (False, "907184.74", "g"),
    "[gal_us]": (False, "0.003785411784", "m3"), "[pt_us]": (False, "0.000473176473", "m3"),
    "[foz_us]": (False, "0.0000295735295625", "m3"), "[tbs_us]": (False, "0.00001478676478125", "m3"),
    "[tsp_us]": (False, "0.00000492892159375", "m3"), "[cup_us]": (False, "0.0002365882365", "m3"),
    "[drp]": (False, "0.00000005", "m3"), "[Ch]": (False, "0.000333333333333333333", "m"),
    "B": (False, "1", ""), "bit": (False, "1", ""), "By": (True, "8", "bit"), "Bd": (True, "1", "s-1"),
    "[pH]": (False, "1", ""), "[iU]": (True, "1", ""), "[IU]": (True, "1", "[iU]"), "[arb'U]": (False, "1", ""),
    "[pi]": (False, "3.1415926535897932384626433832795", "1"), "tr": (False, "1", ""), "dyn": (True, "0.00001", "N"),
}  # fmt: skip

_TOKEN: Final = re.compile(r"(?P<annotation>\{[^{}]*\})|(?P<operator>[./()])|(?P<text>[^./(){}]+)")
_ATOM: Final = re.compile(r"(?P<code>10[*^]|.*?[^0-9+-]|)(?P<exponent>[+-]?\d+)?\Z", re.DOTALL)


class _Unknown(ValueError):
    """The code is not made of known units."""


def _product(left: Unit, right: Unit, power: int = 1) -> Unit:
    exponents = dict(left.dimensions)
    for name, exponent in right.dimensions:
        exponents[name] = exponents.get(name, 0) + exponent * power
    dimensions = tuple(sorted((name, exponent) for name, exponent in exponents.items() if exponent))
    return Unit(left.factor * right.factor**power, dimensions)


ONE: Final = Unit(Fraction(1), ())


@lru_cache(maxsize=4_096)
def _atom(code: str) -> Unit:
    if code in _ATOMS:
        _, factor, terms = _ATOMS[code]
        if not terms:
            return Unit(Fraction(1), ((code, 1),))
        return _product(Unit(Fraction(factor), ()), ONE if terms == "1" else _parse(terms))
    for size in (2, 1):
        exponent, rest = _PREFIXES.get(code[:size]), code[size:]
        if exponent is not None and rest in _ATOMS and _ATOMS[rest][0]:
            return _product(Unit(Fraction(10) ** exponent, ()), _atom(rest))
    raise _Unknown(code)


def _component(text: str) -> Unit:
    if text.isascii() and text.isdigit():
        return Unit(Fraction(int(text[:18])), ())
    found = _ATOM.match(text)
    if found is None or not found["code"]:
        raise _Unknown(text)
    power = int(found["exponent"] or 1)
    if abs(power) > 99:
        raise _Unknown(text)
    return _product(ONE, _atom(found["code"]), power)


def _parse(code: str) -> Unit:
    if code.isascii() and not code.strip():
        raise _Unknown(code)
    stack: list[tuple[Unit, int]] = []
    total, power, position = ONE, 1, 0
    while position < len(code):
        found = _TOKEN.match(code, position)
        if found is None:
            raise _Unknown(code)
        position = found.end()
        text = found.group()
        if found["annotation"]:
            continue
        if text == "(":
            stack.append((total, power))
            total, power = ONE, 1
        elif text == ")":
            if not stack:
                raise _Unknown(code)
            outer, outer_power = stack.pop()
            total, power = _product(outer, total, outer_power), 1
        elif found["operator"]:
            power = -1 if text == "/" else 1
        else:
            total = _product(total, _component(text), power)
    if stack:
        raise _Unknown(code)
    return total


@lru_cache(maxsize=4_096)
def unit(code: str) -> Unit:
    """Return factor and dimensions of a UCUM code (case-sensitive); an unknown code is its own dimension."""
    try:
        return _parse(code) if len(code) <= MAX_UNIT else Unit(Fraction(1), ((code, 1),))
    except _Unknown:
        return Unit(Fraction(1), ((code, 1),))


def known(code: str) -> bool:
    """Tell whether the code is made of units of this table (special and arbitrary ones included)."""
    return _known(code) if len(code) <= MAX_UNIT else _is_made(code)


def _is_made(code: str) -> bool:
    try:
        _parse(code)
    except _Unknown:
        return False
    return True


_known: Final = lru_cache(maxsize=4_096)(_is_made)
