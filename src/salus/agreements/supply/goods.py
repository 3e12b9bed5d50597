"""Events replayed in the order of their times: contents of containers, lots, and what was told twice or taken back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from salus.interop.epcis.document import Event
from salus.interop.epcis.vocabulary import EPC_LISTS, bare
from salus.interop.gs1.identity import canonical_uri

MDA: Final = "{urn:epcglobal:cbv:mda}"
MAX_DEPTH: Final = 6  # unit, inner pack, case, pallet, container, and one to spare


@dataclass(slots=True)
class Goods:
    """What a set of events says of goods. Identifiers are Digital Links on id.gs1.org."""

    events: list[Event] = field(default_factory=list)
    """What holds: without repetitions and without what an error declaration took back, by time ascending."""
    repeated: int = 0
    """Events that came more than once, counted once."""
    withdrawn: int = 0
    """Events that an error declaration took back."""
    contradicting: list[str] = field(default_factory=list)
    """Event ids under which two different events came."""
    inside: dict[str, str] = field(default_factory=dict)
    """Container of each thing, as of the last event."""
    contents: dict[str, dict[str, None]] = field(default_factory=dict)
    """Things in each container, as of the last event."""
    lots: dict[str, tuple[str, str]] = field(default_factory=dict)
    """(lot, expiry) of a unit, from its commissioning."""
    places: list[Mapping[str, str]] = field(default_factory=list)
    """For each event, the containers of what it names, as they were then."""

    def units(self, thing: str) -> list[str]:
        """Return the innermost things of `thing` as it was last packed; itself if nothing is known inside."""
        found: list[str] = []
        waiting = [(thing, 0)]
        while waiting:
            each, depth = waiting.pop()
            inner = self.contents.get(each)
            if not inner or depth == MAX_DEPTH:
                found.append(each)
            else:
                waiting.extend((one, depth + 1) for one in reversed(inner))
        return found


def replay(events: Iterable[Event]) -> Goods:
    """Return what the events say together, in whatever order they came."""
    goods = Goods()
    seen: dict[bytes, Event] = {}
    for event in events:
        goods.repeated += event.hash in seen
        seen.setdefault(event.hash, event)
    declared = {_id(event) for event in seen.values() if "errorDeclaration" in event.fields} - {""}
    by_id: dict[str, bytes] = {}
    for key, event in seen.items():
        name = _id(event)
        if "errorDeclaration" in event.fields:
            continue
        if name and name in declared:
            goods.withdrawn += 1
            continue
        if name and by_id.setdefault(name, key) != key:
            goods.contradicting.append(name)
        goods.events.append(event)
    goods.events.sort(key=lambda event: (event.time, event.hash))
    for event in goods.events:
        goods.places.append(_apply(goods, event))
    return goods


def things(event: Event) -> list[str]:
    """Return every thing that an event names, its parent first."""
    fields = event.fields
    parent = [canonical_uri(fields["parentID"])] if "parentID" in fields else []
    return parent + [canonical_uri(epc) for name in EPC_LISTS for epc in fields.get(name, [])]


def step(event: Event) -> str:
    """Return the event's business step as a bare word, or ""."""
    return bare("bizStep", event.fields.get("bizStep", ""))


def party(event: Event, name: str, *kinds: str) -> str:
    """Return the first source or destination of the kinds given (`sourceList`, `destinationList`), or ""."""
    key = name.removesuffix("List")
    for kind in kinds:
        for item in event.fields.get(name, []):
            if bare("party", item["type"]) == kind:
                return canonical_uri(item[key])
    return ""


def _id(event: Event) -> str:
    return str(event.fields.get("eventID", ""))


def _apply(goods: Goods, event: Event) -> Mapping[str, str]:
    named = things(event)
    if event.kind == "AggregationEvent" and "parentID" in event.fields:
        parent, *children = named
        if event.fields["action"] == "ADD":
            for child in children:
                _take_out(goods, child)
                goods.inside[child] = parent
                goods.contents.setdefault(parent, {})[child] = None
        elif event.fields["action"] == "DELETE":
            for child in children or list(goods.contents.get(parent, {})):
                _take_out(goods, child)
    ilmd: Mapping[str, Any] = event.fields.get("ilmd", {})
    if ilmd:
        lot = str(ilmd.get(f"{MDA}lotNumber", ""))
        expiry = str(ilmd.get(f"{MDA}itemExpirationDate", ""))
        for thing in named:
            goods.lots[thing] = (lot, expiry)
    return _around(goods, named)


def _around(goods: Goods, named: list[str]) -> dict[str, str]:
    """Return the container of each thing inside what an event names, down to the units: what moved with it."""
    moved: dict[str, str] = {}
    waiting = [(thing, 0) for thing in named]
    while waiting:
        thing, depth = waiting.pop()
        if depth > MAX_DEPTH:
            continue
        for inner in goods.contents.get(thing, ()):
            moved[inner] = thing
            waiting.append((inner, depth + 1))
    return moved


def _take_out(goods: Goods, child: str) -> None:
    parent = goods.inside.pop(child, "")
    if parent:
        goods.contents[parent].pop(child, None)
