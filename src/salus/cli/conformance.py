"""The FHIR conformance page, from the CapabilityStatement that the node gives and the parameters that it compiles."""

from collections.abc import Iterator

from salus.interop.fhir.search.definitions import parameters
from salus.interop.fhir.search.query import MODIFIERS, REFUSED, RESULT, WHOLE
from salus.interop.fhir.search.terms import PREFIXES
from salus.interop.fhir.survey import TYPES
from salus.node.fhir.capability import INTERACTIONS, SYSTEM
from salus.node.fhir.routes import ROUTES


def lines() -> Iterator[str]:
    """Return the page's lines below its title."""
    yield "What `GET /fhir/metadata` says, in short; a parameter that is not listed is refused with this list. `GET /fhir/openapi.json` describes it in OpenAPI."
    yield ""
    yield f"- FHIR 4.0.1, in JSON and XML. Of every type: {', '.join(INTERACTIONS)}. Of the server: {', '.join(SYSTEM)}."
    operations = dict.fromkeys(
        f"`{route.path.replace('{kind}/', '').replace('{own}', '[id]')}`" for route in ROUTES if route.operation
    )
    yield f"- Operations: {', '.join(operations)}; terminology of what is at hand."
    yield "- Patches: JSON Patch and FHIRPath Patch, also conditional and in Bundles (a JSON Patch as Binary)."
    yield f"- Prefixes: {', '.join(PREFIXES)}. Joins: chains, `_has`, `_include`, `_revinclude`, `:iterate`."
    yield f"- Result parameters: {', '.join(f'`{one}`' for one in RESULT)}. `Bundle.total` is always told and exact."
    for kind, modifiers in sorted(MODIFIERS.items()):
        told = ", ".join(f"`:{one}`" for one in modifiers)
        yield f"- Modifiers of {kind} parameters: {told}{', `:Type`' if kind == 'reference' else ''}."
    yield "- A quantity in a UCUM unit is found in every unit of its dimension; one without system, as it is written."
    for name, told in WHOLE.items():
        yield f"- `{name}`: {told}."
    yield "- Not answered, and refused with what there is instead: export of groups;"
    yield f"  {'; '.join(f'`{name}` ({told})' for name, told in REFUSED.items())}."
    yield ""
    yield "| type | search parameters |"
    yield "|---|---|"
    for kind in sorted(TYPES):
        own = [code for code in sorted(parameters(kind)) if not code.startswith("_")]
        yield f"| {kind} | {', '.join(own) or 'those of every type'} |"
    yield ""
    general = [code for code in sorted(parameters("Patient")) if code.startswith("_")]
    yield f"Of every type: {', '.join(f'`{code}`' for code in general)}."
