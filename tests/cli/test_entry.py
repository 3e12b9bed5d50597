"""The program `salus`: what it answers without importing a node, and that it hands on everything else."""

import subprocess
import sys

import pytest

from salus.cli import loading
from salus.cli.commands import COMMANDS, OPTIONS, PROGRAMS, named, parser

HEAVY = (
    "apsw",
    "cryptography",
    "httpx",
    "jinja2",
    "lmdb",
    "msgspec",
    "rich",
    "salus.cli.main",
    "salus.contracts",
    "salus.core",
    "salus.node",
    "salus.vault",
    "starlette",
    "uvicorn",
    "webauthn",
)


def run(*words):
    program = (
        "import sys; from salus.cli.entry import main; code = main(sys.argv[1:]);"
        "print(*sorted(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("--version",)])
def test_what_needs_no_node_imports_none(words):
    done = run(*words)

    assert done.returncode == 0
    assert done.stdout.startswith(("usage: salus", "salus "))
    assert {name for name in done.stderr.split() if name.startswith(HEAVY)} == set()


def test_the_help_names_every_group():
    done = run("--help")
    for name in ("wallet", "backup", "verify", "demo", "serve"):
        assert f"\n    {name} " in done.stdout


@pytest.mark.parametrize("words", [("claims", "adjudicate"), ("claims", "audit")])
def test_a_command_on_files_imports_no_node(words):
    done = run(*words, "--help")

    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: salus {' '.join(words)}")
    node = ("apsw", "cryptography", "httpx", "lmdb", "salus.engines", "salus.index", "salus.vault", "starlette")
    assert {name for name in done.stderr.split() if name.startswith(node)} == set()


@pytest.mark.parametrize(
    ("words", "needless"),
    [
        (("config",), ("httpx", "starlette", "salus.node.member", "salus.contracts")),
        (("records", "find", "--help"), ("starlette", "uvicorn", "salus.node.claims", "salus.node.opening")),
    ],
)
def test_a_command_imports_no_other(words, needless):
    done = run(*words)

    assert done.returncode == 0
    assert {name for name in done.stderr.split() if name.startswith(needless)} == set()


def test_every_place_that_a_command_names_is_there():
    places = [place for place, _ in (*COMMANDS.values(), *PROGRAMS.values())] + list(OPTIONS.values())
    assert all(callable(loading.load(place)) for place in places)


def test_a_command_is_found_alone_as_among_all():
    for case in loading.every_case():
        name = " ".join(case.words)
        assert named(["--config", "salus.toml", *case.words, "--json", "x"]) == name
        assert loading.case_of(name) is case


@pytest.mark.parametrize("words", [(), ("--version",), ("network",), ("network", "--help"), ("nonsense", "status")])
def test_what_names_no_command_is_for_the_parser_of_all(words):
    assert named(words) is None


def test_the_help_of_a_command_is_the_same_alone_as_among_all(capsys):
    told = []
    for only in (None, "link invite"):
        with pytest.raises(SystemExit):
            parser(only).parse_args(["link", "invite", "--help"])
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    assert "--system" in told[0]
