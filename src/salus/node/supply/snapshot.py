"""Verification offline: a snapshot of what a member can name and how it stands, and answers from it in another process.

    receipt   of the block's leaf, under a checkpoint that the cosigners signed: what a trust file checks
    rows      of the ledger's state at that block, each with its proof: the member's keys, lots, recalls, holdings
    stocks    what opens the goods: products, serials, secrets; whoever has the file can name them
    made      when, by the member's clock; it is answered from for 24 hours
    signature by the member's key, which is among the rows

Every row is the ledger's own. That no row was left out, and that the block was the newest, is the member's word: its
signature. A pack that the snapshot does not name is to be asked for when the line is back, not refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from salus.agreements.supply.packing import Packed
from salus.agreements.supply.triage import Call, Verdict
from salus.contracts.membership import port as membership
from salus.contracts.supply import port
from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof import ed25519, statemap
from salus.core.proof.digest import framed
from salus.core.proof.errors import MalformedProof, ProofMismatch, Untrusted
from salus.core.proof.leaf import BlockLeaf
from salus.core.proof.receipt import Receipt, nodes_in
from salus.core.proof.trust import Trust
from salus.core.tables import MemoryReader, Table, View
from salus.interop.gs1.elements import Elements
from salus.node.errors import Conflict, Malformed
from salus.node.member import MemberNode
from salus.node.supply.exchange import UnitTold
from salus.node.supply.stock import SALT_BYTES, Index, Part, Stock, index_of, one_time
from salus.node.supply.verification import Ways, answer

LIFE_MS: Final = 24 * 3_600_000
AHEAD_MS: Final = 60_000  # the maker's clock may be this far ahead
MAX_BYTES: Final = 1 << 28  # lots of ten million serials
NOT_HERE: Final = "NOT_IN_SNAPSHOT"
R = TypeVar("R", bound=Value)


class Row(Value, frozen=True):
    """A row of the state, with its proof."""

    key: bytes
    """u16 number of the table, then the row's key."""
    value: bytes
    siblings: bytes
    """32 bytes each, from the root down."""


class Body(Value, frozen=True):
    """What the member signs."""

    member: str
    made: int
    """Unix ms."""
    receipt: bytes
    rows: tuple[Row, ...]
    stocks: tuple[Stock, ...]
    own: tuple[bytes, ...]
    """Digests of the owners' keys, among those of the rows, that are the member's."""


class Snapshot(Value, frozen=True):
    """A file."""

    body: bytes
    signature: bytes
    """Ed25519 over the body, framed under salus/v1/supply-snapshot."""


@dataclass(frozen=True)
class Opened:
    """A snapshot that a trust file believes."""

    member: str
    made: int
    height: int
    view: View
    index: Index
    ways: Ways
    own: frozenset[bytes]


