"""What the kernel needs to know of the contracts: messages, handlers, tables, who may submit, which version holds.

A rule set is one version of all contracts together. Every version that a ledger may hold stays in the program; which
one holds at a height is read from the ledger itself.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from salus.core.encoding import Message, Value
from salus.core.errors import InvariantBroken, SalusError
from salus.core.tables import Overlay, Table, View

R = TypeVar("R", bound=Value)


class UnsupportedRules(SalusError):
    """The ledger asks for a rule version that this program does not have: install a newer Salus before this height."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler sees: the block it runs in, who speaks, and the state so far."""

    height: int
    """Height of the block."""
    time: int
    """Block time in Unix milliseconds."""
    submitter: str
    """Member id of the submitter."""
    author: bytes
    """The author's one-time public key, 32 bytes, or empty."""
    tx_id: bytes
    """Id of the transaction, 32 bytes."""
    state: Overlay
    """The state with everything written before in this block, and by this transaction."""

    def get(self, table: Table[R], key: bytes) -> R | None:
        """Return the row under `key`, or None."""
        return self.state.get(table, key)

    def range(self, table: Table[R], prefix: bytes = b"") -> Iterator[tuple[bytes, R]]:
        """Yield (key, row) of `table` in ascending order."""
        return self.state.range(table, prefix)

    def put(self, table: Table[R], key: bytes, row: R) -> None:
        """Write a row. A handler checks everything before its first write."""
        self.state.put(table, key, row)

    def insert(self, table: Table[R], key: bytes, row: R) -> None:
        """Write a row that must not exist yet: the handler has checked it. Raises InvariantBroken otherwise."""
        if self.state.get(table, key) is not None:
            raise InvariantBroken(f"{table.name}: a row was to be new")
        self.state.put(table, key, row)


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of message is carried out."""

    handle: Callable[[Context, Any], bytes]
    """Checks, then writes, then returns the result data (at most 1 KB), or raises Rejected."""
    authored: bool
    """Whether a one-time key must sign."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One version of all contracts together."""

    rules: Mapping[type[Message], Rule]
    tables: tuple[Table[Any], ...]
    authorise: Callable[[View, str, bytes], None]
    """(state, member id, signing key) → None, or raises Rejected: may this member submit with this key?"""
    parameters: Callable[[View], Value]
    """The network parameters in force, whose digest stands in every block leaf."""

    def __post_init__(self) -> None:
        numbers = [table.number for table in self.tables]
        if len(numbers) != len({*numbers}):
            raise InvariantBroken("two tables have one number")


@dataclass(frozen=True, slots=True)
class Registry:
    """All rule versions of this program."""

    messages: Any
    """Union of every message type of every version, for decoding."""
    versions: Mapping[int, RuleSet]
    """Rule sets by version number."""
    version_at: Callable[[View, int], int]
    """(state, height) → the rule version in force. Itself the same in all versions."""
    genesis: Callable[[Context, bytes], None]
    """Writes the first rows from the genesis document. Raises Rejected or MalformedBytes."""

    def at(self, state: View, height: int) -> RuleSet:
        """Return the rules in force at `height`. Raises UnsupportedRules if this program does not have them."""
        version = self.version_at(state, height)
        if version not in self.versions:
            raise UnsupportedRules(f"height {height} needs rule version {version}; here are {sorted(self.versions)}")
        return self.versions[version]
