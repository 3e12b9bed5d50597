"""Draws keep their bounds, follow from nothing but their signatures, and an altered one is named."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.agreements.trials.draws import (
    BigStick,
    Blocks,
    DrawRefused,
    Simple,
    check_scheme,
    draw_message,
    next_arm,
    number,
    replay,
    seal_message,
)

BLOCKS = Blocks((1, 1), (4, 6, 8), bytes(range(32)))
SCHEMES = [Simple((1, 1)), Simple((2, 1)), BLOCKS, Blocks((2, 1, 1), (4, 8), bytes(32)), BigStick(3)]


def arms_of(scheme, signatures, stratum=b"s"):
    arms = []
    for signature in signatures:
        arms.append(next_arm(scheme, stratum, arms, number(signature)))
    return arms


def signatures_of(seed, count):
    source = random.Random(seed)
    return [source.randbytes(48) for _ in range(count)]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_record_of_draws_replays(scheme):
    check_scheme(scheme)
    draws = {b"a": signatures_of(1, 60), b"b": signatures_of(2, 61)}
    assert replay(scheme, draws, {name: arms_of(scheme, each, name) for name, each in draws.items()}) == ()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_attack_one_altered_allocation_is_named(scheme):
    draws = {b"a": signatures_of(1, 60)}
    arms = arms_of(scheme, draws[b"a"], b"a")
    arms[31] = 1 - min(arms[31], 1)
    assert replay(scheme, draws, {b"a": arms}) == ((b"a", 31),)


def test_attack_a_redrawn_allocation_or_a_left_out_one():
    draws = {b"a": signatures_of(1, 200)}
    arms = {b"a": arms_of(BLOCKS, draws[b"a"], b"a")}
    other = next(each for each in signatures_of(9, 50) if arms_of(BLOCKS, [each], b"a") != arms[b"a"][:1])
    assert (b"a", 0) in replay(BLOCKS, {b"a": [other, *draws[b"a"][1:]]}, arms)
    with pytest.raises(DrawRefused):
        replay(BLOCKS, {b"a": draws[b"a"][1:]}, arms)
    with pytest.raises(DrawRefused):
        replay(BLOCKS, draws, {b"b": arms[b"a"]})


@given(st.lists(st.binary(min_size=48, max_size=48), min_size=1, max_size=100))
def test_every_full_block_has_the_ratio(signatures):
    scheme = Blocks((2, 1), (6,), bytes(32))
    arms = arms_of(scheme, signatures)
    for start in range(0, len(arms) - 5, 6):
        assert sorted(arms[start : start + 6]) == [0, 0, 0, 0, 1, 1]


@given(st.lists(st.binary(min_size=48, max_size=48), min_size=1, max_size=100))
def test_a_big_stick_keeps_its_bound(signatures):
    ahead = 0
    for arm in arms_of(BigStick(3), signatures):
        ahead += 1 - 2 * arm
        assert abs(ahead) <= 3


@pytest.mark.parametrize(
    "scheme",
    [Simple((1,)), Simple((1, 0)), Blocks((1, 1), (3,), bytes(32)), Blocks((1, 1), (), bytes(32)),
     Blocks((1, 1), (4,), b""), BigStick(0)],
)  # fmt: skip
def test_a_scheme_that_is_none(scheme):
    with pytest.raises(DrawRefused):
        check_scheme(scheme)


def test_a_draw_and_its_seal_are_different_messages():
    fields = (b"t", b"p", b"s", 3, b"e")
    assert draw_message(*fields) != seal_message(*fields)
    assert draw_message(*fields) != draw_message(b"t", b"p", b"s", 4, b"e")
