"""A small trial among members, registered and open, for the tests that run in it."""

from collections.abc import Iterator

import pytest

from salus.node.demo.trial_scene import FOUNDERS, PARTIES, Scene, opened, sample
from salus.node.errors import Forbidden
from salus.node.trials import take_consent
from salus.node.trials.conducting import TakeConsent
from tests.interop.cdisc.odm_files import form_2
from tests.interop.cdisc.open_rules import findings_in

SMALL = tuple(one for one in FOUNDERS if one.id not in {"south", "west", "trust-one", "trust-two"})


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A trial that is registered and open at one site, with three trustees of whom two draw."""
    with opened(tmp_path_factory.mktemp("trial"), SMALL) as opened_:
        opened_.sites, opened_.trustees, opened_.threshold = ("north",), ("authority", "ethics", "statistics"), 2
        opened_.forms, opened_.findings = form_2().encode(), findings_in(sample("protocol-1"))
        made = opened_.commit(opened_.deal(), [*PARTIES, "BOARD=authority"])
        assert made.labels == ()
        assert opened_.sign_all(made.waiting) == "committed"
        opened_.step("ethics", "approve")
        assert opened_.step("authority", "approve") == "authorised"
        with pytest.raises(Forbidden, match=r"trials\.unregistered"):
            take_consent(
                opened_.node("north"),
                TakeConsent(study=opened_.id, assigner="urn:mrn:north", identifier="1", language="en"),
            )
        opened_.step("sponsor", "register", "NCT00000000 A sample trial")
        opened_.open_sites()
        opened_.step("sponsor", "open")
        opened_.supply(per_arm=60)
        yield opened_
