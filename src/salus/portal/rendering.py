"""Pages as bytes: templates with autoescape, texts from a catalogue, one style sheet, headers that let nothing else in."""

import gzip
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache, partial
from hashlib import sha256
from importlib import resources
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from salus.node.records.charts import moment as moment_of
from salus.portal.benefits import Taken, money
from salus.portal.refusals import AT_PAGES

PACKAGE: Final = "salus.portal"
LANGUAGES: Final = ("en", "de")
# No script runs on a page that does not need one; nothing comes from elsewhere; forms go here and nowhere else.
POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SCRIPTED: Final = f"{POLICY}; script-src 'self'; connect-src 'self'"
ASSETS: Final[Mapping[str, str]] = {"salus.css": "text/css"}
TAG: Final = re.compile(
    r" \((?:disorder|finding|procedure|regime/therapy|situation|event|observable entity|qualifier value|substance|organism|product|person|"
    r"morphologic abnormality|body structure|physical object|record artifact|social concept|context-dependent category)\)$"
)
SCRIPTS: Final = "scripts"
AMOUNTS: Final = frozenset({"count", "first", "last", "read", "score", "total"})
"""Facts of texts that are amounts; heights and sizes of the ledger are names, to be typed as they stand."""
BY_CODE: Final = frozenset({"words", "refusals", "gap", "carc"})
UNITS: Final = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000))
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
def asset(name: str) -> bytes:
    """Return the bytes of an asset."""
    return (resources.files(PACKAGE) / name).read_bytes()


@cache
def asset_path(name: str) -> str:
    """Return an asset's address: it names the content, so that it may be kept for good."""
    return f"/assets/{sha256(asset(name)).hexdigest()[:16]}/{name}"


@cache
def scripts() -> Mapping[str, bytes]:
    """Return every module of the pages' scripts, by its path; what was vendored stands under `vendor/`."""
    found: dict[str, bytes] = {}
    waiting = [("", resources.files(PACKAGE) / SCRIPTS)]
    while waiting:
        path, place = waiting.pop()
        for one in place.iterdir():
            if one.is_dir():
                waiting.append((f"{path}{one.name}/", one))
            elif one.name.endswith(".js"):
                found[path + one.name] = one.read_bytes()
    return dict(sorted(found.items()))


@cache
def _spoken(key: str) -> bool:
    """Tell whether a script says a text: by its name, or of a group whose texts are named by codes."""
    group, _, name = key.partition(".")
    own = (body for path, body in scripts().items() if not path.startswith("vendor/"))
    return (group in BY_CODE and name not in AT_PAGES) or any(f'"{key}"'.encode() in body for body in own)


@cache
def script_path(name: str) -> str:
    """Return a module's address: it names the content of all of them, for they import each other."""
    told = b"".join(sha256(path.encode() + b"\0" + body).digest() for path, body in scripts().items())
    return f"/scripts/{sha256(told).hexdigest()[:16]}/{name}"


def language_of(accepted: str) -> str:
    """Return the first language of an Accept-Language header that there is a catalogue of; English if there is none."""
    asked = (part.partition(";")[0].strip().lower().partition("-")[0] for part in accepted.split(","))
    return next((one for one in asked if one in LANGUAGES), LANGUAGES[0])


def text(language: str, key: str, **facts: Any) -> str:
    """Return a text of the catalogue with its facts put in, amounts as the language writes them. Raises KeyError."""
    told = {
        name: number(language, fact) if name in AMOUNTS and isinstance(fact, int | float) else fact
        for name, fact in facts.items()
    }
    return texts(language)[key].format(**told)


def number(language: str, amount: float) -> str:
    """Return a number as a language writes it: `12,345.6`, or `12.345,6`."""
    written = f"{amount:,}"
    return written if language == LANGUAGES[0] else written.translate(str.maketrans(",.", ".,"))


def catalogue(language: str, *groups: str) -> str:
    """Return the texts of some groups as JSON, for a page's script: of one group all, of several those that scripts say."""
    told = {key: said for key, said in texts(language).items() if key.partition(".")[0] in groups}
    if len(groups) > 1:
        told = {key: said for key, said in told.items() if _spoken(key)}
    return msgspec.json.encode(
        {key.partition(".")[2] if len(groups) == 1 else key: said for key, said in told.items()}
    ).decode()


def plain(language: str, word: str, group: str = "words") -> str:
    """Return a code of FHIR or of the ledger as words: its text in a group of the catalogue, else its camel case taken apart."""
    found = texts(language).get(f"{group}.{word}")
    if found is not None:
        return found
    if word.isupper():
        return word
    apart = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in word).strip()
    return apart.replace("-", " ").replace("_", " ").capitalize()


def when(language: str, moment: str) -> str:
    """Return an ISO time of the node as a person reads it: `5 May 2026` or `5 May 2026, 14:03 UTC`; nothing for none."""
    if len(moment) < 10:  # none, or a year or month alone: as it was written
        return moment
    told = texts(language)
    time = datetime.fromisoformat(moment)
    day = told["date.day"].format(day=time.day, month=told["date.months"].split()[time.month - 1], year=time.year)
    return day if len(moment) == 10 else f"{day}, {time:%H:%M} UTC"


