"""Erasure at one holder: an unlinkable case of its own, closed to grants at once, deleted after the wait.

    requested ──(7 days)──> deleted ──(30 days, last backup)──> erased
        └──> retained for a reason in law, or cancelled by a request of higher rank; retained: released, or cancelled later

A trial's duty to keep records retains at once, by itself, and again at each review; when it has ended, the deletion goes on. What a
person decided to retain goes on when a person releases it. Retaining closes the record to grants and leaves the rest alone: the
site records and sends what a trial's consent lets it, and the patient reads.

The vault says `retained` before the ledger does, and `closed` before anything is deleted: wherever a node ends, it goes on.

The clocks are the ledger's; what is due is computed when it is read (`due`). Only the wallet sees all its cases.
"""

from dataclasses import dataclass
from typing import Final

from salus.contracts.membership import port as membership
from salus.contracts.records.port import (
    CancelErasure,
    ConfirmDeletion,
    ConfirmErasure,
    Erasure,
    ErasureStatus,
    OpenErasure,
    Rank,
    RetainErasure,
    RetentionReason,
    erasure,
    erasures,
    overdue,
)
from salus.node import pairs
from salus.node.desk import Erasing
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.exchange.grantee import purge
from salus.node.member import MemberNode
from salus.node.notices import ERASURE_OPENED, notify
from salus.node.trials.retaining import Duty, duty_on, forget
from salus.vault.links import Standing

CASE_BYTES: Final = 16
TRIAL: Final = "trial"
"""The vault's reason where a trial's duty retains; a person's decision writes another, and is theirs to end."""
_KEPT: Final = frozenset((ErasureStatus.REQUESTED, ErasureStatus.RETAINED))
DAY_MS: Final = 24 * 3600 * 1000
FORGOTTEN: Final = "the ledger tells of an erasure that neither this vault nor its list knows"
BACKUP_MARGIN_MS: Final = 24 * 3600 * 1000  # backups are kept a day less than the ledger allows


@dataclass(frozen=True, slots=True)
class Case:
    """An erasure at this member, with its row on the ledger."""

    erasing: Erasing
    row: Erasure
    overdue: bool


def begin(node: MemberNode, link: bytes, case: bytes, rank: Rank = Rank.LINK_KEY) -> Duty | None:
    """Close a link to every grant, keep the case, and open it on the ledger. Idempotent for one case.

    Returns the trial's duty for which it is retained at once, if one stands. Raises Malformed, Conflict; then nothing has changed.
    """
    _require_new(node, link, case)
    duty = duty_on(node, link)
    info = node.vault.link_info(link)
    if info.standing is Standing.RETAINED:
        if duty is not None and info.reason == TRIAL:  # this case's: another would have been refused above
            return duty
        raise Conflict(
            "erasure.retained", "the record is kept for a reason in law", todo="ask the member for the reason"
        )
    node.desk.begin_erasure(Erasing(case, link, lease=False, opened=node.now(), done=None))
    node.vault.close_link(link)
    if _open(node, case, rank):
        notify(node, link, ERASURE_OPENED)
    if duty is not None:
        _retain_for_duty(node, case, link)
    return duty


def begin_lease(node: MemberNode, grant: bytes, case: bytes) -> None:
    """Open a case for what is kept under a grant. A lease is no record of this member's own: it is purged at once.

    Raises Malformed, Conflict; then nothing has changed.
    """
    _require_new(node, grant, case)
    node.desk.begin_erasure(Erasing(case, grant, lease=True, opened=node.now(), done=None))
    purge(node, grant)
    _open(node, case, Rank.LINK_KEY)


def _require_new(node: MemberNode, subject: bytes, case: bytes) -> None:
    """Require a case of this subject alone, and no other under way: what a case has waited counts for nothing else."""
    if len(case) != CASE_BYTES:
        raise Malformed(
            "erasure.case", "a case id has another length", expected=f"{CASE_BYTES} bytes", got=str(len(case))
        )
    known = {one.case: one for one in node.desk.erasures()}
    row = erasure(node.ledger.read(), case)
    mine = known[case].subject == subject if case in known else row is None
    if not mine or (row is not None and row.holder != node.member):
        raise Conflict("erasure.case", "this case id stands for another case", todo="choose a fresh one")
    if any(one.subject == subject and one.done is None and one.case != case for one in known.values()):
        raise Conflict("erasure.open", "an erasure of this is under way")


