"""Putting a node together: from its folder on disk, or for tests and the demo in memory, on a ledger of its own or another's.

keys.salus      keystore (passphrase, or a systemd credential)
ledger/         LMDB: blocks, state, log           checkpoints/  cosigned checkpoints
vault/          vault.db and segments              vault.erasures  the list kept out of every backup
index.db        derived, may be deleted            desk.db  work in progress
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from salus.contracts.registry import REGISTRY
from salus.core.kernel import Kernel
from salus.core.proof.digest import mac
from salus.engines.checkpoints import Cosigner, Cosigning
from salus.engines.ports import Ledger
from salus.index.index import Index, shipped_rules
from salus.node.config import Config
from salus.node.desk import Desk
from salus.node.exchange import delivery
from salus.node.exchange.custodian import serve_pull
from salus.node.exchange.delivery import Taker
from salus.node.exchange.grantee import GRANT_KIND, take_grant
from salus.node.exchange.pull import PATH as PULL_PATH
from salus.node.member import MemberNode, Ports
from salus.vault.keystore import Keys
from salus.vault.vault import Vault

if TYPE_CHECKING:
    from salus.node.exchange.wire import Handler

KERNEL: Final = Kernel(REGISTRY)
TAKERS: Final[Mapping[str, Taker]] = {GRANT_KIND: take_grant}
"""What is taken under each kind of delivery; a domain adds its own line."""


@dataclass(frozen=True, slots=True)
class OnLedger:
    """A ledger with what cosigns its checkpoints here."""

    ledger: Ledger
    cosigning: Cosigning
    cosigner: Cosigner | None = None
    """The thread that cosigns; None where the follower does it step by step."""

    def close(self) -> None:
        """End cosigning, then the ledger."""
        if self.cosigner is not None:
            self.cosigner.close()
        self.ledger.close()
        self.cosigning.book.close()


def assemble(config: Config, keys: Keys, on: OnLedger, ports: Ports, folder: Path) -> MemberNode:
    """Return a member's node over its ledger, with vault, index and desk in `folder`. Raises the vault's errors."""
    vault = Vault(folder / "vault", member=keys.member, key=keys.vault, clock=ports.clock, entropy=ports.entropy)
    index = Index(folder / "index.db", key=keys.index, rules=shipped_rules())
    desk = Desk(folder / "desk.db", mac(keys.vault, "salus/v1/desk"))
    handlers: dict[str, Handler] = {}
    node = MemberNode(
        config=config,
        keys=keys,
        ledger=on.ledger,
        cosigning=on.cosigning,
        vault=vault,
        index=index,
        desk=desk,
        ports=ports,
        handlers=handlers,
        release=on.close,
    )
    handlers[PULL_PATH] = lambda sender, body: serve_pull(node, sender, body)
    handlers[delivery.PATH] = lambda sender, body: delivery.take(node, TAKERS, sender, body)
    node.catch_up()
    return node