def span(language: str, length: int) -> str:
    """Return a length of time, given in milliseconds, in the largest unit that it is whole in: `7 days`."""
    for name, unit in UNITS:
        if length and length % unit == 0:
            count = length // unit
            return text(language, f"span.{name}" if count == 1 else f"span.{name}s", count=count)
    return f"{length} ms"


def counted(language: str, what: str) -> str:
    """Return what was read, `Condition 2, Observation 11`, with its kinds in words."""
    told = []
    for kind, gap, count in (one.rpartition(" ") for one in what.split(", ")):
        if kind == "reason":  # why an emergency access was opened
            told.append(plain(language, count))
        else:
            told.append(f"{plain(language, kind)}: {count}" if kind and count.isdigit() else kind + gap + count)
    return ", ".join(told)


def reason(language: str, taken: Taken) -> str:
    """Return why an amount is not paid: our words for its code, else the payer's."""
    return texts(language).get(f"carc.{taken.code}") or taken.words or taken.code


def untagged(label: str) -> str:
    """Return what an entry is without the semantic tag that SNOMED CT ends its full names with: `Asthma (disorder)`."""
    return TAG.sub("", label)


def entry(language: str, label: str) -> str:
    """Return what an entry is: a code that stands for its name in words, any other name without its semantic tag."""
    return texts(language).get(f"words.label-{label}") or untagged(label)


def at(language: str, time: int) -> str:
    """Return a time in Unix milliseconds as `when` does."""
    return when(language, moment_of(time))


@cache
def _environment(language: str) -> Environment:
    made = Environment(
        loader=PackageLoader(PACKAGE, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        t=partial(text, language),
        asset_path=asset_path,
        script_path=script_path,
        catalogue=partial(catalogue, language),
        language=language,
    )
    made.filters.update(
        plain=partial(plain, language),
        when=partial(when, language),
        at=partial(at, language),
        writes=writes,
        counted=partial(counted, language),
        entry=partial(entry, language),
        number=partial(number, language),
        untagged=untagged,
        money=partial(money, language),
        reason=partial(reason, language),
    )
    return made


def page(
    template: str,
    status: int = 200,
    *,
    language: str = "en",
    script: str = "",
    answered: Iterable[str] = (),
    origins: Iterable[str] = (),
    **values: Any,
) -> Response:
    """Return a page; with its script, if it needs one, the programs that its forms end at, and whom the script asks."""
    told = _environment(language).get_template(f"{template}.html.jinja").render(script=script, **values)
    policy = SCRIPTED if script else POLICY
    asked = " ".join(origins)
    if asked:
        policy = policy.replace("connect-src 'self'", f"connect-src 'self' {asked}")
    places = " ".join(sorted({_place(uri) for uri in answered}))
    if places:
        policy = policy.replace("form-action 'self'", f"form-action 'self' {places}")
    return HTMLResponse(
        told,
        status_code=status,
        headers={**HEADERS, "content-security-policy": policy, "content-language": language, "vary": "accept-language"},
    )


def _place(uri: str) -> str:
    """Return the source of a program's address as a content security policy names it."""
    told = urlsplit(uri)
    return f"{told.scheme}://{told.netloc}" if told.netloc else f"{told.scheme}:"


def writes(letters: str) -> bool:
    """Tell whether a scope's letters change anything."""
    return any(letter in "cud" for letter in letters)


def served(name: str) -> tuple[bytes, str] | None:
    """Return an asset and its media type; None if there is none of this name."""
    return (asset(name), ASSETS[name]) if name in ASSETS else None


def script(name: str) -> tuple[bytes, str] | None:
    """Return a module and its media type; None if there is none of this name."""
    body = scripts().get(name)
    return None if body is None else (body, "text/javascript")


def kept(body: bytes, media: str, accepted: str) -> Response:
    """Return what browsers keep for a year, packed for whoever takes gzip."""
    headers = {
        "cache-control": "public, max-age=31536000, immutable",
        "x-content-type-options": "nosniff",
        "vary": "accept-encoding",
    }
    if "gzip" not in accepted:
        return Response(body, media_type=media, headers=headers)
    return Response(_packed(body), media_type=media, headers={**headers, "content-encoding": "gzip"})


@cache
def _packed(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def packed(answer: Response, accepted: str) -> Response:
    """Return a page packed for whoever takes gzip: only one that repeats nothing of an address or form.

    Where a page repeats what somebody else chose, the packed length would tell of its tokens.
    """
    if "gzip" in accepted:
        answer.body = gzip.compress(bytes(answer.body), mtime=0)
        answer.headers.update({"content-encoding": "gzip", "content-length": str(len(answer.body))})
    answer.headers["vary"] = "accept-language, accept-encoding"
    return answer
