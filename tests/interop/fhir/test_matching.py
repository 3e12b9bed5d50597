"""Two Patients compared: the order is irrelevant, each field says what a person would, the weights add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.interop.fhir.matching import DOUBTFUL, SHARED, SLIPS, WEIGHTS, compare, described, similarity

WORDS = st.text(alphabet="abcdé", min_size=1, max_size=6)
NAMES = st.fixed_dictionaries({"family": WORDS, "given": st.lists(WORDS, max_size=2)})
DATES = st.sampled_from(("1970-05-04", "1970-04-05", "1970-05", "1970", "1988-12-31", "1970-05-05"))
IDENTIFIERS = st.lists(
    st.fixed_dictionaries({"system": st.sampled_from(("urn:a", "urn:b")), "value": st.sampled_from("12")}), max_size=2
)
PATIENTS = st.fixed_dictionaries(
    {"name": st.lists(NAMES, max_size=2), "identifier": IDENTIFIERS},
    optional={"birthDate": DATES, "gender": st.sampled_from(("male", "female", "unknown"))},
).map(described)


def person(**more):
    told = {"name": [{"family": "Müller", "given": ["Ada", "Maria"]}], "birthDate": "1970-05-04", "gender": "female"}
    return described({**told, **more})


def says(one, other):
    return {field: what for field, what, _ in compare(one, other).reasons}


@given(PATIENTS, PATIENTS)
def test_the_order_is_irrelevant_and_the_weights_add_up(one, other):
    told, turned = compare(one, other), compare(other, one)
    assert told == turned
    assert told.score == sum(weight for *_, weight in told.reasons)
    assert not told.certain or says(one, other)["identifier"] == says(one, other)["birth date"] == "same"


@given(PATIENTS)
def test_nothing_speaks_against_oneself(one):
    assert set(says(one, one).values()) <= {"same"}


@pytest.mark.parametrize(
    ("field", "more", "expected"),
    [
        ("family", {"name": [{"family": "MULLER", "given": ["Ada"]}]}, "same"),
        ("family", {"name": [{"family": "Mueller", "given": ["Ada"]}]}, "near"),
        ("family", {"name": [{"family": "Beispiel"}, {"family": "Müller", "use": "maiden"}]}, "same"),
        ("family", {"name": [{"family": "Beispiel"}]}, "different"),
        ("given", {"name": [{"family": "Müller", "given": ["A."]}]}, "near"),
        ("given", {"name": [{"family": "Müller", "given": ["Berta"]}]}, "different"),
        ("birth date", {"birthDate": "1970-04-05"}, "near"),
        ("birth date", {"birthDate": "1970-05-14"}, "near"),
        ("birth date", {"birthDate": "1970-05"}, "near"),
        ("birth date", {"birthDate": "1907-05-04"}, "near"),
        ("birth date", {"birthDate": "1970-05-40"}, "near"),
        ("birth date", {"birthDate": "1971-06-04"}, "different"),
        ("birth date", {"birthDate": "1790-05-04"}, "near"),
        ("birth date", {"birthDate": "0791-05-04"}, "different"),
        ("family", {"name": [{"family": "Ada", "given": ["Mueller"]}]}, "near"),
        ("given", {"name": [{"family": "Adda", "given": ["Müller"]}]}, "near"),
        ("given", {"name": [{"family": "Adda", "given": ["Beispiel"]}]}, "different"),
        ("gender", {"gender": "male"}, "different"),
    ],
)
def test_a_field_says_what_a_person_would(field, more, expected):
    assert says(person(), person(**more))[field] == expected


@pytest.mark.parametrize(
    ("name", "slips"),
    [
        ({"family": "Mülller", "given": ["Ada"]}, ["family"]),
        ({"family": "Muler", "given": ["Ada"]}, ["family"]),
        ({"family": "Mülelr", "given": ["Daa"]}, ["family", "given"]),
        ({"family": "Möller", "given": ["Maira"]}, ["family", "given"]),
        ({"family": "Beispiel", "given": ["Müller"]}, ["given"]),
        ({"family": "Müllner", "given": ["Ida"]}, ["family"]),
        ({"family": "Mueller", "given": ["A"]}, ["family"]),
        ({"family": "Schmiller", "given": ["Eva"]}, []),
    ],
)
def test_a_slip_of_the_pen_weighs_nearly_as_much_as_the_same(name, slips):
    told = {field: (what, weight) for field, what, weight in compare(person(), person(name=[name])).reasons}
    assert [field for field in SLIPS if told[field] == ("near", SLIPS[field])] == slips


def test_twins_with_one_card_are_not_certain():
    card = {"identifier": [{"system": "urn:a", "value": "1"}]}
    lena, lina = (person(**card, name=[{"family": "Müller", "given": [given]}]) for given in ("Lena", "Lina"))
    assert compare(lena, lena).certain
    assert not compare(lena, lina).certain
    assert compare(lena, person(**card, name=[{"family": "Muller", "given": ["L."]}])).certain


def test_what_a_household_shares_counts_once_where_birth_date_and_another_field_differ():
    home = {
        "telecom": [{"system": "phone", "value": "030 555"}, {"system": "email", "value": "a@x"}],
        "address": [{"line": ["Weg 1"], "postalCode": "1"}],
    }

    def shared(**more):
        weights = {field: weight for field, _, weight in compare(person(**home), person(**home, **more)).reasons}
        return [weights[field] for field in SHARED]

    other = {"name": [{"family": "Müller", "given": ["Berta"]}]}
    assert shared(**other) == shared(birthDate="1988-12-31") == [90, 90, 80]
    assert shared(**other, birthDate="1988-12-31") == [90, 0, 0]


def test_what_is_missing_says_nothing():
    assert says(person(), described({})) == {}
    assert "gender" not in says(person(), person(gender="unknown"))


def test_identifiers_count_with_their_assigner():
    def known(system, value, **more):
        return person(identifier=[{"system": system, "value": value, **more}])

    assert says(known("urn:a", "1"), known("urn:a", "1"))["identifier"] == "same"
    assert says(known("urn:a", "1"), known("urn:a", "2"))["identifier"] == "different"
    assert "identifier" not in says(known("urn:a", "1"), known("urn:b", "1"))
    assert "identifier" not in says(known("urn:a", "1"), known("urn:a", "1", use="old"))
    assert "identifier" not in says(person(identifier=[{"value": "1"}]), person(identifier=[{"value": "1"}]))


def test_contacts_are_compared_in_one_form():
    ours = person(
        telecom=[{"system": "phone", "value": "+41 44 668 18 00"}],
        address=[{"line": ["Weg 1"], "postalCode": "8000"}],
    )
    theirs = person(
        telecom=[{"system": "phone", "value": "044 6681800"}], address=[{"line": ["WEG 1"], "postalCode": "8000"}]
    )
    moved = person(address=[{"line": ["Gasse 2"], "postalCode": "8000"}])
    assert (says(ours, theirs)["phone"], says(ours, theirs)["address"]) == ("same", "same")
    assert says(ours, moved)["address"] == "near"


def test_name_and_birth_date_are_doubtful_and_an_address_alone_is_not():
    assert compare(person(), person()).score >= DOUBTFUL
    assert not compare(person(), person()).certain
    household = {
        "telecom": [{"system": "phone", "value": "1234567"}],
        "address": [{"line": ["Weg 1"], "postalCode": "8"}],
    }
    other = person(name=[{"family": "Müller", "given": ["Bert"]}], birthDate="2001-11-30", gender="male", **household)
    assert compare(person(**household), other).score < DOUBTFUL


def test_twins_are_a_persons_decision():
    twin = person(name=[{"family": "Müller", "given": ["Berta"]}], identifier=[{"system": "urn:card", "value": "1"}])
    told = compare(person(identifier=[{"system": "urn:card", "value": "1"}]), twin)
    assert told.score >= DOUBTFUL
    assert not told.certain


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("martha", "marhta", 961),
        ("dixon", "dicksonx", 813),
        ("dwayne", "duane", 840),
        ("abc", "xyz", 0),
        ("a", "a", 1000),
    ],
)
def test_similarity_is_jaro_winklers(one, other, expected):
    assert abs(similarity(one, other) - expected) <= 1


def test_every_weight_falls_from_same_to_different():
    assert all(same > near >= different for same, near, different in WEIGHTS.values())
