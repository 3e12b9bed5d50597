"""A study's tabulations (SDTM) held against its plan: visits outside their windows, missing consents, contradictions.

What the data does not hold cannot be judged, and is told as such. Every finding shows the row and its arithmetic.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from salus.agreements.trials.plan import Plan, Visit
from salus.agreements.trials.windows import Verdict, judge
from salus.interop.cdisc.dataset_json import Dataset
from salus.interop.cdisc.times import Moment, moment

SCREEN_FAILURE: Final = frozenset({"SCREEN FAILURE", "SCRNFAIL", "NOTASSGN", "NOT ASSIGNED"})
CONSENTED: Final = "INFORMED CONSENT OBTAINED"
UNSCHEDULED: Final = re.compile(r"UNSCHED|UNPLANNED", re.IGNORECASE)
PLACES: Final = re.compile(r"[^a-z0-9]+")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that the data says against the plan or against itself."""

    rule: str
    """`visit.window`, `consent.missing`, `contradiction.…`."""
    domain: str
    row: int
    """Number of the row in its table, from 1."""
    subject: str
    """Subject identifier as the data gives it."""
    told: str
    """The arithmetic, or what contradicts what."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of a check."""

    found: tuple[Found, ...]
    subjects: int
    judged: int
    """Visits held against a window."""
    undecided: int
    """Visits whose window is in hours while the data has a date alone, or whose date or anchor is not complete."""
    unmatched: Mapping[str, int]
    """Names of visits that the protocol does not have, with how often they came."""
    absent: tuple[str, ...]
    """Domains that were not there, and what could not be checked without them."""


def check(plan: Plan, datasets: Mapping[str, Dataset]) -> Checked:
    """Hold the domains DM, DS and SV, and the dates of all others, against a plan. Domains are keyed by name."""
    tables = {name: list(_rows(dataset)) for name, dataset in datasets.items()}
    people = {str(row.get("USUBJID")): row for _, row in tables.get("DM", ())}
    checking = _Visits(plan, tables.get("SV", []))
    found = [
        *_people(plan, tables.get("DM", [])),
        *_consents(tables),
        *checking.found,
        *_contradictions(people, tables),
    ]
    wanted = {"DM": "consents, arms, deaths", "DS": "consents by disposition", "SV": "visits and their windows"}
    absent = tuple(f"{name}: {what}" for name, what in wanted.items() if name not in tables)
    subjects = {str(row.get("USUBJID")) for rows in tables.values() for _, row in rows if row.get("USUBJID")}
    return Checked(tuple(found), len(subjects), checking.judged, checking.undecided, checking.unmatched, absent)


def _rows(dataset: Dataset) -> Iterator[tuple[int, Row]]:
    names = [column.name for column in dataset.columns]
    for number, row in enumerate(dataset.rows, 1):
        yield number, dict(zip(names, row, strict=True))


def _when(row: Row, name: str) -> Moment | None:
    value = row.get(name)
    return moment(value) if isinstance(value, str) else None


def _plain(text: Any) -> str:
    return PLACES.sub(" ", str(text).lower()).strip()


def _people(plan: Plan, people: list[tuple[int, Row]]) -> Iterator[Found]:
    arms = {_plain(each) for arm in plan.arms for each in (arm.name, arm.label)}
    seen: dict[str, int] = {}
    for number, row in people:
        subject, arm = str(row.get("USUBJID")), str(row.get("ARM") or "")
        if subject in seen:
            yield Found("contradiction.subject-twice", "DM", number, subject, f"also in row {seen[subject]}")
        seen.setdefault(subject, number)
        if arm and arm.upper() not in SCREEN_FAILURE and _plain(arm) not in arms:
            yield Found("contradiction.arm", "DM", number, subject, f"ARM {arm} is no arm of the protocol")


def _consents(tables: Mapping[str, list[tuple[int, Row]]]) -> Iterator[Found]:
    consents: dict[str, Moment] = {}
    for domain, name in (("DM", "RFICDTC"), ("DS", "DSSTDTC")):
        for _, row in tables.get(domain, ()):
            when = _when(row, name)
            if when is not None and (domain == "DM" or str(row.get("DSDECOD", "")).upper() == CONSENTED):
                consents.setdefault(str(row.get("USUBJID")), when)
    firsts: dict[str, tuple[Moment, int]] = {}
    for number, row in tables.get("SV", ()):
        when, subject = _when(row, "SVSTDTC"), str(row.get("USUBJID"))
        if when is not None and (subject not in firsts or when.day < firsts[subject][0].day):
            firsts[subject] = (when, number)
    for number, row in tables.get("DM", ()):
        subject = str(row.get("USUBJID"))
        consent, first = consents.get(subject), firsts.get(subject)
        if consent is None:
            yield Found("consent.missing", "DM", number, subject, f"neither RFICDTC nor DS says {CONSENTED}")
        elif first is not None and first[0].day < consent.day:
            told = f"first visit {consent.day - first[0].day} days before consent"
            yield Found("consent.late", "SV", first[1], subject, told)


