"""GS1 verification messaging over HTTP: who may ask, and what the answer says and proves."""

import base64

import msgspec
import pytest
from starlette.testclient import TestClient

from salus.agreements.supply.packing import Box, lead_to
from salus.contracts.supply import port
from salus.core.encoding import decode
from salus.core.proof import ed25519
from salus.core.proof.goods import unit_key
from salus.core.proof.httpsig import HttpRequest, sign
from salus.http.app import application, as_operator
from salus.http.person import PersonAuthenticator
from salus.http.vrs import TAG, routes
from salus.node.config import Supply
from salus.node.supply import moving
from salus.node.supply.answering import recall
from salus.node.supply.exchange import UnitTold
from salus.node.supply.stock import index_of, own_spot
from salus.node.supply.trading import EndGoods, GiveLicence, end_goods, give_licence
from salus.node.supply.verification import Answered, Ways, asked_digest, signed_bytes
from tests.node.supply.members import GTIN, brought, case_label, label, moved, traders


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """A pallet at the wholesaler, a pack of it dispensed by the pharmacy, another lot recalled."""
    found = traders(tmp_path_factory.mktemp("vrs"))
    maker = found.nodes["maker"]
    maker.config = msgspec.structs.replace(maker.config, supply=Supply(gln="0614141007776"))
    brought(found)
    brought(found, Box("", (), (b"R1", b"R2")), lot="R3")
    moved(found, "maker", "whole", case_label(1000))
    moved(found, "whole", "corner", label("S000002"))
    end_goods(found.nodes["corner"], EndGoods(identifiers=(label("S000002"),), reason="dispensed"))
    recall(maker, GTIN, "R3", 1)
    found.settle()
    yield found
    found.close()


def served(node, authenticate=as_operator):
    return TestClient(
        application(node, (), authenticate, more=routes(node, authenticate)), raise_server_exceptions=False
    )


def path(serial, lot="A1", expiry="271231"):
    return f"/vrs/verify/gtin/{GTIN}/lot/{lot}/ser/{serial}?exp={expiry}&linkType=verificationService&context=dscsaSaleableReturn&reqGLN=0614141007776&corrUUID=21EC2020-3AEA"


def asked(http, *arguments, **more):
    answer = http.get(path(*arguments, **more))
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_pack_of_the_maker_is_verified_with_a_signed_answer_that_opens_on_anyones_replica(together):
    maker, whole = together.nodes["maker"], together.nodes["whole"]
    http = served(maker)
    for serial in ("S000000", "S000029"):
        told = asked(http, serial)
        assert (told["data"], told["responderGLN"]) == ({"verified": True}, "0614141007776")
        assert (told["code"], told["action"], told["corrUUID"]) == ("", "nothing", "21EC2020-3AEA")
        proof = base64.b64decode(told["proof"])
        assert len(proof) < 1024
        elements = {"01": GTIN, "21": serial, "10": "A1", "17": "271231"}
        answered = Answered(
            maker.network, told["height"], told["time"], "maker", asked_digest(elements), True, "", "nothing", proof
        )
        (key,) = whole.signing_keys("maker")
        signature = base64.b64decode(told["signature"])
        assert ed25519.verify(key, signed_bytes(answered), signature)
        other = msgspec.structs.replace(answered, code="RECALLED")
        assert not ed25519.verify(key, signed_bytes(other), signature)
        unit = decode(proof, UnitTold)
        assert unit_key(unit.part.secret, unit.part.product, serial.encode()) == unit.target.key
        found = port.find(whole.ledger.read(told["height"]), unit.target)
        assert found.holding.status is port.Status.ACTIVE


