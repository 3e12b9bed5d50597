"""Headers for a member that joins: four reading questions and no other, carried as CometBFT asks them."""

import json
import urllib.request

import pytest

from salus.core.encoding import encode
from salus.node.errors import Malformed, Unavailable
from salus.node.exchange.light import PATH, AskEngine, EngineDoor, EngineTold, relayed


def test_a_node_hands_on_reading_questions_alone(tmp_path):
    (ask,) = EngineDoor(tmp_path / "rpc.sock").handlers().values()
    for body in (
        encode(AskEngine("broadcast_tx_sync", b"{}")),
        encode(AskEngine("unsafe_flush_mempool", b"{}")),
        encode(AskEngine("commit", b"[")),
        encode(AskEngine("commit", b'{"height": {}}')),
        encode(AskEngine("commit", b'{"height": "' + b"1" * 5000 + b'"}')),
        b"junk",
    ):
        with pytest.raises(Malformed) as caught:
            ask("south", body)
        assert caught.value.code == "engine.question"
    with pytest.raises(Unavailable) as away:
        ask("south", encode(AskEngine("commit", b"{}")))
    assert away.value.code == "engine.away"


class Others:
    """The exchange's twin: members that answer from a table."""

    def __init__(self):
        self.asked = []

    def ask(self, member, path, question, answer):
        assert (path, answer) == (PATH, EngineTold)
        self.asked.append((member, question.method, json.loads(question.parameters)))
        if question.method == "validators":
            return EngineTold(b"", "height 9 must be less than or equal to 5")
        if question.method == "status":
            raise Unavailable("exchange.unreachable", "the node cannot be reached")
        return EngineTold(b'{"height": "5"}', "")


def test_what_cometbft_asks_is_answered_as_its_own_rpc_does():
    others = Others()

    def asked(url, method):
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": {"height": "5"}}
        request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    with relayed(others, "north") as url:
        assert asked(url, "commit") == {"jsonrpc": "2.0", "id": 7, "result": {"height": "5"}}
        assert "must be less than" in asked(url, "validators")["error"]["data"]
        assert asked(url, "status")["error"]["data"] == "exchange.unreachable"
        with urllib.request.urlopen(urllib.request.Request(url, b"junk"), timeout=60) as answer:
            assert json.loads(answer.read())["error"]["data"] == "JSONDecodeError"
    assert others.asked[0] == ("north", "commit", {"height": "5"})
