"""`research extract`, `attest`: an institution's side of an extract. A lease: it ends with the permit, and persons leave it.

Rows lie encrypted on the desk and are written to files on demand. What is written is the institution's to delete, and it says
on the ledger that it did; until then it stands as overdue for everybody.
"""

import importlib.util
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta

from salus.agreements.research import extract
from salus.agreements.research.document import PATIENT, Query
from salus.agreements.research.extract import Chunk, Field, Row, Rows
from salus.contracts.research import port
from salus.core.encoding import MalformedBytes, decode, encode
from salus.node.errors import Conflict, Forbidden, Malformed, NotFound, Unavailable
from salus.node.exchange.delivery import Taker
from salus.node.exchange.documents import open_document
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.research.answering import QueryId
from salus.node.research.asking import asked_of, document_of
from salus.node.research.permits import permit_row
from salus.node.research.wire import CHUNK, EXTRACT, UNOPENED, Asked, SentExtract, chunks, part_from, query_row
from salus.node.usecase import OPERATOR, Message, use_case

FORMATS: Final = ("parquet", "ndjson")
MAX_CODES: Final = 100  # of one column, in the dictionary
WRITTEN: Final = "extract-written"
METHOD: Final = (
    "Elements that hold names, identifiers, contacts, addresses below the state, narrative, free text, attachments or "
    "extensions are not copied (45 CFR 164.514(b)(2)(i)); ids are pseudonyms of this extract alone; dates moved by one "
    "number of days for each person, dates of birth cut to the year, ages above 89 in one group."
)


class WriteExtract(Message, frozen=True):
    """Which extract, and where its files go."""

    query: QueryId
    output: Annotated[str, Meta(description="New folder for the files.", examples=["extract"])]
    format: Annotated[str, Meta(description="parquet or ndjson.", examples=["parquet"])] = "parquet"


class ExtractWritten(Message, frozen=True):
    """What was written."""

    persons: Annotated[int, Meta(description="Persons whose rows are in the files.")]
    withdrawn: Annotated[int, Meta(description="Persons who were in the extract and have left it.")]
    tables: Annotated[dict[str, int], Meta(description="Rows by table.")]
    until: Annotated[str, Meta(description="When every copy must be deleted, UTC.")]


class AttestDeletion(Message, frozen=True):
    """Which extract."""

    query: QueryId


class DeletionAttested(Message, frozen=True):
    """The ledger holds the institution's word."""

    data_sets: Annotated[int, Meta(description="Data sets whose extract is attested deleted.")]


