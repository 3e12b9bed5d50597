"""The rules by which the suite itself runs."""

import pytest

from tests import floors, needs


def file(statements, covered, branches=0, covered_branches=0):
    counts = {
        "num_statements": statements,
        "covered_lines": covered,
        "num_branches": branches,
        "covered_branches": covered_branches,
    }
    return {"summary": counts}


def test_core_owes_every_branch_and_the_rest_nine_tenths():
    whole = {"files": {"src/salus/core/a.py": file(10, 10, 2, 2), "src/salus/node/a.py": file(10, 9)}}
    assert floors.missed(whole) == []
    short = {"files": {"src/salus/core/a.py": file(10, 10, 2, 1), "src/salus/node/a.py": file(10, 8)}}
    assert [line.split()[0] for line in floors.missed(short)] == ["src/salus/", "src/salus/core/"]


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
