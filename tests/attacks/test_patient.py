"""Attacks at the door for wallets, and by members on wallets. Each ends with what was not stored, told or lost."""

import hashlib

import pytest
from msgspec import structs

from salus.agreements.grants import grant_id
from salus.contracts.records.port import ErasureStatus, Rank, RetentionReason, erasure
from salus.core.encoding import MalformedBytes, decode, encode
from salus.core.transaction import Body
from salus.node import erasing
from salus.node.desk import Erasing
from salus.node.errors import EdgeError, Unavailable
from salus.node.exchange.wire import Answer, Refusal
from salus.node.patient import certificate, door
from salus.node.patient import messages as m
from salus.vault.enrolment import Instruction, Signed, sign_instruction
from salus.vault.errors import SealBroken
from salus.vault.journal import Disclosure, Side, disclosure_leaf, read_line
from salus.vault.links import Standing
from tests.attacks.scene import DAY, SECRET, patient, said, taken_in, vitals


class Lying:
    """A member's node between a wallet and the honest one: `lie` sees each answer of a path."""

    def __init__(self, honest, path, lie):
        self.honest, self.path, self.lie = honest, path, lie

    def ask(self, member, path, body):
        answer = self.honest.ask(member, path, body)
        if path != self.path or answer.status != 200:
            return answer
        return Answer(200, self.lie(answer.body))


def joined(town, number, contents=()):
    link = taken_in(town.north, number, [patient(f"p-{number}"), *contents])
    holder = town.together.holder()
    holder.join("north", town.north.vault.invite(link))
    return holder, link


def standing(node, link):
    return node.vault.link_info(link).standing


# Erasure ---------------------------------------------------------------------------------------------------------


def test_an_old_case_of_another_holder_is_no_way_around_the_wait(town):
    holder, link = joined(town, "wait")
    case = bytes(range(16))
    erasing.begin(town.south, taken_in(town.south, "decoy", [patient("decoy")]), case)
    town.together.clock.advance(8 * DAY)
    town.together.settle()

    with pytest.raises(EdgeError, match=r"erasure\.case"):
        holder._instruct("north", "erase", m.Erase(case), m.Done)
    erasing.advance(town.north)

    assert standing(town.north, link) is Standing.OPEN
    assert len(town.north.vault.of_link(link)) == 1
    assert [one for one in town.north.desk.erasures() if one.case == case] == []


def test_a_case_of_one_patient_closes_no_other_link(town):
    (first, link), (second, other) = joined(town, "case-a"), joined(town, "case-b")
    case = first.erase("north")

    with pytest.raises(EdgeError, match=r"erasure\.case"):
        second._instruct("north", "erase", m.Erase(case), m.Done)
    with pytest.raises(EdgeError, match=r"erasure\.open"):
        first.erase("north")

    assert (standing(town.north, link), standing(town.north, other)) == (Standing.CLOSED, Standing.OPEN)


def test_a_case_that_the_ledger_would_refuse_changes_nothing(town):
    holder, link = joined(town, "short")

    for case in (b"", b"short", bytes(17)):
        with pytest.raises(EdgeError, match=r"erasure\.case"):
            holder._instruct("north", "erase", m.Erase(case), m.Done)

    assert standing(town.north, link) is Standing.OPEN


def test_what_the_law_retains_is_not_deleted_by_asking_again(town):
    holder, link = joined(town, "law")
    case = holder.erase("north")
    erasing.retain(town.north, case, RetentionReason(1))

    with pytest.raises(EdgeError, match=r"erasure\.(open|retained)"):
        holder.erase("north")
    town.together.clock.advance(8 * DAY)
    erasing.advance(town.north)

    assert standing(town.north, link) is Standing.RETAINED
    assert len(town.north.vault.of_link(link)) == 1


