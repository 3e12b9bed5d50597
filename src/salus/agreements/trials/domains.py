"""What forms collected as SDTM tables, by the aliases that ODM gives its items; and the study day that dates are counted in.

    alias     VARIABLE, or DOMAIN.VARIABLE, or either with `where TESTCD-VARIABLE=TEST` behind it: the row of that test. A
              variable without a domain is of the domain that its first two letters name, or of DM if DM has it
    row       one of each form (visit, repeat) and domain, or of each test that its items name; what names no test stands
              in each of them
    --SEQ     numbers a participant's rows by day and in the order of forms
    --DTC     the day of what was entered, unless an item says it; --DY, --STDY, --ENDY: days from the visit that terms name
              as their reference, which is day 1, the day before it -1 (SDTMIG v3.4, 4.4.4)

An item of AE, in a form whose repeat is the number of the act that told an event, is a column of that event's row. Values stand
as entered. What an alias says that is not understood stays in ODM alone, as do items of DS, SV, DV and IE, whose tables are made
from acts.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from salus.agreements.trials.conduct import Entry
from salus.agreements.trials.design_tables import Variable, dataset, numbered
from salus.agreements.trials.participants import Participant
from salus.agreements.trials.plan import Item, Plan
from salus.interop.cdisc.dataset_json import Cell, Dataset, DataType
from salus.interop.cdisc.times import moment

_ALIAS: Final = re.compile(r"(?:([A-Z]{2})\.)?([A-Z][A-Z0-9]{1,7})(?: where ([A-Z][A-Z0-9]{1,7})=([A-Z0-9_]{1,40}))?")
MADE: Final = frozenset(("DM", "DS", "SV", "AE", "DV", "IE", "TA", "TE", "TV", "TI", "TS"))
"""Domains that are made from acts or from the protocol; of DM, forms add columns."""
DEMOGRAPHICS: Final = {
    "RFXSTDTC": "Date/Time of First Study Treatment",
    "RFXENDTC": "Date/Time of Last Study Treatment",
    "RFPENDTC": "Date/Time of End of Participation",
    "DTHDTC": "Date/Time of Death",
    "DTHFL": "Subject Death Flag",
    "BRTHDTC": "Date/Time of Birth",
    "AGE": "Age",
    "AGEU": "Age Units",
    "SEX": "Sex",
    "RACE": "Race",
    "ETHNIC": "Ethnicity",
    "COUNTRY": "Country",
    "DMDTC": "Date/Time of Collection",
}
"""What forms may know of a subject (SDTMIG v3.4, 5.2), in DM's order."""
_DERIVED: Final = ("STUDYID", "DOMAIN", "USUBJID", "VISITNUM", "VISIT")
_NUMBERS: Final[Mapping[str, DataType]] = {
    "integer": "integer",
    "decimal": "decimal",
    "float": "decimal",
    "double": "decimal",
}
_NUMBER: Final = {"integer": re.compile(r"0|-?[1-9]\d{0,14}"), "decimal": re.compile(r"-?\d{1,30}(?:\.\d{1,30})?")}


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a value stands in SDTM."""

    domain: str
    variable: str
    of: str = ""
    """The variable that names the test, or empty."""
    test: str = ""


def usubjid(plan: Plan, one: Participant) -> str:
    """Return a participant's identifier."""
    return f"{plan.study}.{one.site}.{one.subject}"


def placed(alias: str) -> Placed | None:
    """Return where an alias puts a value, or None if it says nothing that is understood."""
    found = _ALIAS.fullmatch(alias)
    if found is None:
        return None
    domain, variable, of, test = (each or "" for each in found.groups())
    domain = domain or ("DM" if variable in DEMOGRAPHICS else variable[:2])
    if variable in _DERIVED or variable == f"{domain}SEQ":
        return None
    return Placed(domain, variable, of, test)


@dataclass(slots=True)
class _Record:
    """One row as it is gathered."""

    visit: str
    day: str = ""
    values: dict[str, str] = field(default_factory=dict)


def day_of_study(date: str, reference: str) -> int | None:
    """Return the study day of an ISO 8601 date, or None for one that is partial, or without a reference."""
    when, first = moment(date), moment(reference)
    if when is None or first is None:
        return None
    apart = when.day - first.day
    return apart + 1 if apart >= 0 else apart


