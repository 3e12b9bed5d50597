"""CDISC's open rules: read as they are published, judged as their cases say, and what is no rule is told."""

import ast
import gzip
import json
from collections import Counter

import pytest

from salus.interop.cdisc.findings import RuleRefused
from salus.interop.cdisc.jsonata import evaluated, parse_refs, placed, sift_tree
from salus.interop.cdisc.rules import MOST_BYTES, MOST_FOUND, Judged, judge, protocol, read_rule
from salus.interop.cdisc.usdm_model import CLASSES
from salus.interop.cdisc.usdm_schema import AT_MOST, NOT_EMPTY, faults
from tests.interop.cdisc import protocols
from tests.interop.cdisc.open_rules import cases, conditions, rule
from tests.needs import shared


def paths(judged: Judged) -> list[str]:
    return [each.path for each in judged.found]


def judged(text: bytes, document: dict | None = None) -> Judged:
    return judge(read_rule(text), protocol(protocols.written(document or protocols.protocol())))


def plain(value: str) -> str:
    """Return a value in one form: the published cases write lists as Python does."""
    try:
        value = json.loads(value)
    except ValueError:
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            return value
    return "" if value is None else str(value)


def test_an_expression_finds_objects_with_their_paths_and_values():
    found = judged(rule("study.versions.studyDesigns.arms.{'path': _path, 'name': name, 'n': 2 + 1}"))
    assert paths(found) == ["/study/versions/0/studyDesigns/0/arms/0", "/study/versions/0/studyDesigns/0/arms/1"]
    assert dict(found.found[0].values)["n"] == "3"
    assert judged(rule("study.nothing.{'path': _path}")) == Judged(0, ())


def test_what_is_not_judged_says_why():
    for text, why in (
        (b"", "not a rule"),
        (b"\xff", "not YAML"),
        (b"a: [", "not YAML"),
        (b"a: " + b"[" * 400, "not YAML"),
        (b"a: &x [1]\nb: *x", "aliases"),
        (b"- a rule", "not a rule"),
        (rule(version="3.0"), "not a rule of USDM 4.0"),
        (rule(kind="JSONata").replace(b"JSONata\n", b"Dataset Metadata Check\n"), "only JSONata and JSON Schema Check"),
        (rule().replace(b"JSONata\n", b"JSON Schema Check\n"), "tree of conditions"),
        (rule().replace(b"Id: OWN-1", b"Id: [1]"), "texts"),
        (rule(id_="x" * 60), "at most"),
        (b"x" * (MOST_BYTES + 1), "bytes"),
    ):
        with pytest.raises(RuleRefused, match=why):
            read_rule(text)
    for data in (b"{", b"[]", b"{}", b'{"study": []}', b"[" * 100_000):
        with pytest.raises(RuleRefused, match="the protocol"):
            protocol(data)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("study.(", "JSONata says S"),
        ("study + 1", "JSONata says T"),
        ("$eval('1')", "refused"),
        ("$now()", "refused"),
        ("[1, 2] ~> $shuffle", "refused"),
        ("$random()", "refused"),
        ("($f := function($n) { 1 + $f($n + 1) }; $f(1))", "too deep"),
        ("$power(10, $power(10, 10))", "fails"),
    ],
)
def test_an_expression_that_fails_says_how(expression, why):
    with pytest.raises(RuleRefused, match=why):
        evaluated(expression, {"study": {}})


@pytest.mark.parametrize("expression", ["study", "study.name", "1", "{'path': 1}"])
def test_what_an_expression_gives_must_have_a_path(expression):
    with pytest.raises(RuleRefused, match="path"):
        judged(rule(expression))


def test_findings_of_one_rule_are_counted_beyond_those_that_are_told():
    backwards = judged(rule("['/study/b', '/study/a'].{'path': $}"))
    assert paths(backwards) == ["/study/a", "/study/b"]
    found = judged(rule(f"[1..{MOST_FOUND + 5}].{{'path': '/study', 'n': $}}"))
    assert (found.total, len(found.found)) == (MOST_FOUND + 5, MOST_FOUND)