def test_what_was_retained_is_deleted_when_it_is_released(town):
    holder, link = joined(town, "released")
    case = holder.erase("north")
    with pytest.raises(EdgeError, match=r"erasure\.status"):
        erasing.release(town.north, case)
    erasing.retain(town.north, case, RetentionReason(4))
    town.together.clock.advance(8 * DAY)
    town.together.settle()
    erasing.advance(town.north)
    assert standing(town.north, link) is Standing.RETAINED

    assert erasing.release(town.north, case) is None

    assert standing(town.north, link) is Standing.ERASED
    assert erasure(town.north.ledger.read(), case).status is ErasureStatus.DELETED
    with pytest.raises(EdgeError, match=r"erasure\.status"):
        erasing.retain(town.north, case, RetentionReason(4))


def test_what_is_released_within_the_wait_is_deleted_after_it(town):
    holder, link = joined(town, "soon")
    case = holder.erase("north")
    erasing.retain(town.north, case, RetentionReason(4))

    erasing.release(town.north, case)

    erasing.advance(town.north)
    assert standing(town.north, link) is Standing.CLOSED
    town.together.clock.advance(8 * DAY)
    town.together.settle()
    erasing.advance(town.north)
    assert standing(town.north, link) is Standing.ERASED


@pytest.mark.parametrize("ends", ["before the ledger hears", "before the deletion", "after the deletion"])
def test_a_node_that_ends_while_it_retains_or_releases_goes_on(town, ends):
    holder, link = joined(town, ends)
    case = holder.erase("north")
    if ends == "before the ledger hears":
        town.north.vault.retain_link(link, "legal_claims")
    else:
        erasing.retain(town.north, case, RetentionReason(4))
        town.north.vault.close_link(link)
        if ends == "after the deletion":
            town.north.vault.erase_link(link, case=case)
    town.together.clock.advance(8 * DAY)
    town.together.settle()

    assert erasing.advance(town.north) >= 1

    row = erasure(town.north.ledger.read(), case)
    if ends == "before the ledger hears":
        assert (row.status, row.reason, standing(town.north, link)) == (ErasureStatus.RETAINED, 4, Standing.RETAINED)
        return
    assert (row.status, standing(town.north, link)) == (ErasureStatus.DELETED, Standing.ERASED)


def test_who_is_retained_may_think_better_of_it(town):
    holder, link = joined(town, "better")
    case = holder.erase("north")
    erasing.retain(town.north, case, RetentionReason(1))
    town.together.clock.advance(8 * DAY)
    town.together.settle()

    erasing.cancel(town.north, case, Rank.IN_PERSON)

    assert standing(town.north, link) is Standing.OPEN
    assert erasure(town.north.ledger.read(), case).status is ErasureStatus.CANCELLED
    again = holder.erase("north")
    assert again != case


def test_what_was_kept_under_a_grant_is_not_retained(town):
    case = town.north.entropy(16)
    erasing.begin_lease(town.north, town.north.entropy(32), case)

    with pytest.raises(EdgeError, match=r"erasure\.lease"):
        erasing.retain(town.north, case, RetentionReason(1))

    assert erasure(town.north.ledger.read(), case).status is ErasureStatus.REQUESTED


def test_an_erasure_whose_opening_was_lost_is_opened_later(town):
    _, link = joined(town, "lost")
    case = town.north.entropy(16)
    town.north.desk.begin_erasure(Erasing(case, link, lease=False, opened=town.north.now(), done=None))
    town.north.vault.close_link(link)

    erasing.advance(town.north)

    row = erasure(town.north.ledger.read(), case)
    assert row is not None
    assert row.status is ErasureStatus.REQUESTED


# Strangers -------------------------------------------------------------------------------------------------------


def test_a_stranger_cannot_tell_a_link_that_exists_from_one_that_does_not(town):
    key = town.holder.wallet.one_time_key(7)
    told = set()
    for link in (town.links["north"], bytes(16), b""):
        instruction = Instruction(1, town.north.network, "north", link, 2**60, "log", b"")
        told.add(encode_answer(town, m.INSTRUCT, m.Instruct(sign_instruction(instruction, key))))
    confirmed = {
        encode_answer(town, m.CONFIRM, m.Confirm(link, bytes(64))) for link in (town.links["north"], bytes(16))
    }

    assert len(told) == len(confirmed) == 1
    assert town.north.vault.link_key(town.links["north"]).counter < 2**60


