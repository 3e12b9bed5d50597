"""Verification of packs of a lot of a million, at random: answers signed, their proof, and over HTTP on one connection.

The rate is per CPU second of one core, the first answers from each case included. Over HTTP one caller asks one pack after
another; server and caller share the machine.
"""

import base64
import random
import tempfile
import threading
import time
from pathlib import Path

import httpx
import uvicorn

from salus.contracts.membership.port import Role
from salus.http.app import application, as_operator
from salus.http.listening import open_listener
from salus.http.vrs import routes
from salus.interop.gs1.elements import read_hri
from salus.node.demo import supply_members
from salus.node.supply import moving
from salus.node.supply.stock import product_of
from salus.node.supply.trading import GiveLicence, give_licence
from salus.node.supply.verification import verify
from salus.node.together import Clock, Founder, found_together

COUNT = 4_000
OVER_HTTP = 1_000
FOUNDERS = (Founder("board", "Board", (Role.REGULATOR,)), Founder("maker", "Maker", (Role.MANUFACTURER,)))
GTIN, LOT, EXPIRY = supply_members.GTIN, supply_members.LOT, supply_members.EXPIRY


def figure(name, value, unit, budget="", *, met=True):
    return {"name": name, "value": value, "unit": unit, "limit": None, "ratio": None, "budget": budget, "met": met}


def over_http(node, serials):
    """Return how long each question took, in ms, ascending."""
    app = application(node, (), as_operator, more=routes(node, as_operator))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    listening = open_listener("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    times = []
    with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}") as client:
        for serial in serials:
            start = time.perf_counter()
            told = client.get(f"/vrs/verify/gtin/{GTIN}/lot/{LOT}/ser/{serial}?exp={EXPIRY}").json()
            times.append((time.perf_counter() - start) * 1000)
            if not told["data"]["verified"] or len(base64.b64decode(told["proof"])) > 1024:
                raise SystemExit("a pack of the lot is not verified in 1 KB")
    server.should_exit = True
    thread.join()
    return sorted(times)


def run():
    with tempfile.TemporaryDirectory() as folder:
        together = found_together(Path(folder), FOUNDERS, clock=Clock())
        try:
            give_licence(together.nodes["board"], GiveLicence(member="maker", kinds=("maker",)))
            together.settle()
            node = together.nodes["maker"]
            moving.bring(node, product_of(GTIN, LOT, EXPIRY), supply_members.lot_box())
            together.settle()
            chosen = random.Random(7).sample(range(1_000_000), COUNT + OVER_HTTP)
            serials = [f"{number:07d}" for number in chosen]
            asked = [read_hri(f"(01){GTIN}(21){each}(10){LOT}(17){EXPIRY}") for each in serials[:COUNT]]
            verify(node, asked[0])
            start = time.process_time()
            answers = [verify(node, each) for each in asked]
            rate = COUNT / (time.process_time() - start)
            size = max(len(one.answered.proof) for one in answers)
            if not all(one.answered.verified for one in answers):
                raise SystemExit("a pack of the lot is not verified")
            times = over_http(node, serials[COUNT:])
        finally:
            together.close()
    p95 = times[len(times) * 95 // 100]
    return [
        figure(
            "packs of a lot of a million verified, signed", rate, "answers/s", ">= 2,000 answers/s", met=rate >= 2_000
        ),
        figure("largest proof of these", size, "bytes", "<= 1,024 bytes", met=size <= 1024),
        figure("verification over HTTP, p95", p95, "ms", "< 50 ms", met=p95 < 50),
    ]
