"""Official tables loaded from files, and decisions that need them."""

import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest

from salus.agreements.claims.plan import Coding, TableReference
from salus.agreements.claims.rates import Locality, Rate, Rates
from salus.agreements.claims.tables import Table
from salus.node.claims import (
    adjudicate_claims,
    dossiers,
    load_table,
    make_locality,
    make_rates,
    recompute_decision,
    replay_claims,
    submit_claims,
)
from salus.node.claims.deciding import Inbox
from salus.node.claims.listing import RecomputeDecision
from salus.node.claims.plans import ReplayClaims
from salus.node.claims.remitting import Remitter
from salus.node.claims.submitting import SubmitClaims
from salus.node.claims.tables import (
    LoadTable,
    MakeLocality,
    MakeRates,
    RatesMade,
    TableLoaded,
    official_text,
    tables_of,
)
from salus.node.config import Config
from salus.node.errors import Malformed
from salus.node.local import Bare
from tests.agreements.claims.cases import MEMBERS, PLAN, RATES, claim, file_of, line
from tests.agreements.claims.test_tables import PAIRS, UNITS
from tests.node.claims.test_alone import request
from tests.node.claims.two import found_two

JSON = msgspec.json.encode


@pytest.fixture
def node(tmp_path: Path) -> Bare:
    return Bare(Config(data=str(tmp_path / "data")))


def load(node: Bare, folder: Path, *files: Path, kind: str = "pairs") -> TableLoaded:
    asked = LoadTable(
        kind=kind,
        name="NCCI PTP",
        version="2025Q1",
        source="cms.gov",
        date="20250101",
        folder=str(folder) if folder.parts else "",
        files=tuple(map(str, files)),
    )
    return load_table(node, asked)


def test_a_table_is_the_same_however_its_files_are_cut(node: Bare, tmp_path: Path) -> None:
    head, lines = PAIRS.splitlines(keepends=True)[:3], PAIRS.splitlines(keepends=True)[3:]
    (tmp_path / "all.txt").write_text(PAIRS)
    (tmp_path / "one.txt").write_bytes(b"\xef\xbb\xbf" + "".join([*head, *lines[2:]]).encode())
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as packed:
        packed.writestr("ccipra-f2.TXT", "".join([*head, *lines[:2]]).encode("cp1252"))
        packed.writestr("ccipra-f2.xlsx", b"PK not read")
    whole = load(node, tmp_path / "tables", tmp_path / "all.txt")
    cut = load(node, tmp_path / "others", tmp_path / "two.zip", tmp_path / "one.txt")
    assert (whole.rows, whole.digest, whole.reference) == (3, cut.digest, cut.reference)
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == [
        f"{whole.digest}.json",
        f"{whole.digest}.table",
    ]
    table = (tmp_path / "tables" / f"{whole.digest}.table").read_bytes()
    assert hashlib.sha256(table).hexdigest() == whole.digest
    told = msgspec.json.decode(whole.reference, type=TableReference)
    assert (told.name, told.version, told.source, told.date) == ("NCCI PTP", "2025Q1", "cms.gov", "20250101")


