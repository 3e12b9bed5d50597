"""The ledger and its one state transition. Pure; imports nothing of Salus. Read `kernel.py` first."""