def test_each_reason_is_told_by_the_standards_word(together):
    http = served(together.nodes["maker"])
    for arguments, reason in (
        (("S999999",), "No_match_GTIN_Serial"),
        (("S000001", "B2"), "No_match_GTIN_Serial_Lot"),
        (("S000001", "A1", "281231"), "No_match_GTIN_Serial_Expiry"),
        (("S000001", "B2", "281231"), "No_match_GTIN_Serial_Lot_Expiry"),
    ):
        assert asked(http, *arguments)["data"] == {"verified": False, "verificationFailureReason": reason}
    told = asked(http, "S000002")
    assert told["data"] == {
        "verified": False,
        "verificationFailureReason": "No_reason_provided",
        "additionalInfo": "DISPENSED",
    }
    told = asked(http, "R1", "R3")
    assert (told["data"], told["action"]) == ({"verified": True, "additionalInfo": "RECALLED"}, "set aside")
    other = served(together.nodes["rival"])
    assert asked(other, "S000002")["data"]["verificationFailureReason"] == "GTIN_not_found"
    whole = served(together.nodes["whole"])  # it has it no more, and knows what became of it
    assert asked(whole, "S000002")["data"]["additionalInfo"] == "DISPENSED"


def test_what_is_no_question_is_refused(together):
    http = served(together.nodes["maker"])
    good = path("S000000")
    for url, status in (
        (good.replace(GTIN, "09506000134353"), 400),
        (good.replace("exp=271231", "exp=271331"), 400),
        (good.replace("reqGLN=0614141007776", "reqGLN=0614141007777"), 400),
        (good.replace("corrUUID=21EC2020-3AEA", "corrUUID=<script>"), 400),
        (good.replace("verificationService", "pip"), 404),
        (good.replace("dscsaSaleableReturn", "gossip"), 404),
        ("/vrs/checkConnectivity?gtin=1", 400),
    ):
        answer = http.get(url)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), url
        assert "script" not in answer.text
    told = http.get(f"/vrs/checkConnectivity?gtin={GTIN}&reqGLN=0614141007776&context=dscsaSaleableReturn")
    assert (told.json(), told.headers["gs1us-version"]) == ({"responderGLN": "0614141007776"}, "1.3.0")
    assert asked(http, "S000000") == asked(http, "S000000") | {"verificationTimestamp": "2026-01-01T00:00:00.000Z"}
    linked = http.get(f"/vrs/verify/01/{GTIN}/10/A1/21/S000000?17=271231")
    assert linked.json()["data"] == {"verified": True}


def signed(together, member, url, nonce="n" * 16):
    node = together.nodes[member]
    base = together.nodes["maker"].config.http.public_url
    request = HttpRequest("GET", base + url, {}, b"")
    return sign(request, node.signing_key.sign, keyid=member, now=node.now(), nonce=nonce, tag=TAG)


def test_other_members_ask_by_signed_requests_as_long_as_their_licence_is_in_force(together):
    maker, board = together.nodes["maker"], together.nodes["board"]
    http = served(maker, PersonAuthenticator(maker))
    url = path("S000000")
    assert http.get(url).status_code == 401
    headers = signed(together, "repack", url)
    assert http.get(url, headers=headers).json()["data"] == {"verified": True}
    assert http.get(url, headers=headers).status_code == 401  # replayed
    assert http.get(path("S000001"), headers=signed(together, "repack", url, "m" * 16)).status_code == 401
    forged = signed(together, "rival", url, "o" * 16)
    forged["signature-input"] = forged["signature-input"].replace('keyid="rival"', 'keyid="repack"')
    assert http.get(url, headers=forged).status_code == 401
    give_licence(board, GiveLicence(member="repack", kinds=()))
    together.settle()
    refused = http.get(url, headers=signed(together, "repack", url, "p" * 16))
    assert (refused.status_code, refused.json()["code"]) == (403, "vrs.ATP_INVALID")


def test_the_way_up_from_memory_is_the_way_up(together):
    maker = together.nodes["maker"]
    index, ways = index_of(maker), Ways()
    for _ in range(2):
        for serial in ("S000015", "S000022", "S000029"):
            spot, target, _ = own_spot(maker, label(serial))
            key, _, way = ways.lead(index.tree(spot.part), spot.positions)
            assert (key, way) == (target.key, target.places)
            assert lead_to(index.tree(spot.part), spot.positions)[0] == key
    assert moving.inbound(maker) == []
