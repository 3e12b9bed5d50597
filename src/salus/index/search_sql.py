"""A typed question as SQL that SQLite and PostgreSQL both run, but for the words of full text (`InWords`).

PostgreSQL's database has the encoding UTF8 and the collation C, so that texts compare by their bytes as SQLite's do.

Each test has two forms: a *set* (`SELECT entry ...`) that a query can start from, and a *check* on `e.number` for rows
that another test has found. Tests through references are sets that see permitted rows only.
"""

from collections.abc import Callable, Sequence
from math import cos, degrees, pi, radians, sin
from typing import Any, Final, TypeAlias, assert_never

from salus.index.predicates import marks
from salus.index.search_scope import Scope
from salus.interop.fhir.search.definitions import IDENTIFIER, OF_TYPE, Parameter
from salus.interop.fhir.search.query import AnyOf, Chain, Criterion, Reverse, Test, Words
from salus.interop.fhir.search.terms import (
    CodesTerm,
    CompositeTerm,
    NearTerm,
    RangeTerm,
    ReferenceTerm,
    StringTerm,
    Term,
    TokenTerm,
    UriTerm,
)
from salus.interop.fhir.search.words import Phrase

Sql = tuple[str, list[Any]]
FROM: Final = "entry e JOIN link l ON l.number = e.link"
EARTH: Final = 6_371_008.8
"""Mean radius in metres."""
LAST: Final = "\U0010ffff"


InWords: TypeAlias = Callable[[Words], Sql]
"""Returns the set of rows with some words: what each database says in its own language. In no order: a rank would weigh
rows by words of others, which may be hidden."""


class Compiler:
    """Compiles tests under one scope."""

    def __init__(self, scope: Scope, in_words: InWords) -> None:
        self._scope = scope
        self._words = in_words

    def check(self, test: Test, kind: str) -> Sql:
        """Return a test on the row `e` of type `kind`."""
        if isinstance(test, Criterion):
            return _check(test)
        if isinstance(test, Words):
            text, values = self._words(test)
            return f"e.number IN ({text})", values
        if isinstance(test, AnyOf):
            told = [_check(one) for one in test.criteria]
            return f"({' OR '.join(text for text, _ in told)})", [value for _, values in told for value in values]
        text, values = self.set_of(test, kind)
        return f"e.{_key(test)} IN ({text})", values

    def set_of(self, test: Test, kind: str) -> Sql:
        """Return the numbers of all rows that meet a test (names, for `_has`), whether permitted or not."""
        if isinstance(test, Criterion):
            return _set(test, kind)
        if isinstance(test, Words):
            return self._words(test)
        if isinstance(test, AnyOf):
            sets = [_set(one, kind) for one in test.criteria]
            return " UNION ".join(text for text, _ in sets), [value for _, values in sets for value in values]
        if isinstance(test, Chain):
            return self._chain(test)
        return self._reverse(test)

    def _chain(self, chain: Chain) -> Sql:
        parts, values = [], []
        for target, inner in chain.inner:
            text, told = self._within(inner, target)
            param, numbers = under(chain.parameter, "r")
            parts.append(
                f"SELECT r.entry FROM {FROM} CROSS JOIN s_reference r "  # noqa: S608 -- compiled parts
                f"WHERE e.type = ? AND {self._scope.text} AND {text} AND {param} AND r.target = e.name"
            )
            values += [target, *self._scope.values, *told, *numbers]
        return " UNION ".join(parts), values

    def _within(self, test: Test, kind: str) -> Sql:
        """Return a test on `e` where nothing has narrowed the rows yet: by its set, if it has one."""
        if not starts(test):
            return self.check(test, kind)
        text, values = self.set_of(test, kind)
        return f"e.number IN ({text})", values

    def _reverse(self, reverse: Reverse) -> Sql:
        text, told = self._within(reverse.inner, reverse.kind)
        param, numbers = under(reverse.parameter, "r")
        sql = (
            f"SELECT r.target FROM {FROM} CROSS JOIN s_reference r "  # noqa: S608 -- compiled parts
            f"WHERE e.type = ? AND {self._scope.text} AND {text} AND r.entry = e.number AND {param}"
        )
        return sql, [reverse.kind, *self._scope.values, *told, *numbers]


