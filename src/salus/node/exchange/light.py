"""Headers and validators for a member that joins: what CometBFT's light client asks, carried by the exchange.

A node's engine listens on a unix socket alone. The member that joins asks two others over signed requests; its light
client checks every header and signature by itself, so that nobody has to be believed.
"""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from salus.core.encoding import MalformedBytes, Value, decode
from salus.engines.cometbft.rpc import EngineAway, EngineSilent, Rpc
from salus.engines.errors import EngineError
from salus.node.errors import EdgeError, Malformed, Unavailable
from salus.node.exchange.wire import Handler, Peers

PATH: Final = "/exchange/engine/light"
METHODS: Final = ("commit", "consensus_params", "status", "validators")
MAX_QUESTION_BYTES: Final = 4096  # a height and a page


class AskEngine(Value, frozen=True):
    """One of `METHODS` with its parameters, JSON."""

    method: str
    parameters: bytes


class EngineTold(Value, frozen=True):
    """The result, JSON; or what the engine said against it."""

    result: bytes
    refused: str


class EngineDoor:
    """A member's side: hands four reading questions on to its own engine."""

    def __init__(self, rpc: Path) -> None:
        self._rpc = rpc

    def handlers(self) -> dict[str, Handler]:
        """Return the handler by its path."""
        return {PATH: self._ask}

    def _ask(self, _sender: str, body: bytes) -> Value:
        try:
            asked = decode(body, AskEngine)
            parameters = msgspec.json.decode(asked.parameters or b"{}", type=dict[str, str | int | None])
        except (MalformedBytes, msgspec.DecodeError) as error:
            raise Malformed("engine.question", "the question does not decode") from error
        if asked.method not in METHODS or len(body) > MAX_QUESTION_BYTES:
            raise Malformed("engine.question", "the engine is not asked that", expected=", ".join(METHODS))
        with contextlib.closing(Rpc(self._rpc)) as rpc:
            try:
                return EngineTold(msgspec.json.encode(rpc.call(asked.method, **parameters)), "")
            except (EngineAway, EngineSilent) as error:
                raise Unavailable("engine.away", str(error), todo="try again") from error
            except EngineError as error:
                return EngineTold(b"", str(error))


def ask(peers: Peers, member: str, method: str, parameters: bytes = b"{}") -> EngineTold:
    """Ask a member's engine. Raises RemoteRefusal or Unavailable."""
    return peers.ask(member, PATH, AskEngine(method, parameters), EngineTold)


@contextlib.contextmanager
def relayed(peers: Peers, member: str) -> Iterator[str]:
    """Answer CometBFT's RPC on a port of this machine, as a member's engine does, while the block runs; yield its URL."""

    class Relay(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Hand one question on."""
            told = self._told(self.rfile.read(min(int(self.headers.get("content-length", 0)), MAX_QUESTION_BYTES)))
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _told(self, question: bytes) -> dict[str, Any]:
            try:
                asked = json.loads(question)
                frame = {"jsonrpc": "2.0", "id": asked["id"]}
                parameters = msgspec.json.encode(asked.get("params") or {})
                told = ask(peers, member, str(asked["method"]), parameters)
            except (ValueError, KeyError, TypeError) as error:
                return {"jsonrpc": "2.0", "id": -1, "error": _against(type(error).__name__)}
            except EdgeError as error:
                return {**frame, "error": _against(error.code)}
            if told.refused:
                return {**frame, "error": _against(told.refused)}
            return {**frame, "result": json.loads(told.result)}

        def log_message(self, *_: object) -> None:
            """Keep no log."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever, name="engine-relay", daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


def _against(why: str) -> dict[str, Any]:
    return {"code": -32603, "message": "Internal error", "data": why}
