"""A researcher's door: a study's permit and data sets from a file, questions asked, waited for, and taken as a table.

    study = Study.open("study.toml")
    print(study.run("query.json").to_pandas())

The file names the node of one's own institution, by URL or by its operator's socket, the permit and the data sets:

    url = "https://university.example"
    socket = "/run/salus/university.sock"
    permit = "0f…"
    data_sets = ["1a…", "2b…"]
"""

import importlib
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from salus.client.api import AskQuestion, Result, RunModel, Salus, ShowResult
from salus.client.node import Connection, Refusal

WAIT_SECONDS: Final = 7 * 86_400.0  # a custodian's checker has a week to release a question
POLL_SECONDS: Final = 5.0
FAILED: Final = ("withheld", "failed", "released")


class StudyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a study's file says."""

    url: str
    permit: str
    data_sets: tuple[str, ...]
    socket: str = ""
    """The node's unix socket, for whoever runs on its machine."""


class NotAnswered(Exception):
    """No custodian answers: each has withheld the question, failed, or let it pass by; `parts` says which."""

    def __init__(self, query: str, parts: dict[str, str]) -> None:
        self.query, self.parts = query, parts
        told = ", ".join(f"{custodian} {status}" for custodian, status in sorted(parts.items()))
        super().__init__(f"question {query}: {told}; a custodian does not say why, its output checker can be asked")


@dataclass(frozen=True, slots=True)
class Answer:
    """A result: figures of a table, or estimates of a model, over all custodians that answered."""

    query: str
    """The question's id, by which it is resumed and published."""
    result: Result

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The figures, a dictionary for each line."""
        return [dict(line) for line in self.result.lines]

    @property
    def custodians(self) -> tuple[str, ...]:
        """Who answered."""
        return tuple(part.custodian for part in self.result.parts if part.status == "answered")

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know to judge the figures."""
        return self.result.notes

    @property
    def coefficients(self) -> dict[str, float]:
        """A model's estimates by term; empty for a table."""
        return {line["term"]: line["estimate"] for line in self.lines if "term" in line}

    @property
    def covariance(self) -> list[list[float]]:
        """A model's covariance, in the order of its terms; empty for a table."""
        return [line["covariance"] for line in self.lines if "term" in line]

    def to_pandas(self) -> Any:
        """Return the lines as a pandas data frame. Needs pandas."""
        return importlib.import_module("pandas").DataFrame(self.lines)

    def to_polars(self) -> Any:
        """Return the lines as a polars data frame. Needs polars."""
        return importlib.import_module("polars").DataFrame(self.lines)


class Study:
    """A study under one permit. Close it, or use it in a `with` block."""

    def __init__(self, file: StudyFile, connection: Connection, sleep: Callable[[float], None] = time.sleep) -> None:
        self._file, self._connection, self._sleep = file, connection, sleep
        self._node = Salus(connection)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a study from its file. Raises OSError, and msgspec.ValidationError naming the place."""
        told = msgspec.convert(tomllib.loads(Path(path).read_text()), StudyFile)
        return cls(told, Connection(told.url, socket=Path(told.socket) if told.socket else None))

    def __enter__(self) -> Self:
        """Return the study itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._connection.close()

    def ask(self, query: str | Path | dict[str, Any], *, variance: int = 100) -> str:
        """Put a question on record and send it; return its id. `variance` is that of each custodian's noise. Raises Refusal."""
        document = msgspec.json.encode(query) if isinstance(query, dict) else Path(query).read_bytes()
        request = AskQuestion(
            permit=self._file.permit, query=document, data_sets=self._file.data_sets, variance=variance
        )
        return self._node.research.ask(request).query

    def run(self, query: str | Path | dict[str, Any], *, variance: int = 100, seconds: float = WAIT_SECONDS) -> Answer:
        """Ask, wait until every custodian has released the question or not, and return the answer. Raises as `resume`."""
        return self.resume(self.ask(query, variance=variance), seconds=seconds)

    def resume(self, query: str, *, seconds: float = WAIT_SECONDS) -> Answer:
        """Wait for a question that was asked before, whatever became of the process that asked.

        Raises NotAnswered when no custodian answers, TimeoutError when some have not decided, Refusal.
        """
        waited = 0.0
        while True:
            result = self._node.research.result(ShowResult(query=query))
            states = {part.custodian: part.status for part in result.parts}
            if result.complete:
                return Answer(query, result)
            if all(state in FAILED for state in states.values()):
                raise NotAnswered(query, states)
            if "begun" in states.values() and "registered" not in states.values() and self._lead(query):
                continue
            if waited >= seconds:
                raise TimeoutError(f"question {query}: not yet released by all custodians")
            self._sleep(POLL_SECONDS)
            waited += POLL_SECONDS

    def _lead(self, query: str) -> bool:
        """Lead an exact run; False where it ended without a result, as the parts that are read next say."""
        try:
            self._node.research.run(RunModel(query=query))
        except Refusal as refusal:
            if refusal.code not in ("research.nobody-left", "research.statistic"):
                raise
            return False
        return True
