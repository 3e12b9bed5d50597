"""`network certify`: tie this member's node, on the ledger, to the TLS keys with which it answers."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from salus.contracts.membership.port import Certify
from salus.node.errors import Malformed
from salus.node.exchange.tls import certified_key
from salus.node.member import MemberNode
from salus.node.usecase import OPERATOR, Message, use_case


class CertifyNode(Message, frozen=True):
    """Which certificates; without any, the one that the configuration names (`http.tls_certificate`)."""

    certificate: Annotated[
        bytes,
        Meta(description="The certificate in use, PEM, where a proxy in front has it.", examples=[b"-----BEGIN"]),
    ] = b""
    also: Annotated[
        bytes,
        Meta(
            description="A second certificate, PEM, whose key holds too: the next, before it takes the first one's place.",
            examples=[b"-----BEGIN"],
        ),
    ] = b""


class NodeCertified(Message, frozen=True):
    """They stand on the ledger: other members' nodes talk to a holder of one of these keys, and to nobody else."""

    keys: Annotated[tuple[str, ...], Meta(description="SHA-256 of each key's SubjectPublicKeyInfo (DER), hexadecimal.")]
    height: Annotated[int, Meta(description="Block that holds them.")]


@use_case("network.certify", who=OPERATOR)
def certify(node: MemberNode, request: CertifyNode) -> NodeCertified:
    """Say on the ledger with which TLS key this member's node answers; other members' nodes then refuse any other.

    The certificate's authority, name and end do not matter between members any more; a certificate renewed with the same
    key needs nothing. Before a new key is put in place, certify it with `--also`; afterwards certify it alone. To end it
    for good: `salus tx membership.certify --content '{"keys": []}'`.
    """
    told = request.certificate or _configured(node.config.http.tls_certificate)
    keys = {certified_key(told)} | ({certified_key(request.also)} if request.also else set())
    outcome = node.submitter.submit(Certify(tuple(sorted(keys))))
    return NodeCertified(keys=tuple(key.hex() for key in sorted(keys)), height=outcome.height or 0)


def _configured(file: str) -> bytes:
    """Return the certificate that the configuration names. Raises Malformed."""
    try:
        return Path(file).read_bytes() if file else b""
    except OSError as error:
        raise Malformed(
            "tls.certificate",
            "the certificate cannot be read",
            got=str(error.strerror),
            todo="see http.tls_certificate",
        ) from error
