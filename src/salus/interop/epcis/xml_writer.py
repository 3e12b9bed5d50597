"""Events to EPCIS XML 2.0 or 1.2, elements in the order of the schema. What 1.2 cannot say is refused, not dropped."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from salus.interop.epcis.document import Event
from salus.interop.epcis.refusal import EpcisRefused
from salus.interop.epcis.vocabulary import EPC_LISTS, FIELDS, NAMESPACES, QUANTITY_LISTS, TYPED_LISTS, WORDS

LATER: Final = ("certificationInfo", "sensorElementList", "persistentDisposition")
WRAPPED: Final = ("quantityList", "childQuantityList", "sourceList", "destinationList", "ilmd")
"""What EPCIS 1.2 puts into `extension`, except in a TransformationEvent, which is itself in one."""


def write_xml(
    events: Iterable[Event], created: str, version: str = "2.0", *, query: str = "", subscription: str = ""
) -> bytes:
    """Return a document in EPCIS XML `version` (2.0 or 1.2); `created` its creation time. Raises EpcisRefused.

    With the name of a `query` it is that query's answer, an EPCISQueryDocument.
    """
    writer = _Writer(version == "1.2")
    body = "".join(writer.event(event, f"eventList/{place}") for place, event in enumerate(events))
    spaces = "".join(f" xmlns:{prefix}={quoteattr(uri)}" for uri, prefix in writer.prefixes.items())
    number = "1" if writer.old else "2"
    if query:
        told = f"<subscriptionID>{escape(subscription)}</subscriptionID>" if subscription else ""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><epcisq:EPCISQueryDocument '
            f'xmlns:epcisq="urn:epcglobal:epcis-query:xsd:{number}"{spaces} '
            f'schemaVersion="{version}" creationDate={quoteattr(created)}><EPCISBody><epcisq:QueryResults>'
            f"<queryName>{escape(query)}</queryName>{told}<resultsBody><EventList>{body}"
            "</EventList></resultsBody></epcisq:QueryResults></EPCISBody></epcisq:EPCISQueryDocument>"
        ).encode()
    main = f"urn:epcglobal:epcis:xsd:{number}"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><epcis:EPCISDocument xmlns:epcis="{main}"{spaces} '
        f'schemaVersion="{version}" creationDate={quoteattr(created)}><EPCISBody><EventList>{body}'
        "</EventList></EPCISBody></epcis:EPCISDocument>"
    ).encode()


class _Writer:
    def __init__(self, old: bool) -> None:
        self.old = old
        self.prefixes: dict[str, str] = {}

    def event(self, event: Event, at: str) -> str:
        if self.old:
            for name in LATER:
                if name in event.fields:
                    raise EpcisRefused("epcis.not-in-1.2", f"{at}/{name}", "nothing that EPCIS 1.2 cannot say")
            if event.kind == "AssociationEvent":
                raise EpcisRefused("epcis.not-in-1.2", at, "no AssociationEvent in EPCIS 1.2")
        transformed = event.kind == "TransformationEvent"
        head = wrapped = main = ""
        for name in FIELDS[event.kind]:
            if name not in event.fields:
                continue
            text = self._field(name, event.fields[name])
            if self.old and name in {"eventID", "errorDeclaration"}:
                head += text
            elif self.old and name in WRAPPED and not transformed:
                wrapped += text
            else:
                if head and name not in {"eventTime", "recordTime", "eventTimeZoneOffset"}:
                    main, head = main + _tag("baseExtension", head), ""
                main += text
        main += _tag("baseExtension", head) if head else ""
        main += _tag("extension", wrapped) if wrapped else ""
        main += "".join(self._free(name, value) for name, value in event.fields.items() if name.startswith("{"))
        text = _tag(event.kind, main)
        return _tag("extension", text) if self.old and transformed else text

    def _field(self, name: str, value: Any) -> str:  # noqa: PLR0911 -- a return for each kind of field
        if name in EPC_LISTS:
            return _tag(name, "".join(_tag("epc", escape(each)) for each in value))
        if name in QUANTITY_LISTS:
            return _tag(name, "".join(self._quantity(each) for each in value))
        if name in TYPED_LISTS:
            key, vocabulary = TYPED_LISTS[name]
            return _tag(name, "".join(_typed(key, vocabulary, each) for each in value))
        if name in {"readPoint", "bizLocation", "ilmd"}:
            return _tag(name, self._parts(value))
        if name == "errorDeclaration":
            ids = "".join(_tag("correctiveEventID", escape(each)) for each in value.get("correctiveEventIDs", []))
            text = _tag("declarationTime", escape(value["declarationTime"]))
            text += _tag("reason", escape(_uri("reason", value["reason"]))) if "reason" in value else ""
            text += _tag("correctiveEventIDs", ids) if ids else ""
            return _tag(name, text + self._parts({each: v for each, v in value.items() if each.startswith("{")}))
        if name == "persistentDisposition":
            words = [(way, word) for way in ("unset", "set") for word in value.get(way, [])]
            return _tag(name, "".join(_tag(way, escape(_uri("disposition", word))) for way, word in words))
        if name == "sensorElementList":
            return _tag(name, "".join(self._sensor(each) for each in value))
        if name == "certificationInfo" and isinstance(value, list):
            if len(value) > 1:
                raise EpcisRefused("epcis.not-in-xml", name, "one certification, as the XML schema has it")
            value = value[0]
        return _tag(name, escape(_uri(name, value) if name in {"bizStep", "disposition"} else str(value)))

    def _quantity(self, item: Mapping[str, Any]) -> str:
        names = [name for name in ("epcClass", "quantity", "uom") if item.get(name) is not None]
        return _tag("quantityElement", "".join(_tag(name, escape(_text(item[name]))) for name in names))

    def _sensor(self, item: Mapping[str, Any]) -> str:
        text = self._attributes("sensorMetadata", item["sensorMetadata"]) if "sensorMetadata" in item else ""
        text += "".join(self._attributes("sensorReport", each) for each in item["sensorReport"])
        rest = {name: each for name, each in item.items() if name.startswith("{")}
        return _tag("sensorElement", text + self._parts(rest))

    def _attributes(self, name: str, content: Mapping[str, Any]) -> str:
        told = ""
        for each, value in content.items():
            if isinstance(value, dict | list):
                raise EpcisRefused("epcis.not-in-xml", f"{name}/{each}", "a single value, as an attribute can hold")
            text = _text(value)
            if each in {"type", "exception"} and ":" not in text:
                text = f"gs1:{text}"
            told += f" {self._qualified(each)}={quoteattr(text)}"
        return f"<{name}{told}/>"

    def _parts(self, content: Mapping[str, Any]) -> str:
        return "".join(self._free(name, value) for name, value in content.items() if not name.startswith(("@", "#")))

    def _free(self, name: str, value: Any) -> str:
        if isinstance(value, list):
            return "".join(self._free(name, each) for each in value)
        tag = self._qualified(name)
        if not isinstance(value, dict):
            return _tag(tag, escape(_text(value)))
        told = "".join(
            f" {self._qualified(n[1:])}={quoteattr(_text(v))}" for n, v in value.items() if n.startswith("@")
        )
        return f"<{tag}{told}>{escape(str(value.get('#text', '')))}{self._parts(value)}</{tag}>"

    def _qualified(self, name: str) -> str:
        if not name.startswith("{"):
            return name
        uri, _, local = name[1:].partition("}")
        if uri not in self.prefixes:
            known = {each: prefix for prefix, each in NAMESPACES.items()}
            self.prefixes[uri] = known.get(uri, f"ext{len(self.prefixes) + 1}")
        return f"{self.prefixes[uri]}:{local}"


def _tag(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>"


def _typed(key: str, vocabulary: str, item: Mapping[str, str]) -> str:
    told = f" type={quoteattr(_uri(vocabulary, item['type']))}" if "type" in item else ""
    return f"<{key}{told}>{escape(item[key])}</{key}>"


def _uri(vocabulary: str, word: str) -> str:
    words, urn, _ = WORDS[vocabulary]
    return urn + word if word in words else word


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    return "" if value is None else str(value)