def test_a_counter_beyond_what_can_be_counted_is_refused(town):
    holder, link = joined(town, "count")
    instruction = Instruction(1, town.north.network, "north", link, 2**64 - 1, "log", encode(m.AskLog(0, 0)))
    signed = sign_instruction(instruction, holder.wallet.link_key("north"))

    encode_answer(town, m.INSTRUCT, m.Instruct(signed))

    assert holder.access_log().lines == ()


def encode_answer(town, path, question):
    answer = door.answer(town.north, path, encode(question))
    assert answer.status >= 400
    return answer.status, answer.body


def test_every_question_is_answered_whatever_it_holds(town):
    """A value or the named refusal, never anything else."""
    holder, link = joined(town, "fuzz")
    instructions = [
        ("records", m.Records(0, b"no key")),
        ("records", m.Records(-1, bytes(1216))),
        ("records", m.Records(2**63, bytes(1216))),
        ("log", m.AskLog(-(2**63), 0)),
        ("log", m.AskLog(2**64 - 1, 0)),
        ("log", m.AskLog(0, 2**64 - 1)),
        ("chain", m.After(2**64 - 1)),
        ("send", m.Send("nobody", "grant", b"junk")),
        ("send", m.Send("\ud7ff", "grant", b"")),
        ("carry", m.Carry(b"", b"")),
        ("carry", m.Carry(b"\x90", bytes(64))),
        ("body", m.BuildBody(b"\xff", b"")),
        ("erase", m.Erase(bytes(3))),
        ("nothing", m.Done()),
    ]
    waiting = len(town.north.desk.waiting())
    for action, argument in instructions:
        signed = holder.wallet.instruct("north", action, encode(argument), network=town.north.network)
        assert_answered(town, m.INSTRUCT, encode(m.Instruct(signed)))
    for path in (*door.PATHS, "/patient/none"):
        for body in (
            b"",
            b"\xc1",
            b"\x91" * 5_000,
            b"\xdd\xff\xff\xff\xff",
            encode(m.Keep(b"", b"", -1, b"", b"", b"")),
        ):
            assert_answered(town, path, body)

    assert standing(town.north, link) is Standing.OPEN
    assert len(town.north.desk.waiting()) == waiting


def assert_answered(town, path, body):
    answer = door.answer(town.north, path, body)
    if answer.status != 200:
        assert SECRET not in repr(decode(answer.body, Refusal))


# Members that lie ------------------------------------------------------------------------------------------------


def test_a_log_longer_than_one_answer_is_read_whole(town):
    holder, link = joined(town, "long")
    one = Disclosure(
        side=Side.CUSTODIAN,
        subject=link,
        member="north",
        person="",
        role="",
        purpose="TREAT",
        action="read",
        what=("x",),
    )
    town.north.vault.journal([one] * (door.MAX_LINES + 3))

    log = holder.access_log().lines

    assert [seen.number for seen in log] == list(range(1, door.MAX_LINES + 4))


def hiding(town, holder, lie):
    holder.members = Lying(town.together, m.INSTRUCT, lie)


def test_a_member_cannot_drop_a_line_or_tell_one_of_another_link(town):
    holder, link = joined(town, "drop")
    one = Disclosure(
        side=Side.CUSTODIAN,
        subject=link,
        member="north",
        person="",
        role="",
        purpose="TREAT",
        action="read",
        what=("x",),
    )
    town.north.vault.journal([one] * 3)

    def without_second(body):
        log = decode(body, m.Log)
        return encode(structs.replace(log, lines=(log.lines[0], *log.lines[2:]))) if log.lines else body

    def of_another(body):
        log = decode(body, m.Log)
        other = town.north.vault.lines(Side.CUSTODIAN, town.links["north"])
        return encode(structs.replace(log, lines=tuple(door._line(each) for each in other))) if log.lines else body

    town.north.vault.journal([structs.replace(one, subject=town.links["north"])])
    assert holder.access_log().gaps == ()
    for lie, code in ((without_second, "log.left-out"), (of_another, "log.foreign")):
        hiding(town, holder, lie)
        gaps = holder.access_log().gaps
        assert code in {one.code for one in gaps}
        assert {one.told.by for one in gaps} == {"north"}
        assert SECRET not in repr(gaps)


