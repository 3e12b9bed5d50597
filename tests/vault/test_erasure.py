import shutil

import pytest

from salus.vault.backup import DAY, KEEP_DAYS, DayKeys, restore
from salus.vault.drill import drill
from salus.vault.erasure import ErasureList
from salus.vault.errors import Erased, Refused, RestoreRefused, StorageFull, UnknownLink, UnknownRecord
from salus.vault.journal import Disclosure, Side
from salus.vault.links import Standing
from salus.vault.sealing import take_apart
from salus.vault.served import receive
from salus.vault.vault import Vault
from tests.vault.conftest import KEY, Seeded, anchor, observation

NEEDLES = [b"canary-value", b"canary-mrn", b"canary-name"]


@pytest.fixture
def two(vault):
    """Two patients with interleaved records in one segment; all anchored and looked at once."""
    gone, kept = vault.open_link("mrn", "canary-mrn"), vault.open_link("mrn", "2")
    for i in range(6):
        vault.write_all([(gone, observation(f"canary-name-{i}", "canary-value")), (kept, observation(f"k{i}"))])
    vault.journal([look(gone), look(kept)])
    anchor(vault)
    return gone, kept


def look(link, member="south"):
    return Disclosure(Side.CUSTODIAN, link, member, "p1", "doctor", "TREAT", "serve", ("Observation",))


def files_of(folder):
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_an_erased_link_is_gone_and_everything_else_still_verifies(vault, two, tmp_path):
    gone, kept = two
    store = vault.store
    secret, *_ = store.row("SELECT secret FROM link WHERE id = ?", (gone,))
    rows = store.rows(
        "SELECT salt, wrap, segment, offset, length FROM record r JOIN link l ON l.number = r.link WHERE l.id = ?",
        (gone,),
    )
    sealed = [store.segments.read(segment, offset, length) for _, _, segment, offset, length in rows]
    before = drill(store, KEY, [*NEEDLES, secret, rows[0][0], rows[0][1]])
    assert before.records == 12
    assert any("vault.db" in place for place in before.found)
    assert any("record" in place for place in before.found)

    report = vault.erase_link(gone, b"c" * 16)
    assert (report.records, report.segments) == (6, 1)
    after = drill(store, KEY, [*NEEDLES, secret, *(row[0] for row in rows), *(row[1] for row in rows)])
    assert (after.found, after.records, after.frames) == ((), 6, 0)
    left = files_of(tmp_path / "vault")
    assert not any(take_apart(one).ciphertext in left for one in sealed)

    with pytest.raises(UnknownRecord):
        vault.open(1)
    with pytest.raises(Erased):
        vault.write(gone, [observation()])
    assert vault.find_link("mrn", "canary-mrn") is None
    assert vault.of_link(gone) == []
    assert vault.erase_link(gone).records == 0
    assert vault.check().damage == ()
    for served in vault.seal_for_pull([ref.number for ref in vault.of_link(kept)]).records:
        receive(served)
    assert len(vault.lines(Side.CUSTODIAN, gone)) == 1  # until its legal term ends
    vault.forget_lines(1 << 62)
    assert vault.lines(Side.CUSTODIAN, gone) == []
    assert vault.write(kept, [observation("after")])[0].number == 13


def test_the_same_person_coming_back_is_a_new_link(vault, two):
    vault.erase_link(two[0])
    assert vault.open_link("mrn", "canary-mrn") != two[0]


def test_a_lease_is_purged_the_same_way(vault):
    lease = vault.open_lease(b"g" * 32)
    vault.write(lease, [observation("x", "canary-value")])
    vault.erase_link(lease)
    assert drill(vault.store, KEY, [*NEEDLES, (b"g" * 32).hex().encode()]).found == ()
    assert vault.open_lease(b"g" * 32) != lease


