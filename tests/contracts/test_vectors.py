"""The vectors hold in the kernel, and there is one for each message and each reason."""

import pytest

from salus.contracts.membership.port import Genesis
from salus.contracts.membership.reasons import MembershipReason
from salus.contracts.readable import from_readable
from salus.contracts.registry import REGISTRY, VERSION_1
from salus.core.encoding import encode
from salus.core.proof.digest import digest
from salus.core.transaction import decode_transaction
from tests.vectors_run import VECTORS, cases, founded, read, run

from .ledger import Ledger

ELSEWHERE = {MembershipReason.TOO_MANY_MEMBERS}  # a genesis of 128 members: test_membership_attacks.py


class KernelMachine:
    """The kernel as a machine for vectors."""

    def __init__(self, document, time):
        self.ledger = Ledger()
        self.ledger.found(document, time)

    @property
    def app_hash(self):
        return self.ledger.chain.app_hash

    def block(self, time, wires):
        results = self.ledger.block(*wires, later=time - self.ledger.time)
        return [(result.code, result.data) for result in results]

    def row(self, state_key):
        return self.ledger.rows.get(state_key)


def name_of(path):
    return path.relative_to(VECTORS).with_suffix("").as_posix()


@pytest.mark.parametrize("path", list(cases()), ids=name_of)
def test_a_vector_holds_in_the_kernel(path):
    run(read(path), KernelMachine)


@pytest.mark.parametrize("path", list(cases()), ids=name_of)
def test_a_vector_says_what_its_bytes_say(path):
    vector = read(path)
    transaction = decode_transaction(bytes.fromhex(vector["transaction"]), REGISTRY.messages)
    assert transaction.message == from_readable(vector["message"], REGISTRY.messages)
    assert (transaction.body.submitter, bool(transaction.body.author_key)) == (vector["submitter"], vector["authored"])
    assert vector["about"].endswith(".")


@pytest.mark.parametrize("path", sorted((VECTORS / "genesis").glob("*.json")), ids=name_of)
def test_a_genesis_vector_founds_its_network(path):
    told = read(path)
    document = encode(from_readable(told["document"], Genesis))
    assert document.hex() == told["bytes"]
    assert digest("salus/v1/network", document).hex() == told["network"]
    founded(path.stem, KernelMachine)


@pytest.mark.parametrize("contract", VERSION_1, ids=lambda contract: contract.name)
def test_every_message_and_every_reason_has_a_vector(contract):
    vectors = [read(path) for path in cases()]
    applied = {vector["message"]["type"] for vector in vectors if "post" in vector}
    assert {str(kind.__struct_config__.tag) for kind in contract.rules} <= applied
    refused = {vector["reason"]["code"] for vector in vectors if "reason" in vector}
    assert [reason for reason in contract.reasons if reason.code not in refused and reason not in ELSEWHERE] == []


def test_the_runner_sees_what_differs():
    vector = read(next(path for path in cases() if path.stem == "applied"))
    for field, value in (("app_hash", "00" * 32), ("post", {"data": "00", "rows": {}})):
        with pytest.raises(AssertionError):
            run(vector | {field: value}, KernelMachine)
    rows = dict.fromkeys(vector["post"]["rows"], "00")
    with pytest.raises(AssertionError):
        run(vector | {"post": vector["post"] | {"rows": rows}}, KernelMachine)
    with pytest.raises(AssertionError):
        run(vector | {"reason": {"code": 1}}, KernelMachine)
