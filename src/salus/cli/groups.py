"""What each group of commands is for: one line, as `salus --help` shows it."""

from typing import Final

GROUPS: Final[dict[str, str]] = {
    "access": "Ask a patient for access, see which asks stand, and pull what was granted.",
    "app": "Register the programs that may use this member's FHIR server.",
    "backup": "Make a sealed backup of this node, and restore from one.",
    "claims": "Check, submit, decide and pay claims; approvals, appeals, remittances.",
    "correction": "See what patients ask to be corrected, and answer.",
    "deliveries": "See what waits to be handed to other members.",
    "emergency": "Read without a grant where life is at risk, and review such readings.",
    "engine": "Install the consensus engine.",
    "erasure": "See erasures under way, carry them on, or hold what the law keeps.",
    "fhir": "Check FHIR resources against R4 and profiles.",
    "hosting": "Keep wallets for patients who want no device of their own for it.",
    "identity": "Match the records of one person, decide doubtful pairs, undo.",
    "journal": "Read what this node did for whom.",
    "ledger": "Look at blocks and transactions.",
    "link": "Bind a patient's wallet to this member's records of the patient.",
    "messages": "See, replay or drop HL7 v2 messages that could not be taken.",
    "network": "Found, start, join and govern a network of members.",
    "operator": "Sign in to the operator's pages.",
    "person": "Give this organisation's people credentials, and take them back.",
    "plan": "Check, compare, publish and replay payers' plan documents.",
    "records": "Take in, find, read and check records.",
    "research": "Offer data, ask questions of many custodians, check and replay answers.",
    "supply": "Follow medicines and devices: check, ship, receive, verify, recall.",
    "trial": "Run a clinical trial from its protocol file to its results.",
    "wallet": "What a patient does: grant, stop, read, see who looked, carry on elsewhere.",
}
