"""For each use case a request whose personal fields hold canaries: strings that must reach no log, URL, metric or error.

A use case without an entry fails `tests/test_canaries.py`. An entry is a function of the canary string, so that every
run has its own; a use case that takes nothing personal says so by not using it.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any


def base64(text: str) -> str:
    """Return a text as the bytes of a request's JSON."""
    return b64encode(text.encode()).decode()


CANARIES: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "about": lambda _: {},
    "claims.adjudicate": lambda canary: {
        "file": base64(f"ISA*{canary}"),
        "plan": base64(f'{{"name": "{canary}", "{canary}": "{canary}"}}'),
        "rates": base64("[]"),
        "members": base64(canary),
        "folder": canary,
    },
    "claims.audit": lambda canary: {"file": base64(f"ISA*{canary}"), "rates": base64(f'[{{"payer": "{canary}"}}]')},
    "claims.check-plan": lambda canary: {"plan": base64(f'{{"name": "{canary}"}}')},
    "network.card": lambda word: {"name": word, "roles": ["provider"], "jurisdiction": "DE"},
    "network.found": lambda word: {"network": "lake-county", "card": word},
    "network.join": lambda _: {"network": "0" * 64},
}
