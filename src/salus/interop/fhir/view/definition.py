"""A ViewDefinition of SQL on FHIR v2, read and checked: every refusal names the path of what is wrong."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeAlias

from salus.core.errors import SalusError
from salus.interop.fhir import fhirpath
from salus.interop.fhir.fhirpath.temporal import parse_date, parse_date_time, parse_time

MAX_DEPTH = 16  # nested selects: published views use four
MAX_SELECTS = 256  # selects in one view
MAX_EXPRESSIONS = 8_192  # compiled for one view; a repeat is compiled for each type that it reaches
MAX_COLUMNS = 1_024  # columns of one view; SQLite's own limit is 2,000

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z", re.ASCII)
_ITERATIONS: Final = ("forEach", "forEachOrNull", "repeat")
_SELECT_KEYS: Final = frozenset({"column", "select", "unionAll", *_ITERATIONS})
_ANNOTATIONS: Final = frozenset({"id", "extension", "modifierExtension"})


class ViewMalformed(SalusError):
    """The view is refused; `path` says where, as `select[0].column[2].path`."""

    def __init__(self, path: str, what: str) -> None:
        self.path = path
        self.what = what
        super().__init__(f"{path or 'the view'}: {what}")


class TooManyExpressions(ViewMalformed):
    """The view would cost too much to compile."""


class Column(NamedTuple):
    """One column: its name, expression, declared FHIR type (may be empty), whether it holds a list, its place in the view."""

    name: str
    path: fhirpath.Expression
    type: str
    collection: bool
    place: str
    description: str


class Select(NamedTuple):
    """One select: an iteration (`forEach`, `forEachOrNull`, `repeat` or none), its columns, nested selects and union."""

    iteration: str
    paths: tuple[fhirpath.Expression, ...]
    columns: tuple[Column, ...]
    selects: tuple["Select", ...]
    unions: tuple["Select", ...]
    place: str

    def names(self) -> tuple[str, ...]:
        """List the names of all columns in the order of the rows: own, nested, those of the union."""
        nested = [name for one in self.selects for name in one.names()]
        united = self.unions[0].names() if self.unions else ()
        return (*(column.name for column in self.columns), *nested, *united)

    def all_columns(self) -> tuple[Column, ...]:
        """List the columns in the order of `names`; of a union those of its first branch."""
        nested = [column for one in self.selects for column in one.all_columns()]
        united = self.unions[0].all_columns() if self.unions else ()
        return (*self.columns, *nested, *united)


class Definition(NamedTuple):
    """A checked view: the resource type it reads, its filter and its selects (as one)."""

    name: str
    resource: str
    where: tuple[tuple[fhirpath.Expression, str], ...]
    select: Select


Constants: TypeAlias = dict[str, Any]
Types: TypeAlias = frozenset[str] | None
_BOOLEANS: Final = frozenset({"System.Boolean", "boolean"})


def _string(check: Callable[[str], bool] = bool) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, str) and check(value) else None


def _integer(low: int, high: int = 2**31 - 1) -> Callable[[Any], Any]:
    return lambda value: value if type(value) is int and low <= value <= high else None


def _decimal(value: Any) -> Any:
    if type(value) not in {int, float, Decimal}:
        return None
    number = Decimal(repr(value) if type(value) is float else value)
    return number if number.is_finite() and abs(number.adjusted()) <= 400 else None


_CONSTANTS: Final[dict[str, Callable[[Any], Any]]] = {
    "valueBase64Binary": _string(), "valueCanonical": _string(), "valueCode": _string(), "valueId": _string(),
    "valueOid": _string(), "valueString": _string(), "valueUri": _string(), "valueUrl": _string(), "valueUuid": _string(),
    "valueBoolean": lambda value: value if isinstance(value, bool) else None,
    "valueDate": lambda value: parse_date(value) if isinstance(value, str) else None,
    "valueDateTime": lambda value: parse_date_time(value) if isinstance(value, str) else None,
    "valueInstant": lambda value: parse_date_time(value) if isinstance(value, str) else None,
    "valueTime": lambda value: parse_time(value) if isinstance(value, str) else None,
    "valueDecimal": _decimal,
    "valueInteger": _integer(-(2**31)), "valuePositiveInt": _integer(1), "valueUnsignedInt": _integer(0),
    "valueInteger64": lambda value: int(value) if isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value) else None,
}  # fmt: skip


class _Reader:
    def __init__(self, model: fhirpath.Model) -> None:
        self.model = model
        self.constants: Constants = {}
        self.selects = 0
        self.expressions = 0

    def listed(self, holder: dict[str, Any], key: str, place: str) -> list[tuple[dict[str, Any], str]]:
        found = holder.get(key)
        where = f"{place}.{key}" if place else key
        if found is None:
            return []
        if not isinstance(found, list) or not found:
            raise ViewMalformed(where, "expected an array with at least one entry")
        for index, one in enumerate(found):
            if not isinstance(one, dict):
                raise ViewMalformed(f"{where}[{index}]", "expected an object")
        return [(one, f"{where}[{index}]") for index, one in enumerate(found)]

    def expression(self, text: Any, place: str, context: Types) -> fhirpath.Expression:
        if not isinstance(text, str):
            raise ViewMalformed(place, "expected a FHIRPath expression in a string")
        self.expressions += 1
        if self.expressions > MAX_EXPRESSIONS:
            raise TooManyExpressions(place, f"more than {MAX_EXPRESSIONS} expressions in one view")
        try:
            expression = fhirpath.compile(text, self.constants, model=self.model, context=context)
        except fhirpath.FhirPathError as refusal:
            raise ViewMalformed(place, str(refusal)) from refusal
        for name in expression.names:
            if name not in self.constants and name not in _GIVEN:
                raise ViewMalformed(place, f"%{name} is not a constant of the view")
        return expression

    def constant(self, entry: dict[str, Any], place: str) -> None:
        name = entry.get("name")
        if not isinstance(name, str) or not _NAME.match(name):
            raise ViewMalformed(f"{place}.name", "expected a name of letters, digits and _")
        if name in self.constants or name in _GIVEN:
            raise ViewMalformed(f"{place}.name", f"%{name} is defined already")
        values = [key for key in entry if key.startswith("value")]
        if len(values) != 1 or values[0] not in _CONSTANTS:
            raise ViewMalformed(place, "expected exactly one value[x] of a primitive type")
        value = _CONSTANTS[values[0]](entry[values[0]])
        if value is None:
            raise ViewMalformed(f"{place}.{values[0]}", f"the value is no {values[0].removeprefix('value')}")
        self.constants[name] = value

    def column(self, entry: dict[str, Any], place: str, context: Types) -> Column:
        name, kind, collection = entry.get("name"), entry.get("type", ""), entry.get("collection", False)
        if not isinstance(name, str) or not _NAME.match(name):
            raise ViewMalformed(f"{place}.name", "expected a name of letters, digits and _, that starts with a letter")
        if not isinstance(kind, str):
            raise ViewMalformed(f"{place}.type", "expected the name of a type")
        if not isinstance(collection, bool):
            raise ViewMalformed(f"{place}.collection", "expected true or false")
        path = self.expression(entry.get("path"), f"{place}.path", context)
        return Column(name, path, kind, collection, place, str(entry.get("description", "")))

    def select(self, entry: dict[str, Any], place: str, depth: int, outer: Types) -> Select:
        self.selects += 1
        if depth > MAX_DEPTH or self.selects > MAX_SELECTS:
            raise ViewMalformed(place, f"more than {MAX_DEPTH} nested or {MAX_SELECTS} selects")
        for key in entry:
            if key not in _SELECT_KEYS and key not in _ANNOTATIONS:
                raise ViewMalformed(f"{place}.{key}", "is not an element of a select")
        iterations = [key for key in _ITERATIONS if key in entry]
        if len(iterations) > 1:
            raise ViewMalformed(f"{place}.{iterations[1]}", f"cannot stand beside {iterations[0]}")
        iteration = iterations[0] if iterations else ""
        paths, context = self.paths(entry, iteration, place, outer)
        columns = tuple(self.column(one, where, context) for one, where in self.listed(entry, "column", place))
        selects = tuple(
            self.select(one, where, depth + 1, context) for one, where in self.listed(entry, "select", place)
        )
        unions = tuple(
            self.select(one, where, depth + 1, context) for one, where in self.listed(entry, "unionAll", place)
        )
        if not columns and not selects and not unions:
            raise ViewMalformed(place, "expected columns, selects or a union")
        for branch in unions[1:]:
            if branch.names() != unions[0].names():
                raise ViewMalformed(
                    branch.place, "the columns of a union's branches must be the same, in the same order"
                )
        return Select(iteration, paths, columns, selects, unions, place)

    def paths(
        self, entry: dict[str, Any], iteration: str, place: str, outer: Types
    ) -> tuple[tuple[fhirpath.Expression, ...], Types]:
        """Compile an iteration and tell the types of the elements it goes over."""
        if not iteration:
            return (), outer
        where = f"{place}.{iteration}"
        if iteration != "repeat":
            one = self.expression(entry[iteration], where, outer)
            return (one,), one.types
        texts = entry["repeat"]
        if not isinstance(texts, list) or not texts:
            raise ViewMalformed(where, "expected an array of FHIRPath expressions")
        found = tuple(self.expression(text, f"{where}[{index}]", None) for index, text in enumerate(texts))
        return found, self.reached(texts, where, outer)

    def reached(self, texts: list[str], where: str, outer: Types) -> Types:
        """Return the types a repeat reaches at any depth; a path may fit none of them (an official case has one)."""
        if outer is None:
            return None
        reached: set[str] = set()
        frontier = outer
        while frontier:
            following: set[str] = set()
            for index, text in enumerate(texts):
                for one in sorted(frontier):
                    try:
                        types = self.expression(text, f"{where}[{index}]", frozenset({one})).types
                    except TooManyExpressions:
                        raise
                    except ViewMalformed:
                        continue
                    if types is None:
                        return None
                    following |= types
            frontier = frozenset(following - reached)
            reached |= frontier
        return frozenset(reached)


_GIVEN: Final = frozenset({"rowIndex", "context", "resource", "rootResource", "ucum", "sct", "loinc"})


def read(view: Any, model: fhirpath.Model | None = None) -> Definition:
    """Check a decoded ViewDefinition against FHIR R4 (or another model). Raises ViewMalformed with the faulty path."""
    if not isinstance(view, dict):
        raise ViewMalformed("", "expected an object")
    reader = _Reader(model or fhirpath.r4())
    resource = view.get("resource")
    if not isinstance(resource, str) or resource not in reader.model.resources:
        raise ViewMalformed("resource", "expected the name of a resource type")
    context = frozenset({resource})
    for entry, place in reader.listed(view, "constant", ""):
        reader.constant(entry, place)
    where = []
    for entry, place in reader.listed(view, "where", ""):
        condition = reader.expression(entry.get("path"), f"{place}.path", context)
        if condition.types is not None and not condition.types <= _BOOLEANS:
            raise ViewMalformed(f"{place}.path", "the filter does not give a Boolean")
        where.append((condition, f"{place}.path"))
    selects = reader.listed(view, "select", "")
    if not selects:
        raise ViewMalformed("select", "expected at least one select")
    select = Select("", (), (), tuple(reader.select(entry, place, 1, context) for entry, place in selects), (), "")
    names: set[str] = set()
    columns = select.all_columns()
    for column in columns:
        if column.name in names:
            raise ViewMalformed(f"{column.place}.name", f"a column {column.name} exists already")
        names.add(column.name)
    if len(columns) > MAX_COLUMNS:
        raise ViewMalformed("select", f"more than {MAX_COLUMNS} columns")
    return Definition(str(view.get("name", "")), resource, tuple(where), select)
