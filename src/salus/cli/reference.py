"""The generated reference pages: commands, routes, reasons, configuration. `make docs` writes them, a test compares."""

import argparse
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from salus import contracts
from salus.agreements.research import document
from salus.agreements.trials.terms import schema
from salus.cli import conformance
from salus.cli.commands import COMMANDS, PROGRAMS, parser
from salus.cli.derive import AnyCase, help_of, shown
from salus.cli.loading import index
from salus.cli.stubs import client
from salus.contracts.reference import StructText, messages
from salus.core.errors import Reason, reasons
from salus.http.derive import openapi
from salus.node.claims import documents
from salus.node.config import keys, section_docs, variable
from salus.node.errors import REASONS, meaning, reason_name
from salus.node.fields import Field, fields, inner, is_struct
from salus.node.registry import use_cases, wallet_cases

MARK: Final = "<!-- Written by `make docs`. -->"


def page(title: str, lines: Iterable[str]) -> str:
    """Return a generated page."""
    return "\n".join([f"# {title}", "", MARK, "", *lines]).rstrip() + "\n"


def row(*cells: str) -> str:
    """Return a line of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Return a table, or nothing when it has no rows."""
    heads, lines = list(heads), [row(*each) for each in rows]
    if lines:
        yield from (row(*heads), row(*("---" for _ in heads)), *lines, "")


def cli() -> str:
    """Return the reference of the commands."""

    def lines() -> Iterator[str]:
        yield "Every command takes `--help`; every use case also `--json` and `--only FIELD`. Exit codes: 0 done, 1 refused, or checked and"
        yield "not `sound`, 2 usage, 70 a bug of Salus, 130 interrupted. A command asks the running node over its unix socket, or works on the data folder"
        yield "itself while no node runs. `salus wallet` works on a patient's own file (`--wallet FILE`, by default"
        yield "`wallet.salus`), whose passphrase it asks for or reads from `--passphrase-file FILE`, and needs no node here."
        yield ""
        for name, (_, told) in {**COMMANDS, **PROGRAMS}.items():
            yield from (f"## salus {name}", "", told, "")
        for case in sorted([*use_cases().values(), *wallet_cases().values()], key=lambda each: each.name):
            yield from (f"## salus {' '.join(case.words)}", "", case.summary, "")
            yield from (case.description, "") if case.description else ()
            yield from table(
                ("option", "", "meaning"),
                (
                    (
                        f"`{f.name.upper().replace('_', '-')}`" if f.positional else f"`{f.option}`",
                        "required" if f.required else "",
                        help_of(f).replace("%%", "%"),
                    )
                    for f in fields(case.request)
                ),
            )

    return page("Commands", lines())


def command_list() -> str:
    """Return what `salus --help` prints, 100 columns wide."""
    top = parser()
    top.formatter_class = _Wide
    return top.format_help()


class _Wide(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=100)


def http() -> str:
    """Return the reference of the routes."""

    def lines() -> Iterator[str]:
        yield "JSON in, JSON out; a refusal is a problem document (RFC 9457) with `code`, `expected`, `got` and `todo`. Every"
        yield "route is POST, so that nothing asked stands in a URL. `GET /health`, `GET /metrics` (OpenMetrics) and"
        yield "`GET /api/openapi.json` take no credential. How a person signs: [signatures](http-signatures.md)."
        yield ""
        for case in use_cases().values():
            yield from (f"## POST {case.path}", "", f"{case.summary} For: {case.who}.", "")
            yield from (case.description, "") if case.description else ()
            yield from _struct("Request", case.request)
            yield from _struct("Response", case.response)

    return page("HTTP routes", lines())


def _struct(what: str, struct: type[msgspec.Struct]) -> Iterator[str]:
    """Return the table of a struct's fields, and those of the structs inside."""
    yield f"{what} `{struct.__name__}`: {inspect.getdoc(struct)}"
    yield ""
    yield from table(
        ("field", "type", "meaning", "example"),
        ((f"`{f.name}`", type_name(f), f.description, _example(f)) for f in fields(struct)),
    )
    for field in fields(struct):
        if is_struct(inner(field.type)):
            yield from _struct(f"`{field.name}`", inner(field.type))


def type_name(field: Field) -> str:
    """Return a field's type in JSON's words."""
    kind = inner(field.type)
    words = {str: "string", int: "integer", bool: "true or false", bytes: "base64", dict: "object"}
    name = ", ".join(field.choices) or str(words.get(kind) or getattr(kind, "__name__", kind))
    return f"list of {name}" if kind is not field.type else name


def _example(field: Field) -> str:
    return f"`{shown(field.examples[0])}`" if field.examples and inner(field.type) is not bytes else ""


