"""Commands derived from the use cases: `link.invite` with its request becomes `salus link invite --patient ...`."""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Final, NoReturn, get_origin

import msgspec

from salus import __version__
from salus.cli.groups import GROUPS
from salus.node.config import FILE_VARIABLE, Config, read
from salus.node.errors import Malformed
from salus.node.fields import Field, fields, inner, is_struct, shape_error
from salus.node.usecase import Kind, UseCase

AnyCase = UseCase[Any, Any, Any]
DEFAULT_FILE: Final = "salus.toml"
WALLET_FILE: Final = "wallet.salus"


class Usage(Malformed):
    """The command line itself does not parse: exit code 2."""


class Parser(argparse.ArgumentParser):
    """argparse, refusing in our words: what is wrong and where the help is.

    A command's options are read from its use case when that command is parsed: there are hundreds, and one is run.
    """

    case: AnyCase | None = None
    """The use case whose options are not there yet."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, with the options that the use case takes. Raises Usage."""
        if self.case is not None:
            case, self.case = self.case, None
            add_options(self, case)
        return super().parse_known_args(args, namespace)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse all that was given. Raises Usage, which names the help of the command meant."""
        given, more = self.parse_known_args(args, namespace)
        if more:
            case: AnyCase | None = getattr(given, "use_case", None)
            meant = f"{self.prog} {' '.join(case.words)}" if case else self.prog
            raise Usage("cli.usage", f"unrecognized arguments: {' '.join(more)}", todo=f"see `{meant} --help`")
        return given

    def error(self, message: str) -> NoReturn:
        """Raise Usage instead of printing the usage and leaving."""
        raise Usage("cli.usage", message, todo=f"see `{self.prog} --help`")


def top_parser() -> Parser:
    """Return the parser of `salus` without commands."""
    top = Parser(prog="salus", description="A health information network with nobody in the middle.")
    top.add_argument("--version", action="version", version=f"salus {__version__}")
    top.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help=f"configuration file; default: {FILE_VARIABLE}, else {DEFAULT_FILE} if it is there",
    )
    return top


def configuration(given: argparse.Namespace) -> Config:
    """Read the configuration from the file named, or the one found, under the environment."""
    named = os.environ.get(FILE_VARIABLE)
    found = Path(DEFAULT_FILE) if Path(DEFAULT_FILE).is_file() else None
    return read(given.config or (Path(named) if named else found), os.environ)


def help_of(field: Field) -> str:
    """Return a field's help: description, how it is given, example, default."""
    kind = inner(field.type)
    how = " A file, or - for standard input." if kind is bytes else " JSON, or @FILE." if _is_document(field) else ""
    given = shown(field.examples[0]) if field.examples else ""
    if _is_several(field) and not field.positional:
        how += " Once for each."
        given = " ".join(f"{field.option} {shown(one)}" for one in _each(field.examples))
    example = f" Example: {given}." if given and kind is not bytes else ""
    default = (
        f" Default: {shown(field.default)}."
        if not field.required and kind is not bytes and field.default not in (None, "", (), [])
        else ""
    )
    return f"{field.description}{how}{example}{default}".replace("%", "%%")


def shown(value: Any) -> str:
    """Return a default or example as one would type it."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, list | tuple):
        return " ".join(shown(each) for each in value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _is_several(field: Field) -> bool:
    """Tell whether an option is given once for each value."""
    return get_origin(field.type) in {list, tuple} and not _is_document(field)


def _each(examples: Any) -> list[Any]:
    """Return the values of a field's example: of several values it is a list, or one of them."""
    first = examples[0] if examples else []
    return list(first) if isinstance(first, list | tuple) else [first]


def _is_document(field: Field) -> bool:
    """Tell whether a field has structure of its own, so that it is given as JSON."""
    return is_struct(inner(field.type)) or get_origin(field.type) is dict or field.type is dict


