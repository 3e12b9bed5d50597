"""What every node enforces. Pure; each contract is reached through its `port.py` alone."""
