import os

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.vault.database import MIGRATIONS, open_database
from salus.vault.errors import (
    Damaged,
    Erased,
    NotAnchored,
    Refused,
    SealBroken,
    Stopped,
    TooLarge,
    UnknownBatch,
    UnknownLink,
    UnknownRecord,
    WrongKey,
)
from salus.vault.links import LinkKind
from salus.vault.sealing import Content, Kind
from salus.vault.segments import MemorySegments
from salus.vault.served import receive
from salus.vault.vault import Vault
from tests.vault.conftest import KEY, Seeded, anchor, observation


def test_a_record_is_written_anchored_served_and_verified_elsewhere(vault):
    link = vault.open_link("mrn", "4711")
    refs = vault.write(link, [observation("a"), observation("b"), observation("c")])
    assert [ref.sequence for ref in refs] == [1, 2, 3]
    with pytest.raises(NotAnchored):
        vault.seal_for_pull([refs[1].number])
    assert not vault.is_anchored(refs[1].number)
    batch = vault.next_batch()
    with pytest.raises(NotAnchored):  # the root is made, and nobody has it yet
        vault.seal_for_pull([refs[1].number])
    number = batch.number
    vault.anchored(number, b"t" * 32, 7)
    assert vault.is_anchored(refs[1].number)
    pulled = vault.seal_for_pull([refs[1].number, refs[2].number])
    got = [receive(served) for served in pulled.records]
    assert [one.content for one in got] == [observation("b"), observation("c")]
    assert {one.root for one in got} == {vault.anchoring(number).root} == {pulled.anchorings[0].root}
    assert pulled.anchorings[0].tx_id == b"t" * 32
    assert len({served.data_key for served in pulled.records}) == 2


def test_a_served_record_that_was_changed_is_refused(vault):
    vault.write(vault.open_link("mrn", "1"), [observation(str(i)) for i in range(5)])
    anchor(vault)
    served = vault.seal_for_pull([3]).records[0]
    other = vault.seal_for_pull([2]).records[0]
    for field in ("sealed", "data_key", "salt", "root", "index", "path"):
        values = {name: getattr(served, name) for name in served.__struct_fields__}
        values[field] = getattr(other, field) if field != "root" else b"r" * 32
        with pytest.raises(SealBroken):
            receive(type(served)(**values))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
def test_every_leaf_of_a_batch_has_a_path(vault, count):
    refs = vault.write(vault.house_link(), [observation(str(i)) for i in range(count)])
    anchor(vault)
    for served in vault.seal_for_pull([ref.number for ref in refs]).records:
        receive(served)


def test_the_same_bytes_are_a_no_op_and_other_bytes_a_new_version(vault):
    link = vault.open_link("mrn", "1")
    (first,) = vault.write(link, [observation("a", "1")])
    again, second, repeated = vault.write(link, [observation("a", "1"), observation("a", "2"), observation("a", "2")])
    assert (again.number, again.fresh, second.version) == (first.number, False, 2)
    assert repeated == second
    tomb = Content("Observation", "a", b"", kind=Kind.TOMBSTONE)
    vault.write(link, [tomb])
    assert vault.newest(link, "Observation", "a").kind == Kind.TOMBSTONE
    (back,) = vault.write(link, [observation("a", "2")])
    assert (back.version, back.fresh) == (4, True)
    assert [ref.version for ref in vault.versions(link, "Observation", "a")] == [1, 2, 3, 4]
    assert vault.newest(link, "Observation", "none") is None


def test_links_are_random_stable_and_apart(vault):
    one, two, same = vault.open_links([("mrn", "1"), ("mrn", "2"), ("mrn", "1")])
    assert one == same != two
    assert vault.open_link("mrn", "1") == one == vault.find_link("mrn", "1")
    assert vault.find_link("mrn", "3") is None
    vault.add_identifier(one, "national", "9")
    vault.add_identifier(one, "national", "9")
    assert vault.find_link("national", "9") == one
    assert set(vault.identifiers(one)) == {("mrn", "1"), ("national", "9")}
    with pytest.raises(TooLarge):
        vault.add_identifier(two, "national", "9")
    assert vault.house_link() == vault.house_link()
    assert vault.link_info(vault.house_link()).kind == LinkKind.HOUSE
    assert vault.links() == [one, two, vault.house_link()]
    with pytest.raises(TooLarge):
        vault.open_link("mrn", "")


