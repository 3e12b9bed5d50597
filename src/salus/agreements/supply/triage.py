"""What to make of a scan: the answer's code, and what it calls for before anybody is alarmed.

Most alerts of the European system are a pharmacy's own second scan or a lot that was typed wrongly (knowledge of 2023: 34 %
already inactive, 37 % lot or expiry). Those are told to whom they concern; what is left is worth an alarm.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PATIENCE_MS: Final = (
    4 * 3_600_000
)  # data a few hours behind the goods are daily business; later it is somebody's question


class Call(StrEnum):
    """What an answer calls for."""

    NOTHING = "nothing"
    WARNING = "warning"
    """The own organisation did it: tell who scans."""
    DATA = "data"
    """Data and label differ: an exception to the maker."""
    RETRY = "ask again before alarming"
    """Perhaps not uploaded or shipped yet: set aside, and ask again before alarming."""
    SET_ASIDE = "set aside"
    """Known and in order, but not to be sold: recalled, expired."""
    ALARM = "alarm"
    """Quarantine, and a notification drafted for a person to send."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What is known of one scanned unit."""

    known: bool
    """Whether a maker, or the own data, knows the unit."""
    lot_agrees: bool
    expiry_agrees: bool
    ended: str
    """Why it ended, in capitals, or empty."""
    recalled: bool
    suspect: bool
    """In dispute or in quarantine."""
    expired: bool
    ours: bool
    """Whether the scanning organisation owns it, or it is on its way there."""
    ours_ended: bool
    """Whether the scanning organisation ended it itself."""
    far: bool = False
    """Whether it was scanned where nothing gets it from in time (`travel.impossible`)."""
    awaited: bool = False
    """Whether it may still be on its way in the data: never here before, and first seen less than `PATIENCE_MS` ago."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer."""

    verified: bool
    code: str
    """Of GS1 verification messaging where it has one, else of ours; empty if there is nothing to say."""
    call: Call


def judge(scan: Scan) -> Verdict:
    """Return what to make of a scan; the first thing that is so, the gravest first."""
    wrong = ("" if scan.lot_agrees else "_Lot") + ("" if scan.expiry_agrees else "_Expiry")
    again = Call.WARNING if scan.ours_ended and not scan.far else Call.ALARM
    elsewhere = Call.RETRY if scan.awaited else Call.ALARM
    ladder = (
        (not scan.known, Verdict(verified=False, code="No_match_GTIN_Serial", call=Call.RETRY)),
        (bool(scan.ended), Verdict(verified=False, code=scan.ended, call=again)),
        (bool(wrong), Verdict(verified=False, code=f"No_match_GTIN_Serial{wrong}", call=Call.DATA)),
        (scan.far, Verdict(verified=True, code="IMPOSSIBLE_TRAVEL", call=Call.ALARM)),
        (scan.recalled, Verdict(verified=True, code="RECALLED", call=Call.SET_ASIDE)),
        (scan.suspect, Verdict(verified=True, code="SUSPECT", call=Call.SET_ASIDE)),
        (not scan.ours, Verdict(verified=True, code="HOLDER_MISMATCH", call=elsewhere)),
        (scan.expired, Verdict(verified=True, code="EXPIRED", call=Call.SET_ASIDE)),
    )
    return next((verdict for so, verdict in ladder if so), Verdict(verified=True, code="", call=Call.NOTHING))
