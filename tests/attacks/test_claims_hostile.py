"""A payer that commits to nonsense: whatever its decision holds, the provider gets a step that differs, or a named refusal."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from salus.node.claims import decide_claims, documents, dossiers, submit_claims
from salus.node.claims.exchange import SentDecision, recomputed
from salus.node.claims.submitting import SubmitClaims
from salus.node.errors import Malformed
from tests.agreements.claims.cases import claim, file_of, line
from tests.node.claims.two import REQUEST, found_two

TIMES = 400
INTEGERS = (0, -1, 1, 1 << 31, (1 << 53) - 1, (1 << 63) - 1, -(1 << 63), 999)
TEXTS = ("", "99999999", "20250230", "x" * 5000, "\u00e9", "20250101", "CO", "C00000001", "\x00", "-", "2025")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[bytes, SentDecision, bytes, str]]:
    """Return a plan, a decision under it as it was sent, the claim's file and the day on which it came."""
    together = found_two(tmp_path_factory.mktemp("hostile"))
    lines = (line(1, "S9129", 9000), line(2, "J0696", 1000), line(3, "G0404", 5000))
    submit_claims(together.nodes["cedar"], SubmitClaims(payer="harbor", file=file_of(claim(*lines))))
    together.abreast()
    decide_claims(together.nodes["harbor"], REQUEST)
    together.abreast()
    cedar = together.nodes["cedar"]
    ((_, kept, _),) = dossiers.kept_cases(cedar)
    assert kept.last.decided is not None
    yield dossiers.plan_of(cedar, kept.last), kept.last.decided, kept.last.file, kept.last.received
    together.close()


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every part of a document."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*before, key)
        yield from places(value[key], (*before, key))


def other(value: Any, draw: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return draw.choice(INTEGERS)
    if isinstance(value, str):
        return draw.choice(TEXTS)
    if isinstance(value, list):
        return draw.choice(([], value * 2, value[:1], value[::-1]))
    return draw.choice((None, 0, "", {}))


def damaged(value: Any, draw: random.Random) -> Any:
    """Return a document with one to three of its parts replaced."""
    value = copy.deepcopy(value)
    for _ in range(draw.choice((1, 1, 2, 3))):
        *way, last = draw.choice(list(places(value)))
        part = value
        for key in way:
            part = part[key]
        part[last] = other(part[last], draw)
    return value


@pytest.mark.parametrize("part", ["facts", "decision", "rates", "plan"])
def test_a_hostile_decision_is_named_by_a_step_or_refused(
    told: tuple[bytes, SentDecision, bytes, str], part: str
) -> None:
    plan, sent, file, received = told
    outcomes: set[str] = set()
    for seed in range(TIMES):
        draw = random.Random(f"{part} {seed}")
        document, lie = plan, sent
        if part == "plan":
            document = json.dumps(damaged(json.loads(plan), draw)).encode()
        elif part == "rates":
            lie = sent.with_rates(json.dumps(damaged(json.loads(sent.rates), draw)).encode())
        else:
            packed = msgspec.msgpack.encode(damaged(msgspec.msgpack.decode(getattr(sent, part)), draw))
            lie = msgspec.structs.replace(sent, **{part: packed})
        try:
            documents.plan(document)
            outcomes.add(recomputed(document, lie, file, received))
        except Malformed as refused:
            outcomes.add(refused.code)
    assert "claims.plan" in outcomes if part == "plan" else "claims.decision" in outcomes
    assert len(outcomes) > 2
