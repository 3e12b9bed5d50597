"""Questions of R4 search (3.1.1) as typed values: what each parameter, modifier and prefix asks for.

What is not understood is refused with what exists, even under `handling=lenient`: a misspelt parameter that is ignored
returns everybody.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Final, Literal, Protocol

import msgspec

from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.search.definitions import Parameter, parameters
from salus.interop.fhir.search.terms import CodesTerm, ReferenceTerm, Term, TokenTerm, read_terms, split, unescaped
from salus.interop.fhir.search.words import MAX_PHRASES, Phrase, phrases
from salus.interop.fhir.survey import TYPES
from salus.interop.fhir.tokens import ID

MAX_PARAMETERS: Final = 100
"""Of one question: more are nothing a person or a program composes."""
MAX_VALUES: Final = 500
"""Alternatives of one parameter: a clinic's day list of patients fits."""
MAX_LENGTH: Final = 65_536
"""Characters of one question."""
MAX_CHAIN: Final = 4
"""Steps of a chain: each is a join over everything of a type."""
MAX_CODES: Final = 10_000
"""Codes that a value set or a branch may bring into one question: a third of what SQLite takes values."""
MAX_COUNT: Final = 1_000
DEFAULT_COUNT: Final = 50
MAX_SORT: Final = 4

Summary = Literal["", "true", "text", "data", "count", "false"]
MODIFIERS: Final[Mapping[str, tuple[str, ...]]] = {
    "token": ("not", "text", "of-type", "missing", "in", "not-in", "above", "below"),
    "string": ("exact", "contains", "missing"),
    "uri": ("above", "below", "contains", "missing"),
    "reference": ("identifier", "missing"),
    "date": ("missing",),
    "number": ("missing",),
    "quantity": ("missing",),
    "composite": ("missing",),
    "phonetic": ("missing",),
    "special": ("missing",),
}
TOLD_BY_CODES: Final = frozenset({"in", "not-in", "above", "below"})
RESULT: Final = (
    "_count", "_elements", "_format", "_include", "_pretty", "_revinclude", "_sort", "_summary", "_total",
    "_totalMethod",  # what fhirpy asks for a count by; the total is the same by any method
)  # fmt: skip
_SUMMARIES: Final = ("true", "text", "data", "count", "false")
TEXT: Final = "_text"
CONTENT: Final = "_content"
LIST: Final = "_list"
WHOLE: Final[Mapping[str, str]] = {
    CONTENT: 'words and "phrases" in the narrative and all other text; beginnings as word*',
    LIST: "the id of a List whose entries refer to what is sought",
    TEXT: 'words and "phrases" in the narrative; beginnings as word*',
}
"""Parameters of every type that stand for no element."""
REFUSED: Final[Mapping[str, str]] = {
    "_filter": "use parameters, commas (or), repetition (and), :not, :missing, chains and _has",
    "_query": "there are no named queries",
    "_type": "search one type at a time, or post a batch",
}
"""Parameters of R4 that are not answered, with what there is instead."""


class Codes(Protocol):
    """Terminology at hand: codes by system; None of what is not here whole."""

    def among(self, url: str) -> Mapping[str, Collection[str]] | None:
        """Return the codes of a value set."""

    def branch(self, system: str, code: str, *, below: bool) -> Collection[str] | None:
        """Return a code with those below, or above, it."""


class Criterion(msgspec.Struct, frozen=True):
    """One parameter with its alternatives: it holds when any term does; under `not` when none does.

    missing: True, False, or None where `:missing` was not asked; then there are no terms.
    """

    parameter: Parameter
    modifier: str
    terms: tuple[Term, ...]
    missing: bool | None = None


class Chain(msgspec.Struct, frozen=True):
    """The target of a reference parameter, of one of some types, meets a question: `subject:Patient.name=x`."""

    parameter: Parameter
    inner: tuple[tuple[str, "Test"], ...]
    """(target type, test): any of them holds."""


class Reverse(msgspec.Struct, frozen=True):
    """Something of type `kind` refers here by `parameter` and meets a test: `_has:Observation:patient:code=x`."""

    kind: str
    parameter: Parameter
    inner: "Test"


class AnyOf(msgspec.Struct, frozen=True):
    """One of several criteria holds: what a compartment demands."""

    criteria: tuple[Criterion, ...]


class Words(msgspec.Struct, frozen=True):
    """The narrative (`_text`), or all text (`_content`), has all phrases of any alternative."""

    narrative: bool
    alternatives: tuple[tuple[Phrase, ...], ...]


