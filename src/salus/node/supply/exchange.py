"""What members ask and send each other of goods: tickets, carriage, addresses, hop records, verification.

tickets    any → regulator     one-time keys to be licensed, by whoever the regulator licensed by name
carry      any → regulator     a body authored by a one-time key, to be submitted in the regulator's name
address    receiver → sender   digests of one-time keys to ship to
hop        sender → receiver, regulators   the sealed record of a shipment that the ledger has
verify     any → maker         does this unit exist; answered with the proof that finds it on the asker's own ledger
"""

from collections.abc import Sequence
from typing import Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.agreements.supply.packing import packed
from salus.contracts.membership.port import Role, active
from salus.contracts.supply import port
from salus.core.encoding import MalformedBytes, Message, Value, decode, encode
from salus.core.proof.goods import unit_key
from salus.core.transaction import build_body, sign_as_author
from salus.node.errors import Conflict, Forbidden, Malformed, NotFound, Unavailable
from salus.node.exchange.documents import open_document, seal_and_deliver
from salus.node.exchange.wire import Handler, RemoteRefusal
from salus.node.member import MemberNode
from salus.node.submitting import LIFE_MS
from salus.node.supply.stock import (
    ADDRESS,
    HOP,
    INBOUND,
    KEY,
    SALT_BYTES,
    OneTime,
    Part,
    SentHop,
    digest_of,
    hop_commitment,
    index_of,
    one_time,
    part_of,
    spots,
    target_of,
)

UNOPENED: Final = "supply.envelope"
TICKETS_PATH: Final = "/exchange/supply/tickets"
CARRY_PATH: Final = "/exchange/supply/carry"
VERIFY_PATH: Final = "/exchange/supply/verify"
HOP_KIND: Final = "supply-hop"
ADDRESS_KIND: Final = "supply-address"
MAX_KEYS: Final = 1_000
HOUR_MS: Final = 3_600_000
V = TypeVar("V", bound=Value)
CARRIED: Final[tuple[type[Message], ...]] = (
    port.Commission,
    port.Transform,
    port.Pack,
    port.Unpack,
    port.Ship,
    port.Cancel,
    port.Receive,
    port.Refuse,
    port.Settle,
    port.Hand,
    port.Take,
    port.ReportTemperature,
    port.End,
    port.Undo,
    port.Quarantine,
    port.Clear,
    port.Recall,
    port.Acknowledge,
)


class AskTickets(Value, frozen=True):
    """Digests of one-time keys, at most 1,000."""

    keys: tuple[bytes, ...]


class Tickets(Value, frozen=True):
    """A ticket for each, in order."""

    tickets: tuple[port.Ticket, ...]


class Carry(Value, frozen=True):
    """A body that names the receiver as submitter, and its author's signature."""

    body: bytes
    signature: bytes


class Carried(Value, frozen=True):
    """It stands on the ledger."""

    tx_id: bytes
    height: int
    data: bytes


class Addresses(Value, frozen=True):
    """Where goods may be shipped to, each once."""

    keys: tuple[bytes, ...]


class AskUnit(Value, frozen=True):
    """A Digital Link or element string of one unit."""

    identifier: str


class UnitTold(Value, frozen=True):
    """What opens one unit and where it lies; nothing of any other."""

    part: Part
    target: port.Target


def regulators(node: MemberNode) -> list[str]:
    """Return the active regulators, ascending by id."""
    return [id_ for id_, _ in active(node.ledger.read(), Role.REGULATOR)]


def new_keys(node: MemberNode, count: int) -> list[bytes]:
    """Make one-time keys, have them licensed, and return their digests. Raises Unavailable, RemoteRefusal."""
    seeds = {digest_of(seed): seed for seed in (node.entropy(32) for _ in range(count))}
    tickets = _ask_tickets(node, list(seeds))
    kept = [(key, encode(OneTime(seed, ticket))) for (key, seed), ticket in zip(seeds.items(), tickets, strict=True)]
    node.desk.keep_supply(KEY, *kept)
    return list(seeds)


def ticket_of(node: MemberNode, owner: bytes) -> port.Ticket:
    """Return the ticket of one of this member's keys, renewed if it is about to end. Raises NotFound, Unavailable."""
    own = one_time(node, owner)
    if own is None:
        raise NotFound("supply.not-ours", "this member has no such key")
    if own.ticket.until > node.ledger_time() + HOUR_MS:
        return own.ticket
    (ticket,) = _ask_tickets(node, [owner])
    node.desk.keep_supply(KEY, (owner, encode(OneTime(own.seed, ticket))))
    return ticket


