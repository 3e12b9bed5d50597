"""The use cases of one firm alone, over files as a command gives them."""

import re
from pathlib import Path

import pytest

from salus.cli.main import main
from salus.interop.epcis.document import read
from salus.interop.epcis.xml_writer import write_xml
from salus.node.config import Config
from salus.node.errors import Malformed
from salus.node.local import Bare
from salus.node.supply import check_events, match_delivery, trace_pack
from salus.node.supply.alone import CheckEvents, MatchDelivery, TracePack
from tests.agreements.supply.test_goods import LABEL, SCAN_CASE
from tests.interop.epcis.documents import CREATED, WHOLESALER, commissioning, document, packing, shipping

FILE = document(commissioning(48), packing(48), shipping())
OLD = write_xml(read(FILE), CREATED, "1.2")


@pytest.fixture
def node(tmp_path: Path) -> Bare:
    return Bare(Config(data=str(tmp_path / "data")))


@pytest.mark.parametrize("data", [FILE, OLD], ids=["json", "xml-1.2"])
def test_a_delivery_is_matched(node: Bare, data: bytes) -> None:
    scans = "\r\n".join(LABEL.format(number) for number in range(50)).encode()
    found = match_delivery(node, MatchDelivery(files=(data, data), scans=scans, receiver=WHOLESALER))
    assert found.summary == "50 received, 48 in the data, 2 exceptions"
    assert not found.sound
    assert all(each.startswith("overages 1-1A: https://id.gs1.org/01/") for each in found.exceptions)
    assert found.notes == ("3 events came more than once and were counted once",)
    assert match_delivery(node, MatchDelivery(files=(data,), scans=SCAN_CASE.encode())).sound


def test_a_tracing_request_is_answered(node: Bare) -> None:
    found = trace_pack(node, TracePack(files=(OLD,), identifier=LABEL.format(7)))
    assert found.found
    assert (found.lot, found.expiry, len(found.steps)) == ("L7", "2027-11-30", 3)
    assert re.match(r"2026-03-01T10:00:00.000Z shipping, inside https://id.gs1.org/00/", found.steps[2])
    assert "po urn:epcglobal:cbv:bt:0614141000005:42" in found.steps[2]
    assert not trace_pack(node, TracePack(files=(OLD,), identifier=LABEL.format(77))).found


def test_documents_are_checked_before_they_are_sent(node: Bare) -> None:
    found = check_events(node, CheckEvents(files=(FILE, OLD, b"{")))
    assert (found.sound, found.events) == (False, 6)
    assert found.hashes[:3] == found.hashes[3:]
    assert found.faults == ("document 3, the document: epcis.json, expected JSON in UTF-8",)


def test_bad_input_is_refused_in_the_words_of_the_edge(node: Bare) -> None:
    for ask in (
        lambda: match_delivery(node, MatchDelivery(files=(b"<a/>",), scans=b"")),
        lambda: match_delivery(node, MatchDelivery(files=(), scans=b"\xff")),
        lambda: match_delivery(node, MatchDelivery(files=(), scans=b"", receiver="urn:epc:id:pgln:1.2")),
        lambda: trace_pack(node, TracePack(files=(FILE,), identifier="(01)00312345678907")),
    ):
        with pytest.raises(Malformed) as refused:
            ask()
        assert refused.value.code.startswith("supply.")
        assert refused.value.expected


def test_it_is_one_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "asn.json").write_bytes(FILE)
    (tmp_path / "scans.txt").write_bytes(SCAN_CASE.encode())
    monkeypatch.setenv("SALUS_DATA", str(tmp_path / "data"))
    assert main(["supply", "match", "--files", "asn.json", "--scans", "scans.txt"]) == 0
    assert "48 received, 48 in the data, 0 exceptions" in capsys.readouterr().out
