"""Clinical trials at a node: one organisation on its own files, and the parties of a trial as members of a network."""

from salus.node.trials.alone import check_protocol, check_trial
from salus.node.trials.analysing import analyse_trial, show_result_rows
from salus.node.trials.closing import (
    audit_draws,
    compare_outcomes,
    lock_trial,
    post_result,
    publish_draws,
    sign_lock,
    step_look,
    unlock_trial,
)
from salus.node.trials.conducting import (
    do_work,
    draft_act,
    enrol_subject,
    list_tasks,
    record_acts,
    send_acts,
    take_consent,
    withdraw_consent,
)
from salus.node.trials.designing import check_package, compare_protocols, design_trial, draft_trial, show_schema
from salus.node.trials.duties import meet_clock, start_clock
from salus.node.trials.evidence import verify_evidence, write_evidence
from salus.node.trials.exporting import export_trial, show_flow
from salus.node.trials.founding import (
    amend_trial,
    commit_trial,
    deal_shares,
    show_key,
    show_trial,
    sign_trial,
    step_site,
    step_trial,
)
from salus.node.trials.offering import offer_trial
from salus.node.trials.openings import agree_to_opening, ask_opening, list_openings, read_opening
from salus.node.trials.overseeing import expect_event, read_trail
from salus.node.trials.paying import bill_trial, list_payments, settle_trial
from salus.node.trials.registering import check_registry, show_registry
from salus.node.trials.rehearsing import rehearse_trial
from salus.node.trials.sourcing import read_item, screen_subject, trace_item
from salus.node.trials.supplying import hide_sizes, supply_trial
from salus.node.trials.unblinding import assess, unblind

__all__ = [
    "agree_to_opening",
    "amend_trial",
    "analyse_trial",
    "ask_opening",
    "assess",
    "audit_draws",
    "bill_trial",
    "check_package",
    "check_protocol",
    "check_registry",
    "check_trial",
    "commit_trial",
    "compare_outcomes",
    "compare_protocols",
    "deal_shares",
    "design_trial",
    "do_work",
    "draft_act",
    "draft_trial",
    "enrol_subject",
    "expect_event",
    "export_trial",
    "hide_sizes",
    "list_openings",
    "list_payments",
    "list_tasks",
    "lock_trial",
    "meet_clock",
    "offer_trial",
    "post_result",
    "publish_draws",
    "read_item",
    "read_opening",
    "read_trail",
    "record_acts",
    "rehearse_trial",
    "screen_subject",
    "send_acts",
    "settle_trial",
    "show_flow",
    "show_key",
    "show_registry",
    "show_result_rows",
    "show_schema",
    "show_trial",
    "sign_lock",
    "sign_trial",
    "start_clock",
    "step_look",
    "step_site",
    "step_trial",
    "supply_trial",
    "take_consent",
    "trace_item",
    "unblind",
    "unlock_trial",
    "verify_evidence",
    "withdraw_consent",
    "write_evidence",
]
