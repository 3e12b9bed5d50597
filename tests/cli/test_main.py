"""The command line: derived commands, clear refusals, exit codes, progress."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from rich.console import Console

from salus import __version__
from salus.cli import commands, render
from salus.cli import main as program
from salus.cli.groups import GROUPS
from salus.core.errors import Rejected
from salus.core.reasons import KernelReason
from salus.node.registry import use_cases, wallet_cases
from tests.sample_cases import CASES, SampleNode, Shape, find, make


@pytest.fixture
def salus(monkeypatch, tmp_path, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SALUS_RUNTIME", str(tmp_path / "run"))
    monkeypatch.setattr(commands, "every_case", lambda: CASES)

    def run(*arguments, opener=SampleNode):
        code = program.main(arguments, opener)
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return run


def test_every_field_of_a_request_is_an_option(salus, tmp_path):
    (tmp_path / "content").write_bytes(b"xx")
    (tmp_path / "parts").write_text('[{"name": "a", "size": 1}]')
    code, out, _ = salus(
        *"shape make --patient p --kind square --count 3 --urgent --content content --purpose TREAT --purpose ETREAT --note soon".replace(
            "--purpose ", "--purposes "
        ).split(),
        "--parts",
        "@parts",
        "--json",
    )
    assert code == 0
    assert json.loads(out) == {
        "echo": "p square 3 True TREAT ETREAT soon",
        "digest": "eHg=",
        "parts": [{"name": "a", "size": 1}],
        "first": {"name": "a", "size": 1},
    }


def test_a_response_reads_as_lines_and_tables(salus):
    code, out, _ = salus(
        "shape", "make", "--patient", "p", "--kind", "round", "--parts", '[{"name": "left", "size": 12}]'
    )
    assert code == 0
    assert "echo: p round 1 False  None" in out
    assert "digest: \n" in out
    assert all(word in out for word in ("parts", "name", "size", "left", "12"))
    code, out, _ = salus("shape", "make", "--patient", "p", "--kind", "round")
    assert "first: -" in out


def test_standard_input_stands_for_a_file(salus, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"piped")))
    _, out, _ = salus("shape", "make", "--patient", "p", "--kind", "round", "--content", "-", "--json")
    assert json.loads(out)["digest"] == "cGlwZWQ="


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "COMMAND"),
        (["shapes"], "invalid choice"),
        (["shape"], "COMMAND"),
        (["shape", "make"], "--patient"),
        (["shape", "make", "--patient", "p", "--kind", "oval"], "--kind"),
        (["shape", "make", "--patient", "p", "--kind", "round", "--count", "many"], "$.count"),
        (["shape", "make", "--patient", "p", "--kind", "round", "--count", "0"], "$.count"),
        (["shape", "make", "--patient", "p", "--kind", "round", "--content", "none"], "none: No such file"),
        (["shape", "make", "--patient", "p", "--kind", "round", "--parts", "{"], "--parts does not read as JSON"),
    ],
)
def test_a_wrong_command_line_is_told_with_exit_code_2(salus, arguments, told):
    code, out, err = salus(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("cli.")
    assert told in err
    assert "--help" in err or "unreadable" in err or "not-json" in err


def test_a_refusal_is_one_line_with_exit_code_1(salus):
    assert salus("shape", "find") == (
        1,
        "",
        "shape.unknown: there is no such shape; expected a shape; got none; make one\n",
    )


def test_a_refusal_of_the_ledger_has_its_name(salus, monkeypatch):
    def refused(config):
        raise Rejected(KernelReason.EXPIRED, expiry=1)

    code, _, err = salus("shape", "find", opener=refused)
    assert (code, err.split(":")[0]) == (1, "kernel.EXPIRED")


@pytest.mark.parametrize("verb", ["break", "doubt"])
def test_a_bug_tells_its_place_and_nothing_of_what_was_in_hand(salus, verb):
    code, _, err = salus("shape", verb)
    assert (code, err.split(":")[0]) == (70, "node.bug")
    assert "Canary" not in err


def test_an_interrupt_ends_quietly(salus):
    def interrupted(config):
        raise KeyboardInterrupt

    assert salus("shape", "find", opener=interrupted)[0] == 130


class Row(msgspec.Struct):
    link: str
    name: str


class Rows(msgspec.Struct):
    rows: tuple[Row, ...]


@pytest.mark.parametrize("name", ["a name", "a name of many words " * 4])
def test_what_a_table_holds_is_never_cut(name):
    out = io.StringIO()
    given = Rows((Row("0123456789abcdef" * 2, name), Row("1123456789abcdef" * 2, "")))
    render.response(given, Console(file=out, width=60))
    text = out.getvalue()
    assert all(word in text for word in ("0123456789abcdef" * 2, name, "1123456789abcdef" * 2))
    assert ("┃" in text) == (name == "a name")


class Figures(msgspec.Struct):
    lines: tuple[dict[str, Any], ...]


def test_figures_by_name_are_a_table_with_digits_to_read():
    out = io.StringIO()
    lines = ({"term": "age", "estimate": 0.12345678901}, {"term": "smoker", "estimate": 2e-12, "odds_ratio": [1.5, 3]})
    render.response(Figures(lines), Console(file=out, width=80))
    cells = [[one.strip() for one in line.split("│")[1:-1]] for line in out.getvalue().splitlines() if "│" in line]
    assert cells == [["age", "0.123457", "-"], ["smoker", "2e-12", "1.5 3"]]
    assert "odds ratio" in out.getvalue()
    out = io.StringIO()
    render.response(Figures(({"\x1b[2J": "\x9b"},)), Console(file=out, width=80))
    assert not render.CONTROL.search(out.getvalue().replace("\n", ""))


def test_texts_stand_one_under_the_other_and_words_on_a_line():
    class Told(msgspec.Struct):
        gaps: tuple[str, ...]
        members: tuple[str, ...]

    out = io.StringIO()
    render.response(Told(("no arm", "no form\x1b"), ("north", "south")), Console(file=out, width=60))
    assert out.getvalue() == "gaps:\n- no arm\n- no form\\x1b\nmembers: north south\n"


class Bill(msgspec.Struct):
    paid: Annotated[int, msgspec.Meta(extra={"cents": True})]
    why: tuple[str, ...]


class Bills(msgspec.Struct):
    bills: tuple[Bill, ...]
    total: Annotated[int, msgspec.Meta(extra={"cents": True})]
    cents: int


def test_money_is_read_in_dollars_and_texts_of_a_row_apart():
    out = io.StringIO()
    why = ("line 1: above the agreed price", "line 2: already billed")
    render.response(Bills((Bill(22000, why),), -150, 7), Console(file=out, width=120))
    told = out.getvalue()
    assert told.startswith("total: -$1.50\ncents: 7\n")
    assert "$220.00 │ line 1: above the agreed price; line 2: already billed" in told


def test_a_text_of_several_lines_keeps_them_and_none_passes_for_a_field():
    class Told(msgspec.Struct):
        page: str
        paid: int

    out = io.StringIO()
    render.response(Told("# A\n\npaid: 9\x1b[2J\n", 1), Console(file=out, width=60))
    assert out.getvalue() == "page:\n  # A\n\n  paid: 9\\x1b[2J\npaid: 1\n"


def test_help_says_nothing_to_programmers():
    for case in (*use_cases().values(), *wallet_cases().values()):
        assert "Raises " not in f"{case.summary} {case.description}", case.name


def test_what_others_wrote_does_not_steer_the_terminal():
    out = io.StringIO()
    render.response(Rows((Row("\x1b[2Jlink\n", "\u202ename\x9b"),)), Console(file=out, width=60))
    assert not render.CONTROL.search(out.getvalue().replace("\n", ""))
    assert "\\x1b[2Jlink\\n" in out.getvalue()


def test_an_output_that_is_no_terminal_has_room(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    render.response(Rows((Row("0123456789abcdef" * 8, "a name " * 10),)), render.output())
    assert "┃" in out.getvalue()


def test_a_value_that_nobody_reads_whole_says_how_to_get_it():
    out = io.StringIO()
    render.response(Rows((Row("a", "x" * 1_000),)), Console(file=out, width=80))
    assert "x" * render.LONG + "… (600 more characters with --json)" in out.getvalue().replace("\n", "")


def test_who_has_read_enough_gets_no_bug_report(tmp_path):
    command = [sys.executable, "-c", "import sys; from salus.cli.main import main; sys.exit(main(['config']))"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe) as process:
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 141)


def test_the_configuration_is_found_in_the_order_option_variable_folder(salus, tmp_path, monkeypatch):
    (tmp_path / "salus.toml").write_text('member = "here"')
    (tmp_path / "named.toml").write_text('member = "named"')
    (tmp_path / "given.toml").write_text('member = "given"')
    assert 'member = "here"  # SALUS_MEMBER' in salus("config")[1]
    monkeypatch.setenv("SALUS_CONFIG", "named.toml")
    assert 'member = "named"' in salus("config")[1]
    assert 'member = "given"' in salus("--config", "given.toml", "config")[1]
    (tmp_path / "named.toml").write_text("memper = 1")
    assert (salus("config")[0], salus("config")[2].split(":")[0]) == (1, "config.invalid")


@pytest.mark.parametrize("arguments", [["--help"], ["shape", "--help"], ["shape", "make", "--help"], ["--version"]])
def test_help_leaves_with_exit_code_0(salus, arguments, capfd):
    with pytest.raises(SystemExit) as left:
        salus(*arguments)
    assert left.value.code == 0
    out = capfd.readouterr().out
    if arguments[-1] == "--version":
        assert out == f"salus {__version__}\n"
    elif len(arguments) == 3:
        assert "How many; 100 % is all. Example: 2. Default: 1." in " ".join(out.split())
        assert "The longer story" in out


def test_progress_is_drawn_on_a_terminal_and_nowhere_else(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    for terminal in (True, False):
        stream = io.StringIO()
        with render.progress(Console(file=stream, force_terminal=terminal)) as told:
            make(SampleNode(), Shape(patient="p", kind="round"), progress=told)
            told(1, 0, "of unknown length")
        assert ("shaping" in stream.getvalue()) is terminal


def test_work_that_tells_nothing_shows_that_it_goes_on(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = io.StringIO()
    with (
        render.progress(Console(file=stream, force_terminal=True)) as bar,
        render.working(bar, quiet=0.0),
    ):
        end = time.monotonic() + 180
        while "working" not in stream.getvalue():
            assert time.monotonic() < end
            time.sleep(0.01)
    told = []
    with render.working(lambda *what: told.append(what), quiet=600.0) as heard:
        heard(1, 2, "blocks")
    assert told == [(1, 2, "blocks")]


def test_verify_is_the_offline_program_and_reads_no_configuration(salus, tmp_path):
    (tmp_path / "salus.toml").write_text("nonsense")
    code, _, err = salus("verify", "receipt", "--trust", "none.json")
    assert (code, err.split(":")[0]) == (2, "salus verify")
    assert "verify" in commands.parser().format_help()


def test_arguments_come_from_the_process(salus, monkeypatch):
    monkeypatch.setattr("sys.argv", ["salus", "shape", "find"])
    assert program.main() == 1
    assert find.name == "shape.find"


def test_what_is_checked_and_not_sound_ends_with_exit_code_1(monkeypatch, tmp_path, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SALUS_RUNTIME", str(tmp_path / "run"))
    (tmp_path / "good.ndjson").write_text('{"resourceType": "Basic", "id": "a", "code": {"text": "x"}}\n')
    (tmp_path / "bad.ndjson").write_text('{"resourceType": "Basic", "id": "a", "code": 3}\n')
    assert program.main(["fhir", "check", "good.ndjson"]) == 0
    assert "sound: true" in capfd.readouterr().out
    assert program.main(["fhir", "check", "good.ndjson", "bad.ndjson", "--only", "good"]) == 1
    assert capfd.readouterr().out == "1\n"
    assert program.main(["plan", "check", "--plan", "bad.ndjson"]) == 1
    assert program.main(["fhir", "check", "none.ndjson"]) == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == ["bad.ndjson", "good.ndjson"]  # no data folder


def test_every_group_of_commands_says_what_it_is_for():
    groups = {case.words[0] for case in [*use_cases().values(), *wallet_cases().values()] if len(case.words) > 1}
    assert groups | {"network"} == set(GROUPS)
