"""Four-line professional claims: validated to level 5, decided with trace, and the whole path of bytes to bytes.

Limits of the same run: the Ed25519 verify rate of one core for decisions and for the path; splitting the same bytes
into segments and elements for validation. Figures are per CPU second of one core.
"""

import time

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.agreements.claims.alone import adjudicate
from salus.agreements.claims.audit import audit
from salus.agreements.claims.decide import decide
from salus.agreements.claims.members import Members
from salus.interop.x12.claim import read_claim
from salus.interop.x12.examine import UnitSeen, examine
from tests.agreements.claims.cases import JANE, MEMBERS, PLAN, RATES, SETTINGS, claim, facts, file_of, line

CLAIMS = 2_000
ROUNDS = 3
PEOPLE = [msgspec.structs.replace(JANE, member=f"M{number}") for number in range(CLAIMS // 4)]
COVERED = Members(
    payer="HARBOR1",
    members=tuple(msgspec.structs.replace(MEMBERS.members[0], subscriber=person.member) for person in PEOPLE),
)
CODES = ("G0402", "G0404", "J0696", "G0499")


def run():
    claims = [
        claim(
            *(line(place, code, 15_000 + place, f"202502{1 + number % 28:02d}") for place, code in enumerate(CODES, 1)),
            identifier=f"A{number}",
            subscriber=PEOPLE[number // 4],
            patient=PEOPLE[number // 4],
        )
        for number in range(CLAIMS)
    ]
    data = file_of(*claims)
    verify = _best(_verify, CLAIMS)
    split = _best(lambda: [part.split(b"*") for part in data.split(b"~")], CLAIMS)
    validated = _best(lambda: sum(isinstance(event, UnitSeen) for event in examine([data])), CLAIMS)
    read = _best(
        lambda: [read_claim(event.loop, ":") for event in examine([data]) if isinstance(event, UnitSeen)], CLAIMS
    )
    known = facts()
    decided = _best(lambda: [decide(each, PLAN, RATES, known) for each in claims], CLAIMS)
    path = _best(lambda: adjudicate([data], PLAN, [RATES], COVERED, SETTINGS), CLAIMS)
    paid = adjudicate([data], PLAN, [RATES], COVERED, SETTINGS).remittance
    audited = _best(lambda: audit([paid], [RATES], PLAN.cuts), CLAIMS)
    return [
        _figure("claims: 837P validated to level 5", validated, split),
        _figure("claims: 837P validated and read into types", read, split),
        _figure("claims: decided with trace", decided, verify, 0.7),
        _figure("claims: 837 to 999, 277CA, 835, EOBs and page", path, verify),
        _figure("claims: 835 validated and audited", audited, split),
    ]


def _best(work, count):
    best = 0.0
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        best = max(best, count / (time.process_time() - start))
    return best


def _verify():
    key = Ed25519PrivateKey.generate()
    message = bytes(200)
    signature, public = key.sign(message), key.public_key()
    for _ in range(CLAIMS):
        public.verify(signature, message)


def _figure(name, value, limit, budget=None):
    return {
        "name": name,
        "value": value,
        "unit": "claims/s",
        "limit": limit,
        "ratio": value / limit,
        "budget": "" if budget is None else f">= {budget} x the limit",
        "met": budget is None or value >= budget * limit,
    }
