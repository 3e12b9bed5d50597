"""A node's backup: back on an empty machine, without whom the list of erasures names."""

import itertools
import shutil
import time
from pathlib import Path

import pytest
from msgspec import structs

from salus.contracts.membership.port import Role
from salus.contracts.records.port import Anchor, ErasureStatus
from salus.engines.embedded import day_of
from salus.engines.errors import ClockJumped
from salus.node import erasing, opening
from salus.node.accounts import STAFF
from salus.node.anchoring import anchor
from salus.node.claim_tables import RESTORED
from salus.node.config import Config, LedgerAt
from salus.node.errors import Conflict, EdgeError, Malformed, NotFound, Unavailable
from salus.node.mapping import edge_error
from salus.node.member import MemberNode
from salus.node.network.founding import Found, MakeCard, card, found_network
from salus.node.opening import Unfounded, open_node
from salus.node.records.intake import Intake
from salus.node.signing_in import keep_account
from salus.node.supply import repository
from salus.node.supply.keeping import EraseEvent, erase_event
from salus.node.ticking import Ticker
from salus.node.upkeep.backups import DAY_MS, MakeBackup, RestoreBackup, expire, make_backup, restore_backup
from salus.vault import backup
from salus.vault.errors import RestoreRefused
from tests.interop.epcis.documents import commissioning, document, packing

LINES = (
    '{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mrn","value":"one"}]}',
    '{"resourceType":"Patient","id":"p2","identifier":[{"system":"urn:mrn","value":"two"}]}',
)
KEPT = ("keys.salus", "passphrase", "backup.keys", "vault.erasures")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = Config(member="north", data=str(tmp_path / "north"))
    Path(config.data).mkdir(mode=0o700)
    made = card(Unfounded(config), MakeCard(name="North", roles=(Role.PROVIDER,), jurisdiction="DE"))
    found_network(Unfounded(config), Found(network="alone", card=made.card, accept_forgetting=True))
    return config


def backed_up(config: Config, tmp_path: Path) -> Path:
    node = open_node(config)
    file = tmp_path / "in.ndjson"
    file.write_text("\n".join(LINES))
    Intake(node, "urn:in").run([file])
    node.desk.set_contact(node.vault.find_link("urn:mrn", "one"), "one@example.org")
    keep_account(node, STAFF, "staff-1", "nurse", ("TREAT",))
    repository.capture(node, document(commissioning(), packing()), proceed=False)
    told = make_backup(node, MakeBackup(folder=str(tmp_path / "backup")))
    assert told.height == node.ledger.head().height > 0
    node.close()
    return tmp_path / "backup"


def emptied(config: Config) -> None:
    """Lose the machine: only what is kept elsewhere is there."""
    folder = Path(config.data)
    kept = {name: (folder / name).read_bytes() for name in KEPT}
    shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    for name, data in kept.items():
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o600)


def test_a_lost_node_comes_back_with_records_ledger_and_desk(config: Config, tmp_path: Path) -> None:
    backup = backed_up(config, tmp_path)
    emptied(config)

    told = restore_backup(Unfounded(config), RestoreBackup(folder=str(backup)))

    node = open_node(config)
    assert (told.erased, told.height) == (0, node.ledger.head().height)
    link = node.vault.find_link("urn:mrn", "one")
    assert node.vault.open(node.vault.of_link(link)[0].number).content.body.decode() == LINES[0]
    assert node.index.count_by_type([link]) == {"Patient": 1}
    assert node.desk.contact(link) == "one@example.org"
    assert node.desk.claim_state(RESTORED)  # numbers given out since are not given again
    assert [one.name for one in node.accounts.accounts()] == ["staff-1"]
    assert not node.vault.check().damage
    node.close()


