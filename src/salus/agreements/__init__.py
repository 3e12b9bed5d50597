"""What entitled parties compute alike, off the ledger. Pure."""
