"""Things known for minutes under a random name: codes, launches, access tokens. In memory only, under digests of the names."""

import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from salus.core.proof.digest import digest

T = TypeVar("T")
LABEL: Final = "salus/v1/smart"
NAME_BYTES: Final = 32


class Expiring(Generic[T]):
    """A bounded map whose names nobody can guess: when it is full, what ends soonest makes room. Thread-safe."""

    def __init__(self, clock: Callable[[], int], entropy: Callable[[int], bytes], *, lasts: int, most: int) -> None:
        """Things last `lasts` milliseconds; at most `most` are kept."""
        self._clock = clock
        self._entropy = entropy
        self._lasts = lasts
        self._most = most
        self._lock = threading.Lock()
        self._kept: dict[bytes, tuple[T, int]] = {}

    def put(self, thing: T, *, until: int | None = None) -> str:
        """Keep a thing and return its name; until a time (Unix ms), or as long as things last here if that is sooner."""
        name, now = self._entropy(NAME_BYTES).hex(), self._clock()
        ends = now + self._lasts if until is None else min(until, now + self._lasts)
        with self._lock:
            if len(self._kept) >= self._most:
                self._kept = {key: kept for key, kept in self._kept.items() if kept[1] > now}
            if len(self._kept) >= self._most:
                del self._kept[min(self._kept, key=lambda key: self._kept[key][1])]
            self._kept[digest(LABEL, name.encode())] = (thing, ends)
        return name

    def find(self, name: str) -> tuple[T, int] | None:
        """Return a thing and when it ends, or None."""
        key = digest(LABEL, name.encode())
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept[1] <= self._clock():
                del self._kept[key]
                return None
            return kept

    def take(self, name: str) -> T | None:
        """Return a thing once."""
        with self._lock:
            kept = self._kept.pop(digest(LABEL, name.encode()), None)
        return None if kept is None or kept[1] <= self._clock() else kept[0]

    def things(self) -> list[T]:
        """Return everything that is kept."""
        now = self._clock()
        with self._lock:
            return [thing for thing, ends in self._kept.values() if ends > now]

    def drop_where(self, test: Callable[[T], bool]) -> None:
        """Forget the things that meet a test."""
        with self._lock:
            self._kept = {key: kept for key, kept in self._kept.items() if not test(kept[0])}
