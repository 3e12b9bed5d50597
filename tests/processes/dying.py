"""The program in processes that kill themselves with SIGKILL at a step, find the disk full there, or have a clock set ahead.

A step is a place between two durable acts of a use case. It is the test's process that dies there; the product has no
such switch.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from salus.cli import main as program
from salus.interop.fhir.fhirpath.model import r4
from salus.interop.fhir.search.definitions import parameters
from salus.node import anchoring, erasing, opening
from salus.node.claims import crossing, deciding, following, submitting
from salus.node.claims.deciding import Inbox
from salus.node.claims.remitting import Remitter
from salus.node.desk import Desk
from salus.node.exchange import custodian, delivery, grantee
from salus.node.research import answering as questions
from salus.node.research import choices, relaying, rounds
from salus.node.submitting import Submitter
from salus.node.supply import answering, moving, resuming
from salus.node.upkeep import backups
from salus.vault import erasure
from salus.vault.store import Store
from salus.vault.vault import Vault
from tests.processes import bills, crossings, goods, studies
from tests.processes.members import Member

if TYPE_CHECKING:
    from collections.abc import Callable

BEFORE, AFTER = True, False
DOING: Final = {"goods": goods.do, "bills": bills.do, "crossings": crossings.do, "studies": studies.do}
STEPS: Final[dict[str, tuple[Any, str, bool]]] = {
    "never": (None, "", BEFORE),
    # records and their anchor
    "sealed, not submitted": (anchoring, "_send", BEFORE),
    "committed, not noted": (Vault, "anchored", BEFORE),
    # erasure
    "listed, not removed": (erasure, "_remove", BEFORE),
    "removed, files left": (Store, "sweep_doomed", BEFORE),
    "deleted, not attested": (erasing, "_delete_here", AFTER),
    # backup
    "vault copied, rest missing": (Vault, "backup", AFTER),
    "desk copied, ledger missing": (backups, "encode", BEFORE),
    "vault restored, ledger missing": (backups, "_replay", BEFORE),
    # pull, at the custodian and at the grantee
    "disclosure written, not committed": (custodian, "commit", BEFORE),
    "disclosure committed, not answered": (custodian, "sealed_answer", BEFORE),
    "answer verified, not kept": (grantee, "verify_pulled", AFTER),
    "answer kept, place not noted": (Desk, "note_cursor", BEFORE),
    # goods: kept as meant, on the ledger, kept as done, told
    "step meant, not told": (resuming, "_told", BEFORE),
    "step told, not kept": (resuming, "_told", AFTER),
    "lot kept, count not told": (resuming, "tell_regulators", BEFORE),
    "lot kept, still meant": (resuming, "tell_regulators", AFTER),
    "packed, not shipped": (resuming.Shipping, "_pack", AFTER),
    "hop kept, not sent": (resuming, "deliver_hop", BEFORE),
    "hop sent, still meant": (resuming, "deliver_hop", AFTER),
    "stock kept, still on its way": (resuming, "keep_stock", AFTER),
    "recall told, not answered": (answering, "send", AFTER),
    "found kept, not told": (answering, "keep", AFTER),
    "found told, regulators not": (answering, "tell_regulators", BEFORE),
    "ended, not answered": (moving, "send", AFTER),
    # a claim, at the provider and at the payer
    "claims kept, not committed": (submitting, "_commit", BEFORE),
    "claims committed, not sent": (submitting, "_commit", AFTER),
    "accepted, not decided": (Inbox, "accept", AFTER),
    "decision kept, not committed": (Inbox, "_commit", BEFORE),
    "decision committed, not told": (Inbox, "_commit", AFTER),
    "835 fixed, ledger not told": (Remitter, "_fix", AFTER),
    "835 on the ledger, not sent": (Remitter, "_settle", AFTER),
    # handing a claim on, and a later decision of it
    "crossing fixed, ledger not told": (deciding, "cross_over", BEFORE),
    "crossing on the ledger, not sent": (crossing, "disclose", BEFORE),
    "crossing sent, not noted": (crossing, "disclose", AFTER),
    "correction fixed, not sent": (deciding, "follow", BEFORE),
    "correction sent, not noted": (following, "disclose", AFTER),
    # a question with noise: drawn, stored, begun, committed, sent
    "drawn, not stored": (Desk, "keep_research_once", BEFORE),
    "draw stored, not begun": (choices, "leaves_of", BEFORE),
    "begun, not confirmed": (questions, "_confirm", BEFORE),
    "confirmed, answer not committed": (questions, "_commit", BEFORE),
    "answer committed, not sent": (questions, "_commit", AFTER),
    "answer sent, not told": (questions, "_send", AFTER),
    # a model, at a custodian and at the analyst that leads it
    "leverage kept, vector not made": (Desk, "keep_research", AFTER),
    "vector stored, not sent": (rounds.Rounds, "_turn", AFTER),
    "one custodian committed, others not": (Submitter, "submit", AFTER),
    "model run, not kept": (relaying._Attempt, "run", AFTER),
    # delivery, at the receiver and at the sender
    "taken, not noted": (Desk, "take", BEFORE),
    "noted, not acknowledged": (delivery, "take", AFTER),
    "acknowledged, not noted": (Desk, "sent", BEFORE),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fill_up() -> None:
    """From here on no file of this process takes a byte beyond its first 4,096: what has no room may not be half there."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def armed(owner: Any, name: str, before: bool, act: "Callable[[], None]" = die) -> None:
    """Have the process die, or its disk fill up, when the function is called, or when it has returned."""
    honest: Callable[..., Any] = getattr(owner, name)

    def dying(*arguments: Any, **named: Any) -> Any:
        told = None if before else honest(*arguments, **named)
        act()
        return honest(*arguments, **named) if before else told

    setattr(owner, name, dying)


