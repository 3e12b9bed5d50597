"""Random histories of choices and objections: who is counted is who an oracle counts, at registration and begin alike."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from salus.core.encoding import decode
from salus.node.research import wire
from salus.node.wallet import studying

from .hospitals import COUNT, answer, ask, choose, fill, found, level, offer, permit, wallet_at

FITS, ELSE = ("DUO:0000006", "DUO:0000046"), ("DUO:0000006", "DUO:0000016")  # the second: genetic studies alone


class Person:
    """A patient as the oracle knows them: choices by what they fit, and whether an objection stands."""

    def __init__(self, wallet, link, seed):
        self.wallet, self.link, self.rng = wallet, link, random.Random(seed)
        self.choices, self.objecting = {}, False

    @property
    def holding(self):
        """The choices under which this person may be counted now."""
        return set() if self.objecting else {id_ for id_, fits in self.choices.items() if fits}

    def act(self):
        """Do one thing that people do."""
        rng = self.rng
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
    ("persons", "questions"), [(3, 3), pytest.param(10_000, 4, marks=pytest.mark.soak)], ids=["short", "10,000"]
)
def test_who_is_counted_is_who_chose_it_at_registration_and_at_the_begin(tmp_path, persons, questions):
    rng = random.Random(persons)
    together = found(tmp_path, "north")
    north = together.nodes["north"]
    links = fill(north, persons)
    with ThreadPoolExecutor(1 if persons < 10 else 48) as pool:  # each waits for a receipt, most of the time
        people = list(
            pool.map(lambda seed: Person(wallet_at(together, "north", links[seed]), links[seed], seed), range(persons))
        )
        data_set = offer(together, "north", by_consent=True, permit_rho=9_000_000)
        granted = permit(together, {"north": data_set})
        wrong, seen = [], 0
        for _ in range(questions):
            list(pool.map(Person.act, rng.sample(people, max(2, persons // 3))))
            level(together)
            registered = {one.link: one.holding for one in people}
            query = ask(together, granted, COUNT, (data_set,), variance=10_000)
            list(pool.map(Person.act, rng.sample(people, max(1, persons // 20))))
            level(together)
            # one choice must have held at both blocks
            expected = {one.link for one in people if one.holding & registered[one.link]}
            answer(together, query, "north")
            ((_, body),) = north.desk.research("part", bytes.fromhex(query))
            counted = {one.link for one in decode(body, wire.Held).counted}
            seen += len(counted)
            wrong += [] if counted == expected else [(query, counted ^ expected)]
    together.close()
    assert wrong == []
    assert 0 < seen < persons * questions
