"""What a lock of a trial among members must bear: signers that recompute it, other tables, another lock, tables that leave."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from msgspec import structs

from salus.agreements.trials.locking import LockedData
from salus.contracts.trials import port
from salus.interop.cdisc.dataset_json import canonical_rows, read_dataset
from salus.node.demo.trial_scene import Scene
from salus.node.errors import Conflict, Malformed, Refused
from salus.node.trials import (
    export_trial,
    lock_trial,
    show_trial,
    sign_lock,
    unlock_trial,
    verify_evidence,
    write_evidence,
)
from salus.node.trials.closing import LockTrial, UnlockTrial
from salus.node.trials.evidence import VerifyEvidence, WriteEvidence
from salus.node.trials.exporting import ExportTrial
from salus.node.trials.founding import ShowTrial
from salus.node.trials.kept import Rows, keep, one


def unlocked_and_locked_again(scene: Scene) -> None:
    lock = LockTrial(study=scene.id)
    asking = UnlockTrial(study=scene.id, reason="a form was missed")
    assert unlock_trial(scene.node("sponsor"), asking).status == "locked"
    with pytest.raises(Refused, match=r"trials\.ALREADY_SIGNED"):
        unlock_trial(scene.node("sponsor"), asking)
    assert unlock_trial(scene.node("statistics"), asking).asked == 2
    agreed_on_other_tables(scene)
    soft_locked(scene)
    lock_trial(scene.node("statistics"), lock)
    sign_lock(scene.node("sponsor"), lock)
    assert sign_lock(scene.node("north"), lock).status == "locked"


def soft_locked(scene: Scene) -> None:
    if show_trial(scene.node("sponsor"), ShowTrial(study=scene.id)).status != "soft_lock":
        scene.step("statistics", "soft-lock")


def altered(told: Rows) -> Rows:
    """Return what is locked with one cell of one table changed."""
    place = next(at for at, row in enumerate(told.tables) if b'"BLINDED"' in row)
    row = told.tables[place].replace(b'"BLINDED"', b'"SCREEN FAILURE"')
    return structs.replace(told, tables=(*told.tables[:place], row, *told.tables[place + 1 :]))


def agreed_on_other_tables(scene: Scene) -> None:
    """Statistician, sponsor and coordinator lock, past their programs, tables that the chains do not give."""
    soft_locked(scene)
    told = altered(one(scene.node("statistics"), Rows, scene.study))
    root = LockedData(told.rows, told.tables).root
    scene.node("statistics").submitter.submit(port.LockData(scene.study, root))
    for name in ("sponsor", "north"):
        scene.node(name).submitter.submit(port.SignLock(scene.study, root))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "evidence"
        node, trust = scene.node("sponsor"), scene.together.trust().to_json().encode()
        write_evidence(node, WriteEvidence(study=scene.id, file=str(file), scope="inspector"))
        found = verify_evidence(None, VerifyEvidence(file=file.read_bytes(), trust=trust))  # type: ignore[arg-type]
        assert found.wrong == ("lock 2: the chains do not give its root",)
        out = export_trial(node, ExportTrial(study=scene.id, folder=folder, form="sdtm"))
        assert out.lock == "lock 2: what is held here does not give its root"
    for name in ("sponsor", "statistics"):
        unlock_trial(scene.node(name), UnlockTrial(study=scene.id, reason="these are other tables"))


def only_what_is_known_is_signed(scene: Scene) -> None:
    """A signer recomputes tables: one cell altered, or bytes that are no rows, and nothing is submitted."""
    lock, node = LockTrial(study=scene.id), scene.node("sponsor")
    told, height = one(node, Rows, scene.study), node.ledger.head().height
    for sent, refusal in (
        (altered(told), Conflict),
        (structs.replace(told, tables=told.tables[1:]), Conflict),
        (structs.replace(told, rows=told.rows[1:]), Conflict),
        (structs.replace(told, tables=(b"rows",)), Malformed),
    ):
        keep(node, scene.study, sent)
        with pytest.raises(refusal, match=r"trials\.rows"):
            sign_lock(node, lock)
    assert node.ledger.head().height == height
    keep(node, scene.study, told)


def exported_as_locked(scene: Scene, folder: Path) -> None:
    """Whoever holds the chains is told that the tables are the locked ones, also under another version since."""
    node = scene.node("sponsor")
    assert export_trial(node, ExportTrial(study=scene.id, folder=str(folder), form="odm")).lock == ""
    told = export_trial(node, ExportTrial(study=scene.id, folder=str(folder), form="sdtm"))
    assert (told.blinded, told.lock) == (True, "lock 3: the tables are those that are locked")
    written = {
        row
        for each in told.files
        for row in canonical_rows(read_dataset((folder / each.split(":")[0]).read_bytes()))
        if each.split(".")[0] not in {"ta", "te", "tv", "ti", "ts"}
    }
    assert written == {*one(node, Rows, scene.study).tables}
