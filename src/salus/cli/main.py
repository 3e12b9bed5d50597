"""`salus`: parse, run one command, render. Exit codes: 0 done, 1 refused or found wanting, 2 usage, 70 a bug of ours, 130 interrupted."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from salus import __version__
from salus.cli import render
from salus.cli.demo import add_options, add_report, demo, network_demo
from salus.cli.derive import Parser, Usage, add_commands, group_of, request_of
from salus.cli.doctor import doctor
from salus.cli.serve import add_options as add_serve_options
from salus.cli.serve import listen_for_messages, serve
from salus.cli.wallet import on_wallet
from salus.core.errors import SalusError
from salus.core.proof.cli import main as verify
from salus.core.proof.errors import Unproven
from salus.http.witness import main as witness
from salus.node import log
from salus.node.config import FILE_VARIABLE, Config, keys, read, variable
from salus.node.local import Opener, call
from salus.node.mapping import edge_error
from salus.node.opening import open_node
from salus.node.registry import use_cases, wallet_cases
from salus.node.usecase import Kind, Verdict

Command = Callable[[Config, Opener, argparse.Namespace], int]
OPENER: Final[Opener] = open_node
DEFAULT_FILE: Final = "salus.toml"
ENOUGH: Final = 141  # as a shell says of a program that SIGPIPE ended


def config_show(config: Config, opener: Opener, given: argparse.Namespace) -> int:  # noqa: ARG001 -- a Command
    """Read the configuration as the node would, and show what each key is."""
    for path, _ in keys():
        value: object = config
        for name in path:
            value = getattr(value, name)
        print(f"{'.'.join(path)} = {msgspec.json.encode(value).decode()}  # {variable(path)}")
    return 0


# Commands about this program rather than about what a node does.
COMMANDS: Final[dict[str, tuple[Command, str]]] = {
    "config": (config_show, "Check the configuration and show every key's value."),
    "demo": (demo, "Tell the product's story on synthetic patients, and prove it."),
    "network demo": (
        network_demo,
        "Tell the story over four processes on CometBFT, one of which is killed on the way, and prove it.",
    ),
    "doctor": (doctor, "Say what is there, what is missing, and what to do. Exit code 1 if something is not well."),
    "listen": (
        listen_for_messages,
        "Run the node and take messages of HL7 v2 (ADT, ORU^R01) over MLLP until told to end.",
    ),
    "serve": (serve, "Run the node until told to end."),
}

# Programs of their own that read no configuration: they take their arguments as they stand.
PROGRAMS: Final[dict[str, tuple[Callable[[Sequence[str]], int], str]]] = {
    "verify": (
        verify,
        "Check receipts, access logs, exports and checkpoints offline. Exit codes: 0 holds, 1 does not, 2 usage, 3 unwitnessed.",
    ),
    "witness": (witness, "Remember and cosign the checkpoints of ledgers that others keep."),
}


OPTIONS: Final[dict[str, Callable[[argparse.ArgumentParser], None]]] = {
    "demo": add_options,
    "network demo": add_report,
    "serve": add_serve_options,
}


def parser() -> Parser:
    """Return the parser of all commands."""
    top = Parser(prog="salus", description="A health information network with nobody in the middle.")
    top.add_argument("--version", action="version", version=f"salus {__version__}")
    top.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help=f"configuration file; default: {FILE_VARIABLE}, else {DEFAULT_FILE} if it is there",
    )
    groups = add_commands(top, [*use_cases().values(), *wallet_cases().values()])
    for name, (command, told) in COMMANDS.items():
        *group, verb = name.split()
        each = group_of(groups, group).add_parser(verb, help=told, description=told)
        each.set_defaults(command=command)
        if name in OPTIONS:
            OPTIONS[name](each)
    for name, (_, told) in PROGRAMS.items():
        groups[()].add_parser(name, help=told)
    return top


def configuration(given: argparse.Namespace) -> Config:
    """Read the configuration from the file named, or the one found, under the environment."""
    named = os.environ.get(FILE_VARIABLE)
    found = Path(DEFAULT_FILE) if Path(DEFAULT_FILE).is_file() else None
    return read(given.config or (Path(named) if named else found), os.environ)


def run(arguments: Sequence[str], opener: Opener) -> int:
    """Run one command line. Raises what the command raises."""
    if arguments and arguments[0] in PROGRAMS:
        return PROGRAMS[arguments[0]][0](arguments[1:])
    given = parser().parse_args(arguments)
    if not hasattr(given, "use_case"):
        command: Command = given.command
        return command(configuration(given), opener, given)
    case = given.use_case
    request = request_of(case, given)
    with render.progress(Console(stderr=True)) as progress:
        if case.who.kind is Kind.PATIENT:
            answer = on_wallet(case, request, given, progress)
        else:
            config = configuration(given)
            with render.working(progress) as told:
                answer = call(case, request, config=config, opener=opener, environment=os.environ, progress=told)
    if given.only:
        render.alone(getattr(answer, given.only))
    elif given.as_json:
        print(msgspec.json.encode(answer).decode())
    else:
        render.response(answer, render.output())
    return 1 if isinstance(answer, Verdict) and not answer.sound else 0


def _said(code: int) -> int:
    """Return an exit code once everything that was printed has left."""
    sys.stdout.flush()
    return code


def main(arguments: Sequence[str] | None = None, opener: Opener = OPENER) -> int:
    """Run the command line of this process and return its exit code."""
    log.configure()
    try:
        return _said(run(sys.argv[1:] if arguments is None else arguments, opener))
    except BrokenPipeError:  # who read the output has enough: `salus config | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing more is said at the end of the process either
        return ENOUGH
    except Usage as error:
        print(error.told(), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 -- the command line answers for the whole process
        refusal = edge_error(error) if isinstance(error, SalusError | Unproven) else None
        if refusal is not None:
            print(refusal.told(), file=sys.stderr)
            return 1
        print(f"node.bug: {type(error).__name__} at {log.place(error)}; please report this line", file=sys.stderr)
        return 70
