"""A clinic and a payer on one ledger: what several files of tests begin with."""

from pathlib import Path

import msgspec

from salus.contracts.membership.port import Role
from salus.node.claims import decide_claims, submit_claims
from salus.node.claims.deciding import DecideClaims
from salus.node.claims.submitting import SubmitClaims
from salus.node.together import Clock, Founder, Together, found_together
from tests.agreements.claims.cases import MEMBERS, PLAN, RATES, claim, file_of, line

JSON = msgspec.json.encode
REQUEST = DecideClaims(plan=JSON(PLAN), rates=JSON([RATES]), members=JSON(MEMBERS))
MARCH_2025 = 1_741_608_000_000


def found_two(folder: Path) -> Together:
    """Found the ledger of `cedar`, a clinic, and `harbor`, a payer, on a day of March 2025."""
    founders = (
        Founder("cedar", "Cedar Clinic", (Role.PROVIDER,)),
        Founder("harbor", "Harbor Health", (Role.PAYER,)),
    )
    return found_together(folder, founders, clock=Clock(lambda: MARCH_2025))


def send(together: Together, name: str = "N1", day: str = "20250301", **changes: str) -> bytes:
    """Send a claim of one line from the clinic to the payer; return its case."""
    one = claim(line(1, "S9129", 9000, day), identifier=name, **changes)
    made = submit_claims(together.nodes["cedar"], SubmitClaims(payer="harbor", file=file_of(one)))
    together.abreast()
    return bytes.fromhex(made.cases[0])


def decide(together: Together) -> tuple[int, int, int]:
    """Have the payer decide; return how many cases were decided, wait, and were remitted."""
    done = decide_claims(together.nodes["harbor"], REQUEST)
    together.abreast()
    return done.decided, done.waiting, done.remitted
