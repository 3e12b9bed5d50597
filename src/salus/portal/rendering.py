"""Pages as bytes: templates with autoescape, texts from a catalogue, one style sheet, headers that let nothing else in."""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

PACKAGE: Final = "salus.portal"
# No script runs on any page; nothing comes from elsewhere; forms go here and nowhere else.
POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "referrer-policy": "same-origin",  # with no-referrer browsers send forms with `Origin: null`
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


@cache
def texts(language: str = "en") -> Mapping[str, str]:
    """Return the catalogue of a language: `find.title` to its text."""
    read = tomllib.loads((resources.files(PACKAGE) / "texts" / f"{language}.toml").read_text(encoding="utf-8"))
    return {f"{group}.{name}": text for group, told in read.items() for name, text in told.items()}


@cache
def style() -> bytes:
    """Return the style sheet."""
    return (resources.files(PACKAGE) / "salus.css").read_bytes()


@cache
def style_path() -> str:
    """Return the style sheet's address: it names the content, so that it may be kept for good."""
    return f"/assets/{sha256(style()).hexdigest()[:16]}/salus.css"


def text(key: str, **facts: Any) -> str:
    """Return a text of the catalogue with its facts put in. Raises KeyError."""
    return texts()[key].format(**facts)


def plain(word: str) -> str:
    """Return a code of FHIR or of the ledger as words: its text in the catalogue, else its camel case taken apart."""
    found = texts().get(f"words.{word}")
    if found is not None:
        return found
    if word.isupper():
        return word
    apart = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in word).strip()
    return apart.replace("-", " ").replace("_", " ").capitalize()


def when(moment: str) -> str:
    """Return an ISO time of the node as a person reads it: `5 May 2026` or `5 May 2026, 14:03 UTC`; nothing for none."""
    if not moment:
        return ""
    if len(moment) == 10:
        day = datetime.strptime(moment, "%Y-%m-%d")  # noqa: DTZ007 -- a date without a time
        return f"{day.day} {day:%b %Y}"
    time = datetime.fromisoformat(moment)
    return f"{time.day} {time:%b %Y, %H:%M} UTC"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader(PACKAGE, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(t=text, style_path=style_path)
    made.filters.update(plain=plain, when=when)
    return made


def page(template: str, status: int = 200, **values: Any) -> Response:
    """Return a page."""
    told = _environment().get_template(f"{template}.html.jinja").render(**values)
    return HTMLResponse(told, status_code=status, headers=dict(HEADERS))


def styled() -> Response:
    """Return the style sheet, kept by browsers for a year."""
    headers = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}
    return Response(style(), media_type="text/css", headers=headers)
