"""The commands that the page on running a study names are there, with these options; each is run elsewhere in these tests."""

import re
import shlex
from pathlib import Path

import pytest

from salus.cli.commands import parser
from salus.node.research.policy import NEEDS

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "run-a-study.md").read_text()
COMMANDS = re.findall(r"^    salus (.*)$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def top():
    return parser()


def test_every_command_is_taken_as_it_stands(top):
    for command in COMMANDS:
        given = top.parse_args(shlex.split(command))
        assert given.use_case.name.split(".")[0] in {"research", "wallet"}, command


def test_every_step_of_research_is_told(top):
    actions = [one for one in top._actions if one.choices and "research" in one.choices]
    verbs = next(one for one in actions[0].choices["research"]._actions if one.choices).choices
    told = {command.split()[1] for command in COMMANDS if command.startswith("research")} | {"budget"}
    assert {*verbs} - told == {"own", "schema"}  # one organisation alone: docs/explain/research.md
    assert {f"DUO:{code:07}=" for code in NEEDS} == {*re.findall(r"DUO:\d{7}=", PAGE)}
