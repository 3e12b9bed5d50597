"""A clinic and two payers in order in one process, whose folders are opened again after it was killed amid a crossover.

One claim was handed on and decided by both payers; another stands ready at the first payer, submitted and not accepted yet.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from salus.contracts.membership.port import Role
from salus.node.claims import correct_claim, decide_claims, dossiers, submit_claims
from salus.node.claims.deciding import CorrectClaim
from salus.node.claims.submitting import SubmitClaims
from salus.node.together import Clock, Founder, Together
from tests.agreements.claims.cases import claim, file_of, line
from tests.node.claims.test_secondary import SECOND, cheaper, on_file
from tests.node.claims.two import MARCH_2025
from tests.processes import goods

FOUNDERS: Final = (
    Founder("cedar", "Cedar Clinic", (Role.PROVIDER,)),
    Founder("harbor", "Harbor Health", (Role.PAYER,)),
    Founder("meridian", "Meridian", (Role.PAYER,)),
)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Together]:
    """Open the folders of all three; the first time, found the ledger."""
    with goods.opened(folder, FOUNDERS, Clock(lambda: MARCH_2025)) as together:
        yield together


def _submit(together: Together, identifier: str, day: str) -> None:
    file = file_of(claim(line(1, charge=17500, day=day), identifier=identifier))
    submit_claims(together.nodes["cedar"], SubmitClaims(payer="harbor", file=file))
    together.abreast()


def prepare(folder: Path) -> None:
    """Found the ledger, take one claim through both payers, and bring another to the first."""
    with opened(folder) as together:
        _submit(together, "X1", "20250201")
        for task in (cross, second):
            task(together)
            together.abreast()
        _submit(together, "X2", "20250202")


def cross(together: Together) -> None:
    decide_claims(together.nodes["harbor"], on_file())


def correct(together: Together) -> None:
    """Decide the first claim anew at a lower price, whichever part of that is done."""
    harbor = together.nodes["harbor"]
    (case,) = (case for case, one, _ in dossiers.kept_cases(harbor) if b"CLM*X1*" in one.rounds[0].file)
    if dossiers.dossier_of(harbor, case).last.number == 1:
        correct_claim(harbor, CorrectClaim(case=case.hex()))
    decide_claims(harbor, cheaper(10000))


def second(together: Together) -> None:
    decide_claims(together.nodes["meridian"], SECOND)


TASKS: Final[dict[str, Callable[[Together], None]]] = {one.__name__: one for one in (cross, correct, second)}


def do(task: str, folder: Path) -> int:
    """Do a step in this process; it may not come to its end."""
    with opened(folder) as together:
        TASKS[task](together)
    return 0
