"""A receipt is checked in the browser: what holds, what does not, and that no file is sent anywhere."""

import json
from dataclasses import replace

import pytest

from salus.core.proof.errors import MalformedProof, Unproven
from salus.core.proof.merkle import EMPTY_ROOT
from salus.core.proof.receipt import Receipt
from salus.core.proof.trust import Trust
from salus.node.network.directory import AskReceipt, AskTrust, receipt_of, trust_file
from salus.node.network.exploring import AskBlock, ListBlocks, list_blocks, show_block
from salus.portal.rendering import script_path


@pytest.fixture(scope="module")
def page(chromium, address):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{address}/ledger/verify")
    yield page
    context.close()


def transaction(north) -> str:
    height = list_blocks(north.node, ListBlocks()).blocks[0].height
    while not (found := show_block(north.node, AskBlock(height=height)).transactions):
        height -= 1
    return found[0].id


def verdict(trust: Trust, data: bytes) -> str:
    """Return what the program `salus verify` says."""
    try:
        receipt = Receipt.decode(data)
        receipt.leaf()
        trust.accept_receipt(receipt)
    except MalformedProof:
        return "This is no receipt"
    except Unproven:
        return "It does not hold"
    return "It holds"


def told(page, data: bytes, trust: bytes | None = None) -> str:
    files = [{"name": "trust.json", "mimeType": "application/json", "buffer": trust}] if trust else []
    page.locator("#receipts").wait_for()  # hidden until the script listens
    page.set_input_files("#trust", files)
    page.set_input_files("#receipt", {"name": "a.receipt", "mimeType": "application/octet-stream", "buffer": data})
    page.locator("#receipts h2").wait_for()
    return page.locator("#receipts h2").inner_text()


def test_a_receipt_holds_in_the_browser_and_a_changed_one_does_not(north, page) -> None:
    id_ = transaction(north)
    receipt = receipt_of(north.node, AskReceipt(transaction=id_)).receipt
    asked = []
    page.on("request", lambda request: asked.append((request.method, request.url)))
    assert told(page, receipt) == "It holds"
    assert id_ in page.locator("#receipts").inner_text()
    trust = Trust.from_json(page.locator("#receipts").get_attribute("data-trust").encode())
    unpinned = replace(trust, size=0, root=EMPTY_ROOT)  # there every signature counts
    judged = []
    for believed in (trust, unpinned):
        for at in range(20, len(receipt), 37):
            changed = bytearray(receipt)
            changed[at] ^= 1
            shown = told(page, bytes(changed), believed.to_json().encode())
            judged.append((at, shown, verdict(believed, bytes(changed))))
    assert [one for one in judged if one[1] != one[2]] == []
    assert len([one for one in judged if one[1] != "It holds"]) >= 15
    assert told(page, b"\x00" * 300) == "This is no receipt"
    assert told(page, b"") == "This is no receipt"
    assert told(page, receipt + b"\x00") == "This is no receipt"
    assert [each for each in asked if each[0] != "GET" or "/ledger/path?" not in each[1]] == []


def test_an_older_receipt_is_carried_to_a_newer_trust_file(north, page) -> None:
    receipt = receipt_of(north.node, AskReceipt(transaction=transaction(north))).receipt
    north.together.settle()
    north.wallet.holder.check_record("north")
    page.reload()
    trust = trust_file(north.node, AskTrust()).trust.encode()
    assert told(page, receipt, trust) == "It holds"
    other = json.loads(trust) | {"network": "00" * 32}
    assert told(page, receipt, json.dumps(other).encode()) == "It does not hold"
    alone = json.loads(trust)
    alone["cosigners"] = alone["cosigners"][:1]
    assert told(page, receipt, json.dumps(alone).encode()) == "It holds, unwitnessed"
    assert told(page, receipt, b"{}") == "This is no receipt"


def test_without_javascript_the_page_says_which_command_does_it(chromium, address) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/ledger/verify")
    assert page.get_by_text("salus verify --trust").is_visible()
    assert not page.locator("#receipt").is_visible()
    context.close()


def test_scripts_come_packed_and_by_their_digest(north) -> None:
    sent = north.browser().get(script_path("verify.js"))
    assert (sent.headers["content-type"], sent.headers["content-encoding"]) == (
        "text/javascript; charset=utf-8",
        "gzip",
    )
    assert north.browser().get("/scripts/0/none.js").status_code == 404
    plain = north.browser().get(script_path("verify.js"), headers={"accept-encoding": "identity"})
    assert plain.content == sent.content
    assert "content-encoding" not in plain.headers
