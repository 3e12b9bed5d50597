"""`salus serve --demo`: says where the pages are, lets one in, and leaves nothing behind."""

import gzip
import os
import signal
import subprocess
import sys

import httpx
import pytest

from salus.node.demo.samples import samples_folder
from salus.node.demo.serving import FOUNDERS

pytestmark = pytest.mark.unmeasured

PROGRAM = """
import sys
from pathlib import Path
from salus.cli.main import main
from salus.node.demo import serving
serving.samples_folder = lambda: Path(sys.argv[1])
sys.exit(main(["serve", "--demo"]))
"""
KEPT = 25
"""One of so many of a patient's records is taken in."""


def thinned(folder):
    """Write the samples with every patient, and of what is about them a part."""
    folder.mkdir()
    for member in FOUNDERS:
        name = f"{member.id}.ndjson.gz"
        with gzip.open(samples_folder() / name) as file:
            lines = [line for at, line in enumerate(file) if at % KEPT == 0 or b'"resourceType":"Patient"' in line]
        (folder / name).write_bytes(gzip.compress(b"".join(lines)))
    return str(folder)


def test_the_demo_prints_its_addresses_serves_them_and_cleans_up(tmp_path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    environment = os.environ | {"TMPDIR": str(left)}
    command = [sys.executable, "-c", PROGRAM, thinned(tmp_path / "samples")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        told = []
        for line in process.stdout:
            told.append(line)
            if "Ctrl-C" in line:
                break
        addresses = [word for line in told for word in line.split() if word.startswith("http://")]
        assert len(addresses) == 3
        page = httpx.get(addresses[0]).text
        assert "Dr. Kim" in page
        assert "Patient 1" in page
        sent = httpx.post(addresses[0], data={"who": "patient-1"})
        assert sent.headers["location"] == "/"
        cookie = {"cookie": sent.headers["set-cookie"].partition(";")[0]}
        looked = httpx.get(addresses[0].replace("/sign-in", "/my/looked"), headers=cookie, timeout=180).text
        assert "proven" in looked
        assert list(left.glob("salus-serve-demo-*"))
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=180) == 0
        process.stdout.close()
    assert list(left.iterdir()) == []
