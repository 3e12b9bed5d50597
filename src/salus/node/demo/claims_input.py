"""Documents that decide the claims of a folder that has none: who is covered, at what price, by which plan."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from salus.agreements.claims.alone import sound_files
from salus.agreements.claims.members import Member, Members
from salus.agreements.claims.plan import Plan, read_plan
from salus.agreements.claims.rates import Rate, Rates
from salus.interop.x12.claim import Claim
from salus.interop.x12.tokens import Unreadable
from salus.node.claims import documents
from salus.node.claims.deciding import DecideClaims
from salus.node.demo.claims_scene import TODAY
from salus.node.demo.samples import samples_folder

SHARE = 8000
"""What a provider without a contract is agreed to be paid of its charge, basis points."""
LONG = 3_650
"""Days within which a claim may be filed, the most that a plan can say: a folder's claims may be old."""


def documents_in(folder: Path, given: bool, files: Sequence[bytes]) -> tuple[DecideClaims, list[str]]:
    """Return the documents of a folder, and which of them were made from its claims. The sample's plan stands beside it.

    Raises Malformed where a file is not X12.
    """
    places = {name: folder / f"{name}.json" for name in ("plan", "rates", "members")}
    if not given:
        places["plan"] = samples_folder() / "claims" / "plan.json"
    made = [name for name, path in places.items() if not path.exists()]
    texts = {name: path.read_bytes() for name, path in places.items() if name not in made}
    if made:
        claims = _claims(files)
        plan = read_plan(texts["plan"]) if "plan" in texts else _plan(claims)
        fresh = {"plan": plan, "rates": _rates(claims, plan), "members": _members(claims, plan)}
        texts |= {name: msgspec.json.encode(fresh[name]) for name in made}
    return DecideClaims(plan=texts["plan"], rates=texts["rates"], members=texts["members"]), made


def _claims(files: Sequence[bytes]) -> list[Claim]:
    try:
        return [claim for file in files for claim, _ in sound_files([file], TODAY)[0]]
    except Unreadable as broken:
        raise documents.unreadable(broken) from None


def _plan(claims: Sequence[Claim]) -> Plan:
    """Return the sample's plan under the payer that most claims name, for the days of the claims."""
    plan = read_plan((samples_folder() / "claims" / "plan.json").read_bytes())
    if not claims:
        return plan
    (payer, _), *_ = Counter(claim.payer for claim in claims).most_common(1)
    return msgspec.structs.replace(
        plan,
        payer=payer.identifier,
        payer_name=payer.name or payer.identifier,
        since=min(plan.since, *(claim.first for claim in claims)),
        until=max(plan.until, *(claim.last for claim in claims)),
        filing=msgspec.structs.replace(plan.filing, days=LONG, secondary_days=LONG),
    )


def _rates(claims: Sequence[Claim], plan: Plan) -> list[Rates]:
    """Return for each provider a contract that pays a share of what is charged."""
    rate = Rate(method="percent", clause="share of the charge", percent=SHARE)
    return [
        Rates(
            payer=plan.payer,
            provider=provider,
            version="1",
            tier=plan.tiers[0],
            clause="made for the demo",
            since=plan.since,
            until=plan.until,
            rates=(rate,),
        )
        for provider in sorted({claim.billing.identifier for claim in claims})
    ]


def _members(claims: Sequence[Claim], plan: Plan) -> Members:
    """Return everybody whom the claims name as covered."""
    found = {
        (claim.subscriber.member, claim.patient.birth, claim.patient.first): Member(
            subscriber=claim.subscriber.member,
            last=claim.patient.last,
            first=claim.patient.first,
            birth=claim.patient.birth,
            sex=claim.patient.sex or "U",
            relationship=claim.relationship,
            since=plan.since,
        )
        for claim in claims
    }
    return Members(payer=plan.payer, members=tuple(found.values()))
