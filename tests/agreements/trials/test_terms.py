"""Terms that leave nothing open, consents that a grant's commitment holds, outcomes held against a report."""

import hashlib
import json
import random
import runpy

import pytest

from salus.agreements.grants import GrantRefused
from salus.agreements.trials.consenting import TrialPart, check_consent, on_paper
from salus.agreements.trials.draws import BigStick, Blocks, DrawRefused, Simple
from salus.agreements.trials.outcomes import Registered, Told, compare
from salus.agreements.trials.terms import (
    analyses_of,
    check_terms,
    package_root,
    read_terms,
    registered_outcomes,
    schema,
    scheme_of,
    size_commitment,
)
from salus.core.encoding import decode, encode
from salus.interop.cdisc.findings import DocumentRefused

from . import sample

PLAN, TERMS = sample.ONE
ANALYSES = analyses_of(sample.part("analysis"))


def told(**changes):
    document = json.loads(sample.part("terms-1"))
    for path, value in changes.items():
        at, last = document, path.split("__")
        for step in last[:-1]:
            at = at[int(step) if step.isdigit() else step]
        at[last[-1]] = value
    return read_terms(json.dumps(document).encode())


def rules(**changes):
    return [one.rule for one in check_terms(PLAN, told(**changes), ANALYSES)]


def test_the_version_of_the_conduct_rules_is_pinned_and_another_is_refused():
    told = json.loads(sample.part("terms-1"))
    assert read_terms(json.dumps(told | {"conduct": 1}).encode()) == read_terms(sample.part("terms-1"))
    with pytest.raises(DocumentRefused) as refusal:
        read_terms(json.dumps(told | {"conduct": 2}).encode())
    assert [(each.rule, each.path) for each in refusal.value.findings] == [("terms", "/conduct")]


def test_the_sample_leaves_nothing_open():
    assert check_terms(*sample.ONE, ANALYSES) == check_terms(*sample.TWO, ANALYSES) == ()
    assert set(schema()["$defs"]) >= {"Terms", "Randomisation"}


def test_the_sample_is_small_and_its_files_are_what_their_command_writes():
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(sample.FOLDER.glob("*.gz"))))
    assert digest.hexdigest() == "739b38a71b62f1ea1adbaa20046f5c97416fbffed8f50da08faa633fcf77a5f4"
    made = runpy.run_path(str(sample.FOLDER / "make_trial.py"))
    for number in (1, 2):
        for name in ("protocol", "terms"):
            assert json.loads(sample.part(f"{name}-{number}")) == made[name](number)
        form = (sample.FOLDER / f"consent-{number}.txt").read_bytes()
        assert hashlib.sha256(form).hexdigest() == sample.version(number)[1].consent_form
    assert sum(path.stat().st_size for path in sample.FOLDER.iterdir()) < 100_000


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"randomisation__arms": ["arm-placebo", "arm-other"]}, "arms"),
        ({"randomisation__ratio": [1, 1, 1]}, "ratio"),
        ({"randomisation__ratio": []}, "scheme"),
        ({"randomisation__size_commitment": ""}, "sizes"),
        ({"outcomes__0__id": "nothing"}, "no-such-endpoint"),
        ({"outcomes__0__analysis": "nothing"}, "no-analysis"),
        ({"outcomes__0__measure": "To be determined"}, "placeholder"),
        ({"outcomes__0__id": "response"}, "outcome-twice"),
        ({"outcomes__0__id": "response"}, "endpoint-open"),
        ({"criteria": []}, "criterion-unjudged"),
        ({"criteria__0__id": "nothing"}, "no-such-criterion"),
        ({"payments__0__visit": "nothing"}, "no-such-visit"),
        ({"looks": [{"permille": 500, "boundary": 1, "alpha": 1}] * 2}, "looks-order"),
    ],
)
def test_terms_that_leave_something_open_are_refused_by_name(changes, rule):
    assert rule in rules(**changes)


def test_an_endpoint_may_be_excused_with_a_reason():
    assert rules(outcomes=[{**json.loads(sample.part("terms-1"))["outcomes"][0]}]) == ["endpoint-open"] * 2
    excused = {"response": "measured elsewhere", "pulse-week4": "measured elsewhere"}
    assert rules(outcomes=[json.loads(sample.part("terms-1"))["outcomes"][0]], excused=excused) == []


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b'{"format": 2}', b"x" * (1 << 20) + b"x"])
def test_what_is_no_terms_is_refused(text):
    with pytest.raises(DocumentRefused):
        read_terms(text)


def test_unknown_fields_are_refused():
    with pytest.raises(DocumentRefused):
        told(extra=1)


def test_schemes_follow_the_terms():
    assert isinstance(scheme_of(TERMS.randomisation, (4,), bytes(32)), Blocks)
    simple = told(randomisation__method="simple", randomisation__size_commitment="").randomisation
    assert scheme_of(simple, (), b"") == Simple((1, 1))
    stick = told(randomisation__method="big-stick", randomisation__bound=3).randomisation
    assert scheme_of(stick, (), b"") == BigStick(3)
    outside = told(randomisation__method="external", randomisation__size_commitment="", randomisation__ratio=[])
    assert [one.rule for one in check_terms(PLAN, outside, ANALYSES)] == []
    with pytest.raises(DrawRefused):
        scheme_of(outside.randomisation, (), b"")
    assert size_commitment((4, 6), bytes(32)) != size_commitment((6, 4), bytes(32))