def die_amid(acts: int) -> None:
    """Have the process die at a durable act of a claim's way, after so many of them: desk, ledger, outbox, vault."""
    left = [acts]

    def counted(honest: "Callable[..., Any]") -> "Callable[..., Any]":
        def act(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                die()
            return honest(*arguments, **named)

        return act

    desk = ((Desk, "keep_claims"), (Desk, "send_later"), (Desk, "sent"))
    for owner, name in (*desk, (Submitter, "submit"), (Vault, "write_all"), (Vault, "anchored")):
        setattr(owner, name, counted(getattr(owner, name)))


def serving(step: str) -> None:
    """Be the program with the arguments of this process, a step armed, and end."""
    armed(*STEPS[step])
    sys.exit(program.main())


def begin(told: dict[str, Any]) -> int:
    """Run one command line of the program, or one step of goods or claims, in this process, with a step armed."""
    owner, name, before = STEPS[told["step"]]
    if owner is not None:
        armed(owner, name, before, fill_up if told.get("full") else die)
    if "acts" in told:
        return bills.go_on(Path(told["folder"]), told["number"], lambda: die_amid(told["acts"]))
    if "task" in told:
        return DOING[told["of"]](told["task"], Path(told["folder"]))
    honest = opening.now_ms
    opening.now_ms = lambda: honest() + told["ahead"]
    os.environ.clear()
    os.environ.update(told["environment"])
    os.chdir(told["folder"])
    sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115 -- the commands of the parent are not its to read
    return program.main(told["arguments"])


def serve() -> None:
    """Fork a process for each command read, one JSON object a line; write its exit code (below 0: the signal).

    What an index reads once a process is read before, so that not each of them reads it.
    """
    r4()
    parameters("Patient")
    for line in sys.stdin:
        child = os.fork()  # nothing runs beside this thread here
        if not child:
            code = 70
            try:
                with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
                    code = begin(json.loads(line))
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


class Dying:
    """The process that forks them, which imports the program once. Close it."""

    def __init__(self) -> None:
        """Start it."""
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.processes.dying"],
            env=os.environ | {"PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, one: Member, step: str, *arguments: str, ahead: int = 0) -> int:
        """Run a member's command line in a process of its own; return its exit code."""
        told = {"step": step, "arguments": arguments, "ahead": ahead}
        return self._told(told | {"environment": one.environment, "folder": str(one.home)})

    def goods(self, folder: Path, task: str, step: str) -> int:
        """Do a step of goods, of members that live in a folder, in a process of its own; return its exit code."""
        return self._told({"of": "goods", "step": step, "task": task, "folder": str(folder)})

    def bills(self, folder: Path, task: str, step: str) -> int:
        """Do a step of claims, likewise."""
        return self._told({"of": "bills", "step": step, "task": task, "folder": str(folder)})

    def bills_amid(self, folder: Path, number: int, acts: int) -> int:
        """Go on with a month of claims, to die after so many durable acts of deciding; return its exit code."""
        return self._told({"step": "never", "folder": str(folder), "number": number, "acts": acts})

    def crossings(self, folder: Path, task: str, step: str) -> int:
        """Do a step of claims with two payers, likewise."""
        return self._told({"of": "crossings", "step": step, "task": task, "folder": str(folder)})

    def studies(self, folder: Path, task: str, step: str) -> int:
        """Do a step of research, likewise."""
        return self._told({"of": "studies", "step": step, "task": task, "folder": str(folder)})

    def crowded(self, folder: Path, task: str, step: str) -> int:
        """Do a step of research on a disk that is full from there on."""
        return self._told({"of": "studies", "step": step, "task": task, "folder": str(folder), "full": True})

    def _told(self, told: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.communicate()


if __name__ == "__main__":
    serve()
