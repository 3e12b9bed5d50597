"""What a test may lack on this machine, and what follows."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from salus.engines.cometbft.binary import VERSION, find

SHARED = Path(__file__).parents[2] / "shared"


def tool(name: str) -> str:
    """Return the path of a program; without it skip, or fail where CI=true, since there a skip would hide a gap."""
    found = shutil.which(name)
    if found:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not installed, and CI=true allows no skip for a missing tool")
    pytest.skip(f"{name} is not installed")


def browser() -> str:
    """Return the path of Chromium: named by SALUS_CHROMIUM, on the path, or playwright's own; without it as `tool`."""
    named = os.environ.get("SALUS_CHROMIUM")
    if named:
        return named
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found:
        return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else tool("chromium")


def shared(name: str) -> Path:
    """Return a file of the sample collection kept beside the repository; skip where it is not (never a failure)."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the sample collection beside the repository has no {name}")
    return path


def cometbft(version: str = VERSION) -> Path:
    """Return the engine's program: `make test` builds it; without it skip, or fail where CI=true."""
    found = find(os.environ, version)
    if found is not None:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"cometbft {version} is not installed, and CI=true allows no skip for a missing tool")
    pytest.skip(f"cometbft {version} is not here: `salus engine install` builds it")


def promlint() -> Path:
    """Return the program that judges metrics as promtool does: `make test` builds it; without it as `tool`."""
    beside = Path(sys.executable).with_name("promlint")
    return beside if beside.exists() else Path(tool("promlint"))
