"""One trial twice among real nodes, arms exchanged: what blinded members hold, show, export, send and log is the same."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from msgspec import structs

from salus.agreements.trials.allocation import Kit
from salus.contracts.trials import port
from salus.index.index import Index
from salus.node import worklist
from salus.node.errors import Forbidden, Refused
from salus.node.member import MemberNode
from salus.node.trials import closing, conducting, drawing, exchange, exporting, overseeing, paying

from . import blind
from .blind import Plant, Seen, Trial

CHANNELS = (
    "transactions",
    "order",
    "deliveries",
    "shipments",
    "rows",
    "counts",
    "kits",
    "exports",
    "trails",
    "forms",
    "payments",
    "status",
    "refusals",
    "metrics",
    "index",
    "feeds",
    "backups",
    "pages",
    "logs",
    "openings",
)
"""What may tell an arm: sizes and results of transactions; who sends or posts when; sizes of what is delivered; shipments of
kits; rows of enrolments; their numbers by stratum; numbers of kits; exports; audit trails; tasks and forms; payments; what
commands show; texts of refusals; metrics; the search index; worklists, waiting documents and access logs; what lies on backups;
pages; logs; an emergency's opening."""
SEEDS = 50


@dataclass
class Pair:
    """What is seen of one trial, and of the same with its arms exchanged."""

    arms: list[int]
    exchanged: list[int]
    one: Seen
    other: Seen


