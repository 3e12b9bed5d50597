"""`salus verify`: check proofs offline. Exit codes: 0 holds, 1 does not, 2 usage, 3 unwitnessed.

Files are taken in order, and what each is is told by its first bytes. A checkpoint or a change of cosigners moves trust
forward for the files after it, if the consistency paths it takes come before it; `--write` keeps the trust so reached.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn

from salus.core.proof import cbor, event, export, opening, trust
from salus.core.proof.checkpoint import CHANGE, CHECKPOINT, Checkpoint, CosignerChange
from salus.core.proof.errors import MalformedProof, Unproven, Untrusted, Unwitnessed
from salus.core.proof.leaf import TransactionLeaf
from salus.core.proof.receipt import PATH, RECEIPT, STATE_PROOF, ConsistencyPath, Receipt, StateProof

HOLDS: Final = 0
DOES_NOT: Final = 1
USAGE: Final = 2
UNWITNESSED: Final = 3
VERDICTS: Final = {HOLDS: "holds", DOES_NOT: "does not hold", UNWITNESSED: "unwitnessed"}
MAX_FILE: Final = 1 << 30  # a ledger export of two million transactions; an auditor's laptop holds it in memory

Facts = dict[str, int | str]


class Usage(Exception):
    """The command line, or a file it names, cannot be used."""


@dataclass
class Session:
    """One run: the trust as far as it was moved, and the consistency paths seen."""

    trust: trust.Trust
    value: bytes | None = None
    absent: bool = False
    paths: dict[tuple[int, int], tuple[bytes, ...]] = field(default_factory=dict)

    def accept(self, receipt: Receipt) -> None:
        """Check a receipt under the trust of this run. Raises Unproven."""
        self.trust.accept_receipt(receipt, self.path_from(receipt.checkpoint.size))

    def path_from(self, size: int) -> tuple[bytes, ...] | None:
        """Return the consistency path from a size to the pin, if one was given."""
        return self.paths.get((size, self.trust.size))


def _receipt(data: bytes, session: Session) -> Facts:
    receipt = Receipt.decode(data)
    session.accept(receipt)
    leaf = receipt.leaf()
    facts = {"index": receipt.index, "size": receipt.checkpoint.size} | _issued(receipt.checkpoint, session.trust.size)
    if isinstance(leaf, TransactionLeaf):
        return facts | {"transaction": leaf.tx_id.hex(), "code": leaf.code, "data": leaf.data.hex()}
    return facts | {"height": leaf.height, "time": leaf.time, "state_root": leaf.state_root.hex()}


def _issued(checkpoint: Checkpoint, pinned: int) -> Facts:
    """Return when a checkpoint was issued, if its signatures were needed and so have been checked."""
    return {"issued": checkpoint.issued} if checkpoint.size > pinned else {}


def _state(data: bytes, session: Session) -> Facts:
    proof = StateProof.decode(data)
    if session.value is None and not session.absent:
        raise Usage("a state proof needs --value HEX or --absent: what it is said to prove")
    session.accept(proof.receipt)
    block = proof.check(session.value)
    return {"height": block.height, "time": block.time, "row": proof.row_key.hex()}


def _checkpoint(data: bytes, session: Session) -> Facts:
    checkpoint = Checkpoint.decode(data)
    pinned = session.trust.size
    if checkpoint.size < pinned:
        path = session.path_from(checkpoint.size)
        if path is None:
            raise Untrusted("older than the pinned size: give the consistency path to it first")
        session.trust.accept_older(checkpoint, path)
    else:
        session.trust.accept_checkpoint(checkpoint)
        path = session.paths.get((pinned, checkpoint.size)) or (() if pinned in {0, checkpoint.size} else None)
        if path is not None:
            session.trust = session.trust.advanced(checkpoint, path)
    facts: Facts = {"size": checkpoint.size, "root": checkpoint.root.hex()}
    return facts | _issued(checkpoint, pinned)


def _change(data: bytes, session: Session) -> Facts:
    change = CosignerChange.decode(data)
    session.trust = session.trust.followed(change, session.path_from(change.size) or ())
    return {"cosigner_set": change.number, "cosigners": len(change.cosigners), "size": change.size}


def _path(data: bytes, session: Session) -> Facts:
    path = ConsistencyPath.decode(data)
    session.paths[path.old, path.new] = path.nodes
    return {"from": path.old, "to": path.new}


def _ledger(data: bytes, session: Session) -> Facts:
    checked = export.check_ledger(data)
    checkpoint = checked.checkpoint
    path = session.path_from(checkpoint.size)
    if path is None:
        session.trust.accept_checkpoint(checkpoint)
    else:
        session.trust.accept_older(checkpoint, path)
    return {"blocks": checked.blocks, "transactions": checked.transactions, "size": checkpoint.size}


def _access_log(data: bytes, session: Session) -> Facts:
    return {"lines": len(opening.check_access_log(data, session.accept))}


def _record(data: bytes, session: Session) -> Facts:
    return {"submitter": opening.check_record(data, session.accept).submitter}


def _event(data: bytes, session: Session) -> Facts:
    shown = event.check_event(data, session.accept)
    facts: Facts = {"submitter": shown.anchor.submitter, "withheld": shown.withheld}
    return facts | {f"field {name}": json.dumps(value) for name, value in shown.fields.items()}


Check = Callable[[bytes, Session], Facts]
KINDS: Final[dict[str, tuple[str, Check]]] = {
    RECEIPT: ("receipt", _receipt),
    STATE_PROOF: ("state proof", _state),
    CHECKPOINT: ("checkpoint", _checkpoint),
    CHANGE: ("change of cosigners", _change),
    PATH: ("consistency path", _path),
    export.LEDGER: ("ledger", _ledger),
    "salus-access-log/1": ("access log", _access_log),
    "salus-record/1": ("record", _record),
    event.FORMAT: ("event shown in part", _event),
}


def kind_of(data: bytes) -> tuple[str, Check]:
    """Return what a file is, by its label, and the check for it. Raises MalformedProof."""
    if data[:1] == b"{":
        document = trust.parse_json(data, opening.MAX_LOG)
        label = document.get("format") if isinstance(document, dict) else None
    else:
        label = cbor.label_of(data)
    if not isinstance(label, str) or label not in KINDS:
        raise MalformedProof("no format that is known here")
    return KINDS[label]


def check(name: str, data: bytes, session: Session) -> tuple[int, dict[str, int | str]]:
    """Return the exit code of one file and what is to be told of it."""
    told: dict[str, int | str] = {"file": name, "kind": "unknown"}
    try:
        told["kind"], checker = kind_of(data)
        facts = checker(data, session)
    except Unproven as error:
        code = UNWITNESSED if isinstance(error, Unwitnessed) else DOES_NOT
        return code, told | {"verdict": VERDICTS[code], "error": type(error).__name__, "why": str(error)}
    return HOLDS, told | {"verdict": VERDICTS[HOLDS]} | facts


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Usage(f"{message}\n{self.format_usage().rstrip()}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="salus verify", description="Check proofs offline against a trust file.")
    parser.add_argument("files", metavar="FILE", nargs="+", help="what to check, in order; its format is in the file")
    parser.add_argument("--trust", metavar="FILE", required=True, help="the network's trust file")
    parser.add_argument("--value", metavar="HEX", help="the bytes that a state proof is said to prove")
    parser.add_argument("--absent", action="store_true", help="a state proof is said to prove that there is no row")
    parser.add_argument("--write", metavar="FILE", help="where to keep the trust moved forward, if everything holds")
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run `salus verify` with these arguments, by default the process's, and return its exit code."""
    try:
        return _run(_parser().parse_args(argv))
    except Usage as error:
        sys.stderr.write(f"salus verify: {error}\n")
        return USAGE
    except SystemExit:  # argparse, after --help
        return HOLDS


