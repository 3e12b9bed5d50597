"""A payer that pays otherwise than it decided, or loses its memory: named by what each 835 must add up to."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from salus.core.encoding import decode, encode
from salus.core.proof.digest import mac
from salus.interop.x12.envelope import interchange
from salus.interop.x12.remittance import ProviderAdjustment, Remittance, set_of
from salus.node.claim_tables import RESTORED
from salus.node.claims import (
    dossiers,
    exchange,
    post_remittance,
)
from salus.node.claims.deciding import Inbox
from salus.node.claims.dossiers import Batch
from salus.node.claims.posting import PostRemittance
from salus.node.claims.remitting import Remitter
from salus.node.desk import Desk
from salus.node.exchange import delivery
from salus.node.member import MemberNode
from salus.node.together import Together
from tests.agreements.claims.cases import ENDS, STAMP
from tests.node.claims.test_again import later, remittances
from tests.node.claims.test_cases import sealed
from tests.node.claims.test_crash import remitted
from tests.node.claims.two import decide, found_two, send

DAY = 86_400_000


@pytest.fixture
def together(tmp_path: Path) -> Iterator[Together]:
    found = found_two(tmp_path)
    yield found
    found.close()


def faults(together: Together) -> tuple[str, ...]:
    return post_remittance(together.nodes["cedar"], PostRemittance()).faults


def less(sent: Remittance) -> Remittance:
    """Pay a cent less, and call it the contract's."""
    (payment,) = sent.payments
    (service,) = payment.services
    cuts = [one for one in service.adjustments if (one.group, one.reason) != ("CO", "45")]
    (price,) = [one for one in service.adjustments if (one.group, one.reason) == ("CO", "45")]
    off = msgspec.structs.replace(price, amount=price.amount + 1)
    service = msgspec.structs.replace(service, paid=service.paid - 1, adjustments=(off, *cuts))
    payment = msgspec.structs.replace(payment, paid=payment.paid - 1, services=(service,))
    return msgspec.structs.replace(sent, payments=(payment,), paid=sent.paid - 1)


def taking(reason: str, reference: str) -> Callable[[Remittance], Remittance]:
    def taken(sent: Remittance) -> Remittance:
        back = ProviderAdjustment(reason, reference, 500)
        return msgspec.structs.replace(sent, adjustments=(*sent.adjustments, back), paid=sent.paid - 500)

    return taken


def twice(sent: Remittance) -> Remittance:
    return msgspec.structs.replace(sent, trace="0000000990001")


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        (less, "C00000001: all 835s pay $63.99, and $64.00 was decided"),
        (taking("FB", "0000000070001"), "takes $5.00 more back than 0000000070001 forwarded (PLB FB)"),
        (taking("WO", "0000000070001"), "takes $5.00 (WO), which no decision tells"),
        (twice, "C00000001: all 835s pay $128.00, and $64.00 was decided"),
    ],
)
def test_an_835_other_than_what_was_decided_is_told_to_the_cent(
    together: Together, lie: Callable[[Remittance], Remittance], told: str
) -> None:
    case = send(together)
    decide(together)
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    assert faults(together) == ()
    ((name, body),) = cedar.desk.claim_states("835/")
    (sent,) = remittances(together)
    file = interchange(ENDS, STAMP, "HP", "005010X221A1", [set_of(lie(sent), "0001")])
    if lie is not twice:  # the lie is all that came
        cedar.desk.keep_claims([], [(name, encode(msgspec.structs.replace(decode(body, Batch), file=file)))])
    else:
        lied = exchange.SentRemittance((case,), 1, file)
        exchange.take_remittance(cedar, "harbor", sealed(harbor, "cedar", exchange.REMITTANCE, lied))
    assert [one.partition(": ")[0] for one in faults(together)]
    assert any(told in one for one in faults(together))
    assert all(one.startswith("harbor ") for one in faults(together))


def test_what_is_forwarded_and_taken_back_is_no_fault(together: Together) -> None:
    """A void, the balance it leaves, and the claims that pay it off, with interest between."""
    send(together)
    decide(together)
    send(together, frequency="8", original="C00000001")
    later(together, 40)
    decide(together)
    assert faults(together) == ()
    send(together, "N2", "20250302")
    send(together, "N3", "20250303")
    later(together, 40)
    decide(together)
    assert [part.reason for one in remittances(together) for part in one.adjustments].count("FB") >= 2
    assert faults(together) == ()


def test_an_835_that_comes_before_its_decision_is_noted_when_that_comes(together: Together) -> None:
    case = send(together)
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    together.transport.down.add("https://cedar.example")
    decide(together)
    together.transport.down.clear()
    together.clock.advance(3_600_000)
    last_first = sorted(harbor.desk.due(harbor.now(), "delivery/"), key=lambda one: "decision" in one.kind)
    assert [one.kind for one in last_first] == ["delivery/claim-remittance", "delivery/claim-decision"]
    for one in last_first:
        delivery._try(harbor, one)
    kept = dossiers.dossier_of(cedar, case).last
    assert kept.decided is not None
    assert kept.remittance
    assert faults(together) == ()


def test_a_decision_that_names_another_day_than_the_ledger_is_told(
    together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payer that is late decides as of an earlier day, so that no interest is due."""
    case = send(together)
    later(together, 60)
    honest = Inbox.__init__

    def early(self: Inbox, *arguments: object, **named: object) -> None:
        honest(self, *arguments, **named)  # type: ignore[arg-type]
        self._today = "20250312"

    monkeypatch.setattr(Inbox, "__init__", early)
    decide(together)
    assert dossiers.dossier_of(together.nodes["cedar"], case).last.difference == "decided"


def test_a_payer_restored_from_a_backup_pays_nothing_again_and_gives_no_number_twice(
    together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its desk is put back as it stood before the payment: claims, trace and control numbers since are forgotten."""
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    send(together)
    decide(together)
    send(together, "N2", "20250302")
    stopped: list[bytes] = []
    fix = Remitter._fix

    def seen(self: Remitter, *arguments: object) -> int:
        stopped.append(harbor.desk.whole())
        return fix(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Remitter, "_fix", seen)
    decide(together)
    send(together, "N3", "20250303")
    decide(together)
    before, traces = remitted(cedar)
    restored(harbor, stopped[0])

    assert decide(together) == (0, 0, 0)
    send(together, "N4", "20250304")
    assert decide(together) == (1, 0, 1)
    after, now = remitted(cedar)
    assert len(now) == len(traces) + 1
    assert len(set(now)) == len(now)
    assert {control: after[control] for control in before} == before
    assert len(after) == len(before) + 1
    assert faults(together) == ()


def restored(node: MemberNode, desk: bytes) -> None:
    """Put a desk back as `restore` does."""
    node.desk.close()
    path = Path(node.config.data) / "desk.db"
    for beside in ("-wal", "-shm"):
        path.with_name(path.name + beside).unlink(missing_ok=True)
    path.write_bytes(desk)
    node.desk = Desk(path, mac(node.keys.vault, "salus/v1/desk"))
    node.desk.keep_claims((), [(RESTORED, b"1")])
