"""Openings: a journal line or a sealed record, its salt and path, up to the root that an anchor put on the ledger.

    {"format": "salus-access-log/1", "receipts": [hex, ...], "lines": [
        {"line": hex, "salt": hex, "receipt": 0, "index": 3, "size": 17, "path": hex}, ...]}
    {"format": "salus-record/1", "receipts": [hex],
        "record": {"sealed": hex, "salt": hex, "receipt": 0, "index": 0, "size": 17, "path": hex}}

`receipt` is the place in `receipts` of the anchor's receipt; index, size and path are those of the leaf in its batch.

    disclosure leaf  mac(mac(salt, "salus/v1/disclosure-line", line), "salus/v1/disclosure-leaf", last 32 bytes of line)
    record leaf      mac(salt, "salus/v1/record-leaf", header, digest("salus/v1/ciphertext", ciphertext),
                         key commitment, chain)
    sealed record    u8 1 | u8 1 | link 16 | u8 length | writer || key commitment 32 | chain 32 | ciphertext
    line             MessagePack array: format 1, side, subject, number, time, member, ..., answer 32
    anchor's result  root 32 | count bucket u8 | deferred u8 | submitter (ASCII)

An access log is complete if, for each side, subject and submitter of the anchors, its lines are numbered 1, 2, 3, ...
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from salus.core.proof import msgpack
from salus.core.proof.batch import root_from_batch
from salus.core.proof.digest import digest, mac
from salus.core.proof.errors import MalformedProof, ProofMismatch
from salus.core.proof.leaf import TransactionLeaf
from salus.core.proof.receipt import Receipt, nodes_in
from salus.core.proof.trust import parse_json, unhex

MAX_LOG: Final = 64 * 1024 * 1024  # some 40,000 lines: more than a lifetime of one patient's
MAX_HEX: Final = 32 * 1024 * 1024
ANCHOR_HEAD: Final = 34
MAX_BUCKET: Final = 12
MEMBER: Final = re.compile(rb"[a-z][a-z0-9-]{1,31}")  # a member's id
ANSWER_BYTES: Final = 32

AcceptReceipt = Callable[[Receipt], None]


@dataclass(frozen=True, slots=True)
class Anchor:
    """What an anchor's receipt says."""

    root: bytes
    deferred: bool
    submitter: str


@dataclass(frozen=True, slots=True)
class Line:
    """A journal line that stands under an anchor."""

    side: int
    subject: bytes
    number: int
    submitter: str
    """Member id of who anchored it."""


def anchor_in(receipt: Receipt) -> Anchor:
    """Return the anchor whose receipt this is. Raises MalformedProof if it is that of something else."""
    leaf = receipt.leaf()
    if not isinstance(leaf, TransactionLeaf) or leaf.code != 0 or len(leaf.data) <= ANCHOR_HEAD:
        raise MalformedProof("the receipt is not that of an applied anchor")
    submitter = leaf.data[ANCHOR_HEAD:]
    if leaf.data[32] > MAX_BUCKET or leaf.data[33] > 1 or not MEMBER.fullmatch(submitter):
        raise MalformedProof("the receipt's result is not that of an anchor")
    return Anchor(leaf.data[:32], leaf.data[33] == 1, submitter.decode("ascii"))


def disclosure_leaf(line: bytes, salt: bytes) -> bytes:
    """Return the leaf of a journal line; salt of 32 bytes."""
    return answered_leaf(line_tag(line, salt), line[-ANSWER_BYTES:])


def line_tag(line: bytes, salt: bytes) -> bytes:
    """Return what stands for a line to whoever may not read it; salt of 32 bytes."""
    return mac(salt, "salus/v1/disclosure-line", line)


def answered_leaf(tag: bytes, answer: bytes) -> bytes:
    """Return the leaf of a line known by its tag alone, and of the digest of the answer that it was written for."""
    return mac(tag, "salus/v1/disclosure-leaf", answer)


