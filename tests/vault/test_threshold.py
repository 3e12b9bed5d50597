"""Threshold signatures: the published vectors, any quorum alike, too few nothing, and every bad partial named."""

import hashlib
import itertools
import json

import pytest

pytest.importorskip("py_arkworks_bls12381")

from py_arkworks_bls12381 import G1Point, Scalar

from salus.agreements.threshold import combine, hash_to_g1, signature_point, verify, verify_all
from salus.agreements.trustees import ORDER, ThresholdRefused, message
from salus.vault.threshold import accept, check_share, deal, sign
from tests.needs import shared

MESSAGE = message("draw", b"trial", b"1")


def entropy_of(seed):
    counter = itertools.count()
    return lambda size: hashlib.shake_256(f"{seed} {next(counter)}".encode()).digest(size)


def keys_of(trustees, threshold):
    dealings = {number: deal(trustees, threshold, entropy_of(number)) for number in range(1, trustees + 1)}
    return [
        accept(
            number,
            trustees,
            threshold,
            {dealer: (each.commitments, each.shares[number]) for dealer, each in dealings.items()},
        )
        for number in range(1, trustees + 1)
    ]


KEYS = keys_of(5, 3)
PUBLICS = KEYS[0].publics


def partials(*numbers, of=MESSAGE):
    return {number: sign(KEYS[number - 1], of) for number in numbers}


def test_hashing_to_the_curve_gives_the_vectors_of_rfc_9380():
    document = json.loads(shared("data/trials/curve/rfc9380-BLS12381G1_XMD_SHA-256_SSWU_RO.json").read_text())
    for vector in document["vectors"]:
        point = hash_to_g1(vector["msg"].encode(), document["dst"].encode())
        assert point.to_xy_bytes_be().hex() == vector["P"]["x"][2:] + vector["P"]["y"][2:]


def test_rounds_of_a_public_beacon_verify():
    chain = json.loads(shared("data/trials/curve/drand-quicknet.json").read_text())
    key, suite = bytes.fromhex(chain["public_key_g2"]), chain["dst"].encode()
    for number, signature in chain["rounds"].items():
        data = hashlib.sha256(int(number).to_bytes(8, "big")).digest()
        verify(key, data, bytes.fromhex(signature), suite=suite)
        with pytest.raises(ThresholdRefused):
            verify(key, data + b"x", bytes.fromhex(signature), suite=suite)


def test_any_three_of_five_give_the_same_signature():
    found = {combine(MESSAGE, partials(*some), PUBLICS, 3) for some in itertools.combinations(range(1, 6), 3)}
    assert len(found) == 1
    verify(KEYS[0].group, MESSAGE, found.pop())


def test_many_signatures_are_checked_at_once():
    signed = [(of, sign(KEYS[0], of)) for of in (message("draw", b"trial", bytes((number,))) for number in range(4))]
    verify_all(PUBLICS[1], signed)
    verify_all(PUBLICS[1], [])
    (first, one), (second, other), *rest = signed
    moved = G1Point()
    shifted = [
        (signature_point(one) + moved).to_compressed_bytes(),
        (signature_point(other) - moved).to_compressed_bytes(),
    ]
    for wrong in (
        [(first, other), (second, one), *rest],  # whose sum is the same
        [(first, shifted[0]), (second, shifted[1]), *rest],
        [(first, one), (second, sign(KEYS[1], second)), *rest],
        [(first, one), (second + b"x", other), *rest],
        [(first, one), (second, G1Point.identity().to_compressed_bytes()), *rest],
        [(first, one), (second, b"\xff" * 48), *rest],
    ):
        with pytest.raises(ThresholdRefused):
            verify_all(PUBLICS[1], wrong)
    with pytest.raises(ThresholdRefused):
        verify_all(PUBLICS[2], signed)


def test_two_of_five_give_nothing():
    with pytest.raises(ThresholdRefused):
        combine(MESSAGE, partials(1, 2), PUBLICS, 3)
    whole = combine(MESSAGE, partials(1, 2, 3), PUBLICS, 3)
    assert combine(MESSAGE, partials(1, 2), PUBLICS, 2) != whole


