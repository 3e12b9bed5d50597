"""Clinical trials on the ledger: order, deadlines, signatures and commitments; no participant, no arm."""