class Collected:
    """What forms collected of a study, by the aliases of one version of its plan."""

    def __init__(self, plan: Plan, reference: str = "") -> None:
        """Read a plan's aliases. `reference` is the id of the visit that study days are counted from; empty: none are."""
        self._plan, self.reference = plan, reference
        self._items: dict[tuple[str, str], tuple[Item, Placed]] = {}
        for form in plan.forms:
            for item in form.items:
                where = placed(item.alias) if item.alias else None
                if where is not None:
                    self._items[form.activity, item.name] = (item, where)

    def began(self, one: Participant) -> str:
        """Return the date that a participant's study days are counted from; empty without one."""
        return one.state.visits.get(self.reference, "") if self.reference else ""

    def demographics(self) -> list[Variable]:
        """Return the variables of DM that forms know."""
        known = {where.variable: item for item, where in self._items.values() if where.domain == "DM"}
        return [(name, label, _type(name, known[name])) for name, label in DEMOGRAPHICS.items() if name in known]

    def of(self, one: Participant, variables: Sequence[Variable]) -> tuple[str | None, ...]:
        """Return what is newest of a participant in variables of DM, as entered."""
        newest: dict[str, Entry] = {}
        for _, where, entry in self._entries(one):
            before = newest.get(where.variable)
            if where.domain == "DM" and (before is None or _when(before) < _when(entry)):
                newest[where.variable] = entry
        return tuple(newest[name].value if name in newest else None for name, _, _ in variables)

    def of_event(self, one: Participant, number: int, variables: Sequence[Variable]) -> tuple[str | None, ...]:
        """Return what forms say of the event that an act told, in variables of AE, as entered."""
        told = {
            where.variable: entry.value
            for form, where, entry in self._entries(one)
            if where.domain == "AE" and form[2] == str(number)
        }
        return tuple(told.get(name) for name, _, _ in variables)

    def events(self, made: Sequence[Variable]) -> list[Variable]:
        """Return the variables of AE that forms know beside those that are made from acts."""
        names = {name for name, _, _ in made}
        known = {where.variable: item for item, where in self._items.values() if where.domain == "AE"}
        return [(name, item.name, _type(name, item)) for name, item in known.items() if name not in names]

    def _entries(self, one: Participant) -> Iterator[tuple[tuple[str, str, str], Placed, Entry]]:
        """Yield ((visit, activity, repeat), where it stands, newest entry) of each item that stands somewhere."""
        for place, entries in one.state.items.items():
            visit, activity, repeat, name = place.split("/", 3)
            found = self._items.get((activity, name))
            if found is not None and entries[-1].value:
                yield (visit, activity, repeat), found[1], entries[-1]

    def tables(self, participants: Sequence[Participant], created: str) -> tuple[Dataset, ...]:
        """Return a table of each domain that forms collect and acts do not make."""
        domains = {where.domain for _, where in self._items.values()} - MADE
        return tuple(self._table(each, participants, created) for each in sorted(domains))

    def _table(self, domain: str, participants: Sequence[Participant], created: str) -> Dataset:
        visits = numbered(self._plan)
        columns, days = self._columns(domain)
        rows: list[tuple[Cell, ...]] = []
        for one in participants:
            records = sorted(self._records(domain, one), key=lambda each: each.values.get(f"{domain}DTC") or each.day)
            for number, record in enumerate(records, 1):
                values = {f"{domain}DTC": record.day} | record.values
                told: list[Cell] = [values.get(name) or None for name, _, _ in columns]
                told += [day_of_study(values.get(date, ""), self.began(one)) for _, date in days]
                visit = visits.get(record.visit, (None, "UNSCHEDULED"))
                rows.append((self._plan.study, domain, usubjid(self._plan, one), number, *visit, *told))
        variables: list[Variable] = [
            ("STUDYID", "Study Identifier", "string"),
            ("DOMAIN", "Domain Abbreviation", "string"),
            ("USUBJID", "Unique Subject Identifier", "string"),
            (f"{domain}SEQ", "Sequence Number", "integer"),
            ("VISITNUM", "Visit Number", "integer"),
            ("VISIT", "Visit Name", "string"),
            *columns,
            *((name, "Study Day", "integer") for name, _ in days),
        ]
        return dataset(domain, f"Collected of {domain}", created, *typed(variables, rows))

    def _columns(self, domain: str) -> tuple[list[Variable], list[tuple[str, str]]]:
        """Return a domain's variables in the order of forms, and (study day, date it is of)."""
        found: dict[str, Variable] = {}
        for item, where in self._items.values():
            if where.domain == domain:
                if where.of:
                    found.setdefault(where.of, (where.of, "Test", "string"))
                found.setdefault(where.variable, (where.variable, item.name, _type(where.variable, item)))
        found.setdefault(f"{domain}DTC", (f"{domain}DTC", "Date/Time of Collection", "string"))
        days = [(f"{domain}{part}DY", f"{domain}{part}DTC") for part in ("", "ST", "EN")] if self.reference else []
        return list(found.values()), [(name, date) for name, date in days if date in found and name not in found]

    def _records(self, domain: str, one: Participant) -> list[_Record]:
        """Return a participant's rows of a domain, in the order of their forms."""
        forms: dict[tuple[str, str, str], dict[tuple[str, str], _Record]] = {}
        for form, where, entry in self._entries(one):
            if where.domain == domain:
                record = forms.setdefault(form, {}).setdefault((where.of, where.test), _Record(form[0]))
                record.values[where.variable] = entry.value
                record.day = max(record.day, entry.happened)
        rows: list[_Record] = []
        for tests in forms.values():
            shared = tests.pop(("", ""), None) if len(tests) > 1 else None
            for (of, test), record in tests.items():
                common = shared.values if shared is not None else {}
                record.values = common | ({of: test} if of else {}) | record.values
                rows.append(record)
        return rows


def _when(entry: Entry) -> tuple[str, int]:
    return entry.happened, entry.number


def _type(variable: str, item: Item) -> DataType:
    """Return a variable's type: results as they were reported are text whatever they look like."""
    if variable.endswith(("ORRES", "STRESC")):
        return "string"
    return _NUMBERS.get(item.datatype, "string")


def typed(
    variables: Sequence[Variable], rows: Sequence[Sequence[Cell]]
) -> tuple[list[Variable], list[tuple[Cell, ...]]]:
    """Return variables and rows with whole numbers as such; a variable of numbers that holds anything else is text.

    A whole number with zeros before it is text, too: written out, every number is what was entered.
    """
    told = list(variables)
    columns: list[Sequence[Cell]] = [[row[at] for row in rows] for at in range(len(variables))]
    for at, (name, label, type_) in enumerate(variables):
        texts = [cell for cell in columns[at] if isinstance(cell, str)]
        if type_ in _NUMBERS.values() and not all(_NUMBER[type_].fullmatch(text) for text in texts):
            told[at] = (name, label, "string")
        elif type_ == "integer":
            columns[at] = [int(cell) if isinstance(cell, str) else cell for cell in columns[at]]
    return told, list(zip(*columns, strict=True)) if rows else []