def test_the_own_records_are_committed_before_they_leave(town):
    holder, link = joined(town, "own", [vitals("mine", "p-own")])

    assert len(holder.records("north")) == 2

    lines = town.north.vault.lines(Side.CUSTODIAN, link)
    assert lines
    assert all(line.anchoring and line.anchoring.tx_id for line in lines)


def test_a_member_cannot_pass_off_anothers_records_as_the_own(town):
    holder, _ = joined(town, "mine")
    holder.members = Pretending(town)
    with pytest.raises(SealBroken) as refused:
        holder.records("north")
    assert SECRET not in said(refused.value)


class Pretending:
    """Answers `records` with those of another link, sealed to the asking wallet."""

    def __init__(self, town):
        self.town = town

    def ask(self, member, path, body):
        if path != m.INSTRUCT:
            return self.town.together.ask(member, path, body)
        data = decode(decode(decode(body, m.Instruct).signed, Signed).data, Instruction)
        told = door._records(self.town.north, self.town.links["north"], data.argument)
        return Answer(200, encode(told))


def test_a_member_cannot_keep_a_wallet_asking_for_ever(town):
    holder, _ = joined(town, "ever")
    asked = []

    def on(body):
        asked.append(1)
        assert len(asked) < 20
        own = decode(body, m.OwnRecords)
        return encode(structs.replace(own, after=own.after + 1))

    hiding(town, holder, on)
    assert len(holder.records("north")) == 1


def test_a_member_cannot_say_that_it_carried_what_it_did_not(town):
    grant = town.grant("north")
    honest = town.holder.members

    def lie(body):
        try:
            return encode(structs.replace(decode(body, m.Carried), code=0, data=b"", tx_id=bytes(32)))
        except MalformedBytes:
            return body

    town.holder.members = Lying(honest, m.INSTRUCT, lie)
    try:
        with pytest.raises(EdgeError, match=r"wallet\.carried"):
            town.holder.stop(grant, through="north")
    finally:
        town.holder.members = honest
    assert [one.revoked for one in town.holder.permissions() if one.id == grant] == [False]


class Swallowing:
    """A member's node that carries nothing and answers as if it had, with a receipt of something else."""

    def __init__(self, town, receipt):
        self.town, self.receipt = town, receipt

    def ask(self, member, path, body):
        if path == m.INSTRUCT:
            signed = decode(decode(body, m.Instruct).signed, Signed)
            instruction = decode(signed.data, Instruction)
            if instruction.action == "carry":
                carry = decode(instruction.argument, m.Carry)
                author = decode(carry.body, Body).author_key
                tx_id = hashlib.sha256(carry.body).digest()
                return Answer(200, encode(m.Carried(tx_id, 7, 0, grant_id(author), self.receipt)))
        return self.town.together.ask(member, path, body)


@pytest.mark.parametrize("receipt", ["none", "other", "forged"])
def test_a_member_cannot_swallow_a_revocation(town, receipt):
    grant = town.grant("north")
    other = town.north.prover.receipt(town.north.vault.anchoring(1).tx_id) if receipt == "other" else None
    shown = {"none": b"", "forged": bytes(200)}.get(receipt, other.encode() if other else b"")
    town.holder.members = Swallowing(town, shown)
    try:
        with pytest.raises(EdgeError, match=r"wallet\.(receipt|unproven)"):
            town.holder.stop(grant, through="north")
    finally:
        town.holder.members = town.together
    assert [one.revoked for one in town.holder.permissions() if one.id == grant] == [False]
    town.holder.stop(grant, through="north")
    assert [one.revoked for one in town.holder.permissions() if one.id == grant] == [True]


def test_a_member_cannot_swallow_a_grant(town):
    held = len(town.clinic.desk.held())
    town.holder.members = Swallowing(town, b"")
    try:
        with pytest.raises(EdgeError, match=r"wallet\.(receipt|unproven)"):
            town.grant("north")
    finally:
        town.holder.members = town.together
    assert len(town.clinic.desk.held()) == held


