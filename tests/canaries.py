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


LINK = "0" * 32
GRANT = "0" * 64

CANARIES: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "about": lambda _: {},
    "access.ask": lambda word: {"roles": [word]},
    "access.list": lambda _: {},
    "access.pull": lambda word: {"grant": GRANT, "credential": word},
    "backup.make": lambda _: {"folder": "/proc/nowhere"},
    "backup.restore": lambda _: {"folder": "/proc/nowhere"},
    "claims.adjudicate": lambda canary: {
        "file": base64(f"ISA*{canary}"),
        "plan": base64(f'{{"name": "{canary}", "{canary}": "{canary}"}}'),
        "rates": base64("[]"),
        "members": base64(canary),
        "folder": canary,
    },
    "claims.audit": lambda canary: {"file": base64(f"ISA*{canary}"), "rates": base64(f'[{{"payer": "{canary}"}}]')},
    "claims.check-plan": lambda canary: {"plan": base64(f'{{"name": "{canary}"}}')},
    "claims.cases": lambda _: {},
    "claims.correct": lambda _: {"case": LINK},
    "claims.decide": lambda canary: {
        "plan": base64(f'{{"{canary}": 1}}'),
        "rates": base64("[]"),
        "members": base64(canary),
    },
    "claims.dispute": lambda canary: {"case": LINK, "statement": canary},
    "claims.explain": lambda _: {"case": LINK},
    "claims.recompute": lambda canary: {"case": LINK, "rates": base64(f'[{{"payer": "{canary}"}}]')},
    "claims.rule": lambda canary: {"case": LINK, "verdict": "uphold", "basis": canary},
    "claims.submit": lambda canary: {"link": LINK, "payer": "north", "file": base64(f"ISA*{canary}")},
    "deliveries.waiting": lambda _: {},
    "emergency.list": lambda _: {},
    "emergency.open": lambda word: {
        "at": ["north"],
        "reason": "unconscious",
        "credential": word,
        "name": word,
        "birth_date": "1961-02-03",
    },
    "emergency.review": lambda word: {"emergency": GRANT, "findings": word},
    "erasure.advance": lambda _: {},
    "erasure.cancel": lambda _: {"case": LINK, "rank": "in-person"},
    "erasure.list": lambda _: {},
    "erasure.retain": lambda _: {"case": LINK, "reason": "archiving"},
    "export": lambda _: {"file": "/nowhere/ledger.cbor"},
    "journal.lines": lambda _: {"link": LINK},
    "ledger.block": lambda _: {"height": 1},
    "ledger.blocks": lambda _: {},
    "ledger.transaction": lambda _: {"transaction": GRANT},
    "link.contact": lambda word: {"link": LINK, "address": f"{word}@example.org"},
    "link.invite": lambda word: {"system": "urn:mrn", "value": word},
    "link.list": lambda _: {},
    "engine.install": lambda _: {},
    "network.create": lambda word: {"network": "lake-county", "members": [word, word], "folder": "/proc/nowhere"},
    "network.logs": lambda _: {"member": "north"},
    "network.nodes": lambda _: {},
    "network.start": lambda _: {},
    "network.stop": lambda _: {},
    "network.share": lambda word: {"address": word},
    "network.assemble": lambda word: {"network": "lake-county", "cards": [word], "shares": [word]},
    "network.hand-over": lambda word: {"shares": [word]},
    "network.begin": lambda word: {"founding": base64(word)},
    "network.card": lambda word: {"name": word, "roles": ["provider"], "jurisdiction": "DE"},
    "network.found": lambda word: {"network": "lake-county", "card": word},
    "network.members": lambda _: {},
    "network.move": lambda _: {"endpoint": "https://north.example"},
    "network.proposals": lambda _: {},
    "network.propose-admit": lambda word: {"card": word},
    "network.propose-parameters": lambda word: {"changes": {"anchor_tick": word}},
    "network.propose-reinstate": lambda _: {"member": "hospital-b"},
    "network.propose-remove": lambda _: {"member": "hospital-b"},
    "network.propose-replace-keys": lambda word: {"card": word},
    "network.propose-rules": lambda _: {"version": 2, "height": 120000},
    "network.propose-suspend": lambda _: {"member": "hospital-b"},
    "network.propose-validators": lambda _: {
        "changes": [{"member": "hospital-b", "consensus_key": GRANT, "power": 10}]
    },
    "network.receipt": lambda _: {"transaction": GRANT},
    "network.rotate-keys": lambda _: {},
    "network.status": lambda _: {},
    "network.trust": lambda _: {},
    "network.vote": lambda _: {"proposal": GRANT, "approve": False},
    "network.join": lambda _: {"network": "0" * 64},
    "person.accounts": lambda _: {},
    "person.dismiss": lambda word: {"subject": word},
    "person.issue": lambda word: {"subject": word, "role": word, "purposes": ["TREAT"], "key": GRANT},
    "person.sign-in": lambda word: {"subject": word, "role": word, "purposes": ["TREAT"]},
    "records.anchor": lambda _: {},
    "records.chart": lambda word: {"link": LINK, "types": [word]},
    "records.check": lambda _: {},
    "records.find": lambda word: {"name": word, "identifier": f"urn:mrn|{word}"},
    "records.measures": lambda _: {"link": LINK},
    "records.import": lambda word: {"paths": [f"/nowhere/{word}.json"], "source": f"urn:{word}"},
    "records.show": lambda _: {"number": 1},
    "replay": lambda _: {},
    "tx": lambda _: {"message": "membership.move", "content": {"endpoint": "http://no"}},
    "research.answer": lambda _: {"query": LINK},
    "research.apply": lambda word: {
        "data_sets": [LINK],
        "investigations": [f"DUO:{word}"],
        "summary": word,
        "days": 9,
        "diseases": [word],
    },
    "research.ask": lambda word: {"permit": LINK, "query": base64(f'{{"title": "{word}"}}'), "data_sets": [LINK]},
    "research.budget": lambda _: {},
    "research.decide": lambda _: {"permit": LINK, "data_set": LINK},
    "research.offer": lambda word: {"terms": base64(word), "policy": [f"DUO:0000007={word}", word]},
    "research.offers": lambda _: {},
    "research.permits": lambda _: {},
    "research.rerun": lambda _: {"query": LINK},
    "research.result": lambda _: {"query": LINK},
    "research.review": lambda _: {},
    "research.withhold": lambda word: {"query": LINK, "reason": word},
    "research.check": lambda canary: {"query": base64(f'{{"title": "{canary}", "{canary}": "{canary}"}}')},
    "research.local": lambda canary: {
        "query": base64(f'{{"title": "{canary}", "{canary}": "{canary}"}}'),
        "input": canary,
        "output": f"{canary}.csv",
    },
    "trial.check": lambda word: {"protocol": base64(f'{{"{word}": "{word}"}}'), "data": word},
    "trial.protocol": lambda word: {"protocol": base64(f'{{"study": {{"{word}": "{word}"}}}}')},
    "supply.check": lambda canary: {"files": [base64(canary), base64(f'{{"type": "{canary}"}}')]},
    "supply.match": lambda canary: {"files": [base64(f"<{canary}/>")], "scans": base64(canary)},
    "supply.trace": lambda canary: {"files": [], "identifier": canary},
    "worklist": lambda _: {},
}
