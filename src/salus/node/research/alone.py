"""One organisation alone: a query document over its own FHIR files, exact, in one command. Nothing leaves, nothing is stored."""

import gzip
import hashlib
import importlib.util
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta

from salus.agreements.research import extract
from salus.agreements.research.document import Extract, Query, QueryRefused, read, schema, used
from salus.agreements.research.errors import NoFit
from salus.interop.fhir import deidentified
from salus.interop.fhir.view import ViewFailed
from salus.node.demo.samples import samples_folder
from salus.node.errors import Conflict, Malformed, NotFound, Unavailable
from salus.node.records.charts import moment
from salus.node.usecase import OPERATOR, Message, Node, Verdict, use_case

if TYPE_CHECKING:
    from salus.node.research.figures import Line

ENDINGS: Final = (".parquet", ".ndjson", ".csv")
FILES: Final = (".ndjson", ".ndjson.gz", ".json")
MAX_LINE: Final = 16 << 20  # bytes of one resource
NEEDED: Final = ("duckdb", "numpy")


class RunQuery(Message, frozen=True):
    """A question and one's own files."""

    query: Annotated[bytes, Meta(description="The query document, JSON.", examples=[b"{}"])]
    input: Annotated[
        str, Meta(description="Folder of FHIR R4 files: NDJSON, also gzipped, or JSON.", examples=["fhir"])
    ]
    output: Annotated[
        str, Meta(description="New file for the figures: .parquet, .ndjson or .csv.", examples=["out.csv"])
    ]


class QueryRun(Message, frozen=True):
    """What was counted. The figures are exact: they are for the organisation itself."""

    persons: Annotated[int, Meta(description="Persons whose rows the statistic rests on.")]
    lines: Annotated[int, Meta(description="Lines written.")]
    figures: Annotated[tuple[dict[str, Any], ...], Meta(description="The lines, as they stand in the file.")]


class CheckQuery(Message, frozen=True):
    """A question to be tried."""

    query: Annotated[bytes, Meta(description="The query document, JSON.", examples=[b"{}"])]


class QueryChecked(Verdict, frozen=True):
    """What the question would take and give."""

    sound: Annotated[bool, Meta(description="Whether it can be asked.")]
    faults: Annotated[tuple[str, ...], Meta(description="Place in the document and what is expected there.")]
    columns: Annotated[
        tuple[str, ...], Meta(description="Columns that the statistic takes, or that leave in an extract.")
    ]
    lines: Annotated[
        int,
        Meta(
            description="Lines of figures on the synthetic sample, or persons in an extract's cohort; 0 if it gives none."
        ),
    ]


class ShowQuerySchema(Message, frozen=True):
    """Nothing is needed."""


class QuerySchemaShown(Message, frozen=True):
    """What a query document may hold."""

    query: Annotated[str, Meta(description="JSON Schema 2020-12, made from the types that read query documents.")]


@use_case("research.schema", who=OPERATOR)
def show_query_schema(node: Node, request: ShowQuerySchema) -> QuerySchemaShown:  # noqa: ARG001 -- a use case's shape
    """Tell the JSON Schema of query documents, as `docs/reference/research-query.schema.json` has it."""
    return QuerySchemaShown(query=msgspec.json.format(msgspec.json.encode(schema()), indent=1).decode())


def resources(folder: Path) -> Iterator[Any]:
    """Yield the resources of a folder's FHIR files. Raises NotFound, Malformed."""
    files = sorted(path for path in folder.rglob("*") if path.name.endswith(FILES))
    if not files:
        raise NotFound("research.input", "no FHIR file is in the folder", expected=", ".join(FILES))
    for number, path in enumerate(files, 1):
        try:
            yield from _of_file(path)
        except (ValueError, EOFError, OSError):
            raise Malformed("research.file", f"file {number} of {len(files)} is not FHIR JSON") from None


def _of_file(path: Path) -> Iterator[Any]:
    if path.name.endswith(".json"):
        document = json.loads(path.read_bytes())
        entries = document.get("entry", []) if document.get("resourceType") == "Bundle" else [{"resource": document}]
        yield from (entry["resource"] for entry in entries if "resource" in entry)
        return
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        while line := lines.readline(MAX_LINE):
            if line.strip():
                yield json.loads(line)


