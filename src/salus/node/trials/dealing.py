"""A trial's threshold key among its trustees: dealt, complained of, opened, repeated without who dealt badly.

Whatever order words arrive in, each trustee works from all that it has: it adopts what excludes a dealer, deals in the run
without the excluded, complains of what does not fit at once and of what is missing after a while, answers complaints, says when
everything fits, and tells the others. A running node goes on by itself (`salus.node.ticking`); else the command is repeated. The key is
there when every dealer of the run holds fitting shares under the same announcements.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from salus.agreements.key_words import (
    KINDS,
    Announced,
    Complained,
    Exclusion,
    Heard,
    Opened,
    Statement,
    Trusteeship,
    Word,
    key_id,
    kind_of,
    read_word,
    subject,
    to_sign,
)
from salus.agreements.keygen import Run, exclusions, run_of, why
from salus.agreements.trustees import ThresholdRefused
from salus.contracts.trials import port
from salus.core.encoding import Value, decode, encode
from salus.core.proof.digest import digest
from salus.engines.errors import NotKept
from salus.node.errors import Forbidden, Malformed
from salus.node.member import MemberNode
from salus.node.trials.exchange import send
from salus.node.trials.kept import (
    DealerExcluded,
    Dealing,
    KeyAsked,
    KeyWord,
    KeyWords,
    OwnDealing,
    ReceivedShare,
    ToldWords,
    keep,
    kept,
    replace_all,
)
from salus.vault.threshold import deal

HEARD: Final = kind_of(Heard(b"", (), 0, b""))
SAME: Final = 2
"""Words of one trustee about the same that are kept: two already show that it says different things, and more would fill the run."""
MOST: Final = 64  # trustees: a run is kept under one bit each


@dataclass
class Standing:
    """How far a key has come at one trustee."""

    done: bool = False
    dealt: int = 0
    """Dealers whose shares are here and fit."""
    excluded: list[str] = field(default_factory=list)
    """Dealers that the run is without, and why."""
    complaints: list[str] = field(default_factory=list)
    """Who complained of whom in this run, and what came of it."""
    waiting: list[str] = field(default_factory=list)
    """Trustees that nothing, or too little, was heard of."""


def among_of(node: MemberNode, study: bytes, members: tuple[str, ...], threshold: int) -> Trusteeship:
    """Return who makes a key, with the keys that members sign with."""
    return Trusteeship(study, members, threshold, lambda member, height: signed_with(node, member, height))


def signed_with(node: MemberNode, member: str, height: int) -> Sequence[bytes]:
    """Return the keys with which a member signed at a height: what it said while it stood, it said. Of a block that is not here, now."""
    try:
        return node.signing_keys(member, min(height, node.ledger.head().height))
    except NotKept:
        return node.signing_keys(member)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the newest run of a key."""

    run: Run
    words: list[tuple[Word, Statement]]
    arrived: dict[Word, int]
    """When each word came here, ms."""
    excluded: dict[int, DealerExcluded]


def newest(node: MemberNode, among: Trusteeship) -> Known:
    """Return what is known of the newest run, having adopted every exclusion that its words show."""
    while True:
        excluded = {value.exclusion.dealer: value for _, value in kept(node, DealerExcluded, among.id)}
        without = tuple(sorted(excluded))
        rows = [value for _, value in kept(node, KeyWord, place_of(among.id, without))]
        words = list(_read((each.word for each in rows), among))
        run = run_of((told for _, told in words), without)
        found = list(exclusions(words, run, among))
        for each in found:
            keep_exclusion(node, among, each)
        if not found:
            return Known(run, words, {each.word: each.at for each in rows}, excluded)


def _read(words: Iterable[Word], among: Trusteeship) -> Iterator[tuple[Word, Statement]]:
    """Yield words with what they say, without those that their trustee did not sign while it stood."""
    for word in words:
        with suppress(ThresholdRefused):
            yield word, read_word(word, among)


