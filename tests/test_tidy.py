"""The habits of the house that a machine can check. Each test names the places that break the habit."""

import ast
import gc
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

import salus

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parent.parent
SRC = ROOT / "src" / "salus"
REPLICATED = ("core", "contracts")
BANNED_NAMES = frozenset(
    {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc", "service", "processor"}
)
CONTRACT_FILES = ("README.md", "messages.py", "port.py", "reasons.py", "rules.py", "state.py")
# The three places that may catch everything, because each answers for a whole process.
CATCH_ALL = ("src/salus/http/middleware.py", "src/salus/engines/cometbft/", "src/salus/cli/main.py")
# `salus verify` reads files and prints its verdict, alone on the standard library: the one edge inside the core.
OFFLINE_COMMAND = "src/salus/core/proof/cli.py"

# Calls that fix the order of what they are given.
ORDERED_BY = frozenset({"list", "tuple", "enumerate", "iter", "zip", "map", "filter", "reversed"})

Finding = tuple[int, str]


@pytest.fixture(autouse=True, scope="module")
def parsed_once() -> Iterator[None]:
    """Keep the trees, more than a million objects, from being searched for garbage; let go of them at the end."""
    gc.disable()
    yield
    tree_of.cache_clear()
    statements.cache_clear()
    gc.enable()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def statements(tree: ast.Module) -> list[ast.AST]:
    """Everything in a tree that is no expression: statements, handlers of exceptions, cases of a match."""
    found: list[ast.AST] = [tree]
    for node in found:
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            inside = getattr(node, name, None)
            found += inside if isinstance(inside, list) else []
    return found


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def replicated_files() -> list[Path]:
    return python_files(*(f"src/salus/{name}" for name in REPLICATED))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def report(paths: list[Path], check: Callable[[ast.Module], Iterator[Finding]]) -> list[str]:
    return [f"{name_of(path)}:{line}: {what}" for path in paths for line, what in check(tree_of(path))]


def called(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


# -- replicated code is deterministic ---------------------------------------------------------------------------


def floats(tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield node.lineno, f"float {node.value}"
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield node.lineno, "true division"
        if isinstance(node, ast.Name) and node.id == "float":
            yield node.lineno, "float"


def calls_of_the_world(tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if called(node) in {"hash", "open", "print", "id", "input"}:
            yield node.lineno, f"{called(node)}()"


def unordered(node: ast.expr, sets: set[str]) -> bool:
    """Tell whether the value of an expression is plainly a set: a display, a comprehension, a call, or a name given one."""
    if isinstance(node, ast.Set | ast.SetComp) or called(node) in {"set", "frozenset"}:
        return True
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.BitXor):
        return unordered(node.left, sets) or unordered(node.right, sets)
    return isinstance(node, ast.Name) and node.id in sets


def set_names(scope: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and unordered(node.value, set()):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        annotation = node.annotation if isinstance(node, ast.AnnAssign | ast.arg) else None
        if annotation is not None and re.match(r"(frozen)?set\b", ast.unparse(annotation)):
            target = node.target if isinstance(node, ast.AnnAssign) else node
            names.add(ast.unparse(target) if isinstance(target, ast.expr) else target.arg)
    return names


def set_iterations(tree: ast.Module) -> Iterator[Finding]:
    for scope in ast.walk(tree):
        if not isinstance(scope, ast.FunctionDef):
            continue
        sets = set_names(scope)
        for node in ast.walk(scope):
            over: list[ast.expr] = []
            if isinstance(node, ast.For | ast.comprehension):
                over = [node.iter]
            elif called(node) in ORDERED_BY or (
                isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".join")
            ):
                over = node.args
            yield from (
                (each.lineno, f"iterates the set {ast.unparse(each)}") for each in over if unordered(each, sets)
            )


def asserts(tree: ast.Module) -> Iterator[Finding]:
    yield from ((node.lineno, "assert") for node in statements(tree) if isinstance(node, ast.Assert))


def late_rejections(tree: ast.Module) -> Iterator[Finding]:
    """Check everything, then write: the kernel drops a rejected overlay, a reader should not have to think of that."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        writes = [
            node.lineno
            for node in ast.walk(function)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "ctx.put"
        ]
        for node in ast.walk(function):
            if writes and isinstance(node, ast.Raise) and node.lineno > min(writes) and "Rejected" in ast.unparse(node):
                yield node.lineno, f"{function.name} rejects after a write"


@pytest.mark.parametrize("check", [floats, set_iterations], ids=lambda check: check.__name__)
def test_replicated_code_is_deterministic(check):
    assert report(replicated_files(), check) == []


def test_replicated_code_does_not_touch_the_world():
    assert report([path for path in replicated_files() if name_of(path) != OFFLINE_COMMAND], calls_of_the_world) == []


def test_nothing_is_rejected_after_a_write():
    assert report(python_files("src/salus/contracts"), late_rejections) == []


def test_no_bare_assert_in_the_source():
    assert report(python_files("src"), asserts) == []


# -- functions fit on a screen, files in a sitting --------------------------------------------------------------


def docstring_lines(node: ast.AST) -> set[int]:
    if (
        not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        or ast.get_docstring(node) is None
    ):
        return set()
    return set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))


def long_functions(tree: ast.Module) -> Iterator[Finding]:
    for node in statements(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or 0) - node.lineno + 1 - len(docstring_lines(node))
            if size > 70:
                yield node.lineno, f"{node.name} has {size} lines, at most 70"


def code_lines(path: Path) -> int:
    told = {line for node in statements(tree_of(path)) for line in docstring_lines(node)}
    lines = enumerate(path.read_text().splitlines(), start=1)
    return sum(1 for number, line in lines if line.strip() and not line.lstrip().startswith("#") and number not in told)


def test_functions_fit_on_a_screen():
    assert report(python_files("src", "sim", "benches", "tests"), long_functions) == []


def test_files_fit_in_a_sitting():
    pure = set(replicated_files())
    generated = ROOT / "src/salus/client/api.py"  # nobody reads it through: it grows with the use cases
    sizes = {path: code_lines(path) for path in python_files("src", "sim", "benches", "tests") if path != generated}
    assert [
        f"{name_of(path)}: {size} code lines" for path, size in sizes.items() if size > (400 if path in pure else 600)
    ] == []


# -- names ------------------------------------------------------------------------------------------------------


def words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def test_names_say_the_domains_word():
    files = python_files("src", "sim", "benches")
    found = [
        name_of(path) for path in files if words(path.stem) & BANNED_NAMES or words(path.parent.name) & BANNED_NAMES
    ]
    found += report(
        files,
        lambda tree: (
            (n.lineno, n.name) for n in statements(tree) if isinstance(n, ast.ClassDef) and words(n.name) & BANNED_NAMES
        ),
    )
    assert found == []


# -- errors -----------------------------------------------------------------------------------------------------


def catch_alls(tree: ast.Module) -> Iterator[Finding]:
    for node in statements(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = (
                {"BaseException"}
                if node.type is None
                else {ast.unparse(each) for each in getattr(node.type, "elts", [node.type])}
            )
            if caught & {"Exception", "BaseException"}:
                yield node.lineno, "catches everything"


def test_everything_is_caught_in_three_places_only():
    found = report(python_files("src"), catch_alls)
    assert [place for place in found if not place.startswith(CATCH_ALL)] == []
    for home in CATCH_ALL:
        assert len([place for place in found if place.startswith(home)]) <= 1, home


# -- contracts --------------------------------------------------------------------------------------------------


def contract_packages() -> list[Path]:
    return sorted(path.parent for path in (SRC / "contracts").glob("*/__init__.py"))


def imported(tree: ast.Module) -> Iterator[Finding]:
    for node in statements(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def test_every_contract_package_has_the_same_files():
    assert [
        f"{name_of(p)}/{file}" for p in contract_packages() for file in CONTRACT_FILES if not (p / file).is_file()
    ] == []


def test_a_contract_is_reached_through_its_port():
    found = []
    packages = "|".join(path.name for path in contract_packages())
    inner = re.compile(rf"salus\.contracts\.({packages})\.(messages|state|rules|reasons)\b")
    for path in python_files("src"):
        for line, name in imported(tree_of(path)):
            match = inner.match(name)
            own = match and path.is_relative_to(SRC / "contracts" / match[1])
            if match and not own and name_of(path) != "src/salus/contracts/registry.py":
                found.append(f"{name_of(path)}:{line}: {name}")
    assert found == []


def test_offline_verification_stands_on_the_standard_library_and_cryptography():
    allowed = sys.stdlib_module_names | {"cryptography"}
    assert [
        f"{name_of(path)}:{line}: {name}"
        for path in python_files("src/salus/core/proof")
        for line, name in imported(tree_of(path))
        if name.split(".")[0] not in allowed and not name.startswith("salus.core.proof")
    ] == []


# -- the repository ---------------------------------------------------------------------------------------------


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def test_no_word_of_a_machine_or_a_registry():
    banned = re.compile(
        "|".join(["/" + "work/", "/" + "root/", "bash" + "_jobs", "python" + "hosted", "npm" + "js", "pypi" + r"\.org"])
    )
    found = []
    for path in tracked():
        content = path.read_bytes() if path.is_file() else b"\0"
        if b"\0" in content[:8000] or path.suffix in {".gz", ".woff2"}:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
            if banned.search(line):
                found.append(f"{name_of(path)}:{number}")
    assert found == []


def test_the_locks_hold_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for lock, required in {
        "requirements.lock": [*project["dependencies"], *extras["build"]],
        "requirements-dev.lock": [*project["dependencies"], *extras["build"], *extras["dev"]],
    }.items():
        locked = set(re.findall(r"^([a-z0-9-]+)(?=[=\[])", (ROOT / lock).read_text(), re.MULTILINE))
        missing = {re.split(r"[<>=\[; ]", each)[0] for each in required} - locked - {project["name"]}
        assert not missing, f"{lock} lacks {sorted(missing)}: run `make lock`"


def test_the_program_and_its_distribution_have_one_version():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == salus.__version__


def test_the_two_locks_agree():
    pin = re.compile(r"^([a-z0-9.-]+)==(\S+)", re.MULTILINE)
    runtime, dev = (
        dict(pin.findall((ROOT / name).read_text())) for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert {name: (pin, dev.get(name)) for name, pin in runtime.items() if dev.get(name) != pin} == {}, (
        "run `make lock`"
    )


# -- the checks themselves can fail -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "code"),
    [
        (floats, "x = 1.5"),
        (floats, "x = y / 2"),
        (floats, "x: float"),
        (calls_of_the_world, "hash(x)"),
        (calls_of_the_world, "open(x)"),
        (set_iterations, "def f():\n for x in {1, 2}: pass"),
        (set_iterations, "def f(names: set[str]):\n return [x for x in names]"),
        (set_iterations, "def f(a):\n names = set(a)\n return list(names)"),
        (asserts, "assert x"),
        (late_rejections, "def f(ctx, m):\n ctx.put(T, b'', m)\n raise Rejected(R.NO)"),
        (long_functions, "def f():\n" + " x = 1\n" * 70),
        (catch_alls, "try: x\nexcept Exception: pass"),
        (catch_alls, "try: x\nexcept (ValueError, BaseException): pass"),
        (catch_alls, "try: x\nexcept: pass"),
    ],
)
def test_each_check_sees_what_it_is_for(check, code):
    assert list(check(ast.parse(code)))


@pytest.mark.parametrize(
    ("check", "code"),
    [
        (floats, "x = y // 2"),
        (set_iterations, "def f(names: set[str]):\n return sorted(names)"),
        (late_rejections, "def f(ctx, m):\n raise Rejected(R.NO)\n ctx.put(T, b'', m)"),
        (long_functions, "def f():\n '''" + "x\n" * 80 + "'''"),
        (catch_alls, "try: x\nexcept ValueError: pass"),
    ],
)
def test_no_check_cries_wolf(check, code):
    assert not list(check(ast.parse(code)))
