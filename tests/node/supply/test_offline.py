"""A day without a line: packs verified from a snapshot, in another process, with the trust file alone."""

import json
import subprocess
import sys

import msgspec
import pytest

from salus.agreements.supply.packing import Box
from salus.agreements.supply.triage import Call
from salus.core.encoding import decode, encode
from salus.core.proof.errors import ProofMismatch, Unproven, Untrusted
from salus.core.proof.trust import Trust
from salus.node.errors import Conflict, EdgeError, Malformed
from salus.node.network.directory import AskTrust, trust_file
from salus.node.supply import snapshot
from salus.node.supply.answering import recall
from salus.node.supply.offline import AskOffline, MakeSnapshot, answer_offline, make_snapshot
from salus.node.supply.trading import EndGoods, end_goods

from .members import GTIN, brought, case_label, label, moved, traders

DAY = 86_400_000


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    found = traders(tmp_path_factory.mktemp("offline"))
    brought(found)
    brought(found, Box("", (), (b"T000001", b"T000002")), lot="B2")
    moved(found, "maker", "whole", case_label(1000))
    moved(found, "whole", "corner", label("S000000"), label("S000001"), label("S000002"))
    end_goods(found.nodes["corner"], EndGoods(identifiers=(label("S000001"),), reason="dispensed"))
    end_goods(found.nodes["corner"], EndGoods(identifiers=(label("S000002"),), reason="stolen"))
    found.settle()
    yield found
    found.close()


@pytest.fixture(scope="module")
def files(together):
    corner = together.nodes["corner"]
    together.abreast()
    return make_snapshot(corner, MakeSnapshot()).snapshot, trust_file(corner, AskTrust()).trust.encode()


def asked(node, files, *identifiers):
    return answer_offline(node, AskOffline(snapshot=files[0], trust=files[1], identifiers=identifiers))


def test_each_pack_is_answered_with_code_action_height_and_proof(together, files):
    node = together.nodes["rival"]  # any program: it is asked of nothing but the files
    told = asked(
        node,
        files,
        label("S000000"),
        label("S000001"),
        label("S000002"),
        label("S000000", lot="A2"),
        label("S000009"),
    )
    assert [(each.code, each.action) for each in told.answers] == [
        ("", Call.NOTHING),
        ("DISPENSED", Call.WARNING),
        ("STOLEN", Call.WARNING),
        ("No_match_GTIN_Serial_Lot", Call.DATA),
        ("NOT_IN_SNAPSHOT", Call.RETRY),
    ]
    assert (told.sound, told.member, told.until) == (False, "corner", "2026-01-02T00:00:00.000Z")
    assert 0 < told.height <= together.nodes["corner"].ledger.head().height
    assert all(0 < len(each.proof) < 1024 for each in told.answers[:4])
    assert asked(node, files, label("S000000")).sound


def test_a_maker_answers_offline_for_lots_and_recalls(together):
    maker = together.nodes["maker"]
    recall(maker, GTIN, "B2", 2)
    together.settle()
    data = make_snapshot(maker, MakeSnapshot()).snapshot, trust_file(maker, AskTrust()).trust.encode()
    told = asked(maker, data, label("S000029"), label("T000001", lot="B2"), label("S000001"), label("S000000"))
    assert [each.code for each in told.answers] == ["", "RECALLED", "DISPENSED", "HOLDER_MISMATCH"]


def forged(files, **changes):
    one = decode(files[0], snapshot.Snapshot)
    body = decode(one.body, snapshot.Body)
    return encode(msgspec.structs.replace(one, body=encode(msgspec.structs.replace(body, **changes))))


def test_what_was_altered_is_of_another_ledger_or_is_over_is_refused(together, files):
    data, trust_text = files
    trust, now = Trust.from_json(trust_text), together.nodes["corner"].now()
    body = decode(decode(data, snapshot.Snapshot).body, snapshot.Body)
    for attack, error in (
        (forged(files, own=()), Untrusted),  # the signature is of another body
        (forged(files, rows=body.rows[:-1]), Unproven),
        (
            forged(files, rows=(msgspec.structs.replace(body.rows[0], value=b"\x90"), *body.rows[1:])),
            ProofMismatch,
        ),
        (forged(files, member="maker"), Unproven),
        (b"nothing", Malformed),
    ):
        with pytest.raises(error):
            snapshot.opened(attack, trust, now)
    with pytest.raises(Untrusted):
        snapshot.opened(data, elsewhere(trust, bytes(32)), now)
    for later in (now + DAY, now - DAY):
        with pytest.raises(Conflict) as refused:
            snapshot.opened(data, trust, later)
        assert refused.value.code == "supply.snapshot-over"
    assert issubclass(Conflict, EdgeError)


def elsewhere(trust, network):
    """Return a trust in another network."""
    told = json.loads(trust.to_json())
    told["network"] = network.hex()
    return Trust.from_json(json.dumps(told).encode())


def test_another_process_answers_with_the_trust_file_alone(together, files, tmp_path):
    (tmp_path / "snapshot").write_bytes(files[0])
    (tmp_path / "trust.json").write_bytes(files[1])
    program = (
        "import sys, pathlib, salus.core.proof.trust as t, salus.node.supply.snapshot as s\n"
        "from salus.node.supply.stock import elements_of\n"
        "opened = s.opened(pathlib.Path(sys.argv[1]).read_bytes(), t.Trust.from_json(pathlib.Path(sys.argv[2]).read_bytes()), int(sys.argv[3]))\n"
        "for each in sys.argv[4:]: print(s.verify(opened, elements_of(each), int(sys.argv[3]))[0].code or 'verified')\n"
    )
    now = str(together.nodes["corner"].now())
    paths = [str(tmp_path / name) for name in ("snapshot", "trust.json")]
    command = [sys.executable, "-c", program, *paths, now, label("S000000"), label("S000002")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["verified", "STOLEN"]
