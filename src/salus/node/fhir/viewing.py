"""`$viewdefinition-run` (SQL on FHIR v2): a ViewDefinition over the member's own records, as a table for its own people.

The rows are of what the asker may see for the purpose; every record that was read stands in its patient's log before a row is
shown. No record is kept as rows, and nothing is read under a patient's grant to another member.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from salus.index.search import Hit
from salus.interop.fhir.times import interval
from salus.interop.fhir.tokens import ID, LIMITS, decode
from salus.interop.fhir.view import View, ViewFailed, ViewMalformed
from salus.node.errors import Fault, Forbidden
from salus.node.fhir.answers import BAD, NOT_ACCEPTABLE, UNPROCESSABLE, Answer, FhirRefused, Request, tree_of, value_of
from salus.node.fhir.asking import Asking
from salus.node.fhir.exporting import MAX_PATIENTS, PATIENT, scope_of
from salus.node.fhir.reading import Reading

RUN: Final = "$viewdefinition-run"
MAX_ROWS: Final = 100_000
"""Rows of one answer, which is made in memory."""
MAX_READ: Final = 100_000
"""Records of one answer: some 20 seconds of opening."""
PAGE: Final = 1_000
LEAST: Final = 20
"""Records opened at once under a small `_limit`: a filter of the view may leave out most."""
_JSON, _NDJSON, _CSV = "application/json", "application/x-ndjson", "text/csv"
FORMS: Final = {
    "json": _JSON,
    _JSON: _JSON,
    "ndjson": _NDJSON,
    _NDJSON: _NDJSON,
    "application/ndjson": _NDJSON,
    "application/fhir+ndjson": _NDJSON,
    "csv": _CSV,
    _CSV: _CSV,
}
_TAKEN: Final = "viewResource, _format (json, ndjson, csv), header, patient, _limit, _since"
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class _Asked(msgspec.Struct):
    """What a request says. since: Unix ms. limit: rows, 0 for all that one answer holds."""

    view: Any = None
    media: str = ""
    header: bool = True
    limit: int = 0
    since: int = 0
    patients: tuple[str, ...] = ()


class Viewing:
    """Answers `$viewdefinition-run` for one server."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def answer(self, asking: Asking, request: Request) -> Answer:
        """Return a view's table as JSON, NDJSON or CSV. Raises FhirRefused, Forbidden."""
        access = asking.caller.access
        if access is not None and access.own:
            raise Forbidden("fhir.staff", "views are for the member's own people", todo="read Patient/$everything")
        asked = _read(request)
        try:
            view = View(asked.view)
            asking.admit_search(view.definition.resource)
            rows = self._rows(asking, asked, view)
        except ViewMalformed as wrong:
            place = f"viewResource.{wrong.path}".rstrip(".")
            raise FhirRefused(UNPROCESSABLE, "fhir.view", wrong.what, path=place) from None
        except ViewFailed as wrong:
            raise FhirRefused(
                UNPROCESSABLE, "fhir.view-failed", str(wrong), todo="make the view fit the records"
            ) from None
        return Answer(200, _written(view, rows, asked), media=asked.media)

    def _rows(self, asking: Asking, asked: _Asked, view: View) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for body in self._bodies(asking, asked, view.definition.resource, lambda: asked.limit - len(rows)):
            rows.extend(view.rows([decode(body, LIMITS.bundle_bytes, LIMITS)]))
            if asked.limit and len(rows) >= asked.limit:
                return rows[: asked.limit]
            if len(rows) > MAX_ROWS:
                raise _too_many(f"{MAX_ROWS} rows")
        return rows

    def _bodies(self, asking: Asking, asked: _Asked, kind: str, wanted: Callable[[], int]) -> Iterator[bytes]:
        """Yield the records of a type, journalled a page at a time before they are opened."""
        search, until = asking.node.index.search, asking.node.index.position()
        scope = scope_of(asking, asked.patients)
        after, read, hits = 0, 0, list[Hit]()
        while True:
            page = min(PAGE, max(wanted(), LEAST)) if asked.limit else PAGE
            hits = search.exported(kind, scope, (after, until), since=asked.since, but=b"", limit=page)
            if not hits:
                return
            read += len(hits)
            if read > MAX_READ:
                raise _too_many(f"{MAX_READ} records")
            yield from self._reading.bodies(asking, hits, "view")
            after = hits[-1].number


