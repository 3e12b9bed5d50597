"""Framing and order: whatever arrives, the answer is a value or a named failure, in the order of the questions."""

import asyncio
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.core.errors import InvariantBroken
from salus.engines.cometbft.schema import MESSAGES, Request, Response
from salus.engines.cometbft.server import MAX_FRAME_BYTES, BadFrame, Server, frame, unframe


class Echoing:
    """Answers Info with what was asked, and fails at a query for `fail`."""

    def answer(self, kind, request):
        if kind == "query" and request.path == "fail":
            raise InvariantBroken("planted")
        if kind == "query":
            return MESSAGES["ResponseQuery"](value=request.data)
        return MESSAGES["ResponseInfo"](data=request.version)


@pytest.fixture
def server(tmp_path):
    """A running server; its failure, once it has ended, is `server.failure`."""
    server = Server(Echoing(), tmp_path / "app.sock")
    ready = threading.Event()

    def run():
        asyncio.run(server.run(ready.set))

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(60)
    yield server
    server.close()
    thread.join(60)
    assert not thread.is_alive()


def connected(server):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(60)
    connection.connect(str(server.address))
    return connection


def asked(**value):
    return frame(Request(**value).SerializeToString())


def answers(connection, count):
    buffer, found = bytearray(), []
    while len(found) < count:
        data = connection.recv(65536)
        if not data:
            break
        buffer += data
        found.extend(unframe(buffer))
    return [Response.FromString(message) for message in found]


@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(1, 64))
def test_frames_come_back_whole_however_they_are_cut(messages, step):
    stream = b"".join(frame(message) for message in messages)
    buffer, found = bytearray(), []
    for start in range(0, len(stream), step):
        buffer += stream[start : start + step]
        found.extend(unframe(buffer))
    assert found == messages
    assert not buffer


@given(st.binary(max_size=200))
def test_any_bytes_give_messages_or_the_named_failure(data):
    buffer = bytearray(data)
    try:
        found = list(unframe(buffer))
    except BadFrame:
        return
    assert sum(len(frame(message)) for message in found) <= len(data)
    assert data.endswith(bytes(buffer))


def test_a_length_beyond_the_limit_is_refused():
    assert list(unframe(bytearray(frame(b"")))) == [b""]
    with pytest.raises(BadFrame, match=f"at most {MAX_FRAME_BYTES}"):
        list(unframe(bytearray(b"\x81\x80\x80\x40")))
    with pytest.raises(BadFrame, match="five bytes"):
        list(unframe(bytearray(b"\x80" * 5)))


def test_pipelined_requests_are_answered_in_order_with_their_own_kind(server):
    with connected(server) as connection:
        requests = [asked(query=MESSAGES["RequestQuery"](data=b"%d" % n)) for n in range(100)]
        requests.insert(50, asked(echo=MESSAGES["RequestEcho"](message="here")))
        requests.append(asked(flush=MESSAGES["RequestFlush"]()))
        connection.sendall(b"".join(requests))
        told = answers(connection, 102)
    assert [one.WhichOneof("value") for one in told] == ["query"] * 50 + ["echo"] + ["query"] * 50 + ["flush"]
    assert [one.query.value for one in told if one.WhichOneof("value") == "query"] == [b"%d" % n for n in range(100)]


def test_every_connection_serves_every_request(server):
    connections = [connected(server) for _ in range(4)]
    for n, connection in enumerate(connections):
        connection.sendall(asked(info=MESSAGES["RequestInfo"](version=str(n))))
    assert [answers(connection, 1)[0].info.data for connection in connections] == list("0123")
    for connection in connections:
        connection.close()


def test_a_failure_is_told_after_what_was_answered_and_ends_the_server(server):
    with connected(server) as connection:
        connection.sendall(
            asked(query=MESSAGES["RequestQuery"](data=b"1")) + asked(query=MESSAGES["RequestQuery"](path="fail"))
        )
        told = answers(connection, 2)
    assert told[0].query.value == b"1"
    assert told[1].exception.error == "InvariantBroken"
    assert isinstance(server.failure, InvariantBroken)


@pytest.mark.parametrize("message", [b"", b"\xff\xff", b"\x9a\x06\x00"])
def test_what_is_no_request_ends_the_server_by_name(server, message):
    with connected(server) as connection:
        connection.sendall(frame(message))
        (told,) = answers(connection, 1)
    assert told.exception.error == "BadFrame"
    assert isinstance(server.failure, BadFrame)