def all_reasons() -> list[Reason]:
    """Return every reason of every contract that is there, by its code."""
    for module in pkgutil.iter_modules(contracts.__path__):
        if module.ispkg:
            importlib.import_module(f"salus.contracts.{module.name}.reasons")
    importlib.import_module("salus.core.reasons")
    return [reason for _, reason in sorted(reasons().items()) if type(reason).__module__.startswith("salus.")]


def reason_page() -> str:
    """Return the reference of the ledger's reasons."""

    def rows() -> Iterator[tuple[str, ...]]:
        for reason in all_reasons():
            fault = REASONS[reason_name(reason)]
            yield (
                str(reason.code),
                f"`{reason_name(reason)}`",
                str(fault.status),
                fault.issue,
                f"{meaning(reason)}.",
            )

    intro = [
        "Why the ledger refuses a transaction. The code is part of the block's result and of receipts: contract * 1000 + number,",
        "in order of precedence within a contract; 0 means applied. Status and issue are what the HTTP and FHIR edges answer.",
        "",
    ]
    return page("Reasons", [*intro, *table(("code", "name", "HTTP", "FHIR issue", "meaning"), rows())])


def message_page() -> str:
    """Return the reference of the ledger's messages."""

    def struct(told: StructText) -> Iterator[str]:
        yield from (told.text, "")
        yield from table(("field", "type", "meaning"), ((f"`{f.name}`", f"`{f.type}`", f.text) for f in told.fields))

    def lines() -> Iterator[str]:
        yield "What a transaction may say, by contract, in the order of their fields. The example is in readable form: objects"
        yield "for structs, hexadecimal for bytes."
        yield ""
        for entry in messages():
            yield from (f"## {entry.message.tag}", "")
            yield from struct(entry.message)
            yield from ("A one-time key signs it as its author.", "") if entry.authored else ()
            for part in entry.parts:
                yield from (f"### {part.name}, in {entry.message.tag}", "")
                yield from struct(part)
            yield from (
                "```json",
                msgspec.json.format(msgspec.json.encode(entry.example), indent=2).decode(),
                "```",
                "",
            )

    return page("Messages", lines())


def config() -> str:
    """Return the reference of the configuration."""

    def lines() -> Iterator[str]:
        yield "A TOML file, named by `--config` or `SALUS_CONFIG`, else `salus.toml` in the current folder; each key also from the"
        yield "environment, which wins. Unknown keys are errors. `salus config` shows what the node reads."
        yield ""
        known = list(keys())
        for section, told in section_docs():
            yield from (f"## {section or 'top of the file'}", "", told, "")
            here = ((path, field) for path, field in known if ".".join(path[:-1]) == section)
            yield from table(
                ("key", "environment", "default", "meaning", "example"),
                (
                    (
                        f"`{f.name}`",
                        f"`{variable(path)}`",
                        f"`{shown(f.default)}`" if f.default != "" else "",
                        f.description,
                        _example(f),
                    )
                    for path, f in here
                ),
            )

    return page("Configuration", lines())


def description() -> str:
    """Return the OpenAPI description as a file."""
    cases: list[AnyCase] = list(use_cases().values())
    return (
        msgspec.json.format(msgspec.json.encode(openapi(cases, "0"), order="deterministic"), indent=2).decode() + "\n"
    )


def conformance_page() -> str:
    """Return the page of what the FHIR server answers to."""
    return page("FHIR conformance", conformance.lines())


def research_query() -> str:
    """Return the JSON Schema of a query document of research."""
    return msgspec.json.format(msgspec.json.encode(document.schema()), indent=1).decode() + "\n"


def trial_terms() -> str:
    """Return the JSON Schema of a trial's terms."""
    return msgspec.json.format(msgspec.json.encode(schema()), indent=1).decode() + "\n"


def claims_document(kind: str) -> Callable[[], str]:
    """Return what makes the JSON Schema of a document that decides claims."""
    return lambda: documents.schema_of(kind) + "\n"


# Every generated file, by its path in the repository.
PAGES: Final[dict[str, Callable[[], str]]] = {
    "docs/reference/cli.md": cli,
    "docs/reference/config.md": config,
    "docs/reference/conformance.md": conformance_page,
    "docs/reference/http.md": http,
    "docs/reference/messages.md": message_page,
    "docs/reference/openapi.json": description,
    "docs/reference/reasons.md": reason_page,
    "docs/reference/research-query.schema.json": research_query,
    "docs/reference/trial-terms.schema.json": trial_terms,
    **{f"docs/reference/claims-{kind}.schema.json": claims_document(kind) for kind in documents.KINDS},
    "src/salus/client/api.py": client,
    "src/salus/cli/help.txt": command_list,
    "src/salus/cli/places.txt": index,
}


def write(root: Path) -> None:
    """Write every generated file below the root of the repository."""
    for name, make in PAGES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
