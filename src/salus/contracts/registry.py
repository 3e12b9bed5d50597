"""The contracts in their order, and the rule versions made of them.

A contract may use the ports of those before it. Registering one is one line in `VERSION_1`.
"""

from collections.abc import Mapping
from typing import Any, Final, Union

from salus.contracts.claims.rules import CONTRACT as CLAIMS
from salus.contracts.consent.rules import CONTRACT as CONSENT
from salus.contracts.contract import Contract
from salus.contracts.membership import genesis
from salus.contracts.membership.acts import parameters
from salus.contracts.membership.rules import CONTRACT as MEMBERSHIP
from salus.contracts.membership.rules import authorise, version_at
from salus.contracts.records.rules import CONTRACT as RECORDS
from salus.contracts.research.rules import CONTRACT as RESEARCH
from salus.contracts.supply.rules import CONTRACT as SUPPLY
from salus.contracts.trials.rules import CONTRACT as TRIALS
from salus.core.rules import Registry, RuleSet

VERSION_1: Final[tuple[Contract, ...]] = (
    MEMBERSHIP,
    RECORDS,
    CONSENT,
    CLAIMS,
    TRIALS,
    RESEARCH,
    SUPPLY,
)
VERSIONS: Final[Mapping[int, tuple[Contract, ...]]] = {1: VERSION_1}


def rule_set(contracts: tuple[Contract, ...]) -> RuleSet:
    """Return the rules of some contracts together."""
    rules = {kind: rule for contract in contracts for kind, rule in contract.rules.items()}
    tables = tuple(table for contract in contracts for table in contract.tables)
    return RuleSet(rules, tables, authorise, parameters)


def registry(versions: Mapping[int, tuple[Contract, ...]] = VERSIONS) -> Registry:
    """Return what a kernel needs to run the rule versions given."""
    kinds = dict.fromkeys(kind for contracts in versions.values() for contract in contracts for kind in contract.rules)
    messages: Any = Union[tuple(kinds)]  # noqa: UP007 - a union of types that are known at run time only
    sets = {version: rule_set(contracts) for version, contracts in versions.items()}
    return Registry(messages, sets, version_at, genesis.found)


REGISTRY: Final = registry()
