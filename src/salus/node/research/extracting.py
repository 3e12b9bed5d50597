"""A custodian's side of an extract: rows made from stripped records, committed, written down for each patient, sent, taken back.

What leaves is computed anew from the same records and salt whenever it is needed and held against the digests of the begin,
so that no copy of it lies anywhere. Whoever withdraws, objects, is erased or whose records changed meanwhile is sent as a
digest alone; those who withdraw later are told to the receiver, who takes them out.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from salus.agreements.research import extract
from salus.agreements.research.document import Query, QueryRefused
from salus.agreements.research.extract import Chunk, Rows
from salus.contracts.research import port
from salus.core.encoding import decode, encode
from salus.interop.fhir import deidentified
from salus.interop.fhir.view import View, ViewFailed
from salus.node.anchoring import commit
from salus.node.errors import Conflict, Malformed
from salus.node.exchange.documents import seal_and_deliver
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.research import choices
from salus.node.research.permits import data_set_row, permit_row
from salus.node.research.wire import EXTRACT, Held, SentExtract, checked, keep, query_row
from salus.vault.journal import Disclosure, Side
from salus.vault.sealing import Kind

BATCH: Final = 1 << 20  # bytes of rows in one delivery, besides the last person's
ACTION: Final = "extract"


def prepared(node: MemberNode, row: port.Query, kept: Held, persons: Sequence[choices.Person], smallest: int) -> Held:
    """Return what is kept with those whose rows will leave, and the digests of their rows. Raises Malformed, Conflict.

    Left out is who is not in the cohort, and whose row of persons fewer than k share.
    """
    from salus.node.research import figures  # noqa: PLC0415 -- the extra may not be installed

    query = checked(kept.question.document, row)
    by_link = {person.counted.link: person for person in persons}
    try:
        views = extract.views_of(query)
        stripped = {link: list(_stripped(node, row, query, kept, person)) for link, person in by_link.items()}
        cohort = figures.owned_frame(
            query, ((link.hex(), one) for link, resources in stripped.items() for one in resources)
        )
        rows = {
            link: extract.rows_of(views, stripped[link])
            for link in map(bytes.fromhex, cohort.patients)
            if link in by_link
        }
    except (QueryRefused, ViewFailed) as wrong:
        raise Malformed("research.figures", str(wrong)) from None
    leaving = extract.shared(rows, max(smallest, extract.statistic_of(query).k))
    counted = tuple(person.counted for link, person in by_link.items() if link in leaving)
    if not counted:
        raise Conflict("research.nobody", "nobody's rows may leave", todo="withhold the question")
    digests = tuple(
        extract.chunk_digest(_chunk(kept, place, one.link, rows[one.link])) for place, one in enumerate(counted)
    )
    return msgspec.structs.replace(kept, counted=counted, chunks=digests)


def _stripped(
    node: MemberNode, row: port.Query, query: Query, kept: Held, person: choices.Person
) -> Iterator[dict[str, Any]]:
    """Yield what may leave of a person's records, up to the newest that was read at the begin."""
    link = person.counted.link
    changed = deidentified.Person(
        days=extract.days_of(kept.salt, link, extract.statistic_of(query).shift_days),
        year=int(moment(row.begin_by)[:4]),
        pseudonym=lambda what: extract.pseudonym_of(kept.salt, what.encode()).hex(),
    )
    numbers = [number for number in choices.numbers(node, person) if number <= kept.until]
    for record in node.vault.open_many(numbers):
        if record.ref.kind is Kind.RESOURCE and record.content.media == "application/fhir+json":
            yield deidentified.deidentified(json.loads(record.content.body), changed)


def _chunk(kept: Held, place: int, link: bytes, rows: Rows) -> Chunk:
    pseudonym, salt = extract.pseudonym_of(kept.salt, link), extract.salt_of(kept.salt, link)
    return Chunk(place, pseudonym, salt, encode(rows))


def committed(kept: Held) -> bytes:
    """Return the commitment to an extract, for the ledger."""
    return extract.commitment(kept.chunks)


