"""Random histories of choices and objections: who is counted is who an oracle counts, at registration and begin alike."""

import random

import pytest

from salus.core.encoding import decode
from salus.node.research import wire
from salus.node.wallet import studying

from .hospitals import COUNT, answer, ask, choose, fill, found, level, offer, permit, wallet_at

FITS, ELSE = ("DUO:0000006", "DUO:0000046"), ("DUO:0000006", "DUO:0000016")  # the second: genetic studies alone


class Person:
    """A patient as the oracle knows them: choices by what they fit, and whether an objection stands."""

    def __init__(self, wallet, link):
        self.wallet, self.link = wallet, link
        self.choices, self.objecting = {}, False

    @property
    def holding(self):
        """The choices under which this person may be counted now."""
        return set() if self.objecting else {id_ for id_, fits in self.choices.items() if fits}

    def act(self, rng):
        """Do one thing that people do."""
        what = rng.choice(("choose", "choose other", "way", "stop", "object", "end"))
        if what == "choose":
            self.choices[choose(self.wallet, "north", FITS)] = True
        if what == "choose other":
            self.choices[choose(self.wallet, "north", ELSE)] = False
        if what == "way":
            self.choices[choose(self.wallet, "north", FITS, ways=("exact",))] = False
        if what == "stop" and self.choices:
            gone = rng.choice(sorted(self.choices))
            self.wallet.stop(gone, through="north")
            del self.choices[gone]
        if what in {"object", "end"}:
            self.objecting = what == "object"
            studying.object_(self.wallet, "north", objecting=self.objecting)


@pytest.mark.parametrize(
    ("persons", "questions"), [(3, 3), pytest.param(100, 100, marks=pytest.mark.soak)], ids=["short", "10,000"]
)
def test_who_is_counted_is_who_chose_it_at_registration_and_at_the_begin(tmp_path, persons, questions):
    rng = random.Random(persons)
    together = found(tmp_path, "north")
    north = together.nodes["north"]
    people = [Person(wallet_at(together, "north", link), link) for link in fill(north, persons)]
    data_set = offer(together, "north", by_consent=True, permit_rho=9_000_000)
    granted = permit(together, {"north": data_set})
    wrong, seen = [], 0
    for _ in range(questions):
        for one in rng.sample(people, max(2, persons // 5)):
            one.act(rng)
        level(together)
        registered = {one.link: one.holding for one in people}
        query = ask(together, granted, COUNT, (data_set,), variance=10_000)
        for one in rng.sample(people, max(1, persons // 20)):
            one.act(rng)
        level(together)
        expected = {one.link for one in people if one.holding & registered[one.link]}  # one choice held at both blocks
        answer(together, query, "north")
        ((_, body),) = north.desk.research("part", bytes.fromhex(query))
        counted = {one.link for one in decode(body, wire.Held).counted}
        seen += len(counted)
        wrong += [] if counted == expected else [(query, counted ^ expected)]
    together.close()
    assert wrong == []
    assert 0 < seen < persons * questions
