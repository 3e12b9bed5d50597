"""`records refile`: a record that was filed under the wrong patient.

Every version of it is sealed anew under the right link, a tombstone ends it under the wrong one, both in one commit; both
patients' logs say so. Whoever pulled it is told to keep it no longer. The keys of the versions under the wrong link are
destroyed last: a command that ended before may be given again.
"""

from typing import Annotated, Final

from msgspec import Meta, structs

from salus.interop.fhir.gate import read_resource
from salus.interop.fhir.splice import Rewriting, splice
from salus.node.anchoring import anchor_reading
from salus.node.errors import Conflict, Malformed
from salus.node.exchange.withdrawal import withdraw
from salus.node.member import MemberNode
from salus.node.names import LINK_EXAMPLE, LINK_PATTERN
from salus.node.reading import role_of
from salus.node.usecase import Caller, Message, person, use_case
from salus.vault.journal import Disclosure, Side
from salus.vault.links import LinkKind, Standing
from salus.vault.records import Record, Ref
from salus.vault.sealing import Content, Kind

FHIR: Final = "application/fhir+json"
PURPOSE: Final = "HOPERAT"


class Refile(Message, frozen=True):
    """Which record is whose."""

    number: Annotated[
        int, Meta(ge=1, description="Number of the record's newest version, as charts show it.", examples=[17])
    ]
    to: Annotated[str, Meta(pattern=LINK_PATTERN, description="The right patient's link.", examples=[LINK_EXAMPLE])]


class Refiled(Message, frozen=True):
    """It is filed under the right patient."""

    number: Annotated[int, Meta(description="Number of the record under the right link.")]
    tombstone: Annotated[int, Meta(description="Number of the tombstone under the wrong one.")]


@use_case("records.refile", who=person("privacy-officer"))
def refile(node: MemberNode, request: Refile, *, caller: Caller) -> Refiled:
    """Move a record that was filed under the wrong patient: sealed anew under the right one, ended under the other."""
    record, to = node.vault.open(request.number), bytes.fromhex(request.to)
    wrong = record.ref.link
    versions = node.vault.versions(wrong, record.ref.type, record.ref.id)
    _require_movable(node, record, to)
    fresh, tombstone = _moved(node, record, to) or _move(node, record, to)
    node.vault.journal(
        [_line(node, caller, wrong, "refiled-away", record), _line(node, caller, to, "refiled-here", record)]
    )
    node.catch_up()
    anchor_reading(node)
    withdraw(node, versions)
    return Refiled(number=fresh.number, tombstone=tombstone.number)


def _move(node: MemberNode, record: Record, to: bytes) -> tuple[Ref, Ref]:
    """Seal every version under the right link and end it under the wrong one, all or none; return the two newest."""
    ref = record.ref
    numbers = [one.number for one in node.vault.versions(ref.link, ref.type, ref.id) if not one.withdrawn]
    opened = node.vault.open_many(numbers)
    contents = [(to, structs.replace(one.content, body=_body(node, one, to))) for one in opened]
    end = Content(ref.type, ref.id, b"", kind=Kind.TOMBSTONE)
    *_, fresh, tombstone = node.vault.write_all([*contents, (ref.link, end)])
    return fresh, tombstone


def _moved(node: MemberNode, record: Record, to: bytes) -> tuple[Ref, Ref] | None:
    """Return record and tombstone of a move that ended before the keys were destroyed; None if there was none."""
    here, there = (node.vault.newest(link, record.ref.type, record.ref.id) for link in (record.ref.link, to))
    if here is None or there is None or here.kind is not Kind.TOMBSTONE:
        return None
    return (there, here) if node.vault.open(there.number).content.body == _body(node, record, to) else None


def _require_movable(node: MemberNode, record: Record, to: bytes) -> None:
    """Check that a record may move there. Raises Malformed, Conflict."""
    ref = record.ref
    for link in (ref.link, to):
        info = node.vault.link_info(link)
        if info.kind is not LinkKind.PATIENT or info.standing is not Standing.OPEN:
            raise Conflict("refile.link", "records move between two patients' open links alone")
    if _moved(node, record, to) is not None:
        return
    newest = node.vault.newest(ref.link, ref.type, ref.id)
    if ref.type == "Patient" or to == ref.link or newest is None or newest.number != ref.number:
        raise Malformed("refile.record", "the newest version of a record moves, to another link; no patient does")
    if ref.kind is Kind.TOMBSTONE or node.vault.newest(to, ref.type, ref.id) is not None:
        raise Conflict("refile.there", "the record ended already, or one of this type and id is filed there")


def _body(node: MemberNode, record: Record, to: bytes) -> bytes:
    """Return the bytes for the right patient: references to the wrong one's Patient name the right one's."""
    if record.content.kind is not Kind.RESOURCE or not record.content.media.startswith(FHIR):
        return record.content.body
    right = _patients(node, to)
    if len(right) != 1:
        raise Malformed("refile.patient", "the right link holds no one Patient", expected="1", got=str(len(right)))
    renamed = dict.fromkeys(_patients(node, record.ref.link), right[0])
    return splice(read_resource(record.content.body), Rewriting(renamed=renamed)).raw


def _patients(node: MemberNode, link: bytes) -> list[str]:
    """Return "Patient/id" of a link's Patients that have not ended."""
    newest = {ref.id: ref for ref in node.vault.of_link(link) if ref.type == "Patient"}
    return [f"Patient/{ref.id}" for ref in newest.values() if ref.kind is not Kind.TOMBSTONE]


def _line(node: MemberNode, caller: Caller, link: bytes, action: str, record: Record) -> Disclosure:
    return Disclosure(
        side=Side.CUSTODIAN,
        subject=link,
        member=node.member,
        person=caller.subject,
        role=role_of(caller),
        purpose=PURPOSE,
        action=action,
        what=(f"{record.ref.type} 1",),
    )
