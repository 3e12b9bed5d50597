"""`research own`: a query document over the member's own records, under its policy and its patients' consents."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta

from salus.agreements.research.document import Query
from salus.agreements.research.frame import views_needed
from salus.node.anchoring import anchor
from salus.node.errors import Conflict
from salus.node.member import MemberNode
from salus.node.reading import journal_owns, own_scope, require_purpose
from salus.node.research.alone import computed, output_of, query_of, written
from salus.node.usecase import OPERATOR, Caller, Message, Progress, unheard, use_case

PURPOSE: Final = "HOPERAT"
"""v3-ActReason: health care operations, of which quality assessment is one (45 CFR 164.501)."""
PAGE: Final = 1_000


class RunOnOwn(Message, frozen=True):
    """A question about the member's own records."""

    query: Annotated[bytes, Meta(description="The query document, JSON.", examples=[b"{}"])]
    output: Annotated[
        str, Meta(description="New file for the figures: .parquet, .ndjson or .csv.", examples=["out.csv"])
    ]
    purpose: Annotated[str, Meta(max_length=20, description="Purpose of use, v3-ActReason.", examples=["HOPERAT"])] = (
        PURPOSE
    )
    receipts: Annotated[
        str,
        Meta(
            description="New folder for receipts of the lines in patients' access logs, for `salus verify`: "
            "figures are written once the ledger has them.",
            examples=["receipts"],
        ),
    ] = ""


class OwnRun(Message, frozen=True):
    """What was counted. The figures are exact: they are for the organisation itself."""

    persons: Annotated[int, Meta(description="Persons whose rows the statistic rests on.")]
    records: Annotated[int, Meta(description="Records read, each in its patient's access log.")]
    height: Annotated[int, Meta(description="Height of the ledger under which consents were decided.")]
    until: Annotated[int, Meta(description="Number of the newest record that could be read.")]
    receipts: Annotated[int, Meta(description="Receipts written: one for each batch of lines that the ledger holds.")]
    figures: Annotated[tuple[dict[str, Any], ...], Meta(description="The lines, as they stand in the file.")]


@use_case("research.own", who=OPERATOR)
def run_on_own(node: MemberNode, request: RunOnOwn, *, caller: Caller, progress: Progress = unheard) -> OwnRun:
    """Run a query document on the member's own records: exact tables and models, for quality reports.

    Reads what policy and patients' consents let this purpose read, and writes a line into the access log of each patient
    whose records were read, before any figure is shown. Nothing is sent. What is shown outside the organisation is the
    organisation's to decide: a table or a model of few persons can identify them.
    """
    require_purpose(caller, request.purpose)
    query, output = query_of(request.query), output_of(request.output)
    if request.receipts and Path(request.receipts).exists():
        raise Conflict("research.receipts", "the folder for the receipts is there already", todo="name a new one")
    node.catch_up()
    height, until = node.ledger.head().height, node.index.position()
    reading = _Reading(node, caller, request.purpose, until, progress)
    persons, lines = computed(query, reading.records(query))
    told = {
        link: tuple(f"{kind} {count}" for kind, count in sorted(kinds.items())) for link, kinds in reading.read.items()
    }
    entries = journal_owns(node, caller, told, purpose=request.purpose, action="research")
    receipts = _receipts(node, entries, Path(request.receipts)) if request.receipts else 0
    return OwnRun(
        persons=persons,
        records=sum(sum(kinds.values()) for kinds in reading.read.values()),
        height=height,
        until=until,
        receipts=receipts,
        figures=written(lines, output),
    )


def _receipts(node: MemberNode, entries: list[int], folder: Path) -> int:
    """Anchor journal lines, and write the receipts of the anchors; return how many. Raises Unavailable, Refused."""
    anchor(node)
    anchoring = (node.vault.line(entry).anchoring for entry in entries)
    anchors = dict.fromkeys(one.tx_id for one in anchoring if one is not None)
    receipts = [node.prover.receipt(one).encode() for one in anchors]
    folder.mkdir(parents=True)
    for number, receipt in enumerate(receipts, 1):
        (folder / f"{number:03}.receipt").write_bytes(receipt)
    return len(receipts)


class _Reading:
    """Own records that a caller may read, and how many of each type were, by link."""

    def __init__(self, node: MemberNode, caller: Caller, purpose: str, until: int, progress: Progress) -> None:
        self._node, self._until, self._progress = node, until, progress
        self._scope = own_scope(node, caller, purpose)
        self.read: dict[bytes, Counter[str]] = {}

    def records(self, query: Query) -> Iterator[tuple[str, Any]]:
        """Yield (link, resource) of the types that the document's views are of."""
        wanted = views_needed(query)
        types = sorted({str(view["resource"]) for view in query.views if view["name"] in wanted})
        house, done = self._node.vault.house_link(), 0
        for kind in types:
            after = 0
            while hits := self._node.index.search.exported(
                kind, self._scope, (after, self._until), since=0, but=house, limit=PAGE
            ):
                for hit, record in zip(hits, self._node.vault.open_many([hit.number for hit in hits]), strict=True):
                    self.read.setdefault(hit.link, Counter())[kind] += 1
                    yield hit.link.hex(), json.loads(record.content.body)
                after, done = hits[-1].number, done + len(hits)
                self._progress(done, 0, "records")
