"""Billing and claims at a node: one organisation on its own files, and a provider and a payer as two members.

A use case is imported when it is first asked for: those on files alone need no node, and the program that adjudicates a
large file by one of them imports none.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from salus.node.claims.alone import adjudicate_claims, audit_remittance
    from salus.node.claims.approving import approve, ask_approval, list_approvals, show_request, timeliness
    from salus.node.claims.asking import ask_information, inform, list_answers, withdraw_claim
    from salus.node.claims.code_lists import load_codes
    from salus.node.claims.deciding import correct_claim, decide_claims, rule_on_claim
    from salus.node.claims.figures import approval_figures
    from salus.node.claims.inquiring import check_claims, tell_eligibility, tell_status
    from salus.node.claims.keeper import open_year, share_year
    from salus.node.claims.listing import explain_case, list_cases, recompute_decision
    from salus.node.claims.plans import (
        check_plan_document,
        compare_plans,
        publish_plan,
        replay_claims,
        show_document_schema,
    )
    from salus.node.claims.posting import post_remittance
    from salus.node.claims.restricting import lift_restriction, list_restrictions
    from salus.node.claims.schedules import load_schedule, make_schedule
    from salus.node.claims.submitting import dispute_decision, submit_claims, submit_secondary
    from salus.node.claims.tables import load_table, make_locality, make_rates

__all__ = [
    "adjudicate_claims",
    "approval_figures",
    "approve",
    "ask_approval",
    "ask_information",
    "audit_remittance",
    "check_claims",
    "check_plan_document",
    "compare_plans",
    "correct_claim",
    "decide_claims",
    "dispute_decision",
    "explain_case",
    "inform",
    "lift_restriction",
    "list_answers",
    "list_approvals",
    "list_cases",
    "list_restrictions",
    "load_codes",
    "load_schedule",
    "load_table",
    "make_locality",
    "make_rates",
    "make_schedule",
    "open_year",
    "post_remittance",
    "publish_plan",
    "recompute_decision",
    "replay_claims",
    "rule_on_claim",
    "share_year",
    "show_document_schema",
    "show_request",
    "submit_claims",
    "submit_secondary",
    "tell_eligibility",
    "tell_status",
    "timeliness",
    "withdraw_claim",
]

_HOMES: Final = {
    "alone": (
        "adjudicate_claims",
        "audit_remittance",
    ),
    "approving": (
        "approve",
        "ask_approval",
        "list_approvals",
        "show_request",
        "timeliness",
    ),
    "asking": (
        "ask_information",
        "inform",
        "list_answers",
        "withdraw_claim",
    ),
    "code_lists": ("load_codes",),
    "deciding": (
        "correct_claim",
        "decide_claims",
        "rule_on_claim",
    ),
    "figures": ("approval_figures",),
    "inquiring": (
        "check_claims",
        "tell_eligibility",
        "tell_status",
    ),
    "keeper": (
        "open_year",
        "share_year",
    ),
    "listing": (
        "explain_case",
        "list_cases",
        "recompute_decision",
    ),
    "plans": (
        "check_plan_document",
        "compare_plans",
        "publish_plan",
        "replay_claims",
        "show_document_schema",
    ),
    "posting": ("post_remittance",),
    "restricting": (
        "lift_restriction",
        "list_restrictions",
    ),
    "schedules": (
        "load_schedule",
        "make_schedule",
    ),
    "submitting": (
        "dispute_decision",
        "submit_claims",
        "submit_secondary",
    ),
    "tables": (
        "load_table",
        "make_locality",
        "make_rates",
    ),
}


def __getattr__(name: str) -> Any:
    """Return a use case from the module that it is in."""
    for home, cases in _HOMES.items():
        if name in cases:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(name)
