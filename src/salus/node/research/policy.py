"""What data may be used for, written as people write it: `DUO:0000046`, `DUO:0000007=MONDO:0005148,MONDO:0005015`."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from salus.contracts.research.port import CLASSES, Kind, Policy, UnknownClass, faults, name_of, number
from salus.core.encoding import MalformedBytes, decode, encode
from salus.node.errors import Malformed

NEEDS: Final = {
    7: "diseases",
    12: "research",
    22: "regions",
    24: "moratorium",
    25: "months",
    27: "projects",
    28: "institutions",
}
"""Classes that come with a list or a number, and the field of a policy that holds it."""
GIVEN: Final = {
    7: "MONDO:0005148,MONDO:0005015",
    12: "DUO:0000037",
    22: "US-MA,DE",
    24: "2027-01-01",
    25: "12",
    27: "00112233445566778899aabbccddeeff",
    28: "a-university",
}
"""How each is given, behind the class's name and `=`."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def code_of(text: str) -> int:
    """Return the number of a DUO class by its name. Raises Malformed."""
    try:
        return number(text)
    except UnknownClass:
        raise Malformed(
            "research.duo", "no class of the Data Use Ontology has this name", expected="DUO:0000042"
        ) from None


def policy_of(tokens: tuple[str, ...]) -> Policy:
    """Return the policy of a permission and its modifiers, in any order. Raises Malformed."""
    fields: dict[str, Any] = {"permission": 0}
    modifiers = []
    for token in tokens:
        name, _, argument = token.partition("=")
        code = code_of(name)
        if CLASSES[code].kind is Kind.PERMISSION:
            fields["permission"] = code
        else:
            modifiers.append(code)
        if argument:
            fields |= _argument(code, argument)
    try:
        read = decode(encode(Policy(**fields, modifiers=tuple(sorted(modifiers)))), Policy)
    except MalformedBytes:
        raise Malformed("research.policy", "a class lacks what it needs, or has what it does not take") from None
    for wrong in faults(read):
        name = name_of(wrong.code) if wrong.code else "no permission"
        raise Malformed(
            "research.policy",
            wrong.why,
            expected=f"{name}={GIVEN[wrong.code]}" if wrong.code in GIVEN else "",
            got=name,
        )
    return read


def _argument(code: int, argument: str) -> dict[str, Any]:
    field = NEEDS.get(code)
    if field is None:
        raise Malformed("research.policy", "this class takes nothing", got=name_of(code))
    listed = tuple(sorted({*argument.split(",")}))
    try:
        if field == "months":
            return {field: int(argument)}
        if field == "moratorium":
            day = datetime.fromisoformat(argument).replace(tzinfo=UTC)
            return {field: (day - EPOCH) // timedelta(milliseconds=1)}
        if field == "projects":
            return {field: tuple(bytes.fromhex(one) for one in listed)}
    except ValueError:
        raise Malformed(
            "research.policy",
            "what the class needs is not readable",
            expected=f"{name_of(code)}={GIVEN[code]}",
            got=name_of(code),
        ) from None
    return {field: tuple(sorted(map(code_of, listed))) if field == "research" else listed}


def tokens_of(policy: Policy) -> tuple[str, ...]:
    """Return a policy as `policy_of` reads it."""
    told = []
    for code in (policy.permission, *policy.modifiers):
        field = NEEDS.get(code)
        if field is None:
            told.append(name_of(code))
            continue
        value = getattr(policy, field)
        if field == "moratorium":
            text = (EPOCH + timedelta(milliseconds=value)).date().isoformat()
        elif field == "months":
            text = str(value)
        else:
            text = ",".join(_shown(field, one) for one in value)
        told.append(f"{name_of(code)}={text}")
    return tuple(told)


def _shown(field: str, value: Any) -> str:
    if field == "research":
        return name_of(value)
    return value.hex() if isinstance(value, bytes) else str(value)
