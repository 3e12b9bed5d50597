"""The chapter of claims: two providers and a payer on one ledger, a month of claims, a price both sides recompute."""

import gzip
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

import msgspec

from salus.agreements.claims.alone import sound_files
from salus.agreements.claims.decision import Decision
from salus.agreements.claims.interest import interest
from salus.contracts.claims import port
from salus.core.encoding import decode, encode
from salus.interop.x12.examine import SetSeen, UnitSeen, examine
from salus.interop.x12.findings import refused
from salus.node.claims import (
    dispute_decision,
    dossiers,
    recompute_decision,
    rule_on_claim,
)
from salus.node.claims.deciding import RuleOnClaim
from salus.node.claims.listing import RecomputeDecision
from salus.node.claims.submitting import DisputeDecision
from salus.node.demo import claims_more as more
from salus.node.demo.claims_input import documents_in
from salus.node.demo.claims_scene import FOUNDERS, PROVIDERS, START, TODAY, Scene, fresh, plan_of
from salus.node.demo.samples import samples_folder
from salus.node.demo.telling import Step, Telling
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.records.charts import moment
from salus.node.together import Clock, found_together


class Claims:
    """The chapter (see `salus.node.demo.telling.Chapter`)."""

    name = "claims"
    title = "One claim, one state, one price that both sides recompute to the cent"
    budget_seconds = 90

    def tell(self, telling: Telling, source: Path | None) -> None:
        """Tell it on the sample month, or on 837 files, plan, rates and members in `source`. Raises StoryEnds."""
        began = time.monotonic()
        clock = Clock(lambda: START + int((time.monotonic() - began) * 1000))
        folder = source or samples_folder() / "claims" / "month"
        files = _files(folder)
        documents, made = documents_in(folder, source is not None, [file for _, file in files])
        told = folder / "planted.json"
        planted = msgspec.json.decode(told.read_bytes()) if told.exists() else {}
        with telling.step("Members found a ledger", "Two providers, three payers; nobody is in the middle.") as step:
            together = found_together(telling.folder / "members", FOUNDERS, clock=clock, name="salus-claims")
            step.figure("members", len(together.nodes))
        try:
            scene = Scene(telling, together, files, documents, planted, numbered=source is None)
            _tell(scene, whole=bool(planted.get("no approval")))
        finally:
            together.close()
        telling.notes += [
            "All members run in one process, each in a folder of its own, under one clock that the chapter moves.",
            "Money does not move here: the ledger ends at an 835.",
        ]
        if made:
            telling.notes.append(
                f"The folder had no {', '.join(made)}: made from its claims, so that they can be decided."
            )
        telling.next_commands += [
            "salus claims adjudicate --help",
            "salus claims audit --help",
            "salus claims submit --help",
        ]


def _files(folder: Path) -> tuple[tuple[str, bytes], ...]:
    """Return the 837 files of a folder, each with the provider that sends it, in order of their names. Raises NotFound."""
    found = sorted(path for path in folder.iterdir() if path.name.removesuffix(".gz").endswith(".837"))
    if not found:
        raise NotFound("demo.claims", "no claim file is there", expected="files named .837 or .837.gz")
    texts: list[tuple[str, bytes]] = []
    for place, path in enumerate(found):
        data = path.read_bytes()
        named = path.name.split(".")[0]
        member = named if named in PROVIDERS else PROVIDERS[place % len(PROVIDERS)]
        texts.append((member, gzip.decompress(data) if path.suffix == ".gz" else data))
    return tuple(texts)


def _tell(scene: Scene, *, whole: bool) -> None:
    _check(scene)
    if whole:
        more.share(scene)
    cases = _submit(scene)
    _decide(scene, cases)
    _recompute(scene)
    if whole:
        _wrong_price(scene)
        _replace_and_void(scene)
        more.tell(scene)
        _late(scene)
    _balance(scene)
    _scan(scene)


def _check(scene: Scene) -> None:
    with scene.telling.step(
        "Check at the door", "What is wrong is refused with place, rule and remedy; the rest goes on."
    ) as step:
        rules: Counter[str] = Counter()
        examples: dict[str, str] = {}
        named: set[str] = set()
        total = 0
        for member, file in scene.files:
            found, seen = sound_files([file], TODAY)
            scene.sent.setdefault(member, []).extend(found)
            for group in seen.groups:
                for answer in group.sets:
                    total += len(answer.claims)
                    for claim in answer.claims:
                        if not (answer.accepted and claim.accepted):
                            named.add(claim.identifier)
                            wrong_ones = [one for one in claim.findings if one.severity == "refuse"]
                            rules.update({one.rule for one in wrong_ones})
                            examples |= {one.rule: f"{one.place()}: {one.fix}" for one in wrong_ones}
        step.figure("claims", total)
        step.figure("sound", sum(map(len, scene.sent.values())))
        for rule, count in sorted(rules.items()):
            step.figure(f"refused for {rule}", f"{count}, such as {examples[rule]}")
        if scene.planted:
            wrong = {one for kind, names in scene.planted.items() if kind.startswith("refused") for one in names}
            step.holds("refused are the planted defects, and no other claim", named == wrong)


