"""What is taken of goods from other members, by kind of delivery."""

from collections.abc import Mapping
from typing import Final

from salus.node.exchange.delivery import Taker
from salus.node.supply.commitments import COUNT_KIND, take_count
from salus.node.supply.custody import HAND_KIND, take_handed
from salus.node.supply.exchange import ADDRESS_KIND, HOP_KIND, take_addresses, take_hop

TAKERS: Final[Mapping[str, Taker]] = {
    HOP_KIND: take_hop,
    ADDRESS_KIND: take_addresses,
    COUNT_KIND: take_count,
    HAND_KIND: take_handed,
}