def take_extract(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Take persons' rows that open the ledger's commitment, or the word that a person withdrew. Raises EdgeError."""
    sent = open_document(node, sender, EXTRACT, envelope, SentExtract, code=UNOPENED)
    part = part_from(node, sender, sent)
    query = document_of(asked_of(node, sent.query).question.document)
    if part.answer != extract.commitment(sent.digests):
        raise Conflict("research.commitment", "the extract is not the one that was committed")
    tables = 1 + len(extract.statistic_of(query).views)
    for chunk in sent.chunks:
        _check(chunk, sent.digests, tables)
    if over(node, sent.query) or part.status is port.PartStatus.DELETED:
        return  # acknowledged, and not kept
    for chunk in sent.chunks:
        key = sent.query + sent.data_set + chunk.place.to_bytes(4, "big")
        if chunk.body:
            node.desk.keep_research_once(CHUNK, key, encode(chunk))  # a person who left is not brought back
        else:
            node.desk.keep_research(CHUNK, key, encode(chunk))


def _check(chunk: Chunk, digests: tuple[bytes, ...], tables: int) -> None:
    if not 0 <= chunk.place < len(digests):
        raise Malformed("research.extract", "a person's place is not in the extract")
    if not chunk.body:
        return
    if extract.chunk_digest(chunk) != digests[chunk.place]:
        raise Conflict("research.commitment", "a person's rows are not those that were committed")
    try:
        rows = decode(chunk.body, Rows)
    except MalformedBytes as error:
        raise Malformed("research.extract", "a person's rows do not decode", got=str(error)) from error
    if len(rows.tables) != tables:
        raise Malformed("research.extract", "a person's rows are of other tables")


def over(node: MemberNode, query: bytes) -> bool:
    """Tell whether the permit of a question has ended: then nothing of its extract may be kept."""
    return node.ledger_time() > permit_row(node.ledger.read(), query_row(node, query).permit).ends


@use_case("research.extract", who=OPERATOR)
def write_extract(node: MemberNode, request: WriteExtract) -> ExtractWritten:
    """Write an extract's rows to new files: a table for each view, the data dictionary, and the method.

    Write it anew after somebody withdrew, and delete the older files.
    """
    if request.format not in FORMATS:
        raise Malformed("research.output", "no such format", expected=", ".join(FORMATS))
    if importlib.util.find_spec("duckdb") is None:
        raise Unavailable("research.extra", "the library is not installed", todo="install salus-health[research]")
    query_id, folder = bytes.fromhex(request.query), Path(request.output)
    row, query = query_row(node, query_id), document_of(asked_of(node, query_id).question.document)
    extract.statistic_of(query)
    if over(node, query_id):
        raise Forbidden("research.over", "the permit has ended", todo="delete every copy, then `salus research attest`")
    here = chunks(node, query_id)
    kept = [one for one in here if one.body]
    if not kept:
        raise NotFound("research.no-rows", "no rows of this extract are here", todo="see `salus research result`")
    if folder.exists():
        raise Conflict("research.output", "the folder is there already", todo="name a new one")
    withdrawn = len(here) - len(kept)
    node.desk.keep_research(
        WRITTEN, query_id, encode((withdrawn,))
    )  # before the files: a crash tells too much, not too little
    folder.mkdir(parents=True)
    tables = _tables(query, kept)
    from salus.node.research import figures  # noqa: PLC0415 -- the extra may not be installed

    for name, lines in tables.items():
        figures.write_table(lines, _fields(query, name), folder / f"{name}.{request.format}")
    until = moment(permit_row(node.ledger.read(), row.permit).ends)
    dictionary = [
        _described(field, [row[place] for row in tables[name]])
        for name in tables
        for place, field in enumerate(_fields(query, name))
    ]
    (folder / "dictionary.json").write_text(json.dumps(dictionary, indent=2) + "\n")
    (folder / "method.json").write_text(json.dumps(_method(query, kept, withdrawn, until), indent=2) + "\n")
    return ExtractWritten(
        persons=len(kept),
        withdrawn=withdrawn,
        tables={name: len(lines) for name, lines in tables.items()},
        until=until,
    )


@use_case("research.attest", who=OPERATOR)
def attest_deletion(node: MemberNode, request: AttestDeletion) -> DeletionAttested:
    """Say on the ledger that every copy of an extract is deleted, after deleting the node's own. Cannot be taken back."""
    query = bytes.fromhex(request.query)
    row, done = query_row(node, query), 0
    asked_of(node, query)
    for data_set in row.data_sets:
        part = port.query_part(node.ledger.read(), query, data_set)
        if row.way is port.Way.EXTRACT and part is not None and part.status is port.PartStatus.ANSWERED:
            forget(node, query + data_set)
            node.submitter.submit(port.Attest(query, data_set))
            done += 1
    if not done:
        raise Conflict("research.no-extract", "no extract of this question is to be attested", got=request.query)
    node.desk.forget_research(WRITTEN, query)
    return DeletionAttested(data_sets=done)


def forget(node: MemberNode, prefix: bytes) -> None:
    """Delete what the node keeps of an extract."""
    for id_, _ in node.desk.research(CHUNK, prefix):
        node.desk.forget_research(CHUNK, id_)


def end_leases(node: MemberNode) -> int:
    """Delete the rows of extracts whose permit has ended; return how many extracts. A running node does so by itself."""
    ended = {id_[:16] for id_, _ in node.desk.research(CHUNK)}
    gone = [query for query in ended if over(node, query)]
    for query in gone:
        forget(node, query)
    return len(gone)


def duties(node: MemberNode) -> list[tuple[int, bytes, str]]:
    """Return what this institution must do about its extracts: until when, question, name of the task."""
    state, found = node.ledger.read(), []
    for id_, body in node.desk.research("asked"):
        row = port.query(state, decode(body, Asked).question.query)
        if row is None or row.way is not port.Way.EXTRACT:
            continue
        parts = [port.query_part(state, id_, one) for one in row.data_sets]
        if any(one is not None and one.status is port.PartStatus.ANSWERED for one in parts):
            ends = permit_row(state, row.permit).ends
            found.append((ends, id_, "extract-delete"))
        for _, kept in node.desk.research(WRITTEN, id_):
            (known,) = decode(kept, tuple[int])
            if sum(not one.body for one in chunks(node, id_)) > known:
                found.append((0, id_, "extract-anew"))
    return found


TAKERS: Final[Mapping[str, Taker]] = {EXTRACT: take_extract}
"""What is taken of extracts."""


def _fields(query: Query, table: str) -> list[Field]:
    return [field for field in extract.dictionary(query) if field.table == table]


def _tables(query: Query, kept: list[Chunk]) -> dict[str, list[Row]]:
    """Return the rows of each table, the person's pseudonym in its place."""
    views = extract.views_of(query)
    out: dict[str, list[Row]] = {name: [] for name in views}
    for chunk in kept:
        for (name, view), rows in zip(views.items(), decode(chunk.body, Rows).tables, strict=True):
            place = view.names.index(PATIENT)
            out[name] += [(*row[:place], chunk.pseudonym.hex(), *row[place + 1 :]) for row in rows]
    return out


def _described(field: Field, values: list[str | None]) -> dict[str, Any]:
    codes = sorted({one for one in values if one is not None}) if field.type == "code" else []
    return {
        "table": field.table,
        "name": field.name,
        "type": field.type,
        "unit": field.unit,
        "codes": codes if len(codes) <= MAX_CODES else [],
        "source": field.path,
        "transformation": field.transformation,
        "rows": len(values),
        "missing": sum(one is None for one in values),
    }


def _method(query: Query, kept: list[Chunk], withdrawn: int, until: str) -> dict[str, Any]:
    """Return how the rows were de-identified: method, k, l, risk, date shift, expiry (NIST SP 800-188)."""
    asked = extract.statistic_of(query)
    rows = [decode(one.body, Rows) for one in kept]
    kinds = [tuple(sorted(one.tables[0], key=repr)) for one in rows]
    sizes = Counter(kinds)
    rest: dict[Any, set[Any]] = {}
    for kind, one in zip(kinds, rows, strict=True):
        rest.setdefault(kind, set()).add(one.tables[1:])
    return {
        "method": METHOD,
        "quasi_identifiers": [one.name for one in _fields(query, query.persons) if one.name != PATIENT],
        "k_at_each_custodian": asked.k,
        "smallest_class_here": min(sizes.values()),
        "l_distinct_rows_in_a_class": min(map(len, rest.values())),
        "risk_of_one_person": round(1 / min(sizes.values()), 4),
        "dates_moved_by_at_most_days": asked.shift_days,
        "persons": len(kept),
        "withdrawn": withdrawn,
        "delete_by": until,
    }
