"""Four-line professional claims: validated to level 5, decided with trace, and the whole path of bytes to bytes.

Limits of the same run: pyx12 and oxedi on the same bytes; the Ed25519 verify rate of one core for decisions and for the path; splitting the same bytes
into segments and elements for validation. Figures are per CPU second of one core.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import oxedi
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.agreements.claims.alone import adjudicate
from salus.agreements.claims.audit import audit
from salus.agreements.claims.decide import decide
from salus.agreements.claims.members import Members
from salus.cli.serve import keep_loaded
from salus.contracts.membership.port import Role
from salus.interop.x12.claim import read_claim
from salus.interop.x12.envelope import interchange
from salus.interop.x12.examine import SetSeen, UnitSeen, examine
from salus.interop.x12.remittance import read_remittance, set_of
from salus.node.claims import decide_claims, submit_claims
from salus.node.claims.deciding import DecideClaims
from salus.node.claims.submitting import SubmitClaims
from salus.node.together import Clock, Founder, found_together
from tests.agreements.claims.cases import ENDS, JANE, MEMBERS, PLAN, RATES, SETTINGS, STAMP, claim, facts, file_of, line
from tests.interop.x12.oracles import pyx12_accepts

CLAIMS = 2_000
PATH = 800
WARM = 20
"""Claims of a run before, so that nothing is read or compiled for the first time in the one that is measured."""
IN_FILE = 100_000
MOST_MB = 200
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
    remittance = next(_remittances(paid))
    written = _best(lambda: _written_and_checked(remittance), CLAIMS)
    _payer(claims[:WARM])
    payer, indexed = _payer(claims[:PATH])
    return [
        _figure("claims: validated, against pyx12", validated, _pyx12(claims), 25),
        _figure(
            "claims: 835 written and checked, against oxedi", written, _best(lambda: oxedi.parse(paid), CLAIMS), 0.1
        ),
        _figure("claims: a payer's whole path, EOBs sealed and anchored", payer, verify, 0.15),
        _figure("claims: a payer's whole path, and its EOBs in the search index", indexed, verify),
        _figure("claims: 837P validated to level 5", validated, split),
        _figure("claims: 837P validated and read into types", read, split),
        _figure("claims: decided with trace", decided, verify, 0.7),
        _figure("claims: 837 to 999, 277CA, 835, EOBs and page", path, verify),
        _figure("claims: 835 validated and audited", audited, split),
        *_memory(),
    ]


def _memory():
    """Yield the peak of the program on a file of 100,000 claims: read, checked, answered, decided, paid and explained."""
    program = [sys.executable, "-m", "benches.claims_file"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*program, "write", str(IN_FILE), folder], check=True)
        ran = subprocess.run([*program, "adjudicate", folder], capture_output=True, text=True, check=True)
    done, peak = map(int, ran.stdout.split())
    if done != IN_FILE:
        raise ValueError("not all claims were accepted")
    yield {
        "name": "claims: `salus claims adjudicate` on a file of 100,000: peak memory",
        "value": peak,
        "unit": "MB",
        "limit": MOST_MB,
        "ratio": peak / MOST_MB,
        "budget": "<= 200 MB",
        "met": peak <= MOST_MB,
    }


def _pyx12(claims):
    """Return what pyx12 validates, its maps loaded; it is too slow for all of them."""
    some = file_of(*claims[:100])
    pyx12_accepts(some)
    start = time.process_time()
    if pyx12_accepts(some) is not True:
        raise ValueError("pyx12 refuses what is measured")
    return 100 / (time.process_time() - start)


def _remittances(paid):
    for event in examine([paid], keep=True):
        if isinstance(event, SetSeen):
            yield read_remittance(event.root, event.head.delimiters.component)


def _written_and_checked(remittance):
    text = interchange(ENDS, STAMP, "HP", "005010X221A1", [set_of(remittance, "0001")])
    for event in examine([text]):
        if isinstance(event, UnitSeen | SetSeen) and event.findings:
            raise ValueError("what was written does not balance")


def _payer(claims):
    """Return the rate from sealed 837s at the payer to 835s sent, on the embedded engine, and that until all is indexed.

    Sealing at the provider is left aside. The collector is spared what is loaded, as in a node that serves.
    """
    founders = (Founder("cedar", "Cedar", (Role.PROVIDER,)), Founder("harbor", "Harbor", (Role.PAYER,)))
    with tempfile.TemporaryDirectory() as folder:
        together = found_together(Path(folder), founders, clock=Clock(lambda: 1_741_608_000_000))
        try:
            submit_claims(together.nodes["cedar"], SubmitClaims(payer="harbor", file=file_of(*claims)))
            harbor = together.nodes["harbor"]
            harbor.wait_for(together.owner.ledger.head().height)
            together.transport.down.add("https://cedar.example")  # the provider's own work is not the payer's
            json = msgspec.json.encode
            request = DecideClaims(plan=json(PLAN), rates=json([RATES]), members=json(COVERED))
            keep_loaded()
            start = time.process_time()
            done = decide_claims(harbor, request)
            spent = time.process_time() - start
            if done.remitted != len(claims):
                raise ValueError("not all were remitted")
            harbor.settle_index()
            return len(claims) / spent, len(claims) / (time.process_time() - start)
        finally:
            together.close()


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
