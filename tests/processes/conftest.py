"""One process that forks those that die, for all files: it imports the program once."""

from collections.abc import Iterator

import pytest

from tests.processes.dying import Dying


@pytest.fixture(scope="session")
def dying() -> Iterator[Dying]:
    begun = Dying()
    yield begun
    begun.close()