def _read(request: Request) -> _Asked:
    """Return what a request asks: Parameters, and the same names in its URL. Raises FhirRefused."""
    tree = tree_of(request.body)
    many = tree.get("parameter")
    if tree.get("resourceType") != "Parameters" or not isinstance(many, list):
        raise FhirRefused(BAD, "fhir.parameters", "the parameters do not read", expected=f"Parameters: {_TAKEN}")
    asked = _Asked()
    for name, value in request.pairs:
        _take(asked, name, value)
    for one in many:
        told = one if isinstance(one, dict) else {}
        if told.get("name") == "viewResource" and asked.view is None:
            asked.view = told.get("resource")
        else:
            _take(asked, told.get("name"), value_of(told))
    if not isinstance(asked.view, dict):
        raise FhirRefused(
            BAD, "fhir.parameters", "there is no view", path="Parameters.parameter", expected="viewResource"
        )
    if len(asked.patients) > MAX_PATIENTS:
        raise FhirRefused(
            Fault(400, "too-costly"), "fhir.too-many", "too many patients are named", expected=f"at most {MAX_PATIENTS}"
        )
    asked.media = asked.media or _accepted(request.header("accept"))
    return asked


def _take(asked: _Asked, name: Any, value: Any) -> None:
    """Take up one parameter. Raises FhirRefused for what is not understood."""
    if name == "_format" and isinstance(value, str) and value.replace(" ", "+") in FORMS:
        asked.media = FORMS[value.replace(" ", "+")]
    elif name == "header" and str(value).lower() in {"true", "false"}:
        asked.header = str(value).lower() == "true"
    elif name == "_limit" and str(value).isascii() and str(value).isdigit() and 0 < int(str(value)[:9]) <= MAX_ROWS:
        asked.limit = int(str(value)[:9])
    elif name == "_since" and isinstance(value, str) and (found := interval(value.replace(" ", "+"))):
        asked.since = found[0]
    elif name == PATIENT and (own := _patient(value)):
        asked.patients += (own,)
    else:
        raise FhirRefused(
            Fault(400, "not-supported"), "fhir.parameter", f"{RUN} takes no such parameter or value",
            expected=f"{_TAKEN}; _limit from 1 to {MAX_ROWS}",
        )  # fmt: skip


def _patient(value: Any) -> str:
    """Return the id in a reference to a patient, "" where there is none."""
    told = value.get("reference") if isinstance(value, dict) else value
    own = told.removeprefix("Patient/") if isinstance(told, str) else ""
    return own if ID.fullmatch(own) else ""


def _accepted(header: str) -> str:
    """Return the first form of an Accept header that is spoken here. Raises FhirRefused."""
    for part in header.split(","):
        media = part.partition(";")[0].strip().lower()
        if media in FORMS:
            return FORMS[media]
        if media in {"", "*/*", "application/*", "application/fhir+json"}:
            return _NDJSON
    raise FhirRefused(
        NOT_ACCEPTABLE, "fhir.not-acceptable", "no such form of answer", expected=f"{_NDJSON}, {_JSON}, {_CSV}"
    )


def _too_many(most: str) -> FhirRefused:
    return FhirRefused(
        Fault(400, "too-costly"), "fhir.too-many", "the table is too long for one answer",
        expected=f"at most {most}", todo="name patients, a _since or a _limit; or use `salus research own`",
    )  # fmt: skip


def _written(view: View, rows: Sequence[tuple[Any, ...]], asked: _Asked) -> bytes:
    if asked.media != _CSV:
        objects = [dict(zip(view.names, row, strict=True)) for row in rows]
        return _ENCODER.encode(objects) if asked.media == _JSON else _ENCODER.encode_lines(objects)
    told = io.StringIO()
    writer = csv.writer(told)
    if asked.header:
        writer.writerow(view.names)
    writer.writerows([_text(value) for value in row] for row in rows)
    return told.getvalue().encode()


def _text(value: Any) -> str:
    """Return a value as a cell of CSV: nothing for none, JSON for lists and elements."""
    if value is None or isinstance(value, str):
        return value or ""
    return _ENCODER.encode(value).decode()