class _Recorded(View):
    """A view that remembers which rows it was asked for and had."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.seen: dict[bytes, bytes] = {}

    def get(self, table: Table[R], key: bytes) -> R | None:
        """Return a row, remembered."""
        row = self._view.get(table, key)
        if row is not None:
            self.seen[table.state_key(key)] = encode(row)
        return row

    def range(self, table: Table[R], prefix: bytes = b"") -> Iterator[tuple[bytes, R]]:
        """Yield rows, remembered."""
        for key, row in self._view.range(table, prefix):
            self.seen[table.state_key(key)] = encode(row)
            yield key, row


def make(node: MemberNode) -> bytes:
    """Return a snapshot of everything that this member can name, at its newest block. Raises NotKept."""
    head = node.ledger.head()
    state, index = node.ledger.read(head.height), index_of(node)
    recorded = _Recorded(state)
    membership.key_at(recorded, node.member)
    touched = {id_ for id_, _ in state.range(port.HOLDINGS)}
    owners: set[bytes] = set()
    for stock in index.stocks.values():
        for part in stock.parts:
            for row in _standing(recorded, touched, index, part):
                owners |= {row.owner, row.to}
    keys = sorted(recorded.seen)
    proofs, receipt = node.prover.rows(keys, head.height)
    rows = tuple(
        Row(key, recorded.seen[key], b"".join(proof.siblings)) for key, proof in zip(keys, proofs, strict=True)
    )
    own = tuple(sorted(each for each in owners if each and one_time(node, each) is not None))
    body = encode(Body(node.member, node.now(), receipt.encode(), rows, tuple(index.stocks.values()), own))
    return encode(Snapshot(body, node.signing_key.sign(framed("salus/v1/supply-snapshot", (body,)))))


def opened(data: bytes, trust: Trust, now: int) -> Opened:
    """Return a snapshot whose every row a trust file believes. Raises Malformed, Conflict if it is over, Unproven."""
    if len(data) > MAX_BYTES:
        raise Malformed("supply.snapshot", "the snapshot is too large", expected=f"at most {MAX_BYTES} bytes")
    try:
        snapshot = decode(data, Snapshot)
        body = decode(snapshot.body, Body)
    except MalformedBytes:
        raise Malformed(
            "supply.snapshot", "this is no snapshot", expected="what `salus supply snapshot` wrote"
        ) from None
    if not body.made - AHEAD_MS <= now < body.made + LIFE_MS:
        raise Conflict(
            "supply.snapshot-over",
            "the snapshot is not of the last 24 hours",
            todo="make a new one with `salus supply snapshot`",
        )
    receipt = Receipt.decode(body.receipt)
    trust.accept_receipt(receipt)
    block = receipt.leaf()
    if not isinstance(block, BlockLeaf):
        raise MalformedProof("a snapshot stands under a block's leaf")
    for row in body.rows:
        path, held = statemap.state_path(row.key), statemap.value_digest(row.value)
        proof = statemap.MapProof(nodes_in(row.siblings, statemap.PATH_BITS), (path, held))
        if statemap.verify(proof, path, block.state_root) != held:
            raise ProofMismatch("the state holds another row")
    view = View(MemoryReader({row.key: row.value for row in body.rows}))
    keys = membership.key_at(view, body.member)
    if keys is None or not ed25519.verify(
        keys.signing_key, framed("salus/v1/supply-snapshot", (snapshot.body,)), snapshot.signature
    ):
        raise Untrusted("not signed by the member that it names")
    index = Index()
    for stock in body.stocks:
        index.add(stock)
    return Opened(body.member, body.made, block.height, view, index, Ways(), frozenset(body.own))


def verify(snapshot: Opened, elements: Elements, now: int) -> tuple[Verdict, UnitTold | None]:
    """Return what to make of a pack by a snapshot, and what opens it."""

    def ours(row: port.Holding) -> bool:
        return row.owner in snapshot.own or row.to in snapshot.own

    verdict, told = answer(snapshot.view, snapshot.index, snapshot.ways, elements, now=now, ours=ours)
    return (Verdict(verified=False, code=NOT_HERE, call=Call.RETRY), None) if told is None else (verdict, told)


def _standing(recorded: _Recorded, touched: set[bytes], index: Index, part: Part) -> Iterator[port.Holding]:
    """Yield every row of a part's goods, read through `recorded` with what decides on them."""
    for _ in recorded.range(port.MARKS, part.lot):
        pass
    keys = [part.key] if len(part.secret) == SALT_BYTES else _keys(index.tree(part))
    for key in keys:
        id_ = port.holding_id(part.lot, key)
        found = port.find(recorded, port.Target(part.lot, key, ())) if id_ in touched else None
        if found is not None:
            port.recall_of(recorded, found.id, found.holding)
            yield found.holding


def _keys(tree: Packed) -> Iterator[bytes]:
    """Yield the keys of a container and of everything in it."""
    yield tree.key
    if tree.box.serials:
        yield from tree.keys()[: len(tree.box.serials)]
    for inner in tree.inside:
        yield from _keys(inner)
