"""Passkeys (WebAuthn Level 3): made in a session, used to open the next one.

A challenge is a random number and a time under a key of this node, good for five minutes and, once it has signed
somebody in or made a passkey, never again. Nothing is kept for challenges that are not answered.
"""

import threading
from hmac import compare_digest
from typing import Final
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import (
    base64url_to_bytes,
    parse_authentication_credential_json,
    parse_registration_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from salus.core.proof.digest import mac
from salus.node.accounts import Account, Passkey
from salus.node.errors import Conflict, Malformed, Unauthenticated
from salus.node.member import MemberNode

LABEL: Final = "salus/v1/passkey-challenge"
CHALLENGE_MS: Final = 5 * 60 * 1000
MOST: Final = 10  # passkeys of one account: every device of a person, and some to spare
MAX_LABEL: Final = 64


class Passkeys:
    """Passkeys of one node's accounts at the pages' origin."""

    def __init__(self, node: MemberNode, origin: str) -> None:
        """`origin` is that of the pages (`https://salus.example`): its host is the relying party."""
        self._node = node
        self._origin = origin
        self._host = urlsplit(origin).hostname or ""
        self._key = node.secret(LABEL)
        self._lock = threading.Lock()
        self._used: dict[bytes, int] = {}

    def to_sign_in(self) -> str:
        """Return the options (JSON, PublicKeyCredentialRequestOptionsJSON) of a sign-in by any passkey."""
        options = webauthn.generate_authentication_options(
            rp_id=self._host, challenge=self._challenge(), user_verification=UserVerificationRequirement.REQUIRED
        )
        return webauthn.options_to_json(options)

    def to_make(self, account: Account, name: str) -> str:
        """Return the options (JSON, PublicKeyCredentialCreationOptionsJSON) of a new passkey. Raises Conflict."""
        own = self._node.accounts.passkeys(account.handle)
        if len(own) >= MOST:
            raise Conflict(
                "passkey.too-many", "there are passkeys enough", expected=f"at most {MOST}", todo="remove one first"
            )
        options = webauthn.generate_registration_options(
            rp_id=self._host,
            rp_name=name,
            user_id=account.handle,
            user_name=account.name,
            user_display_name=account.name,
            challenge=self._challenge(),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=one.id) for one in own],
        )
        return webauthn.options_to_json(options)

    def make(self, account: Account, answer: str, label: str) -> None:
        """Keep the passkey that an authenticator made for an account. Raises Unauthenticated, Malformed, Conflict."""
        try:
            credential = parse_registration_credential_json(answer)
            challenge = self._challenge_of(credential.response.client_data_json)
            made = webauthn.verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise _refused() from error
        self._use(challenge)
        now = self._node.now()
        kept = self._node.accounts.keep_passkey(
            Passkey(
                made.credential_id,
                account.handle,
                made.credential_public_key,
                made.sign_count,
                label.strip()[:MAX_LABEL],
                now,
                0,
            )
        )
        if not kept:
            raise Conflict("passkey.known", "this passkey is known already", todo="use it to sign in")

    def sign_in(self, answer: str) -> Account:
        """Return whose passkey signed the challenge. Raises Unauthenticated."""
        try:
            credential = parse_authentication_credential_json(answer)
            challenge = self._challenge_of(credential.response.client_data_json)
            known = self._node.accounts.passkey(credential.raw_id)
            account = self._node.accounts.account_of(known.handle) if known else None
            if known is None or account is None or credential.response.user_handle not in {None, account.handle}:
                raise _refused()
            told = webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                credential_public_key=known.key,
                credential_current_sign_count=known.counter,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise _refused() from error
        self._use(challenge)
        self._node.accounts.used_passkey(known.id, told.new_sign_count, self._node.now())
        return account

    def _challenge(self) -> bytes:
        body = self._node.entropy(16) + self._node.now().to_bytes(8, "big")
        return body + mac(self._key, LABEL, body)

    def _challenge_of(self, client_data: bytes) -> bytes:
        """Return the challenge that was answered, if it is one of ours and still good. Raises Unauthenticated."""
        told = webauthn.helpers.parse_client_data_json(client_data).challenge
        body = told[:24]
        made = int.from_bytes(body[16:], "big")
        fresh = len(body) == 24 and 0 <= self._node.now() - made <= CHALLENGE_MS
        if not (fresh and compare_digest(mac(self._key, LABEL, body), told[24:])) or told in self._used:
            raise Unauthenticated("passkey.challenge", "this took too long or was sent twice", todo="try again")
        return told

    def _use(self, challenge: bytes) -> None:
        """Take a challenge once. Raises Unauthenticated."""
        now = self._node.now()
        with self._lock:
            if challenge in self._used:
                raise Unauthenticated("passkey.challenge", "this took too long or was sent twice", todo="try again")
            self._used = {one: until for one, until in self._used.items() if until > now}
            self._used[challenge] = now + CHALLENGE_MS


def _refused() -> Unauthenticated:
    return Unauthenticated(
        "passkey.refused",
        "this passkey does not open anything here",
        todo="use another one, or ask your organisation for a sign-in link",
    )


def passkey_id(text: str) -> bytes:
    """Return a credential id from base64url. Raises Malformed."""
    try:
        return base64url_to_bytes(text)
    except ValueError as error:
        raise Malformed("passkey.id", "this is no passkey's id") from error
