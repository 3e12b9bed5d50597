"""Bulk export (FHIR Bulk Data Access 2.0): kick-off, status, manifest, files of newline-delimited JSON, delete.

Nothing is copied aside: a job is a sealed note of who asked for what and how far the store had come, a file a sealed range of
records. Each download decides anew what the asker may see, so that a consent filed after the kick-off counts for every file
after it, and an interrupted download goes on with the files that are left, after a restart too. Own records only:
what was pulled under a grant ends with it, an export would outlive it. A patient who is named is exported over the joined links;
what contradicts what is told in the manifest's errors, as a file of OperationOutcomes.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

import msgspec

from salus.index.search import Hit, Slice
from salus.index.search_scope import Scope
from salus.interop.fhir.survey import TYPES
from salus.interop.fhir.times import interval
from salus.interop.fhir.tokens import ID
from salus.node.errors import Fault
from salus.node.fhir.answers import BAD, Answer, FhirRefused, Request, nothing_there, tree_of, value_of
from salus.node.fhir.asking import Asking
from salus.node.fhir.joining import Party, outcome, parties_of
from salus.node.fhir.paging import Paging
from salus.node.fhir.presenting import instant, raw
from salus.node.fhir.reading import Reading

NDJSON: Final = "application/fhir+ndjson"
FORMATS: Final = frozenset({NDJSON, "application/ndjson", "ndjson"})
FILE_ROWS: Final = 1_000
"""Resources of one file: opened and answered at once, about 2 MB."""
LIVES_MS: Final = 24 * 3_600_000
"""A job's life: what is not fetched within a day is asked for anew."""
MAX_FORGOTTEN: Final = 10_000
"""Deleted jobs remembered: 24 hours of one every 9 seconds."""
MAX_PATIENTS: Final = 200
"""Patients named by one export: a job's address holds their ids."""
EXPORT: Final = "$export"
PATIENT: Final = "patient"
JOBS: Final = "_export"
OUTCOME: Final = "OperationOutcome"
"""Stands for the file of what is said of joined links; no record is of this type."""


class _Job(msgspec.Struct, frozen=True, array_like=True):
    """An export, or with a type one of its files: the records numbered (after, until]. at: Unix ms of the kick-off."""

    id: bytes
    at: int
    position: int
    since: int
    types: tuple[str, ...]
    kind: str = ""
    after: int = 0
    until: int = 0


class Exporting:
    """Answers bulk export for one server. `base` is the URL of its FHIR root."""

    def __init__(self, base: str, paging: Paging, reading: Reading) -> None:
        self._base = base
        self._paging = paging
        self._reading = reading

    def kick_off(self, asking: Asking, request: Request) -> Answer:
        """Begin an export of the whole store or, at Patient, of all patients' records or of the named ones'. Raises FhirRefused."""
        if "respond-async" not in request.header("prefer"):
            raise FhirRefused(
                BAD, "fhir.not-async", "an export is asked for asynchronously", expected="Prefer: respond-async"
            )
        if request.method == "POST":
            request = msgspec.structs.replace(request, pairs=(*request.pairs, *_posted(request.body)))
        since, types = _parameters(request)
        job = _Job(asking.node.entropy(16), asking.node.now(), asking.node.index.position(), since, types)
        url = self._url(asking, request, job)
        return Answer(202, extra=(("content-location", url),))

    def answer(self, asking: Asking, request: Request, link: str) -> Answer | None:
        """Answer to a job or one of its files. Raises FhirRefused (not found) for another asker's and deleted ones."""
        told = self._paging.open(asking, link)
        if told.path.rpartition("/")[2] != EXPORT:
            raise nothing_there()
        job, now = msgspec.convert(told.cursor, _Job), asking.node.now()
        desk = asking.node.desk
        if now - job.at > LIVES_MS or desk.export_ended(job.id):
            raise nothing_there()
        asked = Request("GET", told.path, told.pairs)
        asking.admit(asked)
        if request.method == "GET":
            return self._file(asking, asked, job) if job.kind else self._manifest(asking, asked, job)
        if request.method != "DELETE" or job.kind:
            return None
        if not desk.end_export(job.id, job.at, since=now - LIVES_MS, most=MAX_FORGOTTEN):
            raise FhirRefused(Fault(503, "throttled"), "fhir.busy", "too many jobs were deleted today")
        return Answer(202)

    def _url(self, asking: Asking, request: Request, job: _Job) -> str:
        """Return a link that tells nothing: numbers of records have gaps where others have written."""
        return f"{self._base}/{JOBS}/{self._paging.seal(asking, request, msgspec.structs.astuple(job))}"

    def _manifest(self, asking: Asking, asked: Request, job: _Job) -> Answer:
        parties = _parties(asking, asked)
        scope = _scope(asking, parties)
        output = []
        for kind in job.types or asking.node.index.search.types(scope):
            part = msgspec.structs.replace(job, kind=kind, until=job.position)
            while hits := self._hits(asking, asked, part, scope):
                part = msgspec.structs.replace(part, until=hits[-1].number)
                output.append({"type": kind, "url": self._url(asking, asked, part), "count": len(hits)})
                part = msgspec.structs.replace(part, after=part.until, until=job.position)
        told = sum(party.joined for party in parties or ())
        outcomes = msgspec.structs.replace(job, kind=OUTCOME)
        query = urlencode(asked.pairs)
        manifest = {
            "transactionTime": instant(job.at),
            "request": f"{self._base}/{asked.path}" + (f"?{query}" if query else ""),
            "requiresAccessToken": True,
            "output": output,
            "error": [{"type": OUTCOME, "url": self._url(asking, asked, outcomes), "count": told}] if told else [],
        }
        return Answer(200, bytes(raw(manifest)), media="application/json")

    def _file(self, asking: Asking, asked: Request, part: _Job) -> Answer:
        parties = _parties(asking, asked)
        if part.kind == OUTCOME:
            lines = [bytes(told) for party in parties or () if (told := outcome(asking, party, "export")) is not None]
        else:
            hits = self._hits(asking, asked, part, _scope(asking, parties))
            lines = self._reading.bodies(asking, hits, "export", joined=any(party.joined for party in parties or ()))
        return Answer(200, b"".join(line + b"\n" for line in lines), media=NDJSON)

    def _hits(self, asking: Asking, asked: Request, part: _Job, scope: Scope) -> Sequence[Hit]:
        house = asking.node.vault.house_link() if asked.path.startswith("Patient/") else b""
        numbers = (part.after, part.until)
        return asking.node.index.search.exported(
            part.kind, scope, numbers, since=part.since, but=house, limit=FILE_ROWS
        )


