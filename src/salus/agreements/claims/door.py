"""What a claim that the door refuses gets back: TA1 for its envelope, 999 for its set, else 277CA."""

from typing import Final

import msgspec

from salus.agreements.claims.plan import Plan, payer_of
from salus.interop.x12.answers import (
    GroupAnswer,
    Verdict,
    acknowledgment,
    claim_acknowledgment,
    envelope_answer,
    verdict,
)
from salus.interop.x12.codes import BUILT_IN, CodeSets
from salus.interop.x12.envelope import Stamp
from salus.interop.x12.examine import examine
from salus.interop.x12.findings import Finding

NOT_NEW: Final = Finding(
    level=4,
    rule="original-reference",
    loop="2300",
    tag="CLM",
    element=5,
    component=3,
    expected="1: a claim of its own",
    fix="submit a replacement or void from where the claim was submitted: it reopens that claim's case",
)
"""Why a replacement or void that comes as a new case is refused, though its file is sound."""


def door_answer(file: bytes, plan: Plan, received: str, stamp: Stamp, codes: CodeSets = BUILT_IN) -> bytes:
    """Return the interchange that answers a refused 837 of one claim. Raises Unreadable where it has no envelope."""
    seen = verdict(examine([file], codes=codes, received=received))
    (first, *_) = seen.interchanges
    if first.code != "000":
        return envelope_answer(first, stamp)
    sets = [answer for group in seen.groups for answer in group.sets]
    whole = not any(group.seen.envelope for group in seen.groups)
    if not (whole and all(answer.accepted and answer.claims for answer in sets)):
        return acknowledgment(seen.groups, first.header, stamp)
    if all(claim.accepted for answer in sets for claim in answer.claims):
        seen = _told(seen, NOT_NEW)
        sets = [answer for group in seen.groups for answer in group.sets]
    return claim_acknowledgment(sets, first.header, payer_of(plan), stamp, received) or b""


def _told(seen: Verdict, finding: Finding) -> Verdict:
    replace = msgspec.structs.replace
    groups: list[GroupAnswer] = []
    for group in seen.groups:
        sets = tuple(
            replace(one, claims=tuple(replace(claim, findings=(*claim.findings, finding)) for claim in one.claims))
            for one in group.sets
        )
        groups.append(replace(group, sets=sets))
    return replace(seen, groups=tuple(groups))
