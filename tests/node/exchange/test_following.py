"""What a follower asks of its owner, and how much either takes of the other."""

import pytest

from salus.core.encoding import encode
from salus.core.proof.checkpoint import Checkpoint
from salus.engines.follower import SourceUnavailable
from salus.node.exchange.following import (
    MAX_CHECKPOINTS,
    AskCheckpoints,
    Checkpoints,
    LedgerDoor,
    RemoteSource,
)

MANY = [Checkpoint(bytes(32), size, bytes(32), size) for size in range(1, 2 * MAX_CHECKPOINTS + 1)]


class Book:
    """A ledger's checkpoints, and what a cosigning offers of them."""

    def __init__(self):
        self.book = self

    def since(self, size):
        return [one for one in MANY if one.size >= size]


class Answering:
    """The owner's node: answers with so many."""

    def __init__(self, count):
        self.count = count

    def ask(self, _member, _path, _question, _answer):
        return Checkpoints(tuple(one.encode() for one in MANY[: self.count]))


def test_checkpoints_are_answered_in_pages():
    door = LedgerDoor(None, Book())
    found, size = [], 0
    while page := door._checkpoints("south", encode(AskCheckpoints(size))).checkpoints:
        assert len(page) <= MAX_CHECKPOINTS
        found += [Checkpoint.decode(one) for one in page]
        size = found[-1].size + 1
    assert found == MANY


def test_an_owner_that_answers_more_than_a_page_is_not_read():
    source = RemoteSource(Answering(MAX_CHECKPOINTS), "north")
    assert len(source.checkpoints(0)) == MAX_CHECKPOINTS
    greedy = RemoteSource(Answering(MAX_CHECKPOINTS + 1), "north")
    with pytest.raises(SourceUnavailable, match="more than"):
        greedy.checkpoints(0)
    source.close()
    greedy.close()