def _parties(asking: Asking, asked: Request) -> list[Party] | None:
    """Return the parties of the patients that an export names, None where it names nobody."""
    names = [value for name, value in asked.pairs if name == PATIENT]
    return parties_of(asking, names) if names else None


def _scope(asking: Asking, parties: Sequence[Party] | None) -> Scope:
    """Return what the asker may see now, of these parties if any were named."""
    if parties is None:
        return asking.scope
    links = tuple(dict.fromkeys(link for party in parties for link in party.links))
    return asking.node.index.search.narrowed(asking.scope, [Slice("", (), links)] if links else [])


def scope_of(asking: Asking, names: Sequence[str]) -> Scope:
    """Return what the asker may see now, of the patients with these ids, over their joined links, if any are named."""
    return _scope(asking, parties_of(asking, names) if names else None)


def _posted(body: bytes) -> list[tuple[str, str]]:
    """Return the parameters of a kick-off's body as those of a URL. Raises FhirRefused."""
    tree = tree_of(body)
    many = tree.get("parameter")
    pairs = []
    for one in many if isinstance(many, list) and tree.get("resourceType") == "Parameters" else [None]:
        told = one if isinstance(one, dict) else {}
        value = value_of(told)
        if isinstance(value, dict):
            text = value.get("reference")
            value = "/".join(text.split("/")[-2:]).removeprefix("Patient/") if isinstance(text, str) else None
        if not isinstance(value, str) or not isinstance(told.get("name"), str):
            raise FhirRefused(
                BAD, "fhir.parameters", "the parameters do not read", path="Parameters.parameter",
                expected="name and value of _since, _type, _outputFormat, patient",
            )  # fmt: skip
        pairs.append((told["name"], value))
    return pairs


def _parameters(request: Request) -> tuple[int, tuple[str, ...]]:
    """Return (`_since` in Unix ms, types). Raises FhirRefused for what is not understood."""
    since, types, patients = 0, list[str](), 0
    for name, value in request.pairs:
        if name == "_since" and (found := interval(value.replace(" ", "+"))):
            since = found[0]
        elif name == "_type" and set(value.split(",")) <= TYPES:
            types += value.split(",")
        elif name == PATIENT and request.method == "POST" and ID.fullmatch(value) and request.path != EXPORT:
            patients += 1
        elif name != "_outputFormat" or value.replace(" ", "+") not in FORMATS:
            raise FhirRefused(
                BAD,
                "fhir.search-parameter",
                "an export takes no such parameter or value",
                expected="_since, _type, _outputFormat=application/fhir+ndjson, in a POST at Patient patient references",
            )
    if patients > MAX_PATIENTS:
        raise FhirRefused(
            Fault(400, "too-costly"), "fhir.too-many", "an export names too many patients",
            expected=f"at most {MAX_PATIENTS}", todo="ask in several exports",
        )  # fmt: skip
    return since, tuple(dict.fromkeys(types))
