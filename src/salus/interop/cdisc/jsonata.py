"""JSONata as CDISC's rules use it: `_path` in every object, and the two functions that CDISC's engine adds.

    $utils.parse_refs(from, to, within)             a copy of `within`: ids under `from` become the objects, under `to`
    $utils.sift_tree(tree, value, include, prefix)  a copy of `tree`: the branches that hold the value, and named attributes

What an expression could tell two parties differently (time, chance) or hide (expressions in texts) is refused; patterns
are matched in linear time but for those with look-around (one published rule has some). Time and memory are not bounded
here: who evaluates what others wrote does it in a process where they are.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

import re2  # type: ignore[import-untyped]

from salus.interop.cdisc.findings import RuleRefused

REFUSED: Final = ("eval", "now", "millis", "random", "shuffle")
_FAULTS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    TypeError,
    ValueError,
    re.error,
)
"""What the evaluator lets through where an expression does what its language does not define."""


def placed(value: Any, path: str = "") -> Any:
    """Return JSON with the JSON pointer (RFC 6901) of every object in it as `_path`."""
    if isinstance(value, dict):
        parts = {name: placed(each, f"{path}/{_escaped(name)}") for name, each in value.items()}
        return {**parts, "_path": path}
    if isinstance(value, list):
        return [placed(each, f"{path}/{place}") for place, each in enumerate(value)]
    return value


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def parse_refs(source: str, target: str, within: Any) -> Any:
    """Return a copy in which ids under `source` are the objects of `within` with these ids, under `target`.

    An id that no object has is left out; one on the way to itself becomes `{"circularReference": id}`. The copy is a tree: an
    object that many refer to stands there many times.
    """
    known: dict[str, dict[str, Any]] = {}
    _known(within, known)

    def followed(value: Any, above: tuple[str, ...]) -> Any:
        if isinstance(value, list):
            return [followed(each, above) for each in value]
        if not isinstance(value, dict):
            return value
        here = (*above, value["id"]) if isinstance(value.get("id"), str) else above
        copy = {name: followed(each, here) for name, each in value.items() if name != source}
        ids = value.get(source)
        objects = [
            {"circularReference": id_} if id_ in here else followed(known[id_], here)
            for id_ in (ids if isinstance(ids, list) else [ids])
            if isinstance(id_, str) and id_ in known
        ]
        if objects:
            copy[target] = objects if isinstance(ids, list) else objects[0]
        return copy

    return followed(within, ())


def _known(value: Any, known: dict[str, dict[str, Any]]) -> None:
    if isinstance(value, dict):
        if isinstance(value.get("id"), str):
            known.setdefault(value["id"], value)
        for each in value.values():
            _known(each, known)
    elif isinstance(value, list):
        for each in value:
            _known(each, known)


def sift_tree(tree: Any, value: Any, include: Any, prefix: Any = None) -> Any:
    """Return a copy with the branches that hold a value, and the attributes named in `include` on the way; else None.

    With `prefix`, the names of attributes begin with the object's `instanceType` and a dot.
    """
    names = include if isinstance(include, list) else [include]

    def sifted(here: Any) -> tuple[bool, Any]:
        if here == value:
            return True, here
        if isinstance(here, list):
            kept = [copy for found, copy in map(sifted, here) if found]
            return bool(kept), kept
        if not isinstance(here, dict):
            return False, None
        before = f"{here['instanceType']}." if prefix is True and isinstance(here.get("instanceType"), str) else ""
        copy, holds = {}, False
        for name, each in here.items():
            found, part = sifted(each)
            holds = holds or found
            if found or name in names:
                copy[before + name] = part if found else each
        return holds, copy

    found, copy = sifted(tree)
    return copy if found else None


def evaluated(expression: str, document: Any) -> Sequence[Any]:
    """Return what an expression gives for a document: the items of a list, one value, or nothing. Raises RuleRefused."""
    from jsonata import Jsonata  # type: ignore[import-untyped] # noqa: PLC0415 -- the extra may not be installed
    from jsonata.jexception import JException  # type: ignore[import-untyped] # noqa: PLC0415 -- likewise

    own = {"parse_refs": Jsonata.JLambda(parse_refs), "sift_tree": Jsonata.JLambda(sift_tree)}
    bindings = {"utils": own, **{name: Jsonata.JLambda(_refusing(name)) for name in REFUSED}}
    try:
        result = Jsonata(expression, regex_engine=_pattern).evaluate(document, bindings)
    except JException as fault:
        raise RuleRefused(f"JSONata says {fault.error}") from None
    except RecursionError:
        raise RuleRefused("the expression goes too deep") from None
    except _FAULTS as fault:
        raise RuleRefused(f"the expression fails ({type(fault).__name__})") from None
    if result is None:
        return ()
    return result if isinstance(result, list) else (result,)


def _refusing(name: str) -> Callable[..., NoReturn]:
    def refusing(*_: Any) -> NoReturn:
        raise RuleRefused(f"${name} is refused: a finding must be the same for everyone, and no text is code")

    return refusing


def _pattern(pattern: str, flags: Any) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not flags.case_insensitive
    try:
        return re2.compile(f"(?m){pattern}" if flags.multiline else pattern, options)
    except re2.error:
        return re.compile(
            pattern, (re.IGNORECASE if flags.case_insensitive else 0) | (re.MULTILINE if flags.multiline else 0)
        )
