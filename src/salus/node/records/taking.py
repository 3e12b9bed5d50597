"""`records import`: FHIR files into the vault."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from salus.node.member import MemberNode
from salus.node.records.intake import Intake, Report
from salus.node.usecase import OPERATOR, Message, Progress, use_case


class ImportRecords(Message, frozen=True):
    """What to take in."""

    paths: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            description="Files and folders of FHIR R4: Bundles, resources, NDJSON, each also gzipped.",
            examples=[["samples"]],
            extra={"positional": True, "path": True},
        ),
    ]
    source: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=256,
            description="URI of the system that the files come from: patients are known by it and their id there.",
            examples=["https://ehr.north.example"],
        ),
    ]


class Count(Message, frozen=True):
    """How many of a kind."""

    name: Annotated[str, Meta(description="Resource type, or code and element of a refusal.")]
    count: Annotated[int, Meta(description="How many.")]


class Imported(Message, frozen=True):
    """What became of the files."""

    files: Annotated[int, Meta(description="Files read.")]
    resources: Annotated[int, Meta(description="Resources read.")]
    stored: Annotated[int, Meta(description="Sealed as a new record.")]
    unchanged: Annotated[int, Meta(description="The same bytes were here already.")]
    patients: Annotated[int, Meta(description="Links opened.")]
    house: Annotated[int, Meta(description="Resources of no patient.")]
    unresolved: Annotated[int, Meta(description="References that stayed as received: nothing here answers to them.")]
    doubtful: Annotated[
        int, Meta(description="Identifiers that already belong to another patient: a person must look.")
    ]
    types: Annotated[tuple[Count, ...], Meta(description="Resources read, by type.")]
    refused: Annotated[tuple[Count, ...], Meta(description="Resources refused, by code and element.")]


@use_case("records.import", who=OPERATOR)
def import_records(node: MemberNode, request: ImportRecords, *, progress: Progress) -> Imported:
    """Take FHIR files in: each resource is sealed under its patient's link, indexed and anchored.

    Importing the same files again changes nothing. What is no FHIR R4 is refused by code and element and counted; the
    rest is taken in.
    """
    return _told(Intake(node, request.source).run([Path(path) for path in request.paths], progress))


def _told(report: Report) -> Imported:
    return Imported(
        files=report.files,
        resources=report.resources,
        stored=report.stored,
        unchanged=report.unchanged,
        patients=report.patients,
        house=report.house,
        unresolved=report.unresolved,
        doubtful=report.doubtful,
        types=tuple(Count(name=name, count=count) for name, count in sorted(report.types.items())),
        refused=tuple(Count(name=name, count=count) for name, count in sorted(report.refused.items())),
    )
