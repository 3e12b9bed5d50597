"""A first definition from a protocol, and schemes compared, at a node."""

import pytest

from salus.node.errors import Conflict, Malformed
from salus.node.trials.designing import DesignTrial, DraftTrial, design_trial, draft_trial
from tests.interop.cdisc.protocols import protocol, written


def test_a_draft_is_written_once(tmp_path):
    request = DraftTrial(protocol=written(protocol()), folder=str(tmp_path / "package"))
    told = draft_trial(None, request)
    assert (tmp_path / "package" / "terms.json").read_text().strip() == told.terms
    assert any(each.startswith("/consent_form: ") for each in told.gaps)
    with pytest.raises(Conflict, match="there already"):
        draft_trial(None, request)
    with pytest.raises(Malformed):
        draft_trial(None, DraftTrial(protocol=b"{}"))


def test_schemes_are_compared():
    told = design_trial(None, DesignTrial(participants=24))
    assert (told.blind, len(told.others)) == ("0.500", 6)
    assert 0.6 < float(told.share) < 0.8
    assert float(design_trial(None, DesignTrial(method="big-stick", participants=24)).share) < float(told.share)
    assert len(design_trial(None, DesignTrial(method="simple", ratio=(2, 1), participants=6)).others) == 4
    with pytest.raises(Malformed, match="multiple"):
        design_trial(None, DesignTrial(sizes=(3,)))
    with pytest.raises(Malformed, match="two equal arms"):
        design_trial(None, DesignTrial(method="big-stick", ratio=(1, 1, 1)))
