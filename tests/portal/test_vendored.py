"""What was taken from elsewhere is what it was taken as, under its licence, and goes into the wheel."""

import tomllib
from hashlib import sha256
from importlib import resources

from salus.portal.rendering import scripts

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
