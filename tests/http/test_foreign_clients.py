"""Clients that others wrote, unmodified, against the server: fhirpy, SMART's fhirclient, and mllp_send of hl7."""

import asyncio
import contextlib
import io
import sys
import threading
import time

import fhirpy
import hl7.client
import pytest
import uvicorn
from fhirclient import client as smart
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient

from salus.http.app import application, as_operator
from salus.http.fhir import routes
from salus.http.listening import open_listener
from salus.http.mllp import MllpServer
from salus.node.fhir.server import FhirServer
from salus.node.listening.taking import Taking
from tests.interop.hl7v2.test_convert import ADT, ORU
from tests.node.fhir.conftest import together  # noqa: F401 -- a fixture


@pytest.fixture
def url(together):  # noqa: F811
    """Serve a hospital's FHIR API to its operator on a port of this machine."""
    listening = open_listener("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    node = together.nodes["north"]
    app = application(node, (), as_operator, more=routes(FhirServer(node, address), as_operator))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"{address}/fhir"
    server.should_exit = True
    thread.join(60)


def observation(who, value):
    return {
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": who,
        "valueQuantity": {"value": value, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
    }


def test_fhirpy_creates_finds_changes_and_deletes(url):
    client = fhirpy.SyncFHIRClient(url)
    patient = client.resource("Patient", name=[{"family": "Muster", "given": ["Ada"]}], birthDate="1980-02-29")
    patient.save()
    assert patient["id"]
    for value in (60, 70, 80):
        client.resource("Observation", **observation(patient.to_reference(), value)).save()
    found = client.resources("Observation").search(patient=patient["id"], code="http://loinc.org|8867-4")
    assert found.count() == 3
    assert sorted(one["valueQuantity"]["value"] for one in found.limit(2).fetch_all()) == [60, 70, 80]
    patient["gender"] = "female"
    patient.save()
    assert client.resources("Patient").search(gender="female").first()["id"] == patient["id"]
    included = (
        client.resources("Observation").search(patient=patient["id"]).include("Observation", "subject").fetch_raw()
    )
    assert {entry["resource"]["resourceType"] for entry in included["entry"]} == {"Observation", "Patient"}
    one = found.first()
    one.delete()
    assert found.count() == 2
    with pytest.raises(fhirpy.base.exceptions.ResourceNotFound):
        client.reference("Patient", "no-such-one").to_resource()
    with pytest.raises(fhirpy.base.exceptions.OperationOutcome, match="value set"):
        client.resource("Patient", gender="F").save()


def test_fhirclient_reads_what_was_written(url):
    fhirpy.SyncFHIRClient(url).resource("Patient", name=[{"family": "Muster"}]).save()
    server = smart.FHIRClient(settings={"app_id": "salus-tests", "api_base": url}).server
    (patient,) = Patient.where(struct={"family": "muster"}).perform_resources_iter(server)
    assert patient.name[0].family == "Muster"
    made = Observation(observation({"reference": f"Patient/{patient.id}"}, 61))
    assert made.create(server)["id"]
    (again,) = Observation.where(struct={"subject": f"Patient/{patient.id}"}).perform_resources_iter(server)
    assert again.valueQuantity.value == 61
    assert Patient.read(patient.id, server).id == patient.id


def test_mllp_send_of_hl7_gets_an_acknowledgement_for_each_message(together, tmp_path, monkeypatch):  # noqa: F811
    node = together.nodes["north"]
    file = tmp_path / "messages.hl7"
    file.write_bytes(b"".join(b"\x0b" + one + b"\x1c\r" for one in (ADT, ORU)))

    async def talk():
        async with await MllpServer(Taking(node, FhirServer(node)).take).serve("127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            arguments = ["mllp_send", "--port", str(port), "--file", str(file), "127.0.0.1"]
            monkeypatch.setattr(sys, "argv", arguments)
            told = io.TextIOWrapper(io.BytesIO())
            with contextlib.redirect_stdout(told):
                await asyncio.to_thread(hl7.client.mllp_send)
            told.flush()
            return told.buffer.getvalue().decode()

    answers = asyncio.run(talk())
    assert answers.count("MSA|AA") == 2
