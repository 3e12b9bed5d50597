"""The authorization server of one node (SMART App Launch 2.2 sections 2 and 5; RFC 6749, 7009, 7636, 7662, 9207).

1. `question`: what a program asks holds: its registration, its address, PKCE, audience, scopes
2. a person of this member, or a patient whose wallet it hosts, sees it on a page and allows a part of it
3. `allow`: an authorization code, for the program's registered address, once, for a minute
4. `token`: the code and the PKCE verifier become an access token of five minutes and, if asked, a refresh token

A refresh token is good once. One that comes again was stolen from somebody: everything of that authorisation ends.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from hmac import compare_digest
from typing import Final
from urllib.parse import urlencode

import msgspec

from salus.core.proof.digest import digest
from salus.node.accounts import STAFF, WALLET, Authorisation
from salus.node.errors import EdgeError, Malformed, NotFound, Unauthenticated
from salus.node.member import MemberNode
from salus.node.people import claims_of
from salus.node.sessions import Session
from salus.node.smart.assertions import Assertions
from salus.node.smart.clients import Client, client_of, own_scopes
from salus.node.smart.programs import TOKEN_SECONDS, Allowed, Code, Launch, Question
from salus.node.smart.scopes import Access, Asked, allowed, only, read_scopes, told
from salus.node.smart.telling import Event, note, note_unknown
from salus.node.smart.trying import CLIENT as TRYING
from salus.node.usecase import Caller, Kind

AUTHORIZE: Final = "/smart/authorize"
TOKEN: Final = "/smart/token"  # noqa: S105 -- a path
INTROSPECT: Final = "/smart/introspect"
REVOKE: Final = "/smart/revoke"
DAY_MS: Final = 24 * 3600 * 1000
OFFLINE_MS: Final = 90 * DAY_MS  # a patient's app that is not used for a quarter asks again
PATIENT_ROLE: Final = "patient"
PATIENT_PURPOSE: Final = "PATRQT"  # v3-ActReason: the patient asked
LABEL: Final = "salus/v1/smart-refresh"
CAPABILITIES: Final = (
    "launch-standalone",
    "launch-ehr",
    "authorize-post",
    "client-public",
    "client-confidential-asymmetric",
    "context-ehr-patient",
    "context-standalone-patient",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
)


class Tokens(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer of the token endpoint (RFC 6749 5.1, SMART 2.2 section 2.0.10.2)."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    refresh_token: str = ""
    patient: str = ""
    need_patient_banner: bool = False


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer about a token (RFC 7662 section 2.2, SMART 2.2 section 6)."""

    active: bool
    scope: str = ""
    client_id: str = ""
    exp: int = 0
    patient: str = ""
    iss: str = ""
    sub: str = ""


class Denied(EdgeError):
    """A program is told that it gets nothing: at its registered address, with the reason (RFC 6749 4.1.2.1)."""

    def __init__(self, error: str, message: str, location: str) -> None:
        super().__init__(f"smart.{error.replace('_', '-')}", message)
        self.location = location


