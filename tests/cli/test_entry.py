"""The program `salus`: what it answers without importing a node, and that it hands on everything else."""

import subprocess
import sys
import time

import pytest

from salus.cli import entry

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
SECONDS = 0.4


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


def test_the_help_names_every_group_and_comes_at_once():
    took = []
    for _ in range(3):
        start = time.perf_counter()
        done = run("--help")
        took.append(time.perf_counter() - start)

    for name in ("wallet", "backup", "verify", "demo", "serve"):
        assert f"\n    {name} " in done.stdout
    assert min(took) < SECONDS


def test_verifying_imports_the_verifier_alone():
    done = run("verify", "--help")

    assert done.returncode == 0
    loaded = {name for name in done.stderr.split() if name.startswith("salus.")}
    assert {name for name in loaded if not name.startswith(("salus.core", "salus.cli"))} == set()
    assert "salus.cli.main" not in loaded


def test_everything_else_is_handed_on(capsys):
    assert entry.main(["no-such-command"]) == 2
    assert "no-such-command" in capsys.readouterr().err