class _Visits:
    """The visits of all subjects, each held against its window."""

    def __init__(self, plan: Plan, rows: list[tuple[int, Row]]) -> None:
        self.found: list[Found] = []
        self.judged = self.undecided = 0
        self.unmatched: dict[str, int] = {}
        self._visits = _by_name(plan)
        of_subject: dict[str, dict[str, tuple[int, Row]]] = {}
        for number, row in rows:
            name, subject = str(row.get("VISIT") or ""), str(row.get("USUBJID"))
            visit = self._visits.get(_plain(name))
            if visit is None:
                if not UNSCHEDULED.search(name):
                    self.unmatched[name] = self.unmatched.get(name, 0) + 1
                continue
            first = of_subject.setdefault(subject, {}).setdefault(visit.id, (number, row))
            if first[0] != number:
                told = f"{name} is already in row {first[0]}"
                self.found.append(Found("contradiction.visit-twice", "SV", number, subject, told))
        for subject, visits in of_subject.items():
            self._judge(subject, visits)

    def _judge(self, subject: str, visits: Mapping[str, tuple[int, Row]]) -> None:
        for visit in {each.id: each for each in self._visits.values()}.values():
            placement = visit.placement
            if visit.id not in visits or placement is None or placement.window is None:
                continue
            number, row = visits[visit.id]
            _, anchor_row = visits.get(placement.anchor, (0, {}))
            actual = _when(row, "SVENDTC" if placement.from_end else "SVSTDTC")
            anchor = _when(anchor_row, "SVENDTC" if placement.to_end else "SVSTDTC")
            judgement = judge(placement, anchor, actual) if actual is not None and anchor is not None else None
            if judgement is None or judgement.verdict is Verdict.UNDECIDED:
                self.undecided += 1
                continue
            self.judged += 1
            if judgement.verdict is Verdict.OUTSIDE:
                self.found.append(Found("visit.window", "SV", number, subject, judgement.arithmetic))


def _by_name(plan: Plan) -> dict[str, Visit]:
    """Return the visits of the main timeline by the names that data may give them: the first visit of an encounter."""
    names: dict[str, Visit] = {}
    encounters = {each.id: each for each in plan.encounters}
    for visit in plan.main.visits:
        encounter = encounters.get(visit.encounter)
        for text in (encounter.label, encounter.name) if encounter else (visit.label, visit.name):
            if text:
                names.setdefault(_plain(text), visit)
    chosen = {visit.encounter or visit.id: visit for visit in reversed(plan.main.visits)}
    return {name: visit for name, visit in names.items() if chosen[visit.encounter or visit.id] is visit}


def _contradictions(people: Mapping[str, Row], tables: Mapping[str, list[tuple[int, Row]]]) -> Iterator[Found]:
    for domain, rows in tables.items():
        start, end, day = f"{domain}STDTC", f"{domain}ENDTC", f"{domain}STDY"
        for number, row in rows:
            subject = str(row.get("USUBJID") or "")
            if subject and people and subject not in people:
                yield Found("contradiction.no-such-subject", domain, number, subject, "not in DM")
                continue
            first, last = _when(row, start), _when(row, end)
            if first is not None and last is not None and last.day < first.day:
                told = f"{end} {row[end]} is before {start} {row[start]}"
                yield Found("contradiction.ends-before-start", domain, number, subject, told)
            person = people.get(subject, {})
            died = _when(person, "DTHDTC")
            if domain == "SV" and died is not None and first is not None and first.day > died.day:
                yield Found("contradiction.visit-after-death", domain, number, subject, f"died {person['DTHDTC']}")
            reference, told_day = _when(person, "RFSTDTC"), row.get(day)
            if first is not None and reference is not None and type(told_day) is int:
                distance = first.day - reference.day
                due = distance + (distance >= 0)
                if told_day != due:
                    told = f"{day} {told_day}, but {row[start]} is day {due} of {person['RFSTDTC']}"
                    yield Found("contradiction.study-day", domain, number, subject, told)
