"""Journeys over two organisations' pages: ask, share, read, see the access, stop; an emergency and its review."""

from salus.node.emergencies import ListEmergencies, list_emergencies
from tests.portal.conftest import form, links


def test_a_patient_shares_is_read_sees_it_and_stops(north, clinic) -> None:
    physician, patient = clinic.staff(), north.patient()
    page = physician.get("/access")
    shown = physician.post("/access", data={**form(page.text, "/access"), "purpose": "TREAT", "class": ["general"]})
    assert "<svg" in shown.text
    code = shown.text.split('<pre tabindex="0">')[1].split("</pre>")[0]
    wallet = north.wallet
    wallet.holder.answer(wallet.holder.read_request(code), days=30, through="north")
    north.together.settle()

    page = physician.get("/access")
    pulled = physician.post("/access/pull", data=form(page.text, "/access/pull"))
    assert "from: North Hospital" in pulled.text
    chart = links(pulled.text, "/chart/")[0]
    assert "73.50" in physician.get(f"{chart}/results").text

    looked = patient.get("/my/looked")
    assert "physician-1" in looked.text
    assert "keeps your keys" in looked.text
    sharing = patient.get("/my/sharing")
    token = form(sharing.text, "/my/stop")
    stopped = patient.post("/my/stop", data=token)
    assert "Nobody but those who wrote" in stopped.text
    again = patient.post("/my/stop", data=token)  # a second click, or the back button
    assert (again.status_code, again.url.path) == (200, "/my/sharing")
    north.together.settle()
    refused = physician.get(f"{chart}/results")
    assert refused.status_code in {403, 404}
    assert "73.50" not in refused.text


def test_an_emergency_is_opened_once_shown_to_one_session_and_reviewed(north, clinic) -> None:
    physician = clinic.staff()
    page = physician.get("/emergency")
    asked = {
        **form(page.text, "/emergency"),
        "name": "ada canary",
        "birth_date": "1970-05-05",
        "reason": "unconscious",
        "at": ["north"],
    }
    first = physician.post("/emergency", data=asked)
    second = physician.post("/emergency", data=asked)  # a double click
    assert first.url == second.url
    assert "Heart rate" in first.text
    opened = list_emergencies.run(clinic.node, ListEmergencies()).emergencies
    assert len(opened) == 1
    assert clinic.staff().get(first.url.path).status_code == 404
    assert "Emergency access" in north.patient().get("/my/looked").text

    record = physician.get(links(first.text, "/record/")[-1])
    assert (record.status_code, f'href="{first.url.path}"' in record.text) == (200, True)
    assert first.text.index("Allergies") < first.text.index("Results")

    queue = physician.get("/reviews")
    assert ("The patient is unconscious" in queue.text, "Physician physician-1" in queue.text) == (True, True)
    sent = physician.post("/emergency/review", data={**form(queue.text, "/emergency/review"), "findings": "in order"})
    assert ">reviewed<" in sent.text
    assert list_emergencies.run(clinic.node, ListEmergencies()).emergencies[0].status == "reviewed"


def test_an_emergency_is_not_for_every_credential(clinic) -> None:
    nurse = clinic.staff("nurse", ("TREAT",))
    assert "not for emergencies" in nurse.get("/emergency").text


def test_a_member_that_cannot_be_reached_is_said_and_nothing_is_half_done(north, clinic) -> None:
    physician = clinic.staff()
    page = physician.get("/emergency")
    down = north.node.endpoint_of("north")
    north.together.transport.down.add(down)
    try:
        asked = {"name": "ada canary", "birth_date": "1970-05-05", "reason": "unconscious", "at": ["north"]}
        sent = physician.post("/emergency", data={**form(page.text, "/emergency"), **asked})
    finally:
        north.together.transport.down.remove(down)
    said = ("North Hospital does not answer", "ask there by telephone", "No record came")
    assert (sent.status_code, *(one in sent.text for one in said)) == (200, True, True, True)


def test_the_patients_record_is_listed_and_shown_with_its_original(north) -> None:
    patient = north.patient()
    page = patient.get("/my/record", params={"kind": "Observation"})
    assert "Heart rate" in page.text
    one = patient.get(links(page.text, "/my/record/")[0])
    assert "73.50" in one.text
    assert "&lt;script&gt;" in patient.get("/my/record").text
