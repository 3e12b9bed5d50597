"""Which member a payer's identifier stands for: the one to which claims with it went last."""

from typing import Final

from salus.core.proof.digest import digest
from salus.node.member import MemberNode

PREFIX: Final = "payer/"


def payer_known(node: MemberNode, identifier: str) -> str:
    """Return the member id of the payer with this identifier in claims, or empty."""
    return node.desk.claim_state(_name(identifier)).decode()


def payers_named(pairs: dict[str, str]) -> dict[str, bytes]:
    """Return what is to be kept of identifiers and the members that they stand for."""
    return {_name(identifier): member.encode() for identifier, member in pairs.items() if identifier}


def _name(identifier: str) -> str:
    return PREFIX + digest("salus/v1/claims-payer-name", identifier.encode()).hex()
