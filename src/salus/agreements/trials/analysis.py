"""Planned analyses (ARS v1) run over tables. Each result tells the rows that it is computed from.

    1 the analysis set says whose rows count, the data subset which of them        ARS v1, AnalysisSet, DataSubset
    2 groupings part them; a grouping of another table goes by the subject          ARS v1, AnalysisGrouping
    3 the method's operations, each known by its name, give a number for each group ARS v1, Operation
    4 it is printed by the operation's pattern, half away from zero                 ARS v1, resultPattern

Counts are of distinct subjects. Quartiles are the empirical ones with averaging (SAS PCTLDEF=5). Tests: Pearson's chi-squared
without correction, Fisher's exact of any size (two-sided: all tables at most as likely), analysis of variance in one way,
analysis of covariance (`covariance`): the first compared grouping is the treatment, further ones are factors; the analysis's
parameters name `covariates` (variables, by comma), `group` and `against` of a comparison (ids), or `doses` (a number each).
Floating point is used here and nowhere else in a trial: results are compared as printed.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from itertools import product
from typing import Final

from salus.agreements.trials.covariance import Estimate, Model, Observed
from salus.core.errors import SalusError
from salus.interop.cdisc.ars import Analysis, Condition, Event, Grouping, Operation, Where
from salus.interop.cdisc.dataset_json import Cell, Dataset

SUBJECT: Final = "USUBJID"
MOST_TABLES: Final = 50_000  # of Fisher's test: beyond, the exact sum takes seconds
_SLACK: Final = 1e-7  # a table as likely as ours counts, whatever the last digits say (as in R's fisher.test)
_PATTERN: Final = re.compile(r"X+(?:\.(X+))?")
Row = Mapping[str, Cell]
Groups = tuple[tuple[str, str], ...]
"""(grouping, group) in the order of the analysis; the group is empty where all of them are compared."""


class NotAnalysed(SalusError):
    """An analysis that cannot be run as it is written."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by variable."""

    rows: tuple[Row, ...]

    @classmethod
    def of(cls, dataset: Dataset) -> "Table":
        """Return a data set as a table."""
        names = [column.name for column in dataset.columns]
        return cls(tuple(dict(zip(names, row, strict=True)) for row in dataset.rows))


@dataclass(frozen=True, slots=True)
class Computed:
    """One result."""

    analysis: str
    operation: str
    groups: Groups
    value: float
    formatted: str
    rows: tuple[int, ...] = field(compare=False)
    """Places in the analysis's table of the rows that it is computed from, ascending."""


def run(event: Event, analysis: Analysis, tables: Mapping[str, Table]) -> tuple[Computed, ...]:
    """Return the results of one analysis. Raises NotAnalysed for what is not understood or not there."""
    return tuple(_Running(event, analysis, tables).results())


