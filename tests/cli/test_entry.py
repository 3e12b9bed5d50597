"""The program `salus`: what it answers without importing a node, and that it hands on everything else."""

import subprocess
import sys

import pytest

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
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False, timeout=60
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