def in_fts5(test: Words) -> Sql:
    """Return the set of rows with some words for SQLite: a table `words` of FTS5."""
    told = " OR ".join(f"({' AND '.join(map(_phrase, one))})" for one in test.alternatives)
    column = "narrative : " * test.narrative
    return "SELECT v.rowid FROM words v WHERE v.words MATCH ?", [f"{column}({told})"]


def _phrase(phrase: Phrase) -> str:
    """Return a phrase of FTS5: its words are letters and digits, so nothing in it is an operator."""
    return f'"{" ".join(phrase.words)}"' + " *" * phrase.begins


def _key(test: Chain | Reverse) -> str:
    return "number" if isinstance(test, Chain) else "name"


def starts(test: Test) -> bool:
    """Tell whether a query can start from a test's set: not from what is absent, not from names."""
    if isinstance(test, Criterion):
        return test.modifier != "not" and test.missing is None and test.parameter.code != "_lastUpdated"
    return not isinstance(test, Reverse)


def _own(test: Criterion) -> bool:
    return test.parameter.code in {"_id", "_lastUpdated"}


def _set(test: Criterion, kind: str) -> Sql:
    """Return the set of rows that meet a criterion."""
    if _own(test):
        text, values = _check(test)
        if text.startswith("e.id IN"):  # names have an index of their own
            names = [f"{kind}/{one}" for one in values]
            return f"SELECT e.number FROM entry e WHERE e.name IN ({marks(len(names))})", names  # noqa: S608 -- constants
        return f"SELECT e.number FROM entry e WHERE e.type = ? AND {text}", [kind, *values]  # noqa: S608 -- compiled parts
    parts, values = [], []
    for term in test.terms:
        text, told = _matching(test.parameter, test.modifier, term)
        parts.append(f"SELECT DISTINCT v.entry FROM {text}")  # noqa: S608 -- compiled parts
        values += told
    return " UNION ".join(parts), values


def _check(test: Criterion) -> Sql:
    if test.parameter.code == "_id":
        return _check_id(test)
    if test.parameter.code == "_lastUpdated":
        return _check_updated(test)
    if test.missing is not None:
        return _check_missing(test.parameter, missing=test.missing)
    parts, values = [], []
    for term in test.terms:
        text, told = _matching(test.parameter, test.modifier, term)
        parts.append(f"EXISTS (SELECT 1 FROM {text} AND v.entry = e.number)")  # noqa: S608 -- compiled parts
        values += told
    joined = f"({' OR '.join(parts)})"
    return (f"NOT {joined}" if test.modifier == "not" else joined), values


def _check_id(test: Criterion) -> Sql:
    if test.missing is not None:
        return ("(1 = 0)" if test.missing else "(1 = 1)"), []
    codes = [term.code or "" for term in test.terms if isinstance(term, TokenTerm) and not term.system]
    text = f"e.id IN ({marks(len(codes))})" if codes else "(1 = 0)"
    return (f"NOT ({text})" if test.modifier == "not" else text), codes


def _check_updated(test: Criterion) -> Sql:
    if test.missing is not None:
        return ("(1 = 0)" if test.missing else "(1 = 1)"), []
    told = [_date("e.recorded", "(e.recorded + 1)", term) for term in test.terms if isinstance(term, RangeTerm)]
    return f"({' OR '.join(text for text, _ in told)})", [value for _, values in told for value in values]


def table_of(parameter: Parameter) -> str:
    """Return the table of a parameter's values; of a composite that of its first part."""
    if parameter.type == "phonetic":
        return "s_string"
    return f"s_{parameter.components[0].type if parameter.components else parameter.type}"


def under(parameter: Parameter, alias: str = "v", *, shift: int = 0) -> Sql:
    """Return the test of value rows by the numbers under which a parameter's stand, each with `shift` added."""
    return f"{alias}.param IN ({marks(len(parameter.numbers))})", [number + shift for number in parameter.numbers]


