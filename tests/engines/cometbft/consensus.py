"""What CometBFT asks of an application, call by call and in its order, without CometBFT."""

import json

from salus.contracts.membership.port import validators
from salus.contracts.registry import REGISTRY
from salus.core.kernel import Kernel
from salus.engines.cometbft.application import ACCEPT, RECHECK, Application
from salus.engines.cometbft.schema import MESSAGES
from salus.engines.store import memory_store

MAX_TX_BYTES = 4 * 1024 * 1024


def powers(view):
    return {row.consensus_key: row.power for _, row in validators(view) if row.power}


def nobody(_view):
    return {}


def timestamp(milliseconds):
    return MESSAGES["Timestamp"](seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)


class Consensus:
    """One node's consensus side over one application. Heights count from the application's own head."""

    def __init__(self, application, store):
        self.application = application
        self.store = store

    def ask(self, kind, **fields):
        name = "Request" + "".join(part.capitalize() for part in kind.split("_"))
        # Through bytes, as over the socket.
        request = MESSAGES[name].FromString(MESSAGES[name](**fields).SerializeToString())
        answer = self.application.answer(kind, request)
        name = name.replace("Request", "Response")
        return MESSAGES[name].FromString(answer.SerializeToString())

    def info(self):
        told = self.ask("info")
        return told.last_block_height, told.last_block_app_hash

    def init_chain(self, document, time, initial_height=1, app_hash=b""):
        """Found the ledger of a document whose own time is `time`: the first block is a millisecond younger."""
        state = json.dumps({"document": document.hex(), "app_hash": app_hash.hex()}).encode()
        return self.ask(
            "init_chain",
            time=timestamp(time + 1),
            app_state_bytes=state,
            initial_height=initial_height,
            chain_id="test",
        )

    def check(self, wire):
        return self.ask("check_tx", tx=wire).code

    def recheck(self, wire):
        return self.ask("check_tx", tx=wire, type=RECHECK).code

    def prepare(self, time, wires, limit=MAX_TX_BYTES):
        return list(self.ask("prepare_proposal", txs=wires, time=timestamp(time), max_tx_bytes=limit).txs)

    def process(self, time, wires):
        return self.ask("process_proposal", txs=wires, time=timestamp(time)).status == ACCEPT

    def finalize(self, time, wires, height=None):
        height = height or self.store.head().height + 1
        return self.ask("finalize_block", txs=wires, time=timestamp(time), height=height)

    def commit(self):
        return self.ask("commit")

    def decide(self, time, wires):
        """Finalize and commit a block."""
        told = self.finalize(time, wires)
        self.commit()
        return told


class AbciMachine:
    """The ABCI application as a machine for the contracts' vectors."""

    def __init__(self, document, time, store=None, registry=REGISTRY):
        self.store = store or memory_store()
        self.application = Application(Kernel(registry), self.store, powers, clock=lambda: time, version="test")
        self.consensus = Consensus(self.application, self.store)
        self.app_hash = self.consensus.init_chain(document, time).app_hash

    def block(self, time, wires):
        told = self.consensus.decide(time, wires)
        self.app_hash = told.app_hash
        return [(result.code, result.data) for result in told.tx_results]

    def row(self, state_key):
        with self.store.committed() as committed:
            return committed.rows.get(state_key)
