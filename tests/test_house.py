"""The rules by which the suite itself runs."""

import json
import sys

import pytest

from benches import run as bench
from tests import floors, needs


def file(statements, covered, branches=0, covered_branches=0):
    counts = {
        "num_statements": statements,
        "covered_lines": covered,
        "num_branches": branches,
        "covered_branches": covered_branches,
    }
    return {"summary": counts}


def test_each_part_owes_its_floor():
    whole = {"files": {"src/salus/contracts/a.py": file(10, 10, 2, 2), "src/salus/node/a.py": file(10, 9)}}
    assert floors.missed(whole) == []
    short = {"files": {"src/salus/contracts/a.py": file(10, 10, 2, 1), "src/salus/node/a.py": file(10, 8)}}
    assert [line.split()[0] for line in floors.missed(short)] == ["src/salus/", "src/salus/contracts/"]


def test_a_missing_tool_skips_here_and_fails_in_ci(monkeypatch):
    monkeypatch.setenv("CI", "false")
    with pytest.raises(pytest.skip.Exception):
        needs.tool("no-such-program")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception):
        needs.tool("no-such-program")


def test_a_missing_sample_skips_everywhere(monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.skip.Exception):
        needs.shared("no-such-sample")


FIGURE = {
    "name": "receipts",
    "value": 3.0,
    "unit": "ms",
    "limit": None,
    "ratio": None,
    "budget": "<= 2 ms",
    "met": False,
}


@pytest.fixture
def benches(tmp_path, monkeypatch):
    figures = [dict(FIGURE)]
    module = type(bench)("benches.bench_sample")
    module.run = lambda: figures
    monkeypatch.setitem(sys.modules, "benches.bench_sample", module)
    monkeypatch.setattr(bench, "BENCHES", tmp_path)
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "RESULT", tmp_path / "bench.json")
    monkeypatch.setattr(bench, "EXPLAINED", tmp_path / "missed-budgets.md")
    (tmp_path / "bench_sample.py").touch()
    return figures


@pytest.mark.usefixtures("benches")
def test_a_missed_budget_fails_the_bench_until_a_page_explains_it(capsys):
    assert bench.main([]) == 1
    assert "receipts" in capsys.readouterr().err
    bench.EXPLAINED.write_text("`receipts`: 1.5 times, since the sky is low")
    assert bench.main([]) == 0
    assert json.loads(bench.RESULT.read_text())["figures"] == [{"bench": "bench_sample", **FIGURE}]
    assert bench.main(["other"]) == 0


def test_a_figure_of_another_shape_is_refused(benches):
    del benches[0]["met"]
    with pytest.raises(ValueError, match="bench_sample"):
        bench.main([])