def test_what_does_not_exist_is_named(vault):
    for call in (lambda: vault.write(b"x" * 16, [observation()]), lambda: vault.link_info(b"x" * 16)):
        with pytest.raises(UnknownLink):
            call()
    with pytest.raises(UnknownRecord):
        vault.open(1)
    with pytest.raises(UnknownBatch):
        vault.anchored(1, b"t" * 32, 1)
    with pytest.raises(UnknownBatch):
        vault.anchoring(1)


def test_pulled_records_are_kept_under_a_lease_and_never_anchored(vault):
    lease = vault.open_lease(b"g" * 32)
    assert vault.open_lease(b"g" * 32) == lease
    (ref,) = vault.write(lease, [observation("theirs")])
    assert vault.next_batch() is None
    assert vault.open(ref.number).content == observation("theirs")
    with pytest.raises(NotAnchored):
        vault.seal_for_pull([ref.number])


def test_everything_is_there_after_a_restart(reopen):
    vault = reopen()
    link = vault.open_link("mrn", "1")
    refs = vault.write(link, [observation(str(i)) for i in range(70)])
    batch = vault.next_batch()
    vault = reopen()
    assert vault.of_link(link) == refs
    assert vault.since(68) == refs[68:]
    assert vault.of_link(link, after=2, limit=1) == [refs[2]]
    assert [record.content for record in vault.open_many([1, 70])] == [observation("0"), observation("69")]
    assert vault.unanchored() == [batch]
    vault.anchored(batch.number, b"t" * 32, 4, b"r1")
    vault.anchored(batch.number, b"t" * 32, 4, b"r2")
    assert (vault.unanchored(), vault.anchoring(batch.number).receipt) == ([], b"r2")
    with pytest.raises(Refused):
        vault.anchored(batch.number, b"u" * 32, 4)
    vault.write(link, [observation("more")])
    assert reopen().check().damage == ()


def test_a_clean_vault_checks_clean(vault):
    vault.write(vault.open_link("mrn", "1"), [observation("a"), observation("b")])
    anchor(vault)
    vault.write(vault.open_link("mrn", "2"), [observation("a")])
    report = vault.check()
    assert (report.records, report.batches, report.damage) == (3, 1, ())


