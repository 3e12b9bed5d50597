"""A patient's wallet: root, one-time keys, link keys, grants, and the sealed state that any linked member can hold.

    locator    mac(root, "salus/v1/wallet-locator", member id)
    write key  Ed25519 of seed mac(root, "salus/v1/wallet-write", member id)
    one-time   Ed25519 of seed mac(root, "salus/v1/one-time", u64 index)
    link key   Ed25519 of seed mac(root, "salus/v1/link-key", member id, u64 generation)
    file       u8 format = 1 | u8 algorithm = 1 | random 32 | sealed digest 32 | AES-256-GCM(file key, 12 zeros, state)
    file key   mac(root, "salus/v1/wallet-file", member id, u64 version, random, sealed digest)
    sealed digest  mac(root, "salus/v1/wallet-state", member id, padded state): no key meets two states, even if randomness
               repeats, and two members that lay their files side by side find nothing alike
    state      u32 length | msgpack state | zeros up to PADMÉ, at least 16 KB; associated data = locator | u64 version

A host sees a locator, a version and a padded size. It can withhold or show an old version: the wallet reads the
copies of several members and merges them, and a stale state still finds its one-time keys, for they follow from root
and index alone.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import structs

from salus.agreements import grants
from salus.agreements.grants import Document, Grant, Slip
from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof.digest import mac
from salus.vault.enrolment import Instruction, Transcript, sign_instruction
from salus.vault.errors import SealBroken, TooLarge, UnknownLink, UnknownRecord
from salus.vault.opener import Opener, put_message
from salus.vault.sealing import Clock, Entropy, Link, check_chain, padded_length

FORMAT: Final = 1
FLOOR: Final = 16 * 1024
"""Smallest state: a wallet with one link and one with five look alike."""
GAP: Final = 32
"""Unused indices in a row after which a search for one-time keys ends: more grants than anyone makes in one go."""


class Tied(Value, frozen=True):
    """A link as the wallet holds it."""

    member: str
    link: bytes
    secret: bytes
    generation: int
    """Of the link key under this root."""
    counter: int
    """Of the last instruction signed."""
    sequence: int
    """Newest record whose chain was checked; 0 for none."""
    head: bytes
    """That record's leaf."""


class Given(Value, frozen=True):
    """A grant as the wallet remembers it."""

    index: int
    """Of its one-time key."""
    grant: Grant
    """Document, slips, salts: what proves later what was shared."""
    revoked: bool


class Heard(Value, frozen=True):
    """The newest journal line that a member told of a link or grant: one that tells fewer later was rolled back."""

    member: str
    subject: bytes
    """Link id or grant id."""
    number: int
    leaf: bytes


class State(Value, frozen=True):
    """Everything a wallet knows besides its root."""

    format: int
    links: tuple[Tied, ...]
    grants: tuple[Given, ...]
    next_index: int
    heard: tuple[Heard, ...] = ()


class Share(Value, frozen=True):
    """What a patient shares of the records at one member."""

    member: str
    classes: tuple[str, ...]
    since: int = 0
    until: int = 0
    filters: tuple[str, ...] = ()


