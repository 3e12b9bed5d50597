"""CometBFT's JSON-RPC over its unix socket: what a node asks its own engine."""

import base64
import http.client
import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from salus.engines.errors import EngineError

TIMEOUT_SECONDS: Final = 10.0
MAX_BATCH: Final = 100  # requests in one message; the configuration allows the engine as many


class EngineAway(EngineError):
    """The engine does not answer: it is starting, or it ended. Nothing was sent."""


class EngineSilent(EngineError):
    """The engine took a question and gave no answer: whether it acted on it is not known."""


class _Unix(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("engine", timeout=TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT_SECONDS)
        try:
            self.sock.connect(str(self._path))
        except OSError:
            self.sock.close()
            raise


class Rpc:
    """One connection to an engine, kept open. Not thread-safe: one for each thread."""

    def __init__(self, path: Path) -> None:
        self._connection = _Unix(path)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def call(self, method: str, **parameters: str | int | None) -> dict[str, Any]:
        """Return the result of one call. Raises EngineAway, EngineSilent, or EngineError with what the engine says."""
        (answer,) = self._post([{"jsonrpc": "2.0", "id": 0, "method": method, "params": parameters}])
        if "error" in answer:
            raise EngineError(f"{method}: {_told(answer)}")
        result: dict[str, Any] = answer["result"]
        return result

    def broadcast(self, wires: Sequence[bytes]) -> list[str]:
        """Hand transactions, at most `MAX_BATCH`, to the mempool in order; return for each what was said against it.

        Nothing ("") is said of what the mempool took, before CheckTx. Raises EngineAway or EngineSilent.
        """
        asked = [
            {
                "jsonrpc": "2.0",
                "id": number,
                "method": "broadcast_tx_async",
                "params": {"tx": base64.b64encode(wire).decode()},
            }
            for number, wire in enumerate(wires)
        ]
        said = {answer["id"]: _told(answer) for answer in self._post(asked) if "error" in answer}
        return [said.get(number, "") for number in range(len(wires))]

    def _post(self, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self._connection.sock is None:
            try:
                self._connection.connect()
            except OSError as error:
                raise EngineAway("the engine does not answer") from error
        try:
            self._connection.request("POST", "/", json.dumps(asked), {"Content-Type": "application/json"})
            answers = json.loads(self._connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            raise EngineSilent("the engine gave no answer") from error
        return answers if isinstance(answers, list) else [answers]


def _told(answer: dict[str, Any]) -> str:
    error = answer["error"]
    return str(error.get("data") or error.get("message") or "an error without words")
