"""One organisation checks a protocol and its data from files."""

import gzip

import pytest

from salus.interop.cdisc.dataset_json import write_dataset
from salus.node.errors import Malformed, NotFound
from salus.node.trials.alone import CheckProtocol, CheckTrial, check_protocol, check_trial
from tests.agreements.trials.test_check import DM, GOOD_DM, SV, swapped, table
from tests.interop.cdisc.protocols import protocol, timeline_of, written


def test_a_folder_is_checked(tmp_path):
    late = swapped(0, SVSTDTC="2026-02-16", SVENDTC="2026-02-16", SVSTDY=-13)
    (tmp_path / "dm.json").write_bytes(write_dataset(table("DM", DM, GOOD_DM)))
    (tmp_path / "sv.json.gz").write_bytes(gzip.compress(write_dataset(table("SV", SV, late))))
    request = CheckTrial(protocol=gzip.compress(written(protocol())), data=str(tmp_path))
    answer = check_trial(None, request)
    assert (answer.sound, answer.outside, answer.judged, answer.contradictions) == (False, 1, 3, 0)
    assert answer.findings[0].startswith("visit.window: SV row 1, 1: ")


def test_a_protocol_is_told_or_its_faults():
    assert check_protocol(None, CheckProtocol(protocol=written(protocol()))).visits[2] == "Week 2"
    document = protocol()
    timeline_of(document)["timings"][2]["value"] = "two weeks"
    answer = check_protocol(None, CheckProtocol(protocol=written(document)))
    assert (answer.sound, len(answer.faults)) == (False, 1)
    with pytest.raises(Malformed) as refusal:
        check_trial(None, CheckTrial(protocol=written(document), data="nowhere"))
    assert "two weeks" not in str(refusal.value)


def test_what_cannot_be_read_is_refused(tmp_path):
    whole = written(protocol())
    with pytest.raises(NotFound):
        check_trial(None, CheckTrial(protocol=whole, data=str(tmp_path / "nowhere")))
    with pytest.raises(NotFound):
        check_trial(None, CheckTrial(protocol=whole, data=str(tmp_path)))
    with pytest.raises(Malformed):
        check_protocol(None, CheckProtocol(protocol=gzip.compress(whole)[:-20]))
    (tmp_path / "a.json").write_bytes(b"{}")
    with pytest.raises(Malformed):
        check_trial(None, CheckTrial(protocol=whole, data=str(tmp_path)))