class Wallet:
    """A root and a state. Not thread-safe; write the state back (`seal_for`) before a new grant is sent anywhere."""

    def __init__(self, root: bytes, state: State | None = None, *, clock: Clock, entropy: Entropy) -> None:
        """`root` has 32 bytes. Without a state the wallet knows nothing yet."""
        if len(root) != 32:
            raise TooLarge("a wallet's root has 32 bytes")
        self._root, self._clock, self._entropy = root, clock, entropy
        self.state = state or State(FORMAT, (), (), 0)

    @classmethod
    def new(cls, *, clock: Clock, entropy: Entropy) -> Self:
        """Return a wallet with a fresh root."""
        return cls(entropy(32), clock=clock, entropy=entropy)

    def __repr__(self) -> str:
        """Say how much it holds, never what."""
        return f"Wallet(links={len(self.state.links)}, grants={len(self.state.grants)})"

    # Keys

    def one_time_key(self, index: int) -> Ed25519PrivateKey:
        """Return the one-time key of an index."""
        return _signing(mac(self._root, "salus/v1/one-time", index.to_bytes(8, "big")))

    def link_key(self, member: str, generation: int = 0) -> Ed25519PrivateKey:
        """Return the pairwise key for a member; a re-key under the same root takes the next generation."""
        return _signing(mac(self._root, "salus/v1/link-key", member.encode("ascii"), generation.to_bytes(8, "big")))

    def certificate(self, member: str, generation: int = 0) -> bytes:
        """Return the revocation certificate of the link key for a member, 32 bytes; the member keeps its digest."""
        return mac(self._root, "salus/v1/link-certificate", member.encode("ascii"), generation.to_bytes(8, "big"))

    def tied(self, member: str) -> Tied:
        """Return the link with a member. Raises UnknownLink."""
        for one in self.state.links:
            if one.member == member:
                return one
        raise UnknownLink("the wallet has no link with this member")

    # Links

    def join(self, transcript: Transcript, secret: bytes, generation: int = 0) -> None:
        """Take up a link whose welcome was checked (`enrolment.open_welcome`); it replaces an earlier one."""
        new = Tied(transcript.member, transcript.link, secret, generation, 0, 0, b"")
        others = tuple(one for one in self.state.links if one.member != transcript.member)
        self.state = structs.replace(self.state, links=(*others, new))

    def check_records(self, member: str, shown: Sequence[Link]) -> None:
        """Follow the member's chain from where it was last followed. Raises SealBroken naming the record."""
        tied = self.tied(member)
        sequence, head = check_chain(tied.link, (tied.sequence, tied.head), shown)
        self._replace(structs.replace(tied, sequence=sequence, head=head))

    def instruct(self, member: str, action: str, argument: bytes = b"", *, network: bytes, above: int = 0) -> bytes:
        """Return a signed instruction with the next counter; `above` is what a refusal returned."""
        tied = self.tied(member)
        counter = max(tied.counter, above) + 1
        self._replace(structs.replace(tied, counter=counter))
        instruction = Instruction(FORMAT, network, member, tied.link, counter, action, argument)
        return sign_instruction(instruction, self.link_key(member, tied.generation))

    def heard(self, member: str, subject: bytes) -> Heard | None:
        """Return the newest journal line that a member ever told of a link or grant, or None."""
        return next((one for one in self.state.heard if (one.member, one.subject) == (member, subject)), None)

    def hear(self, member: str, subject: bytes, number: int, leaf: bytes) -> None:
        """Remember the newest journal line that a member tells of a link or grant."""
        new = State(FORMAT, (), (), 0, (Heard(member, subject, number, leaf),))
        self.state = merge(self.state, new)

    # Grants

    def grant(
        self, document: Document, shares: Iterable[Share], *, demographics: bytes = b""
    ) -> tuple[Grant, bytes, Ed25519PrivateKey]:
        """Return a grant for its grantee, its commitment and the one-time key that authors it on the ledger.

        If the wallet has a link with the grantee, the grant names it, so that the grantee knows whose records come;
        else `demographics` is what the patient chose to say. Raises UnknownLink, GrantRefused.
        """
        shares = tuple(shares)
        index = self.state.next_index
        key = self.one_time_key(index)
        told = encode(document)
        name = grants.grant_id(key.public_key().public_bytes_raw())
        signed = []
        for share in shares:
            tied = self.tied(share.member)
            slip = Slip(
                format=grants.FORMAT,
                network=document.network,
                custodian=share.member,
                link=tied.link,
                grant=name,
                document=grants.digest_of_document(told),
                classes=share.classes,
                since=share.since,
                until=share.until,
                filters=share.filters,
            )
            signed.append((share.member, grants.sign_slip(slip, self.link_key(share.member, tied.generation))))
        own = [one.link for one in self.state.links if one.member == document.grantee]
        made = grants.assemble(
            document,
            signed,
            random=self._entropy(grants.random_bytes(len(signed))),
            link=own[0] if own else b"",
            demographics=demographics,
        )
        self.state = structs.replace(
            self.state, grants=(*self.state.grants, Given(index, made, revoked=False)), next_index=index + 1
        )
        return made, grants.commitment_of(made.digests), key

    def keep(self, made: Grant) -> None:
        """Keep another form of the newest grant, which no ledger holds yet: one whose commitment has a part more."""
        *before, last = self.state.grants
        self.state = structs.replace(self.state, grants=(*before, structs.replace(last, grant=made)))

    def revoke(self, index: int) -> Ed25519PrivateKey:
        """Mark a grant revoked and return the key that says so on the ledger. Works for an index beyond the state."""
        self.state = structs.replace(
            self.state,
            grants=tuple(
                structs.replace(one, revoked=True) if one.index == index else one for one in self.state.grants
            ),
            next_index=max(self.state.next_index, index + 1),
        )
        return self.one_time_key(index)

    def index_of(self, grant: bytes) -> int:
        """Return the index of a grant id known to the state. Raises UnknownRecord."""
        for one in self.state.grants:
            if grants.grant_id(self.one_time_key(one.index).public_key().public_bytes_raw()) == grant:
                return one.index
        raise UnknownRecord("the wallet knows no such grant")

    def find_grants(self, on_ledger: Callable[[bytes], bool]) -> list[int]:
        """Return the indices of all grants that the ledger knows, also those that a stale state does not.

        `on_ledger` says whether a row with that grant id exists. The search ends after 32 unused indices in a row
        beyond the state's last.
        """
        found, index, unused = [], 0, 0
        while index < self.state.next_index or unused < GAP:
            if on_ledger(grants.grant_id(self.one_time_key(index).public_key().public_bytes_raw())):
                found.append(index)
                unused = 0
            else:
                unused += 1
            index += 1
        self.state = structs.replace(self.state, next_index=max([self.state.next_index, *(at + 1 for at in found)]))
        return found

    # The sealed state

    def locator(self, member: str) -> bytes:
        """Return where this wallet's file lies at a member."""
        return mac(self._root, "salus/v1/wallet-locator", member.encode("ascii"))

    def write_key(self, member: str) -> Ed25519PrivateKey:
        """Return the key that signs writes at a member."""
        return _signing(mac(self._root, "salus/v1/wallet-write", member.encode("ascii")))

    def seal_for(self, member: str, version: int) -> tuple[bytes, bytes]:
        """Return the file for a member as its version (the one it holds, plus 1), and the signature of the write."""
        data = encode(self.state)
        size = 4 + len(data)
        padded = len(data).to_bytes(4, "big") + data + bytes(max(FLOOR, padded_length(size)) - size)
        head = (
            bytes((FORMAT, 1))
            + self._entropy(32)
            + mac(self._root, "salus/v1/wallet-state", member.encode("ascii"), padded)
        )
        key = self._file_key(member, version, head)
        sealed = AESGCM(key).encrypt(bytes(12), padded, self._bound(member, version))
        file = head + sealed
        return file, self.write_key(member).sign(put_message(self.locator(member), version, file))

    def open_file(self, member: str, version: int, file: bytes) -> State:
        """Return the state in a member's file. Raises SealBroken."""
        head = file[:66]
        if len(head) < 66 or head[:2] != bytes((FORMAT, 1)):
            raise SealBroken("the file is no wallet of format 1")
        try:
            padded = AESGCM(self._file_key(member, version, head)).decrypt(
                bytes(12), file[66:], self._bound(member, version)
            )
            end = 4 + int.from_bytes(padded[:4], "big")
            state = decode(padded[4:end], State)
        except (InvalidTag, MalformedBytes):
            raise SealBroken("the wallet's file does not open: another root, member, version, or altered") from None
        if state.format != FORMAT:
            raise SealBroken(f"the wallet's state is of format {state.format}")
        return state

    def wrap_for(self, opener: Opener, member: str, version: int) -> tuple[bytes, bytes]:
        """Return the root wrapped for a passkey or sheet, as a member's next version, and the signature of the write."""
        return opener.seal_root(member, self._root, version, entropy=self._entropy)

    def absorb(self, other: State) -> None:
        """Merge another copy of the state: grants and links as a union, whatever is further along wins."""
        self.state = merge(self.state, other)

    def _file_key(self, member: str, version: int, head: bytes) -> bytes:
        return mac(
            self._root,
            "salus/v1/wallet-file",
            member.encode("ascii"),
            version.to_bytes(8, "big"),
            head[2:34],
            head[34:],
        )

    def _bound(self, member: str, version: int) -> bytes:
        return self.locator(member) + version.to_bytes(8, "big")

    def _replace(self, tied: Tied) -> None:
        links = tuple(tied if one.member == tied.member else one for one in self.state.links)
        self.state = structs.replace(self.state, links=links)


