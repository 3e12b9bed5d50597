"""A clinic and a payer in one process, whose folders are opened again after it was killed amid a claim's steps.

One claim stands ready at the payer, submitted and not accepted yet; another is the clinic's to submit.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from salus.contracts.membership.port import Role
from salus.node.claims import decide_claims, submit_claims
from salus.node.claims.submitting import SubmitClaims
from salus.node.together import Clock, Founder, Together
from tests.agreements.claims.cases import claim, file_of, line
from tests.node.claims.two import MARCH_2025, REQUEST
from tests.processes import goods

FOUNDERS: Final = (
    Founder("cedar", "Cedar Clinic", (Role.PROVIDER,)),
    Founder("harbor", "Harbor Health", (Role.PAYER,)),
)
FIRST: Final = file_of(claim(line(1, "S9129", 9000), identifier="N1"))
SECOND: Final = file_of(
    claim(line(1, "S9129", 9000, "20250211"), identifier="N2"),
    claim(line(1, "J0696", 1000, "20250212"), identifier="N3"),
)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Together]:
    """Open both members' folders; the first time, found the ledger. A file `ahead` tells how far the clock has gone, ms."""
    ahead = folder / "ahead"
    now = MARCH_2025 + (int(ahead.read_text()) if ahead.exists() else 0)
    with goods.opened(folder, FOUNDERS, Clock(lambda: now)) as together:
        yield together


def prepare(folder: Path) -> None:
    """Found the ledger and bring the first claim to the payer."""
    with opened(folder) as together:
        submit_claims(together.nodes["cedar"], SubmitClaims(payer="harbor", file=FIRST))
        together.abreast()


def submit(together: Together) -> None:
    submit_claims(together.nodes["cedar"], SubmitClaims(payer="harbor", file=SECOND))


def decide(together: Together) -> None:
    decide_claims(together.nodes["harbor"], REQUEST)


TASKS: Final[dict[str, Callable[[Together], None]]] = {one.__name__: one for one in (submit, decide)}


def do(task: str, folder: Path) -> int:
    """Do a step in this process; it may not come to its end."""
    with opened(folder) as together:
        TASKS[task](together)
    return 0
