"""`salus demo claims`: told on a small month; the shipped month is what its generator makes."""

import gzip
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest

from salus.node.demo import claims
from salus.node.demo.samples import samples_folder
from salus.node.demo.telling import Telling
from salus.node.errors import NotFound
from tests.agreements.claims.cases import claim, file_of, line

ROOT = Path(__file__).parents[3]
PLAN = samples_folder() / "claims" / "plan.json"


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "samples" / "make_claims.py"))


def test_the_chapter_holds_on_a_small_month(made: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "month"
    made["write"](folder, made["make"](220))
    shutil.copy(PLAN, folder / "plan.json")
    telling = Telling("claims", tmp_path / "told")
    claims.CHAPTER.tell(telling, folder)
    assert [(step.title, step.failures) for step in telling.steps if step.failures] == []
    assert telling.held
    assert telling.steps[4].figures["waiting for a person"] == "1"


def test_a_planted_defect_that_is_none_fails_the_chapter(made: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "month"
    month = made["make"](60)
    month.planted["refused: nothing"] = [month.clinic[0].identifier]
    made["write"](folder, month)
    shutil.copy(PLAN, folder / "plan.json")
    telling = Telling("claims", tmp_path / "told")
    claims.CHAPTER.tell(telling, folder)
    assert not telling.held
    assert telling.steps[1].failures == ["refused are the planted defects, and no other claim"]


def test_a_folder_of_claims_alone_is_told_by_documents_made_for_them(tmp_path: Path) -> None:
    one, two = file_of(claim(identifier="A1")), file_of(claim(line(1, "J0696", 900_000, "20250303"), identifier="A2"))
    (tmp_path / "in").mkdir()
    for name, data in (("one", one), ("two", two), ("bad", one[:400])):
        (tmp_path / "in" / f"{name}.837").write_bytes(data)
    telling = Telling("claims", tmp_path / "told")
    claims.CHAPTER.tell(telling, tmp_path / "in")
    assert [(step.title, step.failures) for step in telling.steps if step.failures] == []
    sent = telling.steps[2].figures
    assert [name for name in sent if name.startswith("files not sent")]
    assert sent["cases on the ledger"] == "2"
    assert telling.steps[3].figures["remitted, dollars"] != "0.00"
    assert telling.notes[-1].startswith("The folder had no plan, rates, members")


def test_a_folder_without_claims_ends_the_story(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no claim file"):
        claims.CHAPTER.tell(Telling("claims", tmp_path / "told"), tmp_path)


def test_the_shipped_month_is_what_its_generator_makes(made: dict[str, Any], tmp_path: Path) -> None:
    made["write"](tmp_path / "month", made["make"]())
    for path in (samples_folder() / "claims" / "month").iterdir():
        ours, again = path.read_bytes(), (tmp_path / "month" / path.name).read_bytes()
        if path.suffix == ".gz":  # compressors differ in their versions
            ours, again = gzip.decompress(ours), gzip.decompress(again)
        assert ours == again, path.name
