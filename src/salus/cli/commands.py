"""All commands: those of the use cases, those about this program, and the programs of their own.

A command imports what it needs and no more: `salus.cli.loading`.
"""

import argparse
import os
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from salus.cli.derive import Parser, add_commands, configuration, group_of, request_of, top_parser
from salus.cli.loading import case_of, every_case, in_the_index, load
from salus.node.config import Config, keys, variable
from salus.node.local import Bare, Opener, call
from salus.node.usecase import Kind, Node

Command = Callable[[Config, Opener, argparse.Namespace], int]


def open_node(config: Config) -> Node:
    """Open the node of a data folder. Raises what `salus.node.opening.open_node` raises."""
    node: Node = load("salus.node.opening:open_node")(config)
    return node


def config_show(config: Config, opener: Opener, given: argparse.Namespace) -> int:  # noqa: ARG001 -- a Command
    """Read the configuration as the node would, and show what each key is."""
    for path, _ in keys():
        value: object = config
        for name in path:
            value = getattr(value, name)
        print(f"{'.'.join(path)} = {msgspec.json.encode(value).decode()}  # {variable(path)}")
    return 0


# Commands about this program rather than about what a node does: where each is, and what it is for.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "config": ("salus.cli.commands:config_show", "Check the configuration and show every key's value."),
    "demo": ("salus.cli.demo:demo", "Tell the product's story on synthetic patients, and prove it."),
    "network demo": (
        "salus.cli.demo:network_demo",
        "Tell the story over four processes on CometBFT, one of which is killed on the way, and prove it.",
    ),
    "doctor": (
        "salus.cli.doctor:doctor",
        "Say what is there, what is missing, and what to do. Exit code 1 if something is not well.",
    ),
    "listen": (
        "salus.cli.serve:listen_for_messages",
        "Run the node and take messages of HL7 v2 (ADT, ORU^R01) over MLLP until told to end.",
    ),
    "serve": ("salus.cli.serve:serve", "Run the node until told to end."),
}

# Programs of their own that read no configuration: they take their arguments as they stand.
PROGRAMS: Final[dict[str, tuple[str, str]]] = {
    "verify": (
        "salus.core.proof.cli:main",
        "Check receipts, access logs, exports and checkpoints offline. Exit codes: 0 holds, 1 does not, 2 usage, 3 unwitnessed.",
    ),
    "witness": ("salus.http.witness:main", "Remember and cosign the checkpoints of ledgers that others keep."),
}


OPTIONS: Final[dict[str, str]] = {
    "demo": "salus.cli.demo:add_options",
    "network demo": "salus.cli.demo:add_report",
    "serve": "salus.cli.serve:add_options",
}
ON_FILES: Final = frozenset({"claims adjudicate", "claims audit"})
"""Use cases that read files and write files: their commands open no node, also where the data folder holds one."""


def parser(only: str | None = None) -> Parser:
    """Return the parser of all commands, or of `only` the one of this name."""
    top = top_parser()
    groups = add_commands(top, every_case() if only is None else () if only in COMMANDS else (case_of(only),))
    for name, (place, told) in COMMANDS.items():
        if only not in {None, name}:
            continue
        *group, verb = name.split()
        each = group_of(groups, group).add_parser(verb, help=told, description=told)
        each.set_defaults(command=place)
        if name in OPTIONS:
            load(OPTIONS[name])(each)
    for name, (_, told) in PROGRAMS.items():
        groups[()].add_parser(name, help=told)
    return top


def named(arguments: Sequence[str]) -> str | None:
    """Return the command that a command line names; None for one that names none, or asks about many."""
    words: list[str] = []
    rest = iter(arguments)
    for each in rest:
        if each == "--config":
            next(rest, None)
        elif not each.startswith("-"):
            words.append(each)
            name = " ".join(words)
            if name in COMMANDS or in_the_index(name):
                return name
        elif words:
            break
    return None


def run(arguments: Sequence[str], opened: Opener | None) -> int:
    """Run one command line; `opened` opens another node than the data folder's. Raises what the command raises."""
    if arguments and arguments[0] in PROGRAMS:
        return int(load(PROGRAMS[arguments[0]][0])(arguments[1:]))
    name = named(arguments)
    opener = opened or (Bare if name in ON_FILES else open_node)
    given = parser(name).parse_args(arguments)
    if not hasattr(given, "use_case"):
        command: Command = load(given.command)
        return command(configuration(given), opener, given)
    case = given.use_case
    request = request_of(case, given)
    render = load("salus.cli.render")
    with render.progress(load("rich.console:Console")(stderr=True)) as progress:
        if case.who.kind is Kind.PATIENT:
            answer = load("salus.cli.wallet:on_wallet")(case, request, given, progress)
        else:
            config = configuration(given)
            with render.working(progress) as told:
                answer = call(case, request, config=config, opener=opener, environment=os.environ, progress=told)
    return int(render.answer(answer, given))
