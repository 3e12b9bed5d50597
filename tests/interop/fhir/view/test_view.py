"""Views: what is refused and where, rows, iterations, bounds."""

import copy

import pytest

from salus.interop.fhir import fhirpath
from salus.interop.fhir.view import View, ViewFailed, ViewMalformed, engine
from salus.interop.fhir.view import definition as definitions

PATIENTS = [
    {"resourceType": "Patient", "id": "p1", "active": True, "name": [{"family": "A", "given": ["a", "b"]}, {"family": "B"}],
     "birthDate": "1970-06", "managingOrganization": {"reference": "Organization/o1"}},
    {"resourceType": "Patient", "id": "p2", "active": False},
    {"resourceType": "Observation", "id": "o1", "status": "final"},
]  # fmt: skip


def view(*columns, resource="Patient", **more):
    return {
        "resource": resource,
        "select": [{"column": [{"name": name, "path": path} for name, path in columns]} | more.pop("select", {})],
    } | more


GOOD = {
    "resource": "Patient",
    "constant": [{"name": "c", "valueString": "x"}],
    "where": [{"path": "active.exists()"}],
    "select": [
        {"column": [{"name": "id", "path": "id"}]},
        {"forEach": "name", "select": [{"unionAll": [{"column": [{"name": "n", "path": "family"}]},
                                                     {"column": [{"name": "n", "path": "text"}]}]}]},
    ],
}  # fmt: skip


def changed(path, value):
    found = copy.deepcopy(GOOD)
    *steps, last = path
    holder = found
    for step in steps:
        holder = holder[step]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return found


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (["resource"], None, "resource"),
        (["resource"], "Nobody", "resource"),
        (["select"], None, "select"),
        (["select"], [], "select"),
        (["select"], "x", "select"),
        (["select", 0], 5, "select[0]"),
        (["select", 0, "column"], None, "select[0]"),
        (["select", 0, "columns"], [], "select[0].columns"),
        (["select", 0, "column", 0, "name"], "1a", "select[0].column[0].name"),
        (["select", 0, "column", 0, "name"], "a-b", "select[0].column[0].name"),
        (["select", 0, "column", 0, "path"], "id.", "select[0].column[0].path"),
        (["select", 0, "column", 0, "path"], 5, "select[0].column[0].path"),
        (["select", 0, "column", 0, "path"], "nosuch", "select[0].column[0].path"),
        (["select", 0, "column", 0, "path"], "%nosuch", "select[0].column[0].path"),
        (["select", 0, "column", 0, "collection"], "yes", "select[0].column[0].collection"),
        (["select", 0, "column", 0, "type"], 5, "select[0].column[0].type"),
        (["select", 1, "forEachOrNull"], "name", "select[1].forEachOrNull"),
        (["select", 1, "repeat"], ["name"], "select[1].repeat"),
        (["select", 1, "forEach"], "names", "select[1].forEach"),
        (["select", 1, "select", 0, "unionAll", 1, "column", 0, "name"], "m", "select[1].select[0].unionAll[1]"),
        (["select", 1, "select", 0, "unionAll", 1, "column", 0, "path"], "given.x", "select[1].select[0].unionAll[1].column[0].path"),
        (["select", 0, "column", 0, "name"], "n", "select[1].select[0].unionAll[0].column[0].name"),
        (["where", 0, "path"], "name.family", "where[0].path"),
        (["where", 0, "path"], "active and", "where[0].path"),
        (["constant", 0, "name"], "rowIndex", "constant[0].name"),
        (["constant", 0, "valueString"], None, "constant[0]"),
        (["constant", 0, "valueInteger"], 5, "constant[0]"),
        (["constant", 0], {"name": "d", "valueDate": "2020-02-30"}, "constant[0].valueDate"),
        (["constant", 0], {"name": "d", "valueBoolean": "true"}, "constant[0].valueBoolean"),
        (["constant", 0], {"name": "d", "valuePositiveInt": 0}, "constant[0].valuePositiveInt"),
        (["constant", 0], {"name": "d", "valueQuantity": {}}, "constant[0]"),
    ],
)  # fmt: skip
def test_a_fault_is_told_by_its_path(path, value, place):
    View(GOOD)
    with pytest.raises(ViewMalformed) as refusal:
        View(changed(path, value))
    assert refusal.value.path == place
    assert str(refusal.value).startswith(place)


@pytest.mark.parametrize(
    "view", [None, 5, [], "x", {"resource": ["Patient"]}, {"resource": "Patient", "select": {"a": 1}}]
)
def test_what_is_no_view_is_refused(view):
    with pytest.raises(ViewMalformed):
        View(view)


def nested(depth):
    select = {"column": [{"name": "id", "path": "id"}]}
    for _ in range(depth):
        select = {"select": [select]}
    return {"resource": "Patient", "select": [select]}


def test_views_too_deep_or_too_wide_are_refused():
    assert View(nested(definitions.MAX_DEPTH - 1)).names == ("id",)
    for hostile in (
        nested(definitions.MAX_DEPTH),
        {"resource": "Patient", "select": [{"column": [{"name": "a", "path": "id"}]}] * (definitions.MAX_SELECTS + 1)},
        view(*((f"c{one}", "id") for one in range(definitions.MAX_COLUMNS + 1))),
    ):
        with pytest.raises(ViewMalformed, match="more than"):
            View(hostile)