Test = Criterion | Chain | Reverse | AnyOf | Words


class Sort(msgspec.Struct, frozen=True):
    """One key of the order."""

    parameter: Parameter
    descending: bool


class Include(msgspec.Struct, frozen=True):
    """What is added to each page: what `kind`'s parameter leads to (or, reverse, what leads to the page by it).

    parameters: numbers under which the values of `kind`'s parameters stand. target: only of this type, "" any. iterate: also from what was added.
    """

    kind: str
    parameters: tuple[int, ...]
    target: str
    reverse: bool
    iterate: bool


class Query(msgspec.Struct, frozen=True):
    """A question about one type."""

    kind: str
    tests: tuple[Test, ...] = ()
    sort: tuple[Sort, ...] = ()
    count: int = DEFAULT_COUNT
    summary: Summary = ""
    elements: tuple[str, ...] = ()
    includes: tuple[Include, ...] = ()


def read_query(
    kind: str, pairs: Sequence[tuple[str, str]], *, now: int, base: str = "", codes: Codes | None = None
) -> Query:
    """Read a question's (name, value) pairs. `now` (Unix ms) widens `ap`; `base` is the server's own URL.

    codes: what `:in`, `:not-in`, `:above` and `:below` of tokens are told by; without, they are refused.
    Raises `Refused`: search-parameter, search-modifier, search-value, search-size; each lists what is understood.
    """
    if len(pairs) > MAX_PARAMETERS or sum(len(name) + len(value) for name, value in pairs) > MAX_LENGTH:
        raise Refused(
            "search-size",
            kind,
            expected=f"at most {MAX_PARAMETERS} parameters and {MAX_LENGTH} characters",
            got="more",
            todo="split the question",
        )
    tests: list[Test] = []
    includes: list[Include] = []
    results: dict[str, str] = {}
    reader = _Reader(now, base, codes)
    for name, value in pairs:
        head = name.partition(":")[0]
        if head in {"_include", "_revinclude"}:
            includes.append(_include(kind, name, value))
        elif head in RESULT:
            if name in results or head != name:
                raise _bad_value(kind, name, "the parameter once and without modifier")
            results[name] = value
        else:
            tests.append(reader.test(kind, name, value, 0))
    return Query(
        kind,
        tuple(tests),
        _sort(kind, results.get("_sort", "")),
        _count(kind, results.get("_count")),
        _summary(kind, results),
        _elements(kind, results),
        tuple(includes),
    )


def in_compartment(kind: str, codes: Sequence[str], *names: str) -> AnyOf:
    """Return the test that a resource is in the compartment of one of `names` ("Patient/x") by one of its parameters."""
    terms = (ReferenceTerm(names),)
    return AnyOf(tuple(Criterion(parameter_of(kind, code), "", terms) for code in codes))


