"""One alternative of a parameter as a typed value (R4 3.1.1.4): prefixes, precision, escapes, systems and codes."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import msgspec

from salus.interop.fhir.fhirpath.units import known, unit
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.search.definitions import Parameter
from salus.interop.fhir.search.sounds import sounds
from salus.interop.fhir.search.values import bounded, fold
from salus.interop.fhir.survey import TYPES
from salus.interop.fhir.times import interval

PREFIXES: Final = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
APPROXIMATION: Final = 10
"""`ap` reaches a tenth of the distance to now (dates) or of the value (numbers) further, as R4 recommends."""
MAX_DIGITS: Final = 40
NEAR: Final = 25_000.0
"""Metres that are near where a question names no distance: R4 leaves it to the server."""
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")


class TokenTerm(msgspec.Struct, frozen=True):
    """system: None any, "" none. code: None any. text: what `:text` looks for, folded."""

    system: str | None
    code: str | None
    text: str = ""


class CodesTerm(msgspec.Struct, frozen=True):
    """Any of some codes, by system: what a value set or a branch of a code system holds."""

    codes: tuple[tuple[str, tuple[str, ...]], ...]


class StringTerm(msgspec.Struct, frozen=True):
    """The text, folded unless `:exact`."""

    text: str


class RangeTerm(msgspec.Struct, frozen=True):
    """A prefix and the range that the value stands for.

    lo, hi: [lo, hi) in Unix ms for dates; the value with half a unit of its last digit each way for numbers and
    quantities. exact: the number itself. decimals: the three of a number as they were written, to be converted.
    """

    prefix: str
    lo: float
    hi: float
    exact: float = 0.0
    system: str | None = None
    code: str | None = None
    decimals: tuple[Decimal, Decimal, Decimal] | None = None


class ReferenceTerm(msgspec.Struct, frozen=True):
    """targets: the names that the reference may have, "Type/id" or URLs."""

    targets: tuple[str, ...]


class UriTerm(msgspec.Struct, frozen=True):
    """The URI as given."""

    uri: str


class NearTerm(msgspec.Struct, frozen=True):
    """Within some metres of a place, in degrees (WGS84)."""

    latitude: float
    longitude: float
    metres: float


class CompositeTerm(msgspec.Struct, frozen=True):
    """One term per component."""

    parts: tuple["Term", ...]


Term = TokenTerm | CodesTerm | StringTerm | RangeTerm | ReferenceTerm | UriTerm | NearTerm | CompositeTerm
_Reader: TypeAlias = Callable[[str], Term]


def split(text: str, mark: str) -> list[str]:
    """Split at an unescaped mark; escapes stay."""
    parts, current, escaped = [], "", False
    for char in text:
        if char == mark and not escaped:
            parts.append(current)
            current = ""
        else:
            current += char
        escaped = char == "\\" and not escaped
    return [*parts, current]


def unescaped(text: str) -> str:
    r"""Resolve `\,` `\$` `\|` `\\` (R4 3.1.1.4.0.2)."""
    return re.sub(r"\\([,$|\\])", r"\1", text)


def read_terms(
    kind: str, parameter: Parameter, modifier: str, value: str, *, now: int, base: str, only: str
) -> tuple[Term, ...]:
    """Return the alternatives of a parameter's value. Raises `Refused` (search-value)."""
    reading = _Reading(kind, parameter, now, base)
    parts = split(value, ",")
    if any(part == "" for part in parts):
        raise reading.bad("a value, none of them empty")
    return tuple(reading.term(parameter.type, modifier, part, only) for part in parts)


