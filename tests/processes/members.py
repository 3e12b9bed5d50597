"""Members as their operators run them: a folder and a process each, HTTPS between them on loopback, commands beside."""

import contextlib
import datetime as dt
import io
import ipaddress
import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from salus.cli import main as program
from tests.ports import free_port

COMMAND = [sys.executable, "-c", "import sys; from salus.cli.main import main; sys.exit(main())"]
START_SECONDS = 180


def certificate(folder: Path, *hosts: str) -> tuple[Path, Path]:
    """Write a self-signed certificate for these addresses (127.0.0.1) and its key; return their paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    addresses = [x509.IPAddress(ipaddress.ip_address(host)) for host in hosts or ("127.0.0.1",)]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "tls.pem", folder / "tls.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, secret


@dataclass
class Member:
    """One member: where it lives, how it is reached."""

    id: str
    home: Path
    port: int
    environment: dict[str, str]
    process: "subprocess.Popen[str] | None" = None
    program: list[str] = field(default_factory=lambda: COMMAND)
    """What is started to serve."""
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.home / "log"

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command line in the member's folder, with the member's environment; nodes are processes of their own."""
        out, err = io.StringIO(), io.StringIO()
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environment)
        try:
            with contextlib.chdir(self.home), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = program.main(arguments)
        finally:
            os.environ.clear()
            os.environ.update(before)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    def told(self, *arguments: str) -> Any:
        """Run a use case that must succeed; return its response."""
        ran = self.run(*arguments, "--json")
        assert ran.returncode == 0, f"{self.id} {arguments[:2]}: {ran.stderr}"
        return json.loads(ran.stdout)

    def serve(self) -> None:
        """Start the node and wait until it listens."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*self.program, "serve"],
                cwd=self.home,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        ready = select.select([self.process.stdout], [], [], START_SECONDS)[0]
        assert ready, f"{self.id} did not start: {self.log.read_text()}"
        assert "serving" in self.process.stdout.readline(), self.log.read_text()

    def end(self) -> int:
        """Tell the node to end; return its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        return self.process.returncode


def member(folder: Path, id_: str, owner: Member | None = None, tls: tuple[Path, Path] | None = None) -> Member:
    """Return a member with a folder of its own; it follows `owner`, if one is given."""
    home = folder / id_
    home.mkdir(mode=0o700)
    port = free_port()
    scheme = "https" if tls else "http"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SALUS_")},
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"),
        "SALUS_MEMBER": id_,
        "SALUS_DATA": str(home / "data"),
        "SALUS_RUNTIME": str(folder / "run"),
        "SALUS_HTTP_PORT": str(port),
        "SALUS_HTTP_PUBLIC_URL": f"{scheme}://127.0.0.1:{port}",
        "COLUMNS": "200",
        "TMPDIR": str(home),
    }
    if tls:
        environment |= {
            "SALUS_HTTP_TLS_CERTIFICATE": str(tls[0]),
            "SALUS_HTTP_TLS_KEY": str(tls[1]),
            "SSL_CERT_FILE": str(tls[0]),
        }
    if owner:
        environment |= {
            "SALUS_LEDGER_OWNER": owner.id,
            "SALUS_LEDGER_URL": f"{scheme}://127.0.0.1:{owner.port}",
        }
    return Member(id_, home, port, environment)
