"""Synthetic people registered twice, with errors at the rates that true duplicates show, and others who only look alike.

Rates of difference within a pair, after 398,939 true duplicates (PMC4832129): given name 53 %, family name 34 %, national
number 54 %. Those of dates, sex, telephone and address are assumed: 10 %, 2 %, 50 %, 40 %. One in fifty has a twin, one in
a hundred a parent of the same name at the same address.
"""

import random

SYLLABLES = (
    "ba",
    "den",
    "fi",
    "gor",
    "hal",
    "jan",
    "ke",
    "lor",
    "mi",
    "nu",
    "os",
    "pra",
    "ri",
    "sta",
    "tu",
    "vel",
    "wei",
    "zo",
)
GIVEN = (
    "Ada", "Amir", "Anna", "Ben", "Carla", "Chen", "David", "Dora", "Elif", "Emil", "Fatima", "Felix", "Greta", "Hana", "Hugo",
    "Ines", "Ivan", "Jonas", "Julia", "Karl", "Lara", "Leon", "Lina", "Marta", "Max", "Mia", "Nils", "Nora", "Olga", "Omar",
    "Paul", "Petra", "Rosa", "Samir", "Sofia", "Tara", "Tom", "Ulla", "Vera", "Yusuf",
)  # fmt: skip


class People:
    """Draws people from a seed; `pairs` are the ids of one person's two records."""

    def __init__(self, seed):
        self.rnd = random.Random(seed)
        self.first, self.second = [], []
        self.pairs = set()

    def draw(self, count):
        """Draw `count` people who are registered twice, with their twins and parents, registered once."""
        for number in range(count):
            one = self.person(f"a{number}")
            self.first.append(one)
            self.second.append(self.again(one, f"b{number}"))
            self.pairs.add((one["id"], f"b{number}"))
            if number % 50 == 0:
                self.second.append(self.relative(one, f"t{number}", given=self.other_given(one), born=one["birthDate"]))
            if number % 100 == 1:
                year = int(one["birthDate"][:4]) - 28
                self.second.append(
                    self.relative(one, f"p{number}", given=one["name"][0]["given"][0], born=f"{year}-{self.day()}")
                )
        return self

    def person(self, own):
        """Return a Patient."""
        family = "".join(self.rnd.choice(SYLLABLES) for _ in range(self.rnd.randint(2, 3))).title()
        told = {
            "resourceType": "Patient",
            "id": own,
            "name": [{"family": family, "given": [self.rnd.choice(GIVEN)]}],
            "birthDate": f"{self.rnd.randint(1930, 2022)}-{self.day()}",
            "gender": self.rnd.choice(("female", "male")),
            "telecom": [{"system": "phone", "value": self.figures(9)}],
            "address": [
                {"line": [f"{family[::-1].title()} street {self.rnd.randint(1, 99)}"], "postalCode": self.figures(5)}
            ],
        }
        return {**told, "identifier": [{"system": "urn:national", "value": self.figures(9)}]}

    def again(self, one, own):
        """Return the record that another desk made of the same person."""
        (name,) = one["name"]
        family, given = name["family"], name["given"][0]
        if self.chance(34):
            family = self.mistyped(family) if self.chance(50) else self.person("")["name"][0]["family"]
        if self.chance(53):
            given = self.rnd.choice((self.mistyped(given), given[:1], self.other_given(one)))
        told = {**one, "id": own, "name": [{"family": family, "given": [given]}]}
        year, month, day = one["birthDate"].split("-")
        if self.chance(10):
            near = f"{year}-{day}-{month}" if int(day) <= 12 else f"{year}-{month}"
            told["birthDate"] = near if self.chance(50) else f"{self.rnd.randint(1930, 2022)}-{self.day()}"
        if self.chance(2):
            told["gender"] = {"female": "male", "male": "female"}[one["gender"]]
        if self.chance(50):
            told["telecom"] = [{"system": "phone", "value": self.figures(9)}]
        if self.chance(40):
            told["address"] = self.person("")["address"]
        if self.chance(54):
            del told["identifier"]
        return told

    def relative(self, one, own, *, given, born):
        """Return somebody else of the same family, telephone and address."""
        told = {**one, "id": own, "name": [{"family": one["name"][0]["family"], "given": [given]}], "birthDate": born}
        return {**told, "identifier": [{"system": "urn:national", "value": self.figures(9)}]}

    def other_given(self, one):
        """Return another given name."""
        return self.rnd.choice([each for each in GIVEN if each != one["name"][0]["given"][0]])

    def mistyped(self, word):
        """Return a word with two letters exchanged or one left out."""
        at = self.rnd.randrange(1, len(word))
        return (
            word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :] if self.chance(50) else word[:at] + word[at + 1 :]
        )

    def day(self):
        """Return a month and a day."""
        return f"{self.rnd.randint(1, 12):02}-{self.rnd.randint(1, 28):02}"

    def figures(self, count):
        """Return a number of some figures."""
        return "".join(self.rnd.choice("0123456789") for _ in range(count))

    def chance(self, percent):
        """Tell whether what happens in so many of a hundred cases happens."""
        return self.rnd.randrange(100) < percent


class Movers(People):
    """Who marries moves: family name, address and telephone change together; dates of birth are mistyped, names seldom."""

    def again(self, one, own):
        name = dict(one["name"][0])
        told = {**one, "id": own}
        if self.chance(25):
            told |= {"telecom": self.person("")["telecom"], "address": self.person("")["address"]}
            name["family"] = self.person("")["name"][0]["family"]
        elif self.chance(15):
            name["family"] = self.mistyped(name["family"])
        if self.chance(30):
            name["given"] = [self.mistyped(name["given"][0])]
        if self.chance(15):
            told["birthDate"] = self.misdated(one["birthDate"])
        if self.chance(60):
            del told["identifier"]
        return {**told, "name": [name]}

    def misdated(self, date):
        """Return a date with one fault: another year near, another day, figures of the year exchanged, or day and month."""
        year, month, day = date.split("-")
        exchanged = f"{year}-{day}-{month}" if int(day) <= 12 else f"{year}-01-01"
        return self.rnd.choice(
            (
                f"{int(year) + self.rnd.choice((-10, -1, 1, 10))}-{month}-{day}",
                f"{year}-{month}-{self.rnd.randint(1, 28):02}",
                f"{year[:2]}{year[3]}{year[2]}-{month}-{day}",
                exchanged,
            )
        )


class Sparse(Movers):
    """As `Movers`, with names exchanged, doubled or preceded by another, and a third of the other fields missing."""

    def again(self, one, own):
        told = super().again(one, own)
        family, given = told["name"][0]["family"], told["name"][0]["given"][0]
        other = self.person("")["name"][0]["family"]
        forms = [{"family": given, "given": [family]}] * 3 + [{"family": f"{family}-{other}", "given": [given]}] * 3
        forms += [{"family": family, "given": [self.other_given(one), given]}] * 2 + [told["name"][0]] * 12
        for name in ("telecom", "address", "gender"):
            if self.chance(30):
                del told[name]
        return {**told, "name": [self.rnd.choice(forms)]}


class Households(People):
    """As `People`; every fifth person has a sister or brother, or a parent, at the same address and telephone."""

    def draw(self, count):
        super().draw(count)
        for number, one in enumerate(self.first[::5]):
            year = int(one["birthDate"][:4]) + self.rnd.choice((-30, -28, 1, 2, 3, 4))
            self.second.append(
                self.relative(one, f"k{number}", given=self.other_given(one), born=f"{year}-{self.day()}")
            )
        return self
