"""Values put aside in the order in which they come and read again by place: a list, or what keeps them elsewhere."""

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Row(Protocol[T_co]):
    """Values in a fixed order, read one at a time and as often as wanted: a tuple is one."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, place: int, /) -> T_co:
        """Return the value at a place, from 0."""

    def __iter__(self) -> Iterator[T_co]:
        """Go through them in order."""


class Shelf(Row[T], Protocol[T]):
    """A row that grows: a list is one."""

    def append(self, value: T, /) -> None:
        """Put a value at the end."""

    def clear(self) -> None:
        """Forget all of them."""


class Part(Generic[T]):
    """Some values of a row, one after the other."""

    def __init__(self, row: Row[T], start: int, end: int) -> None:
        """Name the values from `start` to before `end`."""
        self._row, self._places = row, range(start, end)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, place: int, /) -> T:
        return self._row[self._places[place]]

    def __iter__(self) -> Iterator[T]:
        return (self._row[place] for place in self._places)
