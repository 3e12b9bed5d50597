"""ARS v1: the analyses of a reporting event, as far as they are run. Read strictly where a computation hangs on it.

Texts that explain (names, labels, references, code templates, displays) are left unread; a comparator, logical operator or
reference that is not understood is refused with its JSON pointer.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from salus.interop.cdisc.findings import MOST, DocumentRefused, Finding, misshapen

MOST_BYTES: Final = 16 << 20
MOST_DEPTH: Final = 8
Comparator = Literal["EQ", "NE", "IN", "NOTIN", "GT", "GE", "LT", "LE"]
Id = Annotated[str, Meta(min_length=1, max_length=200)]


class Part(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An object of the model: attributes that are not run are not kept."""


class Condition(Part, frozen=True, kw_only=True):
    """A comparison of one variable."""

    dataset: str
    variable: str
    comparator: Comparator
    value: tuple[str | int | float | None, ...]


class Compound(Part, frozen=True, kw_only=True):
    """Clauses joined."""

    logical_operator: Literal["AND", "OR", "NOT"]
    where_clauses: tuple["Where", ...]


class Where(Part, frozen=True, kw_only=True):
    """A clause: a condition, or clauses joined; without either it holds always."""

    condition: Condition | None = None
    compound_expression: Compound | None = None


class AnalysisSet(Where, frozen=True, kw_only=True):
    """A population of subjects, or a subset of data."""

    id: Id


class Group(Where, frozen=True, kw_only=True):
    """One group of a grouping."""

    id: Id
    name: str = ""


class Grouping(Part, frozen=True, kw_only=True):
    """How rows or subjects fall into groups; data-driven ones have as many as the data has values."""

    id: Id
    grouping_dataset: str | None = None
    grouping_variable: str | None = None
    data_driven: bool = False
    groups: tuple[Group, ...] = ()


class Relationship(Part, frozen=True, kw_only=True):
    """What an operation takes from another."""

    id: Id
    operation_id: Id
    referenced_operation_role: Mapping[str, Any] = {}


class Operation(Part, frozen=True, kw_only=True):
    """One number of a method."""

    id: Id
    name: str
    order: int = 0
    result_pattern: str | None = None
    referenced_operation_relationships: tuple[Relationship, ...] = ()


class Method(Part, frozen=True, kw_only=True):
    """A method with its operations."""

    id: Id
    name: str = ""
    operations: tuple[Operation, ...] = ()


class OrderedGrouping(Part, frozen=True, kw_only=True):
    """A grouping of an analysis."""

    order: int
    grouping_id: Id
    results_by_group: bool


class Referenced(Part, frozen=True, kw_only=True):
    """Which analysis an operation takes another's result from."""

    referenced_operation_relationship_id: Id
    analysis_id: Id


class Parameter(Part, frozen=True, kw_only=True):
    """A value that a method is given."""

    name: Id
    value: Annotated[tuple[str, ...], Meta(max_length=1)]


class Code(Part, frozen=True, kw_only=True):
    """How an analysis is programmed: its parameters are read, its program is not."""

    parameters: tuple[Parameter, ...] = ()


class Analysis(Part, frozen=True, kw_only=True):
    """One analysis."""

    id: Id
    name: str = ""
    method_id: str = ""
    dataset: str = ""
    variable: str = ""
    analysis_set_id: str | None = None
    data_subset_id: str | None = None
    ordered_groupings: tuple[OrderedGrouping, ...] = ()
    referenced_analysis_operations: tuple[Referenced, ...] | None = None
    programming_code: Code | None = None

    def parameter(self, name: str) -> str:
        """Return a parameter's value, or the empty string."""
        told = () if self.programming_code is None else self.programming_code.parameters
        return next((value for each in told if each.name == name for value in each.value), "")


class Event(Part, frozen=True, kw_only=True):
    """A reporting event."""

    id: str = ""
    name: str = ""
    analyses: tuple[Analysis, ...]
    methods: tuple[Method, ...] = ()
    analysis_sets: tuple[AnalysisSet, ...] = ()
    data_subsets: tuple[AnalysisSet, ...] = ()
    analysis_groupings: tuple[Grouping, ...] = ()

    def analysis(self, id_: str) -> Analysis | None:
        """Return an analysis by its id, or None."""
        return next((each for each in self.analyses if each.id == id_), None)


