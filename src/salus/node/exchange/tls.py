"""TLS to a member's node under the keys that the member certified on the ledger.

The ledger's directory takes the place of an authority, as the DNS does in DANE (RFC 7671 section 5.1, `3 1 1`): the peer
must prove, in the handshake, that it holds a certified key. Who issued its certificate, for which name and until when,
does not matter then, so that no authority can put itself between two members.
"""

import ssl
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from salus.node.errors import Malformed, Unavailable

OTHER_KEY: Final = "exchange.tls-key"


def key_digest(certificate: x509.Certificate) -> bytes:
    """Return the SHA-256 of a certificate's SubjectPublicKeyInfo."""
    return sha256(certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def certified_key(pem: bytes) -> bytes:
    """Return the digest of the key of the first certificate in a PEM file, the server's own. Raises Malformed."""
    try:
        return key_digest(x509.load_pem_x509_certificate(pem))
    except ValueError as error:
        raise Malformed("tls.certificate", "this is no certificate", expected="a PEM file") from error


class _Socket(ssl.SSLSocket):
    """Ends the handshake only with a peer of a certified key: nothing of a request has left by then."""

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands, and compare the key that the peer has proven to hold. Raises Unavailable."""
        super().do_handshake(block)
        der = self.getpeercert(binary_form=True)
        try:
            shown = key_digest(x509.load_der_x509_certificate(der or b""))
        except ValueError:
            shown = b""
        context = self.context
        if not isinstance(context, KeyContext) or shown not in context.keys:
            self.close()
            raise Unavailable(
                OTHER_KEY,
                "the other node answers under another TLS key than its member certified",
                expected="a key that `salus network members` shows",
                got=shown.hex()[:16],
                todo="call the member: somebody stands between, or it changed its certificate without `network certify`",
            )


class KeyContext(ssl.SSLContext):
    """A client's TLS settings that accept the given keys, and no other."""

    sslsocket_class = _Socket
    keys: frozenset[bytes]

    @classmethod
    def of(cls, keys: Iterable[bytes]) -> "KeyContext":
        """Return the settings for keys given as SHA-256 of their SubjectPublicKeyInfo."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # `_Socket` checks the key itself
        context.keys = frozenset(keys)
        return context
