"""A threshold key among three trustees of whom one deals badly, not at all, or complains of nothing: one command of each."""

from collections.abc import Callable, Iterator

import msgspec
import pytest

from salus.agreements.key_words import (
    Announced,
    Complained,
    Exclusion,
    Heard,
    Opened,
    Statement,
    Word,
    key_id,
    kind_of,
    to_sign,
)
from salus.core.encoding import encode
from salus.node.demo.trial_scene import FOUNDERS, Scene, opened
from salus.node.errors import EdgeError, Forbidden, Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.network.governing import (
    CastVote,
    Proposed,
    ProposeReinstate,
    ProposeSuspend,
    propose_reinstate,
    propose_suspend,
    vote,
)
from salus.node.trials import deal_shares, show_key
from salus.node.trials.dealing import keep_word, place_of
from salus.node.trials.drawing import trustee_key
from salus.node.trials.founding import DealShares, SharesDealt, ShowKey, make_keys
from salus.node.trials.kept import Dealing, KeyWords, OwnDealing, keep, kept
from salus.vault.threshold import deal
from tests.node.trials.test_members import taken

NAMES = ("authority", "ethics", "statistics")
BAD = 2
"""Of the one who does wrong: ethics."""


@pytest.fixture(scope="module")
def among(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with opened(tmp_path_factory.mktemp("key"), tuple(one for one in FOUNDERS if one.id in NAMES)) as scene:
        yield scene


@pytest.fixture
def scene(among: Scene) -> Scene:
    """The members once more, about a study of its own."""
    return Scene(among.together, among.together.owner.entropy(16))


def say_deal(scene: Scene, name: str) -> SharesDealt:
    return deal_shares(scene.node(name), DealShares(study=scene.id, trustees=NAMES, threshold=2))


def ticked(scene: Scene, *, without: str = "", times: int = 3) -> None:
    """Let running nodes go on, as their tickers do."""
    for name in NAMES * times:
        if name != without:
            make_keys(scene.node(name))


def keys(scene: Scene, names: tuple[str, ...] = NAMES) -> set[str]:
    return {show_key(scene.node(name), ShowKey(study=scene.id)).key for name in names}


def dealers(scene: Scene, name: str = "authority") -> list[int]:
    return [value.dealer for _, value in kept(scene.node(name), Dealing, scene.study)]


def test_each_deals_once_and_all_hold_one_key(scene: Scene) -> None:
    told = [say_deal(scene, name) for name in NAMES]
    assert not any(each.done for each in told)
    with pytest.raises(NotFound, match=r"trials\.dealings"):
        trustee_key(scene.node("statistics"), scene.study)
    ticked(scene, times=2)
    last = say_deal(scene, "ethics")
    assert (last.done, last.arrived, last.excluded, last.complaints, last.waiting) == (True, 3, (), (), ())
    assert len(keys(scene)) == 1
    secrets = {trustee_key(scene.node(name), scene.study)[0].secret for name in NAMES}
    assert len(secrets) == 3


def badly_dealt(scene: Scene, change: dict[int, bytes]) -> None:
    """Let the bad one's node send other shares than those of its polynomial."""
    node = scene.node(NAMES[BAD - 1])
    dealt = deal(3, 2, node.entropy)
    shares = tuple(change.get(number, dealt.shares[number]) for number in range(1, 4))
    keep(node, place_of(key_id(scene.study, NAMES, 2), ()), OwnDealing(dealt.commitments, shares, node.now()))


def test_attack_a_dealer_with_a_bad_share_is_complained_of_opens_it_and_is_left_out(scene: Scene) -> None:
    badly_dealt(scene, {3: b"\1" * 32})
    for name in NAMES:
        say_deal(scene, name)
    ticked(scene)
    for name in NAMES:
        told = say_deal(scene, name)
        assert told.done
        assert told.excluded == ("ethics: opened a share of trustee 3 that does not fit its commitments",)
    assert len(keys(scene)) == 1
    assert [dealers(scene, name) for name in NAMES] == [[1, 3]] * 3
    assert msgspec.json.decode(keys(scene).pop())["trustees"] == list(NAMES)


def test_attack_a_dealer_that_is_silent_is_left_out_after_a_while(scene: Scene) -> None:
    rest = tuple(name for name in NAMES if name != "ethics")
    for name in rest:
        say_deal(scene, name)
    ticked(scene, without="ethics")
    assert say_deal(scene, "authority").waiting == ("ethics",)
    assert not say_deal(scene, "authority").excluded
    scene.together.clock.advance(61 * 60_000)
    ticked(scene, without="ethics")
    told = say_deal(scene, "statistics")
    assert told.done
    assert told.excluded[0].startswith("ethics: ")
    assert "trustees complain of it" in told.excluded[0]
    assert len(keys(scene, rest)) == 1
    ticked(scene, times=1)
    late = say_deal(scene, "ethics")  # a trustee still, whose share waited for it
    assert (late.done, late.arrived) == (True, 2)
    assert len(keys(scene)) == 1


def test_attack_a_dealer_that_never_confirms_is_left_out(scene: Scene) -> None:
    """It dealt well, and then its node ended: the others do not wait for its word for ever."""
    for name in NAMES:
        say_deal(scene, name)
    ticked(scene, without="ethics")
    assert say_deal(scene, "authority").waiting == ("ethics",)
    scene.together.clock.advance(61 * 60_000)
    ticked(scene, without="ethics")
    told = say_deal(scene, "authority")
    assert told.done
    assert len(told.excluded) == 1


def test_attack_a_dealer_confirms_only_what_nobody_announced(scene: Scene) -> None:
    for name in NAMES:
        say_deal(scene, name)
    ticked(scene, without="ethics")
    told = KeyWords(scene.study, NAMES, 2, (), (said(scene, BAD, Heard(words_id(scene), (), BAD, bytes(32))),), b"")
    for name in ("authority", "statistics"):
        taken(scene, "ethics", name, "key-words", told)
    ticked(scene, without="ethics")
    assert say_deal(scene, "authority").waiting == ("ethics",)
    scene.together.clock.advance(61 * 60_000)
    ticked(scene, without="ethics")
    made = say_deal(scene, "authority")
    assert (made.done, len(made.excluded)) == (True, 1)
    assert len(keys(scene, ("authority", "statistics"))) == 1


def test_attack_a_dealer_confirms_to_one_besides_what_nobody_announced(scene: Scene) -> None:
    """The other has the key, and does not complain: what all confirm is found among what it says to the one."""
    wrong = tuple(said(scene, BAD, Heard(words_id(scene), (), BAD, bytes([at]) * 32)) for at in range(4))
    taken(scene, "ethics", "authority", "key-words", KeyWords(scene.study, NAMES, 2, (), wrong, b""))
    assert rows(scene.node("authority"), words_id(scene)) == 2
    for name in NAMES:
        say_deal(scene, name)
    ticked(scene)
    assert say_deal(scene, "authority").done
    assert len(keys(scene)) == 1


@pytest.fixture
def suspended(among: Scene) -> Iterator[None]:
    """Ethics is suspended by the others, for one test."""
    decided(among, lambda node: propose_suspend(node, ProposeSuspend(member="ethics")))
    yield
    decided(among, lambda node: propose_reinstate(node, ProposeReinstate(member="ethics")))


def decided(among: Scene, propose: Callable[[MemberNode], Proposed]) -> None:
    asked = propose(among.node("authority"))
    among.together.settle()
    told = vote(among.node("statistics"), CastVote(proposal=asked.proposal, approve=True))
    assert told.status == "passed"
    among.together.settle()


def test_a_trustee_that_is_suspended_keeps_nobody_waiting(scene: Scene, request: pytest.FixtureRequest) -> None:
    rest = ("authority", "statistics")
    for name in rest:
        say_deal(scene, name)
    request.getfixturevalue("suspended")
    scene.together.clock.advance(61 * 60_000)
    ticked(scene, without="ethics")
    assert say_deal(scene, "statistics").done
    assert dealers(scene) == dealers(scene, "statistics") == [1, 3]
    assert len(keys(scene, rest)) == 1


def test_what_a_trustee_said_before_it_was_suspended_stays_said(scene: Scene, request: pytest.FixtureRequest) -> None:
    """A dealer that two complained of is left out by who learns of it after one of the two is suspended, and by it alone nobody."""
    id_ = words_id(scene)
    for name in NAMES:
        say_deal(scene, name)
    words = tuple(said(scene, by, Complained(id_, (), by, 1, by)) for by in (2, 3))
    request.getfixturevalue("suspended")
    proof = KeyWords(scene.study, NAMES, 2, (Exclusion(1, words),), (), b"")
    late = said(scene, BAD, Complained(id_, (), BAD, 3, BAD))
    with pytest.raises(Malformed, match="not signed by its trustee"):
        taken(scene, "statistics", "authority", "key-words", KeyWords(scene.study, NAMES, 2, (), (late,), b""))
    taken(scene, "statistics", "authority", "key-words", proof)
    assert say_deal(scene, "authority").excluded == ("authority: 2 trustees complain of it",)


def words_id(scene: Scene) -> bytes:
    return key_id(scene.study, NAMES, 2)


def test_attack_a_trustee_that_says_no_end_of_words_stops_nobody(scene: Scene) -> None:
    id_ = key_id(scene.study, NAMES, 2)
    much = [Heard(id_, (), BAD, bytes([at]) * 32) for at in range(40)]
    much += [Opened(id_, (), BAD, about, bytes([about]) * 32) for about in range(90, 130)]
    much += [Complained(id_, (), BAD, 1, about) for about in range(90, 130)]
    words = tuple(said(scene, BAD, each) for each in much)
    taken(scene, "ethics", "statistics", "key-words", KeyWords(scene.study, NAMES, 2, (), words, b""))
    assert rows(scene.node("statistics"), id_) == 2
    long = said(scene, BAD, Announced(id_, (), BAD, (bytes(96),) * 1000))
    with pytest.raises(Malformed, match="too long"):
        taken(scene, "ethics", "statistics", "key-words", KeyWords(scene.study, NAMES, 2, (), (long,), b""))
    for name in NAMES:
        say_deal(scene, name)
    ticked(scene)
    scene.together.clock.advance(61 * 60_000)
    ticked(scene, without="ethics")
    assert say_deal(scene, "statistics").done


def said(scene: Scene, number: int, told: Statement) -> Word:
    kind, body, node = kind_of(told), encode(told), scene.node(NAMES[number - 1])
    height = node.ledger.head().height
    return Word(kind, height, body, node.signing_key.sign(to_sign(kind, height, body)))


def plant(scene: Scene, number: int, told: Statement) -> None:
    """Let a trustee's node say something that its own rules would not."""
    from salus.node.trials.dealing import among_of  # noqa: PLC0415

    node = scene.node(NAMES[number - 1])
    keep_word(node, among_of(node, scene.study, NAMES, 2), said(scene, number, told))


def test_attack_a_false_complaint_is_answered_and_its_author_named(scene: Scene) -> None:
    id_ = key_id(scene.study, NAMES, 2)
    say_deal(scene, "authority")
    for dealer, about in ((1, BAD), (1, 3), (1, 99), (3, 3)):
        plant(scene, BAD, Complained(id_, (), BAD, dealer, about))
    for name in NAMES:
        say_deal(scene, name)
    ticked(scene)
    told = say_deal(scene, "statistics")
    assert (told.done, told.excluded) == (True, ())
    assert "ethics of authority: answered by a share that fits" in told.complaints
    assert dealers(scene) == [1, 2, 3]
    assert len(keys(scene)) == 1
    opened_ = [each for _, each in scene.node("authority").desk.trials("key-word", id_) if b"opened" in each]
    assert len(opened_) == 1  # one share, of who complained: no other can be had so


def test_attack_a_dealer_that_tells_two_stories_is_left_out(scene: Scene) -> None:
    id_ = key_id(scene.study, NAMES, 2)
    other = deal(3, 2, scene.node("ethics").entropy)
    word = said(scene, BAD, Announced(id_, (), BAD, other.commitments))
    taken(scene, "ethics", "statistics", "key-words", KeyWords(scene.study, NAMES, 2, (), (word,), other.shares[3]))
    for name in NAMES:
        say_deal(scene, name)
    ticked(scene)
    told = say_deal(scene, "authority")
    assert (told.done, told.excluded) == (True, ("ethics: announced two different polynomials",))
    assert len(keys(scene)) == 1


def test_attack_a_dealer_tells_another_story_when_the_key_is_there(scene: Scene) -> None:
    """Before the study stands on the ledger, all make the key anew without that dealer."""
    for name in NAMES:
        say_deal(scene, name)
    ticked(scene, times=2)
    before = keys(scene)
    other = deal(3, 2, scene.node("ethics").entropy)
    word = said(scene, BAD, Announced(key_id(scene.study, NAMES, 2), (), BAD, other.commitments))
    taken(scene, "ethics", "statistics", "key-words", KeyWords(scene.study, NAMES, 2, (), (word,), b""))
    ticked(scene)
    after = keys(scene)
    assert len(before) == len(after) == 1
    assert before != after
    assert [dealers(scene, name) for name in NAMES] == [[1, 3]] * 3


def test_attack_words_of_who_makes_no_key_or_signed_by_another(scene: Scene) -> None:
    id_ = key_id(scene.study, NAMES, 2)
    forged = said(scene, BAD, Complained(id_, (), 3, 1, 3))
    node = scene.node("authority")
    before = rows(node)
    for sender, words, names, error in (
        ("ethics", (forged,), NAMES, Malformed),
        ("ethics", (), ("authority", "statistics"), Forbidden),
        ("ethics", (), ("authority", "ethics", "ethics"), Forbidden),
    ):
        with pytest.raises(error):
            taken(scene, sender, "authority", "key-words", KeyWords(scene.study, names, 2, (), words, b""))
    assert rows(node) == before
    for request in (
        DealShares(study=scene.id, trustees=NAMES[1:], threshold=2),
        DealShares(study=scene.id, trustees=NAMES, threshold=4),
        DealShares(study=scene.id, trustees=(*NAMES, "nobody"), threshold=2),
    ):
        with pytest.raises(EdgeError):
            deal_shares(node, request)


def rows(node: MemberNode, prefix: bytes = b"") -> int:
    return sum(len(node.desk.trials(kind, prefix)) for kind in ("key-word", "share", "dealer-excluded"))
