"""The scene that attacks happen in."""

import pytest

from tests.attacks.scene import scene


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    found = scene(tmp_path_factory.mktemp("town"))
    yield found
    found.together.close()
