"""What a command loads. There are hundreds, of which one is run: to import what all of them need takes longer than most take.

Which module holds a command's use case stands in a generated list beside this module (`make docs`; a test compares it with
the use cases). A command that is not in the list is looked for among all.
"""

import gc
import importlib
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from salus.cli.derive import AnyCase
from salus.node.usecase import UseCase

INDEX: Final = Path(__file__).with_name("places.txt")


def load(place: str) -> Any:
    """Return a module, or what is in it: `salus.cli.serve:serve`."""
    module, _, name = place.partition(":")
    if module not in sys.modules:
        _imported(module)
    return getattr(sys.modules[module], name) if name else sys.modules[module]


def _imported(module: str) -> None:
    """Import without looking for garbage: nothing that a module makes is any, and to find that out takes a quarter of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        importlib.import_module(module)
    finally:
        if collecting:
            gc.freeze()
            gc.enable()


@cache
def _index() -> dict[str, str]:
    """Return the module of each use case by the words of its command."""
    lines = INDEX.read_text(encoding="utf-8").splitlines()
    return {name: module for name, _, module in (line.rpartition(" ") for line in lines)}


def in_the_index(name: str) -> bool:
    """Tell whether a command is that of a use case."""
    return name in _index()


def case_of(name: str) -> AnyCase:
    """Return the use case of a command in the index. Raises LookupError when its module has none of this name."""
    for value in vars(load(_index()[name])).values():
        if isinstance(value, UseCase) and " ".join(value.words) == name:
            return value
    raise LookupError(name)


def every_case() -> Sequence[AnyCase]:
    """Return all use cases, those of a wallet's file last. It takes a second."""
    registry = load("salus.node.registry")
    return [*registry.use_cases().values(), *registry.wallet_cases().values()]


def index() -> str:
    """Return the text of the index: a line for each command, its words and then its module."""
    lines = sorted(f"{' '.join(case.words)} {case.run.__module__}" for case in every_case())
    return "".join(f"{line}\n" for line in lines)