def send(node: MemberNode, message: Message, owner: bytes) -> Carried:
    """Have a message of one of this member's keys carried by a regulator, and wait for its block. Raises Refused and the like.

    Nobody but the regulator, who issued the key's ticket, learns whose it is.
    """
    last: Unavailable | None = None
    for carrier in regulators(node):
        question = _authored(node, message, owner, carrier)
        try:
            carried = _carried(node, carrier, question)
        except Unavailable as error:
            last = error
            continue
        node.wait_for(carried.height)
        return carried
    raise last or Unavailable("supply.no-regulator", "no regulator carries or licenses on this network")


def _authored(node: MemberNode, message: Message, owner: bytes, carrier: str) -> Carry:
    """Return a message of one of this member's keys for a carrier. Raises NotFound."""
    own = one_time(node, owner)
    if own is None:
        raise NotFound("supply.not-ours", "these goods belong to another key", todo="see `salus supply stock`")
    key = Ed25519PrivateKey.from_private_bytes(own.seed)
    body = build_body(
        message,
        network=node.network,
        submitter=carrier,
        submitter_key=node.keys_of(carrier).signing_key,
        expiry=node.ledger_time() + LIFE_MS,
        nonce=node.entropy(16),
        author_key=key.public_key().public_bytes_raw(),
    )
    return Carry(body, sign_as_author(body, key))


def _carried(node: MemberNode, carrier: str, question: Carry) -> Carried:
    if carrier == node.member:
        return carry(node, node.member, encode(question))
    return node.peers.ask(carrier, CARRY_PATH, question, Carried)


def deliver_hop(node: MemberNode, sent: SentHop) -> None:
    """Send a hop record to its receiver and to every regulator, each sealed to it."""
    for receiver in dict.fromkeys((sent.hop.receiver, *regulators(node))):
        if receiver != node.member:
            seal_and_deliver(node, receiver, HOP_KIND, sent)


def offer_addresses(node: MemberNode, sender: str, count: int) -> None:
    """Give a partner one-time keys to ship to."""
    seal_and_deliver(node, sender, ADDRESS_KIND, Addresses(tuple(new_keys(node, count))))


def tickets(node: MemberNode, sender: str, body: bytes) -> Tickets:
    """Answer as a regulator: license keys of whoever this regulator licensed by name. Raises Forbidden."""
    asked = _decoded(body, AskTickets)
    row = port.licence_of(node.ledger.read(), node.member, sender)
    now = node.ledger_time()
    if row is None or not row.kinds or now >= row.until or len(asked.keys) > MAX_KEYS:
        raise Forbidden("supply.unlicensed", "this regulator has not licensed the asker, or its licence ended")
    until = min(row.until, now + port.terms(node.ledger.read()).ticket - HOUR_MS)
    return Tickets(
        tuple(
            port.Ticket(node.member, row.kinds, until, node.signing_key.sign(port.ticket_bytes(key, row.kinds, until)))
            for key in asked.keys
        )
    )


def carry(node: MemberNode, _sender: str, body: bytes) -> Carried:
    """Submit what a one-time key authored. Raises Malformed, Refused, Unavailable."""
    asked = _decoded(body, Carry)
    outcome = node.submitter.carry(asked.body, asked.signature, CARRIED)
    return Carried(outcome.tx_id, outcome.height or 0, outcome.data)


def tell_unit(node: MemberNode, _sender: str, body: bytes) -> UnitTold:
    """Answer as the maker: what opens one unit. Raises NotFound, also for a wrong lot or expiry."""
    asked = _decoded(body, AskUnit)
    state, index = node.ledger.read(), index_of(node)
    for spot in spots(index, asked.identifier):
        target = target_of(index, spot)
        if spot.unit and not spot.stock.hop and port.find(state, target) is not None:
            return UnitTold(part_of(index, spot), target)
    raise NotFound("supply.no-match", "this member made no such unit")


