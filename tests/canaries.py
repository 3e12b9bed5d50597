"""For each use case a request whose personal fields hold canaries: strings that must reach no log, URL, metric or error.

A use case without an entry fails `tests/test_canaries.py`. An entry is a function of the canary string, so that every
run has its own; a use case that takes nothing personal says so by not using it.
"""

from collections.abc import Callable, Mapping
from typing import Any

CANARIES: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "about": lambda _: {},
    "network.card": lambda word: {"name": word, "roles": ["provider"], "jurisdiction": "DE"},
    "network.found": lambda word: {"network": "lake-county", "card": word},
    "network.join": lambda _: {"network": "0" * 64},
}
