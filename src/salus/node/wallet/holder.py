"""What a patient does with a wallet: join a member, grant, stop, read who has looked, check the record, erase.

The wallet speaks to members' nodes by the questions of `salus.node.patient.messages`. It believes no member: keys are
checked against a trust file, grants and readings against what the ledger holds, the record against its chain.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.agreements.grants import FORMAT, Document, Grant, commitment_of, slip_of
from salus.contracts.consent.port import Grant as GrantMessage
from salus.contracts.consent.port import GrantStatus, Revoke, grant_id, round_expiry
from salus.core.encoding import MalformedBytes, Message, Value, decode, encode
from salus.core.proof.digest import framed
from salus.core.proof.errors import Unproven
from salus.core.proof.trust import Trust
from salus.core.transaction import Body, sign_as_author
from salus.node import access
from salus.node.errors import EdgeError, Forbidden, Malformed, NotFound, Unavailable, asked_of
from salus.node.exchange.grantee import GRANT_KIND, Granted
from salus.node.exchange.pull import Openings
from salus.node.exchange.wire import Answer, RemoteRefusal, read_answer
from salus.node.patient import messages as m
from salus.node.patient.news import follow
from salus.node.patient.proof import check_grant, check_member, check_receipt
from salus.node.wallet.log import AccessLog, Told, read_log, together
from salus.vault.enrolment import certificate_digest, open_welcome, seal_claim
from salus.vault.envelope import Context, ReceiveKey, open_envelope, seal_envelope
from salus.vault.errors import EnvelopeRefused, SealBroken
from salus.vault.opener import Opener
from salus.vault.served import Received, receive
from salus.vault.wallet import Share, Wallet

V = TypeVar("V", bound=Value)
R = TypeVar("R")
TRIES: Final = 3
OVER: Final = frozenset({"consent.NOT_GRANTED", "consent.ALREADY_REVOKED"})
NOTHING: Final = m.Carried(b"", 0, 0, b"", b"")
STALE_MS: Final = 15 * 60 * 1000  # a transaction is taken for 10 minutes at most: later none that was kept back comes
DAY_MS: Final = 24 * 3600 * 1000


class Members(Protocol):
    """How a wallet reaches members' nodes."""

    def ask(self, member: str, path: str, body: bytes) -> Answer:
        """Send a question. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Permission:
    """A grant that the wallet gave."""

    id: bytes
    index: int
    grantee: str
    document: Document
    members: tuple[str, ...]
    classes: tuple[str, ...]
    """Classes of records that it opens, at any of the members."""
    revoked: bool


@dataclass
class Holder:
    """A wallet with the members it can reach. Save the wallet after each call that changed it (`wallet.state`)."""

    wallet: Wallet
    trust: Trust
    """What the wallet believes about the ledger: keys and receipts are checked under it."""
    members: Members
    clock: Callable[[], int]
    entropy: Callable[[int], bytes]
    known: dict[str, m.Member] = field(default_factory=dict)
    """Members whose keys were checked."""

    @property
    def network(self) -> bytes:
        """The network that the trust file is of."""
        return self.trust.network

    # Members ----------------------------------------------------------------------------------------------------

    def member(self, id_: str) -> m.Member:
        """Return a member with keys that hold under the trust file. Raises Forbidden, Unavailable."""
        if id_ not in self.known:
            with asked_of(id_):
                told = self._ask(id_, m.ABOUT, m.About(self.trust.size), m.Member)
                if told.network != self.network or told.member != id_:
                    raise Forbidden("wallet.member", "the node is of another network or member", expected=id_)
                keys = told.signing_key, told.receive_key
                self._believed(id_, lambda: check_member(self.trust, id_, *keys, told.proof))
            self.known[id_] = told
        return self.known[id_]

    def follow(self, member: str) -> bool:
        """Follow the ledger from the trust file on, over every change of the cosigners; say whether anything is new.

        Each step is signed by those whom the step before names. Raises Forbidden when one is not, Unavailable.
        """
        told = self._ask(member, m.NEWS, m.AskNews(self.trust.size, self.trust.number), m.News)
        try:
            followed = follow(self.trust, told)
        except Unproven as error:
            raise Forbidden(
                "wallet.news", "the ledger does not follow from the trust file", got=str(error), todo="do not go on"
            ) from error
        new, self.trust = followed != self.trust, followed
        return new

    def _believed(self, member: str, check: Callable[[], R]) -> R:
        """Return what a check returns; if it does not hold, once more after following the ledger to today."""
        with asked_of(member):
            try:
                return check()
            except Forbidden:
                with contextlib.suppress(EdgeError):  # what did not hold is what is told
                    if self.follow(member):
                        return check()
                raise

    def join(self, member: str, invitation: bytes) -> None:
        """Enrol at a member with the invitation it handed over; where the last answer was lost, again with a fresh one.

        Raises Forbidden, Unavailable.
        """
        with asked_of(member):
            self._join(member, invitation)

    def _join(self, member: str, invitation: bytes) -> None:
        told = self.member(member)
        receive_key, link_key = ReceiveKey(self.entropy(32)), self.wallet.link_key(member)
        committed = certificate_digest(self.wallet.certificate(member))
        claim = seal_claim(
            invitation,
            network=self.network,
            member_receive=told.receive_key,
            receive=receive_key,
            link_key=link_key,
            certificate=committed,
        )
        welcomed = self._ask(member, m.ENROL, m.Enrol(claim), m.Welcomed)
        try:
            transcript, secret, signature = open_welcome(
                welcomed.welcome,
                invitation,
                network=self.network,
                member=member,
                member_key=told.signing_key,
                receive=receive_key,
                link_key=link_key,
                certificate=committed,
            )
        except EnvelopeRefused as error:
            raise Forbidden("wallet.welcome", str(error), todo="do not trust this member's node") from error
        self._ask(member, m.CONFIRM, m.Confirm(transcript.link, signature), m.Done)
        self.wallet.join(transcript, secret)

    # Sharing ----------------------------------------------------------------------------------------------------

    def grant(
        self,
        document: Document,
        shares: Sequence[Share],
        *,
        through: str,
        request: bytes = b"",
        demographics: bytes = b"",
    ) -> bytes:
        """Grant, on the ledger and to the grantee, through a member with whom the wallet has a link; return the id.

        Raises Refused by the ledger as RemoteRefusal, Forbidden, Unavailable.
        """
        grantee = self.member(document.grantee)
        made, commitment, key = self.wallet.grant(document, shares, demographics=demographics)
        author = key.public_key().public_bytes_raw()
        expiry = round_expiry(document.expiry, grantee.rounding)
        message = GrantMessage(commitment=commitment, expiry=expiry)
        carried = self._author(through, message, self.wallet.state.next_index - 1)
        id_ = grant_id(author)
        envelope = seal_envelope(
            encode(Granted(request, carried.height, made)),
            Context(self.network, author, GRANT_KIND, id_),
            recipient=grantee.receive_key,
            sign=key,
        )
        self._instruct(through, "send", m.Send(document.grantee, GRANT_KIND, envelope), m.Done)
        return id_

    def read_request(self, code: str) -> access.AccessRequest:
        """Return the request in a code, signed by the member whose keys the ledger proves. Raises Malformed, Forbidden."""
        request, signed = access.read(code)
        told = self.member(request.member)
        access.check(request, signed, network=self.network, signing_key=told.signing_key, now=self.clock())
        return request

    def answer(
        self,
        request: access.AccessRequest,
        *,
        days: int,
        through: str,
        share_from: Sequence[str] = (),
        classes: Sequence[str] = (),
        since: int = 0,
        until: int = 0,
    ) -> bytes:
        """Grant what a request asks for, from now for `days`, of the record at some members (all); return the grant id.

        Less may be given than is asked: only some of the classes, only records of clinical time in [since, until).
        """
        now = self.clock()
        document = Document(
            format=FORMAT,
            network=self.network,
            grantee=request.member,
            roles=request.roles,
            purposes=(request.purpose,),
            not_before=now,
            expiry=now + days * DAY_MS,
            obligations=(),
        )
        members = share_from or [tied.member for tied in self.wallet.state.links if tied.member != request.member]
        chosen = tuple(one for one in request.classes if not classes or one in classes)
        shares = [Share(member, chosen, since, until) for member in members]
        return self.grant(document, shares, through=through, request=request.id)

    def stop(self, grant: bytes, *, through: str) -> m.Carried:
        """Revoke a grant; in force from the block that holds it. Height 0: it is proven that there is nothing to revoke.

        So it is when an answer was lost: the grant never came about, and can no more; or it was revoked before. Raises NotFound,
        RemoteRefusal, Forbidden, Unavailable.
        """
        index = self.wallet.index_of(grant)
        carried = NOTHING
        try:
            carried = self._author(through, Revoke(), index)
        except RemoteRefusal as error:
            if error.code not in OVER or not self._is_over(through, grant):
                raise
        self.wallet.revoke(index)
        return carried

    def _is_over(self, through: str, grant: bytes) -> bool:
        """Tell whether the ledger proves that a grant is revoked, or that it holds none and will not."""
        shown = self._instruct(through, "grant-row", m.AskGrantRow(grant), m.GrantRowShown)
        row, time = self._believed(through, lambda: check_grant(self.trust, grant, shown.row, shown.proof))
        if row is not None:
            return row.status is GrantStatus.REVOKED
        made = next(one.document.not_before for one in self.permissions() if one.id == grant)
        return time >= made + STALE_MS

    def stop_at(self, member: str, grant: bytes) -> None:
        """Have one custodian serve nothing more under a grant, at once, with the link key and without the ledger."""
        self._instruct(member, "revoke", m.StopHere(grant), m.Done)

    def certificate(self, member: str) -> m.Publish:
        """Return the revocation certificate of the link key at a member, as whoever holds it publishes it."""
        tied = self.wallet.tied(member)
        return m.Publish(tied.link, self.wallet.certificate(member, tied.generation))

    def publish(self, member: str, certificate: m.Publish) -> None:
        """Publish a revocation certificate: the link key can only revoke from then on. Raises RemoteRefusal."""
        self._ask(member, m.CERTIFICATE, certificate, m.Done)

    def permissions(self) -> list[Permission]:
        """Return every grant this wallet gave, oldest first."""
        found = []
        for given in self.wallet.state.grants:
            document = decode(given.grant.document, Document)
            author = self.wallet.one_time_key(given.index).public_key().public_bytes_raw()
            members = tuple(part.custodian for part in given.grant.parts)
            slips = [slip_of(part.signed) for part in given.grant.parts]
            classes = tuple(dict.fromkeys(one for slip in slips for one in slip.classes))
            found.append(
                Permission(grant_id(author), given.index, document.grantee, document, members, classes, given.revoked)
            )
        return found

    def promise(
        self, document: Document, shares: Sequence[Share], *, through: str, added: Callable[[bytes, Grant], Grant]
    ) -> tuple[bytes, int]:
        """Put a grant with a part of a domain's own on the ledger; return its id and the block that holds it.

        `added` returns the grant with that part, given its id. It is handed to nobody: each custodian is shown its slip
        by `instruct`. Raises as `grant`.
        """
        made, _, key = self.wallet.grant(document, shares)
        id_ = grant_id(key.public_key().public_bytes_raw())
        made = added(id_, made)
        self.wallet.keep(made)
        message = GrantMessage(
            commitment=commitment_of(made.digests),
            expiry=round_expiry(document.expiry, self.member(through).rounding),
        )
        return id_, self._author(through, message, self.wallet.state.next_index - 1).height

    def choose(self, document: Document, shares: Sequence[Share], *, through: str) -> tuple[bytes, int]:
        """Put a choice for research on the ledger; return the grant's id and the block that holds it.

        Nobody is its grantee: each custodian is shown its slip by `instruct`. Raises as `grant`.
        """
        _, commitment, key = self.wallet.grant(document, shares)
        rounding = self.member(through).rounding
        message = GrantMessage(commitment=commitment, expiry=round_expiry(document.expiry, rounding))
        carried = self._author(through, message, self.wallet.state.next_index - 1)
        return grant_id(key.public_key().public_bytes_raw()), carried.height

    def instruct(self, member: str, action: str, argument: Value, kind: type[V]) -> V:
        """Send a link-signed instruction of a domain. Raises RemoteRefusal, Unavailable."""
        return self._instruct(member, action, argument, kind)

    def _author(self, through: str, message: Message, index: int) -> m.Carried:
        """Have a member submit what a one-time key of the wallet says of its grant."""
        key = self.wallet.one_time_key(index)
        return self.author(through, message, key, grant_id(key.public_key().public_bytes_raw()))

    def author(self, through: str, message: Message, key: Ed25519PrivateKey, result: bytes) -> m.Carried:
        """Have a member submit what a one-time key says. The body is read before it is signed.

        `result` are the 32 bytes with which the ledger's result must begin. Raises Forbidden, Malformed, Unavailable.
        """
        with asked_of(through):
            return self._authored(through, message, key, result)

    def _authored(self, through: str, message: Message, key: Ed25519PrivateKey, result: bytes) -> m.Carried:
        author = key.public_key().public_bytes_raw()
        told = self.member(through)
        built = self._instruct(through, "body", m.BuildBody(encode(message), author), m.Built)
        try:
            body = decode(built.body, Body)
        except MalformedBytes as error:
            raise Malformed("wallet.body", "the member built no body", got=through) from error
        expected = (self.network, through, told.signing_key, author, encode(message))
        if (body.network, body.submitter, body.submitter_key, body.author_key, bytes(body.message)) != expected:
            raise Forbidden("wallet.body", "the member built another body than was asked for", got=through)
        signature = sign_as_author(built.body, key)
        carried = self._instruct(through, "carry", m.Carry(built.body, signature), m.Carried)
        signed = (carried.code, carried.tx_id, carried.data[:32])
        if signed != (0, hashlib.sha256(built.body).digest(), result):
            raise Forbidden("wallet.carried", "the member tells of another transaction than was signed", got=through)
        if not carried.receipt:
            raise Unavailable(
                "wallet.unproven",
                "the ledger is not shown to hold this yet",
                got=through,
                todo="go through another member",
            )
        leaf = self._believed(through, lambda: check_receipt(self.trust, carried.tx_id, carried.receipt))
        if (leaf.code, leaf.data) != (carried.code, carried.data):
            raise Forbidden("wallet.carried", "the ledger has another result than the member tells", got=through)
        return carried

    # Seeing -----------------------------------------------------------------------------------------------------

    def access_log(self) -> AccessLog:
        """Return who has looked, over all members: every custodian's lines and every grantee's, oldest first.

        A line that one side hides shows at the other. What a member does not tell, hides or shows no longer is a gap
        beside the lines, never a reason to tell nothing: one member could otherwise keep the whole log from its patient.
        """
        for tied in self.wallet.state.links:
            with contextlib.suppress(EdgeError):  # who tells no news may tell lines all the same
                if self.follow(tied.member):
                    break
        told = [
            self._told(tied.member, "custodian", tied.link, partial(self._instruct, tied.member, "log", kind=m.Log))
            for tied in self.wallet.state.links
        ]
        told += [
            self._told(one.grantee, "grantee", one.id, partial(self._ask_grantee, one, "log", kind=m.Log))
            for one in self.permissions()
            if one.grantee  # a choice for research has none: custodians count under it, nobody reads
        ]
        return together(told)

    def _told(self, member: str, side: str, subject: bytes, ask: Callable[[m.AskLog], m.Log]) -> AccessLog:
        heard = self.wallet.heard(member, subject)
        part = read_log(ask, self.trust, Told(member, side, subject), heard)
        if part.newest is not None and (heard is None or part.newest.number > heard.number):
            self.wallet.hear(member, subject, part.newest.number, part.newest.leaf)
        return part

    def check_record(self, member: str) -> int:
        """Follow the chain of the own record at a member; return how many records are new.

        Raises SealBroken when something shown before was altered, withheld or rolled back.
        """
        new = 0
        while True:
            tied = self.wallet.tied(member)
            chain = self._instruct(member, "chain", m.After(max(0, tied.sequence - 1)), m.Chain)
            shown = list(chain.links)
            if tied.sequence:
                if not shown or (shown[0].sequence, shown[0].leaf) != (tied.sequence, tied.head):
                    raise SealBroken(f"{member} no longer shows record {tied.sequence} as it did before")
                shown = shown[1:]
            if not shown:
                return new
            self.wallet.check_records(member, shown)
            new += len(shown)

    def records(self, member: str) -> list[Received]:
        """Return the own records at a member, opened and verified. Raises SealBroken, Forbidden, Unavailable."""
        after, found = 0, []
        told = self.member(member)
        while True:
            key = ReceiveKey(self.entropy(32))
            own = self._instruct(member, "records", m.Records(after, key.public), m.OwnRecords)
            context = Context(self.network, member.encode("ascii"), m.RECORDS_PURPOSE, own.id)
            try:
                opened = open_envelope(own.envelope, context, key=key, sender_key=told.signing_key)
                openings = decode(opened, Openings).records
            except (EnvelopeRefused, MalformedBytes) as error:
                raise SealBroken(f"{member} answered with keys that do not open") from error
            if len(openings) != len(own.records):
                raise SealBroken(f"{member} answered with other records than keys")
            for served, opening in zip(own.records, openings, strict=True):
                one = receive(served.with_keys(opening.data_key, opening.salt))
                if (one.writer, one.link) != (member, self.wallet.tied(member).link):
                    raise SealBroken(f"{member} answered with a record of another link")
                found.append(one)
            if not own.records or own.after <= after:
                return found
            after = own.after

    # Erasing ----------------------------------------------------------------------------------------------------

    def erase(self, member: str) -> bytes:
        """Ask a member to erase the own record; return the case id to follow on the ledger."""
        case, _ = self.ask_erasure(member)
        return case

    def ask_erasure(self, member: str) -> tuple[bytes, m.ErasureOpened]:
        """Ask as `erase` does; return the case id, and what the member says of a duty in law that keeps the record."""
        case = self.entropy(16)
        return case, self._instruct(member, "erase", m.Erase(case), m.ErasureOpened)

    def erasure(self, member: str) -> m.ErasureStanding:
        """Return how far the erasure of the own record has come at a member. Raises RemoteRefusal, Unavailable."""
        return self._instruct(member, "erasure-standing", m.AskErasureStanding(), m.ErasureStanding)

    def erase_lease(self, grant: bytes) -> bytes:
        """Ask a grantee to delete what it pulled; return the case id."""
        case = self.entropy(16)
        for permission in self.permissions():
            if permission.id == grant:
                self._ask_grantee(permission, "erase", m.Erase(case), m.Done)
                return case
        raise NotFound("wallet.grant", "this wallet gave no such grant")

    # The wallet's own file --------------------------------------------------------------------------------------

    def keep(self, members: Iterable[str] | None = None) -> dict[str, bool]:
        """Store the sealed state at linked members; return for each whether it holds the newest."""
        kept = {}
        for member in members or [tied.member for tied in self.wallet.state.links]:
            kept[member] = self._keep(member)
        return kept

    def _keep(self, member: str) -> bool:
        for _ in range(TRIES):
            try:
                version = self.bring_back(member)
                locator = self.wallet.locator(member)
                file, signature = self.wallet.seal_for(member, version + 1)
                write_key = self.wallet.write_key(member).public_key().public_bytes_raw()
                enrolled = self.wallet.instruct(member, "keep", locator, network=self.network)
                question = m.Keep(locator, write_key, version + 1, file, signature, enrolled)
                if isinstance(self._ask_any(member, m.KEEP, question, (m.Done, m.Refusing)), m.Done):
                    return True
            except (RemoteRefusal, Unavailable):  # down, or it knows this wallet no longer: others keep it
                return False
        return False

    def bring_back(self, member: str) -> int:
        """Merge the state that a member keeps into this wallet; return its version, 0 if it keeps none."""
        returned = self._ask(member, m.RETURN, m.Return(self.wallet.locator(member)), m.Returned)
        if returned.version:
            self.wallet.absorb(self.wallet.open_file(member, returned.version, returned.file))
        return returned.version

    def leave(self, opener: Opener, members: Iterable[str] | None = None) -> list[str]:
        """Leave the root, wrapped for a passkey or sheet, with linked members; return those that keep it."""
        linked = [tied.member for tied in self.wallet.state.links]
        return [member for member in (linked if members is None else members) if self._leave(opener, member)]

    def _leave(self, opener: Opener, member: str) -> bool:
        locator, write_key = opener.locator(member), opener.write_key(member).public_key().public_bytes_raw()
        try:
            for _ in range(TRIES):
                version = self._ask(member, m.RETURN, m.Return(locator), m.Returned).version + 1
                file, signature = self.wallet.wrap_for(opener, member, version)
                enrolled = self.wallet.instruct(member, "keep", locator, network=self.network)
                question = m.Keep(locator, write_key, version, file, signature, enrolled)
                if isinstance(self._ask_any(member, m.KEEP, question, (m.Done, m.Refusing)), m.Done):
                    return True
        except (RemoteRefusal, Unavailable):
            pass  # who keeps nothing is not among those returned
        return False

    # Asking -----------------------------------------------------------------------------------------------------

    def _ask(self, member: str, path: str, question: Value, kind: type[V]) -> V:
        answered: V = self._ask_any(member, path, question, (kind,))
        return answered

    def _ask_any(self, member: str, path: str, question: Value, kinds: tuple[type[Value], ...]) -> Any:
        body = self._answer(member, path, question)
        for kind in kinds:
            try:
                return decode(body, kind)
            except MalformedBytes:
                continue
        error = Unavailable("wallet.answer", "the node answered what is no answer", got=member)
        error.member = member
        raise error

    def _answer(self, member: str, path: str, question: Value) -> bytes:
        with asked_of(member):
            return read_answer(member, self.members.ask(member, path, encode(question)))

    def _instruct(self, member: str, action: str, argument: Value, kind: type[V]) -> V:
        """Send a link-signed instruction, again above the member's counter if ours was behind."""
        above = 0
        for _ in range(TRIES):
            signed = self.wallet.instruct(member, action, encode(argument), network=self.network, above=above)
            body = self._answer(member, m.INSTRUCT, m.Instruct(signed))
            try:
                return decode(body, kind)
            except MalformedBytes:
                above = self._counter(member, body)
        raise Unavailable("wallet.counter", "another device uses this wallet at the same time", todo="try again")

    @staticmethod
    def _counter(member: str, body: bytes) -> int:
        try:
            return decode(body, m.Refusing).counter
        except MalformedBytes as error:
            raise Unavailable("wallet.answer", "the node answered what is no answer", got=member) from error

    def _ask_grantee(self, permission: Permission, action: str, argument: Value, kind: type[V]) -> V:
        key = self.wallet.one_time_key(permission.index)
        author = key.public_key().public_bytes_raw()
        data = encode(m.GrantSigned(author, permission.grantee, self.clock(), action, encode(argument)))
        question = m.AskGrantee(data, key.sign(framed(m.GRANT_LABEL, (data,))))
        return self._ask(permission.grantee, m.GRANT, question, kind)