def _submit(scene: Scene) -> list[str]:
    with scene.telling.step("Send the claims", "Committed on the ledger and journalled before a byte leaves.") as step:
        cases: list[str] = []
        kept_back: Counter[str] = Counter()
        for member, file in scene.files:
            try:
                cases.extend(scene.submit(member, file))
            except (Malformed, NotFound, Conflict) as refused:
                kept_back[str(refused)] += 1
        for why, files in kept_back.items():
            step.figure(f"files not sent, {why}", files)
        step.holds("every file of the sample is sent", not (scene.planted and kept_back))
        if not cases:
            raise NotFound("demo.claims", "no claim could be sent", todo="look at the files with `salus claims check`")
        kept = dossiers.kept_cases(scene.payer)
        step.figure("cases on the ledger", len(cases))
        step.figure("claims at the payer", len(kept))
        step.holds(
            "the payer has every claim that was committed", sorted(cases) == sorted(case.hex() for case, _, _ in kept)
        )
    return cases


def _decide(scene: Scene, cases: list[str]) -> None:
    with scene.telling.step(
        "Decide by the plan document", "Each reduced amount has a code, a clause and what would mend it."
    ) as step:
        decided, waiting, cents = scene.decide()
        step.figure("decided without a person", f"{decided:,} of {len(cases):,} ({100 * decided / len(cases):.1f} %)")
        step.figure("waiting for a person", waiting)
        step.figure("remitted, dollars", f"{cents / 100:,.2f}")
        if scene.planted:
            step.holds("at least 95 % are decided without a person", decided >= 0.95 * len(cases))
        decisions = scene.decisions()
        reasons = [reason for one in decisions for line in one.lines for reason in line.reasons]
        step.holds("every reason has clause and remedy", all(one.clause and one.remedy for one in reasons))
        if scene.planted:
            _planted(scene, step, decisions)
    with scene.telling.step(
        "A person decides what waits", "The ruling is a fact of the decision and shows in it."
    ) as step:
        for case, kept, _ in dossiers.kept_cases(scene.payer):
            if kept.last.pends and kept.last.decided is None:
                ruling = RuleOnClaim(
                    case=case.hex(), verdict="deny", step="duplicates", basis="one visit in the record"
                )
                rule_on_claim(scene.payer, ruling)
        ruled, waiting, _ = scene.decide()
        step.figure("ruled on", ruled)
        step.figure("waiting still", waiting)
        if scene.planted:
            step.holds("nothing waits", waiting == 0)


def _planted(scene: Scene, step: Step, decisions: list[Decision]) -> None:
    """Hold the decisions against what was planted."""
    codes = {one.claim.identifier: _codes(one) for one in decisions}
    for kind, code in (("duplicate", "CO-18"), ("late", "CO-29"), ("stranger", "CO-31"), ("no approval", "CO-197")):
        named = {name for name, found in codes.items() if code in found}
        step.figure(f"{kind}, denied with {code}", len(named))
        step.holds(
            f"every planted {kind} is denied with {code}, and no other claim", named == set(scene.planted.get(kind, []))
        )
    waits = {name for name in scene.planted.get("suspect", []) if name not in codes}
    step.holds("suspects wait for a person", waits == set(scene.planted.get("suspect", [])))
    paid = {one.claim.identifier for one in decisions if one.status == "paid"}
    step.figure("repeats with modifier 76, let through", len(paid & set(scene.planted.get("repeat", []))))
    step.holds("a service done twice is not taken for a duplicate", set(scene.planted.get("repeat", [])) <= paid)
    ended = [one for one in decisions if any("ended by the out-of-pocket maximum" in part.rule for part in one.trace)]
    step.figure("claims in the middle of which a maximum was reached", len(ended))
    family = [
        cents
        for (_, holder, bucket, tier), cents in scene.taken().items()
        if (holder, bucket, tier) == ("", "out-of-pocket", "in")
    ]
    most = next(one.family for one in plan_of(scene).accumulators if one.bucket == "out-of-pocket" and one.tier == "in")
    step.figure("most that a family's shares came to, of its maximum, dollars", _of(max(family, default=0), most))
    step.holds("one family reached its maximum, and none went beyond", max(family, default=0) == most)


def _of(cents: int, most: int) -> str:
    return f"{cents / 100:,.2f} of {most / 100:,.2f}"


