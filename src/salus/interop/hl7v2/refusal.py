"""How an HL7 v2 message is refused: a code of table 0357, where, what was expected; never a value of the message."""

from typing import Final

from salus.core.errors import SalusError

SEGMENT: Final = "100"  # segment sequence error
MISSING: Final = "101"  # required field missing
TYPE: Final = "102"  # data type error
TABLE: Final = "103"  # table value not found
UNSUPPORTED: Final = "200"  # unsupported message type
EVENT: Final = "201"  # unsupported event code
PROCESSING: Final = "202"  # unsupported processing id
DUPLICATE: Final = "205"  # duplicate key identifier
INTERNAL: Final = "207"  # application error


class MessageRefused(SalusError):
    """A message that is not taken. code: of table 0357. place: "PID-3" or "MSH". expected: one short phrase."""

    def __init__(self, code: str, place: str, expected: str) -> None:
        self.code = code
        self.place = place
        self.expected = expected
        super().__init__(f"{place}: expected {expected} (error {code})")
