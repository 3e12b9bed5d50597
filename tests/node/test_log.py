"""The log holds nothing that is not on its list."""

import io
import json

import pytest
import structlog

from salus.node import log


def test_a_key_off_the_list_loses_its_value():
    stream = io.StringIO()
    log.configure(stream)
    try:
        structlog.get_logger().info("link.invited", member="st-anna", patient="Mrs Canary", tx="00ff")
    finally:
        structlog.reset_defaults()
    line = json.loads(stream.getvalue())
    assert (line["event"], line["member"], line["tx"], line["patient"]) == (
        "link.invited",
        "st-anna",
        "00ff",
        "withheld",
    )
    assert "Canary" not in stream.getvalue()


def test_a_failure_is_told_by_place_alone():
    with pytest.raises(KeyError) as caught:
        raise KeyError("Mrs Canary")
    assert log.place(caught.value).split(":")[0].endswith("test_log")
    assert "Canary" not in log.place(caught.value)
    assert log.place(KeyError("never raised")) == "?"


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        self.write("")


def test_a_log_on_a_full_disk_ends_nobody():
    log.configure(FullDisk())
    try:
        structlog.get_logger().info("engine.halted", member="st-anna")
    finally:
        structlog.reset_defaults()
