"""`salus doctor`: what is there, what is missing, what to do."""

import argparse

from salus.node.config import Config
from salus.node.local import Opener
from salus.node.upkeep.doctor import examine


def doctor(config: Config, opener: Opener, given: argparse.Namespace) -> int:  # noqa: ARG001 -- a Command
    """Look at everything; exit 1 if something is not well."""
    well = True
    for found in examine(config, opener):
        well = well and found.well
        print(f"{'ok  ' if found.well else 'LOOK'} {found.what}: {found.told}")
        if not found.well and found.todo:
            print(f"     {found.todo}")
    return 0 if well else 1
