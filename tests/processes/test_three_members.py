"""Three members in three processes, a patient's wallet on the command line, and what each can prove afterwards."""

import base64
import json
import ssl
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from joserfc import jwe
from joserfc.jwk import OctKey

from salus.core.proof.cli import main as verify
from tests.processes.members import Member, certificate, member

pytestmark = pytest.mark.unmeasured

if TYPE_CHECKING:
    import subprocess

FHIR = (
    '{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mrn:%s","value":"4711"}],'
    '"name":[{"family":"Marigold","given":["Ada"]}],"birthDate":"1970-05-05"}\n'
    '{"resourceType":"Observation","id":"o1","status":"final","subject":{"reference":"Patient/p1"},'
    '"effectiveDateTime":"2026-02-03","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},'
    '"valueQuantity":{"value":72.50,"unit":"/min"}}\n'
)
ENDED = 60.0


@pytest.fixture
def network(tmp_path: Path) -> Iterator[dict[str, Member]]:
    tls = certificate(tmp_path)
    north = member(tmp_path, "north", tls=tls)
    members = {"north": north, **{id_: member(tmp_path, id_, north, tls) for id_ in ("south", "clinic")}}
    try:
        cards = [
            one.told(
                *("network", "card", "--name", f"{one.id} Hospital", "--roles", "provider", "--jurisdiction", "DE"),
                *("--endpoint", f"https://127.0.0.1:{one.port}"),
            )["card"]
            for one in members.values()
        ]
        others = [part for card in cards[1:] for part in ("--others", card)]
        founded = north.told("network", "found", "--network", "lake-county", "--card", cards[0], *others)
        north.serve()
        for id_ in ("south", "clinic"):
            members[id_].told("network", "join", "--network", founded["network"])
            members[id_].serve()
        yield members
    finally:
        codes = [one.end() for one in reversed(members.values())]
    assert codes == [0, 0, 0]


class Wallet:
    """The wallet of a patient on a machine that has no node."""

    def __init__(self, folder: Path, network: dict[str, Member], trust: str) -> None:
        self._member = network["clinic"]
        self.folder = folder / "patient"
        self.folder.mkdir(mode=0o700)
        (self.folder / "trust.json").write_text(trust)
        (self.folder / "words").write_text("correct horse battery staple")
        self.told("new", "--trust", "trust.json")

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        home, self._member.home = self._member.home, self.folder
        try:
            return self._member.run("wallet", *arguments, "--passphrase-file", "words", "--json")
        finally:
            self._member.home = home

    def told(self, *arguments: str) -> Any:
        ran = self.run(*arguments)
        assert ran.returncode == 0, f"{arguments[:1]}: {ran.stderr}"
        return json.loads(ran.stdout)


def until(holds: Callable[[], bool]) -> None:
    """Wait for what a running node does by itself."""
    end = time.monotonic() + ENDED
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.3)


def a_sheet_brings_the_wallet_back(wallet: Wallet, north: Member, south: Member) -> None:
    made = wallet.told("sheet")
    assert made["members"] == ["north", "south"]
    again = ("restore", "--trust", "trust.json", "--wallet", "new.salus", "south", "--url", url_of(south))
    wrong = made["sheet"].translate(str.maketrans("0123456789", "1032547698"))
    for code in (made["sheet"][:-5], wrong):
        (wallet.folder / "sheet").write_text(code)
        refused = wallet.run(*again, "--sheet", "sheet")
        assert (refused.returncode, refused.stderr.partition(":")[0]) in {
            (1, "wallet.sheet"),
            (1, "wallet.sheet-unknown"),
        }
        assert not (wallet.folder / "new.salus").exists()
    (wallet.folder / "sheet").write_text(made["sheet"] + "\n")
    back = wallet.told(*again, "--sheet", "sheet")
    assert (back["members"], back["grants"]) == (["north", "south"], 1)
    assert wallet.told("grants", "--wallet", "new.salus") == wallet.told("grants")
    assert made["sheet"] not in south.log.read_text() + north.log.read_text()


def a_health_link_opens_for_who_has_it(wallet: Wallet, north: Member, chain: Path) -> None:
    with httpx.Client(verify=ssl.create_default_context(cafile=chain)) as client:
        fetched_by_a_pharmacy(wallet, north, client)


