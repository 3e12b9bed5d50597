"""GUDID's release files: read record by record, whatever the pieces they come in; hostile ones refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.interop.gs1.gudid import DeviceRecord, records
from salus.interop.gs1.refusal import Gs1Refused


def device(number="00844588018923", mri="MR Conditional", **more):
    told = {"brandName": "Hip & Co", "versionModelNumber": "M1", "companyName": "Maker", **more}
    fields = "".join(f"<{name}>{text.replace('&', '&amp;')}</{name}>" for name, text in told.items())
    return (
        '<device xmlns="http://www.fda.gov/cdrh/gudid"><deviceRecordStatus>Published</deviceRecordStatus><identifiers>'
        "<identifier><deviceId>10844588018920</deviceId><deviceIdType>Package</deviceIdType>"
        "<deviceIdIssuingAgency>GS1</deviceIdIssuingAgency></identifier>"
        f"<identifier><deviceId>{number}</deviceId><deviceIdType>Primary</deviceIdType>"
        "<deviceIdIssuingAgency>GS1</deviceIdIssuingAgency></identifier></identifiers>"
        f"{fields}<lotBatch>true</lotBatch><serialNumber>false</serialNumber><labeledContainsNRL>true</labeledContainsNRL>"
        f"<MRISafetyStatus>{mri}</MRISafetyStatus><gmdnTerms><gmdn><gmdnPTName>Hip liner</gmdnPTName></gmdn></gmdnTerms>"
        "<sterilization><deviceSterile>true</deviceSterile></sterilization></device>"
    )


def release(*devices):
    return f'\ufeff<?xml version="1.0" encoding="utf-8"?><data>{"".join(devices)}</data>'.encode()


EXPECTED = DeviceRecord(
    device="00844588018923",
    issuer="gs1",
    identifiers=("00844588018923", "10844588018920"),
    brand="Hip & Co",
    model="M1",
    company="Maker",
    mri="conditional",
    gmdn=("Hip liner",),
    flags=("lot", "latex", "sterile"),
)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 400), max_size=6))
def test_records_come_whatever_the_pieces(cuts):
    data = release(device(), device("00844588018916", "MR Safe"), device("00844588018909", "never heard of"))
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(data[at : at + cut])
        at += cut
    found = list(records([*pieces, data[at:]]))
    assert found[0] == EXPECTED
    assert [each.mri for each in found] == ["conditional", "safe", "unsaid"]


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b'<!DOCTYPE a [<!ENTITY b "c">]><data>&b;</data>', "gudid.declaration"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><data/>', "gudid.declaration"),
        (release(device())[:-3], "gudid.xml"),
        (b"<data>" + b"<a>" * 60, "gudid.limit"),
        (release(device(brandName="x" * 9_000)), "gudid.limit"),
        (release(device().replace("Primary", "Secondary")), "gudid.primary"),
        (release("<device xmlns='http://www.fda.gov/cdrh/gudid'>" + "<a/>" * 5_000 + "</device>"), "gudid.limit"),
    ],
    ids=range(7),
)
def test_what_is_no_release_file_is_refused(data, rule):
    with pytest.raises(Gs1Refused) as refused:
        list(records([data]))
    assert refused.value.rule == rule
