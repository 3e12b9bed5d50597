"""What a contract hands to the registry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from salus.core.encoding import Message
from salus.core.errors import Reason
from salus.core.rules import Rule
from salus.core.tables import Table


@dataclass(frozen=True, slots=True)
class Contract:
    """One contract in one rule version. Its tables are numbered number * 256 + 1 and up, its reasons number * 1000."""

    number: int
    """Stable number of the contract, 1 to 255; never used again."""
    name: str
    """The first half of its messages' tags: `name.message`."""
    rules: Mapping[type[Message], Rule]
    """How each message is carried out."""
    tables: tuple[Table[Any], ...]
    """Every table the contract writes. No other contract writes them."""
    reasons: type[Reason]
    """Why the contract refuses, in order of precedence."""
    examples: tuple[Message, ...]
    """One well-formed message of each type, for the reference, `salus tx` and the tests."""