class _Reader:
    """Reads tests, with what their values depend on."""

    def __init__(self, now: int, base: str, codes: Codes | None) -> None:
        self._now = now
        self._base = base
        self._codes = codes

    def test(self, kind: str, name: str, value: str, depth: int) -> Test:
        if depth > MAX_CHAIN:
            raise Refused(
                "search-chain", kind, expected=f"at most {MAX_CHAIN} steps", got="more", todo="ask in two steps"
            )
        if name.startswith("_has:"):
            return self._reverse(kind, name, value, depth)
        if name in WHOLE:
            return _in_list(kind, value) if name == LIST else _words(kind, name, value)
        head, dot, rest = name.partition(".")
        if dot:
            return self._chain(kind, head, rest, value, depth=depth)
        code, colon, modifier = name.partition(":")
        parameter = parameter_of(kind, code)
        if colon and parameter.type == "reference" and modifier in TYPES:
            if parameter.targets and modifier not in parameter.targets:
                raise _bad_modifier(kind, parameter)
            return self._criterion(kind, parameter, "", value, only=modifier)
        known = colon == "" or modifier in MODIFIERS[parameter.type]
        coded = parameter.type == "token" and modifier in TOLD_BY_CODES
        if not known or (coded and self._codes is None) or (coded and parameter.code == "_id"):
            raise _bad_modifier(kind, parameter)
        if coded and self._codes is not None:
            return _coded(kind, parameter, modifier, value, self._codes)
        return self._criterion(kind, parameter, modifier, value)

    def _criterion(self, kind: str, parameter: Parameter, modifier: str, value: str, *, only: str = "") -> Criterion:
        if modifier == "missing":
            if value not in {"true", "false"}:
                raise _bad_value(kind, parameter.code, "true or false")
            return Criterion(parameter, modifier, (), value == "true")
        terms = read_terms(kind, parameter, modifier, value, now=self._now, base=self._base, only=only)
        if len(terms) > MAX_VALUES:
            raise _bad_value(kind, parameter.code, f"at most {MAX_VALUES} alternatives")
        return Criterion(parameter, modifier, terms)

    def _chain(self, kind: str, head: str, rest: str, value: str, *, depth: int) -> Chain:
        code, _, only = head.partition(":")
        parameter = parameter_of(kind, code)
        if parameter.type != "reference":
            raise _bad_value(kind, code, "a parameter of type reference before the dot")
        if only and (only not in TYPES or (parameter.targets and only not in parameter.targets)):
            raise _bad_modifier(kind, parameter)
        wanted = rest.partition(".")[0].partition(":")[0]
        targets = (only,) if only else parameter.targets or tuple(sorted(TYPES))
        having = [each for each in targets if wanted == "_has" or wanted in WHOLE or wanted in parameters(each)]
        if not having:
            parameter_of(targets[0], wanted)  # refuses, with what exists
        return Chain(parameter, tuple((each, self.test(each, rest, value, depth + 1)) for each in having))

    def _reverse(self, kind: str, name: str, value: str, depth: int) -> Reverse:
        parts = name.split(":", 3)
        if len(parts) != 4 or parts[1] not in TYPES:
            raise Refused(
                "search-parameter",
                kind,
                expected="_has:Type:reference parameter:parameter",
                got="something else",
                todo="see FHIR R4 3.1.1.5.2",
            )
        parameter = parameter_of(parts[1], parts[2])
        if parameter.type != "reference" or (parameter.targets and kind not in parameter.targets):
            raise _bad_value(kind, "_has", f"a reference parameter that leads to {kind}")
        return Reverse(parts[1], parameter, self.test(parts[1], parts[3], value, depth + 1))


def _words(kind: str, name: str, value: str) -> Words:
    """Return the test of full text (R4 3.1.1.4.10)."""
    told = tuple(phrases(unescaped(part)) for part in split(value, ","))
    if len(told) > MAX_VALUES or not all(0 < len(one) <= MAX_PHRASES for one in told):
        raise _bad_value(kind, name, f"1 to {MAX_PHRASES} words, the same on each side of a comma")
    return Words(name == TEXT, told)


def _in_list(kind: str, value: str) -> Reverse:
    """Return the test of what a List's entries refer to (R4 3.1.1.5.5): of stored ones, by id."""
    ids = tuple(TokenTerm(None, unescaped(part).removeprefix("List/")) for part in split(value, ","))
    if not all(one.code and ID.fullmatch(one.code) for one in ids) or len(ids) > MAX_VALUES:
        raise _bad_value(kind, LIST, "the id of a stored List; lists by function ($current-...) are not kept")
    return Reverse("List", parameter_of("List", "item"), Criterion(parameter_of("List", "_id"), "", ids))


def _coded(kind: str, parameter: Parameter, modifier: str, value: str, codes: Codes) -> Criterion:
    """Return the test of a token against a value set (`:in`, `:not-in`) or a branch of a code system."""
    terms: list[Term] = []
    for part in split(value, ","):
        told = unescaped(part)
        if modifier in {"in", "not-in"}:
            found = codes.among(told)
        else:
            system, _, code = told.rpartition("|")
            branch = codes.branch(system, code, below=modifier == "below") if system else None
            found = None if branch is None else {system: branch}
        if found is None:
            expected = "system|code of" if modifier in {"above", "below"} else "the address of"
            what = "a code system" if modifier in {"above", "below"} else "a value set"
            raise _bad_value(kind, parameter.code, f"{expected} {what} that is here whole")
        terms.append(CodesTerm(tuple((system, tuple(sorted(among))) for system, among in sorted(found.items()))))
    if sum(len(among) for term in terms if isinstance(term, CodesTerm) for _, among in term.codes) > MAX_CODES:
        raise _bad_value(kind, parameter.code, f"at most {MAX_CODES} codes")
    return Criterion(parameter, "not" if modifier == "not-in" else "", tuple(terms))