def read_event(data: bytes) -> Event:
    """Read a reporting event, JSON. Raises DocumentRefused with every dangling reference, or the first fault of form."""
    if len(data) > MOST_BYTES:
        raise DocumentRefused((Finding("size", "", f"at most {MOST_BYTES} bytes", str(len(data))),))
    try:
        event = msgspec.json.decode(data, type=Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        told, path = misshapen(error)
        raise DocumentRefused((Finding("ars", path, told),)) from None
    found = tuple(_faults(event))[:MOST]
    if found:
        raise DocumentRefused(found)
    return event


def _faults(event: Event) -> Iterator[Finding]:
    named: dict[str, Sequence[Analysis | Method | AnalysisSet | Grouping]] = {
        "analyses": event.analyses,
        "methods": event.methods,
        "analysisSets": event.analysis_sets,
        "dataSubsets": event.data_subsets,
        "analysisGroupings": event.analysis_groupings,
    }
    for name, things in named.items():
        seen: set[str] = set()
        for place, each in enumerate(things):
            if each.id in seen:
                yield Finding("id-twice", f"/{name}/{place}/id", "each id once", each.id)
            seen.add(each.id)
    for name, wheres in (("analysisSets", event.analysis_sets), ("dataSubsets", event.data_subsets)):
        for place, where in enumerate(wheres):
            yield from _clause(where, f"/{name}/{place}", 0)
    for place, grouping in enumerate(event.analysis_groupings):
        at = f"/analysisGroupings/{place}"
        if grouping.data_driven and not grouping.grouping_variable:
            yield Finding("grouping", at, "a variable: its groups come from the data")
        for number, group in enumerate(grouping.groups):
            yield from _clause(group, f"{at}/groups/{number}", 0)
    for place, analysis in enumerate(event.analyses):
        yield from _dangling(event, analysis, f"/analyses/{place}")


def _dangling(event: Event, analysis: Analysis, at: str) -> Iterator[Finding]:
    known: list[tuple[str, str | None, set[str]]] = [
        ("methodId", analysis.method_id, {each.id for each in event.methods}),
        ("analysisSetId", analysis.analysis_set_id, {each.id for each in event.analysis_sets}),
        ("dataSubsetId", analysis.data_subset_id, {each.id for each in event.data_subsets}),
    ]
    for name, id_, ids in known:
        if id_ and id_ not in ids:
            yield Finding("dangling-reference", f"{at}/{name}", "an id of the event", id_)
    groupings = {each.id for each in event.analysis_groupings}
    for number, ordered in enumerate(analysis.ordered_groupings):
        if ordered.grouping_id not in groupings:
            where = f"{at}/orderedGroupings/{number}/groupingId"
            yield Finding("dangling-reference", where, "an id of the event", ordered.grouping_id)
    for number, each in enumerate(analysis.referenced_analysis_operations or ()):
        if event.analysis(each.analysis_id) is None:
            where = f"{at}/referencedAnalysisOperations/{number}/analysisId"
            yield Finding("dangling-reference", where, "an id of the event", each.analysis_id)


def _clause(where: Where, at: str, depth: int) -> Iterator[Finding]:
    if where.condition is not None and where.compound_expression is not None:
        yield Finding("clause", at, "a condition or a compound expression, not both")
    if depth > MOST_DEPTH:
        yield Finding("depth", at, f"at most {MOST_DEPTH} clauses in each other")
        return
    compound = where.compound_expression
    if compound is not None:
        count = len(compound.where_clauses)
        if not count or (compound.logical_operator == "NOT" and count != 1):
            yield Finding("clause", f"{at}/compoundExpression", "clauses; exactly one for NOT")
        for number, each in enumerate(compound.where_clauses):
            yield from _clause(each, f"{at}/compoundExpression/whereClauses/{number}", depth + 1)
