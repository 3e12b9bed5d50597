"""The event hash of CBV 2.0 (section 8.9): an identifier of an event by what it says, `ni:///sha-256;...?ver=CBV2.0`.

For partners that know events by it; the ledger and this repository use `canonical.event_hash`, as this one cannot survive
that a field is withheld. Hashed is the text of the event's properties in the standard's order, names and values without
separators: times in UTC with milliseconds, words and identifiers as web URIs, numbers without needless zeros, lists
sorted. `eventID`, `recordTime`, `errorDeclaration` and `certificationInfo` take no part.
"""

import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from salus.interop.epcis import times
from salus.interop.epcis.document import Event
from salus.interop.epcis.vocabulary import EPC_LISTS, QUANTITY_LISTS, TYPED_LISTS, WORDS, bare
from salus.interop.gs1.identity import canonical_uri
from salus.interop.gs1.refusal import Gs1Refused

ORDER: Final = (
    *("eventTime", "eventTimeZoneOffset", "epcList", "parentID", "inputEPCList", "childEPCs", "quantityList"),
    *("childQuantityList", "inputQuantityList", "outputEPCList", "outputQuantityList", "action", "transformationID"),
    *("bizStep", "disposition", "persistentDisposition", "readPoint", "bizLocation", "bizTransactionList"),
    *("sourceList", "destinationList", "sensorElementList"),
)
LEFT_OUT: Final = frozenset(("eventID", "recordTime", "errorDeclaration", "certificationInfo"))
METADATA: Final = (
    *("time", "startTime", "endTime", "deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "bizRules"),
)
REPORT: Final = (
    *("type", "exception", "deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "time", "microorganism"),
    *("chemicalSubstance", "value", "component", "stringValue", "booleanValue", "hexBinaryValue", "uriValue"),
    *("minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue", "uom", "coordinateReferenceSystem"),
)
CBV: Final = "https://ref.gs1.org/cbv/"
VOC: Final = "https://ref.gs1.org/voc/"
NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)\Z")


def cbv_hash(event: Event) -> str:
    """Return the CBV 2.0 hash of a checked event as an `ni` URI (RFC 6920)."""
    return f"ni:///sha-256;{hashlib.sha256(text_of(event).encode()).hexdigest()}?ver=CBV2.0"


def text_of(event: Event) -> str:
    """Return the text that is hashed."""
    fields = event.fields
    told = "".join(_ordered(name, fields[name]) for name in ORDER if name in fields)
    rest: list[tuple[str, Any]] = [
        (name, value) for name, value in fields.items() if name not in ORDER and name not in LEFT_OUT
    ]
    rest += [("sensorElement", more) for each in fields.get("sensorElementList", ()) if (more := _extended(each))]
    return f"eventType={event.kind}{told}{_free(rest)}"


def _ordered(name: str, value: Any) -> str:  # noqa: PLR0911 -- a return for each kind of field
    if name == "eventTime":
        return f"{name}={times.text(times.milliseconds(value, name))}"
    if name in EPC_LISTS:
        return name + "".join(sorted(f"epc={_value(each)}" for each in value)) if value else ""
    if name in QUANTITY_LISTS:
        return name + "".join(sorted(_quantity(each) for each in value)) if value else ""
    if name in TYPED_LISTS:
        key, vocabulary = TYPED_LISTS[name]
        return name + "".join(sorted(_typed(each, key, vocabulary) for each in value)) if value else ""
    if name in {"bizStep", "disposition"}:
        return f"{name}={_word(name, value)}"
    if name == "persistentDisposition":
        words = [(way, word) for way in ("set", "unset") for word in sorted(value.get(way, ()))]
        return name + "".join(f"{way}={_word('disposition', word)}" for way, word in words)
    if name in {"readPoint", "bizLocation"}:
        more = _free([(each, told) for each, told in value.items() if each != "id"])
        return f"{name}id={_value(value['id'])}{more}"
    if name == "sensorElementList":
        return "".join(sorted(_sensor(each) for each in value))
    return f"{name}={_value(value)}"


def _quantity(item: Mapping[str, Any]) -> str:
    named = [name for name in ("epcClass", "quantity", "uom") if item.get(name) is not None]
    return "quantityElement" + "".join(f"{name}={_value(item[name])}" for name in named)


def _typed(item: Mapping[str, Any], key: str, vocabulary: str) -> str:
    kind = f"type={_word(vocabulary, item['type'])}" if "type" in item else ""
    return f"{kind}{key}={_value(item[key])}"


def _sensor(element: Mapping[str, Any]) -> str:
    metadata = _named(element.get("sensorMetadata", {}), METADATA)
    reports = "".join(sorted(f"sensorReport{_named(each, REPORT)}" for each in element.get("sensorReport", ())))
    return f"sensorElement{f'sensorMetadata{metadata}' if metadata else ''}{reports}"


def _named(part: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return "".join(f"{name}={_measured(name, part[name])}" for name in names if name in part)


def _measured(name: str, value: Any) -> str:
    if name in {"time", "startTime", "endTime"}:
        return times.text(times.milliseconds(value, name))
    if isinstance(value, str) and ":" not in value:
        if name in {"type", "exception"}:
            return VOC + value
        if name == "component":
            return f"{CBV}Comp-{value}"
    if isinstance(value, str) and name == "component" and value.startswith("cbv:"):
        return CBV + value.removeprefix("cbv:")
    if isinstance(value, str) and name in {"type", "exception"}:
        for prefix in ("gs1:", "https://gs1.org/voc/"):
            if value.startswith(prefix):
                return VOC + value[len(prefix) :]
    return _value(value)


def _extended(element: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a sensor element what the standard does not name."""
    found: dict[str, Any] = {name: value for name, value in element.items() if name.startswith("{")}
    metadata = {name: value for name, value in element.get("sensorMetadata", {}).items() if name not in METADATA}
    reports = [
        more
        for each in element.get("sensorReport", ())
        if (more := {name: value for name, value in each.items() if name not in REPORT})
    ]
    return found | ({"sensorMetadata": metadata} if metadata else {}) | ({"sensorReport": reports} if reports else {})


def _free(pairs: list[tuple[str, Any]]) -> str:
    """Return extensions: each with its name, a list as its members, sorted."""
    told: list[str] = []
    for name, value in pairs:
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                told.append(name + _free([*each.items()]))
            else:
                text = _value(each)
                told.append(f"{name}={text}" if text else name)
    return "".join(sorted(told))


def _word(vocabulary: str, text: str) -> str:
    words, _, web = WORDS[vocabulary]
    word = bare(vocabulary, text)
    return f"{CBV}{web}{word}" if word in words else text


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "" if value is None else str(value).strip()
    if isinstance(value, Decimal | int) or NUMBER.match(text):
        plain = format(Decimal(text), "f")
        plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
        return plain if plain not in {"", "-0"} else "0"
    try:
        return canonical_uri(text)
    except Gs1Refused:
        return text
