"""What a patient is told of a refusal: plain words in the page's language, by its stable code.

Several codes share one text where the patient can do the same about them. A code that has none of its own gets the words that fit any:
who did not do it, and the code to tell the staff.
"""

from collections.abc import Mapping
from typing import Final

OTHER: Final = "other"
TEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "again": (
        "consent.ALREADY_OVER",
        "delivery.uncommitted",
        "exchange.answer",
        "exchange.answer-too-large",
        "exchange.no-endpoint",
        "exchange.unreachable",
        "index.failed",
        "index.timeout",
        "ledger.ahead",
        "ledger.behind",
        "ledger.busy",
        "ledger.clock",
        "ledger.failed",
        "ledger.full",
        "ledger.no-height",
        "ledger.not-kept",
        "ledger.refused",
        "ledger.stopped",
        "ledger.timeout",
        "news.pin",
        "node.bug",
        "node.unconfirmed",
        "pull.uncommitted",
        "vault.failed",
        "vault.full",
        "vault.stopped",
        "wallet.answer",
        "wallet.file",
        "wallet.left-nowhere",
        "wallet.nowhere",
        "wallet.unproven",
    ),
    "old_page": ("form.bytes", "form.foreign", "form.invalid", "session.address", "session.full"),
    "sign_in": ("session.code", "session.none", "session.offer", "session.wallet"),
    "nothing_here": ("http.no-route", "page.none", "patient.no-route"),
    "not_yours": ("http.not-for-you", "page.operator", "page.patient", "page.staff", "passkey.not-yours"),
    "key": ("certificate.refused", "instruction.refused", "wallet.refused"),
    "invitation": ("enrolment.refused", "invitation.format", "invitation.text"),
    "closed": ("link.erased", "records.closed"),
    "erasure_open": ("erasure.open",),
    "erasure_kept": ("erasure.retained",),
    "correction": ("correction.invalid",),
    "too_many_corrections": ("correction.too-many",),
    "link": ("health-link.invalid",),
    "link_ended": ("health-link.none",),
    "too_many_links": ("health-link.too-many",),
    "choose": ("link.nothing", "share.nothing"),
    "terms": (
        "access.classes",
        "consent.EXPIRY_TOO_FAR",
        "grant.refused",
        "grant.terms",
        "preview.terms",
        "wallet.classes",
        "wallet.day",
    ),
    "code": ("access.code", "access.format", "access.signature", "member.unknown"),
    "code_old": ("access.expired",),
    "elsewhere": ("wallet.network",),
    "none": ("wallet.none",),
    "not_granted": ("consent.ALREADY_REVOKED", "consent.NOT_GRANTED", "grant.not-held", "wallet.grant"),
    "forged": (
        "ledger.body",
        "proof.malformed",
        "proof.unproven",
        "proof.unwitnessed",
        "vault.envelope",
        "vault.seal-broken",
        "wallet.body",
        "wallet.carried",
        "wallet.keys",
        "wallet.member",
        "wallet.news",
        "wallet.receipt",
        "wallet.row",
        "wallet.welcome",
    ),
    "two_devices": ("wallet.counter",),
    "joined_none": ("wallet.no-member", "wallet.not-joined"),
    "host_code": ("host.code", "host.question"),
    "passkey": ("passkey.challenge", "passkey.id", "passkey.refused"),
    "passkey_known": ("passkey.known",),
    "too_many_passkeys": ("passkey.too-many",),
    "app": (
        "app.no-record",
        "smart.invalid-scope",
        "smart.launch",
        "smart.nothing",
        "smart.program",
        "smart.question",
        "smart.redirect",
        "smart.twice",
    ),
}
KEYS: Final[Mapping[str, str]] = {code: key for key, codes in TEXTS.items() for code in codes}
"""Code to the name of its text in the catalogue's group `refusals`."""

AT_PAGES: Final = frozenset(
    {"app", "host_code", "joined_none", "not_yours", "nothing_here", "old_page", "passkey", "passkey_known", "sign_in"}
    | {"too_many_passkeys"}
)
"""Texts for pages that this member serves: a wallet in the browser meets none of them."""


def key_of(code: str) -> str:
    """Return the name of a refusal's text."""
    return KEYS.get(code, OTHER)
