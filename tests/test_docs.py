"""The docs hold: generated pages are current, links lead somewhere, every command of a page runs."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from salus.cli.reference import MARK, PAGES, write

ROOT = Path(__file__).parent.parent
DOCS = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "samples").rglob("*.md"),
        *(ROOT / "src").rglob("*.md"),
    ]
)
# The pages whose commands a reader types; each ```console block runs, in order, in one empty folder.
TUTORIALS = sorted(
    [ROOT / "README.md", *(ROOT / "docs" / "tutorials").glob("*.md"), *(ROOT / "docs" / "how-to").glob("*.md")]
)
# Commands that a test cannot run inside itself; `make demo` and `make test` are what CI and the suite are made of.
ELSEWHERE = ("make ", "git clone", "cd ")


def name_of(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES)
def test_generated_pages_are_current(page):
    assert (ROOT / page).read_text(encoding="utf-8") == PAGES[page](), "run `make docs`"


def test_make_docs_writes_every_generated_file(tmp_path):
    write(tmp_path)
    assert {name for name in PAGES if (tmp_path / name).is_file()} == set(PAGES)


def anchors(path):
    heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.replace("`", "")).strip().lower().replace(" ", "-") for head in heads}


def without_code(text):
    return re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("path", DOCS, ids=name_of)
def test_links_lead_somewhere(path):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(path.read_text(encoding="utf-8"))):
        file, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        there = (path.parent / file).resolve() if file else path
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("path", [path for path in DOCS if MARK not in path.read_text(encoding="utf-8")], ids=name_of)
def test_named_files_of_the_repository_exist(path):
    named = re.findall(
        r"`((?:src|tests|docs|benches|samples)/[\w./-]+\.\w+)(?:::\w+)?`", path.read_text(encoding="utf-8")
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_named_tests_exist():
    missing = []
    for path in DOCS:
        for file, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", path.read_text(encoding="utf-8")):
            if f"def {test}(" not in (ROOT / file).read_text(encoding="utf-8"):
                missing.append(f"{name_of(path)}: {file}::{test}")
    assert missing == []


def blocks(path):
    """Return the commands and expected output of a page's console blocks, in order."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


@pytest.mark.unmeasured
@pytest.mark.parametrize("path", [page for page in TUTORIALS if blocks(page)], ids=name_of)
def test_the_commands_of_a_page_run_and_say_what_it_shows(path, tmp_path):
    (tmp_path / "salus").write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "import sys; from salus.cli.main import main; sys.exit(main())" "$@"\n'
    )
    (tmp_path / "salus").chmod(0o755)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "samples").symlink_to(ROOT / "samples")
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "SALUS_RUNTIME": str(tmp_path / "run"),
        "NO_COLOR": "1",
        "COLUMNS": "120",
    }
    for command, shown in blocks(path):
        if command.startswith(ELSEWHERE):
            continue
        ran = subprocess.run(
            command,
            shell=True,
            cwd=tmp_path / "here",
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert ran.returncode == 0, f"{command}: {ran.stderr}"
        for line in shown:
            pattern = ".*".join(re.escape(part) for part in line.split("…"))
            assert re.search(pattern, ran.stdout), f"{command} does not print: {line}\n{ran.stdout}"


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    names = {re.split(r"[<>=\[; ]", each)[0] for each in required} - {project["name"]}
    rows = re.findall(
        r"^\| ([\w, -]+) \| \S.+ \|$", (ROOT / "docs/explain/dependencies.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    told = {name for row in rows for name in row.split(", ")} - {"package", "---"}
    assert told == names


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "adr").glob("*.md")), ids=name_of)
def test_a_decision_record_says_what_gets_worse(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {int(path.name[:4])}. ")
    assert [
        part for part in ("Context", "Options", "Decision", "What gets worse") if part.lower() not in text.lower()
    ] == []
    assert len(text.split()) < 600
