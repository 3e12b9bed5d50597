"""A clinic and a payer on one ledger: what several files of tests begin with."""

from pathlib import Path

import msgspec

from salus.contracts.membership.port import Role
from salus.node.claims.deciding import DecideClaims
from salus.node.together import Clock, Founder, Together, found_together
from tests.agreements.claims.cases import MEMBERS, PLAN, RATES

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
