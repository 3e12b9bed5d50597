"""Keeping a node in good health: what is there, what is missing, whether the ledger still gives the same."""
