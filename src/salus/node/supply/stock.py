"""What a member knows of its goods: keys, what it holds and can name, what is on its way to it. Kept on its desk, sealed.

The ledger says whose goods are and how they stand; the desk says which they are. A serial is found by an index in memory,
built from the desk when first asked and kept up as goods come.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.agreements.supply.packing import Box, Packed, lead_to, levels_of, packed
from salus.contracts.supply import port
from salus.core.encoding import Value, decode, encode
from salus.core.proof.digest import mac
from salus.core.tables import View
from salus.interop.gs1.elements import Elements
from salus.interop.gs1.identity import read_identifier
from salus.interop.gs1.refusal import Gs1Refused
from salus.node.errors import Malformed, NotFound
from salus.node.member import MemberNode

KEY: Final = "key"
STOCK: Final = "stock"
INBOUND: Final = "inbound"
HOP: Final = "hop"
ADDRESS: Final = "address"
ALERT: Final = "alert"
MADE: Final = "made"
SALT_BYTES: Final = 16
MAX_HASHED: Final = 1_000  # containers; of a hundred packs each they take 25 MB


class OneTime(Value, frozen=True):
    """A one-time key of this member."""

    seed: bytes
    ticket: port.Ticket


class Part(Value, frozen=True):
    """Goods of one lot, with what opens them and nothing beside."""

    lot: bytes
    key: bytes
    product: bytes
    """GTIN, lot and expiry, joined by `|`."""
    secret: bytes
    """Of a container 32 bytes; of a single unit its salt, 16."""
    box: Box

    @property
    def id(self) -> bytes:
        """The holding id that it has or would have."""
        return port.holding_id(self.lot, self.key)


class Stock(Value, frozen=True):
    """A holding that is or was this member's."""

    holding: bytes
    parts: tuple[Part, ...]
    hop: bytes
    """Commitment of the hop record that brought it; empty for goods of one's own making."""


class Hop(Value, frozen=True):
    """What is sealed of one change of owner: for the sender, the receiver and the regulator."""

    key: bytes
    """Key of the commitment."""
    previous: tuple[bytes, ...]
    """Hops by which the sender got the goods; empty if it made them."""
    sender: str
    receiver: str
    holding: bytes
    back: bool
    documents: tuple[str, ...]
    """Purchase order, despatch advice: `po 4711`."""
    time: int
    parts: tuple[Part, ...]
    made_of: tuple[bytes, ...]
    """Lots that a repackager made these from."""


class SentHop(Value, frozen=True):
    """A hop record as it travels."""

    height: int
    """Height of the block that holds the shipment."""
    hop: Hop


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something named lies in a stock."""

    stock: Stock
    part: Part
    positions: tuple[int, ...]
    """From the part's container down; empty for the whole of it."""
    unit: bool


@dataclass
class Index:
    """Serials and names in memory."""

    leaves: list[tuple[Stock, Part, tuple[int, ...], Box]] = field(default_factory=list)
    units: dict[tuple[str, bytes], list[int]] = field(default_factory=dict)
    names: dict[str, list[tuple[Stock, Part, tuple[int, ...]]]] = field(default_factory=dict)
    trees: dict[bytes, Packed] = field(default_factory=dict)
    """Trees of hashes by holding id of the part: what proofs are made from."""
    stocks: dict[bytes, Stock] = field(default_factory=dict)
    """What was taken in, by holding, the newest of each."""
    hashed: dict[bytes, list[list[bytes]]] = field(default_factory=dict)
    """Levels of containers asked for of late, by key, the latest last."""

    def add(self, stock: Stock) -> None:
        """Take a stock in; the same again changes nothing."""
        if self.stocks.get(stock.holding) == stock:
            return
        self.stocks[stock.holding] = stock
        for part in stock.parts:
            gtin = part.product.split(b"|")[0].decode("ascii")
            for positions, box in _boxes(part.box, ()):
                if box.name:
                    self.names.setdefault(box.name, []).append((stock, part, positions))
                if box.serials:
                    number = len(self.leaves)
                    self.leaves.append((stock, part, positions, box))
                    for serial in box.serials:
                        self.units.setdefault((gtin, serial), []).append(number)

    def levels(self, container: Packed) -> list[list[bytes]]:
        """Return a container's levels; those asked for of late are remembered."""
        found = self.hashed.pop(container.key, None) or levels_of(container)
        self.hashed[container.key] = found
        if len(self.hashed) > MAX_HASHED:
            del self.hashed[next(iter(self.hashed))]
        return found

    def tree(self, part: Part) -> Packed:
        """Return the tree of a part that is a container."""
        tree = self.trees.get(part.id)
        if tree is None:
            tree = self.trees[part.id] = packed(part.box, part.product, part.secret)
        return tree


def hop_commitment(hop: Hop) -> bytes:
    """Return what the ledger holds of a hop record."""
    return mac(hop.key, "salus/v1/supply-hop", encode(hop))


def index_of(node: MemberNode) -> Index:
    """Return the node's index of goods."""
    found = node.memory.get("supply")
    if not isinstance(found, Index):
        found = node.memory["supply"] = Index()
        for _, body in node.desk.supply(STOCK):
            found.add(decode(body, Stock))
    return found


def keep_stock(node: MemberNode, stock: Stock) -> None:
    """Keep goods, durably."""
    index = index_of(node)
    node.desk.keep_supply(STOCK, (stock.holding, encode(stock)))
    index.add(stock)


