"""What every node enforces. Each contract is a package with the same files; others reach it through its `port.py`.

`registry.py` lists the contracts in their order; `docs/how-to/write-a-contract.md` walks one.
"""
