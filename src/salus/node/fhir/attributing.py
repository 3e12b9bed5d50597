"""Provenance (R4) of what a program wrote in somebody's name: one per patient and activity, sealed with what it is about."""

from collections.abc import Iterable
from typing import Any, Final

from salus.interop.fhir.balp import APP, MEMBER, PERSON
from salus.node.fhir.asking import Asking
from salus.node.fhir.presenting import instant, raw
from salus.vault.sealing import Content

KIND: Final = "Provenance"
TOLD_ELSEWHERE: Final = frozenset({KIND, "AuditEvent"})
_ACTIVITIES: Final = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_AGENTS: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def provenances(
    asking: Asking, written: Iterable[tuple[bytes, str, str]], ids: Iterable[str]
) -> list[tuple[bytes, Content]]:
    """Return (link, content) of what tells who wrote (link, action, "Type/id"); none where no program did.

    ids: fresh ids, as many as there are links and actions.
    """
    access = asking.caller.access
    if access is None:
        return []
    targets: dict[tuple[bytes, str], list[str]] = {}
    for link, action, name in written:
        if name.partition("/")[0] not in TOLD_ELSEWHERE:
            targets.setdefault((link, action), []).append(name)
    made = []
    for ((link, action), names), own in zip(targets.items(), ids, strict=False):
        body = bytes(raw(_provenance(asking, access.client, action, names, own)))
        made.append((link, Content(KIND, own, body)))
    return made


def _provenance(asking: Asking, client: str, action: str, names: list[str], own: str) -> dict[str, Any]:
    here = {"identifier": {"system": MEMBER, "value": asking.node.member}}
    author = {"identifier": {"system": PERSON, "value": asking.caller.subject}}
    return {
        "resourceType": KIND,
        "id": own,
        "target": [{"reference": name} for name in names],
        "recorded": instant(asking.node.now()),
        "activity": {"coding": [{"system": _ACTIVITIES, "code": action.upper()}]},
        "agent": [
            {"type": _type("author"), "who": author, "onBehalfOf": here},
            {"type": _type("assembler"), "who": {"identifier": {"system": APP, "value": client}}, "onBehalfOf": here},
        ],
    }


def _type(code: str) -> dict[str, Any]:
    return {"coding": [{"system": _AGENTS, "code": code}]}
