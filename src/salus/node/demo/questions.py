"""The questions of the research chapter: a noisy table, two models, attacks, who was counted, a replay. Needs the extra `research`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from salus.agreements.research import accounting, models
from salus.contracts.research import port
from salus.core.encoding import decode
from salus.core.proof.httpsig import HttpRequest
from salus.node.demo.research import CUSTODIANS, DELTA, FITTING, HOSPITALS, POLICY, VARIANCE, Scene, wallet_at
from salus.node.demo.telling import Step
from salus.node.errors import EdgeError, Refused
from salus.node.exchange.wire import Address, Answer
from salus.node.research import (
    ask_question,
    attest_deletion,
    decide_permit,
    offer_data,
    publish_result,
    review,
    run_model,
    write_extract,
)
from salus.node.research.answering import ReviewQuestions, frame_of, persons_of
from salus.node.research.asking import AskQuestion
from salus.node.research.bundle import PublishResult
from salus.node.research.extracting import take_back
from salus.node.research.figures import Frame
from salus.node.research.permits import DecidePermit, OfferData
from salus.node.research.receiving import AttestDeletion, WriteExtract
from salus.node.research.relaying import ModelRun, RunModel
from salus.node.research.rounds import PATH
from salus.node.research.wire import Held, checked, query_row
from salus.node.wallet import studying

SIXTY: Final = 21_915  # days
ROWS: Final = 5
"""Women of north who choose that their rows may leave; one more does not."""
FEWEST: Final = 4
FOLLOWED: Final[dict[str, Any]] = {
    "resourceType": "ViewDefinition",
    "name": "followed",
    "resource": "Observation",
    "status": "active",
    "where": [{"path": "code.coding.exists(code = 'follow-up-years')"}],
    "select": [
        {
            "column": [
                {"name": "patient", "path": "subject.getReferenceKey(Patient)"},
                {"name": "years", "path": "value.ofType(integer)"},
            ]
        }
    ],
}


def tell(scene: Scene) -> None:
    """Tell the second half of the chapter. Raises StoryEnds."""
    table = _table(scene)
    _logistic(scene)
    _cox(scene)
    _attacks(scene)
    _opt_out(scene, table)
    _extract(scene)
    _replay(scene, table)
    _budget(scene)


def _document(scene: Scene, statistic: dict[str, Any], *more: dict[str, Any]) -> dict[str, Any]:
    columns = [
        *scene.query["columns"],
        {"kind": "derive", "name": "old", "op": "at-least", "of": ["age_days"], "value": SIXTY, "levels": ["0", "1"]},
        {"kind": "reduce", "name": "years", "view": "followed", "by": "max", "column": "years", "bounds": [0, 3]},
        {
            "kind": "reduce",
            "name": "stroke",
            "view": "conditions",
            "by": "exists",
            "where": [{"column": "code", "codes": ["230690007"]}],
            "levels": ["0", "1"],
        },
        *more,
    ]
    views = [*scene.query["views"], FOLLOWED]
    return scene.query | {"views": views, "columns": columns, "statistic": statistic}


def _frames(scene: Scene, query: str, members: tuple[str, ...]) -> list[Frame]:
    """Return custodians' own rows, which no other ever sees: for comparison with the pooled figures."""
    told = []
    for name in members:
        node, id_ = scene.node(name), bytes.fromhex(query) + bytes.fromhex(scene.data_sets[name])
        kept = decode(node.desk.research("part", id_)[0][1], Held)
        row = query_row(node, kept.question.query)
        told.append(frame_of(node, checked(kept.question.document, row), kept, persons_of(node, kept)))
    return told


