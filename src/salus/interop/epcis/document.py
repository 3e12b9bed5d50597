"""EPCIS documents: bytes in whichever form to events, and events to JSON-LD."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NoReturn

import msgspec

from salus.interop.epcis.canonical import event_hash
from salus.interop.epcis.check import check_event
from salus.interop.epcis.refusal import EpcisRefused
from salus.interop.epcis.times import milliseconds
from salus.interop.epcis.vocabulary import NAMESPACES
from salus.interop.epcis.xml_reader import MAX_BYTES, MAX_DEPTH, MAX_DIGITS, events_of, number
from salus.interop.plain_json import has_half_characters

CONTEXT: Final = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
_encoder: Final = msgspec.json.Encoder(decimal_format="number")
KEYWORDS: Final = frozenset(("type", "@context", "isA"))


@dataclass(frozen=True, slots=True)
class Event:
    """One checked event. `fields` is in the shape of EPCIS JSON, extension names written `{uri}name`."""

    kind: str
    fields: Mapping[str, Any]

    @property
    def time(self) -> int:
        """When it happened, Unix milliseconds."""
        return milliseconds(self.fields["eventTime"], "eventTime")

    @property
    def hash(self) -> bytes:
        """Its canonical hash, 32 bytes, equal for JSON and XML."""
        return event_hash(self.kind, self.fields)


def read(data: bytes) -> tuple[Event, ...]:
    """Return the events of an EPCIS document or query document: JSON-LD, XML 2.0 or XML 1.2. Raises EpcisRefused."""
    events = []
    for each in read_each(data):
        if isinstance(each, EpcisRefused):
            raise each
        events.append(each)
    return tuple(events)


def read_each(data: bytes) -> Iterator[Event | EpcisRefused]:
    """Yield each event of a document, or why it is refused. Raises EpcisRefused for a document that does not read."""
    if len(data) > MAX_BYTES:
        raise EpcisRefused("epcis.limit", "the document", f"at most {MAX_BYTES} bytes")
    found = events_of(data) if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" else _json_events(data)
    for place, (kind, fields) in enumerate(found):
        try:
            check_event(kind, fields, f"eventList/{place}")
        except EpcisRefused as refused:
            yield refused
        else:
            yield Event(kind, fields)


def read_event(data: bytes) -> Event:
    """Return one event that stands alone, in JSON-LD, with or without a context of its own. Raises EpcisRefused."""
    if len(data) > MAX_BYTES:
        raise EpcisRefused("epcis.limit", "the event", f"at most {MAX_BYTES} bytes")
    kind, fields = _json_event(load(data), NAMESPACES, "event")
    check_event(kind, fields, "event")
    return Event(kind, fields)


def write_json(events: Iterable[Event], created: str, *, query: str = "", subscription: str = "") -> bytes:
    """Return a document in EPCIS 2.0 JSON-LD; `created` its creation time.

    With the name of a `query` it is that query's answer, an EPCISQueryDocument.
    """
    prefixes: dict[str, str] = {uri: prefix for prefix, uri in NAMESPACES.items()}
    declared: dict[str, str] = {}

    def name_of(name: str) -> str:
        if not name.startswith("{"):
            return name
        uri, _, local = name[1:].partition("}")
        if uri not in prefixes:
            prefixes[uri] = f"ext{len(declared) + 1}"
            declared[prefixes[uri]] = uri
        return f"{prefixes[uri]}:{local}"

    def out(value: Any) -> Any:
        if isinstance(value, dict):
            return {name_of(name): out(each) for name, each in value.items()}
        if isinstance(value, list):
            return [out(each) for each in value]
        return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value

    body = [{"type": event.kind, **out(dict(event.fields))} for event in events]
    told = {"subscriptionID": subscription} if subscription else {}
    results = {"queryResults": {**told, "queryName": query, "resultsBody": {"eventList": body}}}
    document = {
        "@context": [CONTEXT, declared] if declared else [CONTEXT],
        "type": "EPCISQueryDocument" if query else "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": created,
        "epcisBody": results if query else {"eventList": body},
    }
    return _encoder.encode(document)


def _json_events(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    document = load(data)
    if not isinstance(document, dict) or document.get("type") not in ("EPCISDocument", "EPCISQueryDocument"):
        raise EpcisRefused("epcis.document", "type", "EPCISDocument or EPCISQueryDocument")
    if "@context" not in document:
        raise EpcisRefused("epcis.missing", "@context", "the standard's context")
    query = document["type"] == "EPCISQueryDocument"
    if not query:
        if str(document.get("schemaVersion", "")).partition(".")[0] != "2":
            raise EpcisRefused("epcis.version", "schemaVersion", "2.0")
        milliseconds(document.get("creationDate"), "creationDate")
    body = document.get("epcisBody")
    path = ("queryResults", "resultsBody", "eventList") if query else ("eventList",)
    for step in path:
        if not isinstance(body, dict):
            raise EpcisRefused("epcis.missing", "epcisBody", "/".join(path))
        body = body.get(step)
    if not isinstance(body, list):
        raise EpcisRefused("epcis.missing", "epcisBody/eventList", "a list of events")
    prefixes = {**NAMESPACES, **_prefixes(document["@context"], "@context")}
    return [_json_event(each, prefixes, f"eventList/{place}") for place, each in enumerate(body)]


def _json_event(event: Any, prefixes: Mapping[str, str], at: str) -> tuple[str, dict[str, Any]]:
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise EpcisRefused("epcis.shape", at, "an object with a type")
    known = {**prefixes, **_prefixes(event.get("@context", []), f"{at}/@context")}
    fields = {name: each for name, each in event.items() if name not in KEYWORDS}
    expanded = _expand(fields, known, at, 0)
    return event["type"], expanded


def _expand(value: Any, prefixes: Mapping[str, str], at: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise EpcisRefused("epcis.limit", at, f"at most {MAX_DEPTH} levels")
    if isinstance(value, list):
        return [_expand(each, prefixes, at, depth + 1) for each in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, each in value.items():
        prefix, colon, local = name.partition(":")
        if name.startswith("{") or (colon and prefix not in prefixes and not name.startswith(("http", "urn:"))):
            raise EpcisRefused("epcis.prefix", f"{at}/{name}", "a prefix that a context of the document declares")
        key = f"{{{prefixes[prefix]}}}{local}" if colon and prefix in prefixes else f"{{}}{name}" if colon else name
        found[key] = _expand(each, prefixes, f"{at}/{name}", depth + 1)
    return found


def _prefixes(context: Any, at: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in context if isinstance(context, list) else [context]:
        if isinstance(part, dict):
            for prefix, uri in part.items():
                if not isinstance(uri, str | dict):
                    raise EpcisRefused("epcis.context", at, "a URI for each prefix")
                if isinstance(uri, str):
                    found[prefix] = uri
        elif not isinstance(part, str):
            raise EpcisRefused("epcis.context", at, "URIs and objects of prefixes")
    return found


def load(data: bytes) -> Any:
    """Return JSON in UTF-8, each name once, numbers as they are written. Raises EpcisRefused."""
    try:
        found = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_once,
            parse_float=_number,
            parse_int=_whole,
            parse_constant=_constant,
        )
    except (UnicodeDecodeError, RecursionError, ValueError):
        raise EpcisRefused("epcis.json", "the document", "JSON in UTF-8") from None
    if has_half_characters(data):
        raise EpcisRefused("epcis.json", "a text", "whole characters of Unicode")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise EpcisRefused("epcis.twice", "a name", "each name once in an object")
    return found


def _number(text: str) -> Decimal:
    return number(text, "a number")


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise EpcisRefused("epcis.limit", "a number", f"at most {MAX_DIGITS} digits")
    return int(text)


def _constant(_name: str) -> NoReturn:
    raise EpcisRefused("epcis.json", "a number", "no NaN or Infinity")