def test_closing_retaining_and_reopening(vault, two):
    gone, _ = two
    vault.close_link(gone)
    with pytest.raises(Erased):
        vault.seal_for_pull([1])
    assert vault.open(1)
    vault.reopen_link(gone)
    assert vault.seal_for_pull([1])
    vault.retain_link(gone, "legal-obligation")
    assert (vault.link_info(gone).standing, vault.link_info(gone).reason) == (Standing.RETAINED, "legal-obligation")
    with pytest.raises(Erased):
        vault.seal_for_pull([1])
    for call in (lambda: vault.erase_link(gone), lambda: vault.retain_link(gone, "")):
        with pytest.raises(Refused):
            call()
    vault.close_link(gone)
    with pytest.raises(Refused):
        vault.erase_link(gone, b"short")
    vault.erase_link(gone)
    with pytest.raises(Erased):
        vault.reopen_link(gone)
    with pytest.raises(UnknownLink):
        vault.close_link(b"x" * 16)


def test_an_erasure_cut_short_is_finished_at_the_next_start(reopen):
    vault = reopen()
    gone = vault.open_link("mrn", "canary-mrn")
    vault.write(gone, [observation("canary-name", "canary-value")])
    vault.erasures.add(gone, b"", 1)  # the list is written first; then the power failed
    vault = reopen()
    assert vault.link_info(gone).standing == Standing.ERASED
    assert drill(vault.store, KEY, NEEDLES).found == ()


def test_a_full_disk_during_an_erasure_loses_nothing_and_the_next_start_finishes(reopen, monkeypatch, two, vault):
    def full(_number, _data):
        raise OSError(28, "no space")

    monkeypatch.setattr(vault.store.segments, "append", full)
    with pytest.raises(StorageFull):
        vault.erase_link(two[0])
    monkeypatch.undo()
    assert vault.check().damage == ()
    assert reopen().link_info(two[0]).standing == Standing.ERASED


@pytest.mark.usefixtures("two")
def test_the_drill_reports_bytes_that_no_row_accounts_for(vault):
    vault.store.db.execute("DELETE FROM record WHERE number = 3")
    vault.store.segments.append(1, b"left over")
    vault.store.segments.create(9)
    told = drill(vault.store, KEY, []).found
    assert [place.split(":")[0] for place in told] == ["segment 1", "segment 1", "segment 9"]
    vault.store.db.execute("UPDATE link SET secret = NULL WHERE number = 1")
    vault.store.db.execute("UPDATE record SET salt = zeroblob(32) WHERE number = 4")
    told = drill(vault.store, KEY, []).found
    assert "record 1: its link is erased and the record is not" in told
    assert any(place.startswith("record 4: it is not the one") for place in told)


# Backups


@pytest.fixture
def keys(tmp_path):
    return DayKeys(tmp_path / "day-keys", b"b" * 32, Seeded(3))


def put_back(vault, source, folder, keys, **changes):
    known = {"member": "north", "key": KEY, "keys": keys, "erasures": vault.erasures, "entropy": Seeded(4)}
    return restore(source, folder, **(known | changes))


def test_a_restored_vault_holds_what_was_backed_up_less_what_was_erased(vault, two, keys, tmp_path, hands):
    gone, kept = two
    vault.backup(tmp_path / "backup", keys)
    vault.erase_link(gone, b"c" * 16)
    assert put_back(vault, tmp_path / "backup", tmp_path / "back", keys) == 1
    with Vault(
        tmp_path / "back", member="north", key=KEY, clock=hands, entropy=Seeded(5), erasures=vault.erasures.path
    ) as back:
        assert drill(back.store, KEY, NEEDLES).found == ()
        assert len(back.of_link(kept)) == 6
        assert back.check().damage == ()
        assert back.link_info(gone).standing == Standing.ERASED


def test_nothing_is_restored_without_the_list_of_erasures(vault, two, keys, tmp_path):
    vault.erase_link(two[0])
    vault.backup(tmp_path / "backup", keys)
    missing = ErasureList(tmp_path / "none", KEY)
    with pytest.raises(RestoreRefused, match="no list"):
        put_back(vault, tmp_path / "backup", tmp_path / "back", keys, erasures=missing)
    missing.create()
    with pytest.raises(RestoreRefused, match="older"):
        put_back(vault, tmp_path / "backup", tmp_path / "back", keys, erasures=missing)
    other = ErasureList(vault.erasures.path, bytes(32))
    with pytest.raises(RestoreRefused, match="another vault"):
        put_back(vault, tmp_path / "backup", tmp_path / "back", keys, erasures=other)
    assert not (tmp_path / "back").exists()


