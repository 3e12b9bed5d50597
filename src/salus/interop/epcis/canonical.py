"""One hash of an event, whether it came as JSON or XML, with URNs or Digital Links, its lists in any order.

Hashed is the event's one form: times as Unix milliseconds, words of CBV bare, identifiers as Digital Links on
id.gs1.org, numbers without trailing zeros, sets sorted, text of extensions as text. `recordTime` is left out: it is the
receiving system's. Not the event hash of CBV 2.0 section 8.9, which cannot survive that a field is withheld.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from salus.core.proof.digest import digest, mac
from salus.core.proof.event import field_leaf, value_bytes
from salus.interop.epcis.check import identifier
from salus.interop.epcis.times import milliseconds
from salus.interop.epcis.vocabulary import EPC_LISTS, QUANTITY_LISTS, TYPED_LISTS, bare

TIMES: Final = frozenset(("eventTime", "recordTime", "time", "startTime", "endTime", "declarationTime"))
SENSOR_WORDS: Final = frozenset(("type", "exception", "component"))
SENSOR_PREFIXES: Final = ("gs1:", "https://gs1.org/voc/", "https://ref.gs1.org/cbv/Comp-", "cbv:Comp-")


def canonical_form(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the one form of a checked event."""
    form = {name: _field(name, value) for name, value in fields.items() if name != "recordTime" and value != []}
    return {"type": kind, **form}


def event_hash(kind: str, fields: Mapping[str, Any]) -> bytes:
    """Return the digest of a checked event, 32 bytes, under salus/v1/epcis-event."""
    return digest("salus/v1/epcis-event", value_bytes(canonical_form(kind, fields)))


def field_leaves(kind: str, fields: Mapping[str, Any], secret: bytes) -> dict[str, bytes]:
    """Return a salted leaf for each field, by name ascending, under a secret of the event (32 bytes).

    Who is shown a field gets its salt, and learns nothing of the others: see `salus.core.proof.event`.
    """
    form = canonical_form(kind, fields)
    return {name: field_leaf(field_salt(secret, name), name, form[name]) for name in sorted(form)}


def field_salt(secret: bytes, name: str) -> bytes:
    """Return the salt (32 bytes) that opens one field."""
    return mac(secret, "salus/v1/epcis-salt", name.encode())


def _field(name: str, value: Any) -> Any:  # noqa: C901, PLR0911 -- a return for each kind of field
    if name in TIMES:
        return milliseconds(value, name)
    if name in {"bizStep", "disposition"}:
        return bare(name, value)
    if name in EPC_LISTS:
        return sorted({identifier(item, name) for item in value})
    if name == "parentID":
        return identifier(value, name)
    if name in QUANTITY_LISTS:
        return _set([item | {"epcClass": identifier(item["epcClass"], name)} for item in value])
    if name in TYPED_LISTS:
        key, vocabulary = TYPED_LISTS[name]
        typed = [item | {"type": bare(vocabulary, item["type"])} if "type" in item else item for item in value]
        return _set([item | {key: identifier(item[key], name)} for item in typed])
    if name in {"readPoint", "bizLocation"}:
        return _plain(value | {"id": identifier(value["id"], name)})
    if name == "persistentDisposition":
        return {way: sorted(bare("disposition", word) for word in words) for way, words in value.items()}
    if name == "certificationInfo":
        return sorted(value if isinstance(value, list) else [value])
    if name == "errorDeclaration":
        reason = {"reason": bare("reason", value["reason"])} if "reason" in value else {}
        return {each: _field(each, content) for each, content in (value | reason).items()}
    return _set([_sensor(item) for item in value]) if name == "sensorElementList" else _plain(value)


def _sensor(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: milliseconds(each, name) if name in TIMES else _word(each) if name in SENSOR_WORDS else _sensor(each)
            for name, each in value.items()
        }
    return _set([_sensor(each) for each in value]) if isinstance(value, list) else _plain(value)


def _word(value: Any) -> Any:
    for prefix in SENSOR_PREFIXES:
        if isinstance(value, str) and value.startswith(prefix):
            return value[len(prefix) :]
    return _plain(value)


def _plain(value: Any) -> Any:
    """Return a value with every leaf as text, as XML has it."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        items = [_plain(each) for each in value]
        return items[0] if len(items) == 1 else items
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return _number(value)
    return "" if value is None else value


def _number(value: int | Decimal) -> str:
    text = format(Decimal(value), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _set(items: list[Any]) -> list[Any]:
    return sorted((_plain(item) for item in items), key=value_bytes)