def _open(node: MemberNode, case: bytes, rank: Rank) -> bool:
    """Open a case on the ledger; return whether it was not open before."""
    if erasure(node.ledger.read(), case) is not None:
        return False
    node.submitter.submit(OpenErasure(case=case, rank=rank))
    return True


def cases(node: MemberNode) -> list[Case]:
    """Return the erasures of this member, oldest first, with what the ledger says of them."""
    state, time = node.ledger.read(), node.ledger_time()
    found = []
    for one in node.desk.erasures():
        row = erasure(state, one.case)
        if row is not None:
            found.append(Case(one, row, overdue(row, time)))
    return found


def newest(node: MemberNode, link: bytes) -> tuple[Case | None, Duty | None]:
    """Return the newest case of a link, and the trial's duty that keeps its records now, if one does."""
    found = [one for one in cases(node) if one.erasing.subject == link and not one.erasing.lease]
    case = max(found, key=lambda one: one.row.opened, default=None)
    retained = case is not None and case.row.status is ErasureStatus.RETAINED
    duty = duty_on(node, link) if retained and node.vault.link_info(link).reason == TRIAL else None
    return case, duty


def retain(node: MemberNode, case: bytes, reason: RetentionReason) -> None:
    """Keep what should be erased, for a reason in law; it stays closed to every grant. Raises NotFound, Conflict, Refused."""
    one = _case(node, case)
    if one.erasing.lease:
        raise Conflict("erasure.lease", "what was kept under a grant is purged already", todo="confirm its deletion")
    if one.row.status not in _KEPT:
        raise Conflict("erasure.status", "this erasure cannot be retained", got=one.row.status.name.lower())
    node.vault.retain_link(one.erasing.subject, reason.name.lower())
    node.submitter.submit(RetainErasure(case=case, reason=reason))


def release(node: MemberNode, case: bytes) -> Duty | None:
    """End what a person decided to retain: the deletion goes on. Raises NotFound, Conflict.

    A trial's duty that stands takes its place; it is returned.
    """
    one = _case(node, case)
    link = one.erasing.subject
    info = None if one.erasing.lease else node.vault.link_info(link)
    if info is None or info.standing is not Standing.RETAINED:
        raise Conflict("erasure.status", "nothing is retained here", got=one.row.status.name.lower())
    duty = duty_on(node, link)
    if duty is not None:
        if info.reason != TRIAL:
            _retain_for_duty(node, case, link)
        return duty
    if one.row.status is not ErasureStatus.RETAINED:  # the ledger did not answer when it was retained
        raise Conflict(
            "erasure.status", "the ledger does not know that it is retained", todo="retain it, then release it"
        )
    node.vault.close_link(link)
    _moved(node, _case(node, case), node.ledger_time())
    return None


def _retain_for_duty(node: MemberNode, case: bytes, link: bytes) -> None:
    """Retain, the vault first: then nothing is deleted, wherever the node ends between the two."""
    node.vault.retain_link(link, TRIAL)
    node.submitter.submit(RetainErasure(case=case, reason=RetentionReason.LEGAL_OBLIGATION))


def _by_duty(node: MemberNode, case: Case, time: int) -> bool | None:
    """Do what a trial's duty asks; return whether that was a step, or None where no duty has a say."""
    row, link = case.row, case.erasing.subject
    if case.erasing.lease or row.status not in _KEPT:
        return None
    info = node.vault.link_info(link)
    ours = info.standing is Standing.RETAINED and info.reason == TRIAL
    if info.standing is Standing.ERASED or (row.status is ErasureStatus.RETAINED and not ours):
        return None
    if duty_on(node, link) is not None:
        step = row.status is ErasureStatus.REQUESTED or time >= row.due
        if step:
            _retain_for_duty(node, case.erasing.case, link)
        return step
    if ours:
        node.vault.close_link(link)
    return None


def cancel(node: MemberNode, case: bytes, rank: Rank) -> None:
    """Call an erasure off while nothing is deleted. Raises NotFound, Refused."""
    one = _case(node, case)
    node.submitter.submit(CancelErasure(case=case, rank=rank))
    _reopen(node, one.erasing)


