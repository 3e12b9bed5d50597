"""`salus serve`: two doors, one owner, a clean end."""

import json
import select
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import sync_playwright

from salus.cli import main as program
from salus.cli.serve import listen
from salus.node.config import Config, Http
from salus.node.errors import Unavailable
from tests.needs import browser as browser_path
from tests.portal.conftest import FLAGS, PATIENCE
from tests.ports import free_port

COMMAND = [sys.executable, "-c", "import sys; from salus.cli.main import main; sys.exit(main())"]
HERE = Path(__file__).parents[2]
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@contextmanager
def served(alone):
    """Serve the member in a process of its own, which a test may end before."""
    with (alone.folder / "errors.txt").open("a") as errors:
        process = subprocess.Popen([*COMMAND, "serve"], cwd=HERE, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            assert select.select([process.stdout], [], [], 180)[0], "the node did not start"
            assert process.stdout.readline().startswith("serving north on 127.0.0.1 port ")
            yield process
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def port(alone, monkeypatch):
    """Return the port that this member's nodes listen on, one after the other."""
    told = free_port()
    monkeypatch.setenv("SALUS_HTTP_PORT", str(told))
    monkeypatch.setenv("SALUS_HTTP_PUBLIC_URL", f"http://localhost:{told}")
    return told


@pytest.fixture
def page():
    """Return a page of a browser on a device that makes passkeys."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS, timeout=PATIENCE)
        made = browser.new_context().new_page()
        made.set_default_timeout(PATIENCE)
        devtools = made.context.new_cdp_session(made)
        devtools.send("WebAuthn.enable")
        devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        yield made
        browser.close()


def test_a_node_has_two_doors_and_one_owner_and_a_hosted_patient_comes_back_after_a_kill(alone, port, page):
    """Commands ask the node that runs; a patient whose wallet it keeps signs in over HTTP, and again at the next process."""

    def never(config):
        raise AssertionError("the folder has an owner")

    def asked(*line):
        code = program.main([*line, "--json"], never)
        said = alone.capture.readouterr()
        assert code == 0, said.err
        return json.loads(said.out)

    whose = ("--system", "urn:mrn:north", "--value", "mrn-0815")
    with served(alone) as first:
        assert httpx.get(f"http://127.0.0.1:{port}/health").json() == {"status": "ok"}
        assert asked("about")["member"] == "north"
        assert program.main(["serve"], never) == 1
        assert "node.owned" in alone.capture.readouterr().err
        page.goto(asked("hosting", "open", *whose)["link"])
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url("**/my/record")
        page.get_by_role("link", name="8867-4").click()
        page.get_by_text("72.50").first.wait_for()
        page.goto(f"http://localhost:{port}/passkeys")
        page.get_by_label("Name of the device").fill("Test device")
        page.keyboard.press("Enter")
        page.get_by_role("cell", name="Test device").wait_for()
        first.kill()
        first.wait()
    with served(alone) as second:  # takes over the socket that the killed one left
        page.goto(f"http://localhost:{port}/my/record")
        page.wait_for_url("**/sign-in")  # sessions end with the process
        page.get_by_role("button", name="Use my passkey").click()
        page.wait_for_url("**/my/record")
        page.get_by_role("link", name="8867-4").wait_for()
        assert len(asked("hosting", "list")["wallets"]) == 1
        second.send_signal(signal.SIGTERM)
        second.communicate(timeout=180)
        assert second.returncode == 0
    assert "Traceback" not in (alone.folder / "errors.txt").read_text()
    assert not list((alone.folder / "run").rglob("*.sock"))


def test_an_address_that_is_taken_is_told():
    with listen(Config(http=Http(port=0))) as taken, pytest.raises(Unavailable, match=r"node\.address"):
        listen(Config(http=Http(port=taken.getsockname()[1])))


def test_a_connection_sends_at_once():
    """An answer of two parts does not wait for what its caller's system delays."""
    with listen(Config(http=Http(port=0))) as listening, socket.create_connection(listening.getsockname()[:2]):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
