"""What trustees' words show of a dealer: its own, or a threshold's; nothing else excludes anybody."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from salus.agreements.key_words import (
    Announced,
    Complained,
    Exclusion,
    Heard,
    Opened,
    Trusteeship,
    Word,
    kind_of,
    read_word,
    speaker,
    to_sign,
)
from salus.agreements.keygen import exclusions, run_of, why
from salus.agreements.trustees import ThresholdRefused
from salus.core.encoding import encode
from salus.vault.threshold import deal

NAMES = ("one", "two", "three", "four", "five")
SIGNERS = {
    number: Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    for number, name in enumerate(NAMES, 1)
}
SUSPENDED = 9
"""Height from which on trustee three stands no more."""


def keys(member, height):
    stands = member != "three" or height < SUSPENDED
    return (SIGNERS[NAMES.index(member) + 1].public_key().public_bytes_raw(),) if stands else ()


AMONG = Trusteeship(b"study-0123456789", NAMES, 3, keys)
KEY = AMONG.id


def entropy(seed):
    return lambda size: hashlib.shake_128(bytes([seed])).digest(size)


DEALT, OTHER = deal(5, 3, entropy(1)), deal(5, 3, entropy(2))
ANNOUNCED = Announced(KEY, (), 2, DEALT.commitments)


def word(told, by=0, height=1):
    kind, body = kind_of(told), encode(told)
    return Word(kind, height, body, SIGNERS[by or speaker(told)].sign(to_sign(kind, height, body)))


def complaint(by, about=0, without=(), height=1):
    return word(Complained(KEY, without, by, 2, about or by), height=height)


def opened(share, about=1, without=()):
    return word(Opened(KEY, without, 2, about, share))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((word(ANNOUNCED), opened(OTHER.shares[1])), "opened a share of trustee 1 that does not fit"),
        ((word(ANNOUNCED), opened(bytes(32))), "opened a share"),
        ((word(ANNOUNCED), opened(b"short")), "opened a share"),
        ((word(ANNOUNCED), word(Announced(KEY, (), 2, OTHER.commitments))), "two different polynomials"),
        ((word(Announced(KEY, (), 2, DEALT.commitments[:2])),), "no polynomial"),
        ((word(Announced(KEY, (), 2, (bytes(96),) * 3)),), "no polynomial"),
        ((complaint(1), complaint(3), complaint(4)), "3 trustees complain"),
        ((complaint(1), complaint(3, height=SUSPENDED - 1), complaint(4, height=SUSPENDED)), "3 trustees complain"),
        ((complaint(1), complaint(3, about=1), complaint(5, about=2)), "3 trustees complain"),
    ],
)
def test_a_dealer_is_excluded_by_what_anybody_can_check(words, told):
    assert told in why(Exclusion(2, words), AMONG)
    said = [(each, read_word(each, AMONG)) for each in words]
    found = list(exclusions(said, run_of((told for _, told in said), ()), AMONG))
    assert [(each.dealer, set(each.words)) for each in found] == [(2, set(words))]


@pytest.mark.parametrize(
    "words",
    [
        (),
        (word(ANNOUNCED),),
        (word(ANNOUNCED), word(ANNOUNCED)),
        (word(ANNOUNCED), opened(DEALT.shares[1])),
        (opened(OTHER.shares[1]),),
        (complaint(1), complaint(3)),
        (complaint(1), complaint(1, about=3), complaint(1, about=4)),
        (complaint(1), complaint(3), complaint(2)),
        (complaint(1), complaint(3, height=SUSPENDED), complaint(4)),
        (complaint(1), structs.replace(complaint(3, height=SUSPENDED), height=1), complaint(4)),
        (complaint(1), structs.replace(complaint(3), height=-1), complaint(4)),
        (complaint(1), structs.replace(complaint(3), height=1 << 64), complaint(4)),
        (complaint(1), complaint(3), complaint(4, without=(5,))),
        (complaint(1), complaint(3), word(Complained(KEY, (), 4, 2, 4), by=1)),
        (complaint(1), complaint(3), word(Complained(bytes(32), (), 4, 2, 4))),
        (complaint(1, without=(2,)), complaint(3, without=(2,)), complaint(4, without=(2,))),
        (word(ANNOUNCED), word(Announced(KEY, (), 2, OTHER.commitments), by=3)),
        (word(ANNOUNCED), word(Announced(KEY, (4,), 2, OTHER.commitments))),
        (complaint(1), complaint(3), Word("nothing", 1, b"", bytes(64))),
        (complaint(1), complaint(3), Word("heard", 1, complaint(4).body, complaint(4).signature)),
        (word(Heard(KEY, (), 2, bytes(32))), word(Heard(KEY, (), 2, bytes(31) + b"\1"))),
    ],
)
def test_attack_nobody_is_excluded_by_less(words):
    with pytest.raises(ThresholdRefused):
        why(Exclusion(2, words), AMONG)
    for dealer in (0, 1, 6):
        with pytest.raises(ThresholdRefused):
            why(Exclusion(dealer, words), AMONG)


def test_a_dealer_owes_an_answer_only_to_who_complains_about_the_own_share():
    """Else one trustee could have every share of a dealer opened, and with them the dealer's secret."""
    words = [Complained(KEY, (), 1, 2, about) for about in (1, 3, 4, 5, 2, 99)]
    assert run_of(words, ()).owed(2) == [1]
    assert run_of([*words, Complained(KEY, (), 3, 2, 3)], ()).owed(2) == [1, 3]
    assert run_of(words, ()).owed(3) == []
    run = run_of([ANNOUNCED, Opened(KEY, (), 2, 1, OTHER.shares[1])], ())
    assert not run.answered(2, 1)
    assert run_of([ANNOUNCED, Opened(KEY, (), 2, 1, DEALT.shares[1])], ()).answered(2, 1)
