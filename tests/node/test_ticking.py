"""What a running node does by itself, and the notices that leave it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from salus.contracts.membership.port import Role
from salus.index.errors import Unusable
from salus.node.errors import Unavailable
from salus.node.member import MemberNode
from salus.node.notices import ERASURE_OPENED, TEXTS, OverSmtp, ToFolder, notify, send_due, set_contact
from salus.node.ticking import Ticker
from salus.node.together import Clock, Founder, found_together
from salus.vault.journal import Disclosure, Side
from salus.vault.sealing import Content

PATIENCE = 120.0  # seconds; the promise is five


@pytest.fixture
def node(tmp_path: Path) -> Iterator[MemberNode]:
    together = found_together(tmp_path, (Founder("north", "North", (Role.PROVIDER,)),), clock=Clock())
    yield together.owner
    together.close()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
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


def test_what_was_left_for_later_is_found_by_who_asks_first_and_indexed_by_itself(
    node: MemberNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = node.vault.open_link("urn:mrn", "1")
    before = node.index.position()
    node.vault.write(link, [Content("Patient", "1", b'{"resourceType":"Patient","id":"1"}')])
    node.catch_up_later()
    assert node.indexed.position() == before

    def failing() -> None:
        raise Unusable("the index cannot be written")

    with monkeypatch.context() as broken:
        broken.setattr(node, "catch_up", failing)
        with pytest.raises(Unusable):
            node.index.chart([link])
    assert [one.id for one in node.index.chart([link]).lines] == ["1"]

    (ref,) = node.vault.write(link, [Content("Basic", "2", b'{"resourceType":"Basic","id":"2"}')])
    node.catch_up_later()
    with Ticker(node):
        until(lambda: node.indexed.position() == ref.number)


def test_what_the_index_could_not_commit_is_found_by_the_next_who_asks(node: MemberNode) -> None:
    link = node.vault.open_link("urn:mrn", "1")
    for own in ("1", "2", "3"):
        node.vault.write(link, [Content("Basic", own, b'{"resourceType":"Basic","id":"%s"}' % own.encode())])
        node.catch_up()
    writer = node.indexed._store._writer
    writer.set_commit_hook(lambda: True)
    with pytest.raises(Unusable):
        node.index.chart([link])
    writer.set_commit_hook(None)
    assert sorted(one.id for one in node.index.chart([link]).lines) == ["1", "2", "3"]


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
