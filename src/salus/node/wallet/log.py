"""The access log as a wallet reads it: every line that members tell, and every gap, said beside them.

A member that cannot be reached, hides a line, or shows fewer lines than it once did keeps no other member's lines from
the patient: it is named as a gap.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from salus.contracts.records.port import is_anchor, read_anchor
from salus.core.proof.batch import root_from_batch
from salus.core.proof.errors import MalformedProof
from salus.core.proof.trust import Trust
from salus.node.errors import EdgeError, Forbidden
from salus.node.patient import messages as m
from salus.node.patient.proof import check_receipt
from salus.vault.errors import Damaged
from salus.vault.journal import Disclosure, disclosure_leaf, read_line
from salus.vault.wallet import Heard

LEFT_OUT: Final = "log.left-out"
FOREIGN: Final = "log.foreign"
NO_LINE: Final = "log.no-line"
SHORTER: Final = "log.shorter"
OLDER: Final = "log.older"


@dataclass(frozen=True, slots=True)
class Told:
    """Who tells, as what, of which link or grant."""

    by: str
    side: str
    """`custodian` or `grantee`."""
    subject: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """A line of the access log, as one member tells it."""

    told_by: str
    side: str
    """`custodian` or `grantee`."""
    number: int
    disclosure: Disclosure
    line: m.LogLine
    receipt: bytes
    """The anchor's receipt, empty while the line waits for it."""
    proven: bool
    """Whether its leaf lies under a root that this member anchored, by a receipt that the trust file accepts."""

    @property
    def leaf(self) -> bytes:
        """The leaf that the line and its salt give."""
        return disclosure_leaf(self.line.salt, self.line.line)


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing from the log, and whose it is."""

    told: Told
    code: str
    """Why: the code of a refusal, or one of this module."""
    what: str
    """In words."""


@dataclass(frozen=True, slots=True)
class AccessLog:
    """Who has looked, as far as members tell."""

    lines: tuple[Seen, ...]
    gaps: tuple[Gap, ...]
    """Empty: every member told everything that it ever told, without a line left out."""
    newest: Seen | None = None
    """Of one member's part: the last line."""


def together(parts: Iterable[AccessLog]) -> AccessLog:
    """Return the parts of all members as one log, oldest line first."""
    parts = list(parts)
    lines = sorted(
        (one for part in parts for one in part.lines), key=lambda one: (one.disclosure.time, one.told_by, one.number)
    )
    return AccessLog(tuple(lines), tuple(one for part in parts for one in part.gaps))


def read_log(ask: Callable[[m.AskLog], m.Log], trust: Trust, told: Told, heard: Heard | None) -> AccessLog:
    """Return what a member tells of a link or grant; `heard` is the newest line that it told before."""
    found: list[Seen] = []
    gaps: list[Gap] = []
    try:
        while (part := ask(m.AskLog(found[-1].number if found else 0, trust.size))).lines:
            for one in _seen(part, trust, told):
                gaps += _between(found[-1].number if found else 0, one, told)
                found.append(one)
    except EdgeError as error:
        return AccessLog(tuple(found), (*gaps, Gap(told, error.code, error.message)), found[-1] if found else None)
    except Damaged as error:
        return AccessLog(tuple(found), (*gaps, Gap(told, NO_LINE, str(error))))
    if heard is not None and all((one.number, one.leaf) != (heard.number, heard.leaf) for one in found):
        what = f"line {heard.number} was told before and is told no longer: the journal was rolled back or altered"
        gaps.append(Gap(told, SHORTER, what))
    return AccessLog(tuple(found), tuple(gaps), found[-1] if found else None)


def _between(last: int, one: Seen, told: Told) -> list[Gap]:
    """Return what is missing between line `last` and the next one told. Raises Damaged if they do not go on."""
    if one.number <= last:
        raise Damaged("the lines do not go on")  # the member would be asked for ever
    gaps = []
    if one.disclosure.subject != told.subject:
        gaps.append(Gap(told, FOREIGN, f"line {one.number} is of another link or grant"))
    if last and one.number != last + 1:
        gaps.append(Gap(told, LEFT_OUT, f"lines {last + 1} to {one.number - 1} are left out"))
    if not last and one.number > 1:
        what = f"lines 1 to {one.number - 1} are not told: their legal term has ended, or they are hidden"
        gaps.append(Gap(told, OLDER, what))
    return gaps


def _seen(log: m.Log, trust: Trust, told: Told) -> list[Seen]:
    receipts = dict(log.receipts)
    roots = {tx_id: _anchored_by(trust, told.by, tx_id, receipt) for tx_id, receipt in receipts.items()}
    return [
        Seen(
            told_by=told.by,
            side=told.side,
            number=line.number,
            disclosure=read_line(line.line),
            line=line,
            receipt=receipts.get(line.tx_id, b""),
            proven=bool(line.tx_id) and line_root(line) == line.root == roots.get(line.tx_id),
        )
        for line in log.lines
    ]


def _anchored_by(trust: Trust, member: str, tx_id: bytes, receipt: bytes) -> bytes:
    """Return the root that a member anchored in a transaction, or nothing if the receipt does not show it."""
    try:
        leaf = check_receipt(trust, tx_id, receipt)
    except Forbidden:
        return b""
    if leaf.code or not is_anchor(leaf.data):
        return b""
    anchor = read_anchor(leaf.data)
    return anchor.root if anchor.submitter == member else b""


def exported(seen: Iterable[Seen]) -> bytes:
    """Return an access log as the file that `salus verify` checks; what is not proven is left out."""
    receipts: dict[bytes, int] = {}
    lines = []
    for one in seen:
        if one.proven:
            place = receipts.setdefault(one.receipt, len(receipts))
            lines.append(
                {
                    "line": one.line.line.hex(),
                    "salt": one.line.salt.hex(),
                    "receipt": place,
                    "index": one.line.index,
                    "size": one.line.size,
                    "path": b"".join(one.line.path).hex(),
                }
            )
    told = {"format": "salus-access-log/1", "receipts": [one.hex() for one in receipts], "lines": lines}
    return msgspec.json.format(msgspec.json.encode(told), indent=1)


def line_root(line: m.LogLine) -> bytes:
    """Return the root that a line's leaf and path lead to, or nothing if they lead nowhere."""
    try:
        return root_from_batch(disclosure_leaf(line.salt, line.line), line.index, line.size, line.path)
    except MalformedProof:
        return b""