def advance(node: MemberNode) -> int:
    """Delete what has waited long enough and confirm what is gone for good; return how many cases moved."""
    for one in node.desk.erasures():
        # The ledger may not have answered when it was asked for; the lowest rank is safe.
        if one.done is None and _open(node, one.case, Rank.LINK_KEY) and not one.lease:
            notify(node, one.subject, ERASURE_OPENED)
    if forgotten(node):
        node.stopped = "erasure.list-old"
        return 0
    time = node.ledger_time()
    return sum(_moved(node, case, time) for case in cases(node))


def _moved(node: MemberNode, case: Case, time: int) -> bool:
    """Take the step that is due in a case, at a block time (ms); return whether one was counted."""
    step = _by_duty(node, case, time)
    if step is not None:
        return step
    status, due = case.row.status, False
    if status in _KEPT:
        due = _waited(node, case, time)
    elif status is ErasureStatus.DELETED and _is_kept(node, case):
        due = True
        node.vault.close_link(case.erasing.subject)
        _delete_here(node, case)  # the vault is older than the ledger: it came from an image of the disk
    elif status is ErasureStatus.DELETED:
        due = time >= case.row.due - BACKUP_MARGIN_MS and _expired(node, case)
        if due:
            node.submitter.submit(ConfirmErasure(case=case.erasing.case))
            node.desk.end_erasure(case.erasing.case, node.now())
    elif status is ErasureStatus.CANCELLED:
        due = case.erasing.done is None
        if due:
            _reopen(node, case.erasing)  # the node ended between the ledger's word and its own
    return due


def _waited(node: MemberNode, case: Case, time: int) -> bool:
    """Delete what is not retained once it has waited; return whether that, or telling the ledger what is, was a step."""
    info = None if case.erasing.lease else node.vault.link_info(case.erasing.subject)
    if info is not None and info.standing is Standing.RETAINED:
        if case.row.status is ErasureStatus.RETAINED:
            return False
        reason = RetentionReason[info.reason.upper()]  # the node ended between the vault's word and the ledger's
        node.submitter.submit(RetainErasure(case=case.erasing.case, reason=reason))
        return True
    if time < case.row.earliest:
        return False
    _delete(node, case)
    return True


def _reopen(node: MemberNode, erasing: Erasing) -> None:
    """Serve again what a cancelled case had closed, and end the case here."""
    if not erasing.lease:
        node.vault.reopen_link(erasing.subject)
    node.desk.end_erasure(erasing.case, node.now())


def forgotten(node: MemberNode) -> list[bytes]:
    """Return the cases that the ledger says this member deleted and that neither desk nor list of erasures knows.

    Then the whole folder is older than the ledger: what was erased is in the vault again.
    """
    state = node.ledger.read()
    deleted = {
        case for case, row in erasures(state) if row.holder == node.member and row.status is ErasureStatus.DELETED
    }
    if not deleted:
        return []
    known = {one.case for one in node.desk.erasures()} | {one.case for one in node.vault.erasures.read()}
    return sorted(deleted - known)


def _is_kept(node: MemberNode, case: Case) -> bool:
    one = case.erasing
    return not one.lease and node.vault.link_info(one.subject).standing is not Standing.ERASED


def _expired(node: MemberNode, case: Case) -> bool:
    """Destroy the keys of expired backups; say whether none opens that was made before the deletion."""
    keys = node.day_keys()
    keys.expire(node.sound_time() // DAY_MS)
    deleted = case.row.due - membership.parameters(node.ledger.read()).erasure_backups
    oldest = keys.oldest()
    return oldest is None or oldest > deleted // DAY_MS


def _delete(node: MemberNode, case: Case) -> None:
    """Delete, then say so: a crash between repeats the deletion, which is then a no-op."""
    if not case.erasing.lease:
        _delete_here(node, case)
    node.submitter.submit(ConfirmDeletion(case=case.erasing.case))


def _delete_here(node: MemberNode, case: Case) -> None:
    subject = case.erasing.subject
    forget(node, subject)
    node.index.forget(subject)
    node.vault.erase_link(subject, case=case.erasing.case)
    node.desk.set_contact(subject, "")
    node.desk.drop_corrections(subject)
    node.desk.drop_choices(subject)
    pairs.forget(node, subject)
    node.desk.drop_health_link(subject)
    node.desk.drop_hosting(subject)


def _case(node: MemberNode, case: bytes) -> Case:
    for one in cases(node):
        if one.erasing.case == case:
            if one.erasing.done is not None:
                raise Conflict("erasure.done", "the case is closed")
            return one
    raise NotFound("erasure.unknown", "this member has no such case")