def one_time(node: MemberNode, owner: bytes) -> OneTime | None:
    """Return this member's one-time key behind a digest, or None if it is another's."""
    found = node.desk.supply(KEY, owner)
    return decode(found[0][1], OneTime) if found else None


def digest_of(seed: bytes) -> bytes:
    """Return what a holding says of the key of a seed."""
    return port.owner_of(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())


def elements_of(identifier: str) -> Elements:
    """Return the elements of a label, link or URN. Raises Malformed; the identifier itself is not repeated."""
    try:
        return read_identifier(identifier)
    except Gs1Refused as refused:
        told = f"{refused.rule} at {refused.at}"
        raise Malformed(
            "supply.identifier", "the identifier breaks a rule", expected=refused.expected, got=told
        ) from None


def spots(index: Index, identifier: str) -> list[Spot]:
    """Return where a unit or container is known to lie, the newest stock last. Raises Malformed."""
    return spots_of(index, elements_of(identifier))


def spots_of(index: Index, elements: Elements) -> list[Spot]:
    """Return the same of a label's elements."""
    if "21" not in elements:
        return [Spot(*one, unit=False) for one in index.names.get(elements.get("00", ""), ())]
    serial = elements["21"].encode("ascii")
    found = []
    for number in index.units.get((elements.get("01", ""), serial), ()):
        stock, part, positions, box = index.leaves[number]
        place = () if len(part.secret) == SALT_BYTES else (*positions, box.serials.index(serial))
        found.append(Spot(stock, part, place, unit=True))
    return found


def target_of(index: Index, spot: Spot) -> port.Target:
    """Return the target of something named, with its proof up to the stock's own row."""
    if not spot.positions:
        return port.Target(spot.part.lot, spot.part.key, ())
    key, way = lead_to(index.tree(spot.part), spot.positions, index.levels)
    return port.Target(spot.part.lot, key, tuple(port.Place(place, path) for place, path in way))


def own_spot(node: MemberNode, identifier: str) -> tuple[Spot, port.Target, port.Found]:
    """Return something that this member owns, with its target and how it stands. Raises NotFound."""
    state, index = node.ledger.read(), index_of(node)
    for spot in reversed(spots(index, identifier)):
        target = target_of(index, spot)
        found = port.find(state, target)
        if found is not None and one_time(node, found.holding.owner) is not None:
            return spot, target, found
    raise NotFound("supply.not-ours", "no goods of this member have this name", todo="see `salus supply stock`")


def part_of(index: Index, spot: Spot) -> Part:
    """Return what opens something named, and nothing beside it."""
    if not spot.positions:
        return spot.part
    here = index.tree(spot.part)
    down = spot.positions[:-1] if spot.unit else spot.positions
    for place in down:
        here = here.inside[place]
    if not spot.unit:
        return Part(spot.part.lot, here.key, spot.part.product, here.secret, here.box)
    place = spot.positions[-1]
    key, salt = index.levels(here)[0][place], here.salt(place)
    return Part(spot.part.lot, key, spot.part.product, salt, Box("", (), (here.box.serials[place],)))


def leaves_of(part: Part) -> Iterator[tuple[tuple[int, ...], bytes]]:
    """Yield (positions, serial) of every unit of a part; of a single unit no positions."""
    for positions, box in _boxes(part.box, ()):
        for place, serial in enumerate(box.serials):
            yield (() if len(part.secret) == SALT_BYTES else (*positions, place)), serial


def units_of(
    state: View, index: Index, part: Part, standing: port.Found | None = None
) -> Iterator[tuple[bytes, port.Found]]:
    """Yield (serial, how it stands) of every unit of a part, walking its tree once.

    A part without a row of its own stands as `standing` says.
    """
    top = standing or port.find(state, port.Target(part.lot, part.key, ()))
    if len(part.secret) == SALT_BYTES:
        if top is not None:
            yield part.box.serials[0], top
        return
    rows = {id_ for id_, _ in state.range(port.HOLDINGS)}
    yield from _walk(state, rows, part.lot, index.tree(part), top)


def _walk(
    state: View, rows: set[bytes], lot: bytes, tree: Packed, above: port.Found | None
) -> Iterator[tuple[bytes, port.Found]]:
    """Yield how each unit of a container stands, given how the container does and which ids have rows."""
    keys = tree.keys()
    for place, key in enumerate(keys[: len(tree.box.serials) or len(tree.inside)]):
        id_ = port.holding_id(lot, key)
        found = port.find(state, port.Target(lot, key, ())) if id_ in rows else None
        if found is None and above is not None:
            found = port.Found(id_, above.holding, above.top)
        if tree.inside:
            yield from _walk(state, rows, lot, tree.inside[place], found)
        elif found is not None:
            yield tree.box.serials[place], found


def _boxes(box: Box, above: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Box]]:
    yield above, box
    for place, inner in enumerate(box.boxes):
        yield from _boxes(inner, (*above, place))


def product_of(gtin: str, lot: str, expiry: str) -> bytes:
    """Return what the units of a lot share, as their keys have it."""
    return f"{gtin}|{lot}|{expiry}".encode("ascii")


def counted(parts: Sequence[Part]) -> int:
    """Return how many units parts name."""
    return sum(part.box.count() for part in parts)