def ask_unit(node: MemberNode, identifier: str) -> tuple[str, UnitTold] | None:
    """Ask makers for a unit until one has it: (maker, what opens it), or None. Raises Unavailable if none could be asked."""
    failed: Unavailable | None = None
    for maker, _ in active(node.ledger.read(), Role.MANUFACTURER):
        try:
            if maker == node.member:
                told = tell_unit(node, maker, encode(AskUnit(identifier)))
            else:
                told = node.peers.ask(maker, VERIFY_PATH, AskUnit(identifier), UnitTold)
        except Unavailable as error:
            failed = error
            continue
        except (NotFound, RemoteRefusal):
            continue
        if _opens(told):
            return maker, told
    if failed is not None:
        raise failed
    return None


def _opens(told: UnitTold) -> bool:
    part = told.part
    serials = part.box.serials
    return (
        len(part.secret) == SALT_BYTES
        and len(serials) == 1
        and unit_key(part.secret, part.product, serials[0]) == part.key == told.target.key
        and part.lot == told.target.lot
    )


def take_hop(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Take a hop record that opens to its shipment. A regulator keeps it; a receiver may then receive."""
    sent = open_document(node, sender, HOP_KIND, envelope, SentHop, code=UNOPENED)
    hop, commitment = sent.hop, hop_commitment(sent.hop)
    if hop.sender == sender and node.desk.supply(HOP, commitment):
        return  # sent again: what was received since is not on its way any more
    node.wait_for(sent.height)
    found = port.find(node.ledger.read(sent.height), port.Target(b"", hop.holding, ()))
    if hop.sender != sender or found is None or found.holding.hop != commitment:
        raise Forbidden("supply.hop", "the record is not the one that was committed")
    if not sound(hop.parts) or (len(hop.parts) == 1 and hop.parts[0].id != hop.holding and found.holding.kind == 1):
        raise Conflict("supply.goods", "what the record opens is not what it names")
    if hop.receiver == node.member:
        if one_time(node, found.holding.to) is None:
            raise Forbidden("supply.address", "the goods are not sent to a key of this member")
        node.desk.keep_supply(INBOUND, (hop.holding, encode(sent)))
    node.desk.keep_supply(HOP, (commitment, encode(sent)))


def sound(parts: Sequence[Part]) -> bool:
    """Tell whether each part's secret and names give its key."""
    for part in parts:
        if len(part.secret) == SALT_BYTES:
            if len(part.box.serials) != 1 or unit_key(part.secret, part.product, part.box.serials[0]) != part.key:
                return False
        elif packed(part.box, part.product, part.secret).key != part.key:
            return False
    return bool(parts)


def take_addresses(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Keep one-time keys that a partner offers to be shipped to."""
    offered = open_document(node, sender, ADDRESS_KIND, envelope, Addresses, code=UNOPENED)
    name = sender.encode("ascii")
    node.desk.keep_supply(ADDRESS, *((key, name) for key in offered.keys))


def address_of(node: MemberNode, partner: str) -> bytes:
    """Return one of a partner's addresses; a shipment takes it for good. Raises NotFound."""
    name = partner.encode("ascii")
    for key, whose in node.desk.supply(ADDRESS):
        if whose == name:
            return key
    raise NotFound("supply.no-address", "the partner has offered no address that is left", got=partner)


def handlers(node: MemberNode) -> dict[str, Handler]:
    """Return what a node answers of goods, by path."""
    return {
        TICKETS_PATH: lambda sender, body: tickets(node, sender, body),
        CARRY_PATH: lambda sender, body: carry(node, sender, body),
        VERIFY_PATH: lambda sender, body: tell_unit(node, sender, body),
    }


def _ask_tickets(node: MemberNode, keys: list[bytes]) -> Sequence[port.Ticket]:
    state, question = node.ledger.read(), AskTickets(tuple(keys))
    last: Unavailable | None = None
    for regulator in regulators(node):
        if port.licence_of(state, regulator, node.member) is None:
            continue
        if regulator == node.member:
            return tickets(node, regulator, encode(question)).tickets
        try:
            return node.peers.ask(regulator, TICKETS_PATH, question, Tickets).tickets
        except Unavailable as error:
            last = error
    raise last or NotFound(
        "supply.unlicensed", "no regulator has licensed this member", todo="ask for `supply license`"
    )


def _decoded(body: bytes, type_: type[V]) -> V:
    try:
        return decode(body, type_)
    except MalformedBytes as error:
        raise Malformed("supply.bytes", "the question does not decode", got=str(error)) from error
