"""The chapter of the supply chain, told on the samples and on a folder of one's own."""

import gzip
from pathlib import Path

import pytest

from salus.node.demo import supply, supply_members
from salus.node.demo.report import page
from salus.node.demo.samples import samples_folder
from salus.node.demo.telling import StoryEnds, Telling
from salus.node.errors import NotFound
from tests.agreements.supply.test_goods import SCAN_CASE
from tests.interop.epcis.documents import commissioning, document, packing, shipping


@pytest.fixture(autouse=True)
def _fewer_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supply_members, "PALLETS", 2)
    monkeypatch.setattr(supply_members, "CASES", 30)


def told(folder: Path, source: Path | None) -> Telling:
    telling = Telling("supply", folder)
    supply.CHAPTER.tell(telling, source)
    return telling


def test_every_step_holds_on_the_samples(tmp_path: Path) -> None:
    telling = told(tmp_path, None)
    assert telling.held, [step.failures for step in telling.steps]
    assert len(telling.steps) == 12
    assert [stop.name for stop in telling.way] == ["Maker", "Repackager", "South Wholesale", "City Hospital"]
    drawn = page(telling, 1.0)
    assert drawn.count("<rect") >= 4
    assert "repackaged into lot R1" in drawn
    assert "http" not in drawn.split("<svg")[1].split("</svg>")[0]


def test_a_difference_that_nobody_planted_fails_the_chapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = tmp_path / "samples"
    samples.mkdir()
    for path in samples_folder().glob("supply-*.gz"):
        (samples / path.name).write_bytes(path.read_bytes())
    scans = samples / "supply-scans.txt.gz"
    scans.write_bytes(gzip.compress(b"\n".join(gzip.decompress(scans.read_bytes()).split(b"\n")[1:])))
    monkeypatch.setattr(supply, "samples_folder", lambda: samples)
    monkeypatch.setattr(supply_members, "tell", lambda _: None)
    assert not told(tmp_path, None).held


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        told(tmp_path, tmp_path)
    (tmp_path / "a.json").write_bytes(document(commissioning(), packing(), shipping()))
    (tmp_path / "scans.txt").write_bytes(SCAN_CASE.encode())
    telling = told(tmp_path, tmp_path)
    assert telling.held
    assert telling.steps[1].figures["verdict"] == "50 received, 50 in the data, 0 exceptions"
    assert telling.steps[-4].figures == {"lots": "1", "packs": "50"}
    assert len(telling.way) == 3
    (tmp_path / "b.xml").write_bytes(b"<a/>")
    with pytest.raises(StoryEnds):
        told(tmp_path, tmp_path)