def _check_missing(parameter: Parameter, *, missing: bool) -> Sql:
    first, *rest = parameter.components or (parameter,)
    param, values = under(first)
    text = f"SELECT 1 FROM {table_of(first)} v WHERE {param} AND v.entry = e.number"  # noqa: S608 -- constants
    for part in rest:
        param, numbers = under(part, "w")
        text += (
            f" AND EXISTS (SELECT 1 FROM {table_of(part)} w WHERE {param} AND w.entry = v.entry AND w.place = v.place)"  # noqa: S608 -- constants
        )
        values += numbers
    text = f"EXISTS ({text})"
    if parameter.type == "reference":
        param, numbers = under(parameter, shift=IDENTIFIER)
        text = f"({text} OR EXISTS (SELECT 1 FROM s_token v WHERE {param} AND v.entry = e.number))"  # noqa: S608 -- constants
        values += numbers
    return (f"NOT {text}" if missing else text), values


def _matching(parameter: Parameter, modifier: str, term: Term) -> Sql:
    """Return "table v WHERE ..." of the value rows that a term matches."""
    match term:
        case TokenTerm():
            told = _token(parameter, modifier, term)
        case CodesTerm(codes):
            told = _codes(parameter, codes)
        case StringTerm(text):
            told = _string(parameter, modifier, text)
        case RangeTerm():
            told = _range(parameter, term)
        case ReferenceTerm(targets):
            told = _rows("s_reference", parameter, f"v.target IN ({marks(len(targets))})", targets)
        case UriTerm(uri):
            told = _uri(parameter, modifier, uri)
        case NearTerm():
            told = _near(parameter, term)
        case CompositeTerm(parts):
            told = _composite(parameter, parts)
        case _ as never:
            assert_never(never)
    return told


def _rows(table: str, parameter: Parameter, test: str, told: Sequence[Any], *, shift: int = 0) -> Sql:
    """Return the rows of a parameter that meet a test."""
    param, values = under(parameter, shift=shift)
    return f"{table} v WHERE {param} AND {test}", [*values, *told]


def _token(parameter: Parameter, modifier: str, term: TokenTerm) -> Sql:
    if modifier == "text":
        return _between("s_string", "folded", parameter, term.text)
    tests, told = ["1 = 1"], []
    if term.code is not None:
        tests.append("v.code = ?")
        told.append(term.code)
    if term.system:
        tests.append("v.system IN (?, '*')")
        told.append(term.system)
    elif term.system == "":
        tests.append("v.system = ''")
    shift = {"of-type": OF_TYPE, "identifier": IDENTIFIER}.get(modifier, 0)
    return _rows("s_token", parameter, " AND ".join(tests), told, shift=shift)


def _codes(parameter: Parameter, codes: Sequence[tuple[str, tuple[str, ...]]]) -> Sql:
    """Return the rows whose code is one of some, by system; codes without a system of their own ("*") count."""
    parts, values = [], []
    for system, among in codes:
        parts.append(f"(v.system IN (?, '*') AND v.code IN ({marks(len(among))}))")
        values += [system, *among]
    return _rows("s_token", parameter, f"({' OR '.join(parts) or '1 = 0'})", values)


def _between(table: str, column: str, parameter: Parameter, text: str) -> Sql:
    """Return the rows whose text starts with `text`, as a range that an index can walk."""
    return _rows(table, parameter, f"v.{column} >= ? AND v.{column} < ?", (text, text + LAST))


def _string(parameter: Parameter, modifier: str, text: str) -> Sql:
    if modifier == "exact":
        return _rows("s_string", parameter, "v.exact = ?", (text,))
    if modifier == "contains":
        return _rows("s_string", parameter, "v.folded LIKE ? ESCAPE '\\'", (f"%{_escaped(text)}%",))
    return _between("s_string", "folded", parameter, text)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _uri(parameter: Parameter, modifier: str, uri: str) -> Sql:
    if modifier == "below":
        return _between("s_uri", "uri", parameter, uri)
    if modifier == "above":  # its own ancestors: every prefix that ends before a slash, and itself
        ends = [at for at, char in enumerate(uri) if char == "/"]
        above = [uri, *(uri[:at] for at in ends), *(uri[: at + 1] for at in ends)]
        return _rows("s_uri", parameter, f"v.uri IN ({marks(len(above))})", above)
    if modifier == "contains":  # not LIKE, which is blind to case in SQLite
        return _rows("s_uri", parameter, "replace(v.uri, ?, '') <> v.uri", (uri,))
    return _rows("s_uri", parameter, "v.uri = ?", (uri,))


