"""What is taken of claims, by kind of delivery."""

from collections.abc import Mapping
from typing import Final

from salus.node.claims.approving import ANSWER, REQUEST, SentAnswer, SentRequest, take_answer, take_request
from salus.node.claims.crossing import CROSSING, SentCrossing, take_crossing
from salus.node.claims.exchange import (
    CLAIM,
    DECISION,
    QUESTION,
    REFUSAL,
    REMITTANCE,
    UNOPENED,
    SentAgain,
    SentClaims,
    SentDecisions,
    SentQuestion,
    SentRemittance,
    take_claim,
    take_decision,
    take_question,
    take_refusal,
    take_remittance,
)
from salus.node.claims.following import FOLLOWING, take_again
from salus.node.claims.patients import APPEAL, take_appeal
from salus.node.exchange.delivery import Disclosing, Taker
from salus.node.exchange.documents import owed

TAKERS: Final[Mapping[str, Taker]] = {
    CLAIM: Disclosing(take_claim, owed(CLAIM, SentClaims, lambda sent: len(sent.claims), code=UNOPENED)),
    DECISION: Disclosing(take_decision, owed(DECISION, SentDecisions, lambda sent: len(sent.decisions), code=UNOPENED)),
    REMITTANCE: Disclosing(
        take_remittance, owed(REMITTANCE, SentRemittance, lambda sent: len(sent.cases), code=UNOPENED)
    ),
    CROSSING: Disclosing(take_crossing, owed(CROSSING, SentCrossing, lambda _: 1, code=UNOPENED)),
    FOLLOWING: Disclosing(take_again, owed(FOLLOWING, SentAgain, lambda _: 1, code=UNOPENED)),
    REFUSAL: take_refusal,
    QUESTION: Disclosing(take_question, owed(QUESTION, SentQuestion, lambda _: 1, code=UNOPENED)),
    APPEAL: take_appeal,
    REQUEST: Disclosing(take_request, owed(REQUEST, SentRequest, lambda _: 1, code=UNOPENED)),
    ANSWER: Disclosing(take_answer, owed(ANSWER, SentAnswer, lambda _: 1, code=UNOPENED)),
}
"""An appeal is the patient's own word, and a refusal the sender's own bytes judged: nobody discloses these."""
