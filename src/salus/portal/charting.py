"""For staff: find a patient, read the chart, see where each fact came from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.responses import Response

from salus.node.errors import Malformed, NotFound
from salus.node.records.charts import ChartLine, Patient, find_patients, show_chart, show_record
from salus.node.records.measures import Measure, list_measures, values_of
from salus.node.sessions import Session
from salus.portal.benefits import benefits
from salus.portal.trend import trend
from salus.portal.visiting import Visit, to

PAGE: Final = 50
SUMMARY: Final = ("AllergyIntolerance", "Condition", "MedicationRequest", "Immunization", "DocumentReference")
SUMMARY_LINES: Final = 500
FILTERS: Final = (
    "AllergyIntolerance", "Condition", "DiagnosticReport", "DocumentReference", "Encounter", "ImagingStudy",
    "Immunization", "MedicationRequest", "Observation", "Procedure",
)  # fmt: skip
EMPTY: Final = {"name": "", "birth_date": "", "identifier": ""}


@dataclass(frozen=True, slots=True)
class OneChart:
    """Whose chart an address of this session names."""

    patient: Patient

    @property
    def fields(self) -> dict[str, str]:
        """What use cases ask for."""
        return {"grant": self.patient.grant} if self.patient.grant else {"link": self.patient.link}


@dataclass(frozen=True, slots=True)
class OneRecord:
    """A record that an address of this session names, in its chart."""

    number: int
    back: str
    """Address of the chart, or of the emergency access."""
    label: str
    date: str
    status: str
    purpose: str = "TREAT"


@dataclass(frozen=True, slots=True)
class OneMeasure:
    """A kind of measurement that an address of this session names."""

    code: str
    unit: str


def patients(visit: Visit) -> Response:
    """Show the search, and what the last search of this session finds now."""
    session = visit.staff()
    found = None
    if session.search is not None:
        answer = visit.call(find_patients, **session.search)
        found = [(one, f"/chart/{_chart(session, one)}") for one in answer.patients]
    return visit.page("patients", search=session.search or EMPTY, found=found)


def search(visit: Visit) -> Response:
    """Keep what to look for in the session, so that no address tells it; then show the result. Raises Malformed."""
    session = visit.staff()
    session.search = sought(visit)
    return to("/patients")


def sought(visit: Visit, side: str = "") -> dict[str, str]:
    """Return what a form looks for, its fields' names ending in `side`. Raises Malformed."""
    number, system = visit.one(f"identifier{side}"), visit.one(f"system{side}")
    asked = {
        "name": visit.one(f"name{side}"),
        "birth_date": visit.one(f"birth_date{side}"),
        "identifier": f"{system}|{number}" if number and system else number,
    }
    if not any(asked.values()):
        raise Malformed("find.empty", "nothing to look for was given", todo="type a name, a birth date or a number")
    return asked


def forget(visit: Visit) -> Response:
    """Forget the last search."""
    visit.staff().search = None
    return to("/patients")


def summary(visit: Visit) -> Response:
    """Show what counts of a patient, by kind, and where entries say the same twice or contradict each other."""
    session, name, chart = _named(visit)
    found = visit.call(show_chart, **chart.fields, types=SUMMARY, limit=SUMMARY_LINES)
    alike = _alike(found.lines)
    groups = [
        (
            kind,
            [(line, record_path(session, _line(name, line)), alike[line]) for line in found.lines if line.type == kind],
        )
        for kind in SUMMARY
    ]
    return visit.page("summary", name=name, patient=chart.patient, tab="", groups=groups, total=found.total)


def _alike(lines: Sequence[ChartLine]) -> dict[ChartLine, str]:
    """Return for each line whether another says the same of one day: `twice`, `differs` by its status, or nothing."""
    told: dict[tuple[str, str, str], list[str]] = {}
    for line in lines:
        told.setdefault((line.type, line.label.casefold(), line.date[:10]), []).append(line.status)
    found = {}
    for line in lines:
        statuses = told[line.type, line.label.casefold(), line.date[:10]]
        several = bool(line.label) and len(statuses) > 1
        found[line] = ("twice" if len(set(statuses)) == 1 else "differs") if several else ""
    return found


