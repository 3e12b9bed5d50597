"""The wheel carries what the pages serve: templates, texts, style and every module, each as it is here."""

import io
import tomllib
import zipfile
from hashlib import sha256
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
PORTAL = ROOT / "src" / "salus" / "portal"


def test_the_wheel_holds_every_page_and_every_vendored_module_under_its_digest(tmp_path) -> None:
    (made,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(io.BytesIO(Path(made).read_bytes())) as wheel:
        held = {name for name in wheel.namelist() if name.startswith("salus/portal/")}
        here = {f"salus/portal/{one.relative_to(PORTAL).as_posix()}" for one in PORTAL.rglob("*") if one.is_file()}
        assert held == {one for one in here if "__pycache__" not in one}
        vendor = "salus/portal/scripts/vendor"
        listed = tomllib.loads(wheel.read(f"{vendor}/vendored.toml").decode())
        for folder, told in listed.items():
            assert b"Permission" in wheel.read(f"{vendor}/{folder}/LICENSE") or b"Apache" in wheel.read(
                f"{vendor}/{folder}/LICENSE"
            )
            for path, digest in told["sha256"].items():
                assert sha256(wheel.read(f"{vendor}/{folder}/{path}")).hexdigest() == digest, path
