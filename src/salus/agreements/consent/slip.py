"""A grant's slip as provisions: the first kind of terms that `decide` reads; FHIR Consent is to be the second."""

import re
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from salus.agreements.consent.decide import Provision
from salus.core.errors import SalusError
from salus.interop.fhir.sensitivity import CLASSES
from salus.interop.fhir.survey import TYPES
from salus.interop.fhir.times import EARLIEST, LATEST

CODE_PARAMETERS: Final = frozenset({"code", "category", "type", "class", "vaccine-code", "reason-code"})
"""Token parameters whose values the index keeps as a row's codes."""
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")


class BadTerms(SalusError):
    """Terms that this program does not understand; it then serves nothing under them. Names the part, no values."""


class SlipTerms(msgspec.Struct, frozen=True):
    """What a grant's document and one slip say together.

    grantee: member id. roles: empty for every role. purposes: v3-ActReason codes; none permits nothing.
    not_before, expiry: Unix ms. classes: sensitivity classes by code; none permits nothing.
    since, until: [since, until) of clinical time in Unix ms, 0 for an open side.
    filters: FHIR searches of which one must match ("Observation?category=laboratory"); empty for all types.
    """

    grantee: str
    roles: tuple[str, ...]
    purposes: tuple[str, ...]
    not_before: int
    expiry: int
    classes: tuple[str, ...]
    since: int = 0
    until: int = 0
    filters: tuple[str, ...] = ()


def provisions(terms: SlipTerms) -> tuple[Provision, ...]:
    """Return one permit per filter, or one for all types. Raises `BadTerms` (unknown class or filter)."""
    unknown = [code for code in terms.classes if code not in CLASSES]
    if unknown:
        raise BadTerms(f"classes: {len(unknown)} unknown, expected some of {', '.join(CLASSES)}")
    if not terms.classes or not terms.purposes:
        return ()
    whole = Provision(
        path="slip",
        effect="permit",
        members=(terms.grantee,),
        roles=terms.roles,
        purposes=terms.purposes,
        active=(terms.not_before, terms.expiry),
        sensitivities=tuple(sorted(CLASSES[code] for code in terms.classes)),
        periods=((terms.since or EARLIEST, terms.until or LATEST),) if terms.since or terms.until else (),
    )
    if not terms.filters:
        return (whole,)
    return tuple(_filtered(whole, text, f"slip.filters[{number}]") for number, text in enumerate(terms.filters))


def _filtered(whole: Provision, text: str, path: str) -> Provision:
    """Narrow a provision by one search: a type, then at most one parameter of codes, `_id` or `encounter` each."""
    kind, _, query = text.partition("?")
    if kind not in TYPES:
        raise BadTerms(f"{path}: expected a resource type of R4 before the question mark")
    parameters = parse_qsl(query, keep_blank_values=True)
    axes: dict[str, tuple[object, ...]] = {}
    for name, value in parameters:
        if name in CODE_PARAMETERS and "codes" not in axes:
            axes["codes"] = tuple(_token(part, path) for part in value.split(","))
        elif name == "_id" and "instances" not in axes:
            axes["instances"] = tuple(f"{kind}/{_id(part, path)}" for part in value.split(","))
        elif name == "encounter" and "encounters" not in axes:
            axes["encounters"] = tuple(_id(part.removeprefix("Encounter/"), path) for part in value.split(","))
        else:
            known = ", ".join(sorted(CODE_PARAMETERS | {"_id", "encounter"}))
            raise BadTerms(f"{path}: expected parameters among {known}, those of codes, _id and encounter once each")
    return msgspec.structs.replace(whole, path=path, types=(kind,), **axes)


def _token(text: str, path: str) -> tuple[str, str]:
    """Return (system, code) of a search token; without a bar any system, written "*"."""
    system, bar, code = text.rpartition("|")
    if not code:
        raise BadTerms(f"{path}: expected a code in every token")
    return (system if bar else "*"), code


def _id(text: str, path: str) -> str:
    if _ID.fullmatch(text) is None:
        raise BadTerms(f"{path}: expected ids")
    return text
