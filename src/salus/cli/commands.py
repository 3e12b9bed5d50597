"""All commands: those derived from the use cases, those about this program, and the programs of their own."""

import argparse
import os
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from rich.console import Console

from salus.cli import render
from salus.cli.demo import add_options, add_report, demo, network_demo
from salus.cli.derive import Parser, add_commands, configuration, group_of, request_of, top_parser
from salus.cli.doctor import doctor
from salus.cli.serve import add_options as add_serve_options
from salus.cli.serve import listen_for_messages, serve
from salus.cli.wallet import on_wallet
from salus.core.proof.cli import main as verify
from salus.http.witness import main as witness
from salus.node.config import Config, keys, variable
from salus.node.local import Opener, call
from salus.node.opening import open_node
from salus.node.registry import use_cases, wallet_cases
from salus.node.usecase import Kind

Command = Callable[[Config, Opener, argparse.Namespace], int]


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
    top = top_parser()
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


def run(arguments: Sequence[str], opened: Opener | None) -> int:
    """Run one command line; `opened` opens another node than the data folder's. Raises what the command raises."""
    opener = opened or open_node
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
    return render.answer(answer, given)
