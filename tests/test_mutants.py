"""The tool that plants faults and counts those that the tests find."""

import importlib.util
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.faults.sections import PLANTED, write

TOOL = Path(__file__).parent.parent / "tools" / "mutants.py"
SAMPLE = 150
SOURCE = '''def least(a: "int < 3", *, most: bool = True):
    """Not 1 of these."""
    if a < 2:
        raise ValueError(f"{a + 1}")
    return a + 1
'''


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location("mutants", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_change_is_one_of_code_and_of_nothing_else(tool):
    told = [what for _, what, _ in tool.changes(tool.ast.parse(SOURCE))]
    assert sorted(told) == sorted(
        [
            "True becomes False",
            "not a < 2",
            "Lt becomes LtE in a < 2",
            "2 becomes 3",
            "without raise ValueError(f'{a + 1}')",
            "Add becomes Sub in a + 1",
            "1 becomes 2",
        ]
    )
    as_it_was = tool.ast.unparse(tool.ast.parse(SOURCE))
    planted = [tool.mutant(SOURCE, number) for number in range(len(told))]
    assert len({as_it_was, *planted}) == 1 + len(told)
    assert "if a <= 2:" in planted[told.index("Lt becomes LtE in a < 2")]


@pytest.mark.soak
@pytest.mark.parametrize("part", PLANTED)
def test_most_planted_faults_are_found(part):
    ran = subprocess.run([sys.executable, TOOL, part, str(SAMPLE)], capture_output=True, text=True, check=True)
    (found, there) = map(int, re.findall(rf"^(\d+) of {SAMPLE} found \((\d+) ", ran.stdout, re.MULTILINE)[0])
    assert found >= 0.85 * SAMPLE, ran.stdout
    write(PLANTED[part], told(part, found, there, ran.stdout))


def told(part: str, found: int, there: int, printed: str) -> str:
    """Return what the page says of a run."""
    missed = re.findall(r"^not found: src/salus/(.*?): (.*)", printed, re.MULTILINE)
    return (
        f"Written by `tests/test_mutants.py` on {datetime.now(UTC):%Y-%m-%d}: `python tools/mutants.py {part} {SAMPLE}` changes one\n"
        f"comparison, operator, constant, condition or statement at a time. Of {there:,} changes that it can make, a sample of\n"
        f"{SAMPLE} was drawn by seed 1; the tests found {found}. Those not found, changes without an effect among them:\n\n"
        + "\n".join(f"- `{place}`: `{what}`" for place, what in missed)
    )
