"""A file of claims decided, a remittance audited: from files in one command, without a network."""

import os
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, json, structs

from salus.agreements.claims.alone import Answered, Settings, answer
from salus.agreements.claims.audit import audit
from salus.agreements.claims.numbers import Came, Numbers, read_numbers
from salus.agreements.claims.partner import Partner, envelope_code
from salus.agreements.claims.plan import DocumentRefused
from salus.interop.x12.answers import envelope_refusal
from salus.interop.x12.calendar import date_of
from salus.interop.x12.envelope import Stamp
from salus.interop.x12.money import dollars
from salus.interop.x12.numbering import DUPLICATE, Numbered, numbered
from salus.interop.x12.tokens import Unreadable
from salus.node.claims import documents
from salus.node.claims.answering import AnswersFolder
from salus.node.claims.tables import TABLES, tables_of
from salus.node.errors import Malformed
from salus.node.usecase import OPERATOR, Message, Node, Verdict, use_case

DAY_MS: Final = 86_400_000


class AdjudicateClaims(Message, frozen=True):
    """Claims, and the documents that decide them."""

    file: Annotated[bytes, Meta(description="The X12 837 file (professional or institutional).", examples=[b"ISA"])]
    plan: Annotated[bytes, Meta(description="The plan document, JSON.", examples=[b"{}"])]
    rates: Annotated[bytes, Meta(description="The rates documents, a JSON list.", examples=[b"[]"])]
    members: Annotated[bytes, Meta(description="Who is covered: a members document or an 834.", examples=[b"{}"])]
    folder: Annotated[
        str, Meta(description="New or empty folder for the answers.", examples=["answers"], extra={"path": True})
    ]
    received: Annotated[str, Meta(description="Day the file came, CCYYMMDD; default today.", examples=["20250310"])] = (
        ""
    )
    decided: Annotated[str, Meta(description="Day of payment, CCYYMMDD; default today.", examples=["20250315"])] = ""
    control: Annotated[
        int,
        Meta(
            ge=1, le=999_000_000, description="First control number, never used twice; without --numbers.", examples=[1]
        ),
    ] = 1
    partner: Annotated[
        bytes, Meta(description="The sender's partner document, JSON; default none.", examples=[b"{}"])
    ] = b""
    numbers: Annotated[
        str,
        Meta(
            description="File that remembers control numbers between runs; written by the first.",
            examples=["numbers.json"],
            extra={"path": True},
        ),
    ] = ""
    codes: Annotated[
        bytes,
        Meta(description="Code lists newer than those built in, JSON; default none.", examples=[b"{}"]),
    ] = b""
    tables: TABLES = ""


class ClaimsAdjudicated(Message, frozen=True):
    """What became of the claims. The files hold the rest."""

    decided: Annotated[int, Meta(description="Claims decided or waiting.")]
    paid: Annotated[int, Meta(description="Claims that pay or leave something to the patient.")]
    denied: Annotated[int, Meta(description="Claims denied in full.")]
    waiting: Annotated[int, Meta(description="Claims that a person must look at.")]
    voided: Annotated[int, Meta(description="Voids: earlier decisions taken back.")]
    refused: Annotated[int, Meta(description="Claims refused at the door with the 277CA.")]
    cents: Annotated[int, Meta(description="Sum of the remittances, cents.")]
    files: Annotated[tuple[str, ...], Meta(description="Files written, in the folder.")]
    envelopes: Annotated[
        tuple[str, ...],
        Meta(
            description="TA1 note codes of envelopes refused before anything was read: 025 a control number used twice."
        ),
    ]
    gaps: Annotated[
        tuple[str, ...], Meta(description="Control numbers that the sender skipped since its last file: ask for these.")
    ]
    again: Annotated[bool, Meta(description="Whether the file came before: it gets the answers that it got then.")]


class AuditRemittance(Message, frozen=True):
    """A remittance and the contract it is held against."""

    file: Annotated[bytes, Meta(description="The X12 835 file.", examples=[b"ISA"])]
    rates: Annotated[bytes, Meta(description="One's own rates documents, a JSON list.", examples=[b"[]"])]
    plan: Annotated[
        bytes, Meta(description="Plan document whose price changes by modifier apply; default none.", examples=[b"{}"])
    ] = b""


class RemittanceAudited(Verdict, frozen=True):
    """What does not balance and what was paid short."""

    faults: Annotated[tuple[str, ...], Meta(description="Places and rules, with what would mend them.")]
    shortfalls: Annotated[tuple[str, ...], Meta(description="Lines below the agreed price, with the clause.")]
    missing: Annotated[int, Meta(description="Sum below the agreed prices, cents.", extra={"cents": True})]
    unpriced: Annotated[int, Meta(description="Lines for which the contract has no price.")]


