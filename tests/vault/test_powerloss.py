import random
import tempfile
from pathlib import Path

import pytest

from salus.vault.errors import VaultError
from salus.vault.journal import Disclosure, Side
from salus.vault.links import Standing
from salus.vault.segments import MemorySegments
from salus.vault.vault import Vault
from tests.vault.conftest import KEY, Seeded, observation
from tests.vault.powerloss import Log, RecordingList, RecordingSegments, register, state_after

pytestmark = pytest.mark.unmeasured

STATES = 1_000
SOAK_STATES = 100_000


class Run:
    """A working day of a vault, recorded; after each acknowledged step the log's length is noted."""

    def __init__(self, folder):
        self.log = Log()
        self.system = register(self.log, "powerloss")
        self.acknowledged: list[tuple[int, int]] = []  # log length, records promised
        self.batched: list[tuple[int, int, bytes]] = []  # log length, batch number, root
        self.looked: list[tuple[int, int]] = []  # log length, journal lines promised
        self.whole: set[int] = {0}  # record counts that stand between two writes
        self.erased_at = 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("salus.vault.store.sync_folder", lambda _: self.log.note("sync folder", ""))
            vault = Vault(
                folder,
                member="north",
                key=KEY,
                clock=lambda: 1,
                entropy=Seeded(),
                segments=RecordingSegments(self.log),
                vfs="multipleciphers-powerloss",
            )
        vault.erasures.__class__ = RecordingList
        vault.erasures.log = self.log
        self.log.note("write", "list", 0, vault.erasures.path.read_bytes())
        self.log.note("sync", "list")
        vault.store.db.wal_autocheckpoint(20)
        self.gone = vault.open_link("mrn", "gone")
        self.links = [self.gone, vault.open_link("mrn", "kept"), vault.house_link()]
        self.opened = len(self.log.events)
        self.work(vault)
        vault.close()
        self.end = len(self.log.events)

    def work(self, vault):
        chance = random.Random(7)
        written = 0
        for step in range(24):
            links = self.links if not self.erased_at else self.links[1:]
            many = chance.randint(1, 4)
            vault.write_all([(chance.choice(links), observation(f"r{written + i}")) for i in range(many)])
            written += many
            self.whole.add(written)
            self.acknowledged.append((len(self.log.events), written))
            if step % 5 == 4:
                batch = vault.next_batch()
                self.batched.append((len(self.log.events), batch.number, batch.root))
            if step % 7 == 3:
                self.look(vault)
            if step == 14:
                vault.erase_link(self.gone)
                self.erased_at = len(self.log.events)

    def look(self, vault):
        vault.journal([Disclosure(Side.CUSTODIAN, self.links[1], "south", "p", "doctor", "TREAT", "serve", ())])
        self.looked.append((len(self.log.events), len(self.looked) + 1))


@pytest.fixture
def memory(tmp_path):
    """A folder in memory where there is one: what counts is decided by the recorder, not by this disk."""
    try:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            yield Path(folder)
    except OSError:
        yield tmp_path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("run") / "vault")


def reopened(run, cut, seed, folder):
    files = state_after(run.log, cut, seed)
    folder.mkdir(exist_ok=True)
    for name in ("vault.db", "vault.db-wal", "vault.db-journal", "vault.db-shm"):
        path = folder / name
        if name in files:
            path.write_bytes(files[name])
        else:
            path.unlink(missing_ok=True)
    (folder.parent / "vault.erasures").write_bytes(files["list"])
    segments = MemorySegments()
    segments.data = {int(name[:-4]): bytearray(data) for name, data in files.items() if name.endswith(".seg")}
    return Vault(folder, member="north", key=KEY, clock=lambda: 1, entropy=Seeded(1), segments=segments)


def promised(notes, cut):
    return max((note for note in notes if note[0] <= cut), default=(0, 0))


def test_no_acknowledged_record_is_lost_in_a_thousand_power_losses(run, memory):
    survive(run, memory / "vault", range(STATES))


@pytest.mark.soak
def test_no_acknowledged_record_is_lost_in_a_hundred_thousand_power_losses(run, memory):
    survive(run, memory / "vault", range(STATES, SOAK_STATES))


def survive(run, folder, seeds):
    for seed in seeds:
        cut = random.Random(seed).randint(run.opened, run.end)
        try:
            vault = reopened(run, cut, seed, folder)
        except VaultError as error:
            pytest.fail(f"seed {seed}, cut {cut}: does not open: {error}")
        with vault:
            report = vault.check()
            assert report.damage == (), (seed, cut)
            (newest,) = vault.store.row("SELECT records FROM counter")
            assert newest >= promised(run.acknowledged, cut)[1], (seed, cut)
            assert newest in run.whole, (seed, cut, "half a write")
            assert len(vault.lines(1, run.links[1])) >= promised(run.looked, cut)[1], (seed, cut)
            for length, number, root in run.batched:
                if length <= cut:
                    assert vault.anchoring(number).root == root, (seed, cut)
            gone = vault.link_info(run.gone).standing == Standing.ERASED
            assert gone or cut < run.erased_at, (seed, cut)
            kept = sum(len(vault.of_link(link)) for link in run.links)
            expected = sum(vault.link_info(link).records for link in (run.links[1:] if gone else run.links))
            assert kept == expected, (seed, cut)


def test_the_recorder_finds_a_vault_that_does_not_wait_for_its_disk(run, memory):
    """The same day with every sync of a segment taken away: acknowledged records must be seen to be missing."""
    lying = Log([event for event in run.log.events if not (event[0] == "sync" and event[1].endswith(".seg"))])
    real, run.log = run.log, lying
    lost = 0
    try:
        for seed in range(20):
            try:
                with reopened(run, len(lying.events) * 2 // 3, seed, memory / "vault") as vault:
                    lost += bool(vault.check().damage)
            except VaultError:
                lost += 1
    finally:
        run.log = real
    assert lost > 10
