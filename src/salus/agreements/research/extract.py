"""The extract: persons' rows that leave a custodian, what is left out of them, and the commitment that holds them together.

Views run on resources that were stripped and coarsened before (`interop.fhir.deidentified`). Each person's rows make one
chunk with a salt of its own, so that a person who withdraws is taken out, at the custodian or later at the receiver, and what
is left still opens the commitment on the ledger.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from salus.agreements.research.document import PATIENT, Extract, Query, QueryRefused
from salus.core.encoding import Value
from salus.core.proof.digest import digest, mac
from salus.interop.fhir.deidentified import DROPPED, NAMED, transformation
from salus.interop.fhir.view import View, ViewMalformed

PSEUDONYM: Final = 16  # bytes
MAX_ROWS: Final = 100_000  # of one person
DEMOGRAPHIC: Final = frozenset({"Patient", "Person", "RelatedPerson"})
_TEXTS: Final = frozenset({one.rsplit(".", 1)[1] for one in NAMED} | {"postalCode"})

Row: TypeAlias = tuple[str | None, ...]


class Rows(Value, frozen=True):
    """What leaves of one person: the rows of each view, in the views' order, the person's own key left empty."""

    tables: tuple[tuple[Row, ...], ...]


class Chunk(Value, frozen=True):
    """One person in an extract. Without body: withdrawn; the digest stands in the extract's list."""

    place: int
    pseudonym: bytes
    salt: bytes
    body: bytes


class Field(Value, frozen=True):
    """A column in the data dictionary."""

    table: str
    name: str
    type: str
    unit: str
    path: str
    """FHIRPath expression in the view."""
    transformation: str


def statistic_of(query: Query) -> Extract:
    """Return the extract that a query asks for. Raises QueryRefused for another statistic."""
    if not isinstance(query.statistic, Extract):
        raise QueryRefused("statistic", "not an extract")
    return query.statistic


def views_of(query: Query) -> dict[str, View]:
    """Return the views that leave, that of the persons first. Raises QueryRefused, naming the column that may not leave."""
    wanted = (query.persons, *statistic_of(query).views)
    out: dict[str, View] = {}
    for place, given in enumerate(query.views):
        if given["name"] not in wanted:
            continue
        try:
            view = View(given)
        except ViewMalformed as wrong:
            raise QueryRefused(f"views[{place}].{wrong.path}", wrong.what) from None
        _check(f"views[{place}]", view, demographic=given["name"] == query.persons)
        out[given["name"]] = view
    return {name: out[name] for name in wanted}


def _check(path: str, view: View, *, demographic: bool) -> None:
    if PATIENT not in view.names:
        raise QueryRefused(path, f"no column {PATIENT}")
    if view.definition.resource in DEMOGRAPHIC and not demographic:
        raise QueryRefused(f"{path}.resource", "who a person is leaves in the view of the persons alone")
    for column in view.columns:
        types = column.path.types
        text = column.path.text
        kept = text.rsplit(".", 1)[-1] in _TEXTS or "System.String" in (types or ())
        if types is not None and types <= DROPPED and not kept:
            told = ", ".join(sorted(types))
            raise QueryRefused(f"{path}.{column.place}.path", f"{told}: identifiers and free text do not leave")
        if column.collection:
            raise QueryRefused(f"{path}.{column.place}.collection", "a column of an extract holds one value")


def rows_of(views: Mapping[str, View], resources: Iterable[Any]) -> Rows:
    """Return the rows of one person's stripped resources. Raises QueryRefused beyond the bound, ViewFailed."""
    listed = list(resources)
    tables = []
    for view in views.values():
        place = view.names.index(PATIENT)
        rows = [_row(row, place) for row in view.rows(listed)]
        if len(rows) > MAX_ROWS:
            raise QueryRefused("views", f"one person gives more than {MAX_ROWS} rows")
        tables.append(tuple(rows))
    return Rows(tuple(tables))


def _row(row: tuple[Any, ...], place: int) -> Row:
    return tuple(None if at == place else text(value) for at, value in enumerate(row))


def text(value: Any) -> str | None:
    """Return a view's value as tables carry it: text, or None."""
    if value is None or isinstance(value, list | dict):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def shared(rows: Mapping[bytes, Rows], k: int) -> frozenset[bytes]:
    """Return those whose rows in the first table at least k persons have alike; the others are left out."""
    kinds = {who: tuple(sorted(one.tables[0], key=repr)) for who, one in rows.items()}
    counts = Counter(kinds.values())
    return frozenset(who for who, kind in kinds.items() if counts[kind] >= k)


def days_of(salt: bytes, person: bytes, most: int) -> int:
    """Return by how many days a person's dates move: 1 to `most`, earlier or later."""
    drawn = int.from_bytes(mac(salt, "salus/v1/research-days", person)[:8], "big")
    return (drawn >> 1) % most + 1 if drawn & 1 else -((drawn >> 1) % most + 1)


def pseudonym_of(salt: bytes, what: bytes) -> bytes:
    """Return what stands for a person or thing in one extract alone."""
    return mac(salt, "salus/v1/research-pseudonym", what)[:PSEUDONYM]


def salt_of(salt: bytes, person: bytes) -> bytes:
    """Return the salt of a person's chunk."""
    return mac(salt, "salus/v1/research-chunk", person)


def chunk_digest(chunk: Chunk) -> bytes:
    """Return the digest of a person's rows."""
    return digest("salus/v1/research-chunk", chunk.pseudonym, chunk.salt, chunk.body)


def commitment(digests: Sequence[bytes]) -> bytes:
    """Return what stands on the ledger before the first byte leaves: over the digests of all chunks, in their order."""
    return digest("salus/v1/research-extract", *digests)


def dictionary(query: Query) -> list[Field]:
    """Return the data dictionary of an extract: every column, its type, unit, source and how it was changed."""
    units = statistic_of(query).units
    return [
        Field(
            table=name,
            name=column.name,
            type=column.type or "|".join(sorted(column.path.types or ())),
            unit=units.get(f"{name}.{column.name}", ""),
            path=column.path.text,
            transformation="pseudonym of the person" if column.name == PATIENT
            else transformation(column.path.types, column.path.text),
        )
        for name, view in views_of(query).items()
        for column in view.columns
    ]  # fmt: skip
