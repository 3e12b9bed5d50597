"""CDISC's open rules for USDM 4.0 as they are published (YAML): what a rule asks, and what it finds in a protocol.

Two kinds are understood: `JSONata`, an expression whose objects are the findings, and `JSON Schema Check`, conditions over
the faults by the model's schema. A rule is data of somebody else: it is evaluated where time and memory are bounded.

Needs the extra `trials` (`jsonata-python`, `PyYAML`).
"""

import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from salus.interop.cdisc.findings import RuleRefused
from salus.interop.cdisc.jsonata import evaluated, placed
from salus.interop.cdisc.usdm_schema import Fault, faults

MOST_BYTES: Final = 64 << 10  # the longest published rule has 6 KB
LONGEST_ID: Final = 40
MOST_FOUND: Final = 1000  # of one rule; the most that a published case has is 416
MOST_OUTPUTS: Final = 32  # values that a finding tells; the most of a published rule is 12
MOST_TEXT: Final = 500  # signs of one value that a finding tells
STANDARD: Final = ("USDM", "4.0")
JSONATA: Final = "JSONata"
SCHEMA: Final = "JSON Schema Check"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    id: str
    """Its id: `CORE-001017`."""
    kind: str
    check: Any
    """An expression, or a tree of conditions."""
    message: str
    """What it says of a finding."""
    outputs: tuple[str, ...]
    """Names of the values that a finding tells."""


@dataclass(frozen=True, slots=True)
class Found:
    """One finding of a rule."""

    path: str
    """JSON pointer (RFC 6901) to the object of the protocol."""
    values: tuple[tuple[str, str], ...]
    """What the rule tells of it, by name: text as it is, anything else as JSON."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a rule finds in a protocol."""

    total: int
    found: tuple[Found, ...]
    """The first thousand."""


def read_rule(text: bytes) -> Rule:
    """Return the rule in a YAML file. Raises RuleRefused for a file that is none, and for one that is not judged here."""
    if len(text) > MOST_BYTES:
        raise RuleRefused(f"more than {MOST_BYTES} bytes")
    told = _yaml(text)
    try:
        versions = {
            (each["Name"], each["Version"]) for authority in told["Authorities"] for each in authority["Standards"]
        }
        kind, check, outcome = told["Rule Type"], told["Check"], told["Outcome"]
        rule = Rule(told["Core"]["Id"], kind, check, outcome["Message"], tuple(outcome.get("Output Variables", ())))
        texts = all(isinstance(each, str) for each in (rule.id, kind, rule.message, *rule.outputs))
    except (KeyError, TypeError, AttributeError):
        raise RuleRefused("not a rule: Authorities, Core, Rule Type, Check and Outcome are needed") from None
    if not texts:
        raise RuleRefused("not a rule: id, kind, message and output variables are texts")
    if len(rule.outputs) > MOST_OUTPUTS or not rule.id or len(rule.id) > LONGEST_ID:
        raise RuleRefused(f"an id of at most {LONGEST_ID} signs and {MOST_OUTPUTS} output variables are taken")
    if STANDARD not in versions:
        raise RuleRefused("not a rule of USDM 4.0")
    if kind not in {JSONATA, SCHEMA}:
        raise RuleRefused(f"kind {kind[:40]!r}: only {JSONATA} and {SCHEMA} are judged")
    if not isinstance(check, str if kind == JSONATA else dict):
        raise RuleRefused(f"a check of kind {kind} is {'an expression' if kind == JSONATA else 'a tree of conditions'}")
    return rule


def _yaml(text: bytes) -> Any:
    import yaml  # type: ignore[import-untyped] # noqa: PLC0415 -- the extra may not be installed

    class Loader(yaml.BaseLoader):  # type: ignore[misc] # the class is untyped
        """Texts, lists and maps only; no alias, which a few lines could make into gigabytes."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise RuleRefused("YAML with aliases")
            return super().compose_node(parent, index)

    try:
        return yaml.load(text.decode(), Loader)  # noqa: S506 -- its base makes texts, lists and maps, and nothing else
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError, TypeError):
        raise RuleRefused("not YAML in UTF-8") from None


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol as rules see it."""

    placed: Any
    """Its JSON, every object with its JSON pointer as `_path`."""
    faults: tuple[Fault, ...]


def protocol(data: bytes) -> Protocol:
    """Return a protocol to be judged; it may have faults of any kind. Raises RuleRefused where it is no study's JSON."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise RuleRefused("the protocol is not JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get("study"), dict):
        raise RuleRefused("the protocol has no study")
    return Protocol(placed(document), tuple(faults(document["study"])))


def judge(rule: Rule, of: Protocol) -> Judged:
    """Return what a rule finds. Raises RuleRefused where it cannot be evaluated; takes time and memory as it likes."""
    if rule.kind == JSONATA:
        found = _by_expression(rule, of)
    else:
        found = [Found(each.path, _values(rule, each.told())) for each in of.faults if _holds(rule.check, each.told())]
    found.sort(key=lambda each: (each.path, each.values))
    return Judged(len(found), tuple(found[:MOST_FOUND]))


def _by_expression(rule: Rule, of: Protocol) -> list[Found]:
    found = []
    for each in evaluated(rule.check, of.placed):
        if not isinstance(each, Mapping) or not isinstance(each.get("path"), str):
            raise RuleRefused("the expression does not give objects with a path")
        found.append(Found(each["path"], _values(rule, each)))
    return found


def _values(rule: Rule, told: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _text(told[name])) for name in rule.outputs if told.get(name) is not None)


def _text(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))[:MOST_TEXT]


_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "equal_to": operator.eq,
    "not_equal_to": operator.ne,
    "is_contained_by": lambda told, value: told in value,
    "is_not_contained_by": lambda told, value: told not in value,
}


def _holds(check: Any, told: Mapping[str, str]) -> bool:
    """Tell whether conditions hold of a fault. Raises RuleRefused for one that is not understood."""
    if not isinstance(check, Mapping):
        raise RuleRefused("a condition is a map")
    for name, joined in (("all", all), ("any", any)):
        if check.keys() == {name} and isinstance(check[name], list):
            return joined([_holds(each, told) for each in check[name]])
    if check.keys() == {"not"}:
        return not _holds(check["not"], told)
    holds = _OPERATORS.get(str(check.get("operator")))
    if holds is None or check.keys() != {"name", "operator", "value"} or check["name"] not in told:
        raise RuleRefused(f"condition {json.dumps(check)[:80]}: name, operator and value of a fault are understood")
    return holds(told[check["name"]], check["value"])
