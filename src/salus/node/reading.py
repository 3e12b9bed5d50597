"""Reading by a member's own people: journalled before it is shown, under the purpose and the person's credential.

Own records are journalled per link, what is kept under a patient's grant per grant. A lease that is not live is refused.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from salus.agreements.consent.decide import Asker
from salus.agreements.grants import Document, Grant
from salus.core.encoding import decode
from salus.index.search_scope import Scope
from salus.node.anchoring import anchor_reading
from salus.node.errors import EdgeError, Forbidden
from salus.node.exchange.grantee import require_live
from salus.node.fhir.policy import ADMINISTRATION, own_realm, permits_unread
from salus.node.member import MemberNode
from salus.node.usecase import Caller, Kind
from salus.vault.errors import UnknownRecord
from salus.vault.journal import Disclosure, Side
from salus.vault.records import Ref

OPERATOR_ROLE: Final = "operator"
EMERGENCY: Final = "ETREAT"  # v3-ActReason


def require_purpose(caller: Caller, purpose: str) -> None:
    """Check that a person's credential is for this purpose. Raises Forbidden."""
    if caller.kind is Kind.PERSON and purpose not in caller.purposes:
        raise Forbidden(
            "person.purpose",
            "the credential is not for this purpose",
            expected=", ".join(caller.purposes),
            got=purpose,
            todo="ask for a credential that is",
        )


def role_of(caller: Caller) -> str:
    """Return the role that a reading is journalled under."""
    return caller.role or OPERATOR_ROLE


def own_scope(node: MemberNode, caller: Caller, purpose: str) -> Scope:
    """Return what a caller may see of the member's own records: its policy, and the patients' consents on file."""
    now = node.ledger_time()
    who = node.index.who(node.member, caller.subject, home=True, at=now)
    asker = Asker(node.member, role_of(caller), purpose, now, who.names, known=who.known)
    return node.index.search.scope([own_realm(purpose, node.config.fhir.without_consent)], asker)


def require_own(node: MemberNode, caller: Caller, ref: Ref, purpose: str) -> None:
    """Check that a caller may see one version of an own record. Raises UnknownRecord, as for one that is not there.

    What the index could not read is of no class: it is shown in care of patients without consents, and to the operator.
    """
    search, name = node.index.search, f"{ref.type}/{ref.id}"
    found, _ = search.versions(own_scope(node, caller, purpose), name=name, before=ref.number + 1, limit=1)
    if found and found[0].number == ref.number:
        return
    unread = all(one.number != ref.number for one in search.own_versions(name))
    ruled = node.config.fhir.without_consent or any(one.counts for one in node.index.consents.of(ref.link))
    if not unread or (ruled and purpose != ADMINISTRATION) or not permits_unread(role_of(caller), purpose):
        raise UnknownRecord(f"no record {ref.number}")


def require_lease(node: MemberNode, caller: Caller, grant: bytes, purpose: str) -> Document:
    """Check that a lease may be read now, by this caller, for this purpose. Raises NotFound, Forbidden, Unavailable."""
    _, document = require_live(node, grant)
    if document.roles and role_of(caller) not in document.roles:
        raise Forbidden("lease.role", "the patient's grant is for other roles", expected=", ".join(document.roles))
    if document.purposes and purpose not in document.purposes:
        raise Forbidden("lease.purpose", "the patient's grant is for other purposes", got=purpose)
    return document


def require_readable(node: MemberNode, caller: Caller, id_: bytes, purpose: str) -> None:
    """Check that what is kept under a grant or an emergency may be read now. Raises NotFound, Forbidden, Unavailable."""
    opened = node.desk.emergencies(id_)
    if not opened:
        require_lease(node, caller, id_, purpose)
    elif opened[0].purged is not None or purpose != EMERGENCY:
        raise Forbidden("lease.purpose", "this was read in an emergency, and for nothing else", expected=EMERGENCY)


def leases_of(node: MemberNode, link: bytes, caller: Caller, purpose: str) -> list[bytes]:
    """Return the grants about the patient of an own link that this caller may read under now."""
    found = []
    for held in node.desk.held():
        if held.ended is not None or decode(held.body, Grant).link != link:
            continue
        try:
            require_lease(node, caller, held.grant, purpose)
        except EdgeError:
            continue  # not live, or for others: the chart goes on without it, as if it were not here
        found.append(held.grant)
    return found


def journal_own(
    node: MemberNode, caller: Caller, link: bytes, *, purpose: str, action: str, what: Sequence[str]
) -> None:
    """Journal a reading of own records, durably, and have it anchored."""
    _journal(node, [_line(node, caller, Side.CUSTODIAN, link, purpose, action, what)])


def journal_owns(
    node: MemberNode, caller: Caller, read: Mapping[bytes, Sequence[str]], *, purpose: str, action: str
) -> list[int]:
    """Journal a reading of many patients' own records, {link: what}, durably, and have it anchored; return the entries."""
    return _journal(
        node, [_line(node, caller, Side.CUSTODIAN, link, purpose, action, what) for link, what in sorted(read.items())]
    )


def journal_lease(
    node: MemberNode, caller: Caller, grant: bytes, *, purpose: str, action: str, what: Sequence[str]
) -> None:
    """Journal a reading under a grant, durably, and have it anchored."""
    _journal(node, [_line(node, caller, Side.GRANTEE, grant, purpose, action, what)])


def counted(types: Iterable[str]) -> tuple[str, ...]:
    """Return how many of each type, as a journal line says it."""
    return tuple(f"{name} {count}" for name, count in sorted(Counter(types).items()))


def _line(  # noqa: PLR0917 -- what a line says
    node: MemberNode, caller: Caller, side: Side, subject: bytes, purpose: str, action: str, what: Sequence[str]
) -> Disclosure:
    return Disclosure(
        side=side,
        subject=subject,
        member=node.member,
        person=caller.subject,
        role=role_of(caller),
        purpose=purpose,
        action=action,
        what=tuple(what),
        grant=subject if side is Side.GRANTEE else b"",
    )


def _journal(node: MemberNode, lines: Sequence[Disclosure]) -> list[int]:
    entries = node.vault.journal(lines)
    anchor_reading(node)
    return entries
