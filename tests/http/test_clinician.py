"""A clinician over HTTP on a real node: a credential of the member, the own key's signature, and the journal's word."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.testclient import TestClient

from salus.client import api
from salus.client.node import Connection, Person, Refusal
from salus.http.app import application
from salus.http.person import PersonAuthenticator
from salus.node import people
from salus.node.config import Config, Http
from salus.node.disclosures import ListLines, list_lines
from salus.node.member import MemberNode
from salus.node.network import founding
from salus.node.opening import open_node
from salus.node.records.taking import ImportRecords, import_records
from salus.node.registry import use_cases
from tests.cli.conftest import FHIR

URL = "http://testserver"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemberNode]:
    folder = tmp_path_factory.mktemp("north")
    config = Config(member="north", data=str(folder), http=Http(public_url=URL))
    place: Any = open_node(config)
    made = founding.card(place, founding.MakeCard(name="North", roles=("provider",), jurisdiction="DE"))
    founding.found_network(place, founding.Found(network="lake-county", card=made.card, accept_forgetting=True))
    found = open_node(config)
    assert isinstance(found, MemberNode)
    (folder / "in.ndjson").write_text(FHIR)
    import_records(found, ImportRecords(paths=(str(folder / "in.ndjson"),), source="urn:ehr"))
    yield found
    found.close()


def clinician(node: MemberNode, monkeypatch: pytest.MonkeyPatch, role: str, *purposes: str) -> api.Salus:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    issued = people.issue_person(
        node, people.IssuePerson(subject="staff-7", role=role, purposes=purposes, key=public.hex())
    )
    shown = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
    connection = Connection(URL, person=Person(issued.credential, key.sign, shown, issued.thumbprint))
    connection.close()
    app = application(node, use_cases().values(), PersonAuthenticator(node))
    monkeypatch.setattr(connection, "_http", TestClient(app, base_url=URL))
    return api.Salus(connection)


def test_a_clinician_reads_and_the_journal_names_the_role(node: MemberNode, monkeypatch: pytest.MonkeyPatch) -> None:
    salus = clinician(node, monkeypatch, "physician", "TREAT")
    (found,) = salus.records.find(api.FindPatients(name="ada")).patients
    chart = salus.records.chart(api.ShowChart(link=found.link))
    assert "72.50" in salus.records.show(api.ShowRecord(number=chart.lines[0].number)).body
    line = list_lines(node, ListLines(link=found.link)).lines[-1]
    assert (line.person, line.role, line.purpose, line.action) == ("staff-7", "physician", "TREAT", "read")


def test_what_the_credential_is_not_for_is_refused_and_not_journalled(
    node: MemberNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    salus = clinician(node, monkeypatch, "physician", "TREAT")
    (found,) = salus.records.find(api.FindPatients(name="ada")).patients
    before = len(list_lines(node, ListLines(link=found.link)).lines)
    with pytest.raises(Refusal, match=r"person\.purpose"):
        salus.records.chart(api.ShowChart(link=found.link, purpose="HRESCH"))
    with pytest.raises(Refusal, match=r"http\.not-for-you"):
        salus.journal.lines(api.ListLines(link=found.link))
    with pytest.raises(Refusal, match=r"http\.not-for-you"):
        salus.records.import_(api.ImportRecords(paths=("/etc",), source="urn:x"))
    with pytest.raises(Refusal, match=r"http\.not-for-you"):
        salus.person.issue(api.IssuePerson(subject="s", role="r", purposes=("TREAT",), key="0" * 64))
    assert len(list_lines(node, ListLines(link=found.link)).lines) == before


def test_an_officer_accounts_for_disclosures(node: MemberNode, monkeypatch: pytest.MonkeyPatch) -> None:
    salus = clinician(node, monkeypatch, "privacy-officer", "HOPERAT")
    link = node.vault.find_link("urn:mrn:north", "mrn-0815")
    assert link is not None
    assert salus.journal.lines(api.ListLines(link=link.hex())).lines
    assert salus.erasure.list(api.ListErasures()).cases == ()
