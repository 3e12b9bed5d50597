# ruff: noqa: INP001, S311, S603, T201 -- a script, not a package; a sample is drawn, and pytest started
"""Measure how many faults planted in a part of the program its tests find: `python tools/mutants.py core 150`.

One fault at a time is written into a copy of the repository: a comparison, an operator, a constant, a condition or a
statement is changed. The tests that stand beside the module run first, then the others that are named below. A fault that
none finds is printed with its place. A sample is drawn by a seed, so that a second run plants the same faults.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
LONGEST_SECONDS: Final = 300  # a fault that loops for ever is found
SWAPS: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
BESIDE: Final = {
    "core": (
        "tests/core",
        "tests/contracts/test_vectors.py",
        "tests/contracts/test_membership_story.py",
        "tests/engines/test_embedded.py",
        "tests/engines/test_replay.py",
        "tests/engines/test_store.py",
        "tests/engines/test_checkpoints.py",
    ),
    "contracts": ("tests/contracts", "tests/agreements"),
}
"""What runs when the tests named after the module find nothing."""

Change = Callable[[], None]


def changes(tree: ast.Module) -> Iterator[tuple[int, str, Change]]:
    """Yield (line, what is changed, how to change it in this tree), in order; docstrings and annotations are left out."""
    skipped = {id(part) for node in ast.walk(tree) for part in _untested(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Compare | ast.BoolOp | ast.BinOp | ast.AugAssign):
            yield from _operators(node)
        elif isinstance(node, ast.Constant) and type(node.value) in {int, bool}:
            after = not node.value if isinstance(node.value, bool) else node.value + 1
            yield node.lineno, f"{node.value} becomes {after}", _set(node, "value", after)
        elif isinstance(node, ast.If | ast.IfExp | ast.While):
            refused = ast.UnaryOp(ast.Not(), node.test)
            yield node.lineno, f"not {ast.unparse(node.test)}", _set(node, "test", refused)
        for name in ("body", "orelse"):
            inside = getattr(node, name, None)
            for at, part in enumerate(inside if isinstance(inside, list) else ()):
                if isinstance(part, ast.Raise) or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Call)):
                    yield part.lineno, f"without {ast.unparse(part)[:60]}", _replace(inside, at)


def _untested(node: ast.AST) -> Iterator[ast.AST]:
    for name in ("annotation", "returns"):
        part = getattr(node, name, None)
        if isinstance(part, ast.AST):
            yield from ast.walk(part)
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {"dataclass", "Meta"}:
        yield from ast.walk(node)
    if isinstance(node, ast.JoinedStr):  # words of a message
        yield from ast.walk(node)


def _operators(node: ast.Compare | ast.BoolOp | ast.BinOp | ast.AugAssign) -> Iterator[tuple[int, str, Change]]:
    for at, kind in enumerate(node.ops if isinstance(node, ast.Compare) else (node.op,)):
        other = SWAPS.get(type(kind))
        if other is None:
            continue
        told = f"{type(kind).__name__} becomes {other.__name__} in {ast.unparse(node)[:60]}"
        change = _put(node.ops, at, other()) if isinstance(node, ast.Compare) else _set(node, "op", other())
        yield node.lineno, told, change


def _set(node: ast.AST, name: str, value: object) -> Change:
    return lambda: setattr(node, name, value)


def _put(into: list[ast.cmpop], at: int, value: ast.AST) -> Change:
    return lambda: into.__setitem__(at, value)  # type: ignore[call-overload]


def _replace(body: list[ast.stmt], at: int) -> Change:
    return lambda: body.__setitem__(at, ast.Pass())


def mutant(source: str, number: int) -> str:
    """Return the source with its change of this number."""
    tree = copy.deepcopy(ast.parse(source))
    list(changes(tree))[number][2]()
    return ast.unparse(ast.fix_missing_locations(tree))


def found(folder: Path, module: Path, part: str) -> bool:
    """Run the tests in a copy with a fault in it: first those named after the module, then the others."""
    named = sorted(folder.glob(f"tests/{part}/**/test_{module.stem}.py"))
    for tests in ([str(path.relative_to(folder)) for path in named], BESIDE[part]):
        if tests and not _passes(folder, tests):
            return True
    return False


def _passes(folder: Path, tests: Iterator[str] | list[str] | tuple[str, ...]) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not soak", *tests]
    environment = {**os.environ, "PYTHONPATH": "src:.", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ran = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=LONGEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return ran.returncode == 0


def main() -> int:
    """Plant a sample of faults and print which stayed unfound, and the share that was found."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("part", choices=sorted(BESIDE))
    options.add_argument("count", type=int)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    files = sorted((ROOT / "src/salus" / given.part).rglob("*.py"))
    every = [(path, at) for path in files for at, _ in enumerate(changes(ast.parse(path.read_text())))]
    sample = random.Random(given.seed).sample(every, min(given.count, len(every)))
    killed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in ("src", "tests", "samples", "docs"):
            shutil.copytree(ROOT / each, folder / each)
        shutil.copy(ROOT / "pyproject.toml", folder)
        for path, number in sample:
            source = path.read_text()
            line, told, _ = list(changes(ast.parse(source)))[number]
            target = folder / path.relative_to(ROOT)
            target.write_text(mutant(source, number))
            if found(folder, path, given.part):
                killed += 1
            else:
                print(f"not found: {path.relative_to(ROOT)}:{line}: {told}", flush=True)
            target.write_text(source)
    print(f"{killed} of {len(sample)} found ({len(every)} could be planted)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
