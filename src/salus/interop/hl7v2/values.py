"""Data types of HL7 v2 as data types of R4: dates, codes, identifiers, names, addresses, quantities."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from salus.interop.fhir.fhirpath.units import known
from salus.interop.fhir.times import interval
from salus.interop.hl7v2.message import Value
from salus.interop.hl7v2.vocabulary import (
    ADDRESS_USE,
    NAME_USE,
    SYSTEMS,
    TELECOM_SYSTEM,
    TELECOM_USE,
    UNITS,
    V2,
)

UCUM: Final = "http://unitsofmeasure.org"
_TIME: Final = re.compile(
    r"(?P<year>\d{4})(?:(?P<month>\d{2})(?:(?P<day>\d{2})(?:(?P<hour>\d{2})(?P<minute>\d{2})?(?P<second>\d{2})?"
    r"(?P<fraction>\.\d{1,4})?)?)?)?(?P<zone>[+-]\d{4})?"
)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)")
_HD_URI: Final = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TOKEN: Final = re.compile(r"[^A-Za-z0-9._-]+")
Json = dict[str, Any]


class Naming:
    """What assigning authorities and systems of one sender are called. zone: "+01:00", or "" when it is not known.

    authorities: URI by namespace id, as the operator names them. An authority that nobody names is one of the sender's
    own: `urn:salus:v2:FACILITY:NAMESPACE`, so that equal numbers of two senders are never one person.
    """

    def __init__(self, facility: str, authorities: Mapping[str, str], zone: str) -> None:
        self.facility = _TOKEN.sub("-", facility).strip("-").lower() or "unnamed"
        self.authorities = authorities
        self.zone = zone

    def authority(self, value: Value) -> str:
        """Return the URI of an HD: by its universal id, by the operator's table, else one of the sender's own."""
        namespace, universal, kind = value.text(1), value.text(2), value.text(3).upper()
        if namespace in self.authorities:
            return self.authorities[namespace]
        if kind in {"ISO", ""} and _HD_URI.fullmatch(universal):
            return f"urn:oid:{universal}"
        if kind in {"UUID", "GUID", ""} and _UUID.fullmatch(universal):
            return f"urn:uuid:{universal.lower()}"
        if kind == "URI" and universal and not any(map(str.isspace, universal)):
            return universal
        name = _TOKEN.sub("-", namespace or universal).strip("-").lower()
        return f"urn:salus:v2:{self.facility}" + (f":{name}" if name else "")

    def date(self, text: str) -> str:
        """Return a DTM as a FHIR date; "" when it is none."""
        return self.moment(text)[:10]

    def moment(self, text: str) -> str:
        """Return a DTM as a FHIR dateTime: seconds filled with zeros, the zone written or configured, else a date alone.

        A zone is never invented: a time that has none, from a sender without a configured one, keeps its day.
        """
        found = _TIME.fullmatch(text.strip())
        if found is None:
            return ""
        told = "-".join(part for part in (found["year"], found["month"], found["day"]) if part)
        zone = found["zone"]
        offset = f"{zone[:3]}:{zone[3:]}" if zone else self.zone
        if found["hour"] and offset:
            told += (
                f"T{found['hour']}:{found['minute'] or '00'}:{found['second'] or '00'}{found['fraction'] or ''}{offset}"
            )
        return told if interval(told) else ""

    def instant(self, text: str) -> str:
        """Return a DTM as a FHIR instant, "" when its time or zone is not told."""
        told = self.moment(text)
        return told if "T" in told else ""

    def identifier(self, value: Value, authority: int = 4, kind: int = 5) -> Json:
        """Return a CX (or an XCN's number) as an Identifier; {} without a number."""
        number = value.text(1)
        if not number:
            return {}
        out: Json = {"system": self.authority(value.part(authority)), "value": number}
        code = value.text(kind)
        if code:
            out["type"] = {"coding": [{"system": f"{V2}0203", "code": code}]}
        return out

    def entity(self, value: Value) -> Json:
        """Return an EI (entity identifier) as an Identifier; its authority is in its own components 2 to 4."""
        number, namespace, universal, kind = (value.text(place) for place in (1, 2, 3, 4))
        if not number:
            return {}
        if namespace in self.authorities:
            system = self.authorities[namespace]
        elif kind.upper() == "ISO" and _HD_URI.fullmatch(universal):
            system = f"urn:oid:{universal}"
        else:
            name = _TOKEN.sub("-", namespace).strip("-").lower()
            system = f"urn:salus:v2:{self.facility}:order" + (f":{name}" if name else "")
        return {"system": system, "value": number}

    def concept(self, value: Value) -> Json:
        """Return a CWE or CE as a CodeableConcept, both codings and the text; {} when it holds nothing."""
        codings = []
        for code, text, system in ((1, 2, 3), (4, 5, 6)):
            one = self._coding(value.text(code), value.text(text), value.text(system))
            if one:
                codings.append(one)
        told = value.text(9) or (value.text(2) if not codings else "")
        return {**({"coding": codings} if codings else {}), **({"text": told} if told else {})}

    def _coding(self, code: str, text: str, system: str) -> Json:
        code = " ".join(code.split())
        if not code:
            return {}
        uri = SYSTEMS.get(system.upper(), "")
        if not uri and system.upper().startswith("HL7") and system[3:].isdigit():
            uri = f"{V2}{system[3:]}"
        if not uri:
            uri = f"urn:salus:v2:{self.facility}:code" + (f":{_TOKEN.sub('-', system).lower()}" if system else "")
        return {"system": uri, "code": code, **({"display": text} if text else {})}


def name(value: Value) -> Json:
    """Return an XPN as a HumanName."""
    use = NAME_USE.get(value.text(7).upper(), "")
    given = [one for one in (value.text(2), *value.text(3).split()) if one]
    told: Json = {"use": use, "family": value.text(1), "given": given}
    told["prefix"] = [value.text(5)] if value.text(5) else []
    told["suffix"] = [one for one in (value.text(4), value.text(6)) if one]
    return {key: one for key, one in told.items() if one}


def address(value: Value) -> Json:
    """Return an XAD as an Address."""
    kind = value.text(7).upper()
    told: Json = {
        "use": ADDRESS_USE.get(kind, ""),
        "type": "postal" if kind in {"M", "SH"} else "",
        "line": [one for one in (value.text(1), value.text(2)) if one],
        "city": value.text(3),
        "district": value.text(9),
        "state": value.text(4),
        "postalCode": value.text(5),
        "country": value.text(6),
    }
    found = {key: one for key, one in told.items() if one}
    return found if set(found) - {"use", "type"} else {}


def telecom(value: Value, use: str = "") -> Json:
    """Return an XTN as a ContactPoint: an address of mail, a formatted number, or one put together from its parts."""
    kind, where = value.text(3).upper(), value.text(2).upper()
    mail = value.text(4)
    system = TELECOM_SYSTEM.get(kind, "email" if mail and not value.text(1) else "phone")
    number = value.text(1) or value.text(12)
    if not number and value.text(7):
        number = " ".join(part for part in (value.text(5), value.text(6), value.text(7)) if part)
    text = mail if system == "email" and mail else number
    if not text:
        return {}
    told = "mobile" if kind == "CP" else TELECOM_USE.get(where, use)
    return {"system": system, "value": text, **({"use": told} if told else {})}


def number(text: str) -> int | Decimal | None:
    """Return an NM exactly as written, None when it is none."""
    text = text.strip()
    if _NUMBER.fullmatch(text) is None or len(text) > 40:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return int(found) if found == found.to_integral_value() and "." not in text else found


def quantity(amount: int | Decimal, unit: Value, comparator: str = "") -> Json:
    """Return a number with a CWE of units as a Quantity; UCUM only where the code is, or surely means, one of UCUM."""
    told: Json = {"value": amount, **({"comparator": comparator} if comparator else {})}
    code, text, system = unit.text(1), unit.text(2), unit.text(3).upper()
    written = text or code
    if written:
        told["unit"] = written
    ucum = UNITS.get(code, code)
    if (
        code
        and ucum.isascii()
        and " " not in ucum
        and (code in UNITS or (known(ucum) and system in {"UCUM", "", "ISO+"}))
    ):
        told |= {"system": UCUM, "code": ucum}
    return told
