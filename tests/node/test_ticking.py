"""What a running node does by itself, and the notices that leave it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from salus.contracts.membership.port import Role
from salus.node.errors import Unavailable
from salus.node.member import MemberNode
from salus.node.notices import ERASURE_OPENED, TEXTS, OverSmtp, ToFolder, notify, send_due, set_contact
from salus.node.ticking import Ticker
from salus.node.together import Clock, Founder, found_together
from salus.vault.journal import Disclosure, Side

ANCHORED = 5.0  # seconds, the promise


@pytest.fixture
def node(tmp_path: Path) -> Iterator[MemberNode]:
    together = found_together(tmp_path, (Founder("north", "North", (Role.PROVIDER,)),), clock=Clock())
    yield together.owner
    together.close()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + ANCHORED
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_is_read_is_anchored_by_itself(node: MemberNode) -> None:
    link = node.vault.open_link("urn:mrn", "1")
    with Ticker(node):
        assert node.ticking
        reading = Disclosure(Side.CUSTODIAN, link, "north", "staff-1", "physician", "TREAT", "read", ("Patient 1",))
        (entry,) = node.vault.journal([reading])
        until(lambda: node.vault.line(entry).anchoring is not None and bool(node.vault.line(entry).anchoring))
    assert not node.ticking


def test_a_failure_is_logged_by_its_code_and_tried_again(node: MemberNode, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def failing(_: MemberNode) -> None:
        tries.append(1)
        raise Unavailable("ledger.timeout", "the ledger did not answer")

    monkeypatch.setattr("salus.node.ticking.anchor", failing)
    with Ticker(node):
        until(lambda: len(tries) > 1)
    assert node.trouble() == ""


def test_a_notice_leaves_with_a_text_free_of_content(node: MemberNode, tmp_path: Path) -> None:
    link = node.vault.open_link("urn:mrn", "1")
    notify(node, link, ERASURE_OPENED)
    assert node.desk.waiting() == []
    set_contact(node, link, "ada@example.org")
    notify(node, link, ERASURE_OPENED)
    assert send_due(node, ToFolder(tmp_path / "out")) == 1
    (file,) = (tmp_path / "out").iterdir()
    text = file.read_text()
    assert "To: ada@example.org" in text
    assert TEXTS[ERASURE_OPENED][0] in text
    assert node.desk.waiting() == []


def test_a_notice_waits_for_a_mail_server_that_is_down_and_is_dropped_with_the_address(node: MemberNode) -> None:
    link = node.vault.open_link("urn:mrn", "1")
    set_contact(node, link, "ada@example.org")
    notify(node, link, ERASURE_OPENED)
    assert send_due(node, OverSmtp("127.0.0.1", 9, "north@example.org")) == 0
    ((_, code),) = node.desk.waiting()
    assert code == "notice.smtp"
    set_contact(node, link, "")
    assert node.desk.waiting() == []