class _Reading:
    def __init__(self, kind: str, parameter: Parameter, now: int, base: str) -> None:
        self._kind = kind
        self._parameter = parameter
        self._now = now
        self._base = base.rstrip("/") + "/"
        self._readers: dict[str, _Reader] = {
            "composite": self._composite,
            "date": self._date,
            "phonetic": self._sound,
            "special": self._near,
            "uri": lambda told: UriTerm(unescaped(told)),
        }

    def bad(self, expected: str) -> Refused:
        return Refused(
            "search-value",
            f"{self._kind}.{self._parameter.code}",
            expected=expected,
            got="another value",
            todo="correct the value",
        )

    def term(self, type_: str, modifier: str, text: str, only: str = "") -> Term:
        read = self._readers.get(type_)
        if read is not None:
            return read(text)
        if type_ == "reference":
            return self._token("", text) if modifier == "identifier" else self._reference(text, only)
        if type_ == "token":
            return self._token(modifier, text)
        if type_ == "string":
            told = unescaped(text)
            return StringTerm(told if modifier == "exact" else fold(told))
        return self._number(type_, text)

    def _composite(self, text: str) -> CompositeTerm:
        parts = split(text, "$")
        components = self._parameter.components
        if len(parts) != len(components) or "" in parts:
            raise self.bad("$".join(f"{one.code} ({one.type})" for one in components))
        return CompositeTerm(tuple(self.term(one.type, "", part) for one, part in zip(components, parts, strict=True)))

    def _token(self, modifier: str, text: str) -> TokenTerm:
        if modifier == "text":
            return TokenTerm(None, None, fold(unescaped(text)))
        parts = [unescaped(part) for part in split(text, "|")]
        if modifier == "of-type":
            if len(parts) != 3 or not parts[1] or not parts[2]:
                raise self.bad("system|code|value of an identifier's type")
            return TokenTerm(parts[0] or None, f"{parts[1]}|{parts[2]}")
        if len(parts) == 1:
            return TokenTerm(None, parts[0])
        if len(parts) != 2 or parts == ["", ""]:
            raise self.bad("code, system|code, |code or system|")
        return TokenTerm(parts[0], parts[1] or None)

    def _reference(self, text: str, only: str) -> ReferenceTerm:
        told = unescaped(text).partition("/_history/")[0]
        local = told.removeprefix(self._base)
        head, slash, own = local.partition("/")
        if slash and head in TYPES and _ID.fullmatch(own):
            if only and head != only:
                raise self.bad(f"an id, or a reference to {only}")
            return ReferenceTerm((local,))
        if not slash and _ID.fullmatch(local) and not urlsplit(local).scheme:
            targets = (only,) if only else self._parameter.targets or tuple(sorted(TYPES))
            return ReferenceTerm((*(f"{one}/{local}" for one in targets), local))
        if urlsplit(told).scheme:
            return ReferenceTerm((told,))
        raise self.bad("an id, Type/id or an absolute URL")

    def _sound(self, text: str) -> StringTerm:
        told = sounds(unescaped(text))
        if len(told) != 1:
            raise self.bad("one word of a name, in Latin letters")
        return StringTerm(told[0][0])

    def _near(self, text: str) -> NearTerm:
        """Read latitude|longitude|distance|units; the distance of a question without one is `NEAR`."""
        parts = [unescaped(part) for part in split(text, "|")]
        told = [_decimal(part) for part in parts[:3]]
        units = parts[3] if len(parts) > 3 and parts[3] else "km"
        length = unit(units) if known(units) else None
        if len(parts) not in {2, 3, 4} or None in told or length is None or length.dimensions != unit("m").dimensions:
            raise self.bad("latitude|longitude, or with |distance|units of length in UCUM after it; km without units")
        latitude, longitude, distance = (float(one) for one in (*told, Decimal(0))[:3] if one is not None)
        if abs(latitude) > 90 or abs(longitude) > 180 or distance < 0:
            raise self.bad("a latitude of -90 to 90, a longitude of -180 to 180, a distance of 0 or more")
        return NearTerm(latitude, longitude, distance * bounded(length.factor) if len(parts) > 2 else NEAR)

    def _date(self, text: str) -> RangeTerm:
        prefix, told = _prefixed(text)
        found = interval(told.replace(" ", "+")) or interval(_completed(told.replace(" ", "+")))
        if found is None:
            raise self.bad(f"a date or dateTime, with a prefix among {', '.join(PREFIXES)} or none")
        lo, hi = found
        if prefix == "ap":
            margin = abs(self._now - lo) // APPROXIMATION
            lo, hi = lo - margin, hi + margin
        return RangeTerm(prefix, lo, hi)

    def _number(self, type_: str, text: str) -> RangeTerm:
        parts = [unescaped(part) for part in split(text, "|")]
        if len(parts) not in ({1} if type_ == "number" else {1, 3}):
            raise self.bad("a number" if type_ == "number" else "number, number|system|code or number||code")
        prefix, told = _prefixed(parts[0])
        number = _decimal(told)
        if number is None:
            raise self.bad(f"a number, with a prefix among {', '.join(PREFIXES)} or none")
        whole = "e" in told.lower() and "." not in told  # 1e2 means [95, 105), 5.40e-3 [0.005395, 0.005405)
        half = Decimal((0, (5,), int(number.as_tuple().exponent) - (2 if whole else 1)))
        lo, hi = number - half, number + half
        if prefix == "ap":
            margin = abs(number) / APPROXIMATION
            lo, hi = min(lo, number - margin), max(hi, number + margin)
        system, code = (parts[1] or None, parts[2] or None) if len(parts) == 3 else (None, None)
        decimals = (lo, hi, number)
        return RangeTerm(prefix, bounded(lo), bounded(hi), bounded(number), system, code, decimals)


def _prefixed(text: str) -> tuple[str, str]:
    return (text[:2], text[2:]) if text[:2] in PREFIXES else ("eq", text)


def _completed(text: str) -> str:
    """Complete a time to the minute and a time without zone: search values, unlike elements, may be so (3.1.1.4.7)."""
    found = re.fullmatch(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:\d{2})?", text)
    return f"{found[1]}{found[2] or ':00'}{found[3] or 'Z'}" if found else ""


def _decimal(text: str) -> Decimal | None:
    if len(text) > MAX_DIGITS or not _NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
