"""How a chapter is told: steps, each with what it shows, figures, and whether it held."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from salus.core.errors import SalusError
from salus.node.mapping import edge_error


@dataclass
class Step:
    """One step of a chapter."""

    title: str
    shows: str
    """What a reader is to take from it, in a sentence."""
    figures: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0

    @property
    def held(self) -> bool:
        """Whether everything that the step claims was seen to be so."""
        return not self.failures

    def figure(self, name: str, value: object) -> None:
        """Note a figure."""
        self.figures[name] = f"{value:,}" if isinstance(value, int) else str(value)

    def holds(self, claim: str, truth: object) -> None:
        """Note that something claimed was checked; what is not so fails the step."""
        if not truth:
            self.failures.append(claim)

    @contextmanager
    def refused(self, claim: str, *kinds: type[BaseException]) -> Iterator[None]:
        """Expect a refusal: the step fails if nothing is refused."""
        try:
            yield
        except kinds as error:
            coded = edge_error(error) if isinstance(error, SalusError) and not hasattr(error, "code") else error
            self.figures[claim] = f"refused ({getattr(coded, 'code', type(error).__name__)})"
        else:
            self.failures.append(f"{claim}: was not refused")


@dataclass
class Telling:
    """A chapter as it is told."""

    title: str
    folder: Path
    """Where the chapter may keep what it makes; removed afterwards."""
    heard: Callable[[Step], None] = lambda _: None
    """Told of each step when it ended."""
    steps: list[Step] = field(default_factory=list)
    holders: list["Holding"] = field(default_factory=list)
    """Who holds and read what, for the report's picture."""
    way: list["Stop"] = field(default_factory=list)
    """One thing's way, for the report's map."""
    notes: list[str] = field(default_factory=list)
    """What a reader must know to judge the steps."""
    next_commands: list[str] = field(default_factory=list)
    broken: bool = False
    """Whether the story ended before its end."""

    @property
    def held(self) -> bool:
        """Whether the story was told to its end and every step held."""
        return bool(self.steps) and not self.broken and all(step.held for step in self.steps)

    @contextmanager
    def step(self, title: str, shows: str) -> Iterator[Step]:
        """Tell one step. What goes wrong in it fails the step and ends the chapter."""
        step = Step(title, shows)
        self.steps.append(step)
        start = time.perf_counter()
        try:
            yield step
        except (SalusError, OSError) as error:
            step.failures.append(f"{type(error).__name__}: {error}")
            raise StoryEnds(step) from error
        finally:
            step.seconds = time.perf_counter() - start
            self.heard(step)


@dataclass(frozen=True, slots=True)
class Stop:
    """A station of something on its way, in the report's map."""

    name: str
    what: str
    """What became of it here."""
    came: str
    """How and when it came; empty at the first."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A member in the report's picture."""

    member: str
    name: str
    sealed: int
    """Records it wrote and holds."""
    pulled: int
    """Records it read under a grant."""


class StoryEnds(SalusError):
    """A step could not be told to its end."""

    def __init__(self, step: Step) -> None:
        self.step = step
        super().__init__(f"{step.title}: {step.failures[-1]}")


class Chapter(Protocol):
    """What a domain adds to the demo."""

    name: str
    """Its word on the command line: `salus demo claims`."""
    title: str
    budget_seconds: int

    def tell(self, telling: Telling, source: Path | None) -> None:
        """Tell the chapter on the samples, or on files in `source`. Raises StoryEnds."""
        ...