def test_all_trustees_see_one_group():
    assert len({(key.group, tuple(sorted(key.publics.items()))) for key in KEYS}) == 1


def test_one_of_one_is_the_same_scheme():
    (key,) = keys_of(1, 1)
    signature = combine(MESSAGE, {1: sign(key, MESSAGE)}, key.publics, 1)
    verify(key.group, MESSAGE, signature)


@pytest.mark.parametrize(
    "bad",
    [
        sign(KEYS[1], message("seal", b"trial", b"1")),
        sign(KEYS[2], MESSAGE),
        G1Point.identity().to_compressed_bytes(),
        (G1Point() * Scalar(5)).to_compressed_bytes(),
        b"",
        bytes(48),
        b"\xff" * 48,
        bytes(47) + b"\x80",
    ],
    ids=["other purpose", "other trustee", "identity", "other point", "empty", "zeros", "ones", "short"],
)
def test_attack_a_bad_partial_is_refused_and_its_trustee_named(bad):
    with pytest.raises(ThresholdRefused) as refusal:
        combine(MESSAGE, partials(1, 3) | {2: bad}, PUBLICS, 3)
    assert refusal.value.trustee == 2


def test_attack_a_point_outside_the_subgroup():
    for x in range(1, 200):
        data = bytes([0x80]) + x.to_bytes(47, "big")
        try:
            point = G1Point.from_compressed_bytes_unchecked(data)
        except ValueError:
            continue
        if not point.is_in_subgroup():
            with pytest.raises(ThresholdRefused):
                signature_point(data)
            return
    raise AssertionError("no point outside the subgroup was tried")


def test_attack_the_identity_as_key_and_signature():
    nothing = G1Point.identity().to_compressed_bytes()
    with pytest.raises(ThresholdRefused):
        signature_point(nothing)
    with pytest.raises(ThresholdRefused):
        verify(b"\xc0" + bytes(95), MESSAGE, nothing)


def test_attack_a_stranger_signs():
    with pytest.raises(ThresholdRefused) as refusal:
        combine(MESSAGE, partials(1, 2) | {6: sign(KEYS[0], MESSAGE)}, PUBLICS, 3)
    assert refusal.value.trustee == 6


def test_attack_a_dealer_sends_a_bad_share():
    dealings = {number: deal(5, 3, entropy_of(number)) for number in range(1, 6)}
    wrong = ((int.from_bytes(dealings[4].shares[2], "big") + 1) % ORDER).to_bytes(32, "big")
    dealt = {dealer: (each.commitments, each.shares[2]) for dealer, each in dealings.items()}
    with pytest.raises(ThresholdRefused) as refusal:
        accept(2, 5, 3, dealt | {4: (dealings[4].commitments, wrong)})
    assert refusal.value.trustee == 4
    with pytest.raises(ThresholdRefused) as refusal:
        accept(2, 5, 3, dealt | {3: (dealings[3].commitments[:2], dealings[3].shares[2])})
    assert refusal.value.trustee == 3
    for share in (b"", bytes(32), ORDER.to_bytes(32, "big")):
        with pytest.raises(ThresholdRefused):
            check_share(dealings[1].commitments, 2, share, 1)


def test_attack_a_dealer_commits_to_no_point():
    with pytest.raises(ThresholdRefused):
        check_share((bytes(96),) * 3, 1, deal(5, 3, entropy_of(1)).shares[1], 1)


@pytest.mark.parametrize(("trustees", "threshold"), [(5, 0), (3, 4), (65, 3), (0, 0)])
def test_numbers_that_make_no_threshold(trustees, threshold):
    with pytest.raises(ThresholdRefused):
        deal(trustees, threshold, entropy_of(1))


def test_secrets_do_not_show():
    assert KEYS[0].secret.hex() not in repr(KEYS[0])
    assert "secret" not in repr(KEYS[0])
