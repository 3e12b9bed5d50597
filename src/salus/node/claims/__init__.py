"""Billing and claims at a node: one organisation on its own files, and a provider and a payer as two members."""

from salus.node.claims.alone import adjudicate_claims, audit_remittance, check_plan_document
from salus.node.claims.cases import decide_claims, list_cases, recompute_decision, submit_claim

__all__ = [
    "adjudicate_claims",
    "audit_remittance",
    "check_plan_document",
    "decide_claims",
    "list_cases",
    "recompute_decision",
    "submit_claim",
]
