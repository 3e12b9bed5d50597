"""Metrics in the OpenMetrics 1.0 text format, or in Prometheus's older one (0.0.4) for whoever asks for that.

Labels are names of use cases and statuses: nothing of any person.
"""

import re
import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Final

OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN: Final = "text/plain; version=0.0.4; charset=utf-8"
# Seconds; from a cached read to the longest answer a browser waits for.
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
HELP: Final[Mapping[str, str]] = {
    "batches_unanchored": "Batches of records and disclosures that the ledger does not hold yet.",
    "ledger_head_age_seconds": "Age of the newest block, by the node's clock.",
    "ledger_height": "Height of the newest block.",
    "ledger_log_size": "Leaves of the ledger's log.",
    "ledger_reachable": "Whether a block was heard of lately: 1, or 0.",
    "outgoing_waiting": "Deliveries to other members that none has acknowledged yet.",
    "peer_faults": "Times that a member did not answer, or answered what does not hold, by code.",
    "validator_faults": "Times that a validator did not sign, or proposed or signed what is refused.",
}
"""What each figure of a node is, by its family's name without the prefix."""
COUNTERS: Final = frozenset({"peer_faults", "validator_faults"})
"""Which of these families only rise; their samples end in `_total`. The others are gauges."""


def content_type(accept: str) -> str:
    """Return the format to answer in (RFC 9110, 12.5.1): OpenMetrics, unless the reader prefers plain text to it.

    OpenMetrics 1.0 wants a simple GET answered in OpenMetrics, so that it wins a tie.
    """
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        told = [one.removeprefix("q=") for one in parameters if one.startswith("q=")]
        weight = float(told[0]) if told and re.fullmatch(r"[01](\.[0-9]{0,3})?", told[0]) else 1.0
        weights[kind] = max(weight, weights.get(kind, 0.0))
    anything = weights.get("*/*", 0.0)
    plain = weights.get("text/plain", weights.get("text/*", anything))
    return (
        PLAIN
        if plain > weights.get("application/openmetrics-text", weights.get("application/*", anything))
        else OPENMETRICS
    )


class Metrics:
    """Counts and durations of requests, by use case and status. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, int], int] = {}
        self._buckets: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def answered(self, use_case: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        with self._lock:
            self._counts[use_case, status] = self._counts.get((use_case, status), 0) + 1
            self._buckets.setdefault(use_case, [0] * (len(BUCKETS) + 1))[bisect_left(BUCKETS, seconds)] += 1
            self._sums[use_case] = self._sums.get(use_case, 0.0) + seconds

    def text(self, figures: Mapping[str, int | float], form: str = OPENMETRICS) -> str:
        """Return the exposition of all metrics and the node's figures (name without prefix, labels behind it: value).

        Each figure's family stands in `HELP`. form: `OPENMETRICS` or `PLAIN`.
        """
        with self._lock:
            lines = [*self._requests(form), *self._durations(form)]
        family = ""
        for name, value in sorted(figures.items()):
            if name.partition("{")[0].removesuffix("_total") != family:
                family = name.partition("{")[0].removesuffix("_total")
                lines += _head(family, "counter" if family in COUNTERS else "gauge", HELP[family], form)
            lines.append(f"salus_{name} {value}")
        return "\n".join([*lines, *(["# EOF"] if form == OPENMETRICS else [])]) + "\n"

    def _requests(self, form: str) -> Iterator[str]:
        yield from _head("requests", "counter", "Requests answered, by use case and HTTP status.", form)
        for (use_case, status), count in sorted(self._counts.items()):
            yield f'salus_requests_total{{use_case="{use_case}",status="{status}"}} {count}'

    def _durations(self, form: str) -> Iterator[str]:
        told = "Time from a request's last byte to its answer."
        yield from _head("request_duration_seconds", "histogram", told, form)
        for use_case, counts in sorted(self._buckets.items()):
            below = 0
            for bound, count in zip([*map(str, BUCKETS), "+Inf"], counts, strict=True):
                below += count
                yield f'salus_request_duration_seconds_bucket{{use_case="{use_case}",le="{bound}"}} {below}'
            yield f'salus_request_duration_seconds_count{{use_case="{use_case}"}} {below}'
            yield f'salus_request_duration_seconds_sum{{use_case="{use_case}"}} {self._sums[use_case]}'


def _head(family: str, kind: str, told: str, form: str) -> Iterator[str]:
    """Give the lines before a family's samples. The older format names a counter as its samples are, and has no units."""
    name = f"salus_{family}_total" if kind == "counter" and form == PLAIN else f"salus_{family}"
    yield f"# TYPE {name} {kind}"
    if family.endswith("_seconds") and form == OPENMETRICS:
        yield f"# UNIT {name} seconds"
    yield f"# HELP {name} {told}"
