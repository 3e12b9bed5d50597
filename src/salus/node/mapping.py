"""What the edges say of errors of the layers below: one table, used by HTTP, the exchange, wallets' questions and the CLI.

A lower layer names what failed; whose fault that is, and what to do, depends on nothing but the kind of error. Their
texts hold numbers, sizes, file names and digests, nothing personal, and are passed on as `got`.
"""

from dataclasses import dataclass
from typing import Final

from salus.agreements.claims.plan import DocumentRefused
from salus.agreements.consent.decide import TooDeep
from salus.agreements.consent.slip import BadTerms
from salus.agreements.grants import GrantRefused
from salus.agreements.research.document import QueryRefused
from salus.agreements.research.errors import MalformedVector, NoFit, OffPath
from salus.agreements.trials.analysis import NotAnalysed
from salus.agreements.trials.draws import DrawRefused
from salus.agreements.trials.sourcing import NotEvaluated
from salus.agreements.trustees import ThresholdRefused
from salus.core.encoding import MalformedBytes
from salus.core.errors import Rejected, SalusError
from salus.core.proof import errors as proof
from salus.core.rules import UnsupportedRules
from salus.engines import errors as engines
from salus.index import errors as index
from salus.interop.cdisc import findings as cdisc
from salus.interop.epcis import refusal as epcis
from salus.interop.fhir import refusal as fhir
from salus.interop.fhir.fhirpath.errors import FhirPathError
from salus.interop.fhir.sensitivity import BadRules
from salus.interop.fhir.validation import ProfileUnusable
from salus.interop.fhir.view.definition import ViewMalformed
from salus.interop.fhir.view.engine import ViewFailed
from salus.interop.gs1 import refusal as gs1
from salus.interop.hl7v2 import mllp
from salus.interop.hl7v2 import refusal as hl7v2
from salus.interop.x12 import tokens as x12
from salus.node.errors import Conflict, EdgeError, Forbidden, Malformed, NotFound, Refused, Unavailable
from salus.vault import errors as vault


@dataclass(frozen=True)
class Told:
    """How an error of a lower layer looks at the edges."""

    kind: type[EdgeError]
    code: str
    message: str
    todo: str = ""
    private: bool = False
    """Its text may repeat what came in, and is left out."""


DOCTOR: Final = "run `salus doctor`"
AGAIN: Final = "try again"

