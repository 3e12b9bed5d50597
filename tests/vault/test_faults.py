"""Full disks, failing disks, and a writer killed at work."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from salus.vault.errors import Stopped, StorageFull
from salus.vault.journal import Disclosure, Side
from salus.vault.sealing import Content
from salus.vault.vault import Vault
from tests.vault.conftest import KEY, Seeded, observation

DISK = 3 * 1024 * 1024


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MB: a tmpfs of that size where we may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if not made or made.returncode:
        pytest.skip("mounting a small tmpfs takes root")
    yield folder
    subprocess.run([shutil.which("umount"), "-l", str(folder)], check=True)


def fill(vault, link, bodies, size=100_000):
    count = 0
    try:
        for i in range(bodies):
            vault.write(link, [Content("Document", f"d{i}", os.urandom(size))])
            count += 1
    except StorageFull:
        return count
    pytest.fail("the disk did not fill up")


def test_a_full_disk_leaves_nothing_half_stored(small_disk, hands):
    make = lambda: Vault(small_disk / "vault", member="north", key=KEY, clock=hands, entropy=Seeded())  # noqa: E731
    vault = make()
    link = vault.open_link("mrn", "1")
    stored = fill(vault, link, 100)
    small = fill(vault, vault.house_link(), 1_000, size=1_000)  # whatever still fits, until the database is full too
    assert len(vault.since(0, 10_000)) == stored + small
    assert vault.check().damage == ()
    vault.close()
    vault = make()
    assert len(vault.since(0, 10_000)) == stored + small
    assert vault.check().damage == ()
    vault.close()


def test_a_file_size_limit_is_a_full_disk_too(tmp_path, hands):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    vault = Vault(tmp_path / "vault", member="north", key=KEY, clock=hands, entropy=Seeded())
    link = vault.open_link("mrn", "1")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        stored = fill(vault, link, 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert len(vault.of_link(link)) == stored == 9
    vault.write(link, [observation("after")])
    assert vault.check().damage == ()
    vault.close()


def test_a_failed_sync_stops_the_vault_until_it_is_started_again(reopen, monkeypatch):
    vault = reopen()
    link = vault.open_link("mrn", "1")
    vault.write(link, [observation("a")])

    def fails(_number):
        raise OSError(5, "I/O error")

    monkeypatch.setattr(vault.store.segments, "sync", fails)
    with pytest.raises(Stopped, match="EIO"):
        vault.write(link, [observation("b")])
    monkeypatch.undo()
    look = Disclosure(Side.CUSTODIAN, link, "south", "p", "doctor", "TREAT", "serve", ())
    for call in (lambda: vault.write(link, [observation("b")]), lambda: vault.journal([look])):
        with pytest.raises(Stopped):
            call()
    assert vault.open(1).content == observation("a")
    vault = reopen()
    assert [ref.id for ref in vault.of_link(link)] == ["a"]
    assert vault.check().damage == ()


def test_an_error_that_is_no_full_disk_stops_the_vault(vault, monkeypatch):
    link = vault.house_link()

    def fails(_number, _data):
        raise OSError(5, "I/O error")

    monkeypatch.setattr(vault.store.segments, "append", fails)
    with pytest.raises(Stopped):
        vault.write(link, [observation("a")])
    assert vault.since(0) == []


WRITER = """
    import os, sys
    from pathlib import Path
    from salus.vault.sealing import Content
    from salus.vault.vault import Vault
    vault = Vault(Path(sys.argv[1]), member="north", key=bytes(range(32)), clock=lambda: 1, entropy=os.urandom)
    link = vault.open_link("mrn", "1")
    count = len(vault.of_link(link))
    while True:
        vault.write(link, [Content("Document", f"d{count}", b"x" * 3000), Content("Document", f"e{count}", b"y")])
        count += 2
        os.write(1, f"{count}\\n".encode())
"""


def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path, hands):
    folder = tmp_path / "vault"
    promised = 0
    for round_ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(folder)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path("src").resolve())},
        )
        for _ in range(5 + round_ * 7):
            promised = int(writer.stdout.readline())
        writer.kill()
        rest = writer.stdout.read().split()
        promised = int(rest[-1]) if rest else promised
        writer.wait()
        writer.stdout.close()
        with Vault(folder, member="north", key=KEY, clock=hands, entropy=Seeded()) as vault:
            stored = len(vault.of_link(vault.open_link("mrn", "1")))
            assert stored >= promised
            assert stored % 2 == 0
            assert vault.check().damage == ()
