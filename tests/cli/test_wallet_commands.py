"""The wallet's file and the worst that is typed at it; the whole story runs in `tests/processes`."""

from pathlib import Path

import pytest

from salus.node.invitation import FORMAT, Invitation, write
from tests.cli.conftest import Alone


@pytest.fixture
def wallet(alone: Alone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (tmp_path / "trust.json").write_text(alone.told("network", "trust")["trust"])
    (tmp_path / "words").write_text("correct horse battery staple\n")
    monkeypatch.chdir(tmp_path)
    options = ["--passphrase-file", "words"]
    told = alone.told("wallet", "new", "--trust", "trust.json", *options)
    assert told["witnessed"] is False
    return options


def test_the_file_opens_under_its_passphrase_alone(alone: Alone, wallet: list[str], tmp_path: Path) -> None:
    assert alone.told("wallet", "show", *wallet)["members"] == []
    assert alone.told("wallet", "grants", *wallet) == {"grants": []}
    assert (tmp_path / "wallet.salus").stat().st_mode & 0o077 == 0
    (tmp_path / "others").write_text("wrong")
    code, _, err = alone.salus("wallet", "show", "--passphrase-file", "others")
    assert (code, err.partition(":")[0]) == (1, "wallet.passphrase")
    data = bytearray((tmp_path / "wallet.salus").read_bytes())
    data[-1] ^= 1
    (tmp_path / "wallet.salus").write_bytes(data)
    assert alone.salus("wallet", "show", *wallet)[2].startswith("wallet.passphrase:")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["new", "--trust", "trust.json"], "node.stage"),
        (["join", "nonsense"], "invitation.text"),
        (["join", write(Invitation(FORMAT, bytes(32), "north", "http://127.0.0.1:9", bytes(16)))], "wallet.network"),
        (["request", "nonsense"], "access.code"),
        (["grant", "nonsense", "--days", "1"], "access.code"),
        (["stop", "0" * 64], "wallet.no-member"),
        (["erase"], "wallet.erase"),
        (["erase", "--member", "north"], "wallet.not-joined"),
        (["records", "--member", "north"], "exchange.unreachable"),
        (["bring-back", "north"], "wallet.nowhere"),
    ],
)
def test_a_refusal_names_its_code(alone: Alone, wallet: list[str], line: list[str], code: str) -> None:
    exit_code, out, err = alone.salus("wallet", *line, *wallet)
    assert (exit_code, out) == (1, "")
    assert err.partition(":")[0] in {code, "wallet.nowhere"}, err


def test_an_invitation_to_a_node_that_is_down_leaves_the_wallet_as_it_was(
    alone: Alone, wallet: list[str], tmp_path: Path
) -> None:
    network = bytes.fromhex(alone.told("wallet", "show", *wallet)["network"])
    text = write(Invitation(FORMAT, network, "north", "http://127.0.0.1:9", bytes(16)))
    assert alone.salus("wallet", "join", text, *wallet)[2].startswith("exchange.unreachable:")
    assert alone.told("wallet", "show", *wallet)["members"] == []


def test_without_a_passphrase_or_a_wallet_it_says_what_to_do(alone: Alone, wallet: list[str], tmp_path: Path) -> None:
    assert alone.salus("wallet", "show")[0] == 2
    code, _, err = alone.salus("wallet", "show", "--wallet", "none.salus", *wallet)
    assert (code, "salus wallet new --trust FILE" in err) == (1, True)
    (tmp_path / "words").write_text("")
    assert alone.salus("wallet", "show", *wallet)[0] == 2
    (tmp_path / "words").write_text("x")
    (tmp_path / "trust.json").write_text("{}")
    code, _, err = alone.salus("wallet", "new", "--trust", "trust.json", "--wallet", "none.salus", *wallet)
    assert (code, err.partition(":")[0]) == (1, "wallet.trust")
    assert not (tmp_path / "none.salus").exists()