class Making:
    """One trustee's part in making one key."""

    def __init__(self, node: MemberNode, study: bytes, asked: KeyAsked) -> None:
        self.node, self.study, self.asked = node, study, asked
        self.among = among_of(node, study, asked.trustees, asked.threshold)
        self.own = asked.trustees.index(node.member) + 1
        self.numbers = range(1, len(asked.trustees) + 1)
        known = newest(node, self.among)
        self.run, self.words, self.arrived, self.excluded = known.run, known.words, known.arrived, known.excluded
        self.without = self.run.without
        self.dealers = [number for number in self.numbers if number not in self.without]

    def _place(self) -> bytes:
        return place_of(self.among.id, self.without)

    def say(self, told: Statement) -> None:
        """Sign a word and keep it, once."""
        if any(said == told for _, said in self.words):
            return
        kind, body = kind_of(told), encode(told)
        height = self.node.ledger.head().height
        word = Word(kind, height, body, self.node.signing_key.sign(to_sign(kind, height, body)))
        keep_word(self.node, self.among, word)
        self.words.append((word, told))
        self.arrived[word] = self.node.now()
        self.run.add(told)

    def go_on(self) -> None:
        """Do what is this trustee's to do now, and tell the others."""
        if len(self.dealers) >= self.asked.threshold:
            self._deal()
            self._complain()
            self._answer()
            if self._fitting():
                self.say(Heard(self.among.id, self.without, self.own, self.run.digest(self.dealers)))
        self._tell()
        self._finish()

    def _deal(self) -> None:
        if self.own in self.without:
            return
        mine = self._mine()
        if mine is None:
            dealt = deal(len(self.asked.trustees), self.asked.threshold, self.node.entropy)
            shares = tuple(dealt.shares[number] for number in self.numbers)
            mine = OwnDealing(dealt.commitments, shares, self.node.now())
            keep(self.node, self._place(), mine)
        keep(self.node, self._place() + bytes((self.own,)), ReceivedShare(mine.shares[self.own - 1]))
        self.say(Announced(self.among.id, self.without, self.own, mine.commitments))

    def _mine(self) -> OwnDealing | None:
        return next((value for key, value in kept(self.node, OwnDealing, self._place()) if key == self._place()), None)

    def share_of(self, dealer: int) -> bytes | None:
        """Return the own share of a dealer, if one fits: as it was sent, or as it was opened."""
        sent = [value.share for _, value in kept(self.node, ReceivedShare, self._place() + bytes((dealer,)))]
        known = [*sent, *self.run.opened.get((dealer, self.own), ())]
        return next((share for share in known if self.run.fits(dealer, self.own, share)), None)

    def _complain(self) -> None:
        for dealer in self.dealers:
            if dealer == self.own:
                continue
            if self.share_of(dealer) is None and (self._sent_badly(dealer) or self._late(self._began())):
                self._say_against(dealer, self.own)
            for about in self.run.owed(dealer):
                if not self._answered(dealer, about) and self._late(self._complained_at(dealer, about)):
                    self._say_against(dealer, about)
            if self._fitting() and not self._confirms(dealer) and self._late(self._last_said()):
                self._say_against(dealer, dealer)

    def _sent_badly(self, dealer: int) -> bool:
        sent = list(kept(self.node, ReceivedShare, self._place() + bytes((dealer,))))
        return bool(sent) and dealer in self.run.announced

    def _say_against(self, dealer: int, about: int) -> None:
        self.say(Complained(self.among.id, self.without, self.own, dealer, about))

    def _began(self) -> int:
        """Return when this run began here, ms."""
        mine = self._mine()
        return min([*self.arrived.values(), *([] if mine is None else [mine.at])], default=self.node.now())

    def _last_said(self) -> int:
        """Return when the newest word came that is no complaint, ms."""
        return max(
            [self._began(), *(self.arrived[word] for word, told in self.words if not isinstance(told, Complained))]
        )

    def _complained_at(self, dealer: int, about: int) -> int:
        return min(
            self.arrived[word]
            for word, told in self.words
            if isinstance(told, Complained) and (told.dealer, told.about) == (dealer, about)
        )

    def _late(self, since: int) -> bool:
        return self.node.now() - since >= self.asked.patience

    def _answered(self, dealer: int, about: int) -> bool:
        """Return whether nothing of a complaint is left to wait for."""
        if about == dealer:
            return self._fitting() and self._confirms(dealer)
        return self.run.answered(dealer, about) or (about == self.own and self.share_of(dealer) is not None)

    def _confirms(self, dealer: int) -> bool:
        """Return whether a dealer says of the announcements that are here that it holds fitting shares under them."""
        return self.run.digest(self.dealers) in self.run.heard.get(dealer, ())

    def _answer(self) -> None:
        mine = self._mine()
        for about in self.run.owed(self.own):
            if mine is not None and about in self.numbers:
                self.say(Opened(self.among.id, self.without, self.own, about, mine.shares[about - 1]))

    def _fitting(self) -> bool:
        """Return whether the own shares of all dealers fit, and every complaint about a share was answered."""
        return all(self.share_of(dealer) is not None for dealer in self.dealers) and all(
            self._answered(dealer, about) for dealer in self.dealers for about in self.run.owed(dealer)
        )

    def _tell(self) -> None:
        mine, words = self._mine(), tuple(word for word, _ in self.words)
        proofs = tuple(self.excluded[dealer].exclusion for dealer in self.without)
        told = digest("salus/v1/trial-key-told", *(encode(each) for each in (*proofs, *words)))
        for number, name in enumerate(self.asked.trustees, 1):
            place = self.among.id + bytes((number,))
            before = next((value for _, value in kept(self.node, ToldWords, place)), None)
            if (
                number == self.own or before == ToldWords(told) or not self.node.signing_keys(name)
            ):  # told when it is active
                continue
            share = b"" if mine is None or self.own in self.without else mine.shares[number - 1]
            sent = KeyWords(self.study, self.asked.trustees, self.asked.threshold, proofs, words, share)
            send(self.node, name, "key-words", sent)
            keep(self.node, place, ToldWords(told))

    def _agreed(self) -> bool:
        """Return whether every dealer of the run holds fitting shares under the announcements that are here."""
        if len(self.dealers) < self.asked.threshold or not self._fitting():
            return False
        return all(map(self._confirms, self.dealers))

    def _finish(self) -> None:
        """Keep the finished key, in place of one that was asked for before."""
        if not self._agreed():
            return
        earlier = [(Dealing, key) for key, _ in kept(self.node, Dealing, self.study)]
        told = []
        for dealer in self.dealers:
            share = self.share_of(dealer)
            if share is not None:
                commitments = self.run.announced[dealer][0].commitments
                key = self.study + bytes((dealer,))
                told.append(
                    (key, Dealing(self.study, self.asked.trustees, self.asked.threshold, dealer, commitments, share))
                )
        replace_all(self.node, earlier, told)

    def standing(self) -> Standing:
        """Return how far the key has come."""
        named = dict(enumerate(self.asked.trustees, 1))
        complaints = [
            f"{', '.join(named.get(by, '?') for by in sorted(who))} of {named[dealer]}: "
            + ("answered by a share that fits" if self._answered(dealer, about) else "not answered yet")
            for dealer, each in sorted(self.run.complained.items())
            for about, who in sorted(each.items())
            if dealer in self.dealers
        ]
        fitting = [dealer for dealer in self.dealers if self.share_of(dealer) is not None]
        missing = [dealer for dealer in self.dealers if dealer not in fitting]
        waiting = [named[each] for each in missing or self.dealers if not self._fitting() or not self._confirms(each)]
        if len(self.dealers) < self.asked.threshold:
            waiting = ["other trustees: too few of these are left to deal"]
        return Standing(
            done=self._agreed(),
            dealt=len(fitting),
            excluded=[f"{named[dealer]}: {one.told}" for dealer, one in sorted(self.excluded.items())],
            complaints=complaints,
            waiting=waiting,
        )


