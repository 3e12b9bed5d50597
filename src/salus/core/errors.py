"""The two ways the core fails.

    SalusError
    ├── Rejected         expected and deterministic: part of a block's result, carries a reason and facts
    └── InvariantBroken  our bug: the node stops rather than continue on a state it cannot vouch for

The edges add their own by whose fault it is (see `salus.node.errors`).
"""

from collections.abc import Callable
from enum import IntEnum
from typing import TypeVar


class SalusError(Exception):
    """Anything that Salus refuses or cannot do."""


class Reason(IntEnum):
    """Why something is refused: a stable number, unique in its contract, listed in order of precedence.

    A contract subclasses it once, decorated with `numbered(contract)`. The code in a result is
    contract * 1000 + number; code 0 means applied.
    """

    @property
    def code(self) -> int:
        """The reason as it stands in a result and in a receipt."""
        return _CONTRACTS[type(self)] * 1000 + self.value


_CONTRACTS: dict[type[Reason], int] = {}
R = TypeVar("R", bound=type[Reason])


def numbered(contract: int) -> Callable[[R], R]:
    """Give a contract's reasons the contract's number. Raises ValueError if the number is taken."""

    def give(reasons: R) -> R:
        if contract in _CONTRACTS.values():
            raise ValueError(f"contract number {contract} is taken")
        _CONTRACTS[reasons] = contract
        return reasons

    return give


def reasons() -> dict[int, Reason]:
    """Return every known reason by its code."""
    return {reason.code: reason for kind in _CONTRACTS for reason in kind}


class Rejected(SalusError):
    """A transaction that the rules refuse. Facts hold no personal data: they are public to every member."""

    def __init__(self, reason: Reason, **facts: int | str) -> None:
        self.reason = reason
        self.facts = facts
        told = ", ".join(f"{name}={value}" for name, value in facts.items())
        super().__init__(f"{reason.name}({reason.code})" + (f": {told}" if told else ""))


class InvariantBroken(SalusError):
    """A declared invariant does not hold after a handler ran."""
