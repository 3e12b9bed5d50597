"""A first definition from a protocol, and schemes compared, at a node."""

import json

import jsonschema_rs
import pytest

from salus.agreements.trials.forms import with_forms
from salus.agreements.trials.terms import package_root, read_terms, size_commitment
from salus.interop.cdisc.findings import DocumentRefused
from salus.node.config import Config
from salus.node.errors import Conflict, Malformed
from salus.node.local import Bare
from salus.node.trials.alone import plan_of
from salus.node.trials.designing import (
    FORMS,
    CheckPackage,
    CompareProtocols,
    DesignTrial,
    DraftTrial,
    ShowSchema,
    check_package,
    compare_protocols,
    design_trial,
    draft_trial,
    show_schema,
)
from salus.node.trials.supplying import HideSizes, hide_sizes
from tests.agreements.trials.sample import part
from tests.interop.cdisc.odm_files import form_1, form_2
from tests.interop.cdisc.open_rules import findings_in
from tests.interop.cdisc.protocols import protocol, written


def test_a_draft_is_written_once(tmp_path):
    request = DraftTrial(protocol=written(protocol()), folder=str(tmp_path / "package"))
    told = draft_trial(Bare(Config()), request)
    assert (tmp_path / "package" / "terms.json").read_text().strip() == told.terms
    assert any(each.startswith("/consent_form: ") for each in told.gaps)
    with pytest.raises(Conflict, match="there already"):
        draft_trial(Bare(Config()), request)
    with pytest.raises(Malformed):
        draft_trial(None, DraftTrial(protocol=b"{}"))


def test_a_draft_writes_the_forms_of_the_protocol_or_those_that_are_there(tmp_path):
    told = draft_trial(Bare(Config()), DraftTrial(protocol=part("protocol-1"), folder=str(tmp_path / "own")))
    assert (told.forms, told.formless) == (("Measure: PAIN, PULSE",), ())
    made = (tmp_path / "own" / FORMS).read_bytes()
    assert with_forms(plan_of(part("protocol-1")), made).forms[0].activity == "measure"
    request = DraftTrial(protocol=part("protocol-1"), forms=form_1().encode(), folder=str(tmp_path / "given"))
    assert draft_trial(Bare(Config()), request).forms == ("Measure: PULSE, PAIN, SMOKES",)
    assert (tmp_path / "given" / FORMS).read_bytes().strip() == form_1().encode()
    with pytest.raises(Malformed, match="xml"):
        draft_trial(None, DraftTrial(protocol=part("protocol-1"), forms=b"<ODM>"))
    document = protocol()
    activity = document["study"]["versions"][0]["studyDesigns"][0]["activities"][0]
    activity["biomedicalConceptIds"] = []
    assert draft_trial(None, DraftTrial(protocol=written(document))).formless == (activity["name"],)


def test_forms_and_findings_are_checked_with_the_package():
    needed = {"protocol": part("protocol-1"), "terms": part("terms-1"), "analysis": part("analysis")}
    whole = needed | {"forms": form_2().encode(), "findings": findings_in(part("protocol-1"))}
    told = check_package(None, CheckPackage(**whole))
    assert (told.sound, told.root) == (True, package_root(whole).hex())
    assert told.root != check_package(None, CheckPackage(**needed)).root
    dangling = form_2().replace('CodeListOID="CL.YN"', 'CodeListOID="CL"').encode()
    told = check_package(None, CheckPackage(**whole | {"forms": dangling, "findings": findings_in(b"another")}))
    assert (told.sound, told.root) == (False, "")
    assert [each.split(",")[0] for each in told.faults] == [
        "forms: dangling-reference at /ODM[1]/Study[1]/MetaDataVersion[1]/ItemDef[3]/CodeListRef[1]/@CodeListOID",
        "findings: other-protocol at /protocol",
    ]


def test_hidden_sizes_are_committed_to():
    told = hide_sizes(Bare(Config()), HideSizes(sizes=(4, 6)))
    assert told.size_commitment == size_commitment((4, 6), bytes.fromhex(told.size_key))
    terms = json.loads(part("terms-1"))
    terms["randomisation"]["size_commitment"] = told.size_commitment
    needed = {"protocol": part("protocol-1"), "analysis": part("analysis")}
    assert check_package(None, CheckPackage(**needed, terms=json.dumps(terms).encode())).sound
    assert hide_sizes(Bare(Config()), HideSizes(sizes=(4, 6))).size_commitment != told.size_commitment
    with pytest.raises(Malformed, match="multiple"):
        hide_sizes(Bare(Config()), HideSizes(sizes=(4, 5)))


def test_two_versions_of_a_protocol_are_compared():
    told = compare_protocols(None, CompareProtocols(protocol=part("protocol-2"), before=part("protocol-1")))
    assert (told.substantial, told.others) == (1, 1)
    assert told.changes[0].startswith("substantial: changed Timing timing-week4 (windowLower, windowUpper) at /study/")
    assert told.changes[1].startswith(
        "not substantial: changed StudyVersion version (rationale, versionIdentifier) at "
    )
    with pytest.raises(Malformed, match="before: "):
        compare_protocols(None, CompareProtocols(protocol=part("protocol-2"), before=b"{}"))


def test_a_package_is_checked_before_it_is_committed():
    parts = {"protocol": part("protocol-1"), "terms": part("terms-1"), "analysis": part("analysis")}
    told = check_package(None, CheckPackage(**parts))
    assert (told.sound, told.faults) == (True, ())
    assert told.root == package_root(parts).hex()
    wrong = json.loads(parts["terms"])
    wrong["outcomes"][1]["level"] = "tertiary"
    told = check_package(None, CheckPackage(**parts | {"terms": json.dumps(wrong).encode(), "analysis": b"{}"}))
    assert (told.sound, told.root) == (False, "")
    assert told.faults[0].startswith("terms: terms at /outcomes/1/level, expected ")
    assert told.faults[1].startswith("analysis: ars at ")
    open_ = json.loads(parts["terms"])
    open_["criteria"] = []
    told = check_package(None, CheckPackage(**parts | {"terms": json.dumps(open_).encode()}))
    assert [each.split(",")[0] for each in told.faults] == [
        f"terms: criterion-unjudged at /criteria/{place}" for place in range(4)
    ]


def test_the_schema_takes_what_is_read_and_refuses_what_is_not():
    valid = jsonschema_rs.validator_for(json.loads(show_schema(None, ShowSchema()).terms))
    terms = json.loads(part("terms-1"))
    assert valid.is_valid(terms)
    for change in (
        {"extra": 1},
        {"format": 2},
        {"consent_form": "x"},
        {"outcomes": []},
        {"randomisation": terms["randomisation"] | {"ratio": [0]}},
    ):
        wrong = terms | change
        assert not valid.is_valid(wrong)
        with pytest.raises(DocumentRefused):
            read_terms(json.dumps(wrong).encode())


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
