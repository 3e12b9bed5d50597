"""A researcher's door: a question asked, waited for until custodians have released it, and taken as a table."""

import json

import pytest
from starlette.testclient import TestClient

from salus.client import NotAnswered, Study
from salus.client.node import Connection, Refusal
from salus.client.study import StudyFile
from salus.http.app import application, as_operator
from salus.node.registry import use_cases
from salus.node.research import withhold_question
from salus.node.research.answering import WithholdQuestion
from tests.node.research.hospitals import LOGISTIC, TABLE, answer, fill, found, offer, permit

URL = "https://university.example"
NAMES = ("east", "north", "south")


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    made = found(tmp_path_factory.mktemp("study"), *NAMES)
    for name in NAMES:
        fill(made.nodes[name], 96)
    yield made
    made.close()


@pytest.fixture(scope="module")
def file(together):
    data_sets = {name: offer(together, name, smallest=3) for name in NAMES}
    return StudyFile(url=URL, permit=permit(together, data_sets), data_sets=tuple(data_sets.values()))


@pytest.fixture
def study(together, file, monkeypatch):
    def opened(asleep=lambda: None):
        connection = Connection(URL)
        connection.close()
        app = application(together.nodes["university"], tuple(use_cases().values()), as_operator)
        monkeypatch.setattr(connection, "_http", TestClient(app, base_url=URL, raise_server_exceptions=False))
        return Study(file, connection, lambda _seconds: asleep())

    return opened


def newest(together):
    (query, *_) = {id_[:16].hex() for id_, _ in together.nodes["university"].desk.research("asked")} - set(seen)
    seen.append(query)
    return query


seen: list[str] = []


def test_a_table_is_asked_waited_for_and_taken(together, study, tmp_path):
    path = tmp_path / "query.json"
    path.write_text(json.dumps(TABLE))
    told = study(lambda: answer(together, newest(together), *NAMES)).run(path, variance=4)
    assert {*told.custodians} == {*NAMES}
    assert len(told.to_pandas()) == 4
    assert told.coefficients == {}
    assert "95 %" in told.notes[0]


def test_a_model_is_led_to_its_end(together, study):
    told = study(lambda: answer(together, newest(together), *NAMES)).run(LOGISTIC)
    assert list(told.coefficients) == ["constant", "obese=1", "gender=male"]
    assert len(told.covariance) == 3
    assert study().resume(told.query).lines == told.lines


def test_a_question_that_everybody_withholds_is_told_so(together, study):
    def withheld():
        query = newest(together)
        for name in NAMES:
            withhold_question(together.nodes[name], WithholdQuestion(query=query))

    with pytest.raises(NotAnswered, match="north withheld"):
        study(withheld).run(TABLE)


def test_one_that_nobody_released_is_asked_for_again_later(together, study):
    with pytest.raises(TimeoutError, match="not yet released"):
        study().run(TABLE, seconds=0)
    assert newest(together)


def test_a_document_that_cannot_be_asked_is_refused_with_its_place(study):
    with pytest.raises(Refusal, match=r"research\.query"):
        study().run(TABLE | {"statistic": {"kind": "mean", "of": "nothing"}})


def test_a_study_is_opened_from_its_file(tmp_path):
    (tmp_path / "study.toml").write_text(
        f'url = "{URL}"\npermit = "00"\ndata_sets = ["01"]\nsocket = "/run/salus.sock"\n'
    )
    with Study.open(tmp_path / "study.toml") as opened:
        assert isinstance(opened, Study)
