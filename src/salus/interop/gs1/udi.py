"""A device's unique identifier from its label, whoever issued it: GS1, HIBCC (`+`), ICCBBA ISBT 128 (`=`, `&`).

Forms as FDA publishes them, "UDI formats by FDA-accredited issuing agency".
"""

import re
from dataclasses import dataclass
from typing import Final

from salus.interop.gs1.digits import HIBC, hibc_character
from salus.interop.gs1.elements import read_elements, read_hri
from salus.interop.gs1.lints import days_of, is_date
from salus.interop.gs1.refusal import Gs1Refused

HIBC_PRIMARY: Final = re.compile(r"\+([A-Z][A-Z0-9]{3})([A-Z0-9]{1,18})(\d)\Z")
HIBC_QUANTITY: Final = re.compile(r"\$\$(8\d{2}|9\d{5})")
HIBC_DATES: Final = {"2": 6, "3": 6, "4": 8, "5": 5, "6": 7, "7": 0}
ISBT_DEVICE: Final = re.compile(r"=/([A-Z0-9]{5}[A-Z0-9]{6}[A-Z0-9]{5})")
ISBT_PARTS: Final = (
    ("serial", re.compile(r"=,([A-Z0-9]{6})")),
    ("donation", re.compile(r"=([A-NP-Z1-9][A-Z0-9]{4}\d{8}[A-Z0-9*]{2})")),
    ("expiry", re.compile(r"=>(\d{6})")),
    ("produced", re.compile(r"=\}(\d{6})")),
    ("lot", re.compile(r"&,1([A-Z0-9]{1,18})")),
)


@dataclass(frozen=True, slots=True)
class Udi:
    """A unique device identifier. What the label does not say is empty."""

    issuer: str
    """`gs1`, `hibcc` or `iccbba`."""
    device: str
    """Device identifier (UDI-DI): GTIN-14; HIBC labeller, product and unit of measure; ISBT processor and product."""
    lot: str = ""
    serial: str = ""
    expiry: str = ""
    """Last day of use, YYYY-MM-DD."""


def read_udi(text: str) -> Udi:
    """Return what a device's label says. Raises Gs1Refused."""
    if text.startswith("+"):
        return _hibc(text)
    if text.startswith(("=", "&")):
        return _isbt(text)
    found = read_hri(text) if text.startswith("(") else read_elements(text)
    if "01" not in found:
        raise Gs1Refused("udi.device", "the label", "a device identifier, (01)")
    expiry = _day(found["17"], "(17)") if "17" in found else ""
    return Udi("gs1", found["01"], found.get("10", ""), found.get("21", ""), expiry)


def _day(yymmdd: str, at: str) -> str:
    """Return YYYY-MM-DD of a GS1 date: the century is the 21st up to 2050, which no present device outlives."""
    if not is_date(yymmdd, zero_day=True):
        raise Gs1Refused("udi.date", at, "a day of the calendar")
    year, month, day = 2000 + int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:])
    return f"{year}-{month:02d}-{day or days_of(year, month):02d}"


def _hibc(text: str) -> Udi:
    if any(character not in HIBC for character in text) or len(text) < 8:
        raise Gs1Refused("hibc.characters", "the label", "the 43 characters of HIBC, at least 8")
    if hibc_character(text[:-1]) != text[-1]:
        raise Gs1Refused("hibc.check", "the last character", "the modulo 43 character of those before it")
    primary, _, secondary = text[:-1].partition("/")
    match = HIBC_PRIMARY.match(primary)
    if match is None:
        raise Gs1Refused("hibc.primary", "the label", "+, labeller (4), product (1 to 18), unit of measure (1 digit)")
    expiry = lot = serial = ""
    if secondary:
        first, *others = secondary.split("/")
        expiry, lot, serial = _hibc_secondary(first)
        for other in others:
            if other.startswith("S"):
                serial = other[1:]
            elif other.startswith("14D") and is_date(other[5:], zero_day=False):
                expiry = f"{other[3:7]}-{other[7:9]}-{other[9:11]}"
    return Udi("hibcc", match[1] + match[2] + match[3], lot, serial, expiry)


def _hibc_secondary(text: str) -> tuple[str, str, str]:
    """Return (expiry, lot, serial) of a secondary data structure."""
    if text.startswith("$$+"):
        expiry, serial = _hibc_date(text[3:])
        return expiry, "", serial
    if text.startswith("$+"):
        return "", "", text[2:]
    if text.startswith("$$"):
        quantity = HIBC_QUANTITY.match(text)
        expiry, lot = _hibc_date(text[quantity.end() :] if quantity else text[2:])
        return expiry, lot, ""
    if text.startswith("$"):
        return "", text[1:], ""
    if re.match(r"\d{5}", text):
        return _julian(text[:5]), text[5:], ""
    raise Gs1Refused("hibc.secondary", "after /", "$, $$, $+, $$+ or a five-digit date")


def _hibc_date(text: str) -> tuple[str, str]:
    """Return (expiry, rest) of a `$$` structure: MMYY by itself, else a flag and a date of its format."""
    flag = text[:1]
    if flag in {"0", "1"}:
        return _day(text[2:4] + text[:2] + "00", "the date"), text[4:]
    if flag not in HIBC_DATES:
        raise Gs1Refused("hibc.date", "after $$", "a date of a known format")
    digits = text[1 : 1 + HIBC_DATES[flag]]
    rest = text[1 + HIBC_DATES[flag] :]
    if len(digits) != HIBC_DATES[flag] or (digits and not digits.isdigit()):
        raise Gs1Refused("hibc.date", "after $$", "a date of a known format")
    if flag == "7":
        return "", rest
    if flag in {"5", "6"}:
        return _julian(digits[:5]), rest
    ordered = digits[4:6] + digits[:4] if flag == "2" else digits[:6]
    return _day(ordered, "the date"), rest


def _julian(yyjjj: str) -> str:
    """Return YYYY-MM-DD of a two-digit year and day of the year."""
    year, day = 2000 + int(yyjjj[:2]), int(yyjjj[2:])
    for month in range(1, 13):
        if 1 <= day <= days_of(year, month):
            return f"{year}-{month:02d}-{day:02d}"
        day -= days_of(year, month)
    raise Gs1Refused("udi.date", "the date", "a day of the year, 001 to 366")


def _isbt(text: str) -> Udi:
    device = ISBT_DEVICE.search(text)
    if device is None:
        raise Gs1Refused("isbt.device", "the label", "=/ and 16 characters of processor and product")
    found = {}
    rest = text[: device.start()] + text[device.end() :]
    for name, pattern in ISBT_PARTS:
        match = pattern.search(rest)
        if match:
            found[name] = match[1]
            rest = rest[: match.start()] + rest[match.end() :]
    if rest:
        raise Gs1Refused("isbt.data", "the label", "the data structures of ISBT 128 for devices, and nothing else")
    expiry = _julian(found["expiry"][1:]) if "expiry" in found else ""
    return Udi("iccbba", device[1], found.get("lot", ""), found.get("serial", found.get("donation", "")), expiry)