def query_of(data: bytes) -> Query:
    """Return a query document that can be run here. Raises Malformed, Unavailable."""
    _equipped()
    try:
        return read(data)
    except QueryRefused as wrong:
        raise Malformed("research.query", str(wrong), todo="`salus research check` tries it on the sample") from None


def _equipped() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise Unavailable(
            "research.extra", "the numeric libraries are not installed", todo="install salus-health[research]"
        )


@use_case("research.local", who=OPERATOR)
def run_alone(node: Node, request: RunQuery) -> QueryRun:  # noqa: ARG001 -- a use case's shape
    """Run a query document on one's own files: exact tables and models, for oneself.

    Nothing is sent, and nothing is stored at the node. A table or a model of few persons can identify them: what is
    shown outside the organisation is the organisation's to decide.
    """
    query, output = query_of(request.query), output_of(request.output)
    if not Path(request.input).is_dir():
        raise NotFound("research.input", "the folder is not there", todo="name one with FHIR R4 files: NDJSON or JSON")
    persons, lines = computed(query, (("", one) for one in resources(Path(request.input))))
    return QueryRun(persons=persons, lines=len(lines), figures=written(lines, output))


def output_of(name: str) -> Path:
    """Return the new file that figures go to. Raises Malformed, Conflict."""
    output = Path(name)
    if output.suffix not in ENDINGS:
        raise Malformed("research.output", "the file's ending names no format", expected=", ".join(ENDINGS))
    if output.exists():
        raise Conflict("research.output", "the file for the figures is there already", todo="name a new one")
    return output


def computed(query: Query, owned: Iterable[tuple[str, Any]]) -> tuple[int, list["Line"]]:
    """Return how many persons the figures over (owner, resource) rest on, and the figures. Raises Malformed."""
    from salus.node.research import figures  # noqa: PLC0415 -- the extra may not be installed

    try:
        own = figures.owned_frame(query, owned)
        return own.count, figures.figures(own)
    except QueryRefused as wrong:
        raise Malformed("research.query", str(wrong), todo="`salus research check` tries it on the sample") from None
    except (ViewFailed, NoFit) as wrong:
        raise Malformed("research.figures", str(wrong), todo="change the views or the statistic") from None


def written(lines: list["Line"], output: Path) -> tuple[dict[str, Any], ...]:
    """Write figures to their file, and return them."""
    from salus.node.research import figures  # noqa: PLC0415 -- the extra may not be installed

    figures.write(lines, output)
    return tuple(lines)


def _pseudonym(what: str) -> str:
    return hashlib.sha256(what.encode()).hexdigest()[:32]


@use_case("research.check", who=OPERATOR)
def check_query(node: Node, request: CheckQuery) -> QueryChecked:
    """Check a query document and try it on the synthetic sample, at no cost."""
    _equipped()
    from salus.node.research import figures  # noqa: PLC0415 -- the extra may not be installed

    try:
        query = read(request.query)
        sample = _of_file(samples_folder() / "research" / "north.ndjson.gz")
        if isinstance(query.statistic, Extract):
            changed = deidentified.Person(1, int(moment(node.now())[:4]), _pseudonym)
            own = figures.frame(query, (deidentified.deidentified(one, changed) for one in sample))
            leaving = tuple(f"{one.table}.{one.name}" for one in extract.dictionary(query))
            return QueryChecked(sound=True, faults=(), columns=leaving, lines=own.count)
        lines = len(figures.figures(figures.frame(query, sample)))
    except (QueryRefused, ViewFailed) as wrong:
        return QueryChecked(sound=False, faults=(str(wrong),), columns=(), lines=0)
    except NoFit as wrong:
        return QueryChecked(sound=True, faults=(f"on the sample: {wrong}",), columns=used(query.statistic), lines=0)
    return QueryChecked(sound=True, faults=(), columns=used(query.statistic), lines=lines)
