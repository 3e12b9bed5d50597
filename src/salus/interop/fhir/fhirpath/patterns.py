"""Regular expressions in linear time: RE2, so that no pattern of an expression can hang an evaluation."""

import re
from functools import lru_cache
from typing import Any, Final

import re2  # type: ignore[import-untyped]

from salus.interop.fhir.fhirpath.errors import EvaluationFailed, LimitExceeded

MAX_PATTERN = 4_096  # characters; the longest in the R4 definitions has 150
MAX_SUBJECT = 1_048_576  # characters, FHIR's limit for a string
_MEMORY: Final = 8 << 20  # bytes for one automaton, which bounds counted repetitions like (a{1000}){1000}

_REFERENCE: Final = re.compile(r"\$(?:(\d)|\{(\w+)\})")


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Any:
    """Compile a pattern, `.` matching line ends (N1 5.6.9).

    Raises EvaluationFailed for what RE2 does not take (look-around, back references), LimitExceeded for its size.
    """
    if len(pattern) > MAX_PATTERN:
        raise LimitExceeded(f"a pattern has more than {MAX_PATTERN} characters")
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as fault:
        raise EvaluationFailed("a pattern is malformed, or uses look-around or back references") from fault


def matches(subject: str, pattern: str, *, full: bool) -> bool:
    """Tell whether the pattern is found in the subject, or with `full` covers it."""
    automaton = compiled(pattern)
    found = automaton.fullmatch(_short(subject)) if full else automaton.search(_short(subject))
    return found is not None


def replaced(subject: str, pattern: str, substitution: str) -> str:
    """Replace every match; `$1` and `${name}` in the substitution stand for groups."""
    if not pattern:
        return subject

    def fill(found: Any) -> str:
        def group(reference: re.Match[str]) -> str:
            name = int(reference[1]) if reference[1] else reference[2]
            try:
                return found.group(name) or ""
            except (IndexError, KeyError):
                return ""

        return _REFERENCE.sub(group, substitution)

    return str(compiled(pattern).sub(fill, _short(subject)))


def _short(subject: str) -> str:
    if len(subject) > MAX_SUBJECT:
        raise LimitExceeded(f"a pattern is applied to more than {MAX_SUBJECT} characters")
    return subject
