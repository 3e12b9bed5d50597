"""Members killed (SIGKILL), or out of room on their disk, amid a question's steps: nobody ever sees two draws of one answer."""

from collections.abc import Callable
from pathlib import Path

import pytest

from salus.contracts.research import port
from salus.core.encoding import decode
from salus.node.research import show_budget, show_result
from salus.node.research.asking import ShowResult
from salus.node.research.permits import ShowBudget
from salus.node.research.wire import SentAnswer, answer_commitment
from salus.node.together import Together
from tests.node.research import hospitals
from tests.processes import goods, studies
from tests.processes.conftest import Reopened
from tests.processes.dying import Dying

pytestmark = pytest.mark.unmeasured

FAILED = 70
"""What a process that was not killed ends with after a failure."""


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies") / "ready"
    studies.prepare(folder)
    return folder


@pytest.fixture
def after(ready: Path, dying: Dying, killing: Callable[..., Reopened]) -> Reopened:
    return killing(ready, dying.studies, studies.opened)


@pytest.fixture
def after_full(ready: Path, dying: Dying, killing: Callable[..., Reopened]) -> Reopened:
    return killing(ready, dying.crowded, studies.opened, FAILED)


def soak(step: str) -> object:
    return pytest.param(step, marks=pytest.mark.soak)


def seen(together: Together, query: str) -> list[SentAnswer]:
    """Return the answers that have reached the university."""
    return [
        decode(body, SentAnswer)
        for _, body in together.nodes["university"].desk.research("answer", bytes.fromhex(query))
    ]


def answered_once(together: Together) -> None:
    """Release what was stopped; hold the answer against all that had been seen of it, and against the same question again."""
    query = studies.asked(together, "table")
    row = port.query(together.owner.ledger.read(), bytes.fromhex(query))
    assert row is not None
    (data_set,) = row.data_sets
    part = port.query_part(together.owner.ledger.read(), row_id := bytes.fromhex(query), data_set)
    assert part is not None
    before, committed = seen(together, query), part.answer
    studies.release(together)
    goods.settled(together)
    (answer,) = seen(together, query)
    assert before in ([], [answer])
    part = port.query_part(together.owner.ledger.read(), row_id, data_set)
    assert part is not None
    assert part.status is port.PartStatus.ANSWERED
    assert part.answer == answer_commitment(answer.values, answer.salt)
    assert committed in (b"", part.answer)

    again = hospitals.ask(together, row.permit.hex(), hospitals.TABLE, (data_set.hex(),))
    assert hospitals.answer(together, again, "north") == ["answered"]
    goods.settled(together)
    assert [one.values for one in seen(together, again)] == [answer.values]
    pool = show_budget(together.nodes["north"], ShowBudget())
    assert (pool.reserved, pool.spent) == (0, 2 * row.charge)


@pytest.mark.parametrize(
    "step",
    [
        "drawn, not stored",
        "draw stored, not begun",
        soak("begun, not confirmed"),
        soak("confirmed, answer not committed"),
        "answer committed, not sent",
        soak("taken, not noted"),
        soak("answer sent, not told"),
    ],
)
def test_amid_an_answer(after: Reopened, step: str) -> None:
    answered_once(after("release", step))


@pytest.mark.parametrize(
    "step",
    [
        "drawn, not stored",
        soak("draw stored, not begun"),
        soak("begun, not confirmed"),
        soak("confirmed, answer not committed"),
        soak("answer committed, not sent"),
    ],
)
def test_the_disk_is_full_amid_an_answer(after_full: Reopened, step: str) -> None:
    answered_once(after_full("release", step))


@pytest.mark.parametrize(
    "step",
    [
        soak("leverage kept, vector not made"),
        soak("vector stored, not sent"),
        soak("one custodian committed, others not"),
        "model run, not kept",
    ],
)
def test_amid_a_model(after: Reopened, step: str) -> None:
    together = after("run", step)
    studies.run(together)
    query = studies.asked(together, "logistic")
    result = show_result(together.nodes["university"], ShowResult(query=query))
    assert result.complete
    assert {line["custodians"] for line in result.lines} == {3}