def test_a_flipped_bit_in_a_segment_is_found_and_named(reopen, tmp_path):
    vault = reopen()
    vault.write(vault.open_link("mrn", "1"), [observation(str(i)) for i in range(100)])
    path = tmp_path / "vault/segments/00000001.seg"
    data = bytearray(path.read_bytes())
    data[16 + 4 * ((len(data) - 16) // 100) + 700] ^= 4
    path.write_bytes(data)
    assert [found.split(":")[0] for found in vault.check().damage] == ["record 5"]
    with pytest.raises(Damaged, match="record 5"):
        vault.open(5)


def test_a_damaged_newest_record_is_found_at_start(reopen, tmp_path):
    vault = reopen()
    vault.write(vault.open_link("mrn", "1"), [observation()])
    vault.close()
    with pytest.raises(Stopped):
        vault.open(1)
    path = tmp_path / "vault/segments/00000001.seg"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(Damaged, match="record 1"):
        reopen()


def test_rows_swapped_within_the_database_are_found(vault):
    vault.write(vault.open_link("mrn", "1"), [observation("a"), observation("b"), observation("c")])
    anchor(vault)
    db = vault.store.db
    db.execute("UPDATE record SET previous = zeroblob(32) WHERE number = 3")
    db.execute("UPDATE record SET leaf = zeroblob(32) WHERE number = 1")
    told = " ".join(vault.check().damage)
    assert "record 3: it does not follow" in told
    assert "record 1: it is not the one that its leaf stands for" in told
    assert "record 1: its leaf is not the one in batch 1" in told
    db.execute("UPDATE record SET id = 'z' WHERE number = 2")
    with pytest.raises(Damaged, match="another record than its row says"):
        vault.open(2)
    db.execute("UPDATE batch SET leaves = zeroblob(96)")
    vault.check()
    with pytest.raises(Damaged, match="batch 1"):
        vault.seal_for_pull([3])


def test_a_torn_tail_is_cut_and_the_vault_goes_on(reopen, tmp_path):
    vault = reopen()
    link = vault.open_link("mrn", "1")
    vault.write(link, [observation("a")])
    vault.close()
    path = tmp_path / "vault/segments/00000001.seg"
    whole = path.read_bytes()
    path.write_bytes(whole + b"torn")
    (tmp_path / "vault/segments/00000002.seg").write_bytes(b"begun")
    vault = reopen()
    assert path.read_bytes() == whole
    vault.write(link, [observation("b")])
    assert vault.check().damage == ()


@pytest.mark.parametrize("harm", ["short", "missing", "swapped", "unknown", "database"])
def test_files_that_are_not_ours_any_more_stop_the_start(reopen, tmp_path, harm):
    vault = reopen()
    vault.write(vault.open_link("mrn", "1"), [observation("a")])
    vault.close()
    folder = tmp_path / "vault/segments"
    path = folder / "00000001.seg"
    if harm == "short":
        os.truncate(path, 100)
    elif harm == "missing":
        path.unlink()
    elif harm == "swapped":
        path.write_bytes(b"SALUSEG\x01" + (2).to_bytes(8, "big") + path.read_bytes()[16:])
    elif harm == "unknown":
        (folder / "00000009.seg").write_bytes(b"x")
    else:
        (folder / "00000002.seg").write_bytes(b"x")
        (tmp_path / "vault/vault.db").unlink()
    with pytest.raises(Damaged):
        reopen()


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_altered_page_of_the_database_is_noticed(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("vault")
    entropy = Seeded()
    make = lambda: Vault(folder, member="north", key=KEY, clock=lambda: 1, entropy=entropy)  # noqa: E731
    with make() as vault:
        vault.write(vault.open_link("mrn", "1"), [observation(str(i)) for i in range(30)])
        vault.store.truncate_log()
    path = folder / "vault.db"
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        with make() as vault:
            assert vault.check().damage
    except (WrongKey, Damaged):
        pass


def test_a_vault_opens_under_its_own_key_for_its_own_member_in_one_process(reopen, tmp_path, hands):
    reopen().house_link()
    with pytest.raises(Stopped, match="another process"):
        Vault(tmp_path / "vault", member="north", key=KEY, clock=hands, entropy=Seeded())
    reopen().close()
    for key in (bytes(32), b"short"):
        with pytest.raises(WrongKey):
            Vault(tmp_path / "vault", member="north", key=key, clock=hands, entropy=Seeded())
    with pytest.raises(Damaged, match="another member"):
        reopen(member="south")
    reopen()


def test_nothing_readable_lies_on_the_disk(reopen, tmp_path):
    vault = reopen()
    vault.write(vault.open_link("mrn", "canary-id"), [observation("canary-name", "canary-value")])
    for path in (tmp_path / "vault").rglob("*"):
        if path.is_file():
            assert b"canary" not in path.read_bytes()
            assert b"canary" not in path.name.encode()


def test_memory_segments_do_as_files_do(reopen):
    segments = MemorySegments()
    vault = reopen(segments)
    link = vault.open_link("mrn", "1")
    vault.write(link, [observation("a")])
    vault = reopen(segments)
    assert vault.open(1).content == observation("a")
    assert vault.chain_of(link)[0].sequence == 1


def test_an_overlarge_write_is_refused_before_anything_is_stored(vault, monkeypatch):
    monkeypatch.setattr("salus.vault.records.MAX_WRITE", 10)
    with pytest.raises(TooLarge):
        vault.write(vault.house_link(), [observation()])
    assert vault.since(0) == []


def test_a_closed_link_is_not_served(vault):
    vault.write(vault.open_link("mrn", "1"), [observation()])
    anchor(vault)
    vault.store.db.execute("UPDATE link SET standing = 1")
    with pytest.raises(Erased):
        vault.seal_for_pull([1])


def test_an_older_database_is_brought_up_to_date_and_a_newer_one_refused(reopen, tmp_path):
    folder = tmp_path / "vault"
    folder.mkdir()
    open_database(folder / "vault.db", KEY, migrations=MIGRATIONS[:1]).close()
    vault = reopen()
    assert vault.invite(vault.open_link("mrn", "1"))
    vault.close()
    with pytest.raises(Damaged, match="knows up to 1"):
        open_database(folder / "vault.db", KEY, migrations=MIGRATIONS[:1])


def test_a_setting_that_does_not_read_back_stops_the_start(tmp_path, monkeypatch):
    class Deaf(apsw.Connection):
        def pragma(self, name, *values):
            return super().pragma(name, *(("NORMAL",) if name == "synchronous" and values else values))

    monkeypatch.setattr("salus.vault.database.apsw.Connection", Deaf)
    with pytest.raises(Damaged, match="synchronous = 1 where 2 was set"):
        open_database(tmp_path / "vault.db", KEY)
