"""What threshold keys need without the curve: the group's order, limits, messages by purpose, Lagrange coefficients."""

from collections.abc import Sequence
from typing import Final

from salus.core.errors import SalusError
from salus.core.proof.digest import framed

ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
"""Order of the groups of BLS12-381."""
MOST_TRUSTEES: Final = 64  # a draw waits for its slowest; more trustees only make it slower


class ThresholdRefused(SalusError):
    """A key, share or signature that does not hold. `trustee` is the number of the one it is from, 0 if of none."""

    def __init__(self, what: str, trustee: int = 0) -> None:
        self.trustee = trustee
        super().__init__(f"{what} (trustee {trustee})" if trustee else what)


def message(purpose: str, *fields: bytes) -> bytes:
    """Return the bytes that trustees sign for a purpose, such as `draw` or `seal`: no two purposes share any."""
    return framed(f"salus/v1/threshold-{purpose}", fields)


def coefficients(trustees: Sequence[int]) -> list[int]:
    """Return the Lagrange coefficients at 0 for different trustees numbered from 1, modulo the group's order."""
    found = []
    for own in trustees:
        over, under = 1, 1
        for other in trustees:
            if other != own:
                over = over * other % ORDER
                under = under * (other - own) % ORDER
        found.append(over * pow(under, -1, ORDER) % ORDER)
    return found
