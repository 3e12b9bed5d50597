"""What a joining member and its inviter learn of the others' engines."""

import msgspec
import pytest

from salus.engines.cometbft.home import Peer
from salus.node.errors import Forbidden, Unavailable
from salus.node.exchange.light import EngineTold
from salus.node.network.engines import Engine, engine_of, engines_at, refreshed
from salus.node.network.entering import answering_members

HERE = {"lab": "https://lab.example", "north": "https://north.example", "payer": "https://payer.example"}


def status(node_id, listen="tcp://0.0.0.0:26656", earliest="1"):
    return {"node_info": {"id": node_id, "listen_addr": listen}, "sync_info": {"earliest_block_height": earliest}}


class Others:
    """The exchange's twin: members that answer from a table, or refuse."""

    def __init__(self, **told):
        self.told = told
        self.asked = []

    def ask(self, member, _path, _question, _answer):
        self.asked.append(member)
        answer = self.told[member]
        if isinstance(answer, Exception):
            raise answer
        return EngineTold(answer if isinstance(answer, bytes) else msgspec.json.encode(answer), "")


AWAY = Unavailable("exchange.unreachable", "the node cannot be reached")


def test_only_members_with_the_snapshots_headers_are_asked_for_them():
    others = Others(lab=status("a", earliest="27"), north=status("b", earliest="26"), payer=status("c"))
    assert answering_members(others, HERE, 26) == ["north", "payer"]
    with pytest.raises(Unavailable) as caught:
        answering_members(others, HERE, 25)
    assert (caught.value.code, caught.value.got) == ("join.headers", "north begins with block 26")
    assert "salus network invite" in caught.value.todo


def test_who_is_away_is_passed_over_until_too_few_are_left():
    others = Others(lab=AWAY, north=status("b"), payer=status("c"))
    assert answering_members(others, HERE, 1) == ["north", "payer"]
    others = Others(lab=status("a"), north=AWAY, payer=b"[")
    with pytest.raises(Unavailable, match=r"engine\.status"):
        answering_members(others, HERE, 1)
    with pytest.raises(Unavailable, match=r"join\.nobody"):
        answering_members(others, {}, 1)


def test_who_is_not_admitted_is_told_so():
    stranger = Forbidden("signature.invalid", "the signature does not hold")
    with pytest.raises(Forbidden, match=r"join\.not-admitted"):
        answering_members(Others(lab=stranger, north=stranger, payer=stranger), HERE, 1)


def test_an_engine_that_came_back_under_another_id_is_met_again():
    engines = engines_at(Others(lab=status("new"), north=status("same"), payer=AWAY), HERE)
    assert engines == {
        "lab": Engine("new", "tcp://0.0.0.0:26656", 1),
        "north": Engine("same", "tcp://0.0.0.0:26656", 1),
    }
    known = {"lab": Peer("old", "10.0.0.1:26656"), "payer": Peer("kept", "10.0.0.3:26656")}
    assert refreshed(known, engines, HERE) == {
        "lab": Peer("new", "10.0.0.1:26656"),
        "north": Peer("same", "north.example:26656"),
        "payer": Peer("kept", "10.0.0.3:26656"),
    }


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("tcp://0.0.0.0:26656", "north.example:26656"),
        ("tcp://[::]:1", "north.example:1"),
        ("tcp://10.0.0.2:26657", "10.0.0.2:26657"),
        ("tcp://[fd00::2]:26657", "[fd00::2]:26657"),
    ],
)
def test_an_engine_that_listens_everywhere_is_met_at_its_nodes_host(listen, address):
    assert Engine("id", listen, 1).met_at("https://north.example:8480/x") == Peer("id", address)


def test_what_is_no_status_is_refused():
    for told in ({}, {"node_info": {}}, status("a", earliest="soon"), {"node_info": 1, "sync_info": 1}):
        with pytest.raises(Unavailable, match=r"engine\.status"):
            engine_of(told)
