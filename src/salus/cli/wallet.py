"""`salus wallet …`: use cases on a patient's own file, opened under its passphrase."""

import argparse
import contextlib
import getpass
import sys
from pathlib import Path

import msgspec

from salus.cli import render
from salus.cli.derive import AnyCase, Usage
from salus.node.usecase import Progress
from salus.node.wallet.file import open_place


def on_wallet(case: AnyCase, request: msgspec.Struct, given: argparse.Namespace, progress: Progress) -> msgspec.Struct:
    """Run a use case on the wallet's file. Raises what it raises, and Usage without a passphrase."""
    path = Path(given.wallet)
    place = open_place(path, passphrase(given.passphrase_file, new=not path.exists()))
    with contextlib.closing(place), render.working(progress) as told:
        answer: msgspec.Struct = case(place, request, progress=told)
    return answer


def passphrase(file: str | None, *, new: bool) -> bytes:
    """Return the passphrase from its file, or ask for it; twice for a new one. Raises Usage."""
    if file is not None:
        try:
            told = Path(file).read_bytes().strip()
        except OSError as error:
            raise Usage("cli.unreadable", "a file cannot be read", got=f"{file}: {error.strerror}") from error
    elif sys.stdin.isatty():
        told = getpass.getpass("Passphrase of the wallet: ").encode()
        if new and getpass.getpass("Once more: ").encode() != told:
            raise Usage("cli.passphrase", "the two do not agree", todo="try again")
    else:
        raise Usage("cli.passphrase", "there is nobody to ask for the passphrase", todo="name --passphrase-file FILE")
    if not told:
        raise Usage("cli.passphrase", "the passphrase is empty", todo="choose one of several words")
    return told