def test_one_root_over_all_parts():
    parts = {"protocol": b"a", "terms": b"b"}
    assert package_root(parts) == package_root(dict(reversed(parts.items())))
    assert package_root(parts) != package_root(parts | {"terms": b"c"})
    with pytest.raises(DocumentRefused):
        analyses_of(b"{}")


NETWORK, GRANT = b"n" * 32, b"g" * 32
PART = TrialPart(1, NETWORK, b"s" * 16, "north", b"f" * 32, "en", ("samples",), "collected-data", "paper")
RANDOM = bytes(range(256))


def test_a_consent_is_a_part_of_a_grants_commitment():
    proof, commitment = on_paper(GRANT, PART, RANDOM)
    part = check_consent(proof, network=NETWORK, commitment=commitment, study=b"s" * 16, site="north")
    assert part == PART


def changed(proof, **changes):
    return type(proof)(**({name: getattr(proof, name) for name in proof.__struct_fields__} | changes))


@pytest.mark.parametrize(
    ("changes", "asked", "code"),
    [
        ({}, {"commitment": bytes(32)}, "commitment"),
        ({}, {"study": bytes(16)}, "study"),
        ({}, {"site": "south"}, "site"),
        ({}, {"network": bytes(32)}, "network"),
        ({"part": encode(PART)[:-1]}, {}, "trial-part"),
        ({"salt": bytes(32)}, {}, "trial-part"),
        ({"index": 40}, {}, "trial-part"),
    ],
)
def test_attack_a_consent_that_is_not_this_one(changes, asked, code):
    proof, commitment = on_paper(GRANT, PART, RANDOM)
    wanted = {"network": NETWORK, "commitment": commitment, "study": b"s" * 16, "site": "north"} | asked
    with pytest.raises(GrantRefused, match=code):
        check_consent(changed(proof, **changes), **wanted)


def test_attack_a_consent_that_hides_who_signed():
    odd = decode(encode(PART), TrialPart)
    odd = TrialPart(*[getattr(odd, name) for name in odd.__struct_fields__[:-1]], "somebody")
    proof, commitment = on_paper(GRANT, odd, RANDOM)
    with pytest.raises(GrantRefused, match="way"):
        check_consent(proof, network=NETWORK, commitment=commitment, study=b"s" * 16, site="north")


REGISTERED = registered_outcomes(TERMS)


def test_a_report_as_specified():
    assert {one.told for one in compare(REGISTERED, REGISTERED)} == {Told.AS_SPECIFIED}


def test_a_switched_primary_outcome_is_told():
    primary, second, third = REGISTERED
    reported = [
        Registered(second.id, "primary", second.measure, second.time_frame, second.analysis),
        Registered("an other id", third.level, third.measure.upper(), third.time_frame + ".", "an-new"),
        Registered("new", "secondary", "Mood", "Week 4", "an-mood"),
    ]
    found = {one.id: (one.told, one.changed) for one in compare(REGISTERED, reported)}
    assert found == {
        primary.id: (Told.MISSING, ()),
        second.id: (Told.CHANGED, ("level",)),
        third.id: (Told.CHANGED, ("analysis",)),
        "new": (Told.ADDED, ()),
    }


def test_a_duty_to_keep_records_ends_after_its_last_day_on_the_calendar():
    terms = json.loads(sample.part("terms-1")) | {"retention": {"duty": "21 CFR 312.62(c)", "years": 2}}
    told = read_terms(json.dumps(terms).encode()).retention
    leap = 1_709_200_800_000  # 2024-02-29T10:00:00Z
    assert (told.duty, told.ends(leap)) == ("21 CFR 312.62(c)", 1_772_323_200_000)  # 2026-03-01
    assert TERMS.retention is None
    with pytest.raises(DocumentRefused):
        read_terms(json.dumps(terms | {"retention": {"duty": "x", "years": 0}}).encode())


def test_outcome_switching_in_two_hundred_reports_is_found_exactly():
    source = random.Random(7)
    for _ in range(200):
        reported, expected = [], {}
        for one in REGISTERED:
            way = source.choice(("as specified", "missing", "measure", "time_frame", "level", "analysis"))
            expected[one.id] = {"as specified": Told.AS_SPECIFIED, "missing": Told.MISSING}.get(way, Told.CHANGED)
            if way != "missing":
                facts = {name: getattr(one, name) for name in ("id", "level", "measure", "time_frame", "analysis")}
                reported.append(Registered(**(facts | ({} if way == "as specified" else {way: "another"}))))
        if source.random() < 0.5:
            reported.append(Registered("added", "secondary", "Sleep", "Week 2", "an-sleep"))
            expected["added"] = Told.ADDED
        source.shuffle(reported)
        assert {one.id: one.told for one in compare(REGISTERED, reported)} == expected


def test_expressions_of_criteria_compile_or_are_named():
    from salus.agreements.trials.terms import check_terms, read_terms  # noqa: PLC0415

    plan = sample.ONE[0]
    terms = json.loads(sample.part("terms-1"))
    analyses = [each["analysis"] for each in terms["outcomes"]]
    wrongs = ({"by": "fhirpath"}, {"expression": "true"}, {"by": "fhirpath", "expression": "Patient.("})
    for wrong in ({"by": "fhirpath", "expression": "Patient.active"}, *wrongs):
        changed = terms | {"criteria": [terms["criteria"][0] | wrong, *terms["criteria"][1:]]}
        found = [each.rule for each in check_terms(plan, read_terms(json.dumps(changed).encode()), analyses)]
        assert found == (["expression"] if wrong in wrongs else [])