def test_patterns_are_matched_in_linear_time_or_with_look_around_as_they_are():
    assert evaluated(f"$contains('{'a' * 40}!', /^(a+)+$/)", {}) == (False,)
    assert evaluated("$contains('Abc', /(?=.*c)a/i)", {}) == (True,)
    assert evaluated("$contains('x\\nab', /^a/m)", {}) == (True,)
    with pytest.raises(RuleRefused):
        evaluated("$contains('x', /(/)", {})


def test_paths_are_json_pointers():
    assert placed({"a/b": [{"c~": {}}]}) == {
        "a/b": [{"c~": {"_path": "/a~1b/0/c~0"}, "_path": "/a~1b/0"}],
        "_path": "",
    }


def test_references_become_objects_and_cycles_are_marked():
    first, second, third = {"id": "1", "nextId": "2"}, {"id": "2", "nextId": "3"}, {"id": "3", "nextId": None}
    assert parse_refs("nextId", "next", [first, second, third]) == [
        {"id": "1", "next": {"id": "2", "next": {"id": "3"}}},
        {"id": "2", "next": {"id": "3"}},
        {"id": "3"},
    ]
    ring = [{"id": "1", "childIds": ["2", "gone"]}, {"id": "2", "childIds": ["1"]}]
    assert parse_refs("childIds", "children", ring)[0] == {
        "id": "1",
        "children": [{"id": "2", "children": [{"circularReference": "1"}]}],
    }
    assert parse_refs("nextId", "next", {"id": "1", "nextId": "1"}) == {"id": "1", "next": {"circularReference": "1"}}
    assert parse_refs("nextId", "next", [{"id": ["1"], "nextId": {}}, "text"]) == [{"id": ["1"]}, "text"]


def test_a_tree_is_sifted_to_the_branches_that_hold_a_value():
    tree = {
        "id": "S",
        "instanceType": "Study",
        "label": None,
        "codes": [
            {"id": "C1", "instanceType": "Code", "decode": "Cure"},
            {"id": "C2", "instanceType": "Code", "decode": "Prevention"},
        ],
    }
    assert sift_tree(tree, "Cure", []) == {"codes": [{"decode": "Cure"}]}
    assert sift_tree(tree, "Cure", ["id"]) == {"id": "S", "codes": [{"id": "C1", "decode": "Cure"}]}
    assert sift_tree(tree, "Cure", ["id"], True) == {
        "Study.id": "S",
        "Study.codes": [{"Code.id": "C1", "Code.decode": "Cure"}],
    }
    assert sift_tree(tree, tree["codes"][1], "id") == {"id": "S", "codes": [tree["codes"][1]]}
    assert sift_tree(tree, "Nothing", ["id"]) is None
    assert evaluated("$utils.sift_tree($$.tree, 'Cure', []).codes.decode", {"tree": tree}) == ("Cure",)
    assert evaluated("$utils.parse_refs('to', 'at', $$.x).at.id", {"x": [{"id": "1", "to": "2"}, {"id": "2"}]}) == (
        "2",
    )


def test_conditions_choose_among_faults_by_the_schema():
    document = protocols.protocol()
    design = document["study"]["versions"][0]["studyDesigns"][0]
    del design["arms"][0]["name"]
    design["arms"][1]["surplus"] = 1
    at = "/study/versions/0/studyDesigns/0/arms"
    schema = "JSON Schema Check"
    assert paths(judged(rule(conditions("equal_to", "required"), schema), document)) == [f"{at}/0"]
    assert paths(judged(rule(conditions("is_contained_by", "[required, additionalProperties]"), schema), document)) == [
        f"{at}/0",
        f"{at}/1",
    ]
    negated = "  not:\n    any:\n      - {name: validator, operator: not_equal_to, value: required}"
    assert paths(judged(rule(negated, schema), document)) == [f"{at}/0"]
    assert not paths(
        judged(rule(conditions("is_not_contained_by", "[required, additionalProperties]"), schema), document)
    )
    for check in (
        conditions("matches_regex", "r"),
        conditions("equal_to", "r", "instance"),
        "  all: required",
        "  all: [required]",
    ):
        with pytest.raises(RuleRefused, match="condition"):
            judged(rule(check, schema), document)