class _Running:
    """One analysis as it is run."""

    def __init__(self, event: Event, analysis: Analysis, tables: Mapping[str, Table]) -> None:
        self._event, self._analysis, self._tables = event, analysis, tables
        method = next((each for each in event.methods if each.id == analysis.method_id), None)
        if method is None or not method.operations:
            raise NotAnalysed(f"{analysis.id}: its method {analysis.method_id or 'is not named'} has no operations")
        self._method = method
        self._rows = self._table(analysis.dataset).rows
        self._subjects: dict[str, dict[str, list[Row]]] = {}
        sets = {each.id: each for each in (*event.analysis_sets, *event.data_subsets)}
        self._set = sets.get(analysis.analysis_set_id or "", Where())
        self._subset = sets.get(analysis.data_subset_id or "", Where())
        by_id = {each.id: each for each in event.analysis_groupings}
        ordered = sorted(analysis.ordered_groupings, key=lambda each: each.order)
        self._groupings = [by_id[each.grouping_id] for each in ordered]
        self._split = [by_id[each.grouping_id] for each in ordered if each.results_by_group]
        self._compared = [by_id[each.grouping_id] for each in ordered if not each.results_by_group]
        both = Where(), self._set, self._subset
        self._chosen = [at for at, row in enumerate(self._rows) if all(self._holds(each, row) for each in both)]
        self._parted: dict[str, dict[str, frozenset[int]]] = {}
        self._fitted: tuple[Model, list[int]] | None = None
        self._others: dict[str, tuple[Computed, ...]] = {}

    def results(self) -> Iterator[Computed]:
        """Yield a result for every group and operation."""
        for operation in sorted(self._method.operations, key=lambda each: each.order):
            for cell, rows in self._cells():
                groups: Groups = tuple(zip([each.id for each in self._split], cell, strict=True))
                value, used = self._value(operation, groups, rows)
                told = (*groups, *((each.id, "") for each in self._compared))
                shown = printed(value, operation.result_pattern)
                yield Computed(self._analysis.id, operation.id, told, value, shown, tuple(used))

    def _cells(self) -> Iterator[tuple[tuple[str, ...], list[int]]]:
        """Yield every combination of groups with its rows; of groups that come from the data, only those with rows."""
        driven = any(each.data_driven for each in self._split)
        for cell in product(*(self._names(each) for each in self._split)):
            found = frozenset(self._chosen)
            for grouping, name in zip(self._split, cell, strict=True):
                found &= self._groups(grouping)[name]
                if driven and not found:
                    break
            if found or not driven:
                yield cell, sorted(found)

    # Rows and groups ------------------------------------------------------------------------------------------------

    def _table(self, name: str) -> Table:
        if name not in self._tables:
            raise NotAnalysed(f"{self._analysis.id}: there is no table {name or 'named'}")
        return self._tables[name]

    def _of_subject(self, table: str, row: Row) -> list[Row]:
        if table not in self._subjects:
            found: dict[str, list[Row]] = {}
            for each in self._table(table).rows:
                found.setdefault(str(each.get(SUBJECT)), []).append(each)
            self._subjects[table] = found
        return self._subjects[table].get(str(row.get(SUBJECT)), [])

    def _holds(self, where: Where, row: Row, table: str = "", *, own: bool = True) -> bool:
        """Judge a clause for a row of a table (the analysis's own, if not named); without `own`, clauses on own rows hold."""
        table = table or self._analysis.dataset
        if where.condition is not None:
            condition = where.condition
            if not own and condition.dataset == self._analysis.dataset:
                return True
            rows = [row] if condition.dataset == table else self._of_subject(condition.dataset, row)
            return any(self._meets(condition, each) for each in rows)
        compound = where.compound_expression
        if compound is None:
            return True
        told = (self._holds(each, row, table, own=own) for each in compound.where_clauses)
        if compound.logical_operator == "NOT":
            return not next(told)
        return all(told) if compound.logical_operator == "AND" else any(told)

    def _meets(self, condition: Condition, row: Row) -> bool:
        if condition.variable not in row:
            raise NotAnalysed(f"{self._analysis.id}: {condition.dataset} has no variable {condition.variable}")
        value = row[condition.variable]
        told = [_same_kind(value, each) for each in condition.value]
        if condition.comparator in {"EQ", "IN"}:
            return value in told
        if condition.comparator in {"NE", "NOTIN"}:
            return value not in told
        if value is None or isinstance(value, str) or not told or not isinstance(told[0], int | Decimal):
            return False
        left, right = Decimal(value), Decimal(told[0])
        order = {"GT": left > right, "GE": left >= right, "LT": left < right, "LE": left <= right}
        return order[condition.comparator]

    def _names(self, grouping: Grouping) -> list[str]:
        return list(self._groups(grouping))

    def _groups(self, grouping: Grouping) -> dict[str, frozenset[int]]:
        """Return the chosen rows by group, groups in their order."""
        if grouping.id not in self._parted:
            found: dict[str, list[int]] = {} if grouping.data_driven else {each.id: [] for each in grouping.groups}
            for at in self._chosen:
                for name in self._names_of(grouping, self._rows[at], self._analysis.dataset):
                    found.setdefault(name, []).append(at)
            ordered = sorted(found) if grouping.data_driven else list(found)
            self._parted[grouping.id] = {name: frozenset(found[name]) for name in ordered}
        return self._parted[grouping.id]

    def _names_of(self, grouping: Grouping, row: Row, table: str) -> list[str]:
        if grouping.data_driven:
            return self._driven(grouping, row)
        return [each.id for each in grouping.groups if self._holds(each, row, table)]

    def _driven(self, grouping: Grouping, row: Row) -> list[str]:
        table, variable = grouping.grouping_dataset or self._analysis.dataset, grouping.grouping_variable or ""
        rows = [row] if table == self._analysis.dataset else self._of_subject(table, row)
        return [str(each[variable]) for each in rows if each.get(variable) not in {None, ""}]

    # Operations -----------------------------------------------------------------------------------------------------

    def _value(self, operation: Operation, groups: Groups, rows: Sequence[int]) -> tuple[float, Sequence[int]]:
        name = operation.name.strip().lower()
        if any(each in self._method.name.lower() for each in ("ancova", "analysis of covariance")):
            return self._adjusted(operation, name, rows)
        if name == "count of subjects":
            return float(len(self._people(rows))), rows
        if name == "percent of subjects":
            return self._percent(operation, groups, rows), rows
        if name in _CONTINUOUS:
            used = [at for at in rows if _number(self._rows[at].get(self._analysis.variable)) is not None]
            return _CONTINUOUS[name](self._values(used)), used
        if name == "p-value":
            return self._tested(rows)
        raise NotAnalysed(f"{self._analysis.id}: operation {operation.id} ({operation.name}) is not known")

    def _people(self, rows: Sequence[int]) -> set[str]:
        return {str(self._rows[at][SUBJECT]) for at in rows}

    def _values(self, rows: Sequence[int]) -> list[float]:
        found = (_number(self._rows[at].get(self._analysis.variable)) for at in rows)
        return [each for each in found if each is not None]

    def _percent(self, operation: Operation, groups: Groups, rows: Sequence[int]) -> float:
        """Return the share of the denominator: another analysis's count in the groups that it shares with this one."""
        role = {each.id: each for each in operation.referenced_operation_relationships}
        for each in self._analysis.referenced_analysis_operations or ():
            relation = role.get(each.referenced_operation_relationship_id)
            told = "" if relation is None else str(relation.referenced_operation_role.get("controlledTerm"))
            if relation is None or told != "DENOMINATOR":
                continue
            other = self._event.analysis(each.analysis_id)
            if other is None or other.id == self._analysis.id:
                break
            if other.id not in self._others:
                self._others[other.id] = run(self._event, other, self._tables)
            for found in self._others[other.id]:
                if found.operation == relation.operation_id and set(found.groups) <= set(groups):
                    return 100 * len(self._people(rows)) / found.value if found.value else math.nan
        raise NotAnalysed(f"{self._analysis.id}: no denominator for {operation.id}")

    def _tested(self, rows: Sequence[int]) -> tuple[float, Sequence[int]]:
        method = self._method.name.lower()
        if not self._compared:
            raise NotAnalysed(f"{self._analysis.id}: a test compares the groups of a grouping")
        if "anova" in method or "analysis of variance" in method:
            first = self._compared[0]
            used = [at for at in rows if _number(self._rows[at].get(self._analysis.variable)) is not None]
            split = [[at for at in used if at in group] for group in self._groups(first).values()]
            return anova([self._values(each) for each in split if each]), [at for each in split for at in each]
        counts = self._contingency(rows)
        if "chi-square" in method or "chi-squared" in method:
            return chi_squared(counts), rows
        if "fisher" in method:
            return fisher(counts), rows
        raise NotAnalysed(f"{self._analysis.id}: method {self._method.id} ({self._method.name}) is not known")

    # Analysis of covariance -----------------------------------------------------------------------------------------

    def _adjusted(self, operation: Operation, name: str, rows: Sequence[int]) -> tuple[float, Sequence[int]]:
        """Return a number of the model: of a comparison, of the slope over doses, or the p-value of the treatment."""
        model, used = self._model(rows)
        groups = self._names(self._compared[0])
        pair = [self._analysis.parameter(each) for each in ("group", "against")]
        if any(pair):
            if not set(pair) <= set(groups) or self._analysis.parameter("doses"):
                raise NotAnalysed(f"{self._analysis.id}: a comparison is of two groups of {self._compared[0].id}")
            found = model.difference(*(groups.index(each) for each in pair))
        elif self._analysis.parameter("doses"):
            found = model.slope()
        elif name == "p-value":
            return model.treatment(), used
        else:
            raise NotAnalysed(f"{self._analysis.id}: {operation.id} needs a comparison or doses")
        if name not in _ESTIMATES:
            raise NotAnalysed(f"{self._analysis.id}: operation {operation.id} ({operation.name}) is not known")
        return _ESTIMATES[name](found), used

    def _model(self, rows: Sequence[int]) -> tuple[Model, list[int]]:
        if self._split or not self._compared:
            raise NotAnalysed(f"{self._analysis.id}: the model compares the groups of a grouping, in one model")
        if self._fitted is None:
            treatment, *factors = self._compared
            covariates = [each.strip() for each in self._analysis.parameter("covariates").split(",") if each.strip()]
            found: list[Observed] = []
            used: list[int] = []
            for at in rows:
                one = self._observed(at, treatment, factors, covariates)
                if one is not None:
                    found.append(one)
                    used.append(at)
            if len(self._people(used)) != len(used):
                raise NotAnalysed(f"{self._analysis.id}: a subject has more than one row")
            self._fitted = Model(found, len(self._names(treatment)), self._doses(treatment)), used
        return self._fitted

    def _observed(
        self, at: int, treatment: Grouping, factors: Sequence[Grouping], covariates: Sequence[str]
    ) -> Observed | None:
        """Return what a row adds to the model; None where something of it is not there."""
        row = self._rows[at]
        unknown = [each for each in covariates if each not in row]
        if unknown:
            raise NotAnalysed(f"{self._analysis.id}: {self._analysis.dataset} has no variable {unknown[0]}")
        response = _number(row.get(self._analysis.variable))
        numbers = [_number(row[each]) for each in covariates]
        told = [[name for name, places in self._groups(each).items() if at in places] for each in (treatment, *factors)]
        if response is None or None in numbers or not all(told):
            return None
        (group, *_), *levels = told
        return Observed(
            response,
            self._names(treatment).index(group),
            tuple(each[0] for each in levels),
            tuple(each for each in numbers if each is not None),
        )

    def _doses(self, treatment: Grouping) -> list[float]:
        told = self._analysis.parameter("doses")
        found = [number for each in told.split(",") if (number := _written(each)) is not None] if told else []
        if told and len(found) != len(self._names(treatment)):
            raise NotAnalysed(f"{self._analysis.id}: doses are a number for each group of {treatment.id}")
        return found

    # Tables of counts -----------------------------------------------------------------------------------------------

    def _contingency(self, rows: Sequence[int]) -> list[list[int]]:
        """Return distinct subjects by the groups of two groupings, or by one and whether they have a chosen row."""
        first, *rest = self._compared
        if rest:
            seconds, here = self._groups(rest[0]).values(), frozenset(rows)
            return [
                [len(self._people(sorted(here & one & two))) for two in seconds] for one in self._groups(first).values()
            ]
        table = first.grouping_dataset or self._analysis.dataset
        if table == self._analysis.dataset:
            raise NotAnalysed(f"{self._analysis.id}: a test of one grouping needs subjects of another table")
        having = self._people(rows)
        whole: dict[str, set[str]] = {each.id: set() for each in first.groups}
        for row in self._table(table).rows:
            if self._holds(self._set, row, table) and self._holds(self._subset, row, table, own=False):
                for name in self._names_of(first, row, table):
                    whole.setdefault(name, set()).add(str(row[SUBJECT]))
        return [[len(each & having), len(each - having)] for each in whole.values()]


