"""What was taken from elsewhere is what it was taken as, under its licence, and goes into the wheel."""

import re
import tomllib
from hashlib import sha256
from importlib import resources
from posixpath import dirname, join, normpath

from salus.portal.rendering import scripts

IMPORTED = re.compile(r"""^(?!\s*\*).*?(?:\bfrom\s*|\bimport\s*\(?\s*)["']([^"']+)["']""", re.MULTILINE)
VENDOR = resources.files("salus.portal") / "scripts" / "vendor"


def test_every_vendored_file_has_its_digest_and_licence() -> None:
    listed = tomllib.loads((VENDOR / "vendored.toml").read_text())
    files = {f"{folder}/{path}": digest for folder, told in listed.items() for path, digest in told["sha256"].items()}
    assert {told["licence"] for told in listed.values()} <= {"MIT", "(MIT OR Apache-2.0)"}
    assert all(f"{folder}/LICENSE" in files and told["version"] for folder, told in listed.items())
    for path, digest in files.items():
        assert sha256((VENDOR / path).read_bytes()).hexdigest() == digest, path
    assert {path for path in scripts() if path.startswith("vendor/")} == {
        f"vendor/{path}" for path in files if path.endswith(".js")
    }


def test_no_script_evaluates_text_or_writes_html() -> None:
    for path, body in scripts().items():
        for word in (b"eval(", b"new Function", b"innerHTML", b"document.write", b"insertAdjacentHTML"):
            assert word not in body, (path, word)


def test_of_what_was_vendored_only_what_a_page_imports_is_kept() -> None:
    """A page's own modules and whatever they import, at once or when it is needed."""
    found: set[str] = set()
    waiting = [name for name in scripts() if not name.startswith("vendor/")]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            told = IMPORTED.findall(scripts()[path].decode())
            waiting += [normpath(join(dirname(path), one)) for one in told if one.startswith(".")]
    assert set(scripts()) == found
