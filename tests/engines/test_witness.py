"""The witness: signs what continues the log it knows, and keeps what does not as evidence."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.testclient import TestClient

from salus.core.checkpoint import cosign
from salus.core.proof import cbor
from salus.core.proof.checkpoint import Checkpoint
from salus.core.proof.errors import MalformedProof
from salus.core.proof.merkle import EMPTY_ROOT
from salus.engines.errors import NotKept, OtherLedger, StoreDamaged, StoreLocked
from salus.engines.witness import Refused, Witness, key_in, present, write_durably
from salus.http.witness import application, main
from tests.engines import small
from tests.engines.house import House, cosigning
from tests.ports import free_port

KEY = Ed25519PrivateKey.from_private_bytes(bytes([77]) * 32)


@pytest.fixture
def house():
    house = House("alpha", witnesses=(("regulator", small.public(KEY)),))
    house.send()
    house.cosigning.quiet()
    yield house
    house.close()


@pytest.fixture
def witness(tmp_path, house):
    witness = Witness(tmp_path / "witness", "regulator", KEY)
    witness.add(house.cosigning.trust())
    yield witness
    witness.close()


def grow(house, blocks=3):
    for _ in range(blocks):
        house.send()
    house.cosigning.quiet()
    return house.cosigning.newest()


def path(house, old, new):
    return house.prover.consistency(old, new)


def rewritten():
    """The same owner with the same genesis and another past."""
    other = House("alpha")
    other.clock.now += 3
    other.send(small.Note(b"a", b"another past"))
    other.cosigning.quiet()
    return other


def test_what_continues_the_log_is_signed_and_makes_a_ledger_of_one_witnessed(house, witness):
    outcome = house.send()
    house.cosigning.quiet()
    assert present(witness, house.cosigning, house.prover)
    newest = house.cosigning.newest()
    assert witness.pinned(newest.network).size == newest.size
    trust = replace(house.cosigning.trust(1), size=0, root=EMPTY_ROOT)
    trust.accept_receipt(house.prover.receipt(outcome.tx_id))
    assert present(witness, house.cosigning, house.prover)  # again: the same signature


def test_a_rewritten_ledger_finds_no_signature_and_leaves_evidence(house, witness, tmp_path):
    grow(house)
    present(witness, house.cosigning, house.prover)
    held = house.cosigning.newest()
    other = rewritten()
    while other.owner.head().log_size < held.size:
        other.send()
    other.cosigning.quiet()
    same_size = other.cosigning.newest()
    assert (same_size.size, same_size.network) == (held.size, held.network)
    with pytest.raises(Refused) as refused:
        witness.cosign(same_size, ())
    assert refused.value.held.root != refused.value.offered.root
    assert refused.value.held.cosignatures
    longer = grow(other)
    with pytest.raises(Refused, match="ProofMismatch"):
        witness.cosign(longer, path(other, held.size, longer.size))
    with pytest.raises(Refused, match="does not continue"):
        witness.cosign(other.cosigning.book.newest(held.size), ())
    files = sorted(file.name for file in (tmp_path / "witness" / "evidence").iterdir())
    assert len([name for name in files if name.endswith(".offered")]) == 3
    assert witness.pinned(held.network).root == held.root
    other.close()


def test_what_the_cosigners_did_not_sign_is_neither_signed_nor_kept(house, witness, tmp_path):
    newest = grow(house)
    pin = witness.pinned(newest.network).size
    stranger = Ed25519PrivateKey.generate()
    bare = replace(newest, cosignatures=())
    forged = bare.signed([(small.public(stranger), cosign(bare, small.public(stranger), stranger.sign))])
    for offered in (bare, forged, replace(newest, issued=newest.issued + 1), replace(newest, root=bytes(32))):
        with pytest.raises(Refused):
            witness.cosign(offered, path(house, pin, newest.size))
    with pytest.raises(NotKept):
        witness.cosign(replace(newest, network=bytes(32)), ())
    assert witness.pinned(newest.network).size == pin
    assert not (tmp_path / "witness" / "evidence").exists()


def test_the_memory_survives_and_never_goes_back(house, witness, tmp_path):
    newest = grow(house)
    signed = witness.cosign(newest, path(house, witness.pinned(newest.network).size, newest.size))
    with pytest.raises(StoreLocked):
        Witness(tmp_path / "witness", "regulator", KEY)
    witness.close()
    again = Witness(tmp_path / "witness", "regulator", KEY)
    assert again.pinned(newest.network).size == newest.size
    with pytest.raises(OtherLedger):
        again.add(house.cosigning.trust())
    old = house.cosigning.book.at(1)
    with pytest.raises(Refused):
        again.cosign(old, ())
    assert again.cosign(newest, ()) == signed
    again.close()


@pytest.mark.parametrize(
    "spoil", [lambda c: c[:-20], lambda _: b"", lambda _: b"{}", lambda c: c.replace(b"salus-w", b"salus-x")]
)
def test_a_spoilt_memory_is_refused(house, witness, tmp_path, spoil):
    witness.close()
    file = tmp_path / "witness" / f"{house.owner.network.hex()}.json"
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(StoreDamaged):
        Witness(tmp_path / "witness", "regulator", KEY)


def test_a_crash_before_the_rename_leaves_the_old_memory(tmp_path, monkeypatch):
    file = tmp_path / "memory"
    write_durably(file, b"old")
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("power")))
    with pytest.raises(OSError, match="power"):
        write_durably(file, b"new")
    assert file.read_bytes() == b"old"


def test_the_signature_is_given_out_only_once_the_pin_is_on_disk(house, witness, monkeypatch):
    newest = grow(house)
    monkeypatch.setattr("salus.engines.witness.write_durably", lambda *_: (_ for _ in ()).throw(OSError("disk")))
    pin = witness.pinned(newest.network)
    with pytest.raises(OSError, match="disk"):
        witness.cosign(newest, path(house, pin.size, newest.size))
    assert witness.pinned(newest.network) == pin


def test_a_witness_is_led_through_a_change_of_the_cosigners(tmp_path):
    def changing(state):
        count = sum(1 for _ in state.range(small.NOTES))
        return (
            (("alpha", small.public(small.KEYS["alpha"])),)
            if count < 2
            else (("beta", small.public(small.KEYS["beta"])),)
        )

    house = House("alpha", "beta", witnesses=(("regulator", small.public(KEY)),))
    both = {small.public(small.KEYS[name]): small.KEYS[name].sign for name in ("alpha", "beta")}
    house.cosigning._keys, house.cosigning._cosigners = both, changing
    house.send(small.Note(b"1", b""))
    house.cosigning.quiet()
    witness = Witness(tmp_path / "witness", "regulator", KEY)
    witness.add(house.cosigning.trust())
    house.send(small.Note(b"2", b""))
    grow(house)
    assert present(witness, house.cosigning, house.prover)
    assert [name for name, _ in witness.pinned(house.owner.network).cosigners] == ["beta"]
    assert witness.pinned(house.owner.network).size == house.owner.head().log_size
    (change,) = house.cosigning.book.changes()
    with pytest.raises(Refused):
        witness.follow(change, ())
    witness.close()
    house.close()


def test_a_node_that_lost_its_newest_blocks_is_told(house, witness):
    grow(house)
    present(witness, house.cosigning, house.prover)
    empty = cosigning(house.owner.store)
    assert not present(witness, empty, house.prover)
    other = rewritten()
    with pytest.raises(Refused, match="has seen"):
        present(witness, other.cosigning, other.prover)
    other.close()


def test_who_keeps_the_ledger_is_no_witness_of_it(house, tmp_path):
    witness = Witness(tmp_path / "own", "alpha", small.KEYS["alpha"])
    with pytest.raises(MalformedProof):
        witness.add(replace(house.cosigning.trust(), witnesses=()))
    witness.close()


def test_over_http(house, witness):
    client = TestClient(application(witness))
    newest = grow(house)
    network = newest.network.hex()
    assert client.get("/witness").json() == {"name": "regulator", "key": small.public(KEY).hex()}
    pinned = client.get(f"/networks/{network}").json()
    proof = b"".join(path(house, pinned["size"], newest.size))
    answer = client.post(f"/networks/{network}/checkpoints", content=cbor.encode((newest.encode(), proof)))
    assert answer.status_code == 200
    house.cosigning.offer(Checkpoint.decode(answer.content))
    assert len(house.cosigning.newest().cosignatures) == 2
    other = rewritten()
    forged = grow(other, 5)
    body = cbor.encode((forged.encode(), b"".join(path(other, newest.size, forged.size))))
    answer = client.post(f"/networks/{network}/checkpoints", content=body)
    assert answer.status_code == 409
    assert Checkpoint.decode(bytes.fromhex(answer.json()["held"])).root == newest.root
    assert Checkpoint.decode(bytes.fromhex(answer.json()["offered"])) == forged
    other.close()


@pytest.mark.parametrize(
    ("address", "body", "status"),
    [
        ("/networks/zz/checkpoints", cbor.encode((b"", b"")), 404),
        ("/networks/" + "00" * 32 + "/checkpoints", b"", 400),
        ("/networks/" + "00" * 32 + "/checkpoints", cbor.encode((bytes(64), b"")), 400),
        ("/networks/" + "00" * 32 + "/checkpoints", cbor.encode((bytes(64), b"x")), 400),
        ("/networks/" + "00" * 32 + "/checkpoints", b"\x5b" + b"\xff" * 70_000, 400),
        ("/networks/" + "00" * 32 + "/changes", cbor.encode((bytes(64), b"")), 400),
        ("/networks/" + "11" * 32 + "/changes", cbor.encode((bytes(64), b"")), 400),
    ],
)
def test_bad_requests_are_named(witness, address, body, status):
    answer = TestClient(application(witness)).post(address, content=body)
    assert answer.status_code == status
    assert answer.json()["code"] in {"witness.malformed", "witness.unknown"}


def test_an_unknown_network_is_not_found(witness):
    assert TestClient(application(witness)).get("/networks/" + "00" * 32).status_code == 404


def test_a_key_is_made_once_and_kept_from_others(tmp_path):
    file = tmp_path / "deep" / "witness.key"
    assert key_in(file).private_bytes_raw() == key_in(file).private_bytes_raw()
    file.chmod(0o644)
    with pytest.raises(StoreDamaged, match="chmod"):
        key_in(file)
    file.chmod(0o600)
    file.write_text("nonsense")
    with pytest.raises(StoreDamaged, match="hexadecimal"):
        key_in(file)


def test_the_program_says_why_it_cannot_start(tmp_path, capsys):
    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps({}))
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path / "w"), "--trust", str(trust)])
    assert end.value.code == 2
    assert "not a trust file" in capsys.readouterr().err


def test_the_program_answers_until_it_is_told_to_end(house, tmp_path):
    (tmp_path / "trust.json").write_text(replace(house.cosigning.trust(), witnesses=()).to_json())
    port = free_port()
    script = "import sys; from salus.http.witness import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", script, str(tmp_path / "w"), "--trust", str(tmp_path / "trust.json")]
    with subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": "src:."}
    ) as program:
        try:
            assert program.stdout.readline().startswith(b"witness witness key ")
            for _ in range(2_400):  # two minutes
                with contextlib.suppress(httpx.ConnectError):
                    answer = httpx.get(f"http://127.0.0.1:{port}/networks/{house.owner.network.hex()}")
                    break
                time.sleep(0.05)
            assert answer.json()["size"] == house.cosigning.newest().size
        finally:
            program.send_signal(signal.SIGTERM)
        program.wait(120)
