"""Research at a node: one organisation on its own files, and members that ask, answer and sign."""

from salus.node.research.alone import check_query, run_alone, show_query_schema
from salus.node.research.answering import answer_question, rerun_question, review, withhold_question
from salus.node.research.asking import ask_question, show_result
from salus.node.research.auditing import audit_population
from salus.node.research.bundle import publish_result
from salus.node.research.own import run_on_own
from salus.node.research.permits import (
    apply_for_permit,
    decide_permit,
    list_offers,
    list_permits,
    offer_data,
    show_budget,
)
from salus.node.research.receiving import attest_deletion, write_extract
from salus.node.research.relaying import run_model
from salus.node.research.replaying import replay_bundle
from salus.node.research.unmasking import open_rounds

__all__ = [
    "answer_question",
    "apply_for_permit",
    "ask_question",
    "attest_deletion",
    "audit_population",
    "check_query",
    "decide_permit",
    "list_offers",
    "list_permits",
    "offer_data",
    "open_rounds",
    "publish_result",
    "replay_bundle",
    "rerun_question",
    "review",
    "run_alone",
    "run_model",
    "run_on_own",
    "show_budget",
    "show_query_schema",
    "show_result",
    "withhold_question",
    "write_extract",
]
