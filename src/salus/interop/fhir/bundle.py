"""Bundles: the envelope and each entry's resource with its exact bytes."""

import hashlib

import msgspec

from salus.core.proof.digest import digest
from salus.interop.fhir.gate import Resource, admit, check_elements, type_of
from salus.interop.fhir.refusal import Refused, kind_of
from salus.interop.fhir.survey import Survey, explain, survey_of
from salus.interop.fhir.tokens import LIMITS, Limits, Tree, check_keys, decode, spans


class Entry(msgspec.Struct, frozen=True):
    """One entry of a Bundle. method, url, if_none_exist, if_match: of `request`, "" where absent. resource: None where absent.

    fault: why the entry's resource was refused; then resource is None.
    """

    full_url: str
    method: str
    url: str
    if_none_exist: str
    resource: Resource | None
    fault: Refused | None = None
    if_match: str = ""


class Bundle(msgspec.Struct, frozen=True):
    """A Bundle: its type (transaction, batch, collection, …), entries in order, and the digest of its bytes."""

    type: str
    entries: tuple[Entry, ...]
    source: bytes


def read_bundle(raw: bytes, *, limits: Limits = LIMITS) -> Bundle:
    """Read a Bundle with each entry's exact bytes.

    Raises `Refused` for bytes that are no JSON of one reading or no Bundle; what is wrong with one entry's resource
    stands in that entry, because a batch answers each entry by itself and a transaction refuses at the first.
    """
    tree = decode(raw, limits.bundle_bytes, limits)
    if type_of(tree, "") != "Bundle":
        raise Refused("not-a-bundle", "", expected="a Bundle", got="another resource type", todo="send a Bundle")
    check_elements(tree, "Bundle", "Bundle")
    trees: list[Tree] = tree.get("entry", [])
    if len(trees) > limits.entries:
        told = f"at most {limits.entries} entries"
        raise Refused(
            "too-many-entries", "Bundle.entry", expected=told, got=f"{len(trees)}", todo="send several Bundles"
        )
    envelope = {**tree, "entry": [_frame(entry) for entry in trees]} if "entry" in tree else tree
    outer = survey_of(envelope, limits.depth)
    surveys = [survey_of(entry["resource"], limits.depth - 3) if "resource" in entry else None for entry in trees]
    check_keys(raw, outer.keys + sum(survey.keys for survey in surveys if survey), "Bundle")
    if outer.fault:
        raise explain(envelope, "Bundle", outer.fault)
    source = digest("salus/v1/source", raw)
    entries = []
    for number, (span, entry, survey) in enumerate(zip(spans(raw), trees, surveys, strict=True)):
        entries.append(_entry(entry, span, survey, f"Bundle.entry[{number}]", source))
    return Bundle(str(tree.get("type", "")), tuple(entries), source)


def _frame(entry: Tree) -> Tree:
    """Return an entry with a placeholder for its resource."""
    return {name: True if name == "resource" else value for name, value in entry.items()}


def _entry(entry: Tree, span: bytes, survey: Survey | None, path: str, source: bytes) -> Entry:
    request = entry.get("request", {})
    texts = [entry.get("fullUrl", "")]
    if not isinstance(request, dict):
        raise Refused(
            "wrong-kind", f"{path}.request", expected="an object", got=kind_of(request), todo="correct the entry"
        )
    texts += [request.get(name, "") for name in ("method", "url", "ifNoneExist", "ifMatch")]
    for text in texts:
        if not isinstance(text, str):
            raise Refused(
                "wrong-kind",
                path,
                expected="strings in fullUrl and request",
                got=kind_of(text),
                todo="correct the entry",
            )
    full_url, method, url, if_none_exist, if_match = texts
    if survey is None:
        return Entry(full_url, method, url, if_none_exist, None, if_match=if_match)
    try:
        kind = type_of(entry["resource"], f"{path}.resource")
        resource = admit(
            span,
            entry["resource"],
            kind,
            survey,
            source,
            id_required=method not in {"POST", "PATCH"} and "?" not in url,
            within=f"{path}.resource",
        )
    except Refused as fault:
        return Entry(full_url, method, url, if_none_exist, None, fault, if_match)
    return Entry(full_url, method, url, if_none_exist, resource, if_match=if_match)


def urn_of(seed: str) -> str:
    """Return a urn:uuid (version 4 in form) that is the same whenever the seed is."""
    told = hashlib.sha256(seed.encode()).hexdigest()
    return f"urn:uuid:{told[:8]}-{told[8:12]}-4{told[13:16]}-8{told[17:20]}-{told[20:32]}"
