"""Six clients that write at once through a node's FHIR server, in a process that dies, or whose disk fills up, at a step.

    python -m tests.processes.writers STEP [full]

Five writes go with one commit, because the first waits until they have come. Each line written tells of one client: what
was acknowledged ("Observation/id"), or the code that refused it. With `full` the disk has room again afterwards, and one
more write follows.
"""

import json
import os
import resource
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from salus.core.errors import SalusError
from salus.node.config import read
from salus.node.fhir.answers import Request
from salus.node.fhir.server import FhirServer
from salus.node.fhir.storing import turns_of
from salus.node.mapping import edge_error
from salus.node.member import MemberNode
from salus.node.opening import open_node
from salus.node.usecase import LOCAL_OPERATOR
from salus.vault.segments import FileSegments
from tests.processes.dying import die

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENTS: Final = 6
PATIENCE: Final = 60.0
BEFORE, AFTER = True, False
STEPS: Final[dict[str, tuple[Any, str, bool]]] = {
    "prepared, not written": (FileSegments, "append", BEFORE),
    "written, not synced": (FileSegments, "append", AFTER),
    "synced, not committed": (FileSegments, "sync", AFTER),
    "committed, not indexed": (MemberNode, "catch_up", BEFORE),
    "indexed, not answered": (MemberNode, "catch_up", AFTER),
}


def full() -> None:
    """Have no file of this process grow beyond its first page: the journals of both databases do."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def roomy() -> None:
    """Let files grow again."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def armed(step: str, act: "Callable[[], None]", waiting: "Callable[[], int]") -> None:
    """Let the first write wait for the others, and do `act` at the step of the second commit, which is theirs."""
    owner, name, before = STEPS[step]
    sync, honest = FileSegments.sync, getattr(owner, name)
    calls = dict.fromkeys(("sync", "step"), 0)

    def patient(self: FileSegments, number: int) -> None:
        calls["sync"] += 1
        end = time.monotonic() + PATIENCE
        while calls["sync"] == 1 and waiting() < CLIENTS - 1 and time.monotonic() < end:
            time.sleep(0.001)
        sync(self, number)

    FileSegments.sync = patient  # type: ignore[method-assign]
    honest = patient if name == "sync" else honest

    def acting(*arguments: Any, **named: Any) -> Any:
        calls["step"] += 1
        told = None if before else honest(*arguments, **named)
        if calls["step"] == 2:
            act()
        return honest(*arguments, **named) if before else told

    setattr(owner, name, acting)


def main() -> int:
    """See above."""
    step, act = sys.argv[1], full if sys.argv[2:] == ["full"] else die
    node = open_node(read(None, {name: text for name, text in os.environ.items() if name.startswith("SALUS_")}))
    assert isinstance(node, MemberNode)
    server = FhirServer(node)
    armed(step, act, lambda: len(turns_of(node)._grouping._waiting))

    def client(at: int) -> None:
        body = {
            "resourceType": "Observation",
            "status": "final",
            "subject": {"reference": "Patient/p1"},
            "code": {"text": f"c{at}"},
        }
        try:
            answer = server.answer(LOCAL_OPERATOR, "", Request("POST", "Observation", (), json.dumps(body).encode()))
            told = f"Observation/{json.loads(answer.body)['id']}"
        except SalusError as error:
            edge = edge_error(error)
            told = edge.code if edge else type(error).__name__
        os.write(1, f"{told}\n".encode())

    threads = [threading.Thread(target=client, args=(at,)) for at in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    roomy()
    client(CLIENTS)
    node.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