def test_a_member_cannot_build_another_body_or_swap_keys(town):
    honest = town.holder.members
    other = town.south.submitter.body(door.Revoke(), bytes(32))

    def lie(body):
        try:
            decode(body, m.Built)
        except MalformedBytes:
            return body
        return encode(m.Built(other))

    town.holder.members = Lying(honest, m.INSTRUCT, lie)
    granted = len(town.holder.permissions())
    try:
        with pytest.raises(EdgeError, match=r"wallet\.body"):
            town.grant("north")
    finally:
        town.holder.members = honest
    fresh = town.together.holder()
    fresh.members = Lying(
        town.together, m.ABOUT, lambda body: encode(structs.replace(decode(body, m.Member), receive_key=bytes(1216)))
    )
    with pytest.raises(EdgeError, match=r"wallet\.keys"):
        fresh.join("north", bytes(16))
    assert fresh.wallet.state.links == ()
    assert len(town.clinic.desk.held()) <= granted


# Revocation by the link key ---------------------------------------------------------------------------------------


def test_a_custodian_obeys_a_link_key_that_stops_a_grant_at_once_and_for_good(town):
    grant = town.grant("north", "south")
    before = town.served()
    town.together.transport.down.add("https://clinic.example")
    try:
        town.holder.stop_at("north", grant)
        town.holder.stop_at("north", grant)  # twice is once
    finally:
        town.together.transport.down.clear()

    with pytest.raises(EdgeError, match=r"pull\.refused"):
        town.ask(town.pull(town.shown(grant)))
    assert town.served() == before + 1
    last = read_line(town.north.vault.lines(Side.CUSTODIAN, town.links["north"], 0, 10_000)[-1].line)
    assert (last.action, last.grant, last.role) == ("revoke", grant, "patient")
    assert town.ask(town.pull(town.shown(grant, "south")), of="south").records  # who was not told serves


def test_a_link_key_stops_nothing_of_another_patient(town):
    grant = town.grant("north")
    other, _ = joined(town, "meddler")

    other.stop_at("north", grant)

    assert town.ask(town.pull(town.shown(grant))).records
    for bad in (b"", bytes(31)):
        with pytest.raises(EdgeError, match=r"instruction\.grant"):
            other.stop_at("north", bad)


def test_after_its_certificate_a_link_key_can_only_revoke(town):
    holder, link = joined(town, "stolen")
    grant = town.grant("north", holder=holder)
    kept = holder.certificate("north")

    told = set()
    for bad in (structs.replace(kept, certificate=bytes(32)), structs.replace(kept, link=bytes(16))):
        with pytest.raises(EdgeError, match=r"certificate\.refused") as refused:
            town.holder.publish("north", bad)
        told.add(said(refused.value))
    assert len(told) == 1
    assert town.ask(town.pull(town.shown(grant))).records

    town.holder.publish("north", kept)  # by whoever holds it

    with pytest.raises(EdgeError, match=r"instruction\.refused"):
        holder.erase("north")
    holder.stop_at("north", grant)
    assert standing(town.north, link) is Standing.OPEN
    with pytest.raises(EdgeError, match=r"pull\.refused"):
        town.ask(town.pull(town.shown(grant)))


def test_a_certificate_is_read_as_it_was_written_or_refused_by_name(town):
    kept = certificate.Certificate(1, town.north.network, "north", town.holder.certificate("north"))
    text = certificate.write(kept)

    assert certificate.read(f" {text}\n") == kept
    for bad, code in (
        (text[:-9], "text"),
        ("salus-revocation:%", "text"),
        (certificate.write(structs.replace(kept, format=2)), "format"),
    ):
        with pytest.raises(EdgeError, match=rf"certificate\.{code}"):
            certificate.read(bad)


# The access log ---------------------------------------------------------------------------------------------------