def _same_kind(value: Cell, told: str | float | None) -> Cell:
    """Return what a condition compares with, as a number where the value is one."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or told is None:
        return told if told is None or isinstance(told, str) else str(told)
    try:
        return Decimal(str(told))
    except ArithmeticError:
        return str(told)


def _number(value: Cell) -> float | None:
    return float(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def _written(text: str) -> float | None:
    try:
        found = float(Decimal(text.strip()))
    except ArithmeticError:
        return None
    return found if math.isfinite(found) else None


# Statistics --------------------------------------------------------------------------------------------------------


def mean(values: Sequence[float]) -> float:
    """Return the mean; not a number of nothing."""
    return math.fsum(values) / len(values) if values else math.nan


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample; not a number of fewer than two values."""
    if len(values) < 2:
        return math.nan
    middle = mean(values)
    return math.sqrt(math.fsum((each - middle) ** 2 for each in values) / (len(values) - 1))


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile of the empirical distribution, averaged where it steps (SAS PCTLDEF=5); not a number of nothing."""
    if not values:
        return math.nan
    ordered, at = sorted(values), len(values) * share
    whole = math.floor(at)
    if at == whole:
        return (ordered[max(whole - 1, 0)] + ordered[min(whole, len(ordered) - 1)]) / 2
    return ordered[whole]


_CONTINUOUS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "count of non-missing values": lambda values: float(len(values)),
    "mean": mean,
    "standard deviation": deviation,
    "median": lambda values: quantile(values, 0.5),
    "first quartile": lambda values: quantile(values, 0.25),
    "third quartile": lambda values: quantile(values, 0.75),
    "minimum": lambda values: min(values, default=math.nan),
    "maximum": lambda values: max(values, default=math.nan),
}
_ESTIMATES: Final[Mapping[str, Callable[[Estimate], float]]] = {
    "difference of least squares means": lambda told: told.value,
    "slope": lambda told: told.value,
    "standard error": lambda told: told.error,
    "lower confidence limit": lambda told: told.lower,
    "upper confidence limit": lambda told: told.upper,
    "p-value": lambda told: told.p,
}
OPERATIONS: Final = ("count of subjects", "percent of subjects", *_CONTINUOUS, *_ESTIMATES)


def anova(groups: Sequence[Sequence[float]]) -> float:
    """Return the p-value of an analysis of variance in one way; not a number where it has no degree of freedom."""
    from scipy.special import fdtrc  # type: ignore[import-untyped] # noqa: PLC0415 -- the extra may not be installed

    groups = [each for each in groups if each]
    count = sum(map(len, groups))
    between, within = len(groups) - 1, count - len(groups)
    if between < 1 or within < 1:
        return math.nan
    whole = mean([value for each in groups for value in each])
    middles = [mean(each) for each in groups]
    explained = math.fsum(len(each) * (middle - whole) ** 2 for each, middle in zip(groups, middles, strict=True))
    rest = math.fsum((value - middle) ** 2 for each, middle in zip(groups, middles, strict=True) for value in each)
    if not rest:
        return math.nan if not explained else 0.0
    return float(fdtrc(between, within, (explained / between) / (rest / within)))


def _margins(counts: Sequence[Sequence[int]]) -> tuple[list[list[int]], list[int], list[int]]:
    """Return a table without empty rows and columns, and its margins."""
    columns = [at for at in range(len(counts[0])) if any(row[at] for row in counts)] if counts else []
    kept = [[row[at] for at in columns] for row in counts if any(row)]
    return kept, [sum(row) for row in kept], [sum(row[at] for row in kept) for at in range(len(columns))]


def chi_squared(counts: Sequence[Sequence[int]]) -> float:
    """Return Pearson's p-value of a table of counts, empty rows and columns left out; not a number below two by two."""
    from scipy.special import chdtrc  # noqa: PLC0415 -- the extra may not be installed

    kept, rows, columns = _margins(counts)
    if len(rows) < 2 or len(columns) < 2:
        return math.nan
    whole = sum(rows)
    statistic = math.fsum(
        (kept[i][j] - rows[i] * columns[j] / whole) ** 2 / (rows[i] * columns[j] / whole)
        for i in range(len(rows))
        for j in range(len(columns))
    )
    return float(chdtrc((len(rows) - 1) * (len(columns) - 1), statistic))


