"""A vault on a clock and a source of randomness that tests command."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from salus.vault.sealing import Content
from salus.vault.segments import SegmentStore
from salus.vault.vault import Vault

KEY = bytes(range(32))


class Seeded:
    """Randomness that repeats: SHA-256 of a counter."""

    def __init__(self, seed: int = 0) -> None:
        self.seed, self.count = seed, 0

    def __call__(self, length: int) -> bytes:
        out = b""
        while len(out) < length:
            self.count += 1
            out += hashlib.sha256(f"{self.seed}/{self.count}".encode()).digest()
        return out[:length]


class Hands:
    """A clock set by hand, in Unix milliseconds."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def hands() -> Hands:
    return Hands()


Reopen = Callable[..., Vault]


@pytest.fixture
def reopen(tmp_path, hands):
    """Open the vault in `tmp_path`, closing the one opened before."""
    opened: list[Vault] = []
    entropy = Seeded()

    def again(segments: SegmentStore | None = None, folder: Path | None = None, member: str = "north") -> Vault:
        while opened:
            opened.pop().close()
        opened.append(
            Vault(folder or tmp_path / "vault", member=member, key=KEY, clock=hands, entropy=entropy, segments=segments)
        )
        return opened[0]

    yield again
    while opened:
        opened.pop().close()


@pytest.fixture
def vault(reopen) -> Vault:
    return reopen()


def observation(name: str = "bp-1", text: str = "120/80") -> Content:
    return Content("Observation", name, f'{{"resourceType":"Observation","value":"{text}"}}'.encode())


def anchor(vault: Vault, tx: bytes = b"t" * 32, height: int = 7) -> int:
    batch = vault.next_batch()
    assert batch is not None
    vault.anchored(batch.number, tx, height, b"receipt")
    return batch.number
