"""`plan load-table`, `plan locality`, `plan make-rates`: the official CMS files, loaded once into files that decisions are searched from.

A folder of tables holds for each `DIGEST.table`, its rows, and `DIGEST.json`, the reference that a plan takes over.
"""

import heapq
import io
import lzma
import mmap
import tempfile
import zipfile
import zlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, closing
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, Final, Literal

from msgspec import Meta, json

from salus.agreements.claims import tables as official
from salus.agreements.claims.plan import LIST_LIMIT, DocumentRefused, Plan, Reference, TableReference, read_document
from salus.agreements.claims.plan_check import check_rates
from salus.agreements.claims.rates import Locality, Rates
from salus.agreements.claims.relative_values import Schedule, Setting, read_relative_values
from salus.agreements.claims.zip_codes import Located, locate
from salus.node.errors import Malformed
from salus.node.usecase import OPERATOR, Message, Node, Progress, use_case

RUN_ROWS: Final = 100_000
"""Rows that are sorted in memory at once: 10 MB."""
MOST_ROWS: Final = 20_000_000
"""Five times all NCCI pairs of both settings."""
LINE_CHARACTERS: Final = 4096
"""The longest line of the official files, their notes included, has some 600."""
DAY: Final = r"^[12][0-9]{7}$"
ENCRYPTED: Final = 1
"""Flag of a file in a zip."""
TEXTS: Final = (".txt", ".csv")
VALUES: Final = "PPRRVU"
INDICES: Final = "GPCI"
"""How the names of relative values and indices begin in CMS's zip (RVU25A.zip)."""
LAYOUT: Final = "lyout"
"""In the names of files that tell the columns of others."""
_DAMAGED: Final = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)
"""What unpacking raises of a zip that is damaged, or packed in a way that nobody publishes in."""
HERE: Final = "a folder of loaded tables"
OWN: Final = "claim-tables"
"""A node's own folder of tables, in its data folder."""
TABLES = Annotated[
    str,
    Meta(
        description="Folder of the tables that the plan names, as `plan load-table` fills it; default the node's own.",
        examples=["tables"],
        extra={"path": True},
    ),
]
"""Where those who decide by a plan look for its tables."""


class LoadTable(Message, frozen=True):
    """Official files, and what they are."""

    kind: Annotated[
        Literal["pairs", "units"], Meta(description="NCCI pairs (PTP) or most units (MUE).", examples=["pairs"])
    ]
    name: Annotated[
        str,
        Meta(min_length=1, max_length=64, description="Name that decisions cite.", examples=["NCCI PTP practitioner"]),
    ]
    version: Annotated[
        str, Meta(min_length=1, max_length=64, description="Version, as its publisher calls it.", examples=["2025Q1"])
    ]
    source: Annotated[
        str, Meta(min_length=1, max_length=200, description="Where it was published.", examples=["cms.gov, v310r0"])
    ]
    date: Annotated[str, Meta(pattern=DAY, description="Day it was published, CCYYMMDD.", examples=["20250101"])]
    files: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            description="The official files: text with tabs or commas, or the zip it came in.",
            examples=[["ccipra-f1.zip", "ccipra-f2.zip"]],
            extra={"positional": True, "path": True},
        ),
    ]
    since: Annotated[
        str, Meta(pattern=DAY, description="First day of service that it decides, CCYYMMDD.", examples=["20250101"])
    ] = "10000101"
    until: Annotated[
        str, Meta(pattern=DAY, description="Last day of service that it decides, CCYYMMDD.", examples=["20250331"])
    ] = official.LAST_DAY
    form: Annotated[
        Literal["", "P", "I"],
        Meta(
            description="Claims that it decides: practitioners' (P) or facilities' (I); default both.", examples=["P"]
        ),
    ] = ""
    bills: Annotated[
        tuple[str, ...],
        Meta(
            description="Of facilities' claims the first two digits of the types of bill that it decides; default all.",
            examples=[["13"]],
        ),
    ] = ()
    folder: Annotated[
        str,
        Meta(
            description="Folder of tables, made if missing; default the node's own, in which decisions look by themselves.",
            examples=["tables"],
            extra={"path": True},
        ),
    ] = ""


class TableLoaded(Message, frozen=True):
    """A table that plans may name."""

    rows: Annotated[int, Meta(description="Rows in it, each once.")]
    digest: Annotated[str, Meta(description="SHA-256 of its file: its name in the folder.")]
    reference: Annotated[str, Meta(description="What stands under `tables` in a plan that it decides with, JSON.")]


