"""The query language of EPCIS: parameters to a query, and whether an event meets it.

EPCIS 2.0 section 8.2.7.1 (SimpleEventQuery). Values of one parameter are alternatives, parameters stand together. Not
here: the parameters of an event of the partner's own type, and places within places.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from salus.interop.epcis.check import identifier
from salus.interop.epcis.document import Event
from salus.interop.epcis.master import CHILDREN, Attributes, attribute
from salus.interop.epcis.refusal import EpcisRefused
from salus.interop.epcis.times import milliseconds
from salus.interop.epcis.vocabulary import ACTIONS, FIELDS, TYPED_LISTS, bare
from salus.interop.gs1.identity import canonical_uri

MAX_VALUES: Final = 1_000  # of one parameter: what a URL of 64 KB can hold of identifiers
MAX_PLACES: Final = 10_000  # within the places of one query
MAX_TESTS: Final = 64
Values = tuple[str, ...]
Test = Callable[[Event], bool]

EPC: Final = ("epcList", "childEPCs")
PARENT: Final = ("parentID",)
IN: Final = ("inputEPCList",)
OUT: Final = ("outputEPCList",)
CLASS: Final = ("quantityList", "childQuantityList")
CLASS_IN: Final = ("inputQuantityList",)
CLASS_OUT: Final = ("outputQuantityList",)
MATCHES: Final[Mapping[str, tuple[str, ...]]] = {
    "MATCH_epc": EPC,
    "MATCH_parentID": PARENT,
    "MATCH_inputEPC": IN,
    "MATCH_outputEPC": OUT,
    "MATCH_anyEPC": (*EPC, *PARENT, *IN, *OUT),
    "MATCH_epcClass": CLASS,
    "MATCH_inputEPCClass": CLASS_IN,
    "MATCH_outputEPCClass": CLASS_OUT,
    "MATCH_anyEPCClass": (*CLASS, *CLASS_IN, *CLASS_OUT),
}
"""Parameter to the fields whose identifiers it looks at."""
SENSOR_URIS: Final = ("type", "deviceID", "dataProcessingMethod", "microorganism", "chemicalSubstance", "bizRules")
SENSOR_VALUES: Final = ("stringValue", "hexBinaryValue", "uriValue", "booleanValue")
ORDERS: Final = ("eventTime", "recordTime")
COMPARED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "EQ": lambda have, want: bool(have == want),
    "GT": lambda have, want: bool(have > want),
    "GE": lambda have, want: bool(have >= want),
    "LT": lambda have, want: bool(have < want),
    "LE": lambda have, want: bool(have <= want),
}
ATTRIBUTED: Final = ("readPoint", "bizLocation", "epcClass", "source", "destination", "bizTransaction")
Master = Callable[[str], Attributes]
FIELD: Final = re.compile(r"(EQ|GT|GE|LT|LE|EXISTS)_(?:(ILMD|ERROR_DECLARATION)_)?(\S+)[#:]([^\s#:]+)\Z")
IDPAT: Final = re.compile(r"urn:epc:idpat:[a-z]+:")


@dataclass(frozen=True, slots=True)
class Seek:
    """A name that every event of the answer has, one of `values`: by what an index finds candidates."""

    roles: tuple[str, ...]
    values: tuple[str, ...]


@dataclass(slots=True)
class EventQuery:
    """A query. Events are in descending order of `order_by`, or in that of their capture where it is empty."""

    tests: list[Test] = field(default_factory=list)
    seeks: list[Seek] = field(default_factory=list)
    order_by: str = ""
    ascending: bool = False
    first: int = 0
    """Of the order, only so many; 0: all."""
    most: int = 0
    """More than so many are refused; 0: any number."""

    def matches(self, event: Event) -> bool:
        """Return whether an event, with its `recordTime`, meets every test."""
        return all(test(event) for test in self.tests)


def read_query(parameters: Mapping[str, Sequence[str]], master: Master = lambda _: {}) -> EventQuery:
    """Return the query of parameters, each with its alternatives. Raises EpcisRefused, naming the parameter.

    `master` returns the master data of an id as an index has it, for `HASATTR_`, `EQATTR_` and `WD_`.
    """
    if len(parameters) > MAX_TESTS:
        raise EpcisRefused("epcis.query-size", "the query", f"at most {MAX_TESTS} parameters")
    query = EventQuery()
    for name, values in parameters.items():
        if not values or len(values) > MAX_VALUES:
            raise EpcisRefused("epcis.query-size", _shown(name), f"1 to {MAX_VALUES} values")
        if name.startswith(("HASATTR_", "EQATTR_")):
            query.tests.append(_attributed(name, tuple(values), master))
        elif name in {"WD_readPoint", "WD_bizLocation"}:
            _among(query, (name[3:],), _within(name, tuple(values), master))
        else:
            _read(query, name, tuple(values))
    if query.first and query.most:
        raise _bad("maxEventCount", "not beside eventCountLimit")
    if query.first and not query.order_by:
        raise _bad("eventCountLimit", "orderBy beside it")
    return query


def names_of(event: Event) -> Iterable[tuple[str, str]]:
    """Yield (role, name) of what an index holds of a checked event: what `Seek` asks for. Some may come twice."""
    fields = event.fields
    yield "eventType", event.kind
    for role in (*EPC, *IN, *OUT):
        yield from ((role, canonical_uri(each)) for each in fields.get(role, ()))
    if "parentID" in fields:
        yield "parentID", canonical_uri(fields["parentID"])
    for role in (*CLASS, *CLASS_IN, *CLASS_OUT):
        yield from ((role, canonical_uri(each["epcClass"])) for each in fields.get(role, ()))
    for role in ("readPoint", "bizLocation"):
        if role in fields:
            yield role, canonical_uri(fields[role]["id"])
    for role in ("bizStep", "disposition"):
        if role in fields:
            yield role, bare(role, fields[role])
    if "eventID" in fields:
        yield "eventID", fields["eventID"]


def _read(query: EventQuery, name: str, values: Values) -> None:  # noqa: C901 -- a branch for each family
    verb, _, rest = name.partition("_")
    if name == "eventType":
        if any(value not in FIELDS for value in values):
            raise _bad(name, "one of " + ", ".join(FIELDS))
        _among(query, ("eventType",), values)
    elif name in MATCHES:
        _match(query, name, values)
    elif name in {"EQ_bizStep", "EQ_disposition"}:
        _among(query, (rest,), tuple(bare(rest, value) for value in values))
    elif name in {"EQ_readPoint", "EQ_bizLocation"}:
        _among(query, (rest,), tuple(_named(name, value) for value in values))
    elif name == "EQ_eventID":
        _among(query, ("eventID",), values)
    elif name == "EQ_action":
        if any(value not in ACTIONS for value in values):
            raise _bad(name, "OBSERVE, ADD or DELETE")
        query.tests.append(lambda event: event.fields.get("action") in values)
    elif rest in {"eventTime", "recordTime"} and verb in {"GE", "LT"}:
        bound = _moment(name, values)
        query.tests.append(lambda event: rest in event.fields and COMPARED[verb](_time(event.fields[rest]), bound))
    elif name in {"orderBy", "orderDirection", "eventCountLimit", "maxEventCount"}:
        _control(query, name, _single(name, values))
    elif verb == "EQ" and rest.partition("_")[0] in {"bizTransaction", "source", "destination"} and "_" in rest:
        _typed(query, name, rest, values)
    else:
        query.tests.append(_rarer(name, verb, rest, values))


def _within(name: str, values: Values, master: Master) -> Values:
    """Return places and all that master data says to lie within them, at any depth. Raises EpcisRefused."""
    found = dict.fromkeys(_named(name, value) for value in values)
    waiting = [*found]
    while waiting:
        fresh = [each for each in master(waiting.pop()).get(CHILDREN, ()) if each not in found]
        found.update(dict.fromkeys(fresh))
        waiting += fresh
        if len(found) > MAX_PLACES:
            raise EpcisRefused("epcis.query-size", name, f"a place with at most {MAX_PLACES} others within")
    return tuple(found)


def _attributed(name: str, values: Values, master: Master) -> Test:
    """Return the test of `HASATTR_field` (attributes) or `EQATTR_field_attribute` (values) of what a field names."""
    verb, _, rest = name.partition("_")
    where, _, named = rest.partition("_")
    if where not in ATTRIBUTED or bool(named) != (verb == "EQATTR"):
        raise EpcisRefused("epcis.query-parameter", "a parameter", f"{verb}_ with one of {', '.join(ATTRIBUTED)}")
    if verb == "HASATTR":
        wanted = {attribute(value) for value in values}
        return lambda event: any(wanted & master(each).keys() for each in _ids(event, where))
    own = attribute(named)
    return lambda event: any(have in values for each in _ids(event, where) for have in master(each).get(own, ()))


def _ids(event: Event, where: str) -> Iterator[str]:
    """Yield what a field names, as an index has it."""
    if where in {"source", "destination", "bizTransaction"}:
        listed = f"{where}List"
        yield from (canonical_uri(each[TYPED_LISTS[listed][0]]) for each in event.fields.get(listed, ()))
        return
    roles = (*CLASS, *CLASS_IN, *CLASS_OUT) if where == "epcClass" else (where,)
    yield from (name for role, name in names_of(event) if role in roles)


def _rarer(name: str, verb: str, rest: str, values: Values) -> Test:  # noqa: PLR0911 -- a return for each family
    if name == "EQ_transformationID":
        return lambda event: event.fields.get("transformationID") in values
    if verb == "EQ" and rest in {"persistentDisposition_set", "persistentDisposition_unset"}:
        way = rest.rpartition("_")[2]
        words = {bare("disposition", value) for value in values}
        return lambda event: any(
            bare("disposition", each) in words for each in event.fields.get("persistentDisposition", {}).get(way, ())
        )
    if name == "EXISTS_errorDeclaration":
        return lambda event: "errorDeclaration" in event.fields
    if rest == "errorDeclarationTime" and verb in {"GE", "LT"}:
        bound = _moment(name, values)
        return lambda event: any(
            COMPARED[verb](_time(each["declarationTime"]), bound) for each in _declared(event) if each
        )
    if name == "EQ_errorReason":
        reasons = {bare("reason", value) for value in values}
        return lambda event: any(bare("reason", each.get("reason", "")) in reasons for each in _declared(event))
    if name == "EQ_correctiveEventID":
        return lambda event: any(
            one in values for each in _declared(event) for one in each.get("correctiveEventIDs", ())
        )
    if rest == "quantity" and verb in COMPARED:
        wanted = _numbers(name, values)
        return lambda event: any(COMPARED[verb](have, want) for have in _quantities(event) for want in wanted)
    if rest in {"startTime", "endTime"} and verb in {"GE", "LT"}:
        bound = _moment(name, values)
        return lambda event: any(COMPARED[verb](_time(each), bound) for each in _sensed(event, rest))
    if verb == "EQ" and rest in (*SENSOR_URIS, *SENSOR_VALUES):
        wanted_texts = {_bare_measure(value) for value in values}
        return lambda event: any(_bare_measure(_text(each)) in wanted_texts for each in _sensed(event, rest))
    return _extension(name, values)


def _extension(name: str, values: Values) -> Test:
    """Return the test of a field of an extension: `EQ_uri#name`, `EXISTS_ILMD_uri#name`, `GE_...` on numbers."""
    found = FIELD.match(name)
    if found is None:
        raise EpcisRefused("epcis.query-parameter", "a parameter", "one that EPCIS 2.0 section 8.2.7.1 has")
    verb, inside, uri, local = found.groups()
    keys = (f"{{{uri}}}{local}", f"{{{uri}#}}{local}")
    place = {"ILMD": "ilmd", "ERROR_DECLARATION": "errorDeclaration"}.get(inside or "", "")
    numbers = _numbers(name, values) if verb in {"GT", "GE", "LT", "LE"} else ()

    def test(event: Event) -> bool:
        there = event.fields.get(place, {}) if place else event.fields
        have = next((there[key] for key in keys if key in there), None)
        if have is None or verb == "EXISTS":
            return have is not None
        told = have if isinstance(have, list) else [have]
        if verb == "EQ":
            return any(_text(each) in values for each in told)
        found_numbers = [number for each in told if (number := _number(_text(each))) is not None]
        return any(COMPARED[verb](number, want) for number in found_numbers for want in numbers)

    return test


def _among(query: EventQuery, roles: tuple[str, ...], values: Values) -> None:
    wanted = frozenset(values)
    query.seeks.append(Seek(roles, values))
    query.tests.append(lambda event: any(role in roles and name in wanted for role, name in names_of(event)))


def _match(query: EventQuery, name: str, values: Values) -> None:
    """Add a MATCH parameter: identifiers as they are, or patterns that stand for every one of a class."""
    roles = MATCHES[name]
    exact: list[str] = []
    classes: list[str] = []
    for value in values:
        (classes if IDPAT.match(value) else exact).append(_named(name, value))
    if not classes:
        _among(query, roles, tuple(exact))
        return
    wanted, starts = frozenset([*exact, *classes]), tuple(f"{each}/" for each in classes)
    query.tests.append(
        lambda event: any(
            role in roles and (name in wanted or name.startswith(starts)) for role, name in names_of(event)
        )
    )


def _typed(query: EventQuery, name: str, rest: str, values: Values) -> None:
    """Add `EQ_bizTransaction_type`, `EQ_source_type` or `EQ_destination_type`."""
    which, _, kind = rest.partition("_")
    listed = f"{which}List"
    key, vocabulary = TYPED_LISTS[listed]
    wanted = {_named(name, value) for value in values}
    query.tests.append(
        lambda event: any(
            bare(vocabulary, each.get("type", "")) == bare(vocabulary, kind) and canonical_uri(each[key]) in wanted
            for each in event.fields.get(listed, ())
        )
    )


def _control(query: EventQuery, name: str, value: str) -> None:
    if name == "orderBy":
        if value not in ORDERS:
            raise _bad(name, " or ".join(ORDERS))
        query.order_by = value
    elif name == "orderDirection":
        if value not in {"ASC", "DESC"}:
            raise _bad(name, "ASC or DESC")
        query.ascending = value == "ASC"
    else:
        if not (value.isascii() and value.isdigit() and int(value[:10]) > 0 and len(value) <= 9):
            raise _bad(name, "a whole number from 1 to 999999999")
        if name == "eventCountLimit":
            query.first = int(value)
        else:
            query.most = int(value)


def _declared(event: Event) -> list[Mapping[str, Any]]:
    return [event.fields["errorDeclaration"]] if "errorDeclaration" in event.fields else []


def _quantities(event: Event) -> list[Decimal]:
    found = [each.get("quantity") for name in (*CLASS, *CLASS_IN, *CLASS_OUT) for each in event.fields.get(name, ())]
    return [Decimal(each) for each in found if each is not None]


def _sensed(event: Event, name: str) -> list[Any]:
    parts = [
        part
        for element in event.fields.get("sensorElementList", ())
        for part in (element.get("sensorMetadata", {}), *element.get("sensorReport", ()))
    ]
    return [part[name] for part in parts if name in part]


def _named(name: str, value: str) -> str:
    try:
        return identifier(value, name)
    except EpcisRefused as refused:
        raise _bad(name, refused.expected) from None


def _moment(name: str, values: Values) -> int:
    try:
        return milliseconds(_single(name, values), name)
    except EpcisRefused as refused:
        raise _bad(name, refused.expected) from None


def _time(value: Any) -> int:
    return milliseconds(value, "a time")


def _numbers(name: str, values: Values) -> tuple[Decimal, ...]:
    found = tuple(number for value in values if (number := _number(value)) is not None)
    if len(found) != len(values):
        raise _bad(name, "a number")
    return found


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _bare_measure(text: str) -> str:
    for prefix in ("https://gs1.org/voc/", "gs1:"):
        if text.startswith(prefix):
            return text[len(prefix) :]
    return text


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _single(name: str, values: Values) -> str:
    if len(values) != 1:
        raise _bad(name, "one value")
    return values[0]


def _shown(name: str) -> str:
    """Return a parameter's name if it is one of the standard's; of others nothing is repeated."""
    return name if re.fullmatch(r"[A-Za-z_]{1,40}", name) else "a parameter"


def _bad(name: str, expected: str) -> EpcisRefused:
    return EpcisRefused("epcis.query-parameter", _shown(name), expected)
