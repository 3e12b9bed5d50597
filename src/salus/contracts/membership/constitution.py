"""The words of the constitution: what a member is, what the network's parameters are, what members can vote on."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from salus.contracts.fields import Digest, Height, MemberId, Period, ReceiveKey, Signature, SigningKey
from salus.core.encoding import Value

MAX_MEMBERS: Final = 128  # a checkpoint carries two thirds of their cosignatures, and a proof of the cosigners one row
MAX_POWER: Final = 1_000_000  # 128 of them stay far below CometBFT's limit on total power, MaxInt64 / 8
MAX_NAME: Final = 128  # characters; fits a certificate's organisation name twice
MAX_URL: Final = 256  # characters
MAX_TLS_KEYS: Final = 2  # the one in use, and the next or the last


class Role(StrEnum):
    """What a member does in the network. Members' programs keep purposes to roles; the ledger only says them."""

    DISPENSER = "dispenser"
    DISTRIBUTOR = "distributor"
    MANUFACTURER = "manufacturer"
    PAYER = "payer"
    PROVIDER = "provider"
    REGULATOR = "regulator"
    RESEARCHER = "researcher"
    SITE = "site"
    SPONSOR = "sponsor"


Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Roles = Annotated[tuple[Role, ...], Meta(min_length=1, max_length=len(Role))]
Jurisdiction = Annotated[str, Meta(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?\Z")]
Endpoint = Annotated[str, Meta(max_length=MAX_URL, pattern=r"^(https://[!-~]+)?\Z")]
TlsKeys = Annotated[tuple[Digest, ...], Meta(max_length=MAX_TLS_KEYS)]
"""TLS public keys, each as the SHA-256 of its SubjectPublicKeyInfo (RFC 7671 section 5.1: `3 1 1`)."""
Power = Annotated[int, Meta(ge=0, le=MAX_POWER)]


class Candidate(Value, frozen=True):
    """An organisation as it is founded or admitted."""

    id: MemberId
    """The member's name on the ledger, for ever: an id is not used again."""
    name: Name
    """The organisation's legal name."""
    roles: Roles
    """Its roles, ascending, each once."""
    jurisdiction: Jurisdiction
    """Whose law it is under: ISO 3166-1 alpha-2, or 3166-2."""
    endpoint: Endpoint
    """Where its node answers others: an https URL, or empty while it has no node of its own on the net."""
    signing_key: SigningKey
    """Its Ed25519 key: signs transactions, requests, manifests and checkpoints."""
    receive_key: ReceiveKey
    """Its X-Wing key: what is sent to the member is sealed to it."""
    possession: Signature
    """By the signing key over (id, signing key, receive key): the keys were not merely copied from another member."""


class Threshold(Value, frozen=True):
    """How many ballots decide: more than numerator/denominator of the active members, or all of them."""

    numerator: Annotated[int, Meta(ge=0, le=100)]
    """n of n/d; 0 lets any one member decide."""
    denominator: Annotated[int, Meta(ge=1, le=100)]
    """d of n/d."""

    def needed(self, electorate: int) -> int:
        """Return the number of equal ballots that decide among `electorate` active members, at least 1."""
        return min(electorate * self.numerator // self.denominator + 1, max(electorate, 1))


class Thresholds(Value, frozen=True):
    """The threshold of each kind of act. Members' own acts (rotate, move) need no ballot."""

    admit: Threshold = Threshold(2, 3)
    """To admit a member."""
    suspend: Threshold = Threshold(1, 2)
    """To suspend a member: quick, because it can be undone."""
    reinstate: Threshold = Threshold(1, 2)
    """To end a suspension."""
    remove: Threshold = Threshold(2, 3)
    """To remove a member for good."""
    replace_keys: Threshold = Threshold(1, 2)
    """To give a member new keys when it lost its own."""
    amend: Threshold = Threshold(1, 2)
    """To change a member's name, roles or jurisdiction."""
    set_validators: Threshold = Threshold(2, 3)
    """To change who orders transactions."""
    set_parameters: Threshold = Threshold(2, 3)
    """To change the network's parameters, these thresholds among them."""
    activate_rules: Threshold = Threshold(2, 3)
    """To let a rule version hold from a height."""


DAY: Final = 86_400_000  # ms


class Parameters(Value, frozen=True):
    """What the members may change by ballot without a new program. The digest stands in every block leaf."""

    agreement: Digest
    """SHA-256 of the consortium agreement that every member has accepted."""
    anchor_tick: Period = 500
    """How often a member sends its anchor, ms: many records leave under one root, and the tick says little of when."""
    anchor_when_idle: bool = False
    """Whether members also send an anchor when nothing happened, so that silence tells nothing."""
    emergency_daily_limit: Annotated[int, Meta(ge=1, le=10_000)] = 20
    """Patients for whom one member may ask emergency access in a day."""
    proposal_period: Period = 14 * DAY
    """How long a proposal is open, ms."""
    grant_rounding: Period = 7 * DAY
    """Grants end at multiples of this since 1970, ms: an exact expiry would tell grants apart."""
    grant_longest: Period = 5 * 366 * DAY
    """How far ahead a grant may end, ms, before rounding."""
    erasure_wait: Period = 7 * DAY
    """How long a requested erasure can still be cancelled, and nothing is deleted, ms."""
    erasure_decide: Period = 30 * DAY
    """By when a requested erasure is deleted or retained, ms after it was opened (GDPR Art. 12(3): one month)."""
    erasure_backups: Period = 30 * DAY
    """By when the last backup of what was deleted has expired, ms after the deletion."""
    retention_review: Period = 365 * DAY
    """By when a reason to retain is reviewed, ms after it was given."""
    research_pool: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 10_000_000
    """A custodian's privacy budget for research in one period, micro-rho; a change holds from the next period on."""
    research_period: Period = 90 * DAY
    """How long a privacy budget lasts, ms: a season, so that a monthly report and a study both fit."""
    thresholds: Thresholds = Thresholds()
    """How many ballots each kind of act needs."""


class Admit(Value, frozen=True, tag="admit"):
    """Admit a member."""

    candidate: Candidate
    """Who is to be admitted, with its keys and its proof that it holds them."""
    agreement: Digest
    """SHA-256 of the consortium agreement that it accepts: the one in force."""


class Suspend(Value, frozen=True, tag="suspend"):
    """Suspend a member: it may not submit, vote, cosign or order until reinstated."""

    member: MemberId
    """Who is to be suspended."""


class Reinstate(Value, frozen=True, tag="reinstate"):
    """End a member's suspension. Its place among the validators takes a proposal of its own."""

    member: MemberId
    """Whose suspension is to end."""


class Remove(Value, frozen=True, tag="remove"):
    """Remove a member for good. Its rows, keys and receipts stay provable."""

    member: MemberId
    """Who is to be removed."""


class ReplaceKeys(Value, frozen=True, tag="replace-keys"):
    """Give a member new keys because it lost its own, or no longer trusts them."""

    member: MemberId
    """Whose keys are to be replaced."""
    signing_key: SigningKey
    """Its new Ed25519 key, never used on this ledger."""
    receive_key: ReceiveKey
    """Its new X-Wing key."""
    possession: Signature
    """By the new signing key over (id, signing key, receive key)."""


class Amend(Value, frozen=True, tag="amend"):
    """Change what the ledger says of a member."""

    member: MemberId
    """Who is meant."""
    name: Name
    """Its legal name from now on."""
    roles: Roles
    """Its roles from now on, ascending, each once."""
    jurisdiction: Jurisdiction
    """Whose law it is under from now on."""


class ValidatorChange(Value, frozen=True):
    """A validator as it is to stand."""

    member: MemberId
    """An active member."""
    consensus_key: SigningKey
    """Its Ed25519 key in the consensus engine, no other validator's."""
    power: Power
    """Its weight; 0 ends its part."""


class SetValidators(Value, frozen=True, tag="set-validators"):
    """Change who orders transactions. Validators that are not named stay as they are."""

    changes: Annotated[tuple[ValidatorChange, ...], Meta(min_length=1, max_length=MAX_MEMBERS)]
    """The changes, ascending by member, each member once."""


class SetParameters(Value, frozen=True, tag="set-parameters"):
    """Change the network's parameters."""

    parameters: Parameters
    """All of them, as they are to hold from the deciding block's end."""


class ActivateRules(Value, frozen=True, tag="activate-rules"):
    """Let a rule version hold from a height on. A program that lacks it stops cleanly before."""

    version: Annotated[int, Meta(ge=1, le=1_000_000)]
    """The rule version, above every one scheduled so far."""
    height: Height
    """The first height under it, above the deciding block and every height scheduled so far."""


Act = Admit | Suspend | Reinstate | Remove | ReplaceKeys | Amend | SetValidators | SetParameters | ActivateRules


_CANDIDATE: Final = Candidate(
    id="hospital-b",
    name="Hospital B",
    roles=(Role.PROVIDER, Role.SITE),
    jurisdiction="DE-BE",
    endpoint="https://salus.hospital-b.example",
    signing_key=bytes(range(32)),
    receive_key=bytes(1216),
    possession=bytes(64),
)
ACT_EXAMPLES: Final[Mapping[type[Value], Act]] = {
    Admit: Admit(_CANDIDATE, bytes(32)),
    Suspend: Suspend("hospital-b"),
    Reinstate: Reinstate("hospital-b"),
    Remove: Remove("hospital-b"),
    ReplaceKeys: ReplaceKeys("hospital-b", bytes(range(32)), bytes(1216), bytes(64)),
    Amend: Amend("hospital-b", "Hospital B gGmbH", (Role.PROVIDER,), "DE-BE"),
    SetValidators: SetValidators((ValidatorChange("hospital-b", bytes(range(32)), 10),)),
    SetParameters: SetParameters(Parameters(agreement=bytes(32))),
    ActivateRules: ActivateRules(version=2, height=120_000),
}
"""One example of each act, for the reference and the tests."""