def _run(given: argparse.Namespace) -> int:
    session = Session(_trust(given.trust), _value(given), given.absent)
    verdicts = [check(name, _read(name), session) for name in given.files]
    codes = [code for code, _ in verdicts]
    code = DOES_NOT if DOES_NOT in codes else max(codes)
    if given.write is not None and code == HOLDS:
        _write(given.write, session.trust.to_json() + "\n")
    if given.json:
        told = {"verdict": VERDICTS[code], "exit": code, "files": [facts for _, facts in verdicts]}
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    else:
        for _, facts in verdicts:
            rest = ", ".join(f"{name} {value}" for name, value in facts.items() if name not in _HEAD)
            sys.stdout.write(f"{facts['file']}: {facts['kind']} {facts['verdict']}: {rest}\n")
    return code


_HEAD: Final = frozenset({"file", "kind", "verdict"})


def _value(given: argparse.Namespace) -> bytes | None:
    if given.value is None:
        return None
    if given.absent:
        raise Usage("--value and --absent say opposite things")
    try:
        return bytes.fromhex(given.value)
    except ValueError:
        raise Usage("--value takes bytes in hexadecimal") from None


def _trust(name: str) -> trust.Trust:
    try:
        return trust.Trust.from_json(_read(name))
    except MalformedProof as error:
        raise Usage(f"{name} is no trust file: {error}") from None


def _read(name: str) -> bytes:
    try:
        with open(name, "rb") as file:  # noqa: PTH123 -- the standard library alone, and no path is computed
            data = file.read(MAX_FILE + 1)
    except (OSError, ValueError) as error:
        raise Usage(f"{name} cannot be read: {error}") from None
    if len(data) > MAX_FILE:
        raise Usage(f"{name} is over {MAX_FILE} bytes")
    return data


def _write(name: str, text: str) -> None:
    try:
        with open(name, "w", encoding="utf-8") as file:  # noqa: PTH123 -- as above
            file.write(text)
    except (OSError, ValueError) as error:
        raise Usage(f"{name} cannot be written: {error}") from None