class AuthorisationServer:
    """See the module's docstring."""

    def __init__(self, node: MemberNode, base: str = "") -> None:
        """Serve at `base`, where programs reach the node; empty: its public URL."""
        self.node = node
        self.issuer = (base or node.config.http.public_url).rstrip("/")
        self.fhir = f"{self.issuer}/fhir"
        self._assertions = Assertions(node, self.issuer + TOKEN)

    def configuration(self) -> dict[str, object]:
        """Return the document of `.well-known/smart-configuration` (SMART 2.2 section 3)."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": self.issuer + AUTHORIZE,
            "token_endpoint": self.issuer + TOKEN,
            "introspection_endpoint": self.issuer + INTROSPECT,
            "revocation_endpoint": self.issuer + REVOKE,
            "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "scopes_supported": [
                "launch",
                "launch/patient",
                "offline_access",
                "online_access",
                "patient/*.rs",
                "user/*.cruds",
                "system/*.cruds",
            ],
            "capabilities": list(CAPABILITIES),
        }

    # What a program asks ------------------------------------------------------------------------------------------

    def question(self, asked: Mapping[str, str]) -> str:
        """Return the name of a question to a person.

        Raises Malformed or Unauthenticated when nobody may be answered: an unknown program, or an address that is not
        registered, is told to the person and never followed. Raises Denied for what the program is told.
        """
        client = client_of(self.node, asked.get("client_id", ""))
        redirect = asked.get("redirect_uri", "")
        if redirect not in client.redirects:
            raise Malformed(
                "smart.redirect",
                "the program asks to be answered where it is not registered",
                todo="do not go on: tell whoever sent you here",
            )
        state = asked.get("state", "")

        def refused(error: str, message: str) -> Denied:
            return Denied(error, message, self._answer(redirect, state, error=error, error_description=message))

        if asked.get("response_type") != "code":
            raise refused("unsupported_response_type", "only code is supported")
        if not state or len(state) > 1000:
            raise refused("invalid_request", "state is required, of at most 1000 characters")
        challenge = asked.get("code_challenge", "")
        if asked.get("code_challenge_method") != "S256" or len(challenge) != 43:
            raise refused("invalid_request", "PKCE with S256 is required")
        if asked.get("aud", "").rstrip("/") != self.fhir:
            raise refused("invalid_request", "aud is not the address of this server")
        wanted = allowed(read_scopes(asked.get("scope", "")), client.widest)
        wanted = only(wanted, "cruds", {"patient", "user"})
        if not wanted.rules:
            raise refused("invalid_scope", "no scope that this program may ask opens anything")
        launch = asked.get("launch", "")
        if launch or "launch" in wanted.others:
            kept = self.node.programs.launches.find(launch)
            if kept is None or kept[0].client != client.id:
                raise refused("invalid_request", "the launch is unknown or over")
        return self.node.programs.questions.put(
            Question(client.id, redirect, state, challenge, wanted, launch if "launch" in wanted.others else "")
        )

    def asked(self, name: str) -> tuple[Question, Client]:
        """Return a question that waits, and the program that asks. Raises NotFound, Unauthenticated."""
        kept = self.node.programs.questions.find(name)
        if kept is None:
            raise NotFound("smart.question", "this question is answered or too old", todo="start again in the program")
        return kept[0], client_of(self.node, kept[0].client)

    def launched(self, question: Question, session: Session) -> Launch | None:
        """Return the launch that a question answers, if it is one of this session. Raises Unauthenticated."""
        if not question.launch:
            return None
        kept = self.node.programs.launches.find(question.launch)
        if kept is None or kept[0].session != session.key:
            raise Unauthenticated("smart.launch", "the app was opened by somebody else", todo="open it from the chart")
        return kept[0]

    def launch(self, client: str, session: Session, link: bytes, patient: str) -> str:
        """Return the address at which an app opens with a chart's patient. Raises NotFound, Unauthenticated."""
        found = client_of(self.node, client)
        if not found.launch:
            raise NotFound("smart.no-launch", "this program is not opened from a chart")
        name = self.node.programs.launches.put(Launch(client, session.key, link, patient))
        return _with(found.launch, iss=self.fhir, launch=name)

    # What a person answers ----------------------------------------------------------------------------------------

    def offered(self, question: Question, *, own: bool) -> Asked:
        """Return what a person can allow: patients read; staff what the program asks."""
        return only(question.asked, "rs" if own else "cruds", {"patient"} if own else {"patient", "user"})

    def allow(
        self, name: str, session: Session, caller: Caller, asked: Asked, *, link: bytes = b"", patient: str = "",
        own: bool = False,
    ) -> str:  # fmt: skip
        """Return where to send the browser with a code for what was allowed. Raises NotFound, Malformed."""
        question = self.node.programs.questions.take(name)
        if question is None:
            raise NotFound("smart.question", "this question is answered or too old", todo="start again in the program")
        granted = allowed(asked, self.offered(question, own=own))
        if not granted.rules or (granted.patient and not link):
            raise Malformed("smart.nothing", "nothing was allowed, or no patient was chosen", todo="start again")
        if question.launch:
            self.node.programs.launches.take(question.launch)
        what = Allowed(
            authorisation=self.node.entropy(16),
            client=question.client,
            caller=caller,
            asked=granted,
            link=link,
            patient=patient,
            own=own,
            ends=self._ends(granted, session, own=own),
        )
        code = self.node.programs.codes.put(Code(what, question.redirect, question.challenge))
        return self._answer(question.redirect, question.state, code=code)

    def deny(self, name: str) -> str:
        """Return where to send the browser when a person allows nothing. Raises NotFound."""
        question = self.node.programs.questions.take(name)
        if question is None:
            raise NotFound("smart.question", "this question is answered or too old", todo="start again in the program")
        return self._answer(question.redirect, question.state, error="access_denied")

    def _ends(self, granted: Asked, session: Session, *, own: bool) -> int:
        """Return until when it may be refreshed: a patient's offline access a quarter, everything else as the session."""
        if own and "offline_access" in granted.others:
            return self.node.now() + OFFLINE_MS
        return session.ends if granted.others & {"offline_access", "online_access"} else 0

    def _answer(self, redirect: str, state: str, **told_: str) -> str:
        """Return a program's address with an answer; `iss` says whose it is (RFC 9207: no mix-up of servers)."""
        return _with(redirect, **told_, state=state, iss=self.issuer)

    # What a program gets ------------------------------------------------------------------------------------------

    def token(self, form: dict[str, str]) -> Tokens:
        """Answer the token endpoint. Raises Malformed or Unauthenticated with a code of RFC 6749 5.2."""
        kind = form.get("grant_type", "")
        if kind == "authorization_code":
            return self._by_code(form)
        if kind == "refresh_token":
            return self._by_refresh(form)
        if kind == "client_credentials":
            return self._for_itself(form)
        raise Malformed("smart.unsupported-grant-type", "there is no such grant", expected="authorization_code, …")

    def _by_code(self, form: dict[str, str]) -> Tokens:
        client = self._assertions.client(form)
        name = form.get("code", "")
        kept = self.node.programs.codes.take(name)
        spent = digest(LABEL + "/code", name.encode())
        if kept is None:
            self._replayed(spent)
            raise _bad_grant("the code is unknown, used or over")
        verifier = form.get("code_verifier", "")
        proof = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if (
            kept.allowed.client != client.id
            or form.get("redirect_uri") != kept.redirect
            or not 43 <= len(verifier) <= 128
            or not compare_digest(proof, kept.challenge)
        ):
            raise _bad_grant("the code was not made for this")
        self.node.programs.spent.put((spent, kept.allowed.authorisation))
        refresh = ""
        if kept.allowed.ends > self.node.now():
            refresh, kept_digest = self._refresh(kept.allowed.authorisation)
            self.node.accounts.keep_authorisation(
                Authorisation(
                    id=kept.allowed.authorisation,
                    app=client.id,
                    owner=owner_of(kept.allowed.caller),
                    body=msgspec.msgpack.encode(kept.allowed),
                    refresh=kept_digest,
                    made=self.node.now(),
                    ends=kept.allowed.ends,
                )
            )
        return self._tokens(kept.allowed, refresh, "token-issued")

    def _replayed(self, spent: bytes) -> None:
        """End what a code brought that comes a second time (RFC 6749 4.1.2)."""
        for known, authorisation in self.node.programs.spent.things():
            if compare_digest(known, spent):
                self._reused(authorisation)

    def _by_refresh(self, form: dict[str, str]) -> Tokens:
        client = self._assertions.client(form)
        told_ = form.get("refresh_token", "")
        id_, secret = _refresh_parts(told_)
        row = self.node.accounts.authorisation(id_) if id_ else None
        if row is None or row.app != client.id or row.ends <= self.node.now():
            raise _bad_grant("the refresh token is unknown or over")
        what = msgspec.msgpack.decode(row.body, type=Allowed)
        # Its registration may have been narrowed since: it is refreshed as far as it may still ask.
        what = msgspec.structs.replace(what, asked=allowed(what.asked, client.widest))
        reused = _bad_grant("the refresh token was used before: everything it brought has ended")
        before = digest(LABEL, id_, secret)
        if not compare_digest(before, row.refresh):
            self._reused(id_)
            raise reused
        if not what.asked.rules:
            self.end(id_)
            raise _bad_grant("the program may ask nothing more of what it was allowed")
        if "scope" in form:  # refused before the token is spent: its program may ask again
            narrowed = allowed(read_scopes(form["scope"]), what.asked)
            if not narrowed.rules:
                raise Malformed("smart.invalid-scope", "nothing of this was allowed")
            what = msgspec.structs.replace(what, asked=narrowed)
        refresh, after = self._refresh(id_)
        if not self.node.accounts.rotate(id_, before, after):
            self._reused(id_)
            raise reused
        return self._tokens(what, refresh, "token-refreshed")

    def _for_itself(self, form: dict[str, str]) -> Tokens:
        client = self._assertions.client(form, keyed=True)
        wanted = allowed(read_scopes(form.get("scope", "")), own_scopes(client))
        if not client.role or not wanted.rules:
            raise Malformed("smart.invalid-scope", "nothing of this may be done without a person")
        caller = Caller(Kind.PERSON, self.node.member, f"app {client.id}", client.role, client.purposes)
        return self._tokens(Allowed(self.node.entropy(16), client.id, caller, wanted), "", "token-issued")

    def _tokens(self, what: Allowed, refresh: str, event: Event) -> Tokens:
        note(self.node, what, event)
        token = self.node.programs.tokens.put(what)
        return Tokens(
            access_token=token,
            token_type="Bearer",  # noqa: S106 -- a type
            expires_in=TOKEN_SECONDS,
            scope=told(what.asked),
            refresh_token=refresh,
            patient=what.patient,
            need_patient_banner=bool(what.patient) and not what.own,
        )

    def _refresh(self, id_: bytes) -> tuple[str, bytes]:
        """Return a new refresh token of an authorisation and its digest."""
        secret = self.node.entropy(32)
        return (id_ + secret).hex(), digest(LABEL, id_, secret)

    # About tokens -------------------------------------------------------------------------------------------------

    def introspect(self, form: dict[str, str]) -> Told:
        """Say what a token is, to the program that it was given to. Raises Unauthenticated."""
        client = self._assertions.client(form, keyed=True)
        kept = self.node.programs.tokens.find(form.get("token", ""))
        if kept is None or kept[0].client != client.id:
            note_unknown(self.node, client.id)
            return Told(active=False)
        what, ends = kept
        return Told(
            active=True,
            scope=told(what.asked),
            client_id=what.client,
            exp=ends // 1000,
            patient=what.patient,
            iss=self.issuer,
            sub=what.caller.subject,
        )

    def revoke(self, form: dict[str, str]) -> None:
        """End an authorisation by one of its tokens; a token that is none ends nothing (RFC 7009). Raises Unauthenticated."""
        client = self._assertions.client(form)
        token = form.get("token", "")
        kept = self.node.programs.tokens.find(token)
        if kept is not None and kept[0].client == client.id:
            self.end(kept[0].authorisation)
            return
        id_, _ = _refresh_parts(token)
        row = self.node.accounts.authorisation(id_) if id_ else None
        if row is not None and row.app == client.id:
            self.end(id_)

    def end(self, authorisation: bytes) -> None:
        """End an authorisation: no refresh, no token."""
        what = self._allowed(authorisation)
        self.node.accounts.drop_authorisation(authorisation)
        self.node.programs.end(authorisation)
        if what is not None:
            note(self.node, what, "token-revoked")

    def _reused(self, authorisation: bytes) -> None:
        """End an authorisation of which a code or token came twice: one of the two who sent it stole it."""
        what = self._allowed(authorisation)
        if what is not None:
            note(self.node, what, "token-reused")
        self.end(authorisation)

    def _allowed(self, authorisation: bytes) -> Allowed | None:
        """Return what an authorisation allows that has not ended."""
        row = self.node.accounts.authorisation(authorisation)
        if row is not None:
            return msgspec.msgpack.decode(row.body, type=Allowed)
        tokens = self.node.programs.tokens.things()
        return next((one for one in tokens if one.authorisation == authorisation), None)