def _codes(decision: Decision) -> set[str]:
    return {f"{one.group}-{one.code}" for line in decision.lines for one in line.reasons}


def _recompute(scene: Scene) -> None:
    with scene.telling.step(
        "Providers recompute", "From plan, own rates and facts, without the payer's history."
    ) as step:
        for member in PROVIDERS:
            kept = [one.last for _, one, _ in dossiers.kept_cases(scene.node(member)) if one.last.decided is not None]
            alike = sum(not one.difference for one in kept)
            step.figure(f"{member}: recomputed alike", f"{alike:,} of {len(kept):,}")
            step.holds(f"{member} comes to the same bytes for every claim", alike == len(kept))


def _wrong_price(scene: Scene) -> None:
    title = "A wrong price is named by its step"
    with scene.telling.step(
        title, "The payer's documents agree with themselves; the provider's contract does not."
    ) as step:
        (case,) = scene.submit("cedar", fresh(scene, "S9129", "PTPRICE", "20250401"))
        rates = msgspec.json.decode(scene.documents.rates)
        for part in rates[0]["rates"]:
            part["amount"] = part.get("amount", 0) // 2
        low = msgspec.structs.replace(scene.documents, rates=msgspec.json.encode(rates))
        scene.decide(low)
        own = RecomputeDecision(case=case, rates=scene.documents.rates)
        told = recompute_decision(scene.node("cedar"), own)
        step.figure("parts at", told.step)
        step.figure("decided, dollars", f"{told.decided / 100:.2f}")
        step.figure("by the contract, dollars", f"{told.own / 100:.2f}")
        step.holds("the step is pricing", told.step == "pricing")
        dispute_decision(scene.node("cedar"), DisputeDecision(case=case, statement="rate A6 of schedule A applies"))
        scene.settle()
        rule_on_claim(
            scene.payer, RuleOnClaim(case=case, verdict="uphold", basis="decided again by the right schedule")
        )
        scene.decide()
        step.figure("after the dispute, dollars", f"{scene.decision(case).paid / 100:.2f}")
        step.holds("decided again, both come to the contract's price", scene.decision(case).paid == told.own)
        step.holds("the provider recomputes it alike", recompute_decision(scene.node("cedar"), own).step == "")


def _replace_and_void(scene: Scene) -> None:
    with scene.telling.step(
        "Replace and void", "Reversal and correction in one 835; what was taken goes back."
    ) as step:
        before = scene.taken()
        (case,) = scene.submit("cedar", fresh(scene, "G0402", "PTAGAIN", "20250402"))
        scene.decide()
        first = scene.decision(case)
        between = scene.taken()
        scene.submit("cedar", fresh(scene, "G0404", "PTAGAIN", "20250402", frequency="7", original=first.control))
        scene.decide()
        payments = [one for one in scene.payments() if one.identifier == "PTAGAIN"]
        told = ", ".join(f"{one.paid / 100:.2f}" for one in payments)
        step.figure("paid, reversed, paid as corrected, dollars", told)
        step.holds("reversal 22 and correction came", [one.status for one in payments] == ["1", "22", "1"])
        step.holds("no patient share stands on the reversal", payments[1].patient is None)
        step.holds("the claim had taken from the accumulators", between != before)
        scene.submit("cedar", fresh(scene, "G0404", "PTAGAIN", "20250402", frequency="8", original=first.control))
        scene.decide()
        paid = sum(one.paid for one in scene.payments() if one.identifier == "PTAGAIN")
        after = scene.taken()
        own, *taken = (_maxima(one) for one in (before, between, after))
        taken = [one - own for one in taken]
        step.figure("taken from the person's own maximum by the claim, dollars", f"{taken[0] / 100:.2f}")
        step.figure("left of it after the void, dollars", f"{taken[1] / 100:.2f}")
        step.holds("after the void nothing was paid", paid == 0)
        step.holds("every accumulator is back to the cent", after == before)


def _maxima(cells: dict[tuple[str, ...], int]) -> int:
    """Return what all persons together have taken from their out-of-pocket maxima, cents."""
    return sum(cents for (_, person, bucket, _), cents in cells.items() if person and bucket == "out-of-pocket")