class MakeLocality(Message, frozen=True):
    """CMS's geographic indices, and which of them."""

    file: Annotated[
        bytes,
        Meta(
            description="CMS's GPCI file (Addendum E), CSV, or the zip that it comes in.",
            examples=[b"10112,AL,00,ALABAMA,1,1,1"],
        ),
    ]
    name: Annotated[
        str, Meta(min_length=1, max_length=64, description="Name and version of the file.", examples=["GPCI 2025"])
    ]
    source: Annotated[
        str, Meta(min_length=1, max_length=200, description="Where it was published.", examples=["cms.gov, RVU25D"])
    ]
    date: Annotated[str, Meta(pattern=DAY, description="Day it was published, CCYYMMDD.", examples=["20250101"])]
    factor: Annotated[str, Meta(description="Conversion factor, dollars.", examples=["32.3465"])]
    contractor: Annotated[
        str, Meta(description="Number of the Medicare contractor; empty with a ZIP code.", examples=["10112"])
    ] = ""
    number: Annotated[str, Meta(description="Number of the locality; empty with a ZIP code.", examples=["00"])] = ""
    zip: Annotated[
        str,
        Meta(
            pattern=r"^([0-9]{5}([0-9]{4})?)?$",
            description="ZIP code of the place of service, five or nine digits, instead of contractor and number.",
            examples=["36104"],
        ),
    ] = ""
    zips: Annotated[
        tuple[str, ...],
        Meta(
            description="CMS's files of ZIP codes and carrier localities: the zip that they come in, or ZIP5 and ZIP9 as text.",
            examples=[["zip-code-carrier-locality.zip"]],
            extra={"path": True},
        ),
    ] = ()


class LocalityMade(Message, frozen=True):
    """Indices and factor of one locality."""

    state: Annotated[str, Meta(description="State.")]
    place: Annotated[str, Meta(description="Name of the locality.")]
    contractor: Annotated[str, Meta(description="Number of the Medicare contractor.")]
    number: Annotated[str, Meta(description="Number of the locality.")]
    quarter: Annotated[str, Meta(description="Of the files of ZIP codes, YYYYQ; empty without them.")]
    locality: Annotated[str, Meta(description="What stands under `locality` in a rates document, JSON.")]


class MakeRates(Message, frozen=True):
    """CMS's relative values, and whose prices they become."""

    file: Annotated[
        bytes,
        Meta(
            description="CMS's relative value file (PPRRVU), CSV, or the zip that it comes in.",
            examples=[b"A0428,,WORDS,A"],
        ),
    ]
    locality: Annotated[bytes, Meta(description="What `plan locality` printed, JSON.", examples=[b"{}"])]
    setting: Annotated[
        Literal["facility", "office"], Meta(description="Where the provider works.", examples=["office"])
    ]
    payer: Annotated[str, Meta(min_length=1, max_length=64, description="Payer's identifier.", examples=["HARBOR1"])]
    provider: Annotated[str, Meta(pattern=r"^[0-9]{10}$", description="Provider's NPI.", examples=["1234567893"])]
    version: Annotated[str, Meta(min_length=1, max_length=64, description="Version of the rates.", examples=["2025.1"])]
    tier: Annotated[str, Meta(min_length=1, max_length=64, description="Network tier.", examples=["in"])]
    clause: Annotated[str, Meta(min_length=1, max_length=64, description="Clause of the contract.", examples=["B"])]
    since: Annotated[str, Meta(pattern=DAY, description="First day of service, CCYYMMDD.", examples=["20250101"])]
    until: Annotated[str, Meta(pattern=DAY, description="Last day of service, CCYYMMDD.", examples=["20251231"])]


class RatesMade(Message, frozen=True):
    """A list with one rates document."""

    prices: Annotated[int, Meta(description="Prices in it.")]
    left_out: Annotated[int, Meta(description="Rows without a price in this setting; their claims wait for a person.")]
    rates: Annotated[str, Meta(description="The rates documents, JSON.")]


@use_case("plan.make-rates", who=OPERATOR)
def make_rates(node: Node, request: MakeRates) -> RatesMade:  # noqa: ARG001 -- a use case's shape
    """Make a provider's rates document from CMS's relative values and one locality."""
    place, found = relative_values(request.file, request.locality, request.setting)
    made = Rates(
        payer=request.payer,
        provider=request.provider,
        version=request.version,
        tier=request.tier,
        clause=request.clause,
        since=request.since,
        until=request.until,
        rates=found.rates,
        locality=place,
    )
    faults = check_rates(made)
    if faults:
        told = f"{faults[0].rule} at {faults[0].pointer}, {len(faults)} faults in all"
        raise Malformed("claims.rates", told, expected=faults[0].expected)
    return RatesMade(prices=len(found.rates), left_out=found.left_out, rates=json.encode([made]).decode())