def test_every_kind_of_fault_is_told_as_a_validator_does():
    document = protocols.protocol()
    version = document["study"]["versions"][0]
    design = version["studyDesigns"][0]
    version["rationale"] = 7
    version["versionIdentifier"] = None
    version["titles"] = {}
    version["notes"] = [1]
    design["epochs"] = []
    design["population"]["plannedSex"] = [protocols.code(f"sex{each}", "C1", "M") for each in range(3)]
    design["arms"][0]["name"] = ""
    design["arms"][0]["type"]["instanceType"] = "Codes"
    del design["arms"][1]["instanceType"]
    design["model"] = "text"
    at = "/study/versions/0/studyDesigns/0"
    told = {(each.validator, each.path, each.attribute, each.message) for each in faults(document["study"])}
    assert told == {
        ("type", "/study/versions/0", "rationale", "7 is not of type 'string'"),
        ("type", "/study/versions/0", "versionIdentifier", "None is not of type 'string'"),
        ("type", "/study/versions/0", "titles", "{} is not of type 'array'"),
        ("type", "/study/versions/0", "notes", "1 is not of type 'object'"),
        ("minItems", at, "epochs", "[] should be non-empty"),
        ("maxItems", f"{at}/population", "plannedSex", "[Value of plannedSex] is too long"),
        ("minLength", f"{at}/arms/0", "name", "'' should be non-empty"),
        ("const", f"{at}/arms/0/type", "instanceType", "'Code' was expected"),
        ("required", f"{at}/arms/1", "", "'instanceType' is a required property"),
        ("type", at, "model", "'text' is not of type 'object'"),
    }


def test_what_the_published_schema_bounds_is_bounded():
    text = gzip.decompress(shared("data/trials/usdm/USDM_API.json.gz").read_bytes())
    schemas = json.loads(text)["components"]["schemas"]
    for name, attributes in CLASSES.items():
        bounds = (schemas.get(f"{name}-Input") or schemas[name])["properties"]
        for each in attributes:
            assert bool(bounds[each].get("minLength")) is (each in NOT_EMPTY and (name, each) != ("Study", "id")), name
            assert bounds[each].get("maxItems") == AT_MOST.get((name, each)), name


def disagreements(members: int | None = None) -> tuple[Counter, list[str]]:
    counted, wrong = Counter(), []
    for case in cases(members):
        asked = read_rule(case.rule)
        found = judge(asked, protocol(case.protocol))
        counted[asked.kind, case.name.split("/")[1]] += 1
        expected = Counter((path, name, plain(value)) for path, name, value in case.rows if plain(value))
        got = Counter((each.path, name, plain(value)) for each in found.found for name, value in each.values)
        told = Counter({row: number for row, number in got.items() if row[2]})
        if {path for path, _, _ in case.rows} != set(paths(found)) or expected != told:
            wrong.append(case.name)
    return counted, wrong


def test_the_first_published_cases_are_judged_as_published():
    counted, wrong = disagreements(60)
    assert not wrong
    assert min(counted["JSONata", "positive"], counted["JSONata", "negative"]) >= 5


@pytest.mark.soak
def test_all_published_cases_are_judged_as_published():
    counted, wrong = disagreements()
    assert not wrong
    assert counted == {
        ("JSONata", "positive"): 74,
        ("JSONata", "negative"): 80,
        ("JSON Schema Check", "positive"): 4,
        ("JSON Schema Check", "negative"): 4,
    }