def _table(scene: Scene) -> str:
    with scene.telling.step(
        "A table with noise", "Each custodian draws its noise once, stores it, begins, commits, then answers."
    ) as step:
        query = scene.ask(_document(scene, {"kind": "table", "by": ["smoker", "hypertension"]}), CUSTODIANS)
        stood = scene.release(query, CUSTODIANS)
        step.holds("every custodian answered", {*stood.values()} == {"answered"})
        scene.release(query, CUSTODIANS)
        own = _frames(scene, query, CUSTODIANS)
        step.holds("the clinic counts whose choice fits", own[0].count == FITTING)
        step.holds("who objected is not counted", own[CUSTODIANS.index("north")].count == len(scene.links["north"]) - 1)
        result = scene.result(query)
        for line in result.lines:
            inside = [
                (one.columns["smoker"] == line["smoker"]) & (one.columns["hypertension"] == line["hypertension"])
                for one in own
            ]
            true = int(sum(each.sum() for each in inside))
            shown = f"told {line['count']}, 95 % within {line['low']} to {line['high']}"
            step.figure(f"smoker {line['smoker']}, hypertension {line['hypertension']}", f"true {true}, {shown}")
            spread = (VARIANCE * len(CUSTODIANS)) ** 0.5
            step.holds(
                "the noise is within five standard deviations",
                line["count"] is None or abs(true - line["count"]) < 5 * spread,
            )
        budget = scene.budget("north")
        step.figure("left of north's pool, micro-ρ", budget.free)
        step.figure("ε at δ = 1e-6", f"{accounting.epsilon(budget.spent, DELTA):.2f}")
        return query


def _run(scene: Scene, query: str) -> ModelRun:
    told = run_model(scene.node("university"), RunModel(query=query))
    scene.level()
    return told


def _logistic(scene: Scene) -> None:
    with scene.telling.step(
        "A model by sums under masks", "A hospital dies on the way; those that remain give the pooled fit."
    ) as step:
        document = _document(scene, {"kind": "logistic", "outcome": "hypertension", "on": ["old", "smoker"]})
        with step.refused("the clinic, which offers noise alone, in an exact model", Refused):
            scene.ask(document, CUSTODIANS)
        query = scene.ask(document, HOSPITALS)
        scene.release(query, HOSPITALS)
        transport, turns = scene.together.transport, []
        send = transport.send

        def dying(address: Address, request: HttpRequest) -> Answer:
            if "west" in address.url and request.target_uri.endswith(PATH):
                turns.append(1)
                if len(turns) > 2:
                    transport.down.add(address.url)
            return send(address, request)

        transport.send = dying  # type: ignore[method-assign]
        told = _run(scene, query)
        transport.send = send  # type: ignore[method-assign]
        transport.down.clear()
        step.holds("west is out of the second attempt", (told.attempts, "west" in told.custodians) == (2, False))
        own = _frames(scene, query, tuple(name for name in HOSPITALS if name != "west"))
        designs = [one.design(("old", "smoker"), constant=True)[1] for one in own]
        outcomes = [one.numbers("hypertension") for one in own]
        fit = models.newton(models.logistic(np.concatenate(designs), np.concatenate(outcomes)), 3)
        _compare(step, told, fit)


def _compare(step: Step, told: ModelRun, pooled: models.Fit) -> None:
    gap = max(abs(line["estimate"] - float(value)) for line, value in zip(told.lines, pooled.coefficients, strict=True))
    step.holds("the estimates are the pooled ones within 1e-9", gap < 1e-9)
    step.figure("largest difference to the pooled fit", f"{gap:.1e}")
    for line, value in zip(told.lines, pooled.coefficients, strict=True):
        step.figure(line["term"], f"{line['estimate']:.6f} (pooled {value:.6f})")


def _cox(scene: Scene) -> None:
    with scene.telling.step("Time to a stroke", "Cox, stratified by hospital: no event time leaves.") as step:
        query = scene.ask(
            _document(scene, {"kind": "cox", "time": "years", "event": "stroke", "on": ["smoker"]}), HOSPITALS
        )
        scene.release(query, HOSPITALS)
        told = _run(scene, query)
        parts = [
            models.cox(one.design(("smoker",), constant=False)[1], one.numbers("years"), one.numbers("stroke"))
            for one in _frames(scene, query, HOSPITALS)
        ]
        _compare(step, told, models.newton(models.pooled(parts), 1))
        step.figure("hazard ratio of smokers", f"{told.lines[0]['hazard_ratio']:.2f} (planted 2.08)")


