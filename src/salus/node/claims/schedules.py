"""`plan make-schedule`, `plan load-schedule`: fee schedules, documents that plans name by digest.

A schedule lies in the folder of tables: its bytes as `DIGEST.table`, the reference that a plan takes over as `DIGEST.json`.
"""

import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, json

from salus.agreements.claims.plan import DocumentRefused, ScheduleReference
from salus.agreements.claims.plan_check import check_schedule
from salus.agreements.claims.rates import FeeSchedule
from salus.agreements.claims.tables import LAST_DAY, read_schedule
from salus.node.claims.tables import DAY, folder_of, relative_values
from salus.node.errors import Malformed
from salus.node.usecase import OPERATOR, Message, Node, use_case


class MakeSchedule(Message, frozen=True):
    """CMS's relative values, and where and when they price."""

    file: Annotated[
        bytes,
        Meta(
            description="CMS's relative value file (PPRRVU), CSV, or the zip that it comes in.",
            examples=[b"A0428,,WORDS,A"],
        ),
    ]
    locality: Annotated[bytes, Meta(description="What `plan locality` printed, JSON.", examples=[b"{}"])]
    setting: Annotated[Literal["facility", "office"], Meta(description="Where the services are.", examples=["office"])]
    name: Annotated[
        str, Meta(min_length=1, max_length=64, description="Name that decisions cite.", examples=["MPFS office"])
    ]
    version: Annotated[
        str, Meta(min_length=1, max_length=64, description="Version, as its publisher calls it.", examples=["2025D"])
    ]
    source: Annotated[
        str, Meta(min_length=1, max_length=200, description="Where it was published.", examples=["cms.gov, RVU25D"])
    ]
    date: Annotated[str, Meta(pattern=DAY, description="Day it was published, CCYYMMDD.", examples=["20251001"])]


class ScheduleMade(Message, frozen=True):
    """A fee schedule."""

    prices: Annotated[int, Meta(description="Prices in it.")]
    left_out: Annotated[int, Meta(description="Rows without a price in this setting.")]
    schedule: Annotated[str, Meta(description="The document, JSON, for `plan load-schedule`.")]


class LoadSchedule(Message, frozen=True):
    """A fee schedule."""

    file: Annotated[bytes, Meta(description="The fee schedule, JSON.", examples=[b"{}"])]
    percent: Annotated[
        int,
        Meta(
            ge=0,
            le=100_000,
            description="What part of its prices is allowed where no rate is agreed, hundredths of a percent; 0: rates alone refer to it.",
            examples=[14000],
        ),
    ] = 10_000
    places: Annotated[
        tuple[str, ...],
        Meta(description="Places of service whose lines it prices; default all.", examples=[["11", "12"]]),
    ] = ()
    since: Annotated[
        str, Meta(pattern=DAY, description="First day of service that it prices, CCYYMMDD.", examples=["20250101"])
    ] = "10000101"
    until: Annotated[
        str, Meta(pattern=DAY, description="Last day of service that it prices, CCYYMMDD.", examples=["20251231"])
    ] = LAST_DAY
    folder: Annotated[
        str,
        Meta(
            description="Folder of tables, made if missing; default the node's own, in which decisions look by themselves.",
            examples=["tables"],
            extra={"path": True},
        ),
    ] = ""


class ScheduleLoaded(Message, frozen=True):
    """A fee schedule that plans may name."""

    prices: Annotated[int, Meta(description="Prices in it.")]
    digest: Annotated[str, Meta(description="SHA-256 of the document: its name in the folder.")]
    reference: Annotated[str, Meta(description="What stands under `fee_schedules` in a plan, JSON.")]


@use_case("plan.make-schedule", who=OPERATOR)
def make_schedule(node: Node, request: MakeSchedule) -> ScheduleMade:  # noqa: ARG001 -- a use case's shape
    """Make a fee schedule from CMS's relative values and one locality."""
    place, found = relative_values(request.file, request.locality, request.setting)
    made = FeeSchedule(
        name=request.name,
        version=request.version,
        source=request.source,
        date=request.date,
        rates=found.rates,
        locality=place,
    )
    _require_sound(made)
    return ScheduleMade(prices=len(found.rates), left_out=found.left_out, schedule=json.encode(made).decode())


@use_case("plan.load-schedule", who=OPERATOR)
def load_schedule(node: Node, request: LoadSchedule) -> ScheduleLoaded:
    """Keep a fee schedule, a payer's own or one made of CMS's files, where decisions find it by its digest."""
    try:
        read = read_schedule(request.file)
    except DocumentRefused as wrong:
        todo = "`salus plan schema --document schedule` says what it may hold"
        raise Malformed("claims.schedule", str(wrong), todo=todo) from None
    _require_sound(read)
    reference = ScheduleReference(
        name=read.name,
        version=read.version,
        source=read.source,
        date=read.date,
        digest=sha256(request.file).hexdigest(),
        since=request.since,
        until=request.until,
        percent=request.percent,
        places=request.places,
    )
    folder = folder_of(node, request.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".loading-") as making:
            fresh, told = Path(making) / "schedule", Path(making) / "reference"
            fresh.write_bytes(request.file)
            told.write_bytes(json.format(json.encode(reference)))
            fresh.replace(folder / f"{reference.digest}.table")
            told.replace(folder / f"{reference.digest}.json")
    except OSError as error:
        raise Malformed("claims.schedule", f"the folder of tables cannot be written: {error.strerror}") from None
    return ScheduleLoaded(prices=len(read.rates), digest=reference.digest, reference=json.encode(reference).decode())


def _require_sound(schedule: FeeSchedule) -> None:
    faults = check_schedule(schedule)
    if faults:
        told = f"{faults[0].rule} at {faults[0].pointer}, {len(faults)} faults in all"
        raise Malformed("claims.schedule", told, expected=faults[0].expected, todo="correct the document")
