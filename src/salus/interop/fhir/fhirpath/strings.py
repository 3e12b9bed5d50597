"""String functions (FHIRPath N1 5.6, with the additional functions of the STU parts)."""

import base64
import binascii
import html
import json
from collections.abc import Callable
from typing import Any, Final

from salus.interop.fhir.fhirpath import patterns
from salus.interop.fhir.fhirpath.environment import Frame
from salus.interop.fhir.fhirpath.errors import EvaluationFailed
from salus.interop.fhir.fhirpath.model import system_value
from salus.interop.fhir.fhirpath.operators import bounded, integer, text, within
from salus.interop.fhir.fhirpath.registry import function


@function("indexOf", 1)
def index_of(items: list[Any], _: Frame, part: list[Any]) -> list[Any]:
    """5.6.1."""
    value, wanted = text(items, "indexOf()"), text(part, "indexOf()")
    return [] if value is None or wanted is None else [value.find(wanted)]


@function("lastIndexOf", 1)
def last_index_of(items: list[Any], _: Frame, part: list[Any]) -> list[Any]:
    """Return the position of the last occurrence, -1 for none."""
    value, wanted = text(items, "lastIndexOf()"), text(part, "lastIndexOf()")
    return [] if value is None or wanted is None else [value.rfind(wanted)]


@function("substring", 1, 2)
def substring(items: list[Any], _: Frame, start: list[Any], length: list[Any] | None = None) -> list[Any]:
    """5.6.2."""
    value, begin = text(items, "substring()"), integer(start, "substring()")
    if value is None or begin is None or not 0 <= begin < len(value):
        return []
    size = None if not length else integer(length, "substring()")
    return [value[begin:] if size is None else value[begin : begin + max(size, 0)]]


@function("startsWith", 1)
def starts_with(items: list[Any], _: Frame, part: list[Any]) -> list[Any]:
    """5.6.3."""
    value, wanted = text(items, "startsWith()"), text(part, "startsWith()")
    return [] if value is None or wanted is None else [value.startswith(wanted)]


@function("endsWith", 1)
def ends_with(items: list[Any], _: Frame, part: list[Any]) -> list[Any]:
    """5.6.4."""
    value, wanted = text(items, "endsWith()"), text(part, "endsWith()")
    return [] if value is None or wanted is None else [value.endswith(wanted)]


@function("contains", 1)
def contains(items: list[Any], _: Frame, part: list[Any]) -> list[Any]:
    """5.6.5."""
    value, wanted = text(items, "contains()"), text(part, "contains()")
    return [] if value is None or wanted is None else [wanted in value]


@function("upper")
def upper(items: list[Any], _: Frame) -> list[Any]:
    """5.6.6."""
    value = text(items, "upper()")
    return [] if value is None else [value.upper()]


@function("lower")
def lower(items: list[Any], _: Frame) -> list[Any]:
    """5.6.7."""
    value = text(items, "lower()")
    return [] if value is None else [value.lower()]


@function("replace", 2)
def replace(items: list[Any], _: Frame, old: list[Any], new: list[Any]) -> list[Any]:
    """5.6.8."""
    value, pattern, other = text(items, "replace()"), text(old, "replace()"), text(new, "replace()")
    if value is None or pattern is None or other is None:
        return []
    within(len(value) + value.count(pattern) * len(other))
    return [value.replace(pattern, other)]


@function("matches", 1)
def matches(items: list[Any], _: Frame, pattern: list[Any]) -> list[Any]:
    """5.6.9: found anywhere, `.` matching line ends."""
    value, wanted = text(items, "matches()"), text(pattern, "matches()")
    return [] if value is None or wanted is None else [patterns.matches(value, wanted, full=False)]


@function("matchesFull", 1)
def matches_full(items: list[Any], _: Frame, pattern: list[Any]) -> list[Any]:
    """As matches(), but the pattern covers the whole string."""
    value, wanted = text(items, "matchesFull()"), text(pattern, "matchesFull()")
    return [] if value is None or wanted is None else [patterns.matches(value, wanted, full=True)]


