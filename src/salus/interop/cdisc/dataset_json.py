"""Dataset-JSON 1.1: one table of a study's data, read strictly, written, and in the one form that a lock covers.

Numbers are kept as written (Decimal or int): a lock must not depend on how a machine prints a double.
"""

from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec

from salus.interop.cdisc.findings import MOST, DocumentRefused, Finding, misshapen

MOST_BYTES: Final = 256 << 20  # what one process reads at once; larger tables come as several files

Cell = str | int | Decimal | bool | None
_MOMENT: Final = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?([+-]([01]\d|2[0-3]):[0-5]\d|Z)?\Z"
Created = Annotated[str, msgspec.Meta(pattern=_MOMENT)]
DataType = Literal[
    "string", "integer", "decimal", "float", "double", "boolean", "datetime", "date", "time", "URI"
]  # fmt: skip


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An object of the format: names as in its schema, optional ones left out when empty."""


class Column(Part, frozen=True):
    """One variable."""

    oid: str = msgspec.field(name="itemOID")
    name: str
    label: str
    type: DataType = msgspec.field(name="dataType")
    target: Literal["integer", "decimal", "date", "datetime", "time"] | None = msgspec.field(
        name="targetDataType", default=None
    )
    length: Annotated[int, msgspec.Meta(ge=1)] | None = None
    display: str | None = msgspec.field(name="displayFormat", default=None)
    key: Annotated[int, msgspec.Meta(ge=1)] | None = msgspec.field(name="keySequence", default=None)


class SourceSystem(Part, frozen=True):
    """The program the data comes from."""

    name: str
    version: str


class Dataset(Part, frozen=True):
    """One table."""

    created: Created = msgspec.field(name="datasetJSONCreationDateTime")
    version: Annotated[str, msgspec.Meta(pattern=r"^1\.1(\.(0|[1-9]\d*))?\Z")] = msgspec.field(
        name="datasetJSONVersion"
    )
    group: str = msgspec.field(name="itemGroupOID")
    records: Annotated[int, msgspec.Meta(ge=0)]
    name: str
    label: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...] = ()
    file: str | None = msgspec.field(name="fileOID", default=None)
    modified: Created | None = msgspec.field(name="dbLastModifiedDateTime", default=None)
    originator: str | None = None
    source: SourceSystem | None = msgspec.field(name="sourceSystem", default=None)
    study: str | None = msgspec.field(name="studyOID", default=None)
    metadata_version: str | None = msgspec.field(name="metaDataVersionOID", default=None)
    metadata: str | None = msgspec.field(name="metaDataRef", default=None)

    def place(self, column: str) -> int | None:
        """Return the place of a variable in every row, or None."""
        return next((place for place, each in enumerate(self.columns) if each.name == column), None)


_decoder: Final = msgspec.json.Decoder(Dataset, float_hook=Decimal)
_row_decoder: Final = msgspec.json.Decoder(tuple[Any, ...], float_hook=Decimal)
_encoder: Final = msgspec.json.Encoder(decimal_format="number")
MOST_DIGITS: Final = 400  # before or after the point: more than any float has; 1e999999999 could not be written out
_TEXTS: Final = frozenset({"string", "datetime", "date", "time", "URI", "decimal"})


def read_dataset(data: bytes) -> Dataset:
    """Return the table in a Dataset-JSON 1.1 file, JSON or NDJSON. Raises DocumentRefused with every finding."""
    if len(data) > MOST_BYTES:
        raise DocumentRefused((Finding("size", "", f"at most {MOST_BYTES} bytes", str(len(data))),))
    try:
        dataset = _lines(data) if b"\n[" in data and not data.rstrip().endswith(b"}") else _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        told, path = misshapen(error)
        raise DocumentRefused((Finding("shape", path, "the schema of Dataset-JSON 1.1", told),)) from None
    except RecursionError:
        raise DocumentRefused((Finding("depth", "", "a table"),)) from None
    findings = tuple(_faults(dataset))
    if findings:
        raise DocumentRefused(findings)
    return dataset


def _lines(data: bytes) -> Dataset:
    head, *rows = data.splitlines()
    return msgspec.structs.replace(_decoder.decode(head), rows=tuple(_row_decoder.decode(row) for row in rows if row))


def _faults(dataset: Dataset) -> list[Finding]:
    found = []
    names = [column.name for column in dataset.columns]
    found += [Finding("column-twice", "/columns", "each name once", name) for name in {*names} if names.count(name) > 1]
    if dataset.records != len(dataset.rows):
        found.append(Finding("records", "/records", f"the number of rows, {len(dataset.rows)}", str(dataset.records)))
    kinds = [column.type for column in dataset.columns]
    for place, row in enumerate(dataset.rows):
        if len(row) != len(kinds):
            found.append(Finding("row-length", f"/rows/{place}", f"{len(kinds)} values", str(len(row))))
        else:
            found += [
                Finding("cell-type", f"/rows/{place}/{at}", kind)
                for at, (cell, kind) in enumerate(zip(row, kinds, strict=True))
                if not _fits(cell, kind)
            ]
        if len(found) > MOST:
            break
    return found


def _fits(cell: Any, kind: str) -> bool:
    """Tell whether a value is of a type. Any number fits `integer`: CDISC's own files declare fractions so."""
    if cell is None:
        return True
    if kind in _TEXTS:
        return type(cell) is str
    if kind == "boolean":
        return type(cell) is bool
    return type(cell) is int or (type(cell) is Decimal and abs(cell.adjusted()) < MOST_DIGITS)


def write_dataset(dataset: Dataset) -> bytes:
    """Return the table as Dataset-JSON 1.1 in one JSON document; `records` is counted anew."""
    return _encoder.encode(msgspec.structs.replace(dataset, records=len(dataset.rows)))


def canonical_rows(dataset: Dataset) -> list[bytes]:
    """Return what a lock covers of a table: its columns, then each row, in canonical JSON that names the table.

        columns   ["LB","columns",["STUDYID",...]]
        row       ["LB","row",["STUDY-1",...]]; every cell as text, or null, or true or false

    Times of creation, descriptions and types are left out: a type follows from all values of a column, and whoever holds a
    part of them has the same rows. A number is written as its shortest decimal: the machine that printed it does not matter.
    """
    columns = _encoder.encode((dataset.name, "columns", [column.name for column in dataset.columns]))
    return [columns, *(_encoder.encode((dataset.name, "row", [*map(_plain, row)])) for row in dataset.rows)]


def _plain(cell: Cell) -> str | bool | None:
    if cell is None or isinstance(cell, bool | str):
        return cell
    text = format(Decimal(cell).normalize(), "f")
    return "0" if text == "-0" else text
