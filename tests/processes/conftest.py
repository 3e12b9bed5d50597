"""One process that forks those that die, for all files: it imports the program once."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from salus.node.together import Together
from tests.processes import goods
from tests.processes.dying import Dying
from tests.processes.test_killed import KILLED

Reopened = Callable[[str, str], Together]


@pytest.fixture(scope="session")
def dying() -> Iterator[Dying]:
    begun = Dying()
    yield begun
    begun.close()


@pytest.fixture
def killing(tmp_path: Path) -> Iterator[Callable[..., Reopened]]:
    """Return what makes, of members made ready, how a task dies and how they are opened, the act of one test.

    The act kills the task at a step, opens the members again and delivers what waits.
    """
    with ExitStack() as ends:

        def of(
            ready: Path,
            die: Callable[[Path, str, str], int],
            opened: Callable[[Path], AbstractContextManager[Together]],
            ended: int = KILLED,
        ) -> Reopened:
            shutil.copytree(ready, tmp_path / "members")

            def killed(task: str, step: str) -> Together:
                assert die(tmp_path / "members", task, step) == ended
                together = ends.enter_context(opened(tmp_path / "members"))
                goods.settled(together)
                return together

            return killed

        yield of