def fisher(counts: Sequence[Sequence[int]]) -> float:
    """Return the two-sided p-value of Fisher's exact test of a table of any size. Raises NotAnalysed for too many tables.

    Probability of a table: product of row and column factorials by those of the whole and of every cell.
    """
    kept, rows, columns = _margins(counts)
    if len(rows) < 2 or len(columns) < 2:
        return 1.0
    if len(columns) > len(rows):
        kept, rows, columns = [list(each) for each in zip(*kept, strict=True)], columns, rows
    ours = -sum(math.lgamma(cell + 1) for row in kept for cell in row)
    fixed = sum(math.lgamma(each + 1) for each in (*rows, *columns)) - math.lgamma(sum(rows) + 1)
    # Row by row: what is left of the columns → (log weights of the tables so far). Equal rests are one state.
    states: dict[tuple[int, ...], list[float]] = {tuple(columns): [0.0]}
    for size in rows[:-1]:
        following: dict[tuple[int, ...], list[float]] = {}
        total = 0
        for rest, weights in states.items():
            for part in _parts(size, rest):
                weight = sum(math.lgamma(each + 1) for each in part)
                left = tuple(have - taken for have, taken in zip(rest, part, strict=True))
                following.setdefault(left, []).extend(each - weight for each in weights)
                total += len(weights)
                if total > MOST_TABLES:
                    raise NotAnalysed(f"Fisher's test of {len(rows)} by {len(columns)}: more than {MOST_TABLES} tables")
        states = following
    logs = [each - sum(math.lgamma(cell + 1) for cell in rest) for rest, weights in states.items() for each in weights]
    return min(1.0, math.fsum(math.exp(fixed + each) for each in logs if each <= ours + _SLACK))


def _parts(size: int, most: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield the ways to take `size` from columns that have so many left."""
    if len(most) == 1:
        if size <= most[0]:
            yield (size,)
        return
    for first in range(max(0, size - sum(most[1:])), min(size, most[0]) + 1):
        for rest in _parts(size - first, most[1:]):
            yield (first, *rest)


def printed(value: float, pattern: str | None) -> str:
    """Return a number by a pattern of ARS (`( XX.X)`): as many decimals as it has, half away from zero, as wide within brackets."""
    if math.isnan(value):
        return "NE"  # not estimable
    found = _PATTERN.search(pattern or "")
    if pattern is None or found is None:
        return repr(value)
    decimals = len(found[1] or "")
    shown = format(Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP), "f")
    return f"{pattern[: found.start()]}{shown.rjust(len(found[0]))}{pattern[found.end() :]}".strip()