def test_a_plan_that_names_a_table_decides_with_it_or_not_at_all(node: Bare, tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text(PAIRS)
    (tmp_path / "units.csv").write_text(UNITS)
    tables = tmp_path / "tables"
    made = load(node, tables, tmp_path / "pairs.txt"), load(node, tables, tmp_path / "units.csv", kind="units")
    plan = msgspec.structs.replace(
        PLAN,
        coding=Coding(),
        tables=tuple(msgspec.json.decode(one.reference, type=TableReference) for one in made),
    )
    asked = request(tmp_path / "answers", plan=JSON(plan), file=file_of(claim(line(), line(2, "G0403"))))
    with pytest.raises(
        Malformed, match=r"claims\.table: the plan decides with NCCI PTP 2025Q1.*name its folder with --tables"
    ):
        adjudicate_claims(node, asked)
    with pytest.raises(Malformed, match=r"is not in the folder of tables"):
        adjudicate_claims(node, msgspec.structs.replace(asked, tables=str(tmp_path)))
    assert not (tmp_path / "answers").exists()
    adjudicate_claims(node, msgspec.structs.replace(asked, tables=str(tables)))
    assert "clause NCCI PTP 2025Q1" in (tmp_path / "answers" / "page.html").read_text()
    replay = ReplayClaims(
        plan=JSON(plan),
        old=JSON(msgspec.structs.replace(plan, tables=())),
        file=asked.file,
        rates=asked.rates,
        members=JSON(MEMBERS),
        day="20250315",
        tables=str(tables),
    )
    assert replay_claims(node, replay).changes[0].lines == (2,)
    file = tables / f"{made[0].digest}.table"
    file.write_bytes(file.read_bytes().replace(b"G0403", b"G0409"))
    with pytest.raises(Malformed, match="is not the table that the plan names"):
        tables_of(node, plan, str(tables))


def packed(*changes: tuple[int, int]) -> bytes:
    """Return a zip with bytes changed: (place, value), from the end where negative."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.txt", PAIRS * 9)
    raw = bytearray(whole.getvalue())
    for place, value in changes:
        raw[place] = value
    return bytes(raw)


LISTED = -22 - 5 - 46
"""Where the list in a zip of one file, "a.txt", begins."""


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (packed(*((place, 255) for place in range(36, 60))), "damaged"),
        (packed((6, 1), (LISTED + 8, 1)), "the zip is encrypted"),
        (packed((8, 99), (LISTED + 10, 99)), "packed in an unknown way"),
        (PAIRS.encode() + b"G0402\tG0404\rG0405\t\t20200101\t*\t0\t\n", "no text with separators"),
        (b"no rows\n", "no row of pairs"),
        (PAIRS.encode() + b"x" * 5000, "a line has 4096 characters or more"),
        (b"PK\x05\x06" + bytes(18), "the zip holds no text file"),
        (PAIRS.encode() + b"G0402\tG0403\t\t20200101\t*\t0\t\n", "contradicts itself"),
    ],
)
def test_what_is_no_official_file_leaves_nothing(node: Bare, tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(Malformed, match=told):
        load(node, tmp_path / "tables", tmp_path / "file")
    assert list((tmp_path / "tables").iterdir()) == []
    with pytest.raises(Malformed, match="cannot be read"):
        load(node, tmp_path / "tables", tmp_path / "missing")


def test_a_locality_is_taken_from_the_official_indices(node: Bare) -> None:
    file = b"MAC,State,Locality Number,Locality Name,PW,PE,MP\n02102,AK,01,ALASKA*,1.5,1.081,0.592\n"
    asked = MakeLocality(
        file=file,
        name="GPCI 2025",
        source="cms.gov, RVU25D",
        date="20250101",
        contractor="02102",
        number="01",
        factor="32.3465",
    )
    made = make_locality(node, asked)
    assert (made.state, made.place) == ("AK", "ALASKA")
    place = msgspec.json.decode(made.locality, type=Locality)
    assert (place.source, place.date, place.digest) == (asked.source, "20250101", hashlib.sha256(file).hexdigest())
    assert (place.table, place.work, place.practice, place.malpractice, place.factor) == (
        "GPCI 2025",
        1500,
        1081,
        592,
        323465,
    )
    with pytest.raises(Malformed, match="1 localities, none with this contractor and number"):
        make_locality(node, msgspec.structs.replace(asked, number="02"))
    for factor in ("32,3465", "9" * 5000):
        with pytest.raises(Malformed, match="no number"):
            make_locality(node, msgspec.structs.replace(asked, factor=factor))
    for cell in (b"ALASKA" * 40_000, b"ALASKA,1" + b"0" * 5000):
        with pytest.raises(Malformed):
            make_locality(node, msgspec.structs.replace(asked, file=file.replace(b"ALASKA", cell)))


def test_values_and_indices_are_read_from_the_zip_that_they_come_in(node: Bare) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as packed:
        packed.writestr("PPRRVU25_JAN.csv", VALUES)
        packed.writestr("PPRRVU25_JAN.txt", "not read")
        packed.writestr("RVU25A/GPCI2025.csv", "02102,AK,01,ALASKA*,1.5,1.081,0.592\n")
        packed.writestr("OPPSCAP_JAN.csv", "not read")
    (text,) = (official_text(whole.getvalue(), name) for name in ("PPRRVU",))
    assert text == VALUES
    asked = MakeLocality(
        file=whole.getvalue(),
        name="GPCI 2025",
        source="cms.gov",
        date="20250101",
        contractor="02102",
        number="01",
        factor="32.3465",
    )
    assert make_locality(node, asked).place == "ALASKA"
    with zipfile.ZipFile(whole, "a") as packed:
        packed.writestr("GPCI2026.csv", "")
    with pytest.raises(Malformed, match=r"not one GPCI….csv but RVU25A/GPCI2025.csv, GPCI2026.csv"):
        make_locality(node, msgspec.structs.replace(asked, file=whole.getvalue()))


def zip_row(code: str, locality: str = "01", flag: str = "0", four: str = "", quarter: str = "20251") -> str:
    """A row of CMS's ZIP5 file, with `four` of its ZIP9 file."""
    return f"AK{code}02102{locality}RZ9   {flag}{four or ' A  '}".ljust(75)[:75] + f"{quarter}\r\n"


def test_a_locality_follows_from_the_zip_code_of_the_place(node: Bare, tmp_path: Path) -> None:
    official = tmp_path / "zips.zip"
    with zipfile.ZipFile(official, "w") as packed:
        packed.writestr("ZIP5lyout.txt", "Zip5 Record Layout\n")
        packed.writestr("ZIP5_JAN2025.txt", zip_row("99501") + zip_row("99502", "99", "1"))
        packed.writestr("ZIP5_JAN2025.xlsx", b"PK not read")
        packed.writestr("ZIP9_JAN2025.txt", zip_row("99502", "01", "1", "0001") + zip_row("99502", "02", "1", "0002"))
    file = b"02102,AK,01,ALASKA*,1.5,1.081,0.592\n02102,AK,02,ELSEWHERE,1.5,1.081,0.592\n"
    start = MakeLocality(
        file=file, name="GPCI 2025", source="cms.gov", date="20250101", factor="32.3465", zips=(str(official),)
    )
    for code, place in (
        ("99501", "ALASKA"),
        ("995019999", "ALASKA"),
        ("995020001", "ALASKA"),
        ("995020002", "ELSEWHERE"),
    ):
        made = make_locality(node, msgspec.structs.replace(start, zip=code))
        assert (made.place, made.contractor, made.quarter) == (place, "02102", "20251")
    for code, told in (
        ("99502", "several localities; expected all nine digits"),
        ("995020003", "several localities"),
        ("99503", "do not have the ZIP code"),
        ("", "by contractor and number, or by a ZIP code"),
    ):
        with pytest.raises(Malformed, match=told):
            make_locality(node, msgspec.structs.replace(start, zip=code))
    text = tmp_path / "ZIP5.txt"
    for content, told in (
        (zip_row("99501") + "99501,AK\n", "line 2 is no row"),
        (zip_row("99501") + zip_row("99501", "02"), "twice, differently"),
        (zip_row("99501", quarter="20255"), "line 1 is no row"),
    ):
        text.write_text(content, newline="")
        with pytest.raises(Malformed, match=told):
            make_locality(node, msgspec.structs.replace(start, zip="99501", zips=(str(text),)))
    with pytest.raises(Malformed, match="cannot be read"):
        make_locality(node, msgspec.structs.replace(start, zip="99501", zips=(str(tmp_path / "none"),)))


def test_a_provider_names_rows_that_the_official_table_does_not_have(node: Bare, tmp_path: Path) -> None:
    """Under a long contract, of which the decision opens only what fits the claim."""
    more = tuple(Rate(method="fixed", procedure=f"A{number:04d}", clause="B", amount=number) for number in range(2000))
    contract = msgspec.structs.replace(RATES, rates=(*more, *RATES.rates))
    (tmp_path / "pairs.txt").write_text(PAIRS)
    made = load(node, tmp_path / "tables", tmp_path / "pairs.txt")
    reference = msgspec.json.decode(made.reference, type=TableReference)
    plan = msgspec.structs.replace(PLAN, coding=Coding(), tables=(reference,))
    invented = Table("pairs", b"G0402S912920200101299912310\n")
    two = found_two(tmp_path / "two")
    cedar, harbor = two.nodes["cedar"], two.nodes["harbor"]
    link = cedar.vault.open_link("urn:mrn:cedar", "7").hex()
    file = file_of(claim(line(), line(2, "S9129", 9000)))
    (case,) = submit_claims(cedar, SubmitClaims(link=link, payer="harbor", file=file)).cases
    two.abreast()
    inbox = Inbox(harbor, plan, [contract], MEMBERS, JSON(plan), tables={made.digest: invented})
    inbox.accept()
    inbox.decide()
    Remitter(harbor, plan, JSON(plan), MEMBERS, inbox.made).remit()
    two.abreast()
    kept = dossiers.dossier_of(cedar, bytes.fromhex(case)).last
    sent = kept.decided
    believed = recompute_decision(cedar, RecomputeDecision(case=case, rates=JSON([contract])))
    held = recompute_decision(
        cedar, RecomputeDecision(case=case, rates=JSON([contract]), tables=str(tmp_path / "tables"))
    )
    load(cedar, Path(), tmp_path / "pairs.txt")
    own = recompute_decision(cedar, RecomputeDecision(case=case, rates=JSON([contract])))
    again = file_of(claim(line(day="20250302"), line(2, "S9129", 9000, day="20250302"), identifier="A2"))
    (other,) = submit_claims(cedar, SubmitClaims(link=link, payer="harbor", file=again)).cases
    two.abreast()
    inbox.accept()
    inbox.decide()
    Remitter(harbor, plan, JSON(plan), MEMBERS, inbox.made).remit()
    two.abreast()
    arrived = dossiers.dossier_of(cedar, bytes.fromhex(other)).last
    two.close()
    assert (believed.step, held.step, own.step) == ("", "coding", "coding")
    assert (kept.difference, arrived.difference) == (
        "",
        "coding",
    )  # on arrival the own copy is used, where there is one
    assert held.own > held.decided
    assert sent is not None
    assert len(sent.rates) < 2_000 < len(JSON([contract]))


VALUES = """PPRRVU25,,,,,,,,,,,,,,,,,,
HCPCS,MOD,DESCRIPTION,CODE,PAYMENT,RVU,PE RVU,INDICATOR,PE RVU,INDICATOR,RVU,TOTAL,TOTAL,IND,DAYS,OP,OP,OP,PROC
G0402,,fictional,A,,2.43,2.45,,1.05,,0.16,5.04,3.64,0,XXX,0.00,0.00,0.00,0
G0404,,fictional,A,,0.00,29.03,,0.00,NA,0.51,29.54,0.51,1,XXX,0.00,0.00,0.00,4
G0404,26,fictional,A,,0.17,0.05,,0.05,,0.01,0.23,0.23,1,XXX,0.00,0.00,0.00,2
A0021,,not paid,I,,0.00,0.00,NA,0.00,NA,0.00,0.00,0.00,9,XXX,0.00,0.00,0.00,9
"""
PLACE = {"table": "GPCI 2025", "work": 1088, "practice": 1419, "malpractice": 445, "factor": 323465}


def rates_from(node: Bare, text: str, setting: str = "office") -> RatesMade:
    return make_rates(
        node,
        MakeRates(
            file=text.encode(),
            locality=JSON(PLACE),
            setting=setting,
            payer="HARBOR1",
            provider=RATES.provider,
            version="1",
            tier="in",
            clause="B",
            since="20250101",
            until="20251231",
        ),
    )


def test_relative_values_become_rates_whose_prices_are_the_published_ones(node: Bare, tmp_path: Path) -> None:
    made = rates_from(node, VALUES)
    assert (made.prices, made.left_out) == (3, 1)
    (document,) = msgspec.json.decode(made.rates, type=tuple[Rates, ...])
    assert [(one.procedure, one.modifier, one.multiple) for one in document.rates] == [
        ("G0404", "26", True),
        ("G0402", "", False),
        ("G0404", "", False),
    ]
    asked = request(tmp_path / "answers", rates=made.rates.encode(), file=file_of(claim(line(1, "G0404", 200000))))
    adjudicate_claims(node, asked)
    page = (tmp_path / "answers" / "page.html").read_text()
    assert "relative-value rate: $1,339.81 allowed" in page  # the price that CMS published for this locality
    assert rates_from(node, VALUES, "facility").left_out == 2
    with pytest.raises(Malformed, match="line 3: the totals are not the sums"):
        rates_from(node, VALUES.replace("5.04", "5.05"))
    with pytest.raises(Malformed, match="line 3: no relative value"):
        rates_from(node, VALUES.replace("2.43", "2.431"))
    with pytest.raises(Malformed, match="no row with a price"):
        rates_from(node, PAIRS)


LARGE = """
import resource, sys
from salus.node.claims import load_table
from salus.node.claims.tables import LoadTable, tables_of
from salus.agreements.claims.plan import TableReference
import msgspec
from tests.agreements.claims.cases import PLAN
from salus.node.config import Config
from salus.node.local import Bare
folder, *files = sys.argv[1:]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
made = load_table(Bare(Config()), LoadTable(kind="pairs", name="N", version="1", source="s", date="20250101", folder=folder,
    files=tuple(files)))
plan = msgspec.structs.replace(PLAN, tables=(msgspec.json.decode(made.reference, type=TableReference),))
(table,) = tables_of(Bare(Config()), plan, folder).values()
pairs, _ = table.touching(("00007", "A0499", "00500"))
print(made.rows, [(one.first, one.second) for one in pairs])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.soak
def test_half_a_million_pairs_are_loaded_and_searched_in_little_memory(tmp_path: Path) -> None:
    """1,000 first codes, 500 second codes each, in two files; the memory is the growth beyond the program itself."""
    files = []
    for part in range(2):
        files.append(tmp_path / f"{part}.txt")
        with files[-1].open("w") as file:
            for first in range(part, 1000, 2):
                file.writelines(f"{first:05d}\tA{second:04d}\t\t20200101\t*\t1\tnote\n" for second in range(500))
    ran = subprocess.run(
        [sys.executable, "-c", LARGE, str(tmp_path / "tables"), *map(str, files)],
        check=True,
        capture_output=True,
        text=True,
    )
    told, kilobytes = ran.stdout.splitlines()
    assert told == "500000 [('00007', 'A0499'), ('00500', 'A0499')]"
    assert int(kilobytes) < 64_000
