"""`salus wallet log`, `records`, `check`: who has looked, what is kept, and that nothing was altered."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final, TypeVar

from msgspec import Meta

from salus.node.errors import EdgeError, Unavailable
from salus.node.records.charts import moment
from salus.node.usecase import PATIENT, Message, Progress, unheard, use_case
from salus.node.wallet.file import OpenWallet
from salus.node.wallet.log import exported
from salus.vault.locked import write_whole
from salus.vault.sealing import Kind
from salus.vault.served import Received

R = TypeVar("R")
EXPORT = Annotated[
    str,
    Meta(description="File to write it to.", examples=["access-log.json"], extra={"path": True}),
]


class ReadLog(Message, frozen=True):
    """Where to write it, if anywhere."""

    export: EXPORT = ""


class SeenLine(Message, frozen=True):
    """One reading, as one member tells it."""

    time: Annotated[str, Meta(description="When, UTC.")]
    told_by: Annotated[str, Meta(description="Member that tells it.")]
    side: Annotated[str, Meta(description="custodian: it served or read its own; grantee: it received.")]
    member: Annotated[str, Meta(description="The other member.")]
    person: Annotated[str, Meta(description="Person, by the name that only the member resolves.")]
    role: Annotated[str, Meta(description="In which role.")]
    purpose: Annotated[str, Meta(description="What for.")]
    action: Annotated[str, Meta(description="What was done.")]
    what: Annotated[str, Meta(description="What was read, by type and number.")]
    proven: Annotated[bool, Meta(description="Whether it lies under a root on the ledger already.")]
    transaction: Annotated[str, Meta(description="Transaction that put that root there, hexadecimal; empty: none yet.")]


class GapLine(Message, frozen=True):
    """What is missing from the log."""

    told_by: Annotated[str, Meta(description="Member that does not tell it.")]
    side: Annotated[str, Meta(description="custodian or grantee.")]
    code: Annotated[str, Meta(description="Why: the code of its refusal, or of what does not hold.")]
    what: Annotated[str, Meta(description="In words.")]


class LogRead(Message, frozen=True):
    """Who has looked, over all members."""

    lines: Annotated[
        tuple[SeenLine, ...], Meta(description="Oldest first. A line that one side hides shows at the other.")
    ]
    gaps: Annotated[
        tuple[GapLine, ...],
        Meta(description="What members do not tell, hide or show no longer; empty when nothing is missing."),
    ] = ()


class MissingPart(Message, frozen=True):
    """A member whose part is missing: what the others tell is shown all the same."""

    member: Annotated[str, Meta(description="The member.")]
    code: Annotated[str, Meta(description="Why: the code of its refusal, or that it cannot be reached.")]
    what: Annotated[str, Meta(description="In words.")]


MISSING = Annotated[
    tuple[MissingPart, ...], Meta(description="Members that told nothing; empty when every member answered.")
]


class ReadRecords(Message, frozen=True):
    """Which records, and where to write them."""

    member: Annotated[
        str,
        Meta(
            pattern="^([a-z][a-z0-9-]{1,31})?$",
            description="Only those at this member.",
            examples=["north-hospital"],
        ),
    ] = ""
    export: Annotated[
        str,
        Meta(description="File to write a FHIR Bundle to.", examples=["my-record.json"], extra={"path": True}),
    ] = ""


class OwnLine(Message, frozen=True):
    """How many records of a type a member keeps."""

    member: Annotated[str, Meta(description="Member that wrote them.")]
    type: Annotated[str, Meta(description="Resource type.")]
    count: Annotated[int, Meta(description="How many, newest versions only.")]


class RecordsRead(Message, frozen=True):
    """The own records, opened and verified."""

    records: Annotated[int, Meta(description="How many.")]
    types: Annotated[tuple[OwnLine, ...], Meta(description="By member and type.")]


class CheckChains(Message, frozen=True):
    """Asks for nothing more."""


class ChainLine(Message, frozen=True):
    """A member's chain, followed to its end."""

    member: Annotated[str, Meta(description="The member.")]
    new: Annotated[int, Meta(description="Records since the last check.")]
    records: Annotated[int, Meta(description="Records followed in all.")]


class ChainsChecked(Message, frozen=True):
    """Nothing that was shown before was altered, withheld or rolled back."""

    members: Annotated[tuple[ChainLine, ...], Meta(description="By member.")]


MEDIA: Final = "application/fhir+json"