@function("replaceMatches", 2)
def replace_matches(items: list[Any], _: Frame, pattern: list[Any], new: list[Any]) -> list[Any]:
    """5.6.10."""
    what = "replaceMatches()"
    value, wanted, other = text(items, what), text(pattern, what), text(new, what)
    if value is None or wanted is None or other is None:
        return []
    return [bounded(patterns.replaced(value, wanted, other))]


@function("length")
def length(items: list[Any], _: Frame) -> list[Any]:
    """5.6.11."""
    value = text(items, "length()")
    return [] if value is None else [len(value)]


@function("toChars")
def to_chars(items: list[Any], frame: Frame) -> list[Any]:
    """5.6.12."""
    value = text(items, "toChars()")
    frame.spend(len(value or ""))
    return list(value or "")


@function("trim")
def trim(items: list[Any], _: Frame) -> list[Any]:
    """Drop white space at both ends."""
    value = text(items, "trim()")
    return [] if value is None else [value.strip()]


@function("split", 1)
def split(items: list[Any], frame: Frame, separator: list[Any]) -> list[Any]:
    """Split at each occurrence; an empty separator gives the characters."""
    value, wanted = text(items, "split()"), text(separator, "split()")
    if value is None or wanted is None:
        return []
    parts = value.split(wanted) if wanted else list(value)
    frame.spend(len(parts))
    return parts


@function("join", 0, 1)
def join(items: list[Any], _: Frame, separator: list[Any] | None = None) -> list[Any]:
    """Join strings, those without value left out; the empty string for none, as SQL on FHIR has it."""
    values = [system_value(item) for item in items]
    values = [value for value in values if value is not None]
    if any(value.__class__ is not str for value in values):
        raise EvaluationFailed("join() takes strings")
    mark = text(separator or [], "join()") or ""
    within(sum(map(len, values)) + len(values) * len(mark))
    return [mark.join(values)]


_WRITE: Final[dict[str, Callable[[bytes], str]]] = {
    "base64": lambda data: base64.b64encode(data).decode(),
    "urlbase64": lambda data: base64.urlsafe_b64encode(data).decode(),
    "hex": lambda data: data.hex(),
}
_READ: Final[dict[str, Callable[[str], bytes]]] = {
    "base64": lambda value: base64.b64decode(value, validate=True),
    "urlbase64": lambda value: base64.b64decode(value, altchars=b"-_", validate=True),
    "hex": binascii.unhexlify,
}


@function("encode", 1)
def encode(items: list[Any], _: Frame, form: list[Any]) -> list[Any]:
    """Encode UTF-8 bytes as base64, urlbase64 or hex; empty for another form."""
    value, name = text(items, "encode()"), text(form, "encode()")
    return [_WRITE[name](value.encode())] if value is not None and name in _WRITE else []


@function("decode", 1)
def decode(items: list[Any], _: Frame, form: list[Any]) -> list[Any]:
    """Invert encode(); empty for what is not of that form or not UTF-8."""
    value, name = text(items, "decode()"), text(form, "decode()")
    if value is None or name not in _READ:
        return []
    try:
        return [_READ[name](value).decode()]
    except ValueError:
        return []


@function("escape", 1)
def escape(items: list[Any], _: Frame, form: list[Any]) -> list[Any]:
    """Escape for html or json; empty for another form."""
    value, name = text(items, "escape()"), text(form, "escape()")
    if value is None:
        return []
    if name == "html":
        return [html.escape(value)]
    return [json.dumps(value, ensure_ascii=False)[1:-1]] if name == "json" else []


@function("unescape", 1)
def unescape(items: list[Any], _: Frame, form: list[Any]) -> list[Any]:
    """Invert escape(); text that is not escaped stays as it is."""
    value, name = text(items, "unescape()"), text(form, "unescape()")
    if value is None:
        return []
    if name == "html":
        return [html.unescape(value)]
    if name != "json":
        return []
    try:
        return [str(json.loads(f'"{value}"'))]
    except ValueError:
        return [value]
