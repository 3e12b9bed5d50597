"""Whether an event says what its type may say. The one place of these rules, for JSON and XML alike.

EPCIS 2.0 section 7.4; CBV 2.0 sections 7 and 8. Extension fields are names with a namespace, `{uri}name`.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from salus.interop.epcis.refusal import EpcisRefused
from salus.interop.epcis.times import milliseconds
from salus.interop.epcis.vocabulary import (
    ACTIONS,
    EPC_LISTS,
    FIELDS,
    QUANTITY_LISTS,
    REQUIRED,
    TYPED_LISTS,
    WORDS,
    bare,
)
from salus.interop.gs1.identity import canonical_uri
from salus.interop.gs1.refusal import Gs1Refused

Tree = Mapping[str, Any]
MAX_EPCS: Final = 1_000_000  # of one event: a lot's commissioning
OFFSET: Final = re.compile(r"[+-](0\d|1[0-3]):[0-5]\d\Z|[+-]14:00\Z")
URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+\Z")
CBV: Final = ("urn:epcglobal:cbv", "http://ns.gs1.org/cbv/", "https://ns.gs1.org/cbv/")
"""What the standard's JSON Schema keeps for the words of CBV."""
UOM: Final = re.compile(r"[A-Z0-9]{2,3}\Z")


def check_event(kind: str, fields: Tree, at: str) -> None:
    """Check one event of a type. Raises EpcisRefused with the element's path below `at`."""
    if kind not in FIELDS:
        raise EpcisRefused("epcis.type", at, "one of " + ", ".join(FIELDS))
    for name in ("eventTime", "eventTimeZoneOffset", *REQUIRED[kind]):
        if name not in fields:
            raise EpcisRefused("epcis.missing", f"{at}/{name}", f"{name} in every {kind}")
    for name, value in fields.items():
        if name.startswith("{"):
            continue
        if name not in FIELDS[kind]:
            raise EpcisRefused("epcis.field", f"{at}/{name}", f"a field of {kind}, or a prefix of its own")
        _field(name, value, f"{at}/{name}")
    _together(kind, fields, at)


def identifier(value: Any, at: str) -> str:
    """Return an identifier in its one form (see `gs1.identity.canonical_uri`). Raises EpcisRefused."""
    text = _uri(value, at)
    try:
        return canonical_uri(text)
    except Gs1Refused as refused:
        raise EpcisRefused(refused.rule, at, refused.expected) from None


def _field(name: str, value: Any, at: str) -> None:  # noqa: C901, PLR0912 -- a branch for each kind of field
    if name in {"eventTime", "recordTime"}:
        milliseconds(value, at)
    elif name == "eventTimeZoneOffset":
        if not isinstance(value, str) or OFFSET.match(value) is None:
            raise EpcisRefused("epcis.offset", at, "+hh:mm or -hh:mm, at most 14:00")
    elif name == "action":
        if not isinstance(value, str) or value not in ACTIONS:
            raise EpcisRefused("epcis.action", at, "OBSERVE, ADD or DELETE")
    elif name in {"bizStep", "disposition"}:
        _word(name, value, at)
    elif name in EPC_LISTS:
        _identifiers(value, at)
    elif name in QUANTITY_LISTS:
        for place, item in enumerate(_list(value, at)):
            _quantity(item, f"{at}/{place}")
    elif name in TYPED_LISTS:
        for place, item in enumerate(_list(value, at)):
            _typed(name, item, f"{at}/{place}")
    elif name == "parentID":
        identifier(value, at)
    elif name in {"readPoint", "bizLocation"}:
        identifier(_object(value, at).get("id"), f"{at}/id")
    else:
        _rarer(name, value, at)


def _rarer(name: str, value: Any, at: str) -> None:  # noqa: C901, PLR0912 -- a branch for each kind of field
    if name == "errorDeclaration":
        declared = _object(value, at)
        milliseconds(declared.get("declarationTime"), f"{at}/declarationTime")
        if "reason" in declared:
            _word("reason", declared["reason"], f"{at}/reason")
        for place, item in enumerate(_list(declared.get("correctiveEventIDs", []), f"{at}/correctiveEventIDs")):
            _uri(item, f"{at}/correctiveEventIDs/{place}")
    elif name == "persistentDisposition":
        changes = _object(value, at)
        if not changes or not {*changes} <= {"set", "unset"}:
            raise EpcisRefused("epcis.persistent", at, "set, unset or both")
        for way, words in changes.items():
            for place, word in enumerate(_list(words, f"{at}/{way}")):
                _word("disposition", word, f"{at}/{way}/{place}")
    elif name == "sensorElementList":
        for place, item in enumerate(_list(value, at)):
            _sensor(_object(item, f"{at}/{place}"), f"{at}/{place}")
    elif name == "ilmd":
        for each in _object(value, at):
            if not each.startswith("{"):
                raise EpcisRefused("epcis.field", f"{at}/{each}", "names with a prefix")
    elif name == "certificationInfo":
        for place, item in enumerate(value if isinstance(value, list) else [value]):
            _uri(item, f"{at}/{place}")
    else:
        _uri(value, at)


