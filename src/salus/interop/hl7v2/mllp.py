"""MLLP (HL7 v2 transport specification, release 1): frames <VT> message <FS><CR>, cut from a stream of any pieces."""

from collections.abc import Iterator
from typing import Final

from salus.core.errors import SalusError
from salus.interop.hl7v2.message import MAX_BYTES

START: Final = b"\x0b"
END: Final = b"\x1c\r"


class FrameTooLarge(SalusError):
    """A frame beyond the limit: what follows on the connection cannot be told apart."""


class Frames:
    """The frames of one connection; bytes between frames are skipped. Never holds more than one frame and a piece."""

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self._limit = limit
        self._held = bytearray()
        self._inside = False
        self._searched = 0  # bytes of the frame known to hold no end: a frame in many small pieces is read once

    @property
    def inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._inside

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Take a piece and yield the frames that it completes. Raises FrameTooLarge."""
        self._held += piece
        while True:
            if not self._inside:
                start = self._held.find(START)
                if start < 0:
                    self._held.clear()
                    return
                del self._held[: start + 1]
                self._inside = True
                self._searched = 0
            end = self._held.find(END, self._searched)
            if end < 0:
                self._searched = max(0, len(self._held) - 1)
                if len(self._held) > self._limit:
                    raise FrameTooLarge(f"a frame of more than {self._limit} bytes")
                return
            frame = bytes(self._held[:end])
            del self._held[: end + 2]
            self._inside = False
            yield frame


def framed(message: bytes) -> bytes:
    """Return a message as a frame."""
    return START + message + END
