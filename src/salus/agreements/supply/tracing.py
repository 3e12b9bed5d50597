"""The way of one thing through a firm's own events: the answer to a tracing request (DSCSA, 21 USC 360eee-1)."""

from dataclasses import dataclass
from typing import Final

from salus.agreements.supply.goods import Goods, party, step, things
from salus.interop.epcis.vocabulary import bare
from salus.interop.gs1.identity import canonical_uri

MOVES: Final = frozenset(("shipping", "receiving", "accepting", "void_shipping"))


@dataclass(frozen=True, slots=True)
class Step:
    """One event that the thing took part in, by itself or inside something."""

    time: int
    """Unix milliseconds."""
    step: str
    kind: str
    inside: str
    """The container that the event named, or "" if it named the thing itself."""
    place: str
    seller: str
    """Owning, else possessing party that it came from; "" if the event names none."""
    buyer: str
    documents: tuple[str, ...]
    """Business transactions, `type id`."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a firm can say of one thing."""

    lot: str
    expiry: str
    steps: tuple[Step, ...]
    breaks: tuple[str, ...]
    """Where the chain of owners does not follow: told, never mended."""


def trace(goods: Goods, thing: str) -> Trace:
    """Return the way of a thing (a Digital Link on id.gs1.org), steps by time ascending."""
    steps = []
    for event, moved in zip(goods.events, goods.places, strict=True):
        named = things(event)
        if thing not in named and thing not in moved:
            continue
        top = "" if thing in named else moved[thing]
        while top and top not in named:
            top = moved.get(top, "")
        fields = event.fields
        place = fields.get("readPoint", fields.get("bizLocation", {})).get("id", "")
        steps.append(
            Step(
                event.time,
                step(event),
                event.kind,
                top,
                canonical_uri(place) if place else "",
                party(event, "sourceList", "owning_party", "possessing_party"),
                party(event, "destinationList", "owning_party", "possessing_party"),
                tuple(
                    f"{bare('bizTransaction', item.get('type', ''))} {item['bizTransaction']}".strip()
                    for item in fields.get("bizTransactionList", [])
                ),
            )
        )
    lot, expiry = goods.lots.get(thing, ("", ""))
    return Trace(lot, expiry, tuple(steps), tuple(_breaks(steps)))


def _breaks(steps: list[Step]) -> list[str]:
    found = []
    owner = ""
    for each in steps:
        if each.step not in MOVES:
            continue
        if each.step == "shipping" and owner and each.seller and each.seller != owner:
            found.append("a shipment whose seller is not the last buyer")
        if each.step == "void_shipping":
            owner = each.seller or owner
        elif each.buyer:
            owner = each.buyer
    ended = next((place for place, each in enumerate(steps) if each.step in {"dispensing", "destroying"}), len(steps))
    if any(each.step in MOVES for each in steps[ended + 1 :]):
        found.append("moved again after it was dispensed or destroyed")
    return found