def place_of(id_: bytes, without: Sequence[int]) -> bytes:
    """Return the key under which what belongs to a run is kept."""
    return id_ + sum(1 << (number - 1) for number in without).to_bytes(8, "big")


def keep_word(node: MemberNode, among: Trusteeship, word: Word) -> None:
    """Keep a word of its run, unless it says nothing that counts. Raises ThresholdRefused for one that no trustee signed."""
    told = read_word(word, among)
    place, about = place_of(among.id, told.without), subject(told)
    key = place + digest("salus/v1/trial-key-kept", word.kind.encode("ascii"), word.body)
    known = list(kept(node, KeyWord, place))
    if key in [at for at, _ in known] or not all(1 <= number <= len(among.members) for number in about):
        return
    others = [_said(each.word) for _, each in known]
    same = [each for each in others if type(each) is type(told) and subject(each) == about]
    if len(same) < SAME or (isinstance(told, Heard) and _confirms(told, run_of(others, told.without), among)):
        keep(node, key, KeyWord(word, node.now()))


def _confirms(told: Heard, run: Run, among: Trusteeship) -> bool:
    """Return whether a trustee says of the announcements of a run what all must say, whatever it said besides."""
    dealers = [number for number in range(1, len(among.members) + 1) if number not in run.without]
    return all(number in run.announced for number in dealers) and told.digest == run.digest(dealers)


