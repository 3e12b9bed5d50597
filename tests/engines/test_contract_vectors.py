"""The contracts' vectors hold on the embedded engine: the same results, rows and digests as in the kernel alone."""

import pytest

from salus.contracts.membership.port import MembershipReason
from salus.contracts.registry import REGISTRY
from salus.core.kernel import Kernel
from salus.core.reasons import KernelReason
from salus.engines.embedded import Embedded, found
from salus.engines.store import memory_store
from tests.vectors_run import VECTORS, cases, prepared, read, run

# The kernel's own reasons and those of `authorise`: the engine gives them before a block, and the log does not grow.
AT_THE_DOOR = {
    *(reason.code for reason in KernelReason),
    MembershipReason.UNKNOWN_MEMBER.code,
    MembershipReason.NOT_ACTIVE.code,
    MembershipReason.NOT_CURRENT_KEY.code,
}


class EmbeddedMachine:
    """The embedded engine as a machine for vectors; its clock is the vector's."""

    def __init__(self, document, time):
        self.store, self.kernel, self.time = memory_store(), Kernel(REGISTRY), time
        found(self.store, self.kernel, document, time)

    @property
    def app_hash(self):
        return self.store.head().app_hash

    def block(self, time, wires):
        self.time = time
        # Opened for each block, so that the clock may jump further than a running engine believes.
        engine = Embedded(self.store, self.kernel, lambda: self.time, accept_clock=True)
        try:
            outcomes = [engine.submit(wire).result(10) for wire in wires]
        finally:
            engine.close()
        return [(outcome.code, outcome.data) for outcome in outcomes]

    def row(self, state_key):
        with self.store.committed() as committed:
            return committed.rows.get(state_key)


@pytest.mark.parametrize("path", list(cases()), ids=lambda path: path.relative_to(VECTORS).with_suffix("").as_posix())
def test_a_vector_holds_on_the_embedded_engine(path):
    vector = read(path)
    code = vector.get("reason", {"code": 0})["code"]
    if code not in AT_THE_DOOR:
        run(vector, EmbeddedMachine)
        return
    machine = prepared(vector, EmbeddedMachine)
    before = machine.app_hash
    assert machine.block(vector["time"], [bytes.fromhex(vector["transaction"])]) == [(code, b"")]
    assert machine.app_hash == before