@use_case("wallet.log", who=PATIENT)
def read_log(wallet: OpenWallet, request: ReadLog) -> LogRead:
    """Show who has looked, over all members; write it as a file that `salus verify` checks offline.

    A member that cannot be reached, hides a line or tells fewer than before is named as a gap beside the lines.
    """
    log = wallet.holder.access_log()
    seen = log.lines
    if request.export:
        _write(Path(request.export), exported(seen))
    return LogRead(
        lines=tuple(
            SeenLine(
                time=moment(one.disclosure.time),
                told_by=one.told_by,
                side=one.side,
                member=one.disclosure.member,
                person=one.disclosure.person,
                role=one.disclosure.role,
                purpose=one.disclosure.purpose,
                action=one.disclosure.action,
                what=", ".join(one.disclosure.what),
                proven=one.proven,
                transaction=one.line.tx_id.hex(),
            )
            for one in seen
        ),
        gaps=tuple(GapLine(one.told.by, one.told.side, one.code, one.what) for one in log.gaps),
    )


@use_case("wallet.records", who=PATIENT)
def read_records(wallet: OpenWallet, request: ReadRecords, *, progress: Progress) -> RecordsRead:
    """Fetch the own records from the members joined, open and verify them; write them as a FHIR Bundle.

    Every resource stands in the bundle with the bytes that its writer received.
    """
    kept = newest(wallet, [request.member] if request.member else [], progress)
    if request.export:
        _write(Path(request.export), bundle(kept.values()))
    counts: dict[tuple[str, str], int] = {}
    for writer, type_, _ in kept:
        counts[writer, type_] = counts.get((writer, type_), 0) + 1
    return RecordsRead(
        records=len(kept),
        types=tuple(
            OwnLine(member=member, type=type_, count=count) for (member, type_), count in sorted(counts.items())
        ),
    )


def newest(
    wallet: OpenWallet, members: Sequence[str] = (), progress: Progress = unheard
) -> dict[tuple[str, str, str], Received]:
    """Return the newest version of each own record at some members (all), by writer, type and id; without deleted ones."""
    found: dict[tuple[str, str, str], Received] = {}
    asked = members or [tied.member for tied in wallet.holder.wallet.state.links]
    for at, member in enumerate(asked):
        progress(at, len(asked), "members")
        for one in wallet.holder.records(member):
            name = (one.writer, one.content.type, one.content.id)
            if name not in found or found[name].version < one.version:
                found[name] = one
    return {name: one for name, one in found.items() if one.content.kind is not Kind.TOMBSTONE}


def of_each(wallet: OpenWallet, ask: Callable[[str], R]) -> tuple[list[tuple[str, R]], tuple[MissingPart, ...]]:
    """Return what each member answers, and which answer nothing: one that is down hides nothing of the others."""
    told, missing = [], []
    for tied in wallet.holder.wallet.state.links:
        try:
            told.append((tied.member, ask(tied.member)))
        except EdgeError as error:
            missing.append(MissingPart(member=tied.member, code=error.code, what=error.message))
    return told, tuple(missing)


@use_case("wallet.check", who=PATIENT)
def check(wallet: OpenWallet, request: CheckChains) -> ChainsChecked:  # noqa: ARG001 -- a use case
    """Follow the chain of the own record at every member, from where it was last followed.

    Refused with what does not hold when something shown before was altered, withheld or rolled back.
    """
    lines = []
    for tied in wallet.holder.wallet.state.links:
        new = wallet.holder.check_record(tied.member)
        followed = wallet.holder.wallet.tied(tied.member).sequence
        lines.append(ChainLine(member=tied.member, new=new, records=followed))
    return ChainsChecked(members=tuple(lines))


def bundle(records: Iterable[Received]) -> bytes:
    """Return FHIR resources as one Bundle (R4 2.36, collection), each with its bytes as received: decimals survive."""
    entries = [
        b'{"resource":' + one.content.body.strip() + b"}" for one in records if one.content.media.startswith(MEDIA)
    ]
    return b'{"resourceType":"Bundle","type":"collection","entry":[\n' + b",\n".join(entries) + b"\n]}\n"


def _write(path: Path, data: bytes) -> None:
    """Write an export for its owner alone. Raises Unavailable."""
    try:
        write_whole(path, data)
    except OSError as error:
        raise Unavailable("wallet.export", "the file cannot be written", got=str(error.strerror)) from error