@use_case("plan.load-table", who=OPERATOR)
def load_table(node: Node, request: LoadTable, *, progress: Progress) -> TableLoaded:
    """Load official files of pairs or units as a table, which a plan names by its digest and `--tables` gives to decisions.

    The same files give the same table wherever they are loaded, in whatever order and however cut.
    """
    try:
        rows, reference = _load(request, folder_of(node, request.folder), progress)
    except DocumentRefused as wrong:
        raise Malformed("claims.table", str(wrong), todo="load the file as it was published") from None
    except _DAMAGED:
        raise Malformed("claims.table", "a zip is damaged, or packed in an unknown way", todo="fetch it anew") from None
    except OSError as error:
        raise Malformed("claims.table", f"a file cannot be read or written: {error.strerror}") from None
    told = json.encode(reference).decode()
    return TableLoaded(rows=rows, digest=reference.digest, reference=told)


def _load(request: LoadTable, folder: Path, progress: Progress) -> tuple[int, TableReference]:
    """Sort the rows of all files into one table; nothing is in the folder before the table is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".loading-") as making, ExitStack() as open_files:
        runs: list[IO[bytes]] = []
        for name in request.files:
            rows = open_files.enter_context(closing(_rows(request.kind, Path(name))))
            while some := sorted(islice(rows, RUN_ROWS)):
                runs.append(open_files.enter_context(tempfile.TemporaryFile(dir=making)))
                runs[-1].writelines(some)
                if len(runs) * RUN_ROWS > MOST_ROWS:
                    raise DocumentRefused(f"the files have more than {MOST_ROWS} rows")
                progress(len(runs) * RUN_ROWS, 0, "rows read")
        fresh, told = Path(making) / "table", Path(making) / "reference"
        count, found = _write(request.kind, runs, fresh)
        reference = TableReference(
            kind=request.kind,
            name=request.name,
            version=request.version,
            source=request.source,
            date=request.date,
            digest=found,
            since=request.since,
            until=request.until,
            form=request.form,
            bills=request.bills,
        )
        told.write_bytes(json.format(json.encode(reference)))
        fresh.replace(folder / f"{found}.table")
        told.replace(folder / f"{found}.json")
    return count, reference


def _write(kind: official.Kind, runs: list[IO[bytes]], fresh: Path) -> tuple[int, str]:
    """Write a table's rows from sorted runs; return how many, and the digest."""
    rows, hashed = 0, sha256()
    sorted_rows = heapq.merge(*(_again(run, official.WIDTHS[kind]) for run in runs))
    with fresh.open("wb") as file:
        for row in official.joined(kind, sorted_rows):
            file.write(row)
            hashed.update(row)
            rows += 1
    return rows, hashed.hexdigest()


def _again(run: IO[bytes], width: int) -> Iterator[bytes]:
    run.seek(0)
    while row := run.read(width):
        yield row


def _rows(kind: official.Kind, path: Path) -> Generator[bytes, None, None]:
    """Yield the rows of a text file, or of the texts in a zip."""
    with ExitStack() as open_files:
        for text in _texts(path, open_files):
            yield from official.read_rows(kind, _lines(text))


def _texts(path: Path, open_files: ExitStack) -> Iterator[io.TextIOWrapper]:
    """Yield a text file, or the texts in a zip without those that describe its columns."""
    if not zipfile.is_zipfile(path):
        yield open_files.enter_context(_text(open_files.enter_context(path.open("rb"))))
        return
    packed = open_files.enter_context(zipfile.ZipFile(path))
    texts = [one for one in packed.infolist() if one.filename.lower().endswith(TEXTS)]
    if not texts:
        raise DocumentRefused("the zip holds no text file (.txt or .csv)")
    if any(one.flag_bits & ENCRYPTED for one in texts):
        raise DocumentRefused("the zip is encrypted")
    for one in texts:
        if LAYOUT not in one.filename.lower():
            yield open_files.enter_context(_text(open_files.enter_context(packed.open(one))))


def _text(file: IO[bytes]) -> io.TextIOWrapper:
    # codes and numbers are ASCII; what else stands in notes and headings is not read
    return io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="\n")


def relative_values(file: bytes, locality: bytes, setting: Setting) -> tuple[Locality, Schedule]:
    """Return the locality, and what CMS's file prices in one setting. Raises Malformed."""
    try:
        place = read_document(locality, Locality, "the locality")
        return place, read_relative_values(official_text(file, VALUES).splitlines(), setting)
    except DocumentRefused as wrong:
        raise Malformed("claims.table", str(wrong), todo="load the file as it was published") from None