def pair(folder: Path, monkeypatch: pytest.MonkeyPatch, trial: Trial, plant: Plant | None = None) -> Pair:
    """Run a trial twice."""
    arms, one = blind.run(folder / "one", monkeypatch, trial, plant=plant)
    exchanged, other = blind.run(folder / "other", monkeypatch, trial, exchanged=True, plant=plant)
    assert plant is not None or exchanged == [1 - arm for arm in arms]
    return Pair(arms, exchanged, one, other)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """One trial of three, run twice."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield pair(tmp_path_factory.mktemp("blind"), monkeypatch, Trial())


def test_every_channel_is_looked_at_and_shows_something(seen: Pair) -> None:
    assert tuple(sorted(seen.one)) == tuple(sorted(CHANNELS))
    assert [channel for channel in CHANNELS if not seen.one[channel]] == ["logs"]  # nothing went wrong
    assert all(kit.startswith("N-") for kit in seen.one["kits"])
    kinds = {kind for name, kind, _ in seen.one["backups"] if kind != "segment"}
    assert kinds.isdisjoint({"envelope", "draws", "supply"})


@pytest.mark.parametrize("channel", CHANNELS)
def test_exchanged_arms_change_nothing_that_blinded_members_see(seen: Pair, channel: str) -> None:
    assert seen.one[channel] == seen.other[channel]


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(SEEDS))
def test_trials_of_many_seeds_are_alike_with_their_arms_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    both = pair(tmp_path, monkeypatch, Trial.of(seed))
    for channel in CHANNELS:
        assert both.one[channel] == both.other[channel], channel


# Planted leaks: each makes the product tell arms through one channel ------------------------------------------------


def drawn_by(scene: blind.Scene) -> str:
    """Return the arms that a dispenser knows, as a leak would tell them."""
    return "arms " + ",".join(f"{envelope.arm}" for envelope in blind.envelopes(scene))


def before(patch: pytest.MonkeyPatch, where: object, name: str, doing: Any) -> None:
    """Do something whenever a function of the product is called, before it."""
    original = getattr(where, name)

    def both(*given: Any, **named: Any) -> Any:
        doing(*given, **named)
        return original(*given, **named)

    patch.setattr(where, name, both)


def changed(patch: pytest.MonkeyPatch, where: object, name: str, change: Any) -> None:
    """Change what a function of the product returns."""
    original = getattr(where, name)
    patch.setattr(where, name, lambda *given, **named: change(original(*given, **named)))


def posts_twice(patch: pytest.MonkeyPatch, scene: blind.Scene) -> None:
    def again(node: MemberNode, enrolment: Any, envelope: Any, _done: Any) -> None:
        if envelope.arm:
            with pytest.raises(Refused):
                node.submitter.submit(port.Allocate(bytes(32), envelope.ciphertext[:32]))

    before(patch, drawing, "_post", again)


def posts_later(patch: pytest.MonkeyPatch, scene: blind.Scene) -> None:
    original = drawing._post

    def late(node: MemberNode, enrolment: Any, envelope: Any, done: Any) -> None:
        row = port.enrolment(node.ledger.read(), envelope.enrolment)
        waits = row is not None and row.status is port.EnrolmentStatus.WAITING
        if not (envelope.arm and waits and node.member == "pharmacy-a"):
            original(node, enrolment, envelope, done)

    patch.setattr(drawing, "_post", late)


def sends_more(patch: pytest.MonkeyPatch, scene: blind.Scene) -> None:
    sent = drawing.send

    def more(node: MemberNode, receiver: str, kind: str, value: Any) -> None:
        if kind == "kit":
            arms = {envelope.enrolment: envelope.arm for envelope in blind.envelopes(scene)}
            for one in value.kits:
                if arms[one.enrolment]:
                    sent(node, receiver, kind, structs.replace(value, kits=(one,)))
        sent(node, receiver, kind, value)

    patch.setattr(drawing, "send", more)


def refuses(patch: pytest.MonkeyPatch, scene: blind.Scene) -> None:
    original = drawing._drawn

    def drawn(node: MemberNode, *given: Any) -> Any:
        envelope = original(node, *given)
        if envelope is not None and envelope.arm and envelope.enrolment == blind.in_order(node, scene.study)[1][0]:
            raise Forbidden("trials.planted", "refused by its arm")
        return envelope

    patch.setattr(drawing, "_drawn", drawn)


def numbers(patch: pytest.MonkeyPatch, scene: blind.Scene) -> None:
    def kit(_key: bytes, _site: str, kits: list[Kit], used: list[str], arm: int) -> Kit:
        del kits
        return Kit(f"N-{arm}{len(used):02}", arm)

    patch.setattr(drawing, "next_kit", kit)


def larger(patch: pytest.MonkeyPatch, scene: blind.Scene) -> None:
    def padded(told: list[tuple[bytes, Any]]) -> list[tuple[bytes, Any]]:
        arms = {envelope.enrolment: envelope.arm for envelope in blind.envelopes(scene)}
        return [(key, structs.replace(kit, kit=kit.kit + "+" * arms[key])) for key, kit in told]

    original = exchange.keep_all
    patch.setattr(
        exchange,
        "keep_all",
        lambda node, told: original(node, padded(told) if all(hasattr(each, "kit") for _, each in told) else told),
    )


def published(patch: pytest.MonkeyPatch, scene: blind.Scene) -> None:
    names = ("arm-placebo", "arm-active")
    patch.setattr(
        exporting,
        "allocated",
        lambda _node, _study: {each.enrolment.hex(): names[each.arm] for each in blind.envelopes(scene)},
    )


def logs(patch: pytest.MonkeyPatch, scene: blind.Scene) -> None:
    def log(_node: MemberNode, _enrolment: Any, envelope: Any, _done: Any) -> None:
        structlog.get_logger().info("trial.posted", arm=envelope.arm)

    before(patch, drawing, "_post", log)


def refusal(patch: pytest.MonkeyPatch, scene: blind.Scene) -> None:
    def refuse(*_given: Any) -> None:
        raise Forbidden("trials.blind", "draws are published after the unblinding", got=drawn_by(scene))

    before(patch, closing, "published", refuse)


LEAKS: dict[str, Plant] = {
    "transactions": posts_twice,
    "order": posts_later,
    "deliveries": sends_more,
    "shipments": sends_more,
    "rows": posts_later,
    "counts": refuses,
    "kits": numbers,
    "exports": published,
    "trails": lambda patch, scene: changed(
        patch, overseeing, "audit_trail", lambda lines: (replace(lines[0], reason=drawn_by(scene)), *lines[1:])
    ),
    "forms": lambda patch, scene: changed(
        patch, conducting, "states", lambda found: [*found, (drawn_by(scene), *found[0][1:])]
    ),
    "payments": lambda patch, scene: changed(
        patch, paying, "lines_due", lambda lines: lines * (1 + sum(one.arm for one in blind.envelopes(scene)))
    ),
    "status": published,
    "refusals": refusal,
    "metrics": lambda patch, scene: changed(
        patch, MemberNode, "measures", lambda told: {**told, "outgoing_waiting": drawn_by(scene)}
    ),
    "index": lambda patch, scene: changed(patch, Index, "count_by_type", lambda told: told | {drawn_by(scene): 1}),
    "feeds": lambda patch, scene: changed(
        patch, worklist, "_deliveries", lambda _: [(0, "delivery", b"", drawn_by(scene))]
    ),
    "backups": larger,
    "pages": posts_twice,
    "logs": logs,
    "openings": lambda patch, scene: changed(
        patch, drawing, "opened_envelope", lambda told: (told[0], told[1] + "+" * told[0])
    ),
}


@pytest.mark.soak
@pytest.mark.parametrize("channel", CHANNELS)
def test_a_leak_through_a_channel_is_seen_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channel: str) -> None:
    both = pair(tmp_path, monkeypatch, Trial(), LEAKS[channel])
    assert both.one[channel] != both.other[channel]
