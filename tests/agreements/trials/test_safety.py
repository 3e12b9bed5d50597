"""Whether an event was expected, and what is to be told by when; every case of the rule by hand."""

import json

import pytest

from salus.agreements.trials.conduct import conduct
from salus.agreements.trials.safety import Adverse, judge, read_reference, reference_digest
from salus.interop.cdisc.findings import DocumentRefused

from . import sample
from .sample import Chain, under

TEXT = sample.part("reference")
REFERENCE = read_reference(TEXT)


@pytest.mark.parametrize(
    ("term", "criteria", "related", "expected", "deadline"),
    [
        ("Headache", (), True, True, ""),
        ("headache", ("hospitalisation",), True, False, "15-days"),  # listed, not as serious
        ("gastric  Haemorrhage", ("hospitalisation",), True, True, ""),
        ("gastric haemorrhage", ("death", "hospitalisation"), True, False, "7-days"),  # listed, not as fatal
        ("anaphylactic shock", ("death",), True, True, ""),
        ("stroke", ("life-threatening",), True, False, "7-days"),
        ("stroke", ("important",), True, False, "15-days"),
        ("stroke", ("important",), None, False, "15-days"),  # suspected until the investigator says otherwise
        ("stroke", ("death",), False, False, ""),
        ("stroke", (), True, False, ""),
    ],
)
def test_an_event_is_held_against_the_reference(term, criteria, related, expected, deadline):
    judged = judge(Adverse(1, term, bool(criteria), related, criteria), REFERENCE)
    assert (judged.expected, judged.deadline, judged.susar) == (expected, deadline, bool(deadline))
    assert "A sample medicine for pain 1" in judged.told


def test_the_site_tells_the_criteria_and_they_decide():
    chain = Chain().enrolled().add("adverse", term="stroke", serious="no", **{"life-threatening": "yes"})
    (event,) = conduct(chain.acts, under()).adverse
    assert (event.serious, event.criteria) == (True, ("life-threatening",))
    assert judge(event, REFERENCE).deadline == "7-days"


def test_the_signed_terms_name_the_reference():
    assert sample.ONE[1].reference == reference_digest(TEXT)
    longer = json.loads(TEXT)
    longer["expected"].append({"term": "stroke", "serious": True, "fatal": True})
    assert reference_digest(json.dumps(longer, sort_keys=True, indent=1).encode()) != sample.ONE[1].reference


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"format": 2}', b" " * (1 << 20) + b"{}", b'{"format":1,"product":"a"}']
)
def test_attack_a_reference_that_is_none(text):
    with pytest.raises(DocumentRefused):
        read_reference(text)
