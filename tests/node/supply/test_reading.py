"""Published notices against own goods."""

import json

import pytest

from salus.agreements.supply.packing import Box
from salus.contracts.supply import port
from salus.node.errors import Malformed
from salus.node.supply import moving
from salus.node.supply.reading import ReadNotices, read_notices

from .members import GTIN, brought, label, moved, traders


def test_notices_name_exactly_the_goods_held(tmp_path):
    together = traders(tmp_path)
    try:
        brought(together, lot="BJ3186", box=Box("", (), tuple(b"B%03d" % n for n in range(9))))
        moved(together, "maker", "whole", *[label(f"B{n:03d}", lot="BJ3186") for n in range(4)])
        whole = together.nodes["whole"]
        moving.end(whole, [label("B000", lot="BJ3186")], port.Reason.DESTROYED)
        notices = [
            {"recall_number": "D-1", "code_info": "Lot #: BJ3186, BJ3142, Exp 12/12."},
            {"recall-number": "D-2", "code-info": "Lot # 5604", "more_code_info": None},
            {"recall_number": "D-3", "code_info": "All of lot BJ3186"},
            {"code_info": None},
        ]
        told = read_notices(whole, ReadNotices(notices=json.dumps({"results": notices}).encode()))
        assert told.here == (f"D-1: {GTIN}|BJ3186|271231 3",)
        assert told.clear == 1
        assert told.doubtful == (
            f"D-3: All of; held: {GTIN}|BJ3186|271231 3",
            "record 4: no text; held: none of its codes",
        )
        assert read_notices(together.nodes["maker"], ReadNotices(notices=b"Lot BJ3186")).here[0].endswith(" 5")
        assert read_notices(together.nodes["rival"], ReadNotices(notices=b"Lot BJ3186")).clear == 1
        for wrong in (b"[1]", b"[", b"\xff"):
            with pytest.raises(Malformed):
                read_notices(whole, ReadNotices(notices=wrong))
    finally:
        together.close()