def test_a_grant_that_was_never_carried_keeps_no_line_from_the_patient(town):
    """Its grantee tells nothing, and is named for it; every other member's lines are shown."""
    holder, _ = joined(town, "never-carried")
    first = town.grant("north", holder=holder)
    town.ask(town.pull(town.shown(first)))
    holder.members = Swallowing(town, b"")
    with pytest.raises(EdgeError, match=r"wallet\.unproven"):
        town.grant("north", holder=holder)
    holder.members = town.together
    later = town.grant("north", holder=holder)
    town.ask(town.pull(town.shown(later)))

    log = holder.access_log()

    assert [one.disclosure.grant for one in log.lines] == [first, later]
    assert [(one.told.by, one.told.side, one.code) for one in log.gaps] == [("clinic", "grantee", "grant.not-held")]


def test_a_member_that_is_down_or_talks_nonsense_is_a_gap_among_the_others_lines(town):
    holder, _ = joined(town, "down")
    town.ask(town.pull(town.shown(town.grant("north", holder=holder))))
    junk = encode(m.Log("clinic", (m.LogLine(1, b"junk", bytes(32), b"", b"", 0, 0, ()),), ()))
    for part in ("clinic", "nonsense"):
        if part == "clinic":
            holder.members = Down(town.together, "clinic")
        else:
            holder.members = Lying(town.together, m.GRANT, lambda _: junk)
        log = holder.access_log()
        assert [one.disclosure.action for one in log.lines] == ["serve"]
        assert [one.told.by for one in log.gaps] == ["clinic"]
        assert log.gaps[0].code == ("exchange.unreachable" if part == "clinic" else "log.no-line")


class Down:
    """One member's node does not answer."""

    def __init__(self, honest, member):
        self.honest, self.member = honest, member

    def ask(self, member, path, body):
        if member == self.member:
            raise Unavailable("exchange.unreachable", "the node cannot be reached")
        return self.honest.ask(member, path, body)


@pytest.mark.parametrize("lie", ["fewer", "none", "other"])
def test_a_journal_rolled_back_after_it_was_shown_is_noticed(town, lie):
    holder, _ = joined(town, f"rolled-{lie}")
    shown = town.shown(town.grant("north", holder=holder))
    town.ask(town.pull(shown))
    town.ask(town.pull(shown))
    assert holder.access_log().gaps == ()
    kept = holder.wallet.state
    honest = holder.members

    def rolled(body):
        log = decode(body, m.Log)
        left = {
            "fewer": [one for one in log.lines if one.number < 2],
            "none": [],
            "other": [structs.replace(one, salt=bytes(32)) if one.number == 2 else one for one in log.lines],
        }[lie]
        return encode(structs.replace(log, lines=tuple(left)))

    holder.members = Lying(honest, m.INSTRUCT, rolled)
    log = holder.access_log()
    assert [(one.told.by, one.told.side, one.code) for one in log.gaps] == [("north", "custodian", "log.shorter")]
    assert [one.number for one in holder.wallet.state.heard] == [one.number for one in kept.heard]

    holder.members = honest
    assert holder.access_log().gaps == ()


@pytest.mark.parametrize("lie", ["no receipt", "other receipt", "other root"])
def test_a_line_that_the_ledger_does_not_hold_is_not_called_proven(town, lie):
    holder, _ = joined(town, f"log-{lie}")
    grant = town.grant("north", holder=holder)
    town.ask(town.pull(town.shown(grant)))
    assert [one.proven for one in holder.access_log().lines if one.side == "custodian"] == [True]
    other = town.north.prover.receipt(town.north.vault.anchoring(1).tx_id).encode()

    def forged(body):
        try:
            log = decode(body, m.Log)
        except MalformedBytes:
            return body
        if lie == "other root":
            salt, made = bytes(32), log.lines[0].line if log.lines else b""
            lines = tuple(
                structs.replace(one, salt=salt, size=1, index=0, path=(), root=disclosure_leaf(salt, made))
                for one in log.lines
            )
            return encode(structs.replace(log, lines=lines))
        shown = b"" if lie == "no receipt" else other
        return encode(structs.replace(log, receipts=tuple((tx_id, shown) for tx_id, _ in log.receipts)))

    holder.members = Lying(town.together, m.INSTRUCT, forged)
    assert [one.proven for one in holder.access_log().lines if one.side == "custodian"] == [False]