def fetched_by_a_pharmacy(wallet: Wallet, north: Member, client: httpx.Client) -> None:
    made = wallet.told("health-link", "--types", "Observation", "--days", "1", "--member", "north")
    told = json.loads(unbase64(made["link"].removeprefix("shlink:/")))
    assert (made["records"], told["flag"]) == (2, "U")
    assert client.get(told["url"]).status_code == 400  # who asks has to say who it is
    for count in (1, 2):
        fetched = client.get(told["url"], params={"recipient": "A pharmacy"})
        (line,) = wallet.told("health-links")["links"]
        assert (fetched.status_code, line["member"], line["fetched"]) == (200, "north", count)
    opened = jwe.decrypt_compact(fetched.text, OctKey.import_key(unbase64(told["key"])))
    shared = json.loads(opened.plaintext)
    assert {one["resource"]["resourceType"] for one in shared["entry"]} == {"Observation"}
    assert wallet.told("end-health-link", line["id"]) == {"member": "north"}
    assert client.get(told["url"], params={"recipient": "A pharmacy"}).status_code == 404
    assert wallet.run("end-health-link", line["id"]).stderr.startswith("health-link.none:")
    assert "A pharmacy" not in north.log.read_text()


def unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def url_of(one: Member) -> str:
    return one.environment["SALUS_HTTP_PUBLIC_URL"]


def test_a_patient_shares_reads_the_log_and_stops(network: dict[str, Member], tmp_path: Path) -> None:
    north, south, clinic = network.values()
    for one in (north, south):
        (one.home / "in.ndjson").write_text(FHIR % one.id)
        assert one.told("records", "import", "in.ndjson", "--source", f"urn:ehr:{one.id}")["stored"] == 2
    until(lambda: len(south.told("network", "status")["cosigned_by"]) == 3)
    wallet = Wallet(tmp_path, network, north.told("network", "trust")["trust"])
    for one in (north, south):
        invited = one.told("link", "invite", "--system", f"urn:mrn:{one.id}", "--value", "4711")
        assert wallet.told("join", invited["invitation"])["member"] == one.id

    asked = clinic.told("access", "ask", "--classes", "general", "--classes", "laboratory")
    assert wallet.told("request", asked["code"])["name"] == "clinic Hospital"
    grant = wallet.told("grant", asked["code"], "--days", "30")["grant"]
    until(lambda: [one["grant"] for one in clinic.told("access", "list")["requests"]] == [grant])
    pulled = clinic.told("access", "pull", grant)
    assert (pulled["records"], pulled["custodians"], pulled["failures"]) == (4, ["north", "south"], [])
    chart = clinic.told("records", "chart", "--grant", grant)
    assert (chart["total"], {line["origin"] for line in chart["lines"]}) == (4, {"lease"})

    until(lambda: all(line["proven"] for line in wallet.told("log", "--export", "log.json")["lines"]))
    told = {(line["told_by"], line["action"]) for line in wallet.told("log")["lines"]}
    assert told == {("north", "serve"), ("south", "serve"), ("clinic", "pull"), ("clinic", "chart")}
    assert verify(["--trust", str(wallet.folder / "trust.json"), str(wallet.folder / "log.json")]) == 0

    assert [line["records"] for line in wallet.told("check")["members"]] == [2, 2]
    assert wallet.told("records", "--export", "mine.json")["records"] == 4
    assert b'"value":72.50' in (wallet.folder / "mine.json").read_bytes()
    assert all(line["kept"] for line in wallet.told("keep")["members"])
    assert wallet.told("bring-back", "south")["grants"] == 1
    a_sheet_brings_the_wallet_back(wallet, north, south)
    a_health_link_opens_for_who_has_it(wallet, north, tmp_path / "tls.pem")

    wallet.told("stop", grant)
    until(lambda: [one["standing"] for one in clinic.told("access", "list")["grants"]] == ["ended"])
    refused = clinic.run("access", "pull", grant)
    assert (refused.returncode, refused.stderr.partition(":")[0]) in {(1, "lease.ended"), (1, "grant.not-held")}
    assert [one["standing"] for one in wallet.told("grants")["grants"]] == ["stopped"]
    for one in network.values():
        assert stat.S_IMODE((one.home / "data").stat().st_mode) == 0o700
        assert "Marigold" not in one.log.read_text()
