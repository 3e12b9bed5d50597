"""Run a view over decoded resources in memory: rows as tuples, in the order of the columns (SQL on FHIR v2, processing model)."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from salus.core.errors import SalusError
from salus.interop.fhir import fhirpath
from salus.interop.fhir.fhirpath.environment import Frame
from salus.interop.fhir.fhirpath.operators import truth
from salus.interop.fhir.view.definition import Column, Definition, Select, read

MAX_ROWS = 1_000_000  # rows of one resource: products of unrelated lists grow without bound
MAX_CELLS = 4_000_000  # of one resource, some 40 MB: rows of a thousand columns count as what they hold
LONG = 1_000  # characters of a value that cost as many items as hundreds it has: a made string may have ten million
MAX_VISITS = 100_000  # elements that one repeat may visit in one resource

Row: TypeAlias = tuple[Any, ...]
Produce: TypeAlias = Callable[[Frame, Any, int], list[Row]]


class ViewFailed(SalusError):
    """A resource does not fit the view (many values in a column that holds one, a filter that is no Boolean), or a bound was hit.

    `place` names the part of the view; the message holds nothing of the resource.
    """

    def __init__(self, place: str, what: str) -> None:
        self.place = place
        super().__init__(f"{place}: {what}")


class View:
    """A compiled view. `columns` describes the rows; one view may run over any number of resources."""

    def __init__(self, view: Any, *, model: fhirpath.Model | None = None) -> None:
        self.definition: Definition = read(view, model)
        self.columns = self.definition.select.all_columns()
        self.names = self.definition.select.names()
        self._model = model or fhirpath.r4()
        self._produce = _select(self.definition.select)

    def rows(self, resources: Iterable[Any], environment: fhirpath.Environment | None = None) -> Iterator[Row]:
        """Yield the rows of the resources of the view's type, the others skipped. Raises ViewFailed."""
        given = environment or fhirpath.Environment()
        for resource in resources:
            if resource.get("resourceType") == self.definition.resource:
                yield from self._of(resource, given)

    def dicts(
        self, resources: Iterable[Any], environment: fhirpath.Environment | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows as objects."""
        for row in self.rows(resources, environment):
            yield dict(zip(self.names, row, strict=True))

    def _of(self, resource: Any, environment: fhirpath.Environment) -> list[Row]:
        node = self._model.node(resource)
        frame = Frame(environment, self._model, [node])
        frame.resource = frame.root = frame.this
        try:
            for condition, place in self.definition.where:
                if not _holds(condition, frame, node, place):
                    return []
            return self._produce(frame, node, 0)
        except fhirpath.FhirPathError as refusal:
            raise ViewFailed("the view", str(refusal)) from refusal
        except RecursionError as fault:
            raise ViewFailed("the view", "an expression is nested too deeply") from fault


def _holds(condition: fhirpath.Expression, frame: Frame, node: Any, place: str) -> bool:
    _focus(frame, node, 0)
    found = condition.on(frame)
    if not found:
        return False
    value = truth(found, "where")
    if fhirpath.plain(found[0]) is not value and value is not None:
        raise ViewFailed(place, "the filter does not give a Boolean")
    return value is True


def _focus(frame: Frame, node: Any, index: int) -> None:
    frame.this = [node]
    frame.defined = {"rowIndex": [index], "context": frame.this}


def _select(select: Select) -> Produce:
    """Compile a select: for each element of its iteration the product of its columns, selects and union."""
    parts: list[Produce] = []
    if select.columns:
        parts.append(_columns(select.columns))
    parts.extend(_select(one) for one in select.selects)
    if select.unions:
        parts.append(_union([_select(one) for one in select.unions], f"{select.place or 'select'}.unionAll"))
    body = parts[0] if len(parts) == 1 else _product(parts, select.place or "select")
    if not select.iteration:
        return body
    return _iteration(select, body)


def _columns(columns: tuple[Column, ...]) -> Produce:
    runs = [(column.path.on, column.collection, column.place) for column in columns]
    plain = fhirpath.plain

    def produce(frame: Frame, node: Any, index: int) -> list[Row]:
        _focus(frame, node, index)
        defined = frame.defined
        row: list[Any] = []
        for run, collection, place in runs:
            items = run(frame)
            frame.defined = defined
            if collection:
                frame.spend(len(items))
                row.append([plain(item) for item in items])
            elif not items:
                row.append(None)
            elif len(items) == 1:
                value = plain(items[0])
                if value.__class__ is str and len(value) > LONG:
                    frame.spend(len(value) // 100)
                row.append(value)
            else:
                raise ViewFailed(place, f"{len(items)} values in a column that is no collection")
        return [tuple(row)]

    return produce


def _product(parts: list[Produce], place: str) -> Produce:
    def produce(frame: Frame, node: Any, index: int) -> list[Row]:
        rows: list[Row] = [()]
        for part in parts:
            found = part(frame, node, index)
            if not found:
                return []
            _bound(len(rows) * len(found), len(rows[0]) + len(found[0]), place)
            if len(found) == 1:
                only = found[0]
                rows = [row + only for row in rows]
            else:
                rows = [row + one for row in rows for one in found]
        return rows

    return produce


def _bound(rows: int, width: int, place: str) -> None:
    """Refuse what one resource may not give. Raises ViewFailed."""
    if rows > MAX_ROWS or rows * width > MAX_CELLS:
        raise ViewFailed(place, f"one resource gives more than {MAX_ROWS} rows or {MAX_CELLS} cells")


def _union(branches: list[Produce], place: str) -> Produce:
    def produce(frame: Frame, node: Any, index: int) -> list[Row]:
        rows: list[Row] = []
        for branch in branches:
            rows += branch(frame, node, index)
            if rows:
                _bound(len(rows), len(rows[0]), place)
        return rows

    return produce


def _iteration(select: Select, body: Produce) -> Produce:
    empty: Row = tuple([[] if column.collection else None for column in select.all_columns()])
    visit = _repeat(select) if select.iteration == "repeat" else _each(select)
    or_null = select.iteration == "forEachOrNull"

    def produce(frame: Frame, node: Any, index: int) -> list[Row]:
        found = visit(frame, node, index)
        if not found and or_null:
            # the row of nothing still evaluates what does not depend on the element, as %rowIndex
            return body(frame, _ABSENT, 0) if _only_columns(select) else [empty]
        rows: list[Row] = []
        for position, one in enumerate(found):
            rows.extend(body(frame, one, position))
            _bound(len(rows), len(empty), select.place)
        return rows

    return produce


_ABSENT = fhirpath.Node(None, None)


def _only_columns(select: Select) -> bool:
    return not select.selects and not select.unions


def _each(select: Select) -> Callable[[Frame, Any, int], list[Any]]:
    path = select.paths[0]

    def visit(frame: Frame, node: Any, index: int) -> list[Any]:
        _focus(frame, node, index)
        return path.on(frame)

    return visit


def _repeat(select: Select) -> Callable[[Frame, Any, int], list[Any]]:
    """Follow the paths to every depth, each element before what it leads to."""

    def visit(frame: Frame, node: Any, index: int) -> list[Any]:
        out: list[Any] = []
        stack = [node]
        first = True
        while stack:
            item = stack.pop()
            if not first:
                out.append(item)
                if len(out) > MAX_VISITS:
                    raise ViewFailed(select.place, f"repeat visits more than {MAX_VISITS} elements of one resource")
            first = False
            following: list[Any] = []
            for path in select.paths:
                _focus(frame, item, index)
                following.extend(path.on(frame))
            stack.extend(reversed(following))
        return out

    return visit
