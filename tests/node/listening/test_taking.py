"""Messages at a node: written as a hospital's record, acknowledged once durable, held where a person must look."""

import asyncio
import json

import msgspec
import pytest

from salus.http.mllp import MllpServer
from salus.interop.hl7v2.message import read
from salus.interop.hl7v2.mllp import Frames, framed
from salus.node.config import Hl7
from salus.node.errors import Conflict, NotFound
from salus.node.fhir.policy import ADMINISTRATION
from salus.node.fhir.server import FhirServer
from salus.node.listening.browsing import Drop, ListMessages, Replay, ShowMessage, drop, list_messages, replay, show
from salus.node.listening.taking import REMEMBERED_MS, Taking
from salus.node.usecase import LOCAL_OPERATOR
from tests.interop.hl7v2.test_convert import ADT, ORU
from tests.node.fhir.conftest import Asker, together  # noqa: F401 -- a fixture

HL7 = Hl7(zone="+01:00", authorities="NORTH=urn:oid:1.2.3")


@pytest.fixture
def north(together):  # noqa: F811
    node = together.nodes["north"]
    node.config = msgspec.structs.replace(node.config, hl7=HL7)
    return node


@pytest.fixture
def taking(north):
    return Taking(north, FhirServer(north))


@pytest.fixture
def records(north):
    return Asker(FhirServer(north), LOCAL_OPERATOR, ADMINISTRATION)


def code(answer):
    return read(answer).first("MSA").text(1)


def total(records, question):
    return records.get(f"{question}{'&' if '?' in question else '?'}_summary=count")["total"]


def test_an_admission_and_its_results_are_one_patients_record(taking, records):
    assert code(taking.take(ADT)) == "AA"
    assert code(taking.take(ORU)) == "AA"
    assert total(records, "Patient") == 1
    (patient,) = records.get("Patient?identifier=urn:oid:1.2.3|4711")["entry"]
    name = f"Patient/{patient['resource']['id']}"
    assert total(records, f"Observation?subject={name}&status=final") == 3
    assert total(records, f"Encounter?subject={name}&class=IMP") == 1
    (report,) = records.get(f"DiagnosticReport?subject={name}")["entry"]
    assert all(one["reference"].startswith("Observation/") for one in report["resource"]["result"])
    assert total(records, "Provenance") == 2


def test_the_same_message_again_is_acknowledged_and_not_taken_twice(taking, records):
    for _ in range(2):
        assert code(taking.take(ORU)) == "AA"
    assert total(records, "Provenance") == 1
    assert code(taking.take(ORU.replace(b"5.40", b"5.50"))) == "AA"  # a used control id with other content
    assert total(records, "Provenance") == 2


def test_a_result_changes_no_demographics(taking, records):
    taking.take(ADT)
    taking.take(ORU.replace(b"Muster^Ada", b"Other^Name"))
    (patient,) = records.get("Patient")["entry"]
    assert patient["resource"]["name"][0]["family"] == "Muster"


@pytest.mark.parametrize(
    ("later", "kept"),
    [
        (
            ORU.replace(b"||CH|F", b"||CH|P").replace(b"5.40", b"9.99").replace(b"|F\r", b"|P\r"),
            "5.40",
        ),  # a lower status
        (ORU.replace(b"113000", b"103000").replace(b"5.40", b"9.99"), "5.40"),  # an older one
        (ORU.replace(b"113000", b"123000").replace(b"5.40", b"9.99"), "9.99"),
        (ORU.replace(b"||CH|F", b"||CH|C").replace(b"5.40", b"9.99"), "9.99"),  # corrected
    ],
)
def test_a_lower_or_older_report_never_replaces_a_higher_one(taking, records, later, kept):
    taking.take(ORU)
    assert code(taking.take(later.replace(b"MSG2", b"MSG9"))) == "AA"
    body = records("GET", "Observation?code=http://loinc.org|2345-7").body
    assert f'"value":{kept}'.encode() in body.replace(b" ", b"")
    assert total(records, "DiagnosticReport") == 1


def test_an_order_number_that_a_message_has_twice_is_held_and_loses_no_report(north, taking, records):
    """The second would replace the first of them, and, of an older message, ended the thread that took it."""
    order = next(one for one in ORU.split(b"\r") if one.startswith(b"OBR"))
    twice = (ORU + b"\r" + order.replace(b"24323-8^Chemistry", b"58410-2^Blood")).replace(b"MSG2", b"MSG9")
    assert [code(taking.take(one)) for one in (ORU, twice, twice.replace(b"113000", b"103000"))] == ["AA", "AE", "AE"]
    assert {line.reason for line in list_messages.run(north, ListMessages()).messages if line.reason} == {"OBR-3 205"}
    assert total(records, "DiagnosticReport?code=http://loinc.org|24323-8") == 1


