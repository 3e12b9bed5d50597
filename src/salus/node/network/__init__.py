"""Founding a ledger, joining one, and governing it by ballot."""