def send(node: MemberNode, data_set: bytes, kept: Held, persons: Sequence[choices.Person]) -> Held:
    """Write down what leaves of each patient, then send it, once the ledger holds the commitment.

    `persons` are those who may still leave; of the others the digest alone is sent.
    """
    if kept.sent:
        return kept
    row = query_row(node, kept.question.query)
    query = checked(kept.question.document, row)
    views = extract.views_of(query)
    still = {person.counted: person for person in persons}
    rows = {one: _same(node, row, query, views, kept, place, still.get(one)) for place, one in enumerate(kept.counted)}
    lines = [
        Disclosure(
            side=Side.CUSTODIAN,
            subject=one.link,
            member=kept.analyst,
            person="",
            role="",
            purpose=choices.PURPOSE,
            action=ACTION,
            what=tuple(f"{name} {len(table)}" for name, table in zip(views, told.tables, strict=True)),
            grant=one.choice,
            answer=committed(kept),
        )
        for one, told in rows.items()
        if told is not None
    ]
    if lines:
        commit(node, node.vault.journal(lines))
    _deliver(node, data_set, kept, [
        _gone(kept, place, one.link) if told is None else _chunk(kept, place, one.link, told)
        for place, (one, told) in enumerate(rows.items())
    ])  # fmt: skip
    gone = tuple(one.link for one, told in rows.items() if told is None)
    return keep(node, data_set, msgspec.structs.replace(kept, sent=True, gone=gone))


def _same(  # noqa: PLR0917 -- what rows are made of
    node: MemberNode,
    row: port.Query,
    query: Query,
    views: dict[str, View],
    kept: Held,
    place: int,
    person: choices.Person | None,
) -> Rows | None:
    """Return a person's rows if they are those of the begin and may still leave."""
    if person is None:
        return None
    rows = extract.rows_of(views, _stripped(node, row, query, kept, person))
    same = extract.chunk_digest(_chunk(kept, place, person.counted.link, rows)) == kept.chunks[place]
    return rows if same else None


def _gone(kept: Held, place: int, link: bytes) -> Chunk:
    return Chunk(place, extract.pseudonym_of(kept.salt, link), b"", b"")


def _deliver(node: MemberNode, data_set: bytes, kept: Held, chunks: Sequence[Chunk]) -> None:
    """Send chunks in parts of bounded size; each names all digests, so that it is held against the ledger by itself."""
    part: list[Chunk] = []
    size = 0
    for number, chunk in enumerate(chunks, 1):
        part.append(chunk)
        size += len(chunk.body)
        if size >= BATCH or number == len(chunks):
            height = node.ledger.head().height
            sent = SentExtract(kept.question.query, data_set, height, kept.chunks, tuple(part))
            seal_and_deliver(node, kept.analyst, EXTRACT, sent)
            part, size = [], 0


def take_back(node: MemberNode) -> int:
    """Tell receivers of extracts who has withdrawn since; return how many persons. A running node does so by itself."""
    told = 0
    for data_set, kept, row, permit in _standing(node):
        study = choices.Study(data_set_row(node.ledger.read(), data_set), row.permit, permit, row.way.value, row.height)
        found = choices.find(node, study, [row.height, node.ledger.head().height])
        still = {person.counted for person in found.persons}
        left = [
            _gone(kept, place, one.link)
            for place, one in enumerate(kept.counted)
            if one not in still and one.link not in kept.gone
        ]
        if left:
            _deliver(node, data_set, kept, left)
            links = tuple(kept.counted[one.place].link for one in left)
            keep(node, data_set, msgspec.structs.replace(kept, gone=(*kept.gone, *links)))
            told += len(left)
    return told


def unattested(node: MemberNode) -> list[tuple[int, bytes, str]]:
    """Return the extracts of this member's whose receiver should have attested deletion: until when, question, receiver."""
    now = node.ledger_time()
    return [
        (permit.ends, kept.question.query, kept.analyst) for _, kept, _, permit in _standing(node) if now > permit.ends
    ]


def _standing(node: MemberNode) -> Iterator[tuple[bytes, Held, port.Query, port.Permit]]:
    """Yield the extracts that were sent and are not attested deleted: data set, what is kept, question, permit."""
    state = node.ledger.read()
    for id_, body in node.desk.research("part"):
        kept, data_set = decode(body, Held), id_[16:]
        part = port.query_part(state, kept.question.query, data_set)
        if kept.sent and part is not None and part.status is port.PartStatus.ANSWERED:
            row = query_row(node, kept.question.query)
            yield data_set, kept, row, permit_row(state, row.permit)