def test_whom_the_list_of_erasures_names_does_not_come_back(config: Config, tmp_path: Path) -> None:
    backup = backed_up(config, tmp_path)
    node = open_node(config)
    link = node.vault.find_link("urn:mrn", "one")
    node.vault.erase_link(link, bytes(16))
    assert erase_event(node, EraseEvent(event=packing()["eventID"], reason="personal-data")).events == 1
    node.close()
    emptied(config)

    assert restore_backup(Unfounded(config), RestoreBackup(folder=str(backup))).erased == 1

    node = open_node(config)
    assert node.desk.event_names("eventID", "", 10) == [commissioning()["eventID"]]
    assert not repository.capture(node, document(packing()), proceed=True).success
    assert node.vault.find_link("urn:mrn", "one") is None
    assert node.vault.find_link("urn:mrn", "two") is not None
    assert node.desk.contact(link) == ""
    assert erasing.cases(node) == []
    node.close()


def test_a_backup_is_refused_into_a_full_folder_or_without_list_or_when_altered(config: Config, tmp_path: Path) -> None:
    backup = backed_up(config, tmp_path)
    request = RestoreBackup(folder=str(backup))
    with pytest.raises(Conflict, match=r"backup\.not-empty"):
        restore_backup(Unfounded(config), request)
    emptied(config)
    with pytest.raises(NotFound, match=r"backup\.none"):
        restore_backup(Unfounded(config), RestoreBackup(folder=str(tmp_path / "nothing")))
    kept = (Path(config.data) / "vault.erasures").read_bytes()
    (Path(config.data) / "vault.erasures").unlink()
    with pytest.raises(RestoreRefused):
        restore_backup(Unfounded(config), request)
    (Path(config.data) / "vault.erasures").write_bytes(kept)
    blocks = backup / "ledger.blocks"
    data = bytearray(blocks.read_bytes())
    data[-1] ^= 1
    blocks.write_bytes(bytes(data))
    with pytest.raises((Malformed, EdgeError), match=r"backup\.blocks"):
        restore_backup(Unfounded(config), request)
    assert sorted(one.name for one in Path(config.data).iterdir()) == sorted(KEPT)
    data[-1] ^= 1
    blocks.write_bytes(bytes(data))
    restore_backup(Unfounded(config), request)


def test_nothing_readable_lies_in_a_backup(config: Config, tmp_path: Path) -> None:
    backup = backed_up(config, tmp_path)
    for path in backup.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert b"urn:mrn" not in data
        assert b"example.org" not in data