def _attacks(scene: Scene) -> None:
    with scene.telling.step(
        "Known attacks are withheld", "No combination of what left rests on fewer than eight."
    ) as step:
        born = sorted(row for row in _births(scene))
        one = {"kind": "derive", "name": "one", "op": "codes", "of": ["key"], "codes": born[:1], "levels": ["0", "1"]}
        rest = {"kind": "derive", "name": "rest", "op": "not", "of": ["one"], "levels": ["0", "1"]}
        key = {
            "kind": "reduce",
            "name": "key",
            "view": "keyed",
            "by": "max",
            "column": "key",
            "levels": born[:1],
            "missing": "drop",
        }
        filled = one | {"missing": "0"}
        for attack, outcome in {"one person": "one", "everybody but one": "rest"}.items():
            document = _document(
                scene, {"kind": "ols", "outcome": "years", "on": [outcome, "smoker"]}, key, filled, rest
            )
            document["views"] = [*document["views"], _keyed()]
            _withheld(scene, step, attack, document)
        tracker = {"kind": "derive", "name": "tracked", "op": "or", "of": ["one", "smoker"], "levels": ["0", "1"]}
        document = _document(scene, {"kind": "ols", "outcome": "years", "on": ["tracked", "old"]}, key, filled, tracker)
        document["views"] = [*document["views"], _keyed()]
        _withheld(scene, step, "a tracker over a cohort", document)
        renamed = scene.apply("The same study under another name.")
        scene.sign(renamed)
        free = scene.budget("north").free
        scene.ask(_document(scene, {"kind": "count"}), ("north",), permit=renamed)
        step.holds("a renamed study meets the same pool", scene.budget("north").free == free - 5_000)
        step.figure("a renamed study", "charged to the same pool")


def _keyed() -> dict[str, Any]:
    columns = [{"name": "patient", "path": "getResourceKey()"}, {"name": "key", "path": "id"}]
    return {
        "resourceType": "ViewDefinition",
        "name": "keyed",
        "resource": "Patient",
        "status": "active",
        "select": [{"column": columns}],
    }


def _births(scene: Scene) -> list[str]:
    return [name for hospital in HOSPITALS for name in scene.links[hospital]]


def _withheld(scene: Scene, step: Step, attack: str, document: dict[str, Any]) -> None:
    """Ask one hospital, whose checker let it pass; the gate does not, and the analyst hears nothing of why."""
    query = scene.ask(document, ("east",))
    scene.release(query, ("east",), few=True)
    try:
        _run(scene, query)
    except EdgeError as refusal:
        step.figure(attack, f"withheld ({refusal.code})")
        step.holds("the analyst is not told why", "leverage" not in str(refusal))
    scene.level()
    standing = [one for one in review(scene.node("east"), ReviewQuestions()).questions if one.query == query]
    step.holds(f"{attack} is withheld", [one.status for one in standing] == ["withheld"])


def _opt_out(scene: Scene, before: str) -> None:
    with scene.telling.step("A patient stops", "Her wallet proves that she was counted before, and not after.") as step:
        patient = scene.wallets[-2]
        studying.object_(patient, "north", objecting=True)
        query = scene.ask(_document(scene, {"kind": "count"}), ("north",))
        scene.release(query, ("north",))
        seen = {one.part.query.hex(): one.counted for one in studying.where_was_i(patient)}
        step.holds("counted in the table", seen[before])
        step.holds("not counted after", not seen[query])
        step.figure("proven lines in her list of studies", len(seen))


