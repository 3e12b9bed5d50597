"""Governance from the command line: who is there, what is voted on, keys exchanged, and what others check."""

from base64 import b64decode
from pathlib import Path

import pytest

from salus.cli import main as program
from salus.core.proof.cli import main as verify
from salus.node.network.certificates import local_certificates
from tests.cli.conftest import Alone


def test_status_members_and_trust(alone: Alone) -> None:
    status = alone.told("network", "status")
    assert (status["orders"], status["cosigned_by"], status["needed"]) == ("north", ["north"], 1)
    assert (status["stopped"], status["two_roots"], status["reachable"]) == ("", "", True)
    (member,) = alone.told("network", "members")["members"]
    assert (member["id"], member["standing"], member["roles"]) == ("north", "active", "provider")
    assert '"salus-trust/1"' in alone.told("network", "trust")["trust"]


def test_a_receipt_is_checked_by_the_offline_program(alone: Alone, tmp_path: Path) -> None:
    trust, receipt = tmp_path / "trust.json", tmp_path / "receipt.cbor"
    trust.write_text(alone.told("network", "trust")["trust"])
    (found,) = alone.told("records", "find", "--name", "ada")["patients"]
    line = alone.told("journal", "lines", "--link", found["link"])["lines"][-1]
    told = alone.told("network", "receipt", line["transaction"])
    receipt.write_bytes(b64decode(told["receipt"]))
    assert verify(["--trust", str(trust), str(receipt)]) == 3  # a ledger of one without a witness


def test_what_is_decided_by_one_passes_at_once(alone: Alone) -> None:
    told = alone.told("network", "propose-parameters", "--changes", '{"anchor_tick": 700}')
    assert told["status"] == "passed"
    (line,) = [one for one in alone.told("network", "proposals", "--all")["proposals"] if one["status"] == "passed"]
    assert (line["act"], line["approve"], line["voted"]) == ("set-parameters", 1, True)
    assert alone.told("network", "proposals") == {"proposals": []}
    assert alone.told("network", "move", "https://north.example:8480")["height"]
    assert alone.told("network", "members")["members"][0]["endpoint"] == "https://north.example:8480"
    assert alone.told("network", "move", "")["height"]


def test_a_node_is_tied_to_its_tls_keys(alone: Alone, tmp_path: Path) -> None:
    """While the next key waits both hold; none holds once the member says so."""
    files = []
    for name, (certificate, _) in local_certificates("lake-county", ("now", "next"), 1_800_000_000_000)[1].items():
        files.append(tmp_path / f"{name}.pem")
        files[-1].write_bytes(certificate)
    one = alone.told("network", "certify", "--certificate", str(files[0]))["keys"]
    assert alone.told("network", "members")["members"][0]["tls_keys"] == one[0]
    both = alone.told("network", "certify", "--certificate", str(files[0]), "--also", str(files[1]))["keys"]
    assert set(both) > set(one)
    assert both == sorted(both)
    told = alone.told("network", "certify", "--certificate", str(files[1]))["keys"]
    assert set(told) == set(both) - set(one)
    assert "keys certified" in alone.salus("doctor")[1]
    alone.told("tx", "membership.certify", "--content", '{"keys": []}')
    assert alone.told("network", "members")["members"][0]["tls_keys"] == ""
    assert "no key certified" in alone.salus("doctor")[1]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["network", "receipt", "0" * 64], "ledger.not-kept"),
        (["network", "certify"], "tls.certificate"),
        (["network", "propose-admit", "nonsense"], "network.card"),
        (["network", "propose-suspend", "nobody"], "membership.NO_SUCH_MEMBER"),
        (["network", "propose-remove", "north"], "membership.LAST_MEMBER"),
        (["network", "propose-parameters", "--changes", '{"anchor_tock": 1}'], "network.act"),
        (["network", "propose-parameters", "--changes", '{"anchor_tick": -1}'], "network.act"),
        (["network", "propose-rules", "--version", "1", "--height", "9"], "membership.NOT_NEWER"),
        (["network", "propose-rules", "--version", "9", "--height", "9"], "network.rules"),
        (["network", "vote", "0" * 64, "--approve"], "membership.NO_SUCH_PROPOSAL"),
        (["network", "found", "--network", "other", "--card", "x"], "node.stage"),
    ],
)
def test_a_refusal_names_its_code(alone: Alone, line: list[str], code: str) -> None:
    exit_code, _, err = alone.salus(*line)
    assert (exit_code, err.partition(":")[0]) == (1, code), err


def test_a_command_too_late_is_told_what_it_needs_in_a_phrase(alone: Alone) -> None:
    err = alone.salus("network", "found", "--network", "other", "--card", "x")[2]
    expected = err.partition("expected ")[2].partition(";")[0]
    assert expected[:1].islower()
    assert "." not in expected


def test_any_message_of_a_member_is_sent_from_its_readable_form(alone: Alone) -> None:
    told = alone.told("tx", "membership.move", "--content", '{"endpoint": "https://tx.example"}')
    assert alone.told("network", "members")["members"][0]["endpoint"] == "https://tx.example"
    assert alone.told("network", "receipt", told["transaction"])["size"] > 0
    for message, content, code in (
        ("membership.move", '{"endpoint": "http://no"}', "tx.content"),
        ("membership.move", '{"end": 1}', "tx.content"),
        ("consent.grant", "{}", "tx.message"),
    ):
        assert alone.salus("tx", message, "--content", content)[2].startswith(f"{code}:")


def test_keys_rotate_and_the_next_start_takes_the_new_ones(alone: Alone) -> None:
    before = alone.told("network", "members")["members"][0]["signing_key"]
    told = alone.told("network", "rotate-keys")
    assert alone.told("network", "members")["members"][0]["signing_key"] == told["signing_key"] != before
    assert not (alone.folder / "data" / "keys.next.salus").exists()
    assert alone.told("network", "move", "https://north.example")["height"] == told["height"] + 1
    assert alone.told("network", "status")["cosigned_by"] == ["north"]


def test_a_rotation_cut_off_before_the_ledger_heard_of_it_changes_nothing(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = alone.told("network", "members")["members"][0]["signing_key"]

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("salus.node.submitting.Submitter.submit", cut)
        assert program.main(["network", "rotate-keys"]) == 130
    assert (alone.folder / "data" / "keys.next.salus").exists()
    assert alone.told("network", "move", "")["height"]
    assert alone.told("network", "members")["members"][0]["signing_key"] == before


def test_a_rotation_cut_off_after_the_ledger_took_it_is_finished_by_the_next_start(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.replace

    def cut(path: Path, target: Path) -> Path:
        if path.name == "keys.next.salus":
            raise KeyboardInterrupt
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", cut)
        assert program.main(["network", "rotate-keys"]) == 130
    assert (alone.folder / "data" / "keys.next.salus").exists()
    assert alone.told("network", "move", "https://north.example")["height"]
    assert not (alone.folder / "data" / "keys.next.salus").exists()
