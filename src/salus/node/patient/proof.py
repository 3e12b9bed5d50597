"""That a member's keys are the ledger's: rows proven under a cosigned checkpoint, checked from a wallet's trust file.

A code, a web page or a member's own word could name a substituted key; the ledger's directory cannot do so unseen.
"""

from salus.contracts.consent.port import GRANTS, GrantRow
from salus.contracts.membership.port import KEYS, MEMBERS, Keys, Member, Standing, keys_key, member_key
from salus.core.encoding import MalformedBytes, Value, decode
from salus.core.proof.errors import Unproven, Unwitnessed
from salus.core.proof.leaf import TransactionLeaf
from salus.core.proof.receipt import Receipt, StateProof
from salus.core.proof.trust import Trust
from salus.node.errors import Forbidden
from salus.node.member import MemberNode


class MemberProof(Value, frozen=True):
    """A member's two rows with their proofs."""

    member: bytes
    member_proof: bytes
    keys: bytes
    keys_proof: bytes


def prove_member(node: MemberNode, id_: str) -> MemberProof:
    """Prove a member's row and keys in force. Raises the engine's NotKept without a cosigned checkpoint."""
    state = node.ledger.read()
    row = state.get(MEMBERS, member_key(id_))
    serial = 1 if row is None else row.serial
    member = node.prover.row(MEMBERS, member_key(id_))
    keys = node.prover.row(KEYS, keys_key(id_, serial))
    return MemberProof(member.value or b"", member.proof.encode(), keys.value or b"", keys.proof.encode())


def check_member(trust: Trust, member: str, signing_key: bytes, receive_key: bytes, proof: MemberProof) -> Member:
    """Check that an active member has these keys, under the trust file; return its row. Raises Forbidden.

    A ledger kept by one organisation without a witness proves nothing against that organisation, which is also the
    only one that the wallet speaks to: it is taken, and the wallet says so (`witnessed`).
    """
    try:
        row = decode(_proven(trust, proof.member_proof, MEMBERS.state_key(member_key(member)), proof.member), Member)
        place = KEYS.state_key(keys_key(member, row.serial))
        keys = decode(_proven(trust, proof.keys_proof, place, proof.keys), Keys)
    except (Unproven, MalformedBytes) as error:
        raise Forbidden(
            "wallet.keys", "the member's keys are not proven by the ledger", got=str(error), todo="do not go on"
        ) from error
    if row.standing is not Standing.ACTIVE or (keys.signing_key, keys.receive_key) != (signing_key, receive_key):
        raise Forbidden("wallet.keys", "the node shows other keys than the ledger", todo="do not go on")
    return row


def check_row(trust: Trust, state_key: bytes, value: bytes, proof: bytes) -> bytes:
    """Check that a row stands under its key in a state that the trust file accepts; return it. Raises Forbidden."""
    try:
        return _proven(trust, proof, state_key, value)
    except Unproven as error:
        raise Forbidden(
            "wallet.row", "the row is not proven by the ledger", got=str(error), todo="do not go on"
        ) from error


def check_grant(trust: Trust, grant: bytes, row: bytes, proof: bytes) -> tuple[GrantRow | None, int]:
    """Check what the ledger holds of a grant; return its row, None for none, and the time of that state, ms. Raises Forbidden."""
    try:
        told = StateProof.decode(proof)
        block = told.check(row or None)
        if told.row_key != GRANTS.state_key(grant):
            raise Forbidden("wallet.row", "the proof is of another row")
        _accept(trust, told.receipt)
        return (decode(row, GrantRow) if row else None), block.time
    except (Unproven, MalformedBytes) as error:
        raise Forbidden(
            "wallet.row", "the row is not proven by the ledger", got=str(error), todo="do not go on"
        ) from error


def witnessed(trust: Trust) -> bool:
    """Tell whether somebody besides one organisation vouches for the ledger."""
    return len(trust.cosigners) > 1 or bool(trust.witnesses)


def _proven(trust: Trust, proof: bytes, state_key: bytes, value: bytes) -> bytes:
    """Return the row's bytes if they stand under that key in a state that the trust file accepts."""
    told = StateProof.decode(proof)
    told.check(value)
    if told.row_key != state_key:
        raise Forbidden("wallet.keys", "the proof is of another row")
    _accept(trust, told.receipt)
    return value


def check_receipt(trust: Trust, tx_id: bytes, receipt: bytes) -> TransactionLeaf:
    """Check that the ledger holds a transaction, under the trust file; return its leaf. Raises Forbidden."""
    try:
        told = Receipt.decode(receipt)
        leaf = told.leaf()
        _accept(trust, told)
    except Unproven as error:
        raise Forbidden(
            "wallet.receipt", "the ledger is not shown to hold this", got=str(error), todo="go through another member"
        ) from error
    if not isinstance(leaf, TransactionLeaf) or leaf.tx_id != tx_id:
        raise Forbidden("wallet.receipt", "the receipt is of another transaction", todo="go through another member")
    return leaf


def _accept(trust: Trust, receipt: Receipt) -> None:
    try:
        trust.accept_receipt(receipt)
    except Unwitnessed:
        if witnessed(trust) or trust.witnesses_needed:
            raise