def merge(one: State, other: State) -> State:
    """Return the union of two states. Raises SealBroken if a member showed two chains to one wallet."""
    links = {tied.member: tied for tied in one.links}
    for tied in other.links:
        mine = links.get(tied.member)
        links[tied.member] = _further(mine, tied) if mine else tied
    given = {(each.index, encode(each.grant)): each for each in one.grants}
    for each in other.grants:
        name = (each.index, encode(each.grant))
        mine_given = given.get(name)
        given[name] = structs.replace(each, revoked=each.revoked or bool(mine_given and mine_given.revoked))
    heard: dict[tuple[str, bytes], Heard] = {}
    for line in (*one.heard, *other.heard):
        before = heard.setdefault((line.member, line.subject), line)
        heard[line.member, line.subject] = max(before, line, key=lambda each: (each.number, each.leaf))
    return State(
        FORMAT,
        tuple(links[name] for name in sorted(links)),
        tuple(given[name] for name in sorted(given)),
        max(one.next_index, other.next_index),
        tuple(heard[name] for name in sorted(heard)),
    )


def _further(mine: Tied, other: Tied) -> Tied:
    if (mine.generation, mine.link, mine.secret) != (other.generation, other.link, other.secret):
        return max(mine, other, key=lambda tied: (tied.generation, tied.link, tied.secret))
    if mine.sequence == other.sequence and mine.head != other.head:
        raise SealBroken(f"a member showed two chains that differ at record {mine.sequence}")
    further = max(mine, other, key=lambda tied: tied.sequence)
    return structs.replace(further, counter=max(mine.counter, other.counter))


def _signing(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)
