"""An event as it is kept and given out: bytes and back without loss, and with its identifiers as Digital Links."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import msgspec

from salus.interop.epcis.document import Event
from salus.interop.epcis.vocabulary import EPC_LISTS, QUANTITY_LISTS, TYPED_LISTS
from salus.interop.gs1.identity import canonical_uri

WORD: Final = 1 << 63
_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_decoder: Final = msgspec.json.Decoder(float_hook=Decimal)


def packed(event: Event) -> bytes:
    """Return a checked event as bytes. Every number comes back as it was."""
    return _encoder.encode([event.kind, _storable(dict(event.fields))])


def unpacked(data: bytes) -> Event:
    """Return the event of bytes that `packed` made."""
    kind, fields = _decoder.decode(data)
    return Event(kind, fields)


def with_links(event: Event) -> Event:
    """Return a checked event with every GS1 identifier as the Digital Link on id.gs1.org that names it."""
    return replace(event, fields={name: _linked(name, value) for name, value in event.fields.items()})


def _linked(name: str, value: Any) -> Any:
    if name == "parentID":
        return canonical_uri(value)
    if name in EPC_LISTS:
        return [canonical_uri(each) for each in value]
    if name in QUANTITY_LISTS:
        return [_with(each, "epcClass") for each in value]
    if name in TYPED_LISTS:
        return [_with(each, TYPED_LISTS[name][0]) for each in value]
    return _with(value, "id") if name in {"readPoint", "bizLocation"} else value


def _with(item: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {**item, key: canonical_uri(item[key])}


def _storable(value: Any) -> Any:
    """Return a value with whole numbers beyond 64 bits as decimals, which the format writes as they are."""
    if isinstance(value, dict):
        return {name: _storable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_storable(each) for each in value]
    return Decimal(value) if isinstance(value, int) and not -WORD <= value < WORD else value
