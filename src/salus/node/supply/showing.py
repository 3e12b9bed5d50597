"""`supply show-event`: a captured event shown in part, anchored on the ledger.

What was captured since the last time is closed into a batch and its root anchored, like records; the root says nothing
of how many events there were beyond a bucket, nor what they are.
"""

import json
from typing import Annotated, Final

from msgspec import Meta, structs

from salus.contracts.records.port import Anchor, count_bucket
from salus.core.encoding import Value, decode, encode
from salus.core.proof.batch import batch_path, batch_root
from salus.core.proof.digest import mac
from salus.core.proof.event import FORMAT, event_leaf
from salus.interop.epcis.canonical import canonical_form, field_leaves, field_salt
from salus.interop.epcis.document import Event
from salus.interop.epcis.translate import unpacked
from salus.node.errors import NotFound, Unavailable
from salus.node.event_tables import KeptEvent, Within
from salus.node.member import MemberNode
from salus.node.supply import repository
from salus.node.usecase import OPERATOR, Message, use_case

BATCH: Final = "batch"
NEWEST: Final = "newest-batch"
MAX_BATCH: Final = 10_000
HASH_BYTES: Final = 32


class EventBatch(Value, frozen=True):
    """Events that one anchor stands for."""

    numbers: tuple[int, ...]
    """Of the events, ascending in the order of capture."""
    leaves: bytes
    """Of the events, 32 bytes each, in this order."""
    tx_id: bytes = b""
    """Of the anchoring transaction; empty until it stands."""


class ShowEvent(Message, frozen=True):
    """Which event, and what of it."""

    event: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=600,
            description="Its eventID.",
            examples=["urn:uuid:404d95fc-9457-4a51-bd6a-0bba133845a8"],
            extra={"positional": True},
        ),
    ]
    fields: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="Names of the fields to show; the others stay hidden.", examples=[["bizStep"]]),
    ]


class EventShown(Message, frozen=True):
    """Give it to whoever is to know these fields; it proves itself by `salus verify`."""

    shown: Annotated[str, Meta(description="The event in part, of format salus-event/1.")]
    withheld: Annotated[int, Meta(description="How many fields it does not show.")]


@use_case("supply.show-event", who=OPERATOR)
def show_event(node: MemberNode, request: ShowEvent) -> EventShown:
    """Show some fields of a captured event, with the proof that the ledger holds the whole of it.

    Whoever gets it learns these fields, how many there are besides, and when the event was anchored at the latest. Of
    events that declare this one wrong nothing is said: look for them.
    """
    rows = [row for row in repository.rows_named(node, request.event) if _is_the_event(row)]
    if not rows:
        raise NotFound("supply.no-event", "no captured event has this eventID", todo="look at `salus supply trace`")
    anchor_events(node)
    row, batch = rows[0], _batch_of(node, rows[0].number)
    event = unpacked(row.body)
    form = canonical_form(event.kind, event.fields)
    unknown = sorted(set(request.fields) - set(form))
    if unknown:
        raise NotFound(
            "supply.no-field", "the event has no such field", expected=", ".join(sorted(form)), got=", ".join(unknown)
        )
    secret, index = _secret(node, event), batch.numbers.index(row.number)
    told = [
        {"name": name, "value": form[name], "salt": field_salt(secret, name).hex()}
        if name in request.fields
        else {"leaf": leaf.hex()}
        for name, leaf in field_leaves(event.kind, event.fields, secret).items()
    ]
    path = batch_path(_split(batch.leaves), index)
    document = {
        "format": FORMAT,
        "receipt": node.prover.receipt(batch.tx_id).encode().hex(),
        "index": index,
        "size": len(batch.numbers),
        "path": b"".join(path).hex(),
        "fields": told,
    }
    return EventShown(shown=json.dumps(document), withheld=len(form) - len(set(request.fields)))


def anchor_events(node: MemberNode) -> None:
    """Anchor what was captured since the last time. Raises Unavailable or Refused: a later call goes on."""
    with node.anchoring:
        while (batch := _open(node)) is not None:
            leaves = len(batch.numbers)
            outcome = node.submitter.submit(
                Anchor(root=batch_root(_split(batch.leaves)), count_bucket=count_bucket(leaves), deferred=False)
            )
            if outcome.height is None:
                raise Unavailable("ledger.no-height", "the anchor stands in no block", todo="try again")
            done = encode(structs.replace(batch, tx_id=outcome.tx_id))
            node.desk.keep_epcis(BATCH, _name(batch.numbers[-1]), done)
            node.desk.keep_epcis(NEWEST, "", done)


def _open(node: MemberNode) -> EventBatch | None:
    """Return the batch to anchor now, durably closed before; None when nothing waits."""
    kept = node.desk.epcis(NEWEST, "")
    newest = decode(kept, EventBatch) if kept else EventBatch((), b"", b"none")
    if not newest.tx_id:
        return newest
    last = newest.numbers[-1] if newest.numbers else 0
    rows = node.desk.events_within(Within(node.desk.last_event(), after=(last, last)), MAX_BATCH)
    if not rows:
        return None
    leaves = b"".join(_leaf(node, unpacked(row.body)) for row in rows)
    batch = EventBatch(tuple(row.number for row in rows), leaves)
    node.desk.keep_epcis(NEWEST, "", encode(batch))
    return batch


def _batch_of(node: MemberNode, number: int) -> EventBatch:
    """Return the anchored batch that an event is in."""
    ((_, body),) = node.desk.epcis_after(BATCH, _name(number - 1), 1)
    return decode(body, EventBatch)


def _is_the_event(row: KeptEvent) -> bool:
    return "errorDeclaration" not in unpacked(row.body).fields


def _leaf(node: MemberNode, event: Event) -> bytes:
    return event_leaf(list(field_leaves(event.kind, event.fields, _secret(node, event)).values()))


def _secret(node: MemberNode, event: Event) -> bytes:
    """Return the secret of an event's salts: nobody who guesses the event can try the guess."""
    return mac(node.secret("salus/v1/epcis-fields"), "salus/v1/epcis-fields", event.hash)


def _split(leaves: bytes) -> list[bytes]:
    return [leaves[at : at + HASH_BYTES] for at in range(0, len(leaves), HASH_BYTES)]


def _name(number: int) -> str:
    """Return a batch's name: names in order are batches in order."""
    return f"{number:020d}"
