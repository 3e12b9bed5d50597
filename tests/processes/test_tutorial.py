"""The blocks of the FHIR tutorial, as they stand: curl, fhirpy, fhirclient and fhir-kit-client against a served node.

Near: a node in this process and a token of the operator's, without the page's first two blocks, which take a program's
start each. Whole (`make soak`): all of them, against `salus serve`.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from salus.contracts.membership.port import Role
from salus.http import fhir, smart
from salus.http.app import application
from salus.http.listening import open_listener
from salus.http.person import PersonAuthenticator
from salus.node.fhir.server import FhirServer
from salus.node.smart.trying import AskToken, issue_token
from salus.node.ticking import Ticker
from salus.node.together import Clock, Founder, found_together
from tests.needs import tool
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorials" / "fhir-in-ten-minutes.md"
MODULES = Path(os.environ.get("NODE_MODULES", ROOT / ".venv" / "javascript" / "node_modules"))


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def sh(script, here, environment):
    ran = subprocess.run(
        ["sh", "-ec", script], cwd=here, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def left(script, here, environment):
    """Run shell blocks; return what they print, and the environment with what they export."""
    shown = sh(f"{script}\nenv > environment", here, environment)
    lines = (here / "environment").read_text().splitlines()
    told = dict(line.split("=", 1) for line in lines if line.startswith(("FHIR=", "TOKEN=", "PATIENT=")))
    return shown, {**environment, **told}


@contextmanager
def near(folder):
    """Serve a node from this process; yield what the page calls FHIR and TOKEN."""
    founders = (Founder("solo", "Solo Practice", (Role.PROVIDER,)),)
    together = found_together(folder / "members", founders, clock=Clock())
    node = together.nodes["solo"]
    listening = open_listener("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    people = smart.BearerAuthenticator(node, PersonAuthenticator(node))
    app = application(node, (), people, more=fhir.routes(FhirServer(node, address), people))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        with Ticker(node):
            asked = {"subject": "staff-0042", "scope": "user/*.cruds", "role": "physician", "purposes": ("TREAT",)}
            yield {"FHIR": f"{address}/fhir", "TOKEN": issue_token(node, AskToken(**asked)).token}
    finally:
        server.should_exit = True
        thread.join(120)
        together.close()


def check_clients(shown, here, environment):
    for expected in (
        '"fhirVersion":"4.0.1"', '"expression":["Patient.gender"]', '<family value="Muster"/>', '"code":"create"', "400",
    ):  # fmt: skip
        assert expected in shown
    assert re.search(r'"total":\d+', shown)

    def run(*command):
        ran = subprocess.run(
            command, cwd=here, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    fhirpy, fhirclient = blocks("python")
    assert run(sys.executable, "-c", fhirpy) == "[70, 80]\n"
    assert run(sys.executable, "-c", fhirclient) == "Muster [60, 70, 80]\n"
    if not shutil.which("node") or not (MODULES / "fhir-kit-client").is_dir():
        pytest.skip(
            "node or fhir-kit-client is not here: `make test` installs it by npm; NODE_MODULES names another place"
        )
    (here / "node_modules").symlink_to(MODULES)
    (here / "try.mjs").write_text(blocks("javascript")[0])
    assert run("node", "try.mjs") == "Muster [ 80, 70, 60 ]\n"


def test_clients_that_others_wrote_run_as_the_page_has_them(tmp_path):
    tool("curl")
    _, _, *asking = blocks("sh")
    with near(tmp_path) as told:
        shown, environment = left("\n".join(asking), tmp_path, {**os.environ, **told})
        check_clients(shown, tmp_path, environment)


@pytest.mark.soak
def test_the_whole_page_runs_against_a_served_node(tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    (here / "samples").symlink_to(ROOT / "samples")
    code = "import sys; from salus.cli.main import main; sys.exit(main())"
    (tmp_path / "salus").write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
    (tmp_path / "salus").chmod(0o755)
    address = f"http://127.0.0.1:{free_port()}"
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "SALUS_RUNTIME": str(tmp_path / "run"),
        "SALUS_HTTP_PORT": address.rpartition(":")[2],
        "SALUS_HTTP_PUBLIC_URL": address,
        "FHIR": f"{address}/fhir",
        "NO_COLOR": "1",
    }
    first, *others = blocks("sh")
    sh(first, here, environment)
    serving = subprocess.Popen(
        [tmp_path / "salus", "serve"], cwd=here, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert "serving" in serving.stdout.readline()
        shown, environment = left("\n".join(others), here, environment)
        check_clients(shown, here, environment)
    finally:
        serving.terminate()
        serving.wait(180)
        serving.stdout.close()
