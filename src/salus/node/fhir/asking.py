"""Who asks for what purpose, what they may see, and the line in the journal before anything is shown."""

from collections.abc import Sequence
from typing import Final

from salus.agreements.consent.decide import Asker, Provision
from salus.agreements.grants import Document, Grant
from salus.contracts.consent import port as consent
from salus.core.encoding import decode
from salus.index.search import Hit
from salus.index.search_scope import Realm, Scope
from salus.node.desk import Held
from salus.node.errors import Forbidden, Malformed, Unauthenticated
from salus.node.exchange.grantee import UNCONFIRMED_MS
from salus.node.fhir import narrowing
from salus.node.fhir.answers import Request
from salus.node.fhir.policy import ADMINISTRATION, OPERATOR, PATIENT_TERMS, lease_terms, own_realm
from salus.node.member import MemberNode
from salus.node.smart.scopes import Access
from salus.node.usecase import Caller, Kind
from salus.vault.journal import Disclosure, Side

LINE_NAMES: Final = 1_000
"""Names in one journal line: about 40 KB of the 64 that a line may have."""


class Leases:
    """The grants that the member holds, and which of them may be read now: tested against the own replica."""

    def __init__(self, node: MemberNode) -> None:
        self._node = node
        self._documents: dict[bytes, Document] = {}
        self._links: dict[bytes, bytes] = {}
        self._about: dict[bytes, bytes] = {}

    def about(self, grant: bytes) -> bytes:
        """Return the own link of the patient that a grant is about, b"" where the patient named none."""
        if grant not in self._about:
            bodies = {one.grant: one.body for one in self._node.desk.held()}
            self._about[grant] = decode(bodies[grant], Grant).link if grant in bodies else b""
        return self._about[grant]

    def live(self) -> list[tuple[bytes, bytes, Document]]:
        """Return (grant, link of its lease, document) of each grant that is live at this moment."""
        held = [one for one in self._node.desk.held() if one.ended is None]
        if not held:
            return []
        state, now = self._node.ledger.read(), self._node.ledger_time()
        found = []
        for one in held:
            document = self._document(one)
            confirmed = self._node.now() - max(one.confirmed, one.received) <= UNCONFIRMED_MS
            if confirmed and document.not_before <= now < document.expiry and consent.live(state, one.grant, now):
                found.append((one.grant, self._link(one.grant), document))
        return found

    def _document(self, held: Held) -> Document:
        known = self._documents.get(held.grant)
        if known is None:
            known = self._documents[held.grant] = decode(decode(held.body, Grant).document, Document)
        return known

    def _link(self, grant: bytes) -> bytes:
        known = self._links.get(grant)
        if known is None:
            known = self._links[grant] = self._node.vault.open_lease(grant)
        return known


