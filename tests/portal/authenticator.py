"""An authenticator in software (WebAuthn Level 3, 6): makes a passkey and signs, honestly or as a test bids."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PRESENT_VERIFIED = 0x05
ATTESTED = 0x40


def text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def data_of(told: str) -> bytes:
    return urlsafe_b64decode(told + "=" * (-len(told) % 4))


class Authenticator:
    def __init__(self, origin: str, host: str = "localhost", *, seed: int = 1, flags: int = PRESENT_VERIFIED) -> None:
        self.origin, self.host, self.flags, self.counter = origin, host, flags, 0
        self.key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.id = bytes([seed]) * 20
        self.handle = b""

    def make(self, options: str) -> str:
        """Return the answer to creation options."""
        told = json.loads(options)
        self.handle = data_of(told["user"]["id"])
        cose = cbor2.dumps({1: 1, 3: -8, -1: 6, -2: self.key.public_key().public_bytes_raw()})
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cose
        told_data = self._data(self.flags | ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": told_data})
        client = self._client("webauthn.create", told["challenge"])
        return self._answer(clientDataJSON=text(client), attestationObject=text(attestation))

    def use(self, options: str) -> str:
        """Return the answer to request options."""
        self.counter += 1
        client = self._client("webauthn.get", json.loads(options)["challenge"])
        told = self._data(self.flags)
        signature = self.key.sign(told + sha256(client).digest())
        return self._answer(
            clientDataJSON=text(client),
            authenticatorData=text(told),
            signature=text(signature),
            userHandle=text(self.handle),
        )

    def _data(self, flags: int) -> bytes:
        return sha256(self.host.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _answer(self, **response: str) -> str:
        return json.dumps({"id": text(self.id), "rawId": text(self.id), "type": "public-key", "response": response})
