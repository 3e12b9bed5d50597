"""`salus serve --demo`: says where the pages are, lets one in, and leaves nothing behind."""

import os
import signal
import subprocess
import sys

import httpx

COMMAND = [sys.executable, "-c", "import sys; from salus.cli.main import main; sys.exit(main(['serve', '--demo']))"]


def test_the_demo_prints_its_addresses_serves_them_and_cleans_up(tmp_path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen(COMMAND, env=environment, stdout=subprocess.PIPE, text=True)
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
        looked = httpx.get(addresses[0].replace("/sign-in", "/my/looked"), headers=cookie, timeout=60).text
        assert "proven" in looked
        assert any(tmp_path.iterdir())
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        process.stdout.close()
    assert list(tmp_path.glob("salus-serve-demo-*")) == []
