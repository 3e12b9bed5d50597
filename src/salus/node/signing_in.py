"""Signing in to the pages: by a link that the operator makes, by a passkey; and whom the operator lets in no more."""

from typing import Annotated, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta

from salus.node.accounts import STAFF, WALLET, Account
from salus.node.errors import Conflict, Unavailable
from salus.node.member import MemberNode
from salus.node.people import IssuePerson, issue_person
from salus.node.records.charts import moment
from salus.node.usecase import LOCAL_OPERATOR, OPERATOR, Caller, Kind, Message, use_case

PATH = "/sign-in"
OPERATOR_MS: Final = 3600 * 1000  # time to look and to vote
SESSION_MS: Final = 8 * 3600 * 1000  # a patient's session at the longest: a day at the hospital


class SignIn(Message, frozen=True):
    """Who is to use the pages."""

    subject: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=128,
            description="Name that only this member can resolve: an account number, never a person's name.",
            examples=["staff-0042"],
        ),
    ]
    role: Annotated[str, Meta(min_length=1, max_length=64, description="Role of the person.", examples=["physician"])]
    purposes: Annotated[
        tuple[Annotated[str, Meta(pattern="^[A-Z]{2,16}$")], ...],
        Meta(min_length=1, description="What the person may read for: codes of v3-ActReason.", examples=[["TREAT"]]),
    ]
    hours: Annotated[int, Meta(ge=1, le=12, description="How long it lasts: a shift at most.", examples=[8])] = 8
    passkey: Annotated[
        bool,
        Meta(
            description="Whether the person may make a passkey, and come back with it in this role until dismissed.",
            examples=[True],
        ),
    ] = False


class SignInLink(Message, frozen=True):
    """A link to hand to that person and to nobody else."""

    link: Annotated[str, Meta(description="The address: good once, for ten minutes.")]
    ends: Annotated[str, Meta(description="When the session ends at the latest, UTC. Idle for 30 minutes ends it too.")]


@use_case("person.sign-in", who=OPERATOR)
def sign_in(node: MemberNode, request: SignIn) -> SignInLink:
    """Make a link that opens the pages for one of this member's people. The node must be running.

    The session holds a person credential, as `salus person issue` makes it, under a key that never leaves the node.
    """
    if not node.ticking:
        raise Unavailable("session.not-serving", "no node runs that could show pages", todo="start `salus serve` first")
    caller, ends = caller_of(node, request.subject, request.role, request.purposes, request.hours)
    handle = b""
    if request.passkey:
        handle = keep_account(node, STAFF, request.subject, request.role, request.purposes).handle
    base = node.config.http.public_url.rstrip("/")
    code = node.sessions.invite(caller, ends, handle=handle)
    return SignInLink(link=f"{base}{PATH}?code={code}", ends=moment(ends))


class OperatorSignIn(Message, frozen=True):
    """Asks for nothing more."""


@use_case("operator.sign-in", who=OPERATOR)
def operator_sign_in(node: MemberNode, request: OperatorSignIn) -> SignInLink:  # noqa: ARG001 -- a use case
    """Make a link, good once, that opens the operator's pages for an hour. They show no record. The node must be running."""
    if not node.ticking:
        raise Unavailable("session.not-serving", "no node runs that could show pages", todo="start `salus serve` first")
    ends = node.now() + OPERATOR_MS
    base = node.config.http.public_url.rstrip("/")
    return SignInLink(link=f"{base}{PATH}?code={node.sessions.invite(LOCAL_OPERATOR, ends)}", ends=moment(ends))


def caller_of(
    node: MemberNode, subject: str, role: str, purposes: tuple[str, ...], hours: int = 8
) -> tuple[Caller, int]:
    """Return a person of this member with a fresh credential, and when it ends (Unix ms)."""
    key = Ed25519PrivateKey.from_private_bytes(node.entropy(32)).public_key().public_bytes_raw()
    issued = issue_person.run(
        node, IssuePerson(subject=subject, role=role, purposes=purposes, key=key.hex(), hours=hours)
    )
    caller = Caller(Kind.PERSON, node.member, subject, role, purposes, issued.credential)
    return caller, issued.expires * 1000


def keep_account(node: MemberNode, kind: str, name: str, role: str = "", purposes: tuple[str, ...] = ()) -> Account:
    """Return the account of this name, made or changed to this role and these purposes."""
    node.accounts.keep_account(Account(node.entropy(32), kind, name, role, purposes, node.now()))
    found = node.accounts.account(kind, name)
    if found is None:
        raise Conflict("account.gone", "the account was dropped meanwhile", todo="try again")
    return found


def enter(node: MemberNode, account: Account) -> str:
    """Open the session of an account that a passkey has proven, and return its token."""
    if account.kind == WALLET:
        return node.sessions.open(ends=node.now() + SESSION_MS, wallet=account.name, handle=account.handle)
    caller, ends = caller_of(node, account.name, account.role, account.purposes)
    return node.sessions.open(caller, ends, handle=account.handle)


class ListAccounts(Message, frozen=True):
    """Asks for nothing more."""


class AccountLine(Message, frozen=True):
    """Somebody who may come back."""

    kind: Annotated[str, Meta(description="staff: a person of this member; wallet: the patient of a hosted wallet.")]
    name: Annotated[str, Meta(description="Subject, or name of the wallet.")]
    role: Annotated[str, Meta(description="Role; empty for a patient.")]
    purposes: Annotated[tuple[str, ...], Meta(description="What the person may read for.")]
    passkeys: Annotated[int, Meta(description="How many passkeys open it.")]
    used: Annotated[str, Meta(description="When one last did, UTC; empty: never.")]


class AccountsListed(Message, frozen=True):
    """Who may come back without a link."""

    accounts: Annotated[tuple[AccountLine, ...], Meta(description="By kind and name.")]


class DismissPerson(Message, frozen=True):
    """Who is to be let in no more."""

    subject: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=128,
            description="Name that only this member can resolve.",
            examples=["staff-0042"],
            extra={"positional": True},
        ),
    ]


class PersonDismissed(Message, frozen=True):
    """The person's sessions have ended and no passkey of theirs opens one. A credential issued to a key of their own ends by time."""

    passkeys: Annotated[int, Meta(description="How many passkeys were dropped.")]


@use_case("person.accounts", who=OPERATOR)
def list_accounts(node: MemberNode, request: ListAccounts) -> AccountsListed:  # noqa: ARG001 -- a use case
    """List who may come back with a passkey."""
    lines = []
    for one in node.accounts.accounts():
        keys = node.accounts.passkeys(one.handle)
        used = max((key.used for key in keys), default=0)
        lines.append(
            AccountLine(
                kind=one.kind,
                name=one.name,
                role=one.role,
                purposes=one.purposes,
                passkeys=len(keys),
                used=moment(used) if used else "",
            )
        )
    return AccountsListed(accounts=tuple(lines))


@use_case("person.dismiss", who=OPERATOR)
def dismiss(node: MemberNode, request: DismissPerson) -> PersonDismissed:
    """Let a person in no more: drop their passkeys, end their sessions and what they allowed programs."""
    account = node.accounts.account(STAFF, request.subject)
    keys = node.accounts.passkeys(account.handle) if account else []
    if account:
        node.accounts.drop_account(account.handle)
    node.sessions.end_all_of(request.subject)
    node.accounts.drop_authorisations(f"{STAFF} {request.subject}")
    node.programs.end_all_of(request.subject)
    return PersonDismissed(passkeys=len(keys))
