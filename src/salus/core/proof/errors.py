"""Why a proof is not accepted.

    Unproven
    ├── MalformedProof   the bytes are not of the format
    ├── ProofMismatch    well formed, and the hashes do not lead to the root
    ├── BadSignature     a signature, or the key it names, does not hold
    ├── Untrusted        holds by itself, and the trust file does not vouch for who signed
    └── Unwitnessed      signed by those who keep the ledger, and by too few outside it

Verification returns a value or raises one of these, never anything else.
"""


class Unproven(Exception):
    """What was to be verified is not proven."""


class MalformedProof(Unproven):
    """The bytes are not of the format: cut short, too long, not canonical, or over a limit."""


class ProofMismatch(Unproven):
    """The proof is well formed and its hashes do not lead to the root."""


class BadSignature(Unproven):
    """A signature does not verify, or its key is not acceptable."""


class Untrusted(Unproven):
    """The statement is not signed by enough of those whom the trust file names."""


class Unwitnessed(Unproven):
    """Everything holds, and too few witnesses outside the ledger have signed."""