@use_case("claims.adjudicate", who=OPERATOR)
def adjudicate_claims(node: Node, request: AdjudicateClaims) -> ClaimsAdjudicated:
    """Decide a file of claims by a plan, rates and members, and write 999, 277CA, 835, explanations and a page.

    Nothing is stored at the node. Claims of the file are each other's history: a second copy of a claim is found. With
    `numbers`, a file that came before gets the same answers again, and one under a used control number a TA1 alone.
    """
    documents.require_kind(request.file, "837", "a file of claims")
    plan = documents.plan(request.plan)
    rates = documents.rates(request.rates)
    members = documents.members(request.members, plan.payer)
    partner = documents.partner(request.partner) if request.partner else None
    tables, codes = tables_of(node, plan, request.tables), documents.codes(request.codes)
    today = date_of(node.now() // DAY_MS)
    received, decided = documents.day(request.received, today), documents.day(request.decided, today)
    if not received <= min(decided, today):
        told = "a file comes before today ends and before it is decided"
        raise Malformed("claims.day", told, expected=f"received until {min(decided, today)}", got=received)
    with AnswersFolder(Path(request.folder)) as folder:
        memory = _Memory(request, today)
        settings = memory.settings(
            Settings(stamp=Stamp(today, "0000", request.control), received=received, decided=decided, codes=codes)
        )
        refused = memory.refused(partner)
        if refused:
            return _turned_away(folder, memory, refused, Stamp(today, "0000", settings.stamp.control))
        try:
            chunks = documents.chunks(request.file)
            desk = folder.desk()
            done = answer(chunks, plan, rates, members, settings, desk=desk, partner=partner, tables=tables)
        except Unreadable as broken:
            raise documents.unreadable(broken) from None
        gaps, again = memory.keep(
            settings, done
        )  # first: a number that is kept for nothing is better than one used twice
        folder.publish()
    states = done.states
    return ClaimsAdjudicated(
        decided=sum(states.values()),
        paid=states.get("paid", 0),
        denied=states.get("denied", 0),
        waiting=states.get("pended", 0),
        voided=states.get("voided", 0),
        refused=done.refused,
        cents=done.paid,
        files=done.files,
        envelopes=(),
        gaps=gaps,
        again=again,
    )


def _turned_away(
    folder: AnswersFolder, memory: "_Memory", refused: list[tuple[Numbered, str]], stamp: Stamp
) -> ClaimsAdjudicated:
    """Answer by TA1 alone."""
    files = tuple(f"{place:03d}.ta1" for place in range(1, len(refused) + 1))
    for place, ((one, code), name) in enumerate(zip(refused, files, strict=True)):
        mine = structs.replace(stamp, control=stamp.control + place)
        folder.write(name, [envelope_refusal(one.header, code, mine)])
    memory.keep_numbers(len(files))
    folder.publish()
    return ClaimsAdjudicated(0, 0, 0, 0, 0, 0, 0, files, tuple(code for _, code in refused), (), again=False)


class _Memory:
    """The numbers of earlier runs, where a file keeps them."""

    def __init__(self, request: AdjudicateClaims, today: str) -> None:
        self._today = today
        self._path = Path(request.numbers) if request.numbers else None
        self._numbers = Numbers()
        try:
            wanted = self._path is not None or request.partner
            self._found = tuple(numbered(documents.chunks(request.file))) if wanted else ()
            if self._path is not None and self._path.exists():
                self._numbers = read_numbers(self._path.read_bytes())
        except Unreadable as broken:
            raise documents.unreadable(broken) from None
        except DocumentRefused as wrong:
            raise Malformed("claims.numbers", str(wrong), todo="restore the file that the last run wrote") from None

    def settings(self, given: Settings) -> Settings:
        """Return what the run is made with: for a file that came before, what it was made with then."""
        if self._path is None:
            return given
        first = self._numbers.first_answer(self._found)
        if first is None:
            stamp = Stamp(given.stamp.day, given.stamp.time, self._numbers.control)
            return structs.replace(given, stamp=stamp, first_number=self._numbers.claim)
        return structs.replace(
            given,
            stamp=Stamp(first.written, given.stamp.time, first.control),
            received=first.received,
            decided=first.decided,
            first_number=first.claim,
        )

    def refused(self, partner: Partner | None) -> list[tuple[Numbered, str]]:
        """Return the interchanges that go no further, with the note code of their TA1."""
        used = self._numbers.reused(self._found) if self._path is not None else ()
        told = [(one, DUPLICATE) for one in used]
        if partner is not None:
            codes = (
                (one, envelope_code(partner, one.header, one.delimiters)) for one in self._found if one not in used
            )
            told += [(one, code) for one, code in codes if code != "000"]
        return told

    def keep(self, settings: Settings, done: Answered) -> tuple[tuple[str, ...], bool]:
        """Remember a run; return the numbers that the sender skipped, and whether the file came before."""
        if self._path is None:
            return (), False
        if self._numbers.first_answer(self._found) is not None:
            return (), True
        came = Came(
            content="",
            control=settings.stamp.control,
            claim=settings.first_number,
            written=self._today,
            received=settings.received,
            decided=settings.decided,
        )
        self._save(self._numbers.after(self._found, came, done.stamped, sum(done.states.values())))
        return self._numbers.gaps(self._found), False

    def keep_numbers(self, files: int) -> None:
        """Remember that so many control numbers of ours went out."""
        self._save(structs.replace(self._numbers, control=self._numbers.control + files))

    def _save(self, numbers: Numbers) -> None:
        if self._path is not None:
            fresh = self._path.with_name(f"{self._path.name}.new")
            with fresh.open("wb") as file:
                file.write(json.format(json.encode(numbers)))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)


@use_case("claims.audit", who=OPERATOR)
def audit_remittance(node: Node, request: AuditRemittance) -> RemittanceAudited:  # noqa: ARG001 -- a use case's shape
    """Hold a received 835 against one's contract: what does not balance, what was paid below the agreed price."""
    documents.require_kind(request.file, "835", "a remittance")
    rates = documents.rates(request.rates)
    cuts = documents.plan(request.plan).cuts if request.plan else None
    try:
        found = audit(documents.chunks(request.file), rates, cuts)
    except Unreadable as broken:
        raise documents.unreadable(broken) from None
    faults = tuple(part.told() for part in found.findings)
    short = tuple(
        f"claim {part.identifier} line {part.line}: agreed {dollars(part.agreed)} ({part.clause}), "
        f"allowed {dollars(part.allowed)}, missing {dollars(part.missing)}"
        for part in found.shortfalls
    )
    sound = not faults and not short
    return RemittanceAudited(
        sound=sound, faults=faults, shortfalls=short, missing=found.missing, unpriced=len(found.unpriced)
    )
