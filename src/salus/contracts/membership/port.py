"""What others may use of the membership contract."""

from collections.abc import Iterator

from salus.contracts.membership.acts import active as _active
from salus.contracts.membership.acts import keys_of, parameters, possession_bytes, threshold
from salus.contracts.membership.constitution import (
    Act,
    ActivateRules,
    Admit,
    Amend,
    Candidate,
    Parameters,
    Reinstate,
    Remove,
    ReplaceKeys,
    Role,
    SetParameters,
    SetValidators,
    Suspend,
    Threshold,
    Thresholds,
    ValidatorChange,
)
from salus.contracts.membership.genesis import Genesis
from salus.contracts.membership.messages import Certify, Move, Propose, RotateKeys, Vote
from salus.contracts.membership.reasons import MembershipReason
from salus.contracts.membership.rules import authorise
from salus.contracts.membership.state import (
    BALLOTS,
    CERTIFIED,
    COSIGNERS,
    KEY_USES,
    KEYS,
    MEMBERS,
    PARAMETERS,
    PROPOSALS,
    SCHEDULE,
    SINGLE,
    VALIDATORS,
    Ballot,
    Certified,
    Cosigner,
    Keys,
    Member,
    Proposal,
    ProposalStatus,
    Standing,
    Validator,
    keys_key,
    member_key,
)
from salus.core.tables import View

__all__ = [
    "BALLOTS",
    "CERTIFIED",
    "COSIGNERS",
    "KEYS",
    "KEY_USES",
    "MEMBERS",
    "PARAMETERS",
    "PROPOSALS",
    "SCHEDULE",
    "SINGLE",
    "VALIDATORS",
    "Act",
    "ActivateRules",
    "Admit",
    "Amend",
    "Ballot",
    "Candidate",
    "Certified",
    "Certify",
    "Cosigner",
    "Genesis",
    "Keys",
    "Member",
    "MembershipReason",
    "Move",
    "Parameters",
    "Proposal",
    "ProposalStatus",
    "Propose",
    "Reinstate",
    "Remove",
    "ReplaceKeys",
    "Role",
    "RotateKeys",
    "SetParameters",
    "SetValidators",
    "Standing",
    "Suspend",
    "Threshold",
    "Thresholds",
    "Validator",
    "ValidatorChange",
    "Vote",
    "active",
    "authorise",
    "cosigners",
    "expired",
    "key_at",
    "key_history",
    "keys_key",
    "member",
    "member_key",
    "member_of_key",
    "needed",
    "parameters",
    "possession_bytes",
    "proposals",
    "tls_keys",
    "validators",
]


def member(state: View, id_: str) -> Member | None:
    """Return a member as it stands, whatever its standing, or None."""
    return state.get(MEMBERS, member_key(id_)) if id_.isascii() else None


def active(state: View, role: Role | None = None) -> Iterator[tuple[str, Member]]:
    """Yield (id, member) of the active members, ascending by id, if asked only those with `role`."""
    return ((id_, row) for id_, row in _active(state) if role is None or role in row.roles)


def key_at(state: View, id_: str, height: int | None = None) -> Keys | None:
    """Return the keys that a member had at `height`, or has now; None before its admission or for a stranger.

    A rotation in block h holds at h: what the member sent in h after its rotation was signed with the new key, what it
    sent before it with the old. Who must tell the two apart reads the log.
    """
    row = member(state, id_)
    if row is None:
        return None
    for serial in range(row.serial, 0, -1):
        keys = keys_of(state, id_, serial)
        if height is None or keys.height <= height:
            return keys
    return None


def key_history(state: View, id_: str) -> tuple[Keys, ...]:
    """Return every pair of keys that a member has had, the newest first; none for a stranger."""
    row = member(state, id_)
    return () if row is None else tuple(keys_of(state, id_, serial) for serial in range(row.serial, 0, -1))


def member_of_key(state: View, signing_key: bytes) -> str | None:
    """Return the id of the member that has or had a signing key, or None."""
    use = state.get(KEY_USES, signing_key)
    return None if use is None else use.member


def tls_keys(state: View, id_: str) -> tuple[bytes, ...]:
    """Return the TLS keys that a member has certified, each the SHA-256 of its SubjectPublicKeyInfo; none: it has not."""
    row = state.get(CERTIFIED, member_key(id_)) if id_.isascii() else None
    return () if row is None else row.keys


def cosigners(state: View) -> tuple[Cosigner, ...]:
    """Return whose cosignatures count on a checkpoint of this state, ascending by id; empty before the genesis."""
    row = state.get(COSIGNERS, SINGLE)
    return () if row is None else row.cosigners


def validators(state: View) -> tuple[tuple[str, Validator], ...]:
    """Return (id, validator) of everyone that ever had a part in ordering, ascending; power 0 for none any longer."""
    return tuple((key.decode("ascii"), row) for key, row in state.range(VALIDATORS))


def proposals(state: View) -> Iterator[tuple[bytes, Proposal]]:
    """Yield (id, proposal), ascending by id, decided ones too."""
    return state.range(PROPOSALS)


def needed(state: View, act: Act) -> int:
    """Return how many ballots for an act are enough, of those active now."""
    return threshold(parameters(state).thresholds, act).needed(sum(1 for _ in active(state)))


def expired(proposal: Proposal, time: int) -> bool:
    """Return whether a proposal's time was over at block time `time` (ms) before it was decided."""
    return proposal.status is ProposalStatus.OPEN and time > proposal.closes
