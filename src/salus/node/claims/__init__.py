"""Billing and claims at a node: use cases of one organisation on its own files."""

from salus.node.claims.alone import adjudicate_claims, audit_remittance, check_plan_document

__all__ = ["adjudicate_claims", "audit_remittance", "check_plan_document"]