def timeline(visit: Visit) -> Response:
    """Show the records of a patient, newest first, by type and time."""
    session, name, chart = _named(visit)
    types = tuple(one for one in visit.request.query_params.getlist("type") if one in FILTERS)
    since, until = visit.asked("since"), visit.asked("until")
    found = visit.call(
        show_chart, **chart.fields, types=types, since=since, until=until, limit=PAGE, cursor=visit.asked("after")
    )
    lines = [(line, record_path(session, _line(name, line))) for line in found.lines]
    return visit.page(
        "timeline",
        name=name,
        patient=chart.patient,
        tab="timeline",
        lines=lines,
        found=found,
        filters=FILTERS,
        types=types,
        since=since,
        until=until,
    )


def results(visit: Visit) -> Response:
    """Show the newest value of everything that was measured."""
    session, name, chart = _named(visit)
    found = visit.call(list_measures, **chart.fields)
    measures = [(one, _measure(session, name, one)) for one in found.measures]
    return visit.page("results", name=name, patient=chart.patient, tab="results", found=found, measures=measures)


def measure(visit: Visit) -> Response:
    """Show one measurement over time: the trend, and every value with its record. Raises NotFound."""
    session, name, chart = _named(visit)
    asked = session.thing(visit.part("measure"))
    if not isinstance(asked, OneMeasure):
        raise NotFound("session.address", "this address names no measurement")
    found = visit.call(list_measures, **chart.fields)
    one = next((each for each in found.measures if (each.code, each.unit) == (asked.code, asked.unit)), None)
    if one is None:
        raise NotFound("chart.measure", "this is not in the chart any more", todo="go back to the results")
    points = [
        (point, record_path(session, OneRecord(point.number, f"/chart/{name}", one.label, point.date, "")))
        for point in one.points
    ]
    return visit.page(
        "measure",
        name=name,
        patient=chart.patient,
        tab="results",
        measure=one,
        points=points,
        trend=trend(one.points),
    )


def record(visit: Visit) -> Response:
    """Show one record as its writer received it, with its source and proof. Raises NotFound."""
    session = visit.staff()
    asked = session.thing(visit.part("name"))
    if not isinstance(asked, OneRecord):
        raise NotFound("session.address", "this address names no record")
    shown = visit.call(show_record, number=asked.number, purpose=asked.purpose)
    return visit.page(
        "record",
        record=shown,
        line=asked,
        values=[(what, f"{value} {unit}".strip()) for _, what, value, unit in measured(shown.type, shown.body)],
        text=indented(shown.body),
        benefits=benefits(shown.type, shown.body),
        back=asked.back,
    )


def measured(kind: str, body: str) -> list[tuple[str, str, str, str]]:
    """Return (code, label, value, unit) of an observation and its components; nothing of any other record."""
    return list(values_of(body.encode())) if kind == "Observation" else []


def indented(body: str) -> str:
    """Return JSON with line breaks; its numbers stay as they were written."""
    try:
        return msgspec.json.format(body.encode(), indent=2).decode()
    except msgspec.DecodeError:
        return json.dumps(body)


def _named(visit: Visit) -> tuple[Session, str, OneChart]:
    """Return the session, the name and the chart that the address names. Raises Unauthenticated, NotFound."""
    session = visit.staff()
    name = visit.part("name")
    chart = session.thing(name)
    if not isinstance(chart, OneChart):
        raise NotFound("session.address", "this address names no chart", todo="find the patient again")
    return session, name, chart


def _chart(session: Session, patient: Patient) -> str:
    return session.name(OneChart(patient), "chart", patient.link, patient.grant)


def _line(chart: str, line: ChartLine) -> OneRecord:
    return OneRecord(line.number, f"/chart/{chart}", line.label, line.date, line.status)


def record_path(session: Session, one: OneRecord) -> str:
    """Return the address, in this session, of a record."""
    return f"/record/{session.name(one, 'record', str(one.number))}"


def _measure(session: Session, chart: str, one: Measure) -> str:
    return f"/chart/{chart}/results/{session.name(OneMeasure(one.code, one.unit), 'measure', one.code, one.unit)}"