def caller_of_token(node: MemberNode, token: str) -> Caller:
    """Return who a token lets a program act for, and what it may. Raises Unauthenticated."""
    refused = Unauthenticated("smart.token", "the token is unknown, over or ended", todo="refresh it, or ask again")
    kept = node.programs.tokens.find(token)
    if kept is None:
        raise refused
    what, _ = kept
    if what.client != TRYING:
        client_of(node, what.client)
    if what.caller.credential:
        claims_of(what.caller.credential, node.member, node.signing_keys(node.member), node.now())
    access = Access(what.client, what.asked.rules, what.link, what.own)
    subject = f"app {what.client}" if what.own else what.caller.subject
    return replace(what.caller, subject=subject, access=access)


def owner_of(caller: Caller) -> str:
    """Return under whose name an authorisation is kept."""
    kind = WALLET if caller.role == PATIENT_ROLE and not caller.credential else STAFF
    return f"{kind} {caller.subject}"


def patient_caller(member: str, wallet: str) -> Caller:
    """Return the patient of a hosted wallet as who a program acts for."""
    return Caller(Kind.PERSON, member, wallet, PATIENT_ROLE, (PATIENT_PURPOSE,))


def _bad_grant(message: str) -> Malformed:
    return Malformed("smart.invalid-grant", message, todo="ask the person again")


def _refresh_parts(token: str) -> tuple[bytes, bytes]:
    """Return (authorisation, secret) of a refresh token; two empty parts for anything else."""
    try:
        told_ = bytes.fromhex(token)
    except ValueError:
        return b"", b""
    return (told_[:16], told_[16:]) if len(told_) == 48 else (b"", b"")


def _with(uri: str, **parameters: str) -> str:
    """Return an address with parameters added."""
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(parameters)}"
