"""A patient whose records lie at two members and are shared with a third, and a member whose answers lie."""

import os
import ssl
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import httpx
from msgspec import structs

from salus.core.encoding import decode, encode
from salus.core.proof.digest import framed
from salus.core.proof.trust import Trust
from salus.node.demo.network import ByHttp
from salus.node.exchange.custodian import MANIFEST_LABEL
from salus.node.exchange.pull import PATH, Manifest, Pull, Pulled
from salus.node.exchange.wire import MEDIA_TYPE, Address, OverHttp, Peers
from salus.node.invitation import read as read_invitation
from salus.node.links import Invite, invite
from salus.node.local import now_ms
from salus.node.network.directory import AskTrust, trust_file
from salus.node.opening import keys_of
from salus.node.records.taking import ImportRecords, import_records
from salus.node.requests import AskAccess, ListAccess, PullAccess, PulledAccess, ask_access, list_access, pull_access
from salus.node.wallet.holder import Holder
from salus.vault.wallet import Wallet
from tests.faults.fleet import Fleet, until
from tests.processes.test_three_members import FHIR

if TYPE_CHECKING:
    from collections.abc import Callable

READER, LIAR, KEEPERS = "north", "lab", ("south", "lab")
LIES = ("forged", "replayed", "stale", "withheld")
SECONDS = 30.0


class Lying:
    """What stands at the liar's address instead of its node: hands on to it, and makes of its answers to pulls what it is told."""

    def __init__(self, tls: tuple[Path, Path], host: str = "127.0.0.1") -> None:
        self.mode = ""
        self.asked: list[bytes] = []
        self.answers: list[bytes] = []
        self.target = ""
        self.sign: Callable[[bytes], bytes] = bytes
        self._client = httpx.Client(verify=ssl.create_default_context(cafile=str(tls[0])), timeout=SECONDS)
        lying = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answer = lying.answer(self.path, dict(self.headers), body)
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer[0])
                self.send_header("content-type", MEDIA_TYPE)
                self.send_header("content-length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((host, 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://{host}:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._client.close()

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes] | None:
        if path == PATH and self.mode == "withheld":
            return None
        try:
            told = self._client.post(self.target + path, content=body, headers=headers)
        except httpx.HTTPError:
            return None
        if path != PATH or told.status_code != httpx.codes.OK:
            return told.status_code, told.content
        self.asked.append(body)
        self.answers.append(told.content)
        return told.status_code, self._made(told.content)

    def _made(self, answer: bytes) -> bytes:
        if self.mode == "forged":
            return answer[: len(answer) // 3] + bytes([answer[len(answer) // 3] ^ 1]) + answer[len(answer) // 3 + 1 :]
        if self.mode == "replayed":
            return self.answers[0]
        if self.mode == "stale":  # signed anew, over a disclosure of before the question
            first = decode(decode(self.answers[0], Pulled).manifest, Manifest)
            pulled = decode(answer, Pulled)
            manifest = decode(pulled.manifest, Manifest)
            manifest = structs.replace(manifest, disclosure=first.disclosure, height=first.height)
            text = encode(manifest)
            signature = self.sign(framed(MANIFEST_LABEL, (text,)))
            return encode(structs.replace(pulled, manifest=text, signature=signature))
        return answer


class Sharing:
    """The patient's wallet, and what the reader does under its grants."""

    def __init__(self, fleet: Fleet, lying: Lying) -> None:
        self.fleet, self.lying = fleet, lying
        self.members = ByHttp(fleet.tls[0])
        self.members.urls = dict(fleet.urls)
        trust = Trust.from_json(fleet.ask(READER, trust_file, AskTrust()).trust.encode())
        self.holder = Holder(Wallet.new(clock=now_ms, entropy=os.urandom), trust, self.members, now_ms, os.urandom)
        for name in KEEPERS:
            file = fleet.members[name].home / "in.ndjson"
            file.write_text(FHIR % name)
            fleet.ask(name, import_records, ImportRecords(paths=(str(file),), source="urn:ehr"))
            invited = fleet.ask(name, invite, Invite(system=f"urn:mrn:{name}", value="4711"))
            self.holder.join(name, read_invitation(invited.invitation).code)
        lying.sign = keys_of(fleet.config(LIAR)).signing_key().sign

    def close(self) -> None:
        self.members.close()

    def granted(self) -> str:
        """Grant the reader everything; return the grant once it has it."""
        code = self.fleet.ask(READER, ask_access, AskAccess(classes=("general",))).code
        grant = self.holder.answer(self.holder.read_request(code), days=30, through=KEEPERS[0]).hex()
        until(lambda: grant in self.standing(), "the grant is delivered")
        return grant

    def standing(self) -> dict[str, str]:
        return {one.grant: one.standing for one in self.fleet.ask(READER, list_access, ListAccess()).grants}

    def pull(self, grant: str) -> PulledAccess:
        told: PulledAccess = self.fleet.ask(READER, pull_access, PullAccess(grant=grant))
        return told

    def revoked(self, grant: str) -> int:
        """Revoke a grant; return the height of the block from which on nobody may serve under it."""
        return self.holder.stop(bytes.fromhex(grant), through=KEEPERS[0]).height

    def asked_again(self) -> None:
        """Ask the liar's own node once more what the reader asked last, as a reader that lies would. Raises EdgeError."""
        key = keys_of(self.fleet.config(READER)).signing_key()
        pull = structs.replace(decode(self.lying.asked[-1], Pull), id=os.urandom(16), cursor=b"", seen=0)
        with closing(OverHttp.with_timeout(SECONDS, str(self.fleet.tls[0]))) as transport:
            peers = Peers(READER, key, transport, lambda _: Address(self.lying.url), clock=now_ms, entropy=os.urandom)
            peers.ask(LIAR, PATH, pull, Pulled)
