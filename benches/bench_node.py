"""A member's node end to end: files taken in, a patient's records pulled at another member, a revocation in force."""

import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import Any

from salus.agreements.grants import Document
from salus.contracts.membership.port import Role
from salus.index.index import Choice
from salus.node.demo.samples import samples_folder
from salus.node.errors import EdgeError
from salus.node.exchange.grantee import fetch, require_live
from salus.node.records.intake import Intake
from salus.node.together import Clock, Founder, Together, found_together
from salus.vault.wallet import Share

PULLED = 2_000
REVOCATIONS = 20
DAY_MS = 24 * 3600 * 1000
CLASSES = ("general", "laboratory")
Figure = dict[str, Any]


def figure(name: str, value: float, unit: str, limit: float, budget: str, *, at_least: bool = False) -> Figure:
    """Return a figure against a fixed limit."""
    met = value >= limit if at_least else value <= limit
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "limit": limit,
        "ratio": round(value / limit, 3),
        "budget": budget,
        "met": met,
    }


def observations(folder: Path) -> Path:
    """Write one patient with 1,999 observations of about 2 KB."""
    lines = ['{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:bench","value":"patient-1"}]}']
    filler = "x" * 1_700
    lines += [
        f'{{"resourceType":"Observation","id":"o{n}","status":"final","subject":{{"reference":"Patient/p1"}},'
        f'"effectiveDateTime":"2025-01-{n % 28 + 1:02}","code":{{"coding":[{{"system":"http://loinc.org",'
        f'"code":"8867-4"}}],"text":"{filler}"}},"valueQuantity":{{"value":{n}.5,"unit":"/min"}}}}'
        for n in range(PULLED - 1)
    ]
    path = folder / "one-patient.ndjson"
    path.write_text("\n".join(lines))
    return path


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        founders = (
            Founder("north", "North", (Role.PROVIDER,)),
            Founder("clinic", "Clinic", (Role.PROVIDER,)),
            Founder("lake", "Lake", (Role.PROVIDER,)),
            Founder("hill", "Hill", (Role.PROVIDER,)),
        )
        together = found_together(folder / "members", founders, clock=Clock())
        try:
            return [imported(together), *pulled(together, folder)]
        finally:
            together.close()


def imported(together: Together) -> Figure:
    start = time.perf_counter()
    names = ("north-hospital", "lake-clinic", "hill-practice")
    paths = [samples_folder() / f"{name}.ndjson.gz" for name in names]
    report = Intake(together.nodes["lake"], "urn:bench").run(paths)
    rate = report.resources / (time.perf_counter() - start)
    return figure("samples taken in, sealed, indexed, anchored", rate, "1/s", 2_000, ">= 2,000/s", at_least=True)


def pulled(together: Together, folder: Path) -> list[Figure]:
    north, clinic = together.nodes["north"], together.nodes["clinic"]
    Intake(north, "urn:bench").run([observations(folder)])
    link = north.vault.find_link("urn:bench", "patient-1") or b""
    holder = together.holder()
    holder.join("north", north.vault.invite(link))

    def granted() -> bytes:
        now = together.clock()
        document = Document(1, together.owner.network, "clinic", (), ("TREAT",), now, now + 30 * DAY_MS, ())
        grant = holder.grant(document, [Share("north", CLASSES)], through="north")
        together.settle()
        return grant

    grant = granted()
    start = time.perf_counter()
    fetched = fetch(clinic, grant, "TREAT")
    seconds = time.perf_counter() - start
    if fetched.records != PULLED:
        raise RuntimeError(f"{fetched.records} of {PULLED} records came: {fetched.failures}")
    start = time.perf_counter()
    require_live(clinic, grant)
    page = clinic.index.chart([clinic.vault.open_lease(grant)], Choice(limit=PULLED))
    reopened = (time.perf_counter() - start) * 1000
    if page.total != PULLED:
        raise RuntimeError(f"{page.total} of {PULLED} rows are there")
    spent = [revoked(together, holder, granted()) for _ in range(REVOCATIONS)]
    return [
        figure("2,000 records of one patient pulled, verified, indexed", seconds, "s", 2.0, "<= 2 s"),
        figure("2,000 records of one patient reopened", reopened, "ms", 200, "<= 200 ms"),
        figure("revocation in force on four replicas, p95", quantiles(spent, n=20)[-1], "s", 2.0, "<= 2 s"),
    ]


def revoked(together: Together, holder: Any, grant: bytes) -> float:
    """Return the seconds from the patient's word to the refusal at every replica."""
    start = time.perf_counter()
    carried = holder.stop(grant, through="north")
    for node in together.nodes.values():
        node.wait_for(carried.height)
    seconds = time.perf_counter() - start
    try:
        require_live(together.nodes["clinic"], grant)
    except EdgeError:
        return seconds
    raise RuntimeError("a revoked grant is live")
