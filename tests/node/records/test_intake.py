"""Files that are broken, false or too large: each is a counted refusal, and what else lies in the folder is taken in."""

import gzip
from pathlib import Path

import pytest

from salus.node.records import intake
from salus.node.records.intake import Intake
from tests.attacks.scene import scene

PATIENT = b'{"resourceType":"Patient","id":"%s"}'


@pytest.fixture(scope="module")
def north(tmp_path_factory):
    found = scene(tmp_path_factory.mktemp("intake"))
    yield found.north
    found.together.close()


def taken(node, folder: Path, files: dict[str, bytes]):
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return Intake(node, f"urn:source:{folder.name}").run([folder])


@pytest.mark.parametrize("name", ["Patient.json.gz", "Patient.ndjson.gz"])
@pytest.mark.parametrize(
    "broken",
    [
        gzip.compress(PATIENT % b"cut" * 99)[:-12],
        PATIENT % b"false",
        gzip.compress(PATIENT % b"bad")[:10] + b"\xff" * 30,
    ],
    ids=["cut", "false", "garbled"],
)
def test_a_file_that_does_not_unpack_is_counted_and_the_run_goes_on(north, tmp_path, name, broken):
    report = taken(north, tmp_path, {name: broken, "z.json": PATIENT % b"whole"})

    assert report.refused["unreadable"] == 1
    assert (report.files, report.stored) == (2, 1)


def test_a_file_that_may_not_be_read_is_counted_and_the_run_goes_on(north, tmp_path, monkeypatch):
    opened = intake._opened

    def refusing(path):
        if path.name == "locked.json":
            raise PermissionError(13, "Permission denied")
        return opened(path)

    monkeypatch.setattr(intake, "_opened", refusing)
    report = taken(north, tmp_path, {"locked.json": PATIENT % b"locked", "z.json": PATIENT % b"open"})

    assert (report.refused["unreadable"], report.stored) == (1, 1)


@pytest.mark.unmeasured
def test_a_bomb_is_not_unpacked_to_its_end(north, tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "MAX_JSON_BYTES", 1 << 20)
    bomb = gzip.compress(b"\n" * (8 << 20))
    report = taken(north, tmp_path, {"bomb.ndjson.gz": bomb, "bomb.json.gz": bomb, "z.json": PATIENT % b"near"})

    assert report.refused["too-large"] == 2
    assert report.stored == 1


def test_nesting_without_end_is_refused_by_name(north, tmp_path):
    deep = b"[" * 100_000
    report = taken(north, tmp_path, {"deep.json": deep, "deep.ndjson": deep, "z.json": PATIENT % b"flat"})

    assert sum(report.refused.values()) == 2
    assert report.stored == 1


def test_a_name_leads_nowhere_and_is_kept_nowhere(north, tmp_path):
    (tmp_path / "outside").mkdir()
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "gone.json").symlink_to(tmp_path / "nothing.json")
    (inside / "folder.json").mkdir()
    odd = "..\\x'\"\n\udcff.json"
    (inside / odd).write_bytes(PATIENT % b"odd")
    report = Intake(north, "urn:odd").run([inside])

    assert (report.files, report.stored, report.refused.total()) == (1, 1, 0)
    assert list((tmp_path / "outside").iterdir()) == []
