"""`salus wallet timeline`: every own record, newest first, opened and verified."""

from typing import Annotated, Final

from msgspec import Meta

from salus.interop.fhir.facts import facts
from salus.interop.fhir.gate import read_resource
from salus.interop.fhir.refusal import Refused
from salus.node.records.charts import FIRST_MS, moment
from salus.node.usecase import PATIENT, Message, use_case
from salus.node.wallet.file import OpenWallet
from salus.node.wallet.seeing import MISSING, newest, of_each
from salus.vault.served import Received

FHIR: Final = "application/fhir+json"


class ListOwn(Message, frozen=True):
    """Asks for nothing more."""


class OwnRecord(Message, frozen=True):
    """One record."""

    member: Annotated[str, Meta(description="Member that wrote it.")]
    type: Annotated[str, Meta(description="Resource type.")]
    id: Annotated[str, Meta(description="Logical id there.")]
    version: Annotated[int, Meta(description="Its version there.")]
    date: Annotated[str, Meta(description="Clinical date, UTC; empty if it has none.")]
    label: Annotated[str, Meta(description="What it is; empty if it does not say.")]
    status: Annotated[str, Meta(description="Its status.")]
    body: Annotated[str, Meta(description="The bytes as its writer received them, as text.")]


class OwnRecords(Message, frozen=True):
    """The own records, newest versions only."""

    records: Annotated[tuple[OwnRecord, ...], Meta(description="Newest first; what has no date comes last.")]
    missing: MISSING


@use_case("wallet.timeline", who=PATIENT)
def list_own(wallet: OpenWallet, request: ListOwn) -> OwnRecords:  # noqa: ARG001 -- a use case
    """Fetch the own records from the members joined, open and verify them, and list them with what each says."""
    parts, missing = of_each(wallet, lambda member: newest(wallet, [member]))
    kept = [_told(one) for _, part in parts for one in part.values()]
    kept.sort(key=lambda one: (one.date, one.type, one.id), reverse=True)
    return OwnRecords(records=tuple(kept), missing=missing)


def _told(one: Received) -> OwnRecord:
    date = label = status = ""
    if one.content.media.startswith(FHIR):
        try:
            resource = read_resource(one.content.body)
            told = facts(resource, {}, one.content.id)
        except Refused:
            pass  # kept by its writer all the same: it is listed without words
        else:
            date = moment(told.lo)[:10] if FIRST_MS <= told.lo < told.hi else ""
            label, status = told.label, told.status
    return OwnRecord(
        member=one.writer,
        type=one.content.type,
        id=one.content.id,
        version=one.version,
        date=date,
        label=label,
        status=status,
        body=one.content.body.decode("utf-8", "replace"),
    )
