"""A witness over HTTP, and the program `salus witness`: four routes, no other state than the witness's own.

    GET  /witness                        name and key, JSON
    GET  /networks/{network}             what was reached of a network: a trust file, JSON
    POST /networks/{network}/checkpoints CBOR [checkpoint, path] → the checkpoint with the witness's signature, CBOR
    POST /networks/{network}/changes     CBOR [change, path] → 204

Refusals are problem details (RFC 9457) with status 409; `held` and `offered` are the two statements in hexadecimal.
"""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from salus.core.proof import cbor
from salus.core.proof.checkpoint import Checkpoint, CosignerChange
from salus.core.proof.errors import MalformedProof, Unproven
from salus.core.proof.receipt import nodes_in
from salus.core.proof.trust import MAX_FILE, Trust
from salus.engines.errors import EngineError, NotKept, OtherLedger
from salus.engines.witness import Refused, Witness, key_in

MAX_BODY: Final = 64 * 1024  # 128 cosignatures and a path of 124 nodes take less than a quarter
CBOR: Final = "application/cbor"


def application(witness: Witness) -> Starlette:
    """Return the witness's web application."""

    async def about(_: Request) -> Response:
        return JSONResponse({"name": witness.name, "key": witness.key.hex()})

    async def pinned(request: Request) -> Response:
        trust = witness.pinned(_network(request))
        return Response(trust.to_json(), media_type="application/json")

    async def checkpoint(request: Request) -> Response:
        statement, path = await _statement(request)
        offered = Checkpoint.decode(statement)
        signed = await run_in_threadpool(witness.cosign, offered, path)
        return Response(signed.encode(), media_type=CBOR)

    async def change(request: Request) -> Response:
        statement, path = await _statement(request)
        await run_in_threadpool(witness.follow, CosignerChange.decode(statement), path)
        return Response(status_code=204)

    return Starlette(
        routes=[
            Route("/witness", about),
            Route("/networks/{network}", pinned),
            Route("/networks/{network}/checkpoints", checkpoint, methods=["POST"]),
            Route("/networks/{network}/changes", change, methods=["POST"]),
        ],
        exception_handlers={MalformedProof: _malformed, NotKept: _unknown, Refused: _refused},
    )


async def _statement(request: Request) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the statement's bytes and the path in a request's body. Raises MalformedProof or NotKept."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise MalformedProof(f"a body over {MAX_BODY} bytes")
    match cbor.decode(body):
        case (bytes(statement), bytes(path)):
            network = _network(request)
            if network not in statement[:64]:
                raise MalformedProof("the statement is of another network than the address")
            return statement, nodes_in(path)
    raise MalformedProof("expected CBOR [statement, path]")


def _network(request: Request) -> bytes:
    text = request.path_params["network"]
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise NotKept("a network is 64 digits in lower-case hexadecimal")
    return bytes.fromhex(text)


def _problem(status: int, code: str, error: Exception, **more: str) -> Response:
    document = {"type": f"urn:salus:problem:{code}", "title": str(error), "status": status, "code": code, **more}
    return Response(json.dumps(document), status_code=status, media_type="application/problem+json")


def _malformed(_: Request, error: Exception) -> Response:
    return _problem(400, "witness.malformed", error)


def _unknown(_: Request, error: Exception) -> Response:
    return _problem(404, "witness.unknown", error)


def _refused(_: Request, error: Exception) -> Response:
    refusal = error if isinstance(error, Refused) else None
    if refusal is None:
        return _problem(409, "witness.refused", error)
    held = "" if refusal.held is None else refusal.held.encode().hex()
    return _problem(409, "witness.refused", error, held=held, offered=refusal.offered.encode().hex())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a witness until it is told to end; the program behind `salus witness`. Exit code 0, or 2 if it cannot start."""
    parser = argparse.ArgumentParser(
        prog="salus witness", description="Remember and cosign the checkpoints of ledgers."
    )
    parser.add_argument("folder", type=Path, help="where the witness keeps what it has seen, and its key")
    parser.add_argument("--name", default="witness", help="the name under which trust files list it")
    parser.add_argument("--trust", type=Path, action="append", default=[], help="trust file of a network to witness")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7380)
    given = parser.parse_args(arguments)
    try:
        witness = Witness(given.folder, given.name, key_in(given.folder / "witness.key"))
        for file in given.trust:
            _add(witness, file)
    except (EngineError, Unproven, OSError) as error:
        parser.exit(2, f"salus witness: {error}\n")
    server = uvicorn.Config(
        application(witness), host=given.host, port=given.port, log_config=None, access_log=False, lifespan="off"
    )
    os.write(1, f"witness {witness.name} key {witness.key.hex()} on {given.host} port {given.port}\n".encode())
    uvicorn.Server(server).run()
    witness.close()
    return 0


def _add(witness: Witness, file: Path) -> None:
    """Witness the network of a trust file from now on; one that is witnessed already stays as it is."""
    with file.open("rb") as stream:
        trust = Trust.from_json(stream.read(MAX_FILE + 1))
    try:
        witness.add(trust)
    except OtherLedger:
        witness.pinned(trust.network)
