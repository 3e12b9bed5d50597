"""What an event says that the standard allows and that looks wrong: taken in, and told to whoever takes it in."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from salus.interop.epcis.document import Event
from salus.interop.epcis.vocabulary import EPC_LISTS, QUANTITY_LISTS, TYPED_LISTS, bare
from salus.interop.gs1.identity import canonical
from salus.interop.gs1.refusal import Gs1Refused

CURIE: Final = "cbv:"
PLACES: Final = ("readPoint", "bizLocation")


@dataclass(frozen=True, slots=True)
class Finding:
    """One doubt. Says the rule, the element and how it was taken; never what stood there."""

    rule: str
    at: str
    taken: str


def findings(events: Iterable[Event]) -> tuple[Finding, ...]:
    """Return the doubts of checked events, in their order."""
    return tuple(found for place, event in enumerate(events) for found in _of(event.fields, f"eventList/{place}"))


def _of(fields: Mapping[str, Any], at: str) -> Iterator[Finding]:
    for name, value in _names(fields):
        try:
            canonical(value)
        except Gs1Refused as refused:
            # Only a link on a domain of its own comes here: check_event has refused the others.
            yield Finding(refused.rule, f"{at}/{name}", "as a name of its own domain, not as a GS1 identifier")
    for name, vocabulary, word in _words(fields):
        if bare(vocabulary, word).startswith(CURIE):
            yield Finding("epcis.word", f"{at}/{name}", "as a word of its own: the vocabulary has no such word")


def _names(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in EPC_LISTS:
        yield from ((f"{name}/{place}", each) for place, each in enumerate(fields.get(name, ())))
    for name in QUANTITY_LISTS:
        yield from ((f"{name}/{place}/epcClass", each["epcClass"]) for place, each in enumerate(fields.get(name, ())))
    for name, (key, _) in TYPED_LISTS.items():
        yield from ((f"{name}/{place}/{key}", each[key]) for place, each in enumerate(fields.get(name, ())))
    if "parentID" in fields:
        yield "parentID", fields["parentID"]
    yield from ((f"{name}/id", fields[name]["id"]) for name in PLACES if name in fields)


def _words(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (place, vocabulary, word)."""
    yield from ((name, name, fields[name]) for name in ("bizStep", "disposition") if name in fields)
    for name, (_, vocabulary) in TYPED_LISTS.items():
        told = enumerate(fields.get(name, ()))
        yield from ((f"{name}/{place}/type", vocabulary, each["type"]) for place, each in told if "type" in each)
    for way, words in fields.get("persistentDisposition", {}).items():
        yield from ((f"persistentDisposition/{way}/{place}", "disposition", each) for place, each in enumerate(words))
    reason = fields.get("errorDeclaration", {}).get("reason")
    if reason:
        yield "errorDeclaration/reason", "reason", reason