def _sensor(element: Tree, at: str) -> None:
    reports = _list(element.get("sensorReport", []), f"{at}/sensorReport")
    if not reports:
        raise EpcisRefused("epcis.missing", f"{at}/sensorReport", "at least one report")
    for each in (*reports, element.get("sensorMetadata", {})):
        for name, value in _object(each, at).items():
            if name in {"time", "startTime", "endTime"}:
                milliseconds(value, f"{at}/{name}")


def _together(kind: str, fields: Tree, at: str) -> None:
    action = fields.get("action")
    if kind == "ObjectEvent" and not any(fields.get(name) for name in ("epcList", "quantityList", "sensorElementList")):
        raise EpcisRefused("epcis.what", at, "epcList, quantityList or sensor data")
    if kind == "ObjectEvent" and "ilmd" in fields and action != "ADD":
        raise EpcisRefused("epcis.ilmd", f"{at}/ilmd", "no ilmd unless the action is ADD (7.4.2)")
    if kind == "AggregationEvent" and action != "OBSERVE" and "parentID" not in fields:
        raise EpcisRefused("epcis.missing", f"{at}/parentID", "parentID unless the action is OBSERVE (7.4.3)")
    if kind in {"AggregationEvent", "AssociationEvent"} and action == "ADD":
        if not fields.get("childEPCs") and not fields.get("childQuantityList"):
            raise EpcisRefused("epcis.what", at, "children when the action is ADD")
        parent = identifier(fields["parentID"], f"{at}/parentID")
        if any(identifier(child, at) == parent for child in fields.get("childEPCs", [])):
            raise EpcisRefused("epcis.cycle", f"{at}/childEPCs", "no thing inside itself")
    if kind == "TransformationEvent":
        inputs = fields.get("inputEPCList") or fields.get("inputQuantityList")
        outputs = fields.get("outputEPCList") or fields.get("outputQuantityList")
        if not (inputs and outputs) and not (fields.get("transformationID") and (inputs or outputs)):
            raise EpcisRefused("epcis.what", at, "inputs and outputs, or one of them with a transformationID (7.4.5)")


def _identifiers(value: Any, at: str) -> None:
    items = _list(value, at)
    if len(items) > MAX_EPCS:
        raise EpcisRefused("epcis.limit", at, f"at most {MAX_EPCS} identifiers")
    for place, item in enumerate(items):
        identifier(item, f"{at}/{place}")
    if len({*items}) != len(items):
        raise EpcisRefused("epcis.twice", at, "each identifier once")


def _quantity(item: Any, at: str) -> None:
    content = _object(item, at)
    if not {*content} <= {"epcClass", "quantity", "uom"}:
        raise EpcisRefused("epcis.field", at, "epcClass, quantity and uom alone")
    identifier(content.get("epcClass"), f"{at}/epcClass")
    quantity = content.get("quantity")
    if quantity is not None and (
        isinstance(quantity, bool) or not isinstance(quantity, int | Decimal) or quantity <= 0 or quantity >= 10**15
    ):
        raise EpcisRefused("epcis.quantity", f"{at}/quantity", "a positive number below 10^15")
    uom = content.get("uom")
    if uom is not None and (not isinstance(uom, str) or UOM.match(uom) is None):
        raise EpcisRefused("epcis.uom", f"{at}/uom", "two or three capitals or digits (UN/ECE Recommendation 20)")


def _typed(name: str, item: Any, at: str) -> None:
    value, vocabulary = TYPED_LISTS[name]
    content = _object(item, at)
    if not {*content} <= {"type", value}:
        raise EpcisRefused("epcis.field", at, f"type and {value} alone")
    if "type" in content:
        _word(vocabulary, content["type"], f"{at}/type")
    elif vocabulary == "party":
        raise EpcisRefused("epcis.missing", f"{at}/type", "the type of every source and destination")
    identifier(content.get(value), f"{at}/{value}")


def _word(vocabulary: str, value: Any, at: str) -> None:
    words = WORDS[vocabulary][0]
    word = bare(vocabulary, value) if isinstance(value, str) else ""
    if word not in words and (URI.match(word) is None or word.startswith(CBV)):
        raise EpcisRefused("epcis.word", at, "a word of CBV 2.0, or a URI of another vocabulary")


def _uri(value: Any, at: str) -> str:
    if not isinstance(value, str) or URI.match(value) is None:
        raise EpcisRefused("epcis.uri", at, "a URI")
    return value


def _list(value: Any, at: str) -> list[Any]:
    if not isinstance(value, list):
        raise EpcisRefused("epcis.shape", at, "a list")
    return value


def _object(value: Any, at: str) -> Tree:
    if not isinstance(value, dict):
        raise EpcisRefused("epcis.shape", at, "an object")
    return value