def official_text(file: bytes, name: str) -> str:
    """Return an official CSV, or the one in CMS's zip whose name begins so. Raises DocumentRefused."""
    if not zipfile.is_zipfile(io.BytesIO(file)):
        return file.decode("utf-8-sig", errors="replace")
    try:
        with zipfile.ZipFile(io.BytesIO(file)) as packed:
            found = [one for one in packed.infolist() if _csv(one.filename, name)]
            if len(found) != 1:
                told = ", ".join(one.filename for one in found)[:200] or "none"
                raise DocumentRefused(f"the zip holds not one {name}….csv but {told}; expected that file, or its text")
            if found[0].file_size > LIST_LIMIT or found[0].flag_bits & ENCRYPTED:
                raise DocumentRefused(f"the {name} in the zip is encrypted, or has more than {LIST_LIMIT} bytes")
            return packed.read(found[0]).decode("utf-8-sig", errors="replace")
    except _DAMAGED:
        raise DocumentRefused("the zip is damaged, or packed in an unknown way") from None


def _csv(path: str, name: str) -> bool:
    own = path.rpartition("/")[2].upper()
    return own.startswith(name) and own.endswith(".CSV")


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(LINE_CHARACTERS):
        if len(line) == LINE_CHARACTERS:
            raise DocumentRefused(f"a line has {LINE_CHARACTERS} characters or more: this is no official table")
        yield line


def folder_of(node: Node, folder: str = "") -> Path:
    """Return a folder of tables: the one named, or the node's own."""
    return Path(folder) if folder else Path(node.config.data) / OWN


def tables_of(node: Node, plan: Plan, folder: str) -> Mapping[str, official.Table]:
    """Return the tables that a plan names, by digest, from a folder; each is what its digest says. Raises Malformed."""
    found: dict[str, official.Table] = {}
    for one in official.named(plan):
        rows = _rows_in(folder_of(node, folder), one)
        if rows is None:
            told = f"the plan decides with {one.title}, which is not in the folder of tables"
            todo = "load it with `salus plan load-table` or `load-schedule`, or name its folder with --tables"
            raise Malformed("claims.table", told, expected=HERE, todo=todo)
        table = _table(one, rows)
        if table is None:
            todo = "load it anew with `salus plan load-table` or `load-schedule`"
            raise Malformed("claims.table", f"{one.title} is not the table that the plan names", todo=todo)
        found[one.digest] = table
    return found


def at_hand(node: Node, plan: Plan) -> Mapping[str, official.Table]:
    """Return those of a plan's tables and fee schedules that the node's own folder has whole, by digest."""
    found = ((one, _rows_in(folder_of(node), one)) for one in official.named(plan))
    return {one.digest: table for one, rows in found if rows is not None and (table := _table(one, rows)) is not None}


def _rows_in(folder: Path, one: Reference) -> mmap.mmap | None:
    try:
        with (folder / f"{one.digest}.table").open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None


def _table(one: Reference, rows: mmap.mmap) -> official.Table | None:
    """Return the table of a reference, None where the bytes are not it."""
    if sha256(rows).hexdigest() != one.digest:
        return None
    try:
        if not isinstance(one, TableReference):
            return official.PriceTable(official.read_schedule(rows[:]))
    except DocumentRefused:
        return None
    return official.Table(one.kind, rows) if not len(rows) % official.WIDTHS[one.kind] else None


@use_case("plan.locality", who=OPERATOR)
def make_locality(node: Node, request: MakeLocality) -> LocalityMade:  # noqa: ARG001 -- a use case's shape
    """Take one locality's indices from CMS's file, as rates by relative value need them.

    Which locality it is, its contractor and number say, or the ZIP code of the place of service by CMS's files of ZIP codes.
    """
    try:
        known = official.read_indices(official_text(request.file, INDICES))
        place = _place(request)
        indices = known.get((place.contractor, place.number))
        if indices is None:
            raise DocumentRefused(f"the file has {len(known)} localities, none with this contractor and number")
        made = official.locality(
            request.name,
            indices,
            request.factor,
            source=request.source,
            date=request.date,
            digest=sha256(request.file).hexdigest(),
        )
    except DocumentRefused as wrong:
        raise Malformed("claims.locality", str(wrong), todo="see the file's first three columns") from None
    except _DAMAGED:
        raise Malformed("claims.locality", "a zip is damaged, or packed in an unknown way", todo="fetch it") from None
    except OSError as error:
        raise Malformed("claims.locality", f"a file of ZIP codes cannot be read: {error.strerror}") from None
    told = json.encode(made).decode()
    return LocalityMade(indices.state, indices.name, place.contractor, place.number, place.quarter, told)


def _place(request: MakeLocality) -> Located:
    """Return the locality asked for. Raises DocumentRefused."""
    if bool(request.zip) != bool(request.zips) or bool(request.zip) == bool(request.contractor and request.number):
        raise DocumentRefused("a locality is known by contractor and number, or by a ZIP code and CMS's files of them")
    if not request.zip:
        return Located("", request.contractor, request.number, "")
    with ExitStack() as open_files:
        texts = (text for name in request.zips for text in _texts(Path(name), open_files))
        return locate(request.zip, (line for text in texts for line in _lines(text)))
