"""Scans over time: where a pack was seen, since when it is somebody else's, and what became of an alarm.

1. A scan with a place is kept, the latest of each pack; one that cannot have come from there in time is *far*.
2. A pack that is not ours, and never was, may be a shipment whose data is late: it is asked about again before any alarm.
3. An alarm quarantines the pack on the ledger if it is this member's, and drafts a notification for a person to send.
4. Packs still waiting are looked at again whenever alerts are listed: who stays another's too long becomes an alarm.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from salus.agreements.supply.notifying import Suspicion, draft
from salus.agreements.supply.travel import Place, impossible
from salus.agreements.supply.triage import PATIENCE_MS
from salus.contracts.supply import port
from salus.core.encoding import Value, decode, encode
from salus.core.proof.digest import digest
from salus.node.errors import Unavailable
from salus.node.exchange.wire import RemoteRefusal
from salus.node.member import MemberNode
from salus.node.supply.exchange import UnitTold, send
from salus.node.supply.stock import ALERT, one_time

SEEN: Final = "seen"
WAITING: Final = "waiting"


class Alert(Value, frozen=True):
    """A scan that called for an alarm."""

    time: int
    code: str
    draft: str
    """What a person may send to the regulator: Form FDA 3911's fields in words."""
    aside: bool
    """Whether the pack was set aside on the ledger. What is another's can be set aside on the shelf alone."""


class Sighting(Value, frozen=True):
    """Where and when a pack was scanned last."""

    time: int
    latitude: int
    longitude: int


class Waiting(Value, frozen=True):
    """A pack that is somebody else's, since when, and what opens it."""

    since: int
    told: UnitTold


@dataclass(frozen=True, slots=True)
class Seen:
    """What earlier scans say of this one."""

    far: bool
    waited: int
    """Since when it has been another's here, ms."""


def seen(node: MemberNode, unit: bytes, place: Place | None, *, elsewhere: bool) -> Seen:
    """Return what earlier scans of a pack say, and keep this one."""
    now, far = node.now(), False
    if place is not None:
        for _, body in node.desk.supply(SEEN, unit):
            last = decode(body, Sighting)
            far = impossible(Place(last.latitude, last.longitude), last.time, place, now)
        node.desk.keep_supply(SEEN, (unit, encode(Sighting(now, place.latitude, place.longitude))))
    waiting = [decode(body, Waiting) for _, body in node.desk.supply(WAITING, unit)]
    if not elsewhere:
        if waiting:
            node.desk.drop_supply(WAITING, unit)
        return Seen(far, 0)
    return Seen(far, now - waiting[0].since if waiting else 0)


def wait(node: MemberNode, unit: bytes, told: UnitTold) -> None:
    """Remember that a pack is another's from now on, unless it was before."""
    if not node.desk.supply(WAITING, unit):
        node.desk.keep_supply(WAITING, (unit, encode(Waiting(node.now(), told))))


def alarm(node: MemberNode, told: UnitTold, found: port.Found, code: str) -> None:
    """Keep an alarm, one for each pack and code, and set the pack aside if it is this member's."""
    key = digest("salus/v1/supply-alert", found.id, code.encode())
    kept = node.desk.supply(ALERT, key)
    if kept and decode(kept[0][1], Alert).aside:
        return
    gtin, lot, expiry = told.part.product.decode("ascii").split("|")
    day = datetime.fromtimestamp(node.now() // 1000, UTC).date().isoformat()
    serial = told.part.box.serials[0].decode("ascii")
    fields = draft(Suspicion(code, day, gtin, lot, expiry, serial))
    text = "DRAFT of Form FDA 3911. " + " ".join(f"{name}: {value}." for name, value in fields)
    node.desk.keep_supply(ALERT, (key, encode(Alert(node.now(), code, text, _aside(node, told, found)))))
    if node.desk.supply(WAITING, found.id):
        node.desk.drop_supply(WAITING, found.id)


def alerts(node: MemberNode) -> list[Alert]:
    """Return the alarms of this member, one for each pack and code; those that waited long enough are among them."""
    state, now = node.ledger.read(), node.now()
    for unit, body in node.desk.supply(WAITING):
        waiting = decode(body, Waiting)
        found = port.find(state, waiting.told.target)
        if found is None:
            continue
        row = found.holding
        if any(one and one_time(node, one) is not None for one in (row.owner, row.to)):
            node.desk.drop_supply(WAITING, unit)
        elif now - waiting.since >= PATIENCE_MS:
            alarm(node, waiting.told, found, "HOLDER_MISMATCH")
    return [decode(body, Alert) for _, body in node.desk.supply(ALERT)]


def _aside(node: MemberNode, told: UnitTold, found: port.Found) -> bool:
    """Quarantine a pack of this member's on the ledger; tell whether it is set aside. What cannot be told now is told later."""
    if one_time(node, found.holding.owner) is None:
        return False
    if found.holding.status is port.Status.ACTIVE:
        try:
            send(node, port.Quarantine(told.target), found.holding.owner)
        except (RemoteRefusal, Unavailable):
            return False
    return True
