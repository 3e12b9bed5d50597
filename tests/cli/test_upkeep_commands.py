"""Looking after a node: doctor, replay, export."""

from pathlib import Path

import pytest

from salus.core.proof.cli import main as verify
from tests.cli.conftest import Alone


def test_the_ledger_replays_and_its_export_is_checked_offline(alone: Alone, tmp_path: Path) -> None:
    status = alone.told("network", "status")
    replayed = alone.told("replay")
    assert (replayed["height"], len(replayed["digest"])) == (status["height"], 64)
    trust, file = tmp_path / "trust.json", tmp_path / "ledger.cbor"
    trust.write_text(alone.told("network", "trust")["trust"])
    told = alone.told("export", str(file))
    assert told["size"] == status["log_size"]
    assert verify(["--trust", str(trust), str(file)]) == 3  # all of it holds, and nobody outside has signed
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert verify(["--trust", str(trust), str(file)]) == 1
    assert alone.salus("export", "/nowhere/ledger.cbor")[2].startswith("export.file:")


def test_the_doctor_says_what_is_there_and_what_is_not(
    alone: Alone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = alone.salus("doctor")
    assert code == 1
    assert [line for line in out.splitlines() if line.startswith("LOOK")] == [
        "LOOK passphrase: on the same disk as the keystore: a stolen disk opens all",
        "LOOK erasures: on the same disk as the vault: an old image brings both back",
    ]
    assert "ok   engine: embedded: this member orders the ledger" in out
    assert "ok   vault: 2 records" in out
    monkeypatch.setenv("SALUS_DATA", str(tmp_path / "none"))
    code, out, _ = alone.salus("doctor")
    assert (code, "LOOK data folder" in out) == (1, True)


def test_the_doctor_names_a_ledger_that_was_altered(alone: Alone) -> None:
    file = alone.folder / "data" / "ledger" / "data.mdb"
    whole = file.read_bytes()
    altered = whole.replace(b"lake-county", b"luke-county")  # pages that LMDB no longer uses hold it too
    assert altered != whole
    file.write_bytes(altered)
    try:
        code, out, _ = alone.salus("doctor")
    finally:
        file.write_bytes(whole)
    assert code == 1
    assert "LOOK node: ledger." in out or "LOOK ledger: ledger." in out
