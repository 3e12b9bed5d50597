"""Bugs planted into a function or a table for the time of one test: who holds code against a model must find them."""

import inspect
import textwrap


def plant(monkeypatch, where, right, wrong):
    """Put `wrong` in the place of the first `right` in a function's source, or under the key `right` of a table."""
    if not callable(where):
        monkeypatch.setitem(where, right, wrong)
        return
    source = textwrap.dedent(inspect.getsource(where))
    assert right in source
    made = {}
    exec(source.replace(right, wrong, 1), where.__globals__, made)
    monkeypatch.setattr(where, "__code__", made[where.__name__].__code__)
