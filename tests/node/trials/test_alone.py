"""One organisation checks a protocol and its data from files."""

import gzip

import pytest

from salus.agreements.trials.judged import read_judgements, rules_digest
from salus.interop.cdisc.dataset_json import write_dataset
from salus.interop.cdisc.findings import DocumentRefused
from salus.node.errors import Conflict, Malformed, NotFound, Unavailable
from salus.node.trials import judging
from salus.node.trials.alone import FINDINGS, CheckProtocol, CheckTrial, check_protocol, check_trial
from tests.agreements.trials.test_check import DM, GOOD_DM, SV, swapped, table
from tests.interop.cdisc.open_rules import conditions, rule
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
    told = check_protocol(None, CheckProtocol(protocol=written(protocol())))
    assert told.visits[2] == "week2: Week 2"
    assert told.collected[0].startswith("weigh: ")
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


def folder_of_rules(folder, **files):
    for name, text in files.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "rule.yml").write_bytes(text)
    (folder / "README.md").write_text("not a rule")
    return str(folder)


def test_rules_judge_a_protocol_and_refuse_nothing(tmp_path):
    short = rule("study.versions.studyDesigns.arms.{'path': _path, 'name': name}", id_="ARMS")
    rules = folder_of_rules(tmp_path / "rules", a=short, b=rule(version="3.0"), c=rule("study.("), d=b"a: *b")
    request = CheckTrial(protocol=gzip.compress(written(protocol())), rules=rules, folder=str(tmp_path / "package"))
    answer = check_trial(None, request)
    assert (answer.sound, answer.judged_rules, answer.rule_findings, answer.subjects) == (True, 1, 2, 0)
    assert answer.ruled[0].startswith("ARMS at /study/versions/0/studyDesigns/0/arms/0: The name is short. (name ")
    assert [each.split(":")[0] for each in answer.unjudged] == ["b/rule.yml", "c/rule.yml", "d/rule.yml"]
    told = read_judgements((tmp_path / "package" / FINDINGS).read_bytes(), written(protocol()))
    assert (told.judged, told.found, len(told.findings), len(told.unjudged)) == (1, 2, 2, 3)
    with pytest.raises(Conflict, match=FINDINGS):
        check_trial(None, request)
    with pytest.raises(DocumentRefused, match="other-protocol"):
        read_judgements((tmp_path / "package" / FINDINGS).read_bytes(), b"another")


def test_the_digest_of_rules_is_of_their_files_in_any_order():
    assert rules_digest([b"a", b"b"]) == rules_digest([b"b", b"a"]) != rules_digest([b"ab"])


def test_rules_judge_a_protocol_that_does_not_compile(tmp_path):
    document = protocol()
    document["study"]["surplus"] = True
    surplus = rule(conditions("equal_to", "additionalProperties"), "JSON Schema Check")
    rules = folder_of_rules(tmp_path / "rules", a=surplus)
    answer = check_trial(None, CheckTrial(protocol=written(document), rules=rules))
    assert [each.split(":")[0] for each in answer.ruled] == ["OWN-1 at /study"]
    assert "'surplus' was unexpected" in answer.ruled[0]


def test_without_rules_or_data_nothing_is_checked(tmp_path, monkeypatch):
    whole = written(protocol())
    with pytest.raises(Malformed, match="nothing to hold"):
        check_trial(None, CheckTrial(protocol=whole))
    with pytest.raises(NotFound, match="not there"):
        check_trial(None, CheckTrial(protocol=whole, rules=str(tmp_path / "nowhere")))
    with pytest.raises(NotFound, match="no rules"):
        check_trial(None, CheckTrial(protocol=whole, rules=str(tmp_path)))
    with pytest.raises(Malformed, match="no study"):
        check_trial(None, CheckTrial(protocol=b"{}", rules=str(tmp_path)))
    monkeypatch.setattr(judging, "MOST_RULES", 1)
    with pytest.raises(Malformed, match="too many"):
        check_trial(None, CheckTrial(protocol=whole, rules=folder_of_rules(tmp_path / "two", a=rule(), b=rule())))
    monkeypatch.setattr(judging, "find_spec", lambda _: None)
    with pytest.raises(Unavailable) as refusal:
        check_trial(None, CheckTrial(protocol=whole, rules=str(tmp_path)))
    assert "salus-health[trials]" in refusal.value.todo


@pytest.mark.parametrize("text", [b"", b"{}", b"[" * 100_000, b'{"format": 2}', b" " * ((16 << 20) + 1)])
def test_findings_that_are_none_are_refused(text):
    with pytest.raises(DocumentRefused):
        read_judgements(text, b"")