def test_a_vault_does_not_open_without_its_list(reopen, vault, two):
    vault.erase_link(two[0])
    vault.close()
    vault.erasures.path.unlink()
    with pytest.raises(RestoreRefused):
        reopen()


@pytest.mark.usefixtures("two")
def test_a_backup_expires_with_the_key_of_its_day(vault, keys, tmp_path, hands):
    vault.backup(tmp_path / "backup", keys)
    today = hands.now // DAY
    assert keys.expire(today + KEEP_DAYS - 1) == []
    assert keys.oldest() == today
    assert keys.expire(today + KEEP_DAYS) == [today]
    assert keys.oldest() is None
    with pytest.raises(RestoreRefused, match="expired"):
        put_back(vault, tmp_path / "backup", tmp_path / "back", keys)


def test_a_backup_holds_no_key_to_itself_and_nothing_readable(vault, two, keys, tmp_path):
    vault.backup(tmp_path / "backup", keys)
    data = files_of(tmp_path / "backup")
    secret, *_ = vault.store.row("SELECT secret FROM link WHERE id = ?", (two[0],))
    assert not any(needle in data for needle in (*NEEDLES, secret, KEY, b"b" * 32))
    assert not (tmp_path / "backup" / vault.erasures.path.name).exists()
    with pytest.raises(RestoreRefused, match="day keys"):
        put_back(vault, tmp_path / "backup", tmp_path / "back", DayKeys(tmp_path / "day-keys", b"w" * 32, Seeded()))


@pytest.mark.parametrize("harm", ["flip", "cut", "drop", "swap", "manifest", "no manifest"])
@pytest.mark.usefixtures("two")
def test_an_altered_backup_is_refused(vault, keys, tmp_path, harm):
    backup = tmp_path / "backup"
    vault.backup(backup, keys)
    path = backup / ("manifest" if "manifest" in harm else "segments/00000001.seg")
    data = bytearray(path.read_bytes())
    if harm in ("flip", "manifest"):
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif harm == "cut":
        path.write_bytes(data[:-1])
    elif harm == "swap":
        shutil.copy(backup / "vault.db.sealed", path)
    else:
        path.unlink()
    with pytest.raises(RestoreRefused):
        put_back(vault, backup, tmp_path / "back", keys)


@pytest.mark.usefixtures("two")
def test_a_backup_is_whole_or_refused(vault, keys, tmp_path):
    vault.backup(tmp_path / "backup", keys)
    with pytest.raises(RestoreRefused, match="empty"):
        vault.backup(tmp_path / "backup", keys)
    with pytest.raises(RestoreRefused, match="another member"):
        put_back(vault, tmp_path / "backup", tmp_path / "back", keys, member="south")
    put_back(vault, tmp_path / "backup", tmp_path / "back", keys)
    with pytest.raises(RestoreRefused, match="new folder"):
        put_back(vault, tmp_path / "backup", tmp_path / "back", keys)


def test_the_list_forgets_what_no_backup_holds_any_more_but_not_how_long_it_was(vault, two, hands):
    vault.erase_link(two[0])
    hands.now += 40 * DAY
    vault.erase_link(two[1])
    assert vault.erasures.prune(hands.now - 30 * DAY) == 1
    assert [entry.number for entry in vault.erasures.read()] == [2]
    assert vault.erasures.prune(hands.now + 1) == 0
    vault.erasures.path.write_bytes(b"junk")
    with pytest.raises(RestoreRefused):
        vault.erasures.read()


def test_day_keys_that_are_none_are_refused(keys, tmp_path):
    (tmp_path / "day-keys").write_bytes(b"junk")
    with pytest.raises(RestoreRefused):
        keys.of(1)
