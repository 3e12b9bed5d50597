"""Metrics in the OpenMetrics 1.0 text format. Labels are names of use cases and statuses: nothing of any person."""

import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Final

CONTENT_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
# Seconds; from a cached read to the longest answer a browser waits for.
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
HELP: Final[Mapping[str, str]] = {
    "batches_unanchored": "Batches of records and disclosures that the ledger does not hold yet.",
    "ledger_head_age_seconds": "Age of the newest block, by the node's clock.",
    "ledger_height": "Height of the newest block.",
    "ledger_log_size": "Leaves of the ledger's log.",
    "ledger_reachable": "Whether a block was heard of lately: 1, or 0.",
    "outgoing_waiting": "Deliveries to other members that none has acknowledged yet.",
    "peer_faults": "Times since the start that a member did not answer, or answered what does not hold, by code.",
    "validator_faults": "Times since the start that a validator did not sign, or proposed or signed what is refused.",
}
"""What each gauge of a node is, by its family's name without the prefix."""


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

    def text(self, gauges: Mapping[str, int | float]) -> str:
        """Return the exposition of all metrics and the node's gauges (name without prefix, labels behind it: value).

        Each gauge's family stands in `HELP`.
        """
        with self._lock:
            lines = [*self._requests(), *self._durations()]
        family = ""
        for name, value in sorted(gauges.items()):
            if name.partition("{")[0] != family:
                family = name.partition("{")[0]
                lines.append(f"# TYPE salus_{family} gauge")
                lines += [f"# UNIT salus_{family} seconds"] if family.endswith("_seconds") else []
                lines.append(f"# HELP salus_{family} {HELP[family]}")
            lines.append(f"salus_{name} {value}")
        return "\n".join([*lines, "# EOF"]) + "\n"

    def _requests(self) -> Iterator[str]:
        yield "# TYPE salus_requests counter"
        yield "# HELP salus_requests Requests answered, by use case and HTTP status."
        for (use_case, status), count in sorted(self._counts.items()):
            yield f'salus_requests_total{{use_case="{use_case}",status="{status}"}} {count}'

    def _durations(self) -> Iterator[str]:
        yield "# TYPE salus_request_duration_seconds histogram"
        yield "# UNIT salus_request_duration_seconds seconds"
        yield "# HELP salus_request_duration_seconds Time from a request's last byte to its answer."
        for use_case, counts in sorted(self._buckets.items()):
            below = 0
            for bound, count in zip([*map(str, BUCKETS), "+Inf"], counts, strict=True):
                below += count
                yield f'salus_request_duration_seconds_bucket{{use_case="{use_case}",le="{bound}"}} {below}'
            yield f'salus_request_duration_seconds_count{{use_case="{use_case}"}} {below}'
            yield f'salus_request_duration_seconds_sum{{use_case="{use_case}"}} {self._sums[use_case]}'