def parameter_of(kind: str, code: str) -> Parameter:
    """Return a type's parameter. Raises `Refused` with all that the type has."""
    found = parameters(kind).get(code)
    if found is None:
        known = code in REFUSED
        raise Refused(
            "search-parameter",
            kind,
            expected=", ".join([*sorted(parameters(kind)), *WHOLE, "_has", *RESULT]),
            got=f"{code}, which is not answered" if known else "another parameter",
            todo=REFUSED[code]
            if known
            else "correct the parameter's name, or see the CapabilityStatement at /metadata",
        )
    return found


def _bad_modifier(kind: str, parameter: Parameter) -> Refused:
    told = MODIFIERS[parameter.type] + parameter.targets
    return Refused(
        "search-modifier",
        f"{kind}.{parameter.code}",
        expected=", ".join(f":{one}" for one in told),
        got="another modifier",
        todo="correct or leave out the modifier",
    )


def _bad_value(kind: str, code: str, expected: str) -> Refused:
    known = code if code in parameters(kind) or code in {*RESULT, *WHOLE, "_has"} else "?"
    return Refused("search-value", f"{kind}.{known}", expected=expected, got="another value", todo="correct the value")


def _count(kind: str, text: str | None) -> int:
    if text is None:
        return DEFAULT_COUNT
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise _bad_value(kind, "_count", f"a number; pages hold at most {MAX_COUNT}")
    return min(int(text), MAX_COUNT)


def _sort(kind: str, text: str) -> tuple[Sort, ...]:
    keys = []
    for part in text.split(",") if text else ():
        parameter = parameter_of(kind, part.removeprefix("-"))
        if parameter.type in {"composite", "phonetic", "special"}:
            raise _bad_value(kind, "_sort", "parameters that are no composites, and neither near nor phonetic")
        keys.append(Sort(parameter, part.startswith("-")))
    if len(keys) > MAX_SORT:
        raise _bad_value(kind, "_sort", f"at most {MAX_SORT} keys")
    return tuple(keys)


def _summary(kind: str, results: Mapping[str, str]) -> Summary:
    if results.get("_total", "none") not in {"none", "estimate", "accurate"}:
        raise _bad_value(kind, "_total", "none, estimate or accurate; the total is always told and exact")
    if results.get("_totalMethod", "count") not in {"count", "countEstimate"}:
        raise _bad_value(kind, "_totalMethod", "count; the total is always told and exact")
    text = results.get("_summary", "")
    if "_summary" in results and text not in _SUMMARIES:
        raise _bad_value(kind, "_summary", ", ".join(_SUMMARIES))
    return text  # type: ignore[return-value]  # one of them


def _elements(kind: str, results: Mapping[str, str]) -> tuple[str, ...]:
    text = results.get("_elements", "")
    if not text:
        return ()
    if results.get("_summary", "false") != "false":
        raise _bad_value(kind, "_elements", "either _elements or _summary")
    return tuple(part.partition(".")[0] for part in text.split(","))


def _include(kind: str, name: str, value: str) -> Include:
    """Read `_include` and `_revinclude`: [source type]:[parameter or *](:[target type]), or * for all of a type's, or to it."""
    head, _, modifier = name.partition(":")
    reverse = head == "_revinclude"
    if value == "*" and reverse and modifier in {"", "iterate"}:
        return Include("*", _leading_to(kind), "", reverse, modifier == "iterate")
    parts = [kind, "*"] if value == "*" else value.split(":")
    if modifier not in {"", "iterate"} or len(parts) not in {2, 3} or parts[0] not in TYPES:
        raise _bad_value(kind, head, "Type:parameter or Type:parameter:Type, with or without :iterate")
    if len(parts) == 3 and parts[2] not in TYPES:
        raise _bad_value(kind, head, "a resource type of R4 at the end")
    source, code = parts[0], parts[1]
    if code == "*":
        told = [one for one in parameters(source).values() if one.type == "reference"]
    else:
        parameter = parameter_of(source, code)
        if parameter.type != "reference":
            raise _bad_value(kind, head, "a parameter of type reference")
        told = [parameter]
    return Include(source, _numbers(told), parts[2] if len(parts) == 3 else "", reverse, modifier == "iterate")


@cache
def _leading_to(kind: str) -> tuple[int, ...]:
    """Return the numbers of all parameters, of any type, that may refer to a type."""
    found = (one for source in sorted(TYPES) for one in parameters(source).values() if one.type == "reference")
    return _numbers(one for one in found if not one.targets or kind in one.targets)


def _numbers(told: Iterable[Parameter]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(number for one in told for number in one.numbers))
