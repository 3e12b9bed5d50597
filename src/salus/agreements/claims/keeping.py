"""The keeper's book of one plan year: cells with numbered histories, takes by several payers, one root per batch.

A take moves cells of a person and a family together or not at all, and only from the values that its decision saw: what
moved meanwhile makes it `moved`, and the claim is decided again. A take that follows an earlier one gives the stored list of
that one back first. No take brings a cell beyond its maximum. The same id again gets the first answer again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from salus.agreements.claims.decision import Cell
from salus.agreements.claims.plan import Plan
from salus.core import map as sparse
from salus.core.encoding import Value
from salus.core.proof import ed25519, statemap
from salus.core.proof.digest import digest, framed, mac
from salus.core.proof.statemap import MapProof

Verdict = Literal["taken", "moved", "over", "other", "no-such-take"]
MAX_CELLS: Final = 64  # of one take: two scopes of two buckets in each tier of a plan are fewer
MOST_GROWN: Final = 4  # times: pages that later ones replaced take that much room before the map is made anew
STATEMENT: Final = "salus/v1/claims-cell-statement"


class CellName(Value, frozen=True):
    """One accumulator: whose and of what."""

    holder: str
    """A person's key, or the subscriber's number for a family."""
    bucket: str
    scope: str
    tier: str
    year: str

    @property
    def cell(self) -> Cell:
        """Return the cell as facts name it."""
        return Cell(self.bucket, "family" if self.scope == "family" else "member", self.tier, self.year)


class Amount(Value, frozen=True):
    """Cents in a cell, or moved."""

    name: CellName
    cents: int


class Take(Value, frozen=True):
    """What one decision takes, and what it saw."""

    id: bytes
    """16 bytes, the same whenever this take is sent."""
    returns: bytes
    """Id of the take that it gives back first, or empty."""
    moves: tuple[Amount, ...]
    seen: tuple[Amount, ...]
    """Every balance that the decision read, what it gives back taken off."""


class Entry(Value, frozen=True):
    """One step of a cell."""

    number: int
    """1, and one more with each step."""
    cents: int
    take: bytes


class KeptTake(Value, frozen=True):
    """A take that stands, or was given back."""

    payer: str
    take: Take
    committed: bool = False
    returned: bool = False


class Statement(Value, frozen=True):
    """What the keeper signs of a cell: two of one number with different cents prove a fork."""

    year: bytes
    path: bytes
    number: int
    cents: int
    signature: bytes = b""

    def signed(self) -> bytes:
        """Return the bytes that the keeper signs."""
        fields = (self.year, self.path, self.number.to_bytes(8, "big"), self.cents.to_bytes(8, "big"))
        return framed(STATEMENT, fields)


def forked(one: Statement, other: Statement, key: bytes) -> bool:
    """Tell whether two statements prove, under the keeper's Ed25519 key, that one number of a cell had two values."""
    same = (one.year, one.path, one.number) == (other.year, other.path, other.number)
    return (
        same
        and one.cents != other.cents
        and all(ed25519.verify(key, part.signed(), part.signature) for part in (one, other))
    )


def limits_of(plan: Plan) -> dict[tuple[str, str, str], int]:
    """Return the maximum of (bucket, scope, tier), cents; an aggregate rule bounds no member cell."""
    found: dict[tuple[str, str, str], int] = {}
    for rule in plan.accumulators:
        if rule.family:
            found[rule.bucket, "family", rule.tier] = rule.family
        if rule.method == "embedded" or not rule.family:
            found[rule.bucket, "member", rule.tier] = rule.individual
    return found


