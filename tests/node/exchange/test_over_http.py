"""What another member's HTTP server may answer: at most one answer's size, never packed."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from salus.core.proof.httpsig import HttpRequest
from salus.node.errors import Unavailable
from salus.node.exchange import wire
from salus.node.exchange.wire import Address, OverHttp


class Answering(BaseHTTPRequestHandler):
    """Answers what the test sets; notes what it was asked and how much it could send."""

    body = b""
    fields: ClassVar[dict[str, str]] = {}
    repeat = 1
    asked: ClassVar[list[str]] = []
    sent = 0

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        type(self).asked.append(self.headers.get("accept-encoding", ""))
        self.send_response(200)
        for name, value in self.fields.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for _ in range(self.repeat):
                self.wfile.write(self.body)
                type(self).sent += len(self.body)
        except OSError:
            pass

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    Answering.body, Answering.fields, Answering.repeat, Answering.asked, Answering.sent = b"", {}, 1, [], 0
    with HTTPServer(("127.0.0.1", 0), Answering) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def send(url):
    transport = OverHttp.with_timeout(60)
    try:
        return transport.send(
            Address(url), HttpRequest("POST", url + "/exchange/pull", {"content-type": "x/y"}, b"question")
        )
    finally:
        transport.close()


def test_an_answer_arrives_as_it_was_sent(server):
    Answering.body = b"answer"

    assert send(server) == wire.Answer(200, b"answer")
    assert Answering.asked == ["identity"]


def test_an_answer_without_end_is_left_at_the_limit(server, monkeypatch):
    monkeypatch.setattr(wire, "MAX_ANSWER_BYTES", 1 << 20)
    Answering.body, Answering.repeat = bytes(1 << 16), 4_000

    with pytest.raises(Unavailable, match=r"exchange\.answer-too-large"):
        send(server)
    assert Answering.sent < 64 << 20


def test_a_packed_answer_is_not_unpacked(server):
    Answering.body, Answering.fields = gzip.compress(bytes(1 << 20)), {"content-encoding": "gzip"}

    with pytest.raises(Unavailable, match=r"exchange\.answer"):
        send(server)
