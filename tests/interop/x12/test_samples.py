"""Public samples of others, which are not shipped: read in full, written back alike, faults named where they are."""

from salus.interop.x12.examine import InterchangeSeen, SetSeen, UnitSeen, examine
from salus.interop.x12.tokens import tokenize, write
from tests.needs import shared


def test_every_sample_is_read_written_back_alike_and_its_faults_are_named() -> None:
    files = sorted(path for path in shared("data/claims/x12").rglob("*") if path.is_file())
    assert files
    for path in files:
        data = path.read_bytes()
        assert b"".join(write(tokenize([data]))) == data, path.name
        events = list(examine([data]))
        assert any(isinstance(event, SetSeen) and event.head.guide is not None for event in events), path.name
        assert [event.code for event in events if isinstance(event, InterchangeSeen)] == ["000"], path.name
        for event in events:
            if isinstance(event, UnitSeen | SetSeen):
                for finding in event.findings:
                    assert finding.rule, path.name
                    assert finding.expected, path.name
                    assert finding.position, path.name