class Book:
    """The cells of one plan year. `take` and `settle` change it; what they changed is in `changed_*` until cleared.

    The root costs what changed since it was last asked for, not all cells.
    """

    def __init__(self, secret: bytes, limits: Mapping[tuple[str, str, str], int]) -> None:
        self._secret = secret
        self._limits = dict(limits)
        self.cells: dict[CellName, tuple[Entry, ...]] = {}
        self.takes: dict[bytes, KeptTake] = {}
        self.changed_cells: set[CellName] = set()
        self.changed_takes: set[bytes] = set()
        self._held: dict[str, list[CellName]] = {}
        self._top = sparse.Root()
        self._nodes: dict[bytes, bytes] = {}
        self._beyond: set[CellName] = set()
        """Cells that the map does not have as they are."""
        self._whole = self._grown = 0
        """Bytes of the map when it was made, and with what was added since."""

    def load(self, name: CellName, history: tuple[Entry, ...]) -> None:
        """Set a cell as it was kept, or as a take changes it."""
        if name not in self.cells:
            self._held.setdefault(name.holder, []).append(name)
        self.cells[name] = history
        self._beyond.add(name)

    def of(self, holders: Iterable[str]) -> list[CellName]:
        """Return the cells of holders."""
        return [name for holder in dict.fromkeys(holders) for name in self._held.get(holder, ())]

    def value(self, name: CellName) -> int:
        """Return what a cell has taken, cents."""
        history = self.cells.get(name, ())
        return history[-1].cents if history else 0

    def take(self, payer: str, take: Take) -> Verdict:
        """Carry a take out, or say why not; then nothing is changed."""
        known = self.takes.get(take.id)
        if known is not None:
            return "taken" if (known.payer, known.take) == (payer, take) else "other"
        back = self.takes.get(take.returns) if take.returns else None
        if take.returns and (back is None or back.payer != payer or back.returned):
            return "no-such-take"
        after = {one.name: self.value(one.name) - one.cents for one in (back.take.moves if back else ())}
        for one in take.seen:
            if after.get(one.name, self.value(one.name)) != one.cents:
                return "moved"
        for one in take.moves:
            reached = after.get(one.name, self.value(one.name)) + one.cents
            most = self._limits.get((one.name.bucket, one.name.scope, one.name.tier))
            if one.cents < 0 or (most is not None and reached > most):
                return "over"
            after[one.name] = reached
        for name, cents in sorted(after.items(), key=lambda part: msgspec.structs.astuple(part[0])):
            history = self.cells.get(name, ())
            self.load(name, (*history, Entry(len(history) + 1, cents, take.id)))
            self.changed_cells.add(name)
        if back is not None:
            self.takes[take.returns] = msgspec.structs.replace(back, returned=True)
            self.changed_takes.add(take.returns)
        self.takes[take.id] = KeptTake(payer, take)
        self.changed_takes.add(take.id)
        return "taken"

    def settle(self, payer: str, ids: Sequence[bytes]) -> int:
        """Mark a payer's takes as paid; return how many are known."""
        count = 0
        for id_ in ids:
            known = self.takes.get(id_)
            if known is not None and known.payer == payer:
                count += 1
                if not known.committed:
                    self.takes[id_] = msgspec.structs.replace(known, committed=True)
                    self.changed_takes.add(id_)
        return count

    def path(self, name: CellName) -> bytes:
        """Return where a cell stands in the map: only who has the year's secret can tell."""
        return mac(self._secret, "salus/v1/claims-cell", *(part.encode() for part in msgspec.structs.astuple(name)))

    def _leaf(self, name: CellName) -> bytes:
        last = self.cells[name][-1]
        return leaf_of(self.salt(name), last.number, last.cents)

    def salt(self, name: CellName) -> bytes:
        """Return what opens a cell's leaf: changes with each number."""
        number = len(self.cells.get(name, ()))
        return mac(self._secret, "salus/v1/claims-cell-salt", self.path(name), number.to_bytes(8, "big"))

    def root(self) -> bytes:
        """Return the root over all cells, 32 bytes."""
        return self._map()[0].digest

    def prove(self, names: Sequence[CellName]) -> list[MapProof]:
        """Return the proofs of cells under the present root."""
        top, nodes = self._map()
        return [sparse.prove(nodes, top, self.path(name)) for name in names]

    def _map(self) -> tuple[sparse.Root, dict[bytes, bytes]]:
        if self._beyond:
            if self._grown > MOST_GROWN * self._whole:
                self._top, self._nodes, self._beyond, self._whole, self._grown = (
                    sparse.Root(),
                    {},
                    set(self.cells),
                    0,
                    0,
                )
            leaves = sorted((self.path(name), self._leaf(name)) for name in self._beyond)
            self._top, nodes = sparse.update(self._nodes, self._top, self._top.version + 1, leaves)
            self._nodes.update(nodes)
            self._grown += sum(len(value) for _, value in nodes)
            self._whole = self._whole or self._grown
            self._beyond = set()
        return self._top, self._nodes


def leaf_of(salt: bytes, number: int, cents: int) -> bytes:
    """Return the leaf of a cell."""
    return digest("salus/v1/claims-cell-leaf", salt, number.to_bytes(8, "big"), cents.to_bytes(8, "big"))


def proven(proof: MapProof, statement: Statement, salt: bytes, root: bytes) -> bool:
    """Tell whether a cell stands under a root with the value that a statement gives. Raises Unproven."""
    found = statemap.verify(proof, statement.path, root)
    return found == leaf_of(salt, statement.number, statement.cents)
