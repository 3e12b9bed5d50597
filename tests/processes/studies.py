"""A university and three hospitals in one process, whose folders are opened again after it was killed amid a question's steps.

A table with noise waits for one hospital's checker; a model was released by all three and waits to be run.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from salus.contracts.membership.port import Role
from salus.core.encoding import decode
from salus.node.research import run_model
from salus.node.research.relaying import RunModel
from salus.node.research.wire import Asked
from salus.node.together import Founder, Together
from tests.node.research import hospitals
from tests.processes import goods

HOSPITALS: Final = ("east", "north", "west")
FOUNDERS: Final = (
    Founder("university", "A University", (Role.RESEARCHER,)),
    *(Founder(name, f"{name.title()} Hospital", (Role.PROVIDER,)) for name in HOSPITALS),
)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Together]:
    """Open every member's folder; the first time, found the ledger."""
    with goods.opened(folder, FOUNDERS) as together:
        yield together


def prepare(folder: Path) -> None:
    """Found the ledger, fill the hospitals and bring two questions to them."""
    with opened(folder) as together:
        for name in HOSPITALS:
            hospitals.fill(together.nodes[name], 96)
        hospitals.level(together)
        data_sets = {name: hospitals.offer(together, name, smallest=3) for name in HOSPITALS}
        granted = hospitals.permit(together, data_sets)
        hospitals.ask(together, granted, hospitals.TABLE, (data_sets["north"],))
        hospitals.answer(
            together, hospitals.ask(together, granted, hospitals.LOGISTIC, tuple(data_sets.values())), *HOSPITALS
        )


def asked(together: Together, kind: str) -> str:
    """Return the id of the question with a statistic of a kind."""
    for id_, body in together.nodes["university"].desk.research("asked"):
        if json.loads(decode(body, Asked).question.document)["statistic"]["kind"] == kind:
            return id_.hex()
    raise KeyError(kind)


def release(together: Together) -> None:
    hospitals.answer(together, asked(together, "table"), "north")


def run(together: Together) -> None:
    run_model(together.nodes["university"], RunModel(query=asked(together, "logistic")))


TASKS: Final[dict[str, Callable[[Together], None]]] = {one.__name__: one for one in (release, run)}


def do(task: str, folder: Path) -> int:
    """Do a step in this process; it may not come to its end."""
    with opened(folder) as together:
        TASKS[task](together)
    return 0
