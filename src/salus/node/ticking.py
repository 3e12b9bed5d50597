"""What a running node does by itself, on a thread of its own: anchor, index, deliver, purge, erase, match, send notices.

Anchors leave at the network's tick (`Parameters.anchor_tick`, 500 ms by default), so that what the own people read is
anchored within 5 s. A failure is logged by its code and tried again; only a bug ends the thread, and `/health` says so.
"""

import threading
from collections.abc import Callable
from typing import Final, Self

import structlog

from salus.contracts.membership import port as membership
from salus.core.errors import SalusError
from salus.core.proof.errors import Unproven
from salus.node import emergency, erasing
from salus.node.anchoring import anchor
from salus.node.exchange.delivery import deliver_due
from salus.node.exchange.grantee import confirm_and_purge
from salus.node.fhir import importing
from salus.node.identity.comparing import match_new
from salus.node.mapping import edge_error
from salus.node.member import MemberNode
from salus.node.notices import post_of, send_due
from salus.node.research import extracting, receiving, releasing
from salus.node.supply import devices, showing, subscribing
from salus.node.trials.founding import make_keys
from salus.node.upkeep.backups import expire

_log = structlog.get_logger()
DELIVER_SECONDS: Final = 1.0  # the first retry of a delivery is due after two
INDEX_SECONDS: Final = 0.5  # what was left for later is found at once by who asks later than that
PURGE_SECONDS: Final = 1.0  # a revoked lease is gone within two seconds of the block that ends it
EMERGENCY_SECONDS: Final = 5.0  # what was deferred is on the ledger well within a minute of its return
ERASE_SECONDS: Final = 60.0  # deadlines of days
EXPIRE_SECONDS: Final = 600.0  # keys of days
RELEASE_SECONDS: Final = 600.0  # charges of questions come back that had a week to begin
EXTRACT_SECONDS: Final = 60.0  # who withdraws is taken out of extracts
NOTICE_SECONDS: Final = 5.0
KEYS_SECONDS: Final = 5.0  # trustees that make a key answer each other
CONFIRM_SECONDS: Final = 1.0
OF_NO_PATIENT: Final = frozenset({"confirm", "anchor", "purge", "erase", "expire"})
"""What goes on while the node cannot know whom it erased."""
IMPORT_SECONDS: Final = 1.0
SUBSCRIBE_SECONDS: Final = 1.0
EVENTS_SECONDS: Final = 60.0  # captured events are anchored together
IMPLANT_SECONDS: Final = 60.0  # a patient learns of a recall within minutes of it
MATCH_SECONDS: Final = 30.0  # who a new patient is, people decide within days


class Ticker:
    """The thread. Stop it before the node is closed; a context manager."""

    def __init__(self, node: MemberNode) -> None:
        """Start ticking."""
        self._node = node
        self._end = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(job,), name=f"salus-{job[0]}", daemon=True)
            for job in self._jobs(node)
        ]
        node.ticking = True
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        """Return the ticker."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def stop(self) -> None:
        """End every job after its present step. What is pending stays, durably, for the next start."""
        self._end.set()
        for thread in self._threads:
            thread.join()
        self._node.ticking = False

    def _jobs(self, node: MemberNode) -> list["Job"]:
        post = post_of(node.config.notices)
        jobs: list[Job] = [
            ("confirm", lambda: CONFIRM_SECONDS, lambda: node.withheld(ask=True)),
            ("anchor", lambda: _anchor_seconds(node), lambda: anchor(node)),
            ("index", lambda: INDEX_SECONDS, node.settle_index),
            ("deliver", lambda: DELIVER_SECONDS, lambda: deliver_due(node)),
            ("purge", lambda: PURGE_SECONDS, lambda: confirm_and_purge(node)),
            ("emergency", lambda: EMERGENCY_SECONDS, lambda: emergency.settle(node)),
            ("erase", lambda: ERASE_SECONDS, lambda: erasing.advance(node)),
            ("expire", lambda: EXPIRE_SECONDS, lambda: expire(node)),
            ("import", lambda: IMPORT_SECONDS, lambda: importing.advance(node, self._end.is_set)),
            ("subscribe", lambda: SUBSCRIBE_SECONDS, lambda: subscribing.notify_due(node, subscribing.OverHttp())),
            ("events", lambda: EVENTS_SECONDS, lambda: showing.anchor_events(node)),
            ("implants", lambda: IMPLANT_SECONDS, lambda: devices.check_due(node)),
            ("match", lambda: MATCH_SECONDS, lambda: match_new(node, self._end.is_set)),
            ("release", lambda: RELEASE_SECONDS, lambda: releasing.release_due(node)),
            ("keys", lambda: KEYS_SECONDS, lambda: make_keys(node)),
            ("extract", lambda: EXTRACT_SECONDS, lambda: (extracting.take_back(node), receiving.end_leases(node))),
        ]
        if post is not None:
            jobs.append(("notify", lambda: NOTICE_SECONDS, lambda: send_due(node, post)))
        return jobs

    def _run(self, job: "Job") -> None:
        """Repeat one job until told to end. Each has a thread: a member that does not answer delays no anchor."""
        name, seconds, work = job
        failed = ""
        ended = False
        try:
            while not self._end.wait(seconds()):
                if name not in OF_NO_PATIENT and self._node.withheld(ask=False) is not None:
                    continue
                try:
                    work()
                    failed = ""
                except (SalusError, Unproven) as error:
                    told = edge_error(error)
                    if told is None:
                        raise
                    if told.code != failed:
                        _log.warning(f"tick.{name}", code=told.code)
                    failed = told.code
            ended = True
        finally:
            if not ended:
                self._node.stopped = "node.bug"


Job = tuple[str, Callable[[], float], Callable[[], object]]
"""Name, how many seconds until its next turn, what it does."""


def _anchor_seconds(node: MemberNode) -> float:
    return membership.parameters(node.ledger.read()).anchor_tick / 1000
