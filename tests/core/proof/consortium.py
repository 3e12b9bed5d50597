"""A consortium in memory: a log that grows, its cosigners and witnesses, and the receipts they give."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.core import checkpoint as checkpoints
from salus.core import receipt as receipts
from salus.core.log import Frontier, prove_consistency
from salus.core.proof.checkpoint import Checkpoint, CosignerChange
from salus.core.proof.leaf import BlockLeaf, TransactionLeaf
from salus.core.proof.merkle import leaf_hash
from salus.core.proof.receipt import Receipt
from salus.core.proof.trust import Trust, quorum

NETWORK = b"n" * 32


class Party:
    def __init__(self, name: str) -> None:
        self.name = name
        self.private = Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b"."))
        self.key = self.private.public_key().public_bytes_raw()

    @property
    def listed(self) -> tuple[str, bytes]:
        return self.name, self.key


class Consortium:
    """`cosigners` keep the ledger; `outside` watch it."""

    def __init__(self, cosigners: int = 4, outside: int = 0, network: bytes = NETWORK) -> None:
        self.network = network
        self.parties = [Party(f"member-{number}") for number in range(cosigners)]
        self.outside = [Party(f"witness-{number}") for number in range(outside)]
        self.entries: list[bytes] = []
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.log = Frontier()

    def add(self, *entries: bytes) -> None:
        self.log, nodes = self.log.append([leaf_hash(entry) for entry in entries])
        self.nodes |= nodes
        self.entries += entries

    def grow(self, blocks: int, salt: bytes = b"") -> None:
        for _ in range(blocks):
            height = len(self.entries) // 2 + 1
            tx_id = (salt + height.to_bytes(4, "big")).ljust(32, b"t")
            self.add(
                TransactionLeaf(tx_id, b"s" * 32, 0, b"result").encode(),
                BlockLeaf(height, height * 1000, b"r" * 32, b"p" * 32).encode(),
            )

    def read(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]

    def checkpoint(self, signers: int | None = None, witnesses: int | None = None) -> Checkpoint:
        """By default as many cosigners as are needed, and every witness."""
        head = checkpoints.checkpoint_of(self.network, self.log, 1_700_000_000_999)
        signing = self.parties[: quorum(len(self.parties)) if signers is None else signers] + self.outside[:witnesses]
        return head.signed((party.key, checkpoints.cosign(head, party.key, party.private.sign)) for party in signing)

    def receipt(self, index: int, checkpoint: Checkpoint | None = None) -> Receipt:
        return receipts.receipt(self.read, self.entries[index], index, checkpoint or self.checkpoint())

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        return prove_consistency(self.read, old, self.log.size if new is None else new)

    def change(self, number: int, successors: list[Party], signers: int | None = None) -> CosignerChange:
        listed = tuple(sorted(party.listed for party in successors))
        change = CosignerChange(self.network, number, self.log.size, self.log.root(), listed)
        signing = self.parties[: quorum(len(self.parties)) if signers is None else signers]
        return change.signed(
            (party.key, checkpoints.cosign(change, party.key, party.private.sign)) for party in signing
        )

    def trust(self, needed: int = 0) -> Trust:
        return Trust(
            self.network,
            self.log.size,
            self.log.root(),
            1,
            tuple(sorted(party.listed for party in self.parties)),
            tuple(sorted(party.listed for party in self.outside)),
            needed,
        )