def _said(word: Word) -> Statement:
    return decode(word.body, KINDS[word.kind])


def keep_exclusion(node: MemberNode, among: Trusteeship, exclusion: Exclusion) -> None:
    """Keep what excludes a dealer, the first that shows it. Raises ThresholdRefused where nothing shows it."""
    told, key = why(exclusion, among), among.id + bytes((exclusion.dealer,))
    if not list(kept(node, DealerExcluded, key)):
        keep(node, key, DealerExcluded(exclusion, told))


def take_words(node: MemberNode, sender: str, told: KeyWords) -> None:
    """Take what another trustee says of a key. Raises Forbidden, Malformed; what then came of it is nothing new."""
    names = told.trustees
    if (
        node.member not in names
        or sender not in names
        or not 1 <= told.threshold <= len(set(names)) == len(names) <= MOST
    ):
        raise Forbidden("trials.dealer", "the key is not that member's to make", got=sender)
    among = among_of(node, told.study, names, told.threshold)
    dealer = names.index(sender) + 1
    try:
        for exclusion in told.excluded:
            keep_exclusion(node, among, exclusion)
        without = tuple(sorted(value.exclusion.dealer for _, value in kept(node, DealerExcluded, among.id)))
        for word in sorted(told.words, key=lambda word: word.kind == HEARD):  # after what it is about
            if read_word(word, among).without == without:
                keep_word(node, among, word)
        without = newest(node, among).run.without
    except ThresholdRefused as refused:
        raise Malformed("trials.key-words", str(refused), got=sender) from None
    of_run = tuple(sorted(each.dealer for each in told.excluded)) == without
    place = place_of(among.id, without) + bytes((dealer,))
    if told.share and of_run and dealer not in without and not list(kept(node, ReceivedShare, place)):
        keep(node, place, ReceivedShare(told.share))


def make(node: MemberNode, study: bytes, asked: KeyAsked) -> Standing:
    """Take up making a key, or go on with it; say how far it is. Raises NotFound for another trustee that is no member."""
    with node.dealing:
        if _settled(node, study):
            return Standing(done=True, dealt=len(list(kept(node, Dealing, study))))
        keep(node, study, asked)
        making = Making(node, study, asked)
        if not finished(node, study, asked):
            making.go_on()
        return making.standing()


def make_all(node: MemberNode) -> None:
    """Go on with every key that was asked for here and is not there yet; of one on the ledger, drop what it was made of."""
    for study, asked in list(kept(node, KeyAsked)):
        if _settled(node, study):
            id_ = key_id(study, asked.trustees, asked.threshold)
            made_of: list[tuple[type[Value], bytes]] = [(KeyAsked, study)]
            for type_ in (OwnDealing, ReceivedShare):
                made_of += [(type_, key) for key, _ in kept(node, type_, id_)]
            replace_all(node, made_of, [])
        elif not finished(node, study, asked):
            make(node, study, asked)


def _settled(node: MemberNode, study: bytes) -> bool:
    """Return whether a study stands on the ledger and its key is here."""
    return bool(list(kept(node, Dealing, study))) and port.roster(node.ledger.read(), study) is not None


def finished(node: MemberNode, study: bytes, asked: KeyAsked) -> bool:
    """Return whether the key that was asked for is here: all that its other trustees need was sent to them before.

    Until the study stands on the ledger, a dealer may turn out to have told others another story.
    """
    made = [value for _, value in kept(node, Dealing, study)]
    id_ = key_id(study, asked.trustees, asked.threshold)
    excluded = {value.exclusion.dealer for _, value in kept(node, DealerExcluded, id_)}
    asked_for = [(each.trustees, each.threshold) == (asked.trustees, asked.threshold) for each in made]
    return any(asked_for) and not excluded & {each.dealer for each in made}
