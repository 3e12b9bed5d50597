"""Server time of every main page at 10^5 resources: rendered in process, encrypted, journalled, without a browser."""

import os
import re
import tempfile
import time
from pathlib import Path
from statistics import quantiles

from starlette.applications import Starlette
from starlette.testclient import TestClient

from benches.bench_fhir import EACH, transaction
from salus.contracts.membership.port import Role
from salus.node.anchoring import anchor
from salus.node.fhir.answers import Request
from salus.node.fhir.policy import ADMINISTRATION
from salus.node.fhir.server import FhirServer
from salus.node.signing_in import caller_of
from salus.node.together import Clock, Founder, found_together
from salus.node.usecase import LOCAL_OPERATOR
from salus.portal.app import routes
from salus.portal.visiting import Pages

PATIENTS = int(os.environ.get("SALUS_BENCH_PATIENTS", "1000"))
ASKED = 40
P50_MS, P99_MS = 30, 150
PATHS = (
    "/patients",
    "/access",
    "/emergency",
    "/worklist",
    "/reviews",
    "/ledger",
    "/ledger/members",
    "/wallet",
    "/sign-in",
)


def run():
    """Return p50 and p99 of the pages together, and of the slowest one."""
    with tempfile.TemporaryDirectory() as folder:
        together = found_together(Path(folder), (Founder("north", "North Hospital", (Role.PROVIDER,)),), clock=Clock())
        try:
            return _measured(together.nodes["north"])
        finally:
            together.close()


def _measured(node):
    server = FhirServer(node)
    for number in range(PATIENTS):
        server.answer(LOCAL_OPERATOR, ADMINISTRATION, Request("POST", "", (), transaction(number)))
    anchor(node)
    browser = TestClient(Starlette(routes=routes(Pages(node, secure=False))), base_url="http://localhost")
    code = node.sessions.invite(*caller_of(node, "s-1", "physician", ("TREAT", "ETREAT")))
    browser.post("/sign-in", data={"code": code})
    token = re.search(
        r'action="/patients"[^>]*>\s*<input type="hidden" name="form" value="([^"]+)"', browser.get("/patients").text
    )[1]
    found = browser.post("/patients", data={"form": token, "name": "family20"})
    chart = re.search(r'href="(/chart/[^"/]+)"', found.text)[1]
    paths = (*PATHS, chart, f"{chart}/timeline", f"{chart}/results")
    times = {path.replace(chart, "/chart"): [_timed(browser, path) for _ in range(ASKED)] for path in paths}
    times["find"] = [_timed(browser, "/patients", {"form": token, "name": "family20"}) for _ in range(ASKED)]
    slowest, worst = max(((name, _cut(each)[98]) for name, each in times.items()), key=lambda one: one[1])
    every = _cut([one for each in times.values() for one in each])
    size = PATIENTS * EACH
    return [
        _figure(f"page, p50, {size} resources", every[49], P50_MS),
        _figure(f"page, p99, {size} resources", every[98], P99_MS),
        _figure(f"slowest page ({slowest}), p99, {size} resources", worst, P99_MS),
    ]


def _timed(browser, path, data=None):
    begun = time.perf_counter()
    sent = browser.post(path, data=data) if data else browser.get(path)
    taken = 1000 * (time.perf_counter() - begun)
    if sent.status_code != 200:
        raise RuntimeError(f"{path}: {sent.status_code}")
    return taken


def _cut(times):
    return quantiles(times, n=100, method="inclusive")


def _figure(name, value, most):
    return {"name": name, "value": round(value, 1), "unit": "ms", "limit": most, "ratio": round(value / most, 2), "budget": f"<= {most} ms", "met": value <= most}  # fmt: skip
