import stat
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.core.encoding import encode
from salus.vault.errors import WrongKey
from salus.vault.keystore import Keys, credential_of, load_credential, load_keystore, new_keys, save_keystore
from tests.vault.conftest import Seeded


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "keystore"
    keys = new_keys("north", Seeded())
    save_keystore(path, keys, b"horse", entropy=Seeded(1), cost=14)
    return path, keys


def test_keys_come_back_under_the_passphrase(saved):
    path, keys = saved
    assert load_keystore(path, b"horse") == keys
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.signing_key().public_key().public_bytes_raw()
    assert len(keys.receive_key().public) == 1216
    with pytest.raises(WrongKey, match="passphrase"):
        load_keystore(path, b"house")


def test_no_key_shows_in_the_file_or_in_what_is_printed(saved):
    path, keys = saved
    assert repr(keys) == "Keys(member='north')"
    for secret in (keys.sign, keys.receive, keys.vault, keys.index, keys.backup):
        assert secret not in path.read_bytes()


def test_a_new_passphrase_replaces_the_file_whole(saved, tmp_path):
    path = tmp_path / "keystore"
    path.write_bytes(saved[0].read_bytes())
    (tmp_path / "keystore.new").write_bytes(b"left by a crash")
    save_keystore(path, saved[1], b"new", entropy=Seeded(2), cost=14)
    assert load_keystore(path, b"new") == saved[1]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["keystore"]


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_a_changed_or_short_keystore_is_refused(saved, tmp_path_factory, data):
    whole = saved[0].read_bytes()
    spoiled = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    if len(spoiled) == len(whole):
        spoiled[data.draw(st.integers(11, len(whole) - 1))] ^= 1
    path = tmp_path_factory.mktemp("k") / "keystore"
    path.write_bytes(spoiled)
    with pytest.raises(WrongKey):
        load_keystore(path, b"horse")


def test_a_cost_or_passphrase_that_protects_nothing_is_refused(tmp_path):
    for passphrase, cost in ((b"", 14), (b"x", 13), (b"x", 21)):
        with pytest.raises(WrongKey):
            save_keystore(tmp_path / "k", new_keys("north", Seeded()), passphrase, entropy=Seeded(), cost=cost)


def test_a_guess_at_a_passphrase_costs_128_mib():
    """Asked of the program itself: tests of this suite lower what they write."""
    asked = [sys.executable, "-c", "from salus.vault.locked import COST; print(COST)"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert (128 * 8) << int(told.stdout) == 128 << 20


def test_systemd_hands_over_the_same_keys(tmp_path):
    keys = new_keys("north", Seeded())
    with pytest.raises(WrongKey, match="no salus-keys"):
        load_credential(tmp_path)
    (tmp_path / "salus-keys").write_bytes(credential_of(keys))
    assert load_credential(tmp_path) == keys
    for wrong in (b"junk", encode(Keys(1, "north", b"s", b"r", b"v", b"i", b"b")), credential_of(keys)[:-1]):
        (tmp_path / "salus-keys").write_bytes(wrong)
        with pytest.raises(WrongKey):
            load_credential(tmp_path)