class Moved:
    """The machine's clock, moved by hand."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Moved:
    moved = Moved()
    monkeypatch.setattr(opening, "now_ms", moved)
    return moved


def erased(config: Config, clock: Moved) -> bytes:
    """Erase one patient of a node that was backed up; return the link."""
    node = open_node(config)
    link = node.vault.find_link("urn:mrn", "one")
    erasing.begin(node, link, bytes(range(16)))
    clock.ahead += 8 * DAY_MS
    assert erasing.advance(node) == 1
    node.close()
    return link


def test_an_old_image_of_vault_and_list_is_refused_by_the_ledger(config: Config, tmp_path: Path, clock: Moved) -> None:
    backed_up(config, tmp_path)
    folder, image = Path(config.data), tmp_path / "image"
    shutil.copytree(folder, image)
    link = erased(config, clock)
    newest = (folder / "vault.erasures").read_bytes()
    shutil.rmtree(folder / "vault")
    shutil.copytree(image / "vault", folder / "vault")
    for name in ("vault.erasures", "desk.db", "index.db"):
        for old in folder.glob(f"{name}*"):
            old.unlink()
        shutil.copy(image / name, folder / name)

    with pytest.raises(RestoreRefused, match="neither this vault nor its list"):
        open_node(config)

    (folder / "vault.erasures").write_bytes(newest)
    node = open_node(config)
    assert node.vault.find_link("urn:mrn", "one") is None
    assert node.vault.of_link(link) == []
    assert node.vault.find_link("urn:mrn", "two") is not None
    node.close()


def test_a_list_on_another_disk_keeps_an_old_image_from_bringing_back(
    config: Config, tmp_path: Path, clock: Moved
) -> None:
    (tmp_path / "other-disk").mkdir()
    config = structs.replace(config, erasures_file=str(tmp_path / "other-disk" / "list"))
    backed_up(config, tmp_path)
    folder, image = Path(config.data), tmp_path / "image"
    assert not (folder / "vault.erasures").exists()
    shutil.copytree(folder, image)
    erased(config, clock)
    shutil.rmtree(folder)
    shutil.copytree(image, folder)  # the ledger too: nothing in the folder knows of the erasure

    node = open_node(config)
    assert node.vault.find_link("urn:mrn", "one") is None
    assert node.vault.find_link("urn:mrn", "two") is not None
    node.close()


def test_an_erasure_is_confirmed_only_when_no_backup_from_before_opens(
    config: Config, tmp_path: Path, clock: Moved, monkeypatch: pytest.MonkeyPatch
) -> None:
    backed_up(config, tmp_path)
    erased(config, clock)
    clock.ahead += 29 * DAY_MS + 1000
    node = open_node(config)
    monkeypatch.setattr(backup, "KEEP_DAYS", 100)
    assert erasing.advance(node) == 0
    assert [one.row.status for one in erasing.cases(node)] == [ErasureStatus.DELETED]
    monkeypatch.undo()
    monkeypatch.setattr(opening, "now_ms", clock)

    assert erasing.advance(node) == 1

    assert [one.row.status for one in erasing.cases(node)] == [ErasureStatus.ERASED]
    assert node.day_keys().oldest() is None
    node.close()


def test_day_keys_expire_without_a_new_backup_and_by_no_wrong_clock(
    config: Config, tmp_path: Path, clock: Moved
) -> None:
    backed_up(config, tmp_path)
    node = open_node(config)
    assert expire(node) == 0
    clock.ahead = 5 * 365 * DAY_MS
    assert expire(node) == 0
    clock.ahead = 29 * DAY_MS
    assert expire(node) == 1
    assert "expire" in [name for name, _, _ in Ticker._jobs(None, node)]
    node.close()


@pytest.mark.parametrize("days", [400, -400])
def test_a_node_whose_clock_is_years_off_starts_once_its_day_is_named(config: Config, clock: Moved, days: int) -> None:
    clock.ahead = days * DAY_MS
    with pytest.raises(ClockJumped) as refused:
        open_node(config)
    told = edge_error(refused.value)
    assert told is not None
    assert (told.code, told.fault.status) == ("ledger.clock", 503)

    named = structs.replace(config, ledger=LedgerAt(accept_clock=day_of(clock())))
    node = open_node(named)
    assert isinstance(node, MemberNode)
    assert node.vault.house_link()
    node.close()
    clock.ahead += 2 * DAY_MS
    if days > 0:  # the day has passed, and no block was written on it
        with pytest.raises(ClockJumped):
            open_node(named)


def test_a_full_ledger_takes_nothing_more_until_it_may_grow(config: Config, tmp_path: Path) -> None:
    small = structs.replace(config, ledger=LedgerAt(map_bytes=1 << 20))
    node = open_node(small)
    assert isinstance(node, MemberNode)

    def fill(most: int) -> None:
        while node.ledger.head().height < most:
            node.submitter.submit(Anchor(node.entropy(32), 1, deferred=False))

    refused: list[str] = []

    def taken(number: int) -> bool:
        (tmp_path / "in.ndjson").write_text(LINES[0].replace("p1", f"p{number}"))
        try:
            Intake(node, "urn:in").run([tmp_path / "in.ndjson"])
        except Unavailable as error:
            refused.append(error.code)
            return False
        return True

    # A page that a reader has let go meanwhile may take one block more: fill it again then.
    for number in itertools.count():
        with pytest.raises(Unavailable, match=r"ledger\.full"):
            fill(1000)
        if not taken(number):
            break
    assert refused == ["ledger.full"]
    height, kept = node.ledger.head().height, node.vault.check().records
    assert height > 0
    assert len(node.vault.unanchored()) == 1
    node.close()

    node = open_node(config)
    assert isinstance(node, MemberNode)
    assert (node.ledger.head().height, node.vault.check().records) == (height, kept)
    anchor(node)
    assert node.vault.unanchored() == []
    node.close()
