"""What is taken of claims, by kind of delivery."""

from collections.abc import Mapping
from typing import Final

from salus.node.claims.approving import ANSWER, REQUEST, take_answer, take_request
from salus.node.claims.exchange import CLAIM, DECISION, REMITTANCE, take_claim, take_decision, take_remittance
from salus.node.claims.patients import APPEAL, take_appeal
from salus.node.exchange.delivery import Taker

TAKERS: Final[Mapping[str, Taker]] = {
    CLAIM: take_claim,
    DECISION: take_decision,
    REMITTANCE: take_remittance,
    APPEAL: take_appeal,
    REQUEST: take_request,
    ANSWER: take_answer,
}
