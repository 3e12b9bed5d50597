"""`$viewdefinition-run` (SQL on FHIR v2): a ViewDefinition over the member's own records, as a table for its own people.

The rows are of what the asker may see for the purpose; every record that was read stands in its patient's log before a row is
shown. No record is kept as rows, and nothing is read under a patient's grant to another member. Resources that come with the
request are run alone, and nothing is read.
"""

import binascii
import csv
import io
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from salus.index.search import Hit
from salus.index.store import ticks
from salus.interop.fhir.fhirpath import Environment
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.times import interval
from salus.interop.fhir.tokens import ID, LIMITS, Tree, decode
from salus.interop.fhir.view import View, ViewFailed, ViewMalformed
from salus.node.errors import Fault, Forbidden
from salus.node.fhir.answers import BAD, NOT_ACCEPTABLE, UNPROCESSABLE, Answer, FhirRefused, Request, tree_of, value_of
from salus.node.fhir.asking import Asking
from salus.node.fhir.exporting import MAX_PATIENTS, PATIENT, scope_of
from salus.node.fhir.presenting import instant
from salus.node.fhir.reading import Reading

RUN: Final = "$viewdefinition-run"
MAX_ROWS: Final = 100_000
"""Rows of one answer, which is made in memory."""
MAX_READ: Final = 100_000
"""Records of one answer: some 20 seconds of opening."""
MAX_BYTES: Final = 64 << 20
"""Bytes of one answer: as many as a Bundle may bring."""
MAX_MS: Final = 30_000
"""Milliseconds of one answer, looked at after each record; of one record the evaluator's own bounds hold."""
MAX_ITEMS: Final = 500_000
"""Items that a view may take or make of one record: a quarter of a second; the longest real records have some thousand elements."""
PAGE: Final = 1_000
LEAST: Final = 20
"""Records opened at once under a small `_limit`: a filter of the view may leave out most."""
STORED: Final = ("Library",)
"""What a ViewDefinition is filed in: R4 has no such resource, and a Binary of no patient is not taken."""
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
_TAKEN: Final = "viewResource or viewReference, _format (json, ndjson, csv), header, patient, resource, _limit, _since"
REFUSED: Final = {
    "group": "name the patients; a Group of several is kept under no patient's key and is not here",
    "source": "nothing is fetched from elsewhere; send resources, or import them",
    "parquet": "ask for csv or ndjson; `salus research own` writes Parquet files",
}
"""What the operation's definition has and is not answered, with what there is instead."""
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class _Asked(msgspec.Struct):
    """What a request says. since: Unix ms. limit: rows, 0 for all that one answer holds. resources: None unless any came."""

    view: Any = None
    reference: str = ""
    media: str = ""
    header: bool = True
    limit: int = 0
    since: int = 0
    patients: tuple[str, ...] = ()
    resources: list[Tree] | None = None


class Viewing:
    """Answers `$viewdefinition-run` for one server. `clock` returns monotonic milliseconds."""

    def __init__(self, reading: Reading, clock: Callable[[], int] = ticks) -> None:
        self._reading = reading
        self._clock = clock

    def answer(self, asking: Asking, request: Request) -> Answer:
        """Return a view's table as JSON, NDJSON or CSV. Raises FhirRefused, Forbidden."""
        access = asking.caller.access
        if access is not None and access.own:
            raise Forbidden("fhir.staff", "views are for the member's own people", todo="read Patient/$everything")
        asked = _read(request)
        until = self._clock() + MAX_MS
        tree = self._stored(asking, asked.reference) if asked.reference else asked.view
        try:
            view = View(tree)
            table = _Table(view, asked)
            for resource in self._resources(asking, asked, view, table):
                table.add(view.rows([resource], Environment(now=instant(asking.node.now()), limit=MAX_ITEMS)))
                if table.full:
                    break
                if self._clock() > until:
                    raise _too_many(f"{MAX_MS // 1_000} seconds")
        except ViewMalformed as wrong:
            place = f"viewResource.{wrong.path}".rstrip(".")
            raise FhirRefused(UNPROCESSABLE, "fhir.view", wrong.what, path=place) from None
        except ViewFailed as wrong:
            raise FhirRefused(
                UNPROCESSABLE, "fhir.view-failed", str(wrong), todo="make the view fit the records"
            ) from None
        return Answer(200, table.written(), media=asked.media)

    def _stored(self, asking: Asking, name: str) -> Any:
        """Return the ViewDefinition filed as the first content of a Library. Raises FhirRefused."""
        asking.admit_search(name.partition("/")[0])
        (body,) = self._reading.bodies(asking, [self._reading.current(asking, name)], "read")
        tree = decode(body, LIMITS.bundle_bytes, LIMITS)
        held: Tree = next(iter(tree.get("content", ())), {})
        try:
            return decode(b64decode(held.get("data", ""), validate=True), LIMITS.resource_bytes, LIMITS)
        except (Refused, binascii.Error):
            raise FhirRefused(
                UNPROCESSABLE, "fhir.view", "the resource holds no ViewDefinition", path="viewReference",
                expected="JSON as `data` of the first content of a Library",
            ) from None  # fmt: skip

    def _resources(self, asking: Asking, asked: _Asked, view: View, table: "_Table") -> Iterator[Tree]:
        if asked.resources is not None:
            yield from asked.resources
            return
        kind = view.definition.resource
        asking.admit_search(kind)
        for body in self._bodies(asking, asked, kind, lambda: asked.limit - table.rows):
            yield decode(body, LIMITS.bundle_bytes, LIMITS)

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


