"""How FHIR input is refused: a stable code, the element, what was expected, what came and what to do.

Nothing of the input's values is repeated, because refusals travel into logs: `got` names kinds and sizes only, and a
path names only elements that FHIR R4 defines.
"""

from salus.core.errors import SalusError


class Refused(SalusError):
    """FHIR input that is not taken in.

    code: stable, kebab-case. path: FHIRPath of the element ("Observation.code.coding[0]"), "" when the bytes are
    no JSON. expected, got, todo: one short phrase each, free of the input's values.
    """

    def __init__(self, code: str, path: str, *, expected: str, got: str, todo: str) -> None:
        self.code = code
        self.path = path
        self.expected = expected
        self.got = got
        self.todo = todo
        super().__init__(f"{code} at {path or 'the start'}: expected {expected}, got {got}; {todo}")


def kind_of(value: object) -> str:
    """Name the JSON kind of a decoded value, never the value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return f"a string of {len(value)} characters"
    if isinstance(value, dict):
        return f"an object of {len(value)} elements"
    if isinstance(value, list):
        return f"an array of {len(value)} items"
    return "a number"
