"""A clinic and a payer in one process, whose folders are opened again after it was killed amid a claim's steps.

One claim stands ready at the payer, submitted and not accepted yet; another is the clinic's to submit. Or a month goes on,
claim by claim and each replaced later, whoever is killed meanwhile.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from salus.contracts.membership.port import Role
from salus.node.claims import decide_claims, dossiers, submit_claims
from salus.node.claims.exchange import read_decision
from salus.node.claims.submitting import SubmitClaims
from salus.node.member import MemberNode
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


HOUR_MS: Final = 3_600_000
LATER: Final = 3
"""Claims after which one is replaced."""


def day_of(number: int) -> str:
    """Return a service day of the filing limit's year, none twice."""
    months = ("202501", "202502", "202412", "202411", "202410", "202409", "202408", "202407")
    return f"{months[number // 28]}{1 + number % 28:02d}"


def numbered(node: MemberNode) -> dict[str, str]:
    """Return the payer's numbers by the provider's."""
    sent = [kept.last.decided for _, kept, _ in dossiers.kept_cases(node)]
    return {one.claim.identifier: one.control for one in map(read_decision, filter(None, sent))}


def go_on(folder: Path, number: int, arm: Callable[[], None]) -> int:
    """Bring up to date what a killed process left, send the next claim and a replacement, and decide, to be killed."""
    (folder / "ahead").write_text(str(number * HOUR_MS))
    with opened(folder) as together:
        goods.settled(together)
        cedar = together.nodes["cedar"]
        coming = [claim(line(1, "J0696", 1000 + number, day_of(number)), identifier=f"K{number}")]
        known = numbered(cedar).get(f"K{number - LATER}")
        if known is not None:
            again = line(1, "J0696", 900 + number, day_of(number - LATER))
            coming.append(claim(again, identifier=f"K{number - LATER}", frequency="7", original=known))
        submit_claims(cedar, SubmitClaims(payer="harbor", file=file_of(*coming)))
        together.abreast()
        arm()
        decide(together)
    return 0


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