def _range(parameter: Parameter, term: RangeTerm) -> Sql:
    if parameter.type == "date":
        text, values = _date("v.lo", "v.hi", term)
        return _rows("s_date", parameter, text, values)
    text, told = _number(term)
    if term.system is not None:
        text += " AND v.system = ?"
        told.append(term.system)
    if term.code is not None:
        text += " AND v.code = ?" if term.system is not None else " AND (v.code = ? OR v.unit = ?)"
        told += [term.code] if term.system is not None else [term.code, term.code]
    return _rows(f"s_{parameter.type}", parameter, text, told)


def _date(low: str, high: str, term: RangeTerm) -> Sql:
    """Compare [pl, ph) asked with [rl, rh) stored (R4 3.1.1.4.7). Of two bounds the first lets an index be walked."""
    lo, hi = term.lo, term.hi
    match term.prefix:
        case "eq":
            told: Sql = f"{low} >= ? AND {low} < ? AND {high} <= ?", [lo, hi, hi]
        case "ne":
            told = f"({low} < ? OR {high} > ?)", [lo, hi]
        case "gt":
            told = f"{high} > ?", [hi]
        case "lt":
            told = f"{low} < ?", [lo]
        case "ge":
            told = f"({high} > ? OR ({low} >= ? AND {high} <= ?))", [hi, lo, hi]
        case "le":
            told = f"({low} < ? OR ({low} >= ? AND {high} <= ?))", [lo, lo, hi]
        case "sa":
            told = f"{low} >= ?", [hi]
        case "eb":
            told = f"{high} <= ?", [lo]
        case _:
            told = f"({low} < ? AND {high} > ?)", [hi, lo]
    return told


def _number(term: RangeTerm) -> Sql:
    """Compare a number asked with [lo, hi] stored (R4 3.1.1.4.8): eq and ne by its precision, the others exactly."""
    exact = term.exact
    match term.prefix:
        case "eq":
            told: Sql = "v.lo >= ? AND v.lo < ? AND v.hi < ?", [term.lo, term.hi, term.hi]
        case "ne":
            told = "(v.lo < ? OR v.hi >= ?)", [term.lo, term.hi]
        case "gt" | "sa":
            told = (f"v.{'hi' if term.prefix == 'gt' else 'lo'} > ?", [exact])
        case "lt" | "eb":
            told = (f"v.{'lo' if term.prefix == 'lt' else 'hi'} < ?", [exact])
        case "ge":
            told = "v.hi >= ?", [exact]
        case "le":
            told = "v.lo <= ?", [exact]
        case _:
            told = "(v.lo <= ? AND v.hi >= ?)", [term.hi, term.lo]
    return told


def _near(parameter: Parameter, term: NearTerm) -> Sql:
    """Return the latitudes in reach whose longitude is, too: by the haversine formula on a sphere, 0.5 % off at most."""
    latitude, longitude = parameter.components
    angle = min(term.metres / EARTH, pi)
    (one, of_one), (other, of_other) = under(latitude), under(longitude, "w")
    text = (
        "s_number v JOIN s_number w ON w.entry = v.entry AND w.place = v.place "
        f"WHERE {one} AND v.lo BETWEEN ? AND ? AND {other} AND power(sin(radians(v.lo - ?) / 2), 2) "
        "+ ? * cos(radians(v.lo)) * power(sin(radians(w.lo - ?) / 2), 2) <= ?"
    )
    at = term.latitude
    values = [*of_one, at - degrees(angle), at + degrees(angle), *of_other]
    return text, [*values, at, cos(radians(at)), term.longitude, sin(angle / 2) ** 2]


def _composite(parameter: Parameter, parts: tuple[Term, ...]) -> Sql:
    """Return rows of the first component whose element meets the others too."""
    first, *rest = zip(parameter.components, parts, strict=True)
    text, values = _matching(first[0], "", first[1])
    for component, term in rest:
        inner, told = _matching(component, "", term)
        inner = inner.replace("v.", "w.").replace(" v WHERE", " w WHERE", 1)
        text += f" AND EXISTS (SELECT 1 FROM {inner} AND w.entry = v.entry AND w.place = v.place)"  # noqa: S608 -- compiled parts
        values = [*values, *told]
    return text, values
