"""A contract's state as typed rows, for models that apply its rules without a map."""

from salus.contracts.registry import REGISTRY
from salus.core.tables import View

from .ledger import Ledger


class Rows(View):
    """The contract's state as typed rows."""

    def __init__(self, rows):
        self.rows = rows

    def get(self, table, key):
        return self.rows.get((table.number, key))

    def range(self, table, prefix=b""):
        found = [(key, row) for (number, key), row in self.rows.items() if number == table.number]
        return iter(sorted((key, row) for key, row in found if key.startswith(prefix)))


def founded(members):
    """Return the rows of a network of these members."""
    state = Ledger.founded(members=members).state
    tables = REGISTRY.versions[1].tables
    return {(table.number, key): row for table in tables for key, row in state.range(table)}
