"""The questions of the research chapter: a noisy table, a model by sums, attacks, and who was counted. Needs the extra `research`."""

import itertools
import json
import secrets
from typing import Any, Final

import numpy as np

from salus.agreements.research import accounting, gate, models, population
from salus.agreements.research.document import read
from salus.agreements.research.errors import OffPath
from salus.agreements.research.rounds import Site
from salus.contracts.research.port import Way
from salus.core.proof.digest import digest
from salus.node.demo import research as chapter
from salus.node.demo.telling import Telling
from salus.node.desk import Desk
from salus.node.errors import Refused
from salus.node.research.figures import Frame, figures, frame
from salus.node.research.noise import AnswerBook

SIXTY: Final = 21_915  # days
TABLE: Final = {"kind": "table", "by": ["smoker", "hypertension"]}

CHOICE: Final = population.value(bytes(32), bytes(32))  # choices are no ledger rows here


def tell(scene: Any, document: bytes) -> None:
    """Tell the second half of the chapter."""
    links = {name: secrets.token_bytes(32) for name in chapter.CUSTODIANS}
    table = json.dumps(json.loads(document) | {"statistic": TABLE}).encode()
    _table(scene, table, links)
    frames = {name: frame(read(document), _consenting(scene, name)) for name in chapter.HOSPITALS}
    designs = {name: _design(own) for name, own in frames.items()}
    _model(scene, designs)
    _attacks(scene.telling, designs["north"])
    _budget(scene, table)
    _choice(scene.telling)


def _consenting(scene: Any, name: str) -> list[Any]:
    """Every tenth patient said no; what is asked never sees their records."""
    patients = [row["id"] for row in scene.persons[name] if row["resourceType"] == "Patient"]
    no = {f"Patient/{key}" for key in patients[::10]}
    return [
        row
        for row in scene.persons[name]
        if f"Patient/{row['id']}" not in no and row.get("subject", {}).get("reference") not in no
    ]


def _root(link: bytes, query: bytes, count: int) -> bytes:
    """Return the root of a custodian's population; a person's secret is made of the custodian's here."""
    people = (digest("salus/v1/demo-person", link, number.to_bytes(4, "big")) for number in range(count))
    return population.Population({population.path(each, query): CHOICE for each in people}).root


def _table(scene: Any, document: bytes, links: dict[str, bytes]) -> None:
    with scene.telling.step(
        "A table with noise", "Each custodian adds noise, commits, then answers; asked again, it answers the same."
    ) as step:
        query = chapter.ask(scene, digest("salus/v1/demo-query", document), chapter.CUSTODIANS, Way.NOISY, 100)
        truth, told = np.zeros(4, dtype=np.int64), np.zeros(4, dtype=np.int64)
        for name in chapter.CUSTODIANS:
            own = frame(read(document), _consenting(scene, name))
            cells = [int(str(line["count"])) for line in figures(own)]
            root = _root(links[name], query, own.count)
            chapter.begin(scene, query, name, root)
            book = AnswerBook(Desk(scene.telling.folder / f"answers-{name}", bytes(32)))
            question = digest("salus/v1/demo-question", document)
            answer = book.answer(question, root, cells, chapter.VARIANCE)
            step.holds(
                "the same question has one answer", book.answer(question, root, cells, chapter.VARIANCE) == answer
            )
            chapter.commit(scene, query, name, answer.commitment)
            truth += cells
            told += answer.values
        spread = chapter.VARIANCE * len(chapter.CUSTODIANS)
        labels = ("no, no", "no, yes", "yes, no", "yes, yes")
        for label, exact, noisy in zip(labels, truth.tolist(), told.tolist(), strict=True):
            low, high = accounting.interval(noisy, spread)
            step.figure(f"smoker, hypertension: {label}", f"true {exact}, told {noisy}, 95 % within {low} to {high}")
            step.holds("the noise is within five standard deviations", abs(exact - noisy) < 5 * spread**0.5)
        spent = 10_000_000 - chapter.left(scene, "north")
        step.figure("spent of north's pool, micro-ρ", spent)
        step.figure("ε at δ = 1e-6", f"{accounting.epsilon(spent, chapter.DELTA):.2f}")


def _design(own: Frame) -> tuple[models.Matrix, models.Matrix]:
    """Return design and outcome of a logistic model: constant, sixty and over, smoker; hypertension."""
    old = (own.numbers("age_days") >= SIXTY).astype(float)  # in days, the oldest would carry too much of age squared
    return np.column_stack([np.ones(own.count), old, own.numbers("smoker")]), own.numbers("hypertension")


def _sites(
    designs: dict[str, tuple[models.Matrix, models.Matrix]], names: tuple[str, ...], query: bytes, attempt: int
) -> dict[str, Site]:
    shared = {frozenset(pair): secrets.token_bytes(32) for pair in itertools.combinations(names, 2)}
    return {
        name: Site(
            name,
            models.logistic(*designs[name]),
            3,
            {peer: shared[frozenset((name, peer))] for peer in names if peer != name},
            query=query,
            attempt=attempt,
        )
        for name in names
    }