def test_what_is_refused_is_held_and_can_be_replayed(north, taking, records):
    merge = ADT.replace(b"ADT^A01", b"ADT^A40")
    broken = ORU.replace(b"P1^LIS|F1^LIS", b"|")
    assert [code(taking.take(one)) for one in (merge, broken, b"nonsense")] == ["AR", "AE", "AR"]
    lines = list_messages.run(north, ListMessages()).messages
    assert {line.reason for line in lines} == {"MSH-9 201", "OBR-3 101", "MSH 100"}
    assert total(records, "Patient") == 0
    held = next(line for line in lines if line.kind == "ORU^R01")
    assert any("Glucose" in one for one in show.run(north, ShowMessage(id=held.id)).segments)
    assert replay.run(north, Replay()).taken == 0


def test_a_message_held_for_a_fault_of_the_configuration_is_taken_when_replayed(north, taking, records):
    north.config = msgspec.structs.replace(north.config, hl7=msgspec.structs.replace(HL7, test_system=True))
    assert code(taking.take(ORU)) == "AR"
    north.config = msgspec.structs.replace(north.config, hl7=HL7)
    told = replay.run(north, Replay())
    assert (told.taken, told.held, total(records, "DiagnosticReport")) == (1, (), 1)
    assert list_messages.run(north, ListMessages()).messages == ()


def test_a_held_message_can_be_dropped_and_its_bytes_go(north, taking):
    taking.take(b"nonsense")
    (line,) = list_messages.run(north, ListMessages()).messages
    assert drop.run(north, Drop(id=line.id, reason="interface test")).line.state == "dropped"
    assert show.run(north, ShowMessage(id=line.id)).segments == ()
    with pytest.raises(Conflict):
        drop.run(north, Drop(id=line.id, reason="again"))
    with pytest.raises(NotFound):
        show.run(north, ShowMessage(id="00" * 16))


def test_a_test_message_is_refused_by_a_live_node_and_taken_by_a_test_system(north, taking):
    tested = ORU.replace(b"|P|2.5.1", b"|T|2.5.1")
    assert code(taking.take(tested)) == "AR"
    north.config = msgspec.structs.replace(north.config, hl7=msgspec.structs.replace(HL7, test_system=True))
    assert code(taking.take(tested)) == "AA"


def test_nothing_personal_is_kept_of_a_message_taken(north, taking):
    taking.take(ADT)
    (line,) = list_messages.run(north, ListMessages(state="taken")).messages
    told = json.dumps(msgspec.to_builtins(line))
    assert not any(word in told for word in ("Muster", "4711", "Bonn"))
    assert north.desk.letter(bytes.fromhex(line.id)).body == b""


def test_what_is_known_of_messages_taken_is_forgotten_after_a_month(north, taking):
    def states():
        found = [list_messages.run(north, ListMessages(state=state)).messages for state in ("taken", "held")]
        return tuple(len(lines) for lines in found)

    taking.take(ADT)
    taking.take(b"nonsense")
    north.ports.clock.advance(REMEMBERED_MS - 60_000)
    taking.take(ORU)
    assert states() == (2, 1)
    north.ports.clock.advance(60_000)
    taking.take(ORU.replace(b"5.40", b"5.50"))
    assert states() == (2, 1)


def test_over_a_socket_in_pieces_each_message_is_answered(taking):
    async def talk():
        async with await MllpServer(taking.take).serve("127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            stream = framed(ADT) + framed(ORU)
            for at in range(0, len(stream), 100):
                writer.write(stream[at : at + 100])
                await writer.drain()
            frames, answers = Frames(), []
            while len(answers) < 2:
                answers += frames.feed(await asyncio.wait_for(reader.read(4096), 60))
            writer.close()
            return answers

    assert [code(answer) for answer in asyncio.run(talk())] == ["AA", "AA"]


def test_a_connection_that_drips_is_closed_and_a_fault_tells_only_its_kind(capsys):
    async def dripping(server_of):
        async with await server_of.serve("127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            writer.write(b"\x0bMSH")
            told = await asyncio.wait_for(reader.read(), 60)
            writer.close()
            return told

    assert asyncio.run(dripping(MllpServer(lambda _: b"", frame_seconds=0.2))) == b""

    def broken(frame):
        raise ValueError(frame.decode())

    async def failing():
        async with await MllpServer(broken).serve("127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            writer.write(framed(b"MSH|Muster"))
            told = await asyncio.wait_for(reader.read(), 60)
            writer.close()
            return told

    assert asyncio.run(failing()) == b""
    told = capsys.readouterr()
    assert "Muster" not in told.out + told.err
