"""Group commit: what arrives while the disk is waited for is carried out together, and one wait serves all of it.

Nobody waits for company: who finds nobody at work carries out what is waiting, alone or not.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from salus.core.errors import SalusError
from salus.vault.errors import Stopped

Item = TypeVar("Item")
Result = TypeVar("Result")


class Ticket(Generic[Item, Result]):
    """A place among what waits; `Grouping.finish` turns it into a result."""

    __slots__ = ("done", "error", "item", "result")

    def __init__(self, item: Item) -> None:
        self.item: Final = item
        self.done = False
        self.error: SalusError | None = None
        self.result: Result | None = None


class Grouping(Generic[Item, Result]):
    """Carries out items in the order in which they were enlisted, one group after the other. Safe for threads.

    carry_out: takes items and returns their results in order, or raises a SalusError having done nothing that it may
    not do again: the items of a group that fails are then carried out one by one, so that none fails for another.
    most: items of one group.
    """

    def __init__(self, carry_out: Callable[[Sequence[Item]], Sequence[Result]], most: int) -> None:
        self._carry_out = carry_out
        self._most = most
        self._waiting: list[Ticket[Item, Result]] = []
        self._listing = threading.Lock()
        self._turn = threading.Lock()

    def enlist(self, item: Item) -> Ticket[Item, Result]:
        """Take an item up; whoever enlists finishes."""
        ticket: Ticket[Item, Result] = Ticket(item)
        with self._listing:
            self._waiting.append(ticket)
        return ticket

    def finish(self, ticket: Ticket[Item, Result]) -> Result:
        """Return an item's result when it has been carried out. Raises what carrying it out raised."""
        with self._turn:
            while not ticket.done:
                self._next()
        if ticket.error is not None:
            raise ticket.error
        return ticket.result  # type: ignore[return-value]  # it is there once it is done

    def settle(self) -> None:
        """Return when all that was enlisted before has been carried out, by whomever."""
        with self._turn:
            while self._waiting:
                self._next()

    def _next(self) -> None:
        """Carry out the first of what waits. Call with the turn."""
        with self._listing:
            group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            self._together(group)
        finally:
            for ticket in group:
                if not ticket.done:  # a fault of the program, which goes on to whoever met it
                    ticket.done, ticket.error = True, Stopped("what was to be written together was not")

    def _together(self, group: Sequence[Ticket[Item, Result]]) -> None:
        try:
            results = self._carry_out([ticket.item for ticket in group])
        except SalusError as error:
            if len(group) == 1:
                group[0].done, group[0].error = True, error
                return
            for ticket in group:
                self._together([ticket])
            return
        for ticket, result in zip(group, results, strict=True):
            ticket.done, ticket.result = True, result
