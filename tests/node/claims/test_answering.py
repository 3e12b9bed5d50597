"""Answers written beside their folder: the same bytes as in memory, whole or not there, one run at a time."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from salus.agreements.claims.alone import Settings, adjudicate
from salus.interop.x12.claim import Claim
from salus.interop.x12.envelope import Stamp
from salus.node.claims import adjudicate_claims, answering
from salus.node.claims.alone import AdjudicateClaims
from salus.node.claims.answering import AnswersFolder, FileShelf
from salus.node.config import Config
from salus.node.errors import Conflict, Malformed
from salus.node.local import Bare
from tests.agreements.claims.cases import MEMBERS, PLAN, RATES, claim, file_of, line

JSON = msgspec.json.encode
DAY = [
    claim(identifier="A1"),
    claim(line(1, "R0070", 20000), identifier="A2"),
    claim(identifier="A3"),
    claim(line(1, "S9129", 9000, "20250302"), identifier="A4"),
    claim(line(1, "S9129", 9000, "20250302"), identifier="A4", frequency="8", original="C00000003"),
    claim(line(1, "S9129", 9000, "20250304"), identifier="A5"),
]
FILE = file_of(*DAY)


def request(folder: Path, **more: object) -> AdjudicateClaims:
    made = AdjudicateClaims(
        file=FILE,
        plan=JSON(PLAN),
        rates=JSON([RATES]),
        members=JSON(MEMBERS),
        folder=str(folder),
        received="20250310",
        decided="20250709",
    )
    return msgspec.structs.replace(made, **more)


@pytest.fixture
def node(tmp_path: Path) -> Bare:
    return Bare(Config(data=str(tmp_path / "data")))


@pytest.mark.parametrize("held", [0, answering.HELD_BYTES])
def test_the_answers_on_disk_are_those_made_in_memory(
    node: Bare, tmp_path: Path, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "HELD_BYTES", held)
    file = FILE.replace(b"CLM*A3*150", b"CLM*A3*151")
    done = adjudicate_claims(node, request(tmp_path / "answers", file=file))
    (stamped,) = {path.read_bytes()[70:76].decode() for path in (tmp_path / "answers").glob("*.999")}
    settings = Settings(stamp=Stamp(f"20{stamped}", "0000", 1), received="20250310", decided="20250709")
    told = adjudicate([file], PLAN, [RATES], MEMBERS, settings)
    files = {"001.999": told.acknowledgments[0], "001.277ca": told.claim_acknowledgments[0]}
    files |= {"remittance.835": told.remittance, "page.html": told.page.encode()}
    files |= {f"eob-{number}.json": text for number, text in told.explanations}
    assert {path.name: path.read_bytes() for path in (tmp_path / "answers").iterdir()} == files
    assert set(done.files) == set(files)
    assert (done.decided, done.voided, done.refused) == (5, 1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["answers"]


@pytest.mark.parametrize("held", [0, answering.HELD_BYTES])
def test_a_shelf_gives_back_what_was_put_there(tmp_path: Path, held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "HELD_BYTES", held)
    shelf = FileShelf(tmp_path, Claim)
    for _ in range(2):
        for one in DAY:
            shelf.append(one)
        assert (len(shelf), list(shelf), shelf[3]) == (len(DAY), DAY, DAY[3])
        shelf.clear()
        assert list(shelf) == []
    shelf.close()
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from salus.node.claims import answering
from tests.node.claims import test_answering as here
whole = answering.AnswersFolder.write
def write(self, name, parts):
    if name != sys.argv[2]:
        return whole(self, name, parts)
    def some():
        for part in parts:
            yield part[: len(part) // 2]
            os.kill(os.getpid(), signal.SIGKILL)
    with (self._making / name).open("wb", buffering=0) as file:
        file.writelines(some())
answering.AnswersFolder.write = write
here.adjudicate_claims(here.Bare(here.Config(data="none")), here.request(here.Path(sys.argv[1])))
"""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("eob-C00000002.json", marks=pytest.mark.soak),
        "remittance.835",
        pytest.param("page.html", marks=pytest.mark.soak),
    ],
)
def test_a_run_that_is_killed_leaves_no_answers_and_the_next_writes_them_all(
    node: Bare, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "answers"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", KILLED, str(folder), name], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == [".answers.unfinished"]
    done = adjudicate_claims(node, request(folder))
    assert {path.name for path in folder.iterdir()} == set(done.files)
    assert [path.name for path in tmp_path.iterdir()] == ["answers"]


def test_two_runs_do_not_write_one_folder(node: Bare, tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    with AnswersFolder(folder) as first:
        first.write("page.html", [b"of the first"])
        with pytest.raises(Conflict, match=r"claims\.folder.*another run"):
            adjudicate_claims(node, request(folder))
        first.publish()
    with pytest.raises(Conflict, match=r"claims\.folder.*not empty"):
        adjudicate_claims(node, request(folder))
    assert (folder / "page.html").read_bytes() == b"of the first"


def test_what_is_refused_leaves_nothing_behind(node: Bare, tmp_path: Path) -> None:
    with pytest.raises(Malformed):
        adjudicate_claims(node, request(tmp_path / "answers", file=b"nothing"))
    assert list(tmp_path.iterdir()) == []


def test_a_number_of_ours_is_not_skipped_where_a_set_is_refused(node: Bare, tmp_path: Path) -> None:
    """A refused set has no 277CA, and no number for one."""
    numbers = tmp_path / "numbers.json"
    file = file_of(claim(), stamp=Stamp("20250310", "1200", 1)).replace(b"SBR*P*18", b"SBR*Q*18", 1)
    adjudicate_claims(node, request(tmp_path / "one", file=file, numbers=str(numbers)))
    second = file_of(claim(), stamp=Stamp("20250310", "1200", 2))
    adjudicate_claims(node, request(tmp_path / "two", file=second, numbers=str(numbers)))
    used = sorted(
        path.read_bytes()[90:99].decode()
        for folder in ("one", "two")
        for path in (tmp_path / folder).iterdir()
        if path.suffix in {".999", ".277ca", ".835"}
    )
    assert used == ["000000001", "000000002", "000000003", "000000004"]