def record_leaf(sealed: bytes, salt: bytes) -> bytes:
    """Return the leaf of a sealed record; salt of 32 bytes. Raises MalformedProof."""
    if len(sealed) < 19 or sealed[:2] != b"\x01\x01" or len(sealed) < 19 + sealed[18] + 64:
        raise MalformedProof("not a sealed record of format 1, algorithm 1")
    end = 19 + sealed[18]
    header, commitment, chain = sealed[:end], sealed[end : end + 32], sealed[end + 32 : end + 64]
    ciphertext = digest("salus/v1/ciphertext", sealed[end + 64 :])
    return mac(salt, "salus/v1/record-leaf", header, ciphertext, commitment, chain)


def check_access_log(text: bytes, accept: AcceptReceipt) -> list[Line]:
    """Check every line of an access log, and that none is missing; return the lines in order.

    `accept` checks a receipt under the verifier's trust. Raises Unproven.
    """
    match parse_json(text, MAX_LOG):
        case {"format": "salus-access-log/1", "receipts": list(receipts), "lines": list(lines), **rest} if not rest:
            anchors = _anchors(receipts, accept)
            opened = [_line(one, anchors) for one in lines]
        case _:
            raise MalformedProof("not an access log of format salus-access-log/1")
    counted: dict[tuple[int, bytes, str], int] = {}
    for line in sorted(opened, key=lambda line: line.number):
        whose = (line.side, line.subject, line.submitter)
        counted[whose] = counted.get(whose, 0) + 1
        if line.number != counted[whose]:
            raise ProofMismatch(f"line {counted[whose]} of {line.submitter} is missing, or line {line.number} twice")
    return opened


def check_record(text: bytes, accept: AcceptReceipt) -> Anchor:
    """Check that a sealed record stands under an anchor; return it. Raises Unproven."""
    match parse_json(text, MAX_LOG):
        case {"format": "salus-record/1", "receipts": list(receipts), "record": dict(record), **rest} if not rest:
            sealed, salt, anchor, check = _opened(record, "sealed", _anchors(receipts, accept))
            check(record_leaf(sealed, salt))
            return anchor
    raise MalformedProof("not a record of format salus-record/1")


def _anchors(receipts: list[Any], accept: AcceptReceipt) -> list[Anchor]:
    anchors = []
    for text in receipts:
        receipt = Receipt.decode(_bytes(text))
        accept(receipt)
        anchors.append(anchor_in(receipt))
    return anchors


def _line(one: object, anchors: list[Anchor]) -> Line:
    line, salt, anchor, check = _opened(one, "line", anchors)
    check(disclosure_leaf(line, salt))
    match msgpack.read(line):
        case (1, int(side), bytes(subject), int(number), *_, bytes(answer)) if len(answer) == ANSWER_BYTES:
            return Line(side, subject, number, anchor.submitter)
    raise MalformedProof("not a journal line of format 1")


def _opened(one: object, name: str, anchors: list[Anchor]) -> tuple[bytes, bytes, Anchor, Callable[[bytes], None]]:
    """Return what is opened, its salt, its anchor, and the check of a leaf against the anchor's root."""
    match one:
        case {"salt": str(salt), "receipt": int(place), "index": int(index), "size": int(size), "path": path, **rest}:
            if rest.keys() != {name} or not 0 <= place < len(anchors):
                raise MalformedProof("an opening of other members than its format's, or of no receipt")
            anchor = anchors[place]
            nodes = nodes_in(_bytes(path))

            def check(leaf: bytes) -> None:
                if root_from_batch(leaf, index, size, nodes) != anchor.root:
                    raise ProofMismatch("the opening does not lead to the anchored root")

            return _bytes(rest[name]), unhex(salt, 32), anchor, check
    raise MalformedProof("not an opening")


def _bytes(text: object) -> bytes:
    if not isinstance(text, str) or len(text) > MAX_HEX or len(text) % 2:
        raise MalformedProof("not bytes in hexadecimal")
    return unhex(text, len(text) // 2)