def add_field(parser: argparse.ArgumentParser, field: Field) -> None:
    """Add the option of one field."""
    options: dict[str, Any] = {
        "dest": field.name,
        "required": field.required,
        "default": argparse.SUPPRESS,
        "help": help_of(field),
    }
    kind = inner(field.type)
    if field.type is bool:
        options["action"] = argparse.BooleanOptionalAction
    elif kind is bytes:
        options["metavar"] = "FILE"
    elif field.choices:
        options["choices"] = field.choices
    else:
        options["metavar"] = (
            "JSON" if _is_document(field) else kind.__name__.upper() if isinstance(kind, type) else "VALUE"
        )
    if _is_several(field):
        options["action"] = "append"
    if field.positional:
        for name in ("dest", "required", "action", "metavar"):
            options.pop(name, None)
        several = get_origin(field.type) in {list, tuple}
        options["nargs"] = ("+" if field.required else "*") if several else None if field.required else "?"
        options["metavar"] = field.name.upper().replace("_", "-")
        parser.add_argument(field.name, **options)
        return
    parser.add_argument(field.option, **options)


def add_commands(parser: argparse.ArgumentParser, cases: Iterable[AnyCase]) -> dict[tuple[str, ...], Any]:
    """Add a command for each use case, grouped by the words of its name; return the groups for further commands."""
    groups: dict[tuple[str, ...], Any] = {(): parser.add_subparsers(metavar="COMMAND", required=True)}
    for case in cases:
        *group, verb = case.words
        command = group_of(groups, group).add_parser(
            verb,
            help=case.summary,
            description=f"{case.summary}\n\n{case.description}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,
        )
        command.case = case
    return groups


def add_options(command: Parser, case: AnyCase) -> None:
    """Add what the command of a use case takes."""
    command.add_argument("-h", "--help", action="help", help="show this help message and exit")
    command.add_argument("--json", action="store_true", dest="as_json", help="print the response as JSON")
    command.add_argument(
        "--only",
        choices=[field.name for field in fields(case.response)],
        help="print this field of the response alone, to be redirected into a file",
    )
    command.set_defaults(use_case=case)
    if case.who.kind is Kind.PATIENT:
        command.add_argument(
            "--wallet", metavar="FILE", default=WALLET_FILE, help=f"the wallet's file; default: {WALLET_FILE}"
        )
        command.add_argument(
            "--passphrase-file", metavar="FILE", help="file with its passphrase; default: it is asked for"
        )
    for field in fields(case.request):
        add_field(command, field)


def group_of(groups: dict[tuple[str, ...], Any], words: Sequence[str]) -> Any:
    """Return the group of these words, made if it is not there yet."""
    for depth in range(1, len(words) + 1):
        path = tuple(words[:depth])
        if path not in groups:
            told = GROUPS.get(" ".join(path), f"Commands about {' '.join(path)}.")
            node = groups[path[:-1]].add_parser(path[-1], help=told, description=told)
            groups[path] = node.add_subparsers(metavar="COMMAND", required=True)
    return groups[tuple(words)]


def _read(name: str) -> bytes:
    """Read a file named on the command line; - is standard input. Raises Usage when it cannot be read."""
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise Usage("cli.unreadable", "a file cannot be read", got=f"{name}: {error.strerror}") from error


def _value(field: Field, given: Any) -> Any:
    """Turn what stands on the command line into what the request takes."""
    if field.path and given:
        return (
            [str(Path(each).absolute()) for each in given] if isinstance(given, list) else str(Path(given).absolute())
        )
    if inner(field.type) is bytes:
        return [_read(each) for each in given] if isinstance(given, list) else _read(given)
    if not _is_document(field):
        return given
    text = _read(given[1:]) if given.startswith("@") else given.encode()
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise Usage(
            "cli.not-json",
            f"{field.option} does not read as JSON: {error}",
            todo="quote it for the shell, or name a file: @FILE",
        ) from error


def request_of(case: AnyCase, given: argparse.Namespace) -> msgspec.Struct:
    """Return the request that the parsed options make. Raises Usage, naming the option."""
    values = {
        field.name: _value(field, getattr(given, field.name))
        for field in fields(case.request)
        if hasattr(given, field.name)
    }
    try:
        request: msgspec.Struct = msgspec.convert(values, case.request, strict=False, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        raise Usage(
            "cli.invalid",
            f"the request does not fit: {shape_error(error)}",
            todo=f"see `salus {' '.join(case.words)} --help`",
        ) from error
    return request
