"""Twelve ways in which a rule can be non-deterministic, each planted into the handler of anchors.

Each gives bytes that end up in the result data. The float is the one that no replay on one machine can catch: it is
kept out by `test_tidy.py`.
"""

import itertools
import locale
import os
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from salus.contracts.membership.port import active
from salus.contracts.records.port import Anchor
from salus.contracts.registry import REGISTRY
from salus.core.rules import Context, Registry, Rule, RuleSet

Plant = Callable[[Context], bytes]
_calls = itertools.count()


def set_order(ctx: Context) -> bytes:
    return ",".join({name for name, _ in active(ctx.state)}).encode()


def hash_of_text(ctx: Context) -> bytes:
    return str(hash(ctx.submitter)).encode()


def identity_of_an_object(ctx: Context) -> bytes:
    return str(id(ctx)).encode()


def clock(_ctx: Context) -> bytes:
    return str(time.time_ns()).encode()


def time_zone(ctx: Context) -> bytes:
    return datetime.fromtimestamp(ctx.time // 1000).isoformat().encode()  # noqa: DTZ006 - the bug


def randomness(_ctx: Context) -> bytes:
    return str(random.random()).encode()


def locale_of_the_machine(_ctx: Context) -> bytes:
    return locale.getpreferredencoding(do_setlocale=False).encode()


def process(_ctx: Context) -> bytes:
    return str(os.getpid()).encode()


def working_directory(_ctx: Context) -> bytes:
    return os.getcwd().encode()[-40:]  # noqa: PTH109 - the bug


def memory_between_calls(_ctx: Context) -> bytes:
    return str(next(_calls)).encode()


def work_in_an_assertion(ctx: Context) -> bytes:
    done: list[int] = []
    assert done.append(ctx.height) is None
    return str(done).encode()


def float_sum(ctx: Context) -> bytes:
    return str(sum([0.1] * (ctx.height % 10))).encode()


PLANTED: Mapping[str, Plant] = {
    plant.__name__: plant
    for plant in (
        set_order,
        hash_of_text,
        identity_of_an_object,
        clock,
        time_zone,
        randomness,
        locale_of_the_machine,
        process,
        working_directory,
        memory_between_calls,
        work_in_an_assertion,
        float_sum,
    )
}


def with_plant(plant: Plant) -> Registry:
    """Return the registry with one bug in it."""
    rules = REGISTRY.versions[1]
    honest = rules.rules[Anchor]
    _restart()

    def handle(ctx: Context, message: Anchor) -> bytes:
        return honest.handle(ctx, message) + plant(ctx)

    planted = {**rules.rules, Anchor: Rule(handle, honest.authored)}
    version = RuleSet(planted, rules.tables, rules.authorise, rules.parameters)
    return Registry(REGISTRY.messages, {1: version}, REGISTRY.version_at, REGISTRY.genesis)


def _restart() -> None:
    global _calls  # noqa: PLW0603 - each plant begins as a fresh process would
    _calls = itertools.count()
