"""The lexical rules of FHIR's primitive types (R4 2.24.0.1): each check answers what was expected, or None.

The official expressions for base64Binary and string are not used: the one backtracks without end, the other passes text
of blanks alone.
"""

import re
from base64 import b64decode
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeAlias

from salus.interop.fhir.times import interval
from salus.interop.fhir.tokens import ID

Check: TypeAlias = Callable[[Any], str | None]

MAX_TEXT: Final = 1_048_576  # characters; R4 allows 1 MB
_CODE: Final = re.compile(r"[^\s]+(?: [^\s]+)*")
_OID: Final = re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+")
_UUID: Final = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DATE: Final = re.compile(r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?")
_SECONDS: Final = re.compile(r".{10}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_TIME: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _boolean(value: Any) -> str | None:
    return None if value is True or value is False else "true or false, not in quotes"


def _whole(low: int, word: str) -> Check:
    def check(value: Any) -> str | None:
        return None if value.__class__ is int and low <= value <= 2_147_483_647 else word

    return check


def _decimal(value: Any) -> str | None:
    return None if value.__class__ is int or value.__class__ is Decimal else "a number, not in quotes"


def _string(value: Any) -> str | None:
    if value.__class__ is not str:
        return "a string"
    if not value or value.isspace():
        return "text that is more than blanks"
    if len(value) > MAX_TEXT:
        return f"at most {MAX_TEXT} characters"
    return "text without control characters" if not value.isprintable() and _CONTROL.search(value) else None


def _shaped(pattern: re.Pattern[str], word: str) -> Check:
    def check(value: Any) -> str | None:
        return None if value.__class__ is str and pattern.fullmatch(value) else word

    return check


def _uri(value: Any) -> str | None:
    if value.__class__ is not str or value.split() != [value]:
        return "a uri without blanks"
    if value.startswith("urn:oid:"):
        return None if _OID.fullmatch(value) else "urn:oid: with digits and dots"
    if value[:9].lower() == "urn:uuid:":
        return None if _UUID.fullmatch(value) else "urn:uuid: in lower case"
    return None


def _date(value: Any) -> str | None:
    good = value.__class__ is str and _DATE.fullmatch(value) and interval(value)
    return None if good else "a date that exists (YYYY, YYYY-MM or YYYY-MM-DD)"


def _date_time(value: Any) -> str | None:
    good = value.__class__ is str and interval(value)
    return None if good else "a date that exists, with seconds and zone if it has a time"


def _instant(value: Any) -> str | None:
    good = value.__class__ is str and _SECONDS.match(value) and interval(value)
    return None if good else "a date with time, seconds and zone"


def _base64(value: Any) -> str | None:
    word = "base64 (RFC 4648)"
    if value.__class__ is not str or not value:
        return word
    try:
        b64decode("".join(value.split()), validate=True)
    except ValueError:
        return word
    return None


CHECKS: Final[dict[str, Check]] = {
    "boolean": _boolean,
    "integer": _whole(-2_147_483_648, "a whole number of 32 bits, not in quotes"),
    "unsignedInt": _whole(0, "a whole number from 0"),
    "positiveInt": _whole(1, "a whole number from 1"),
    "decimal": _decimal,
    "string": _string,
    "markdown": _string,
    "xhtml": _string,
    "code": _shaped(_CODE, "a code: no blank at either end, single blanks within"),
    "id": _shaped(ID, "an id: 1 to 64 of A-Z a-z 0-9 - ."),
    "uri": _uri,
    "url": _uri,
    "canonical": _uri,
    "oid": _shaped(_OID, "urn:oid: with digits and dots"),
    "uuid": _shaped(_UUID, "urn:uuid: in lower case"),
    "date": _date,
    "dateTime": _date_time,
    "instant": _instant,
    "time": _shaped(_TIME, "a time hh:mm:ss"),
    "base64Binary": _base64,
}
