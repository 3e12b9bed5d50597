"""What trustees say while they make a threshold key, as signed words: all of it but the curve (`salus.agreements.keygen`).

key's id     digest("salus/v1/trial-key", study, u16 threshold, member ids of the trustees, first to last)
run          a key's id, and the dealers it is without
announced    a dealer's commitments, the same for all; each trustee gets its share beside them, sealed
complained   a trustee has no share that fits, or knows of a complaint that was not answered, or of a dealer that confirms nothing
opened       the dealer shows a share that was complained of: whoever was wrong, all see it now
heard        a trustee holds fitting shares under these announcements
signature    Ed25519(member's key, framed("salus/v1/trial-key-word", kind, u64 height, body))

A word counts if its member stood, and had that key, in the block of the height that it names, whatever became of the member since. A
member that was suspended can name an older height: it has no more of it than it had as a trustee that deals badly.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from salus.agreements.trustees import ThresholdRefused
from salus.core.encoding import MalformedBytes, Value, decode
from salus.core.proof import ed25519
from salus.core.proof.digest import digest, framed

MOST_BYTES: Final = 8192
"""Of a word's body: the commitments of 64 trustees have 6,300."""


class Announced(Value, frozen=True):
    """A dealer's commitments."""

    key: bytes
    without: tuple[int, ...]
    """Numbers of the dealers that the run is without, rising."""
    dealer: int
    commitments: tuple[bytes, ...]


class Complained(Value, frozen=True):
    """A trustee's complaint of a dealer."""

    key: bytes
    without: tuple[int, ...]
    by: int
    dealer: int
    about: int
    """Whose share it is about: the own, or another's that was complained of and not opened; the dealer's number: no word of it."""


class Opened(Value, frozen=True):
    """A share that was complained of, shown to all by its dealer."""

    key: bytes
    without: tuple[int, ...]
    dealer: int
    about: int
    share: bytes


class Heard(Value, frozen=True):
    """That a trustee holds fitting shares of all dealers of the run."""

    key: bytes
    without: tuple[int, ...]
    by: int
    digest: bytes
    """Over the announcements, by rising number of dealer."""


Statement = Announced | Complained | Opened | Heard
KINDS: Final[Mapping[str, type[Statement]]] = {
    "announced": Announced,
    "complained": Complained,
    "opened": Opened,
    "heard": Heard,
}


class Word(Value, frozen=True):
    """What a trustee said, signed."""

    kind: str
    height: int
    """Of the newest block that its trustee knew."""
    body: bytes
    signature: bytes


class Exclusion(Value, frozen=True):
    """What shows that a dealer is to be left out."""

    dealer: int
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Trusteeship:
    """Who makes a key."""

    study: bytes
    members: tuple[str, ...]
    """Trustee 1 first."""
    threshold: int
    keys: Callable[[str, int], Sequence[bytes]]
    """Returns the keys with which a member signed at a height; none if it did not stand."""

    @property
    def id(self) -> bytes:
        """The key's id."""
        return key_id(self.study, self.members, self.threshold)


def key_id(study: bytes, members: Sequence[str], threshold: int) -> bytes:
    """Return the id of a key among trustees."""
    names = (name.encode("ascii") for name in members)
    return digest("salus/v1/trial-key", study, threshold.to_bytes(2, "big"), *names)


def to_sign(kind: str, height: int, body: bytes) -> bytes:
    """Return what a member's key signs of a word."""
    return framed("salus/v1/trial-key-word", (kind.encode("ascii"), height.to_bytes(8, "big"), body))


def kind_of(statement: Statement) -> str:
    """Return the kind of a statement."""
    return next(kind for kind, type_ in KINDS.items() if isinstance(statement, type_))


def speaker(statement: Statement) -> int:
    """Return the number of who says it."""
    return statement.dealer if isinstance(statement, Announced | Opened) else statement.by


def subject(statement: Statement) -> tuple[int, ...]:
    """Return the trustees that a statement names, who says it first: an honest one says each kind once about the same."""
    match statement:
        case Complained(by=by, dealer=dealer, about=about):
            return by, dealer, about
        case Opened(dealer=dealer, about=about):
            return dealer, about
    return (speaker(statement),)


def read_word(word: Word, among: Trusteeship) -> Statement:
    """Return what a trustee said of this key. Raises ThresholdRefused for what does not decode, or is signed by none of them."""
    if len(word.body) > MOST_BYTES:
        raise ThresholdRefused("the word is too long")
    if not 0 <= word.height < 1 << 63:
        raise ThresholdRefused("the word is of no block")
    type_ = KINDS.get(word.kind)
    try:
        told = None if type_ is None else decode(word.body, type_)
    except MalformedBytes:
        told = None
    if told is None or told.key != among.id:
        raise ThresholdRefused("not a word about this key")
    number = speaker(told)
    keys = among.keys(among.members[number - 1], word.height) if 1 <= number <= len(among.members) else ()
    signed = to_sign(word.kind, word.height, word.body)
    if not any(ed25519.verify(key, signed, word.signature) for key in keys):
        raise ThresholdRefused("the word is not signed by its trustee", number)
    return told
