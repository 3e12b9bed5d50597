"""An EPCIS event shown in part: some of its fields, that nothing was changed, and that an anchor on the ledger holds it.

    {"format": "salus-event/1", "receipt": hex, "index": 3, "size": 17, "path": hex, "fields": [
        {"name": "bizStep", "value": "shipping", "salt": hex}, {"leaf": hex}, ...]}

Fields stand by name ascending; one that is withheld shows its leaf alone, not even its name. A value is in the event's one
form: times as Unix milliseconds, words of CBV bare, identifiers as Digital Links. `receipt` is the anchor's; index, size
and path are those of the event's leaf in the anchored batch.

    field leaf  mac(salt, "salus/v1/epcis-field", name, value as JSON: names sorted, no white space, UTF-8)
    event leaf  digest("salus/v1/epcis-anchored", root): the RFC 9162 root over the field leaves
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from salus.core.proof import merkle
from salus.core.proof.batch import root_from_batch
from salus.core.proof.digest import digest, mac
from salus.core.proof.errors import MalformedProof, ProofMismatch
from salus.core.proof.opening import AcceptReceipt, Anchor, anchor_in
from salus.core.proof.receipt import Receipt, nodes_in
from salus.core.proof.trust import parse_json, unhex

FORMAT: Final = "salus-event/1"
MAX_EVENT: Final = 32 * 1024 * 1024
MAX_FIELDS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Shown:
    """What an event shown in part says."""

    anchor: Anchor
    fields: dict[str, Any]
    """Values of the fields shown, by name."""
    withheld: int
    """How many fields are not shown."""


def value_bytes(value: Any) -> bytes:
    """Return a value of the one form as it is hashed."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "surrogatepass")


def field_leaf(salt: bytes, name: str, value: Any) -> bytes:
    """Return the leaf of a field; salt of 32 bytes."""
    return mac(salt, "salus/v1/epcis-field", name.encode(), value_bytes(value))


def event_leaf(leaves: Sequence[bytes]) -> bytes:
    """Return what the anchored batch holds of an event whose fields have these leaves, by name ascending."""
    root = merkle.root([merkle.leaf_hash(leaf) for leaf in leaves])
    return digest("salus/v1/epcis-anchored", root)


def check_event(text: bytes, accept: AcceptReceipt) -> Shown:
    """Check that an event shown in part stands under an anchor. Raises Unproven."""
    match parse_json(text, MAX_EVENT):
        case {
            "format": "salus-event/1",
            "receipt": str(receipt),
            "index": int(index),
            "size": int(size),
            "path": str(path),
            "fields": list(fields),
            **rest,
        } if not rest and 0 < len(fields) <= MAX_FIELDS:
            issued = Receipt.decode(_bytes(receipt))
            accept(issued)
            anchor = anchor_in(issued)
            shown: dict[str, Any] = {}
            leaves = [_leaf(one, shown) for one in fields]
            if root_from_batch(event_leaf(leaves), index, size, nodes_in(_bytes(path))) != anchor.root:
                raise ProofMismatch("the event does not lead to the anchored root")
            return Shown(anchor, shown, len(fields) - len(shown))
    raise MalformedProof(f"not an event of format {FORMAT}")


def _leaf(field: object, shown: dict[str, Any]) -> bytes:
    """Return a field's leaf; note its value if it is shown."""
    match field:
        case {"leaf": str(leaf), **rest} if not rest:
            return unhex(leaf, 32)
        case {"name": str(name), "value": value, "salt": str(salt), **rest} if not rest:
            if not name.isprintable() or (shown and name <= next(reversed(shown))):
                raise MalformedProof("the names of fields shown do not ascend, or do not print")
            shown[name] = value
            return field_leaf(unhex(salt, 32), name, value)
    raise MalformedProof("neither a field shown nor one withheld")


def _bytes(text: str) -> bytes:
    if len(text) % 2:
        raise MalformedProof("not bytes in hexadecimal")
    return unhex(text, len(text) // 2)
