"""What ends the unit for good, and what starting anew may mend."""

import pytest

from salus.core.errors import InvariantBroken
from salus.core.rules import UnsupportedRules
from salus.engines.cometbft.server import BadFrame
from salus.engines.cometbft.unit import EngineEnded, verdict
from salus.engines.errors import OtherLedger, StoreDamaged, StoreFailed, StoreFull


def raised(error):
    try:
        raise error
    except type(error) as failure:
        return failure


@pytest.mark.parametrize("kind", [InvariantBroken, UnsupportedRules, StoreFailed, StoreDamaged, OtherLedger])
def test_what_no_restart_mends_is_the_end(kind):
    failure = raised(kind("planted"))
    assert verdict(failure) is failure


@pytest.mark.parametrize("error", [EngineEnded("9"), BadFrame("x"), StoreFull("x"), OSError(28, "x"), MemoryError()])
def test_what_may_pass_is_tried_again(error):
    assert verdict(raised(error)) is None


def test_an_engine_that_was_ended_is_started_again():
    assert verdict(None) is None


@pytest.mark.parametrize("error", [KeyError("jane"), OverflowError("jane"), ValueError("jane"), TypeError("jane")])
def test_a_bug_is_the_end_and_is_told_without_what_it_held(error):
    end = verdict(raised(error))
    assert isinstance(end, InvariantBroken)
    assert type(error).__name__ in str(end)
    assert "raised:" in str(end)
    assert "jane" not in str(end)