class Asking:
    """One request's asker. Its scope is made once; whatever is shown passes `journal` first."""

    def __init__(self, node: MemberNode, caller: Caller, purpose: str, leases: Leases) -> None:
        """`purpose` is a v3-ActReason code, "" for the caller's only or usual one. Raises Unauthenticated, Forbidden."""
        self._node = node
        self.caller = caller
        self.purpose = purpose_of(caller, purpose)
        self.role = OPERATOR if caller.kind is Kind.OPERATOR else caller.role
        self._leases = leases
        self._grants: dict[bytes, bytes] = {}
        self._scope: Scope | None = None
        self._letters = narrowing.READS

    @property
    def node(self) -> MemberNode:
        """The member's node."""
        return self._node

    @property
    def scope(self) -> Scope:
        """What the asker may see now."""
        if self._scope is None:
            access = self.caller.access
            asker = self._asker()
            if access is not None and access.own:
                self._scope = self._narrowed(self._node.index.search.scope([self._of_patient(access)], asker))
                return self._scope
            realms = [own_realm(self.purpose, self._node.config.fhir.without_consent)]
            by_terms: dict[tuple[Provision, ...], list[bytes]] = {}
            for grant, link, document in self._leases.live():
                self._grants[link] = grant
                by_terms.setdefault(lease_terms(document), []).append(link)
            realms += [Realm(terms, tuple(links)) for terms, links in by_terms.items()]
            self._scope = self._narrowed(self._node.index.search.scope(realms, asker))
        return self._scope

    def _asker(self) -> Asker:
        member, now = self._node.member, self._node.ledger_time()
        who = self._node.index.who(member, self.caller.subject, home=True, at=now)
        return Asker(member, self.role, self.purpose, now, who.names, known=who.known)

    def party(self, patient: Hit) -> tuple[bytes, ...]:
        """Return the links of a Patient's party: its own first, those joined with it, and the live leases about them.

        A patient's own program stays with its link: the patient has not signed for another one (ADR 227).
        """
        access = self.caller.access
        if access is not None and access.own:
            return (patient.link,)
        _ = self.scope  # what leases are live is found with it
        own = self._leases.about(self._grants[patient.link]) if patient.lease else patient.link
        joined = self._node.index.joined_with(own) if own else []
        leases = [link for link, grant in self._grants.items() if self._leases.about(grant) in joined]
        return tuple(dict.fromkeys((patient.link, *joined, *leases)))

    def admit(self, request: Request) -> None:
        """Take up an interaction: only what the token's scopes open, if a program asks. Raises Forbidden."""
        if self.caller.access is not None:
            self._letters = narrowing.check(self.caller.access, request) or narrowing.WRITES
            self.renew()

    def admit_search(self, kind: str) -> None:
        """Raise Forbidden when a program may not search a type, as a conditional write does."""
        if self.caller.access is not None:
            narrowing.require(self.caller.access, kind, "s")

    def admit_write(self, kind: str, letter: str, link: bytes) -> None:
        """Raise Forbidden when a program may not write (c, u, d) a resource under this link."""
        if self.caller.access is not None:
            narrowing.require_link(self.caller.access, kind, letter, link)

    def _narrowed(self, scope: Scope) -> Scope:
        access = self.caller.access
        if access is None:
            return scope
        found = narrowing.slices(access, self._letters, self._node.vault.house_link(), self._node.now())
        return self._node.index.search.narrowed(scope, found)

    def _of_patient(self, access: Access) -> Realm:
        """Return what a patient's own program is for: the patient's records, and of the house what they refer to."""
        return Realm(PATIENT_TERMS, (access.link, self._node.vault.house_link()))

    def renew(self) -> None:
        """Decide anew: what was just written may be of policy classes that were not there before."""
        self._scope = None

    def journal_audit(self, link: bytes, ids: Sequence[str]) -> None:
        """Note durably which AuditEvents of the journal are about to be shown: looking at the log is looking, too."""
        names = [f"AuditEvent/{own}/1" for own in ids]
        self._node.vault.journal(
            [
                Disclosure(
                    side=Side.CUSTODIAN,
                    subject=link,
                    member=self._node.member,
                    person=self.caller.subject,
                    role=self.role,
                    purpose=self.purpose,
                    action="audit",
                    what=tuple(names[at : at + LINE_NAMES // 2]),
                )
                for at in range(0, len(names), LINE_NAMES // 2)
            ]
        )

    def lines_written(self, written: Sequence[tuple[bytes, str, str]]) -> list[Disclosure]:
        """Return the journal lines of what is written: (link, action, "Type/id/version") each."""
        access = self.caller.access
        program = (f"app {access.client}",) if access else ()
        by_action: dict[tuple[bytes, str], list[str]] = {}
        for link, action, name in written:
            by_action.setdefault((link, action), []).append(name)
        return [
            Disclosure(
                side=Side.CUSTODIAN,
                subject=link,
                member=self._node.member,
                person=self.caller.subject,
                role=self.role,
                purpose=self.purpose,
                action=action,
                what=(*program, *names[at : at + LINE_NAMES // 2]),
            )
            for (link, action), names in by_action.items()
            for at in range(0, len(names), LINE_NAMES // 2)
        ]

    def journal(self, hits: Sequence[Hit], action: str) -> None:
        """Note durably what is about to be shown, per patient; resources of no patient disclose nobody."""
        by_link: dict[tuple[bytes, bool], list[str]] = {}
        house = self._node.vault.house_link()
        for hit in hits:
            if hit.link != house:
                by_link.setdefault((hit.link, hit.lease), []).append(f"{hit.name}/{hit.version}")
        lines = []
        for (link, lease), names in by_link.items():
            grant = self._grants[link] if lease else b""
            lines += [
                Disclosure(
                    side=Side.GRANTEE if lease else Side.CUSTODIAN,
                    subject=grant if lease else link,
                    member=self._node.member,
                    person=self.caller.subject,
                    role=self.role,
                    purpose=self.purpose,
                    action=action,
                    what=tuple(names[at : at + LINE_NAMES]),
                    grant=grant,
                )
                for at in range(0, len(names), LINE_NAMES)
            ]
        self._node.vault.journal(lines)


def purpose_of(caller: Caller, asked: str) -> str:
    """Return the purpose of a request: the one asked for, else the only one, else treatment.

    Raises Unauthenticated without a caller, Forbidden for a purpose that the credential does not carry.
    """
    if caller.kind is Kind.ANYONE:
        raise Unauthenticated("fhir.who", "nobody has signed in", todo="show a person credential")
    if caller.kind is Kind.OPERATOR:
        return asked or ADMINISTRATION
    if asked and asked not in caller.purposes:
        raise Forbidden(
            "fhir.purpose", "the credential is not for this purpose", expected=", ".join(caller.purposes) or "none"
        )
    if asked:
        return asked
    if not caller.purposes:
        raise Forbidden("fhir.purpose", "the credential names no purpose of use", todo="sign in again")
    if len(caller.purposes) > 1 and "TREAT" not in caller.purposes:
        raise Malformed("fhir.purpose", "say for which purpose", expected="Salus-Purpose", got="none")
    return caller.purposes[0] if len(caller.purposes) == 1 else "TREAT"
