"""Who stands between two members with a certificate that their authority would take, and what it gets to see."""

import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from salus.core.proof.httpsig import HttpRequest
from salus.node.errors import Malformed, Unavailable
from salus.node.exchange.tls import certified_key
from salus.node.exchange.wire import Address, Answer, OverHttp
from salus.node.network.certificates import local_certificates

NAMES = ("north", "between")


class Server:
    """A server of one certificate; notes every request that it gets to see."""

    def __init__(self, folder, name, certificate, key):
        seen = self.seen = []

        class Answering(BaseHTTPRequestHandler):
            def do_POST(self):
                seen.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("content-length", "6")
                self.end_headers()
                self.wfile.write(b"answer")

            def log_message(self, *_):
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                """Say nothing: a caller that leaves amid the handshake is what is tested."""

        (folder / f"{name}.pem").write_bytes(certificate)
        (folder / f"{name}.key").write_bytes(key)
        settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        settings.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        self.key = certified_key(certificate)
        self._serving = Quiet(("127.0.0.1", 0), Answering)
        # The handshake is the worker's: one that fails does not end the server.
        self._serving.socket = settings.wrap_socket(
            self._serving.socket, server_side=True, do_handshake_on_connect=False
        )
        self.url = f"https://localhost:{self._serving.server_port}"
        self._thread = threading.Thread(target=self._serving.serve_forever)
        self._thread.start()

    def close(self):
        self._serving.shutdown()
        self._thread.join()
        self._serving.server_close()


@pytest.fixture
def scene(tmp_path):
    """The member's server, one in between with a certificate of the same authority, and a caller that trusts it."""
    authority, made = local_certificates("lake-county", NAMES, time.time_ns() // 1_000_000)
    (tmp_path / "authority.pem").write_bytes(authority)
    servers = [Server(tmp_path, name, *made[name]) for name in NAMES]
    transport = OverHttp.with_timeout(10, str(tmp_path / "authority.pem"))
    yield (*servers, transport)
    transport.close()
    for server in servers:
        server.close()


def ask(transport, url, *keys):
    request = HttpRequest("POST", url + "/exchange/pull", {"content-type": "x/y"}, b"a grant's slip")
    return transport.send(Address(url, frozenset(keys)), request)


def test_an_authoritys_certificate_is_not_enough_once_a_key_is_certified(scene):
    north, between, transport = scene
    assert ask(transport, between.url) == Answer(200, b"answer")
    between.seen.clear()

    assert ask(transport, north.url, north.key) == Answer(200, b"answer")
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"exchange\.tls-key") as refused:
            ask(transport, between.url, north.key)
    assert between.key.hex()[:16] in str(refused.value)
    assert between.seen == []


def test_a_certified_key_needs_no_authority(scene):
    north, _, transport = scene
    stranger = OverHttp.with_timeout(60)
    try:
        with pytest.raises(Unavailable, match=r"exchange\.unreachable"):
            ask(stranger, north.url)
        assert ask(stranger, north.url.replace("localhost", "127.0.0.1"), north.key) == Answer(200, b"answer")
    finally:
        stranger.close()
    with pytest.raises(Unavailable, match=r"exchange\.unreachable"):
        ask(transport, "https://localhost:1", north.key)


def test_both_keys_hold_during_a_rotation_and_the_old_one_no_longer_after_it(scene):
    old, new, transport = scene
    for server in (old, new):
        assert ask(transport, server.url, old.key, new.key) == Answer(200, b"answer")
    old.seen.clear()
    with pytest.raises(Unavailable, match=r"exchange\.tls-key"):
        ask(transport, old.url, new.key)
    assert old.seen == []
    assert ask(transport, new.url, new.key) == Answer(200, b"answer")


def test_a_certified_member_is_not_asked_in_clear(scene):
    north, _, transport = scene
    with pytest.raises(Unavailable, match=r"exchange\.tls-key"):
        ask(transport, north.url.replace("https", "http"), north.key)
    assert north.seen == []


def test_what_is_no_certificate_is_not_certified():
    for text in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(Malformed, match=r"tls\.certificate"):
            certified_key(text)
