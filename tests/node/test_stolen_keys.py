"""A thief has a member's signing key and exchanges it on the ledger: the others give the owner new keys, and its records are its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from salus.contracts.membership.port import Role, RotateKeys, key_at, possession_bytes
from salus.contracts.records.port import Anchor
from salus.node import opening
from salus.node.config import Config, LedgerAt
from salus.node.errors import Conflict, EdgeError
from salus.node.exchange.wire import InProcess, OverHttp
from salus.node.member import MemberNode
from salus.node.network.founding import read_card
from salus.node.network.governing import (
    CastVote,
    NewKeys,
    ProposeReplaceKeys,
    make_new_keys,
    propose_replace_keys,
    vote,
)
from salus.node.records.intake import Intake
from salus.node.submitting import Submitter
from salus.node.together import Clock, Founder, Together, found_together
from salus.vault.keystore import Keys, new_keys, save_keystore

NAMES = ("south", "north", "west", "east")
RECORD = '{"resourceType":"Patient","id":"p1","name":[{"family":"Rivera"}]}'
ANCHOR = Anchor(root=bytes(32), count_bucket=1, deferred=False)


@pytest.fixture
def together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Together]:
    founders = tuple(Founder(name, name.title(), (Role.PROVIDER,)) for name in NAMES)
    found = found_together(tmp_path / "members", founders, clock=Clock())
    monkeypatch.setattr(InProcess, "close", lambda _: None, raising=False)
    monkeypatch.setattr(OverHttp, "with_timeout", lambda *_: found.transport)
    yield found
    found.close()


def settled_apart(together: Together, home: Path) -> Config:
    """Let north go on as a node with a folder, a keystore and the owner's address, as its operator runs it."""
    file = home / "in.ndjson"
    file.write_text(RECORD)
    Intake(together.nodes["north"], "urn:north").run([file])
    together.settle()
    together.followers.pop("north").stop()
    node = together.nodes.pop("north")
    node.close()
    (home / opening.PASSPHRASE).write_text("a passphrase of tests")
    save_keystore(home / opening.KEYSTORE, node.keys, b"a passphrase of tests", entropy=os.urandom)
    return Config(member="north", data=str(home), ledger=LedgerAt(owner="south", url="https://south.example"))


def opened(config: Config) -> MemberNode:
    node = opening.open_node(config)
    assert isinstance(node, MemberNode)
    return node


def rotated_by_a_thief(together: Together, stolen: Keys) -> Keys:
    thief = new_keys("north", os.urandom)
    public, receive = thief.signing_key().public_key().public_bytes_raw(), thief.receive_key().public
    possession = thief.signing_key().sign(possession_bytes("north", public, receive))
    signing_as(together, stolen).submit(RotateKeys(public, receive, possession))
    return thief


def signing_as(together: Together, keys: Keys) -> Submitter:
    owner = together.owner
    return Submitter(owner.ledger, owner.network, "north", keys.signing_key(), clock=together.clock, entropy=os.urandom)


def test_attack_a_thief_exchanges_a_members_keys_and_the_owner_comes_back_with_its_vault(
    together: Together, tmp_path: Path
) -> None:
    config = settled_apart(together, tmp_path / "members" / "north")
    node = opened(config)
    link = node.vault.find_link("urn:north", "p1")
    thief = rotated_by_a_thief(together, node.keys)
    with pytest.raises(EdgeError):
        node.submitter.submit(ANCHOR)
    card = make_new_keys(node, NewKeys()).card
    node.close()

    node = opened(config)  # before the vote nothing changes, and the card is the same
    assert node.keys.sign != thief.sign
    assert make_new_keys(node, NewKeys()).card == card
    node.close()
    asked = propose_replace_keys(together.nodes["south"], ProposeReplaceKeys(card=card))
    together.abreast()
    vote(together.nodes["west"], CastVote(proposal=asked.proposal, approve=True))
    together.abreast()
    assert vote(together.nodes["east"], CastVote(proposal=asked.proposal, approve=True)).status == "passed"

    node = opened(config)
    assert node.keys.signing_key().public_key().public_bytes_raw() == read_card(card).signing_key
    assert not (Path(config.data) / opening.NEXT_KEYSTORE).exists()
    assert node.submitter.submit(ANCHOR).applied
    now = key_at(node.ledger.read(), "north")
    assert now is not None
    assert now.receive_key == node.receive_key.public
    assert link is not None
    assert [ref.type for ref in node.vault.of_link(link)] == ["Patient"]
    with pytest.raises(EdgeError, match="NOT_CURRENT"):
        signing_as(together, thief).submit(ANCHOR)
    node.close()


def test_new_keys_are_made_where_the_keystore_is_and_the_node_stands(together: Together) -> None:
    north = together.nodes["north"]
    with pytest.raises(Conflict, match=r"network\.credential"):
        make_new_keys(north, NewKeys())
    north.ticking = True
    with pytest.raises(Conflict, match=r"network\.running"):
        make_new_keys(north, NewKeys())
    north.ticking = False