def test_rows_columns_and_values():
    found = View(
        view(("id", "getResourceKey()"), ("born", "birthDate.lowBoundary()"), ("org", "managingOrganization.getReferenceKey()"),
             ("named", "name.exists()"), ("count", "name.given.count()"))
    )  # fmt: skip
    assert found.names == ("id", "born", "org", "named", "count")
    assert list(found.rows(PATIENTS)) == [("p1", "1970-06-01", "o1", True, 2), ("p2", None, None, False, 0)]
    assert [row["id"] for row in found.dicts(PATIENTS)] == ["p1", "p2"]


def test_a_product_of_unrelated_lists_is_ordered_by_the_first():
    two = View({"resource": "Patient", "select": [
        {"forEach": "name", "column": [{"name": "family", "path": "family"}]},
        {"forEach": "name.given", "column": [{"name": "given", "path": "$this"}]},
    ]})  # fmt: skip
    assert list(two.rows(PATIENTS)) == [("A", "a"), ("A", "b"), ("B", "a"), ("B", "b")]


def test_nothing_is_one_row_of_nulls_only_where_it_is_asked_for():
    for iteration, rows in (("forEach", []), ("forEachOrNull", [("p2", None)])):
        asked = View({"resource": "Patient", "select": [
            {"column": [{"name": "id", "path": "id"}]},
            {iteration: "name", "select": [{"forEach": "given", "column": [{"name": "g", "path": "$this"}]}]},
        ]})  # fmt: skip
        assert list(asked.rows(PATIENTS[1:2])) == rows


def test_many_values_need_a_collection():
    with pytest.raises(ViewFailed, match=r"select\[0\].column\[0\]: 2 values") as refusal:
        list(View(view(("family", "name.family"))).rows(PATIENTS))
    assert "A" not in str(refusal.value).replace("a column", "")
    columns = {"column": [{"name": "family", "path": "name.family", "collection": True}]}
    assert list(View({"resource": "Patient", "select": [columns]}).rows(PATIENTS)) == [(["A", "B"],), ([],)]


def test_a_filter_that_is_no_boolean_is_refused_when_it_shows():
    asked = View(view(("id", "id"), where=[{"path": "resolve() | 'x'"}]) | {"select": GOOD["select"][:1]})
    with pytest.raises(ViewFailed):
        list(asked.rows(PATIENTS))


def test_products_that_explode_are_stopped(monkeypatch):
    monkeypatch.setattr(engine, "MAX_ROWS", 1_000)
    many = {"resourceType": "Patient", "id": "p", "name": [{"family": str(one)} for one in range(40)]}
    each = [{"forEach": "name", "column": [{"name": f"n{one}", "path": "family"}]} for one in range(3)]
    with pytest.raises(ViewFailed, match="1000 rows"):
        list(View({"resource": "Patient", "select": each}).rows([many]))


def test_wide_rows_and_long_texts_count_as_what_they_hold(monkeypatch):
    monkeypatch.setattr(engine, "MAX_CELLS", 1_000)
    many = {"resourceType": "Patient", "id": "p", "name": [{"family": str(one)} for one in range(40)]}
    wide = [{"name": f"n{one}", "path": "family"} for one in range(30)]
    with pytest.raises(ViewFailed, match="1000 cells"):
        list(View({"resource": "Patient", "select": [{"forEach": "name", "column": wide}]}).rows([many]))
    branch = {"forEach": "name", "column": wide[:20]}
    with pytest.raises(ViewFailed, match="1000 cells"):
        list(View({"resource": "Patient", "select": [{"unionAll": [branch] * 2}]}).rows([many]))
    long = {"resourceType": "Patient", "id": "p", "name": [{"family": "x" * 100_000}]}
    asked = View(view(*((f"c{one}", "name.family") for one in range(20))))
    assert len(list(asked.rows([long]))) == 1
    with pytest.raises(ViewFailed, match="items"):
        list(asked.rows([long], fhirpath.Environment(limit=10_000)))


def test_a_view_of_too_many_expressions_is_refused_before_they_are_compiled(monkeypatch):
    monkeypatch.setattr(definitions, "MAX_EXPRESSIONS", 100)
    column = [{"column": [{"name": "id", "path": "id"}]}]
    for more in ({"where": [{"path": "status.exists()"}] * 101}, {"select": [{"repeat": ["item"] * 101, **column[0]}]}):
        with pytest.raises(ViewMalformed, match="100 expressions"):
            View({"resource": "Questionnaire", "select": column, **more})


def test_an_endless_repeat_is_stopped(monkeypatch):
    monkeypatch.setattr(engine, "MAX_VISITS", 1_000)
    endless = {"resource": "Patient", "select": [{"repeat": ["$this"], "column": [{"name": "id", "path": "id"}]}]}
    with pytest.raises(ViewFailed, match="1000 elements"):
        list(View(endless).rows(PATIENTS))


def test_work_of_one_resource_is_bounded():
    asked = View(
        view(
            (
                "n",
                "descendants().where(%resource.descendants().where(%resource.descendants().exists()).exists()).count()",
            )
        )
    )
    many = {"resourceType": "Patient", "id": "p", "name": [{"family": str(one)} for one in range(100)]}
    with pytest.raises(ViewFailed, match="items"):
        list(asked.rows([many], fhirpath.Environment(limit=10_000)))