class _Table:
    """The rows of one answer, written as they come. Raises FhirRefused beyond what one answer holds."""

    def __init__(self, view: View, asked: _Asked) -> None:
        self._names = view.names
        self._media = asked.media
        self._limit = asked.limit
        self._parts: list[bytes] = []
        self._bytes = 0
        self.rows = 0
        if asked.header and asked.media == _CSV:
            self._write(_line(view.names))

    @property
    def full(self) -> bool:
        """Whether there are as many rows as were asked for."""
        return bool(self._limit) and self.rows >= self._limit

    def add(self, rows: Iterator[tuple[Any, ...]]) -> None:
        """Write rows, up to the limit asked for."""
        for row in rows:
            if self.full:
                return
            self.rows += 1
            if self.rows > MAX_ROWS:
                raise _too_many(f"{MAX_ROWS} rows")
            if self._media == _CSV:
                self._write(_line([_text(value) for value in row]))
            else:
                self._write(_ENCODER.encode(dict(zip(self._names, row, strict=True))))

    def written(self) -> bytes:
        """Return the answer."""
        if self._media == _JSON:
            return b"[" + b",".join(self._parts) + b"]"
        return b"".join(self._parts) if self._media == _CSV else b"".join(part + b"\n" for part in self._parts)

    def _write(self, part: bytes) -> None:
        self._bytes += len(part) + 1
        if self._bytes > MAX_BYTES:
            raise _too_many(f"{MAX_BYTES >> 20} MB")
        self._parts.append(part)


def _read(request: Request) -> _Asked:
    """Return what a request asks: Parameters, and the same names in its URL. Raises FhirRefused."""
    tree = tree_of(request.body, LIMITS.bundle_bytes)
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
        elif told.get("name") == "resource" and isinstance(told.get("resource"), dict):
            asked.resources = [*(asked.resources or ()), told["resource"]]
        else:
            _take(asked, told.get("name"), value_of(told))
    if isinstance(asked.view, dict) == bool(asked.reference):
        raise FhirRefused(
            BAD, "fhir.parameters", "there is no view, or more than one", path="Parameters.parameter",
            expected="viewResource, or viewReference",
        )  # fmt: skip
    if asked.resources is not None and (asked.patients or asked.since):
        raise FhirRefused(
            BAD, "fhir.parameters", "resources that are sent are run whole", expected="no patient, no _since"
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
    elif name == PATIENT and (own := _named(value, (PATIENT.title(),))):
        asked.patients += (own.partition("/")[2],)
    elif name == "viewReference" and not asked.reference and (own := _named(value, STORED)):
        asked.reference = own
    else:
        known = name if name in REFUSED else "parquet" if name == "_format" and "parquet" in str(value) else ""
        raise FhirRefused(
            Fault(400, "not-supported"), "fhir.parameter", f"{RUN} takes no such parameter or value",
            expected=f"{_TAKEN}; _limit from 1 to {MAX_ROWS}; viewReference to {' or '.join(STORED)}",
            **({"got": known, "todo": REFUSED[known]} if known else {}),
        )  # fmt: skip


def _named(value: Any, kinds: Sequence[str]) -> str:
    """Return "Type/id" of a reference to one of some types, "" where there is none; an id alone is of the first."""
    told = value.get("reference") if isinstance(value, Mapping) else value
    kind, _, own = told.rpartition("/") if isinstance(told, str) else ("", "", "")
    kind = kind or kinds[0]
    return f"{kind}/{own}" if kind in kinds and ID.fullmatch(own) else ""


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


def _line(cells: Sequence[str]) -> bytes:
    told = io.StringIO()
    csv.writer(told).writerow(cells)
    return told.getvalue().encode()


def _text(value: Any) -> str:
    """Return a value as a cell of CSV: nothing for none, JSON for lists and elements."""
    if value is None or isinstance(value, str):
        return value or ""
    return _ENCODER.encode(value).decode()