def _run(sites: dict[str, Site], turns: int = 100) -> models.Fit | None:
    beta = np.zeros(3)
    for turn in range(turns):
        vectors = {name: site.answer(turn, beta) for name, site in sites.items()}
        beta = [site.take(vectors) for site in sites.values()][-1]
        fits = [site.fit for site in sites.values()]
        if fits[0] is not None:
            return fits[0]
    return None


def _model(scene: Any, designs: dict[str, tuple[models.Matrix, models.Matrix]]) -> None:
    with scene.telling.step(
        "A model by sums under masks", "A hospital dies in the second round; those that remain give the pooled fit."
    ) as step:
        with step.refused("the clinic, which offers noise alone, in an exact model", Refused):
            chapter.ask(scene, bytes(32), chapter.CUSTODIANS, Way.EXACT)
        query = chapter.ask(scene, bytes(32), chapter.HOSPITALS, Way.EXACT)
        for name in chapter.HOSPITALS:
            design, outcome = designs[name]
            columns = gate.released(design, outcome)
            step.holds("the gate passes", gate.check(columns[:, :0], columns, chapter.SMALLEST).passes)
            chapter.begin(scene, query, name, bytes(32))
        _run(_sites(designs, chapter.HOSPITALS, query, 1), turns=1)
        remaining = chapter.HOSPITALS[:3]
        chapter.go_on(scene, query, chapter.HOSPITALS[3:])
        sites = _sites(designs, remaining, query, 2)
        with step.refused("a β that the analyst chose", OffPath):
            sites["north"].answer(0, np.ones(3))
        fit = _run(sites)
        stacked = [np.concatenate([designs[name][place] for name in remaining]) for place in (0, 1)]
        pooled = models.newton(models.logistic(stacked[0], stacked[1]), 3)
        gap = 1.0 if fit is None else float(np.max(np.abs(fit.coefficients - pooled.coefficients)))
        step.holds("the estimate is the pooled one within 1e-9", gap < 1e-9)
        step.figure("largest difference to the pooled fit", f"{gap:.1e}")
        if fit is not None:
            for term, value in zip(("constant", "sixty and over", "smoker"), fit.coefficients, strict=True):
                step.figure(term, f"{value:.4f}")


def _attacks(telling: Telling, north: tuple[models.Matrix, models.Matrix]) -> None:
    with telling.step(
        "Known attacks are withheld", "No combination of what was released rests on fewer than ten."
    ) as step:
        earlier = gate.released(*north)
        one = np.zeros((len(earlier), 1))
        one[7] = 1
        group = (np.arange(len(earlier)) % 2).astype(float)[:, None]
        step.holds("an honest column passes", gate.check(earlier, group, chapter.SMALLEST).passes)
        attempts = {"one person": one, "everybody but one": 1 - one, "a tracker over a cohort": group + one}
        for attempt, column in attempts.items():
            verdict = gate.check(np.column_stack([earlier, group]), column, chapter.SMALLEST)
            step.holds(f"{attempt} is withheld", not verdict.passes)
            step.figure(attempt, "withheld")


def _budget(scene: Any, document: bytes) -> None:
    with scene.telling.step(
        "The budget is spent", "A question is refused everywhere when one pool lacks its charge."
    ) as step:
        free = chapter.left(scene, "north")
        chapter.ask(scene, digest("salus/v1/demo-query", document, b"2"), ("north",), Way.NOISY, 1)
        step.holds("what was asked is reserved", chapter.left(scene, "north") == free - 500_000)
        asked = 0
        try:
            while asked < 40:
                chapter.ask(scene, secrets.token_bytes(32), ("north",), Way.NOISY, 1)
                asked += 1
        except Refused as refusal:
            step.figure("the next question", f"refused ({refusal.code})")
        step.holds("the budget ends", asked < 40)
        with step.refused("all custodians together", Refused):
            chapter.ask(scene, bytes(32), chapter.CUSTODIANS, Way.NOISY, 1)


def _choice(telling: Telling) -> None:
    with telling.step("A patient stops", "Her wallet proves that she was counted before, and not after.") as step:
        people = [secrets.token_bytes(32) for _ in range(360)]
        first, second = secrets.token_bytes(16), secrets.token_bytes(16)
        before = population.Population({population.path(each, first): CHOICE for each in people})
        after = population.Population({population.path(each, second): CHOICE for each in people[1:]})
        for query, counted, claim in ((first, before, True), (second, after, False)):
            place = population.path(people[0], query)
            found = population.counted(counted.prove(place), place, counted.root)
            step.holds("the proof says so", (found is not None) is claim)
            step.figure("after her choice" if query == second else "before", "counted" if found else "not counted")