def _extract(scene: Scene) -> None:
    with scene.telling.step(
        "Rows leave of those who chose so", "Without names, under a lease; who withdraws leaves them."
    ) as step:
        chosen = [wallet_at(scene, "north", scene.links["north"][one]) for one in scene.women[2 : 3 + ROWS]]
        for place, holder in enumerate(chosen):
            way = "extract" if place < ROWS else "exact"
            studying.choose(holder, POLICY, (way,), days=365, through="north", members=("north",))
        terms = OfferData(terms=b"Terms for rows", policy=POLICY, ways=("extract",), smallest=FEWEST)
        data_set = offer_data(scene.node("north"), terms).data_set
        plain, permit = (
            scene.apply("What follows high blood pressure?", data_set=data_set, records=records)
            for records in (False, True)
        )
        scene.level()
        for one in (plain, permit):
            decide_permit(scene.node("north"), DecidePermit(permit=one, data_set=data_set))
        with step.refused("rows under a permit that does not say so", Refused):
            _ask_rows(scene, data_set, plain)
        query = _ask_rows(scene, data_set, permit)
        scene.release(query, ("north",))
        folder = scene.telling.folder / "extract"
        request = WriteExtract(query=query, output=str(folder), format="ndjson")
        told = write_extract(scene.node("university"), request)
        step.figure("persons whose rows left", told.persons)
        step.figure("persons at the hospital", len(scene.links["north"]))
        step.holds("those who chose so, and nobody else", told.persons == ROWS)
        text = "".join(one.read_text() for one in folder.iterdir())
        step.holds("no id of the hospital is in them", not any(one in text for one in scene.links["north"]))
        studying.object_(chosen[0], "north", objecting=True)
        take_back(scene.node("north"))
        (left,) = scene.result(query).lines
        step.figure("after one withdrew", f"{left['persons']} persons, {left['withdrawn']} withdrawn")
        step.holds("her rows are gone", (left["persons"], left["withdrawn"]) == (ROWS - 1, 1))
        done = attest_deletion(scene.node("university"), AttestDeletion(query=query)).data_sets
        step.holds("its deletion is attested on the ledger", done == 1)


def _ask_rows(scene: Scene, data_set: str, permit: str) -> str:
    """Ask for the conditions of those who chose so, with their gender."""
    views = [one for one in scene.query["views"] if one["name"] == "conditions"]
    document = {
        "format": 1,
        "title": "Conditions of women",
        "persons": "people",
        "views": [_people(), *views],
        "columns": [],
        "statistic": {"kind": "extract", "views": ["conditions"], "k": FEWEST},
    }
    scene.level()
    request = AskQuestion(permit=permit, query=json.dumps(document).encode(), data_sets=(data_set,))
    asked = ask_question(scene.node("university"), request)
    scene.level()
    return asked.query


def _people() -> dict[str, Any]:
    columns = [{"name": "patient", "path": "getResourceKey()"}, {"name": "gender", "path": "gender"}]
    return {
        "resourceType": "ViewDefinition",
        "name": "people",
        "resource": "Patient",
        "status": "active",
        "select": [{"column": columns}],
    }


def _replay(scene: Scene, query: str) -> None:
    with scene.telling.step(
        "A stranger replays the result", "From the bundle and a trust file, in another process."
    ) as step:
        folder = scene.telling.folder / "published"
        folder.mkdir()
        trust, bundle = folder / "trust.json", folder / "table.bundle"
        trust.write_text(scene.together.trust().to_json())
        told = publish_result(scene.node("university"), PublishResult(query=query, file=str(bundle)))
        step.figure("bytes of the bundle", told.bytes)
        step.figure("citation", told.citation[:16])
        step.holds("it holds", _process(folder, bundle, trust) == 0)
        data = bundle.read_bytes()
        (folder / "changed.bundle").write_bytes(data[:200] + bytes((data[200] ^ 1,)) + data[201:])
        step.holds("one byte changed is refused", _process(folder, folder / "changed.bundle", trust) == 1)


def _process(folder: Path, bundle: Path, trust: Path) -> int:
    program = "import sys; from salus.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "research", "replay", str(bundle), "--trust", str(trust)]
    environment = {**os.environ, "SALUS_DATA": str(folder)}
    return subprocess.run(command, check=False, capture_output=True, timeout=60, env=environment).returncode  # noqa: S603 - our own module


def _budget(scene: Scene) -> None:
    with scene.telling.step(
        "The budget is spent", "A question is refused on every node when one pool lacks its charge."
    ) as step:
        asked = 0
        try:
            while asked < 40:
                scene.ask(_document(scene, {"kind": "count"}), ("north",), variance=1)
                asked += 1
        except Refused as refusal:
            step.figure("the next question", f"refused ({refusal.code})")
        step.holds("the budget ends", asked < 40)
        with step.refused("all custodians together", Refused):
            scene.ask(_document(scene, {"kind": "count"}), CUSTODIANS, variance=1)
        scene.level()
        pools = {port.pool(node.ledger.read(), "north", node.ledger_time()) for node in scene.together.nodes.values()}
        step.holds("every node knows the same pool", len(pools) == 1)
        step.figure("reserved at north, micro-ρ", scene.budget("north").reserved)