# The most special class of an error decides. `tests/node/test_mapping.py` walks all subclasses.
TOLD: Final[dict[type[Exception], Told]] = {
    MalformedBytes: Told(Malformed, "encoding.malformed", "the bytes are not of the format", private=True),
    UnsupportedRules: Told(
        Unavailable, "ledger.rules", "the ledger's rules are newer than this program", "upgrade Salus"
    ),
    GrantRefused: Told(Forbidden, "grant.refused", "the grant or slip does not hold"),
    BadTerms: Told(Malformed, "grant.terms", "the grant's terms cannot be read"),
    TooDeep: Told(Malformed, "consent.too-deep", "the provisions are nested too deeply"),
    BadRules: Told(Malformed, "sensitivity.rules", "the sensitivity rules do not hold"),
    ProfileUnusable: Told(Malformed, "fhir.profile", "a profile cannot be applied"),
    FhirPathError: Told(Malformed, "fhirpath.refused", "the FHIRPath expression fails", private=True),
    ViewMalformed: Told(Malformed, "view.malformed", "the ViewDefinition does not hold", private=True),
    ViewFailed: Told(Malformed, "view.failed", "the view cannot be run on these resources", private=True),
    ThresholdRefused: Told(Forbidden, "threshold.refused", "a trustee's share or signature does not hold"),
    NotAnalysed: Told(Malformed, "trials.analysis", "an analysis cannot be run as it is written"),
    NotEvaluated: Told(Malformed, "trials.expression", "an expression is none, or gives no single value"),
    DrawRefused: Told(Malformed, "draw.refused", "the scheme is none, or draws and allocations do not match"),
    cdisc.RuleRefused: Told(Malformed, "trials.rule", "a rule is not judged", private=True),
    cdisc.DocumentRefused: Told(Malformed, "trials.document", "the protocol or table is not taken", private=True),
    hl7v2.MessageRefused: Told(Malformed, "hl7.message", "the message is not taken"),
    mllp.FrameTooLarge: Told(Malformed, "hl7.frame", "the frame is too large"),
    x12.Unreadable: Told(Malformed, "x12.unreadable", "the file does not read as X12", private=True),
    DocumentRefused: Told(Malformed, "claims.document", "the document of a plan or rates does not hold", private=True),
    QueryRefused: Told(Malformed, "research.query", "the query document does not hold", private=True),
    MalformedVector: Told(Malformed, "research.vector", "a masked vector is not of its round"),
    NoFit: Told(Malformed, "research.no-fit", "the model cannot be fitted to these columns"),
    OffPath: Told(Forbidden, "research.off-path", "the coefficients are not those of the next step"),
    gs1.Gs1Refused: Told(Malformed, "gs1.refused", "the identifier or element string does not hold", private=True),
    epcis.EpcisRefused: Told(Malformed, "epcis.refused", "the EPCIS document does not hold", private=True),
    # Verification
    proof.Unproven: Told(Forbidden, "proof.unproven", "this is not proven", "do not rely on it"),
    proof.MalformedProof: Told(Malformed, "proof.malformed", "the proof is not of the format"),
    proof.Unwitnessed: Told(Forbidden, "proof.unwitnessed", "too few witnesses have signed"),
    # Vault
    vault.VaultError: Told(Unavailable, "vault.failed", "the vault cannot do this", DOCTOR),
    vault.WrongKey: Told(Forbidden, "vault.wrong-key", "the key or passphrase does not open the file", DOCTOR),
    vault.Damaged: Told(Unavailable, "vault.damaged", "what is stored is not what was stored", DOCTOR),
    vault.SealBroken: Told(Forbidden, "vault.seal-broken", "a sealed record does not verify", "do not rely on it"),
    vault.EnvelopeRefused: Told(Forbidden, "vault.envelope", "the envelope is not for this reader, or not from there"),
    vault.UnknownLink: Told(NotFound, "link.unknown", "there is no such link", "see `salus link list`"),
    vault.UnknownRecord: Told(NotFound, "record.unknown", "there is no such record"),
    vault.UnknownBatch: Told(NotFound, "batch.unknown", "there is no such batch"),
    vault.UnknownWallet: Told(NotFound, "wallet.unknown", "no wallet's file is kept under this locator"),
    vault.NotAnchored: Told(Conflict, "record.not-anchored", "the record is not on the ledger yet", AGAIN),
    vault.Erased: Told(Conflict, "link.erased", "the link's content is erased, or closed by an erasure"),
    vault.TooLarge: Told(Malformed, "vault.too-large", "the content is above a limit"),
    vault.Refused: Told(Forbidden, "vault.refused", "the instruction does not hold"),
    vault.StorageFull: Told(Unavailable, "vault.full", "the disk is full; nothing was stored", "free some space"),
    vault.Stopped: Told(Unavailable, "vault.stopped", "a write left the disk in doubt", "restart the node"),
    vault.RestoreRefused: Told(Conflict, "vault.restore", "the backup cannot be put back"),
    # Engines
    engines.EngineError: Told(Unavailable, "ledger.failed", "the ledger cannot do this", DOCTOR),
    engines.StoreLocked: Told(
        Unavailable, "ledger.locked", "another process owns the ledger's folder", "stop it first"
    ),
    engines.StoreDamaged: Told(Unavailable, "ledger.damaged", "the ledger's files are not what was written", DOCTOR),
    engines.StoreFull: Told(
        Unavailable, "ledger.full", "there is no room for the block", "free some space, or raise ledger.map_bytes"
    ),
    engines.OtherLedger: Told(Conflict, "ledger.other", "the folder, or the other side, holds another ledger"),
    engines.NotFounded: Told(Conflict, "ledger.not-founded", "the folder holds no ledger", "run `salus network found`"),
    engines.NotKept: Told(NotFound, "ledger.not-kept", "the ledger has no such height, transaction or checkpoint"),
    engines.Busy: Told(Unavailable, "ledger.busy", "too many transactions wait", AGAIN),
    engines.ClockJumped: Told(
        Unavailable,
        "ledger.clock",
        "the clock is more than 30 days from the ledger's newest block",
        "set the machine's clock; if it is right, set ledger.accept_clock to today (UTC)",
    ),
    engines.Diverged: Told(
        Unavailable, "ledger.diverged", "two roots for one size of the log", "stop, and call the other members"
    ),
    engines.Stopped: Told(Unavailable, "ledger.stopped", "the engine takes no more transactions", DOCTOR),
    # Index
    index.IndexFailure: Told(Unavailable, "index.failed", "the index cannot do this", DOCTOR),
    index.Unusable: Told(
        Unavailable, "index.unusable", "the index does not open or is damaged", "delete index.db: it is derived"
    ),
    index.TimedOut: Told(Unavailable, "index.timeout", "the question took too long", "ask for less"),
    index.BadQuestion: Told(Malformed, "index.question", "the question cannot be put"),
}


def edge_error(error: SalusError | proof.Unproven) -> EdgeError | None:
    """Return what the edges say of an error; None for what is a bug of ours, and is told as one."""
    if isinstance(error, EdgeError):
        return error
    if isinstance(error, Rejected):
        return Refused(error)
    if isinstance(error, fhir.Refused):
        code, message = f"fhir.{error.code}", f"the FHIR input is refused at {error.path or 'its start'}"
        return Malformed(code, message, expected=error.expected, got=error.got, todo=error.todo)
    for kind in type(error).__mro__:
        told = TOLD.get(kind)
        if told is not None:
            return told.kind(told.code, told.message, got="" if told.private else str(error), todo=told.todo)
    return None
