"""Every use case of the node: one line per domain. The edges derive their commands, routes and reference from here."""

from types import ModuleType
from typing import Any, Final

from salus.node import (
    about,
    attaching,
    claims,
    corrections,
    disclosures,
    emergencies,
    erasures,
    host_questions,
    hosting,
    identity,
    links,
    listening,
    people,
    requests,
    research,
    signing_in,
    supply,
    trials,
    worklist,
)
from salus.node.claims import counting, objecting
from salus.node.fhir import checking
from salus.node.network import (
    certifying,
    consortium,
    directory,
    entering,
    exploring,
    founding,
    governing,
    supervising,
    transacting,
)
from salus.node.records import charts, keeping, measures, refiling, taking
from salus.node.smart import clients, trying
from salus.node.supply import keeping as supply_keeping
from salus.node.supply import reading as supply_reading
from salus.node.supply import working as supply_working
from salus.node.upkeep import backups, replaying
from salus.node.usecase import UseCase
from salus.node.wallet import healthlink, joining, reading, restoring, seeing, sharing, studying, trialling, wishing

# A domain's module or package; its use cases are the UseCase values in its namespace.
DOMAINS: Final[tuple[ModuleType, ...]] = (
    about,
    attaching,
    backups,
    certifying,
    charts,
    checking,
    claims,
    clients,
    consortium,
    corrections,
    directory,
    disclosures,
    emergencies,
    entering,
    erasures,
    host_questions,
    hosting,
    exploring,
    founding,
    governing,
    identity,
    supervising,
    keeping,
    links,
    listening,
    measures,
    people,
    refiling,
    replaying,
    requests,
    research,
    signing_in,
    supply,
    supply_reading,
    supply_keeping,
    supply_working,
    taking,
    transacting,
    trials,
    trying,
    worklist,
)


# What a patient does with a wallet's file. No routes: nothing of it runs at a member.
WALLET_DOMAINS: Final[tuple[ModuleType, ...]] = (
    joining,
    restoring,
    sharing,
    seeing,
    reading,
    studying,
    trialling,
    counting,
    objecting,
    wishing,
    healthlink,
)


def use_cases() -> dict[str, UseCase[Any, Any, Any]]:
    """Return all use cases by name, in order of their names. Raises ValueError when two share a name."""
    return _in(DOMAINS)


def wallet_cases() -> dict[str, UseCase[Any, Any, Any]]:
    """Return the use cases of a wallet's file by name, in order of their names. Raises ValueError as `use_cases`."""
    return _in(WALLET_DOMAINS)


def _in(modules: tuple[ModuleType, ...]) -> dict[str, UseCase[Any, Any, Any]]:
    found: dict[str, UseCase[Any, Any, Any]] = {}
    for module in modules:
        for value in (getattr(module, name) for name in (*vars(module), *getattr(module, "__all__", ()))):
            if isinstance(value, UseCase) and found.setdefault(value.name, value) is not value:
                raise ValueError(f"two use cases are named {value.name}")
    return dict(sorted(found.items()))