def _late(scene: Scene) -> None:
    with scene.telling.step(
        "A late payment bears interest", "Days from the block that brought the claim; rate from the plan."
    ) as step:
        (case,) = scene.submit("cedar", fresh(scene, "S9129", "PTLATE", "20250403"))
        scene.later(45)
        row = port.case(scene.payer.ledger.read(), bytes.fromhex(case))
        late = port.overdue(row, scene.payer.ledger_time()) if row is not None else ""
        step.figure("late by the ledger", late)
        step.holds("every member sees that the payer is late", late == "payer")
        _prove_late(scene, step, bytes.fromhex(case))
        scene.decide()
        decision, plan = scene.decision(case), plan_of(scene)
        step.figure("paid, dollars", f"{decision.paid / 100:.2f}")
        step.figure("interest, dollars", f"{decision.interest / 100:.2f}")
        days = (decision.received, decision.decided)
        due = interest(plan.prompt_pay, decision.paid, *days, plan.rounding.interest) if plan.prompt_pay else 0
        step.holds("interest for the 15 days after the 30th", decision.interest == due > 0)
        told = [one.interest for one in scene.payments() if one.identifier == "PTLATE"]
        step.holds("the 835 tells it", told == [decision.interest])


def _prove_late(scene: Scene, step: Step, case: bytes) -> None:
    """Have another process, which imports the verifier alone, check the deadline's row at a later block."""
    trust = scene.telling.folder / "trust.json"
    trust.write_text(scene.together.trust().to_json(), encoding="utf-8")
    proven = scene.together.owner.prover.row(port.CASES, case)
    proof = scene.telling.folder / "deadline.proof"
    proof.write_bytes(proven.proof.encode())
    row = proven.value or b""
    due = decode(row, port.Case).due
    time_ = proven.proof.check(row).time
    step.figure("due", moment(due))
    step.figure("not decided at the block of", moment(time_))
    step.holds("the block is later than the deadline", due < time_)
    moved = msgspec.structs.replace(decode(row, port.Case), due=time_ + 1)
    proven_there, moved_there = _verdict(trust, proof, row), _verdict(trust, proof, encode(moved))
    words = {0: "holds", 1: "does not hold"}
    step.figure("another process, offline, of the proof", words.get(proven_there, "fails"))
    step.figure("and of a row with a moved deadline", words.get(moved_there, "fails"))
    step.holds("another process accepts the proof offline", proven_there == 0)
    step.holds("and refuses it for a row with a moved deadline", moved_there == 1)


def _verdict(trust: Path, proof: Path, row: bytes) -> int:
    command = [sys.executable, "-m", "salus.core.proof", "--trust", str(trust), "--value", row.hex(), str(proof)]
    return subprocess.run(command, check=False, capture_output=True, timeout=60).returncode  # noqa: S603 - our own module


def _balance(scene: Scene) -> None:
    with scene.telling.step(
        "Hold the 835s against the decisions", "The sum of all 835s of a claim is its last decision."
    ) as step:
        files = faults = 0
        for provider in PROVIDERS:
            for _, body in scene.node(provider).desk.claim_states("835/"):
                files += 1
                for event in examine([msgspec.msgpack.decode(body, type=tuple)[2]]):
                    if isinstance(event, UnitSeen | SetSeen):
                        faults += bool(refused(event.findings))
        step.figure("835 files", files)
        step.holds("each passes all five levels", faults == 0)
        sums: Counter[str] = Counter()
        for one in scene.payments():
            sums[one.payer_control] += one.paid + one.interest
        wrong = [one for one in scene.decisions() if sums[one.control] != one.paid + one.interest]
        step.figure("claims paid or denied", len(sums))
        step.holds("each claim's sum is its last decision with interest", not wrong)


LEAST: Final = 10_000  # cents: of smaller amounts some stand among so many digests by chance


def _scan(scene: Scene) -> None:
    with scene.telling.step("Search the ledger", "All its bytes, at every member, for what the claims say.") as step:
        words: set[bytes] = set()
        amounts: set[int] = set()
        for claims in scene.sent.values():
            for claim, _ in claims:
                texts = (claim.billing.identifier, claim.patient.last, claim.patient.first, claim.subscriber.member)
                words.update(text.encode() for text in (*texts, claim.identifier, claim.first, claim.patient.birth))
                words.update(text.encode() for line in claim.lines for text in (line.procedure, line.control))
                amounts.update((claim.charge, *(line.charge for line in claim.lines)))
        amounts.update(cents for one in scene.decisions() for cents in (one.paid, one.patient))
        words.update(f"{cents // 100}.{cents % 100:02d}".encode() for cents in amounts if cents >= LEAST)
        words = {word for word in words if len(word) >= 5}  # fewer bytes stand in megabytes of digests by chance
        ledgers = [
            (Path(node.config.data) / "ledger" / "data.mdb").read_bytes() for node in scene.together.nodes.values()
        ]
        step.figure("bytes searched", sum(map(len, ledgers)))
        step.figure("names, numbers, codes, days and amounts looked for", len(words))
        runs = b" ".join(run for ledger in ledgers for run in re.findall(rb"[A-Z0-9.]{5,}", ledger))
        found = [word for word in words if word in runs]
        step.holds("none of them stands in a ledger", not found)


CHAPTER: Final = Claims()
