"""Attacks on a pull: by grantees, strangers and custodians. Each ends with what was not served, stored or told."""

import hashlib
import threading

import pytest
from msgspec import structs

from salus.agreements.grants import present, sign_slip, slip_of
from salus.contracts.consent.port import Grant as GrantMessage
from salus.contracts.consent.port import granted, round_expiry
from salus.core.encoding import decode, encode
from salus.core.transaction import Envelope
from salus.node import anchoring
from salus.node.anchoring import anchor
from salus.node.errors import EdgeError, Forbidden, Malformed, Unavailable
from salus.node.exchange import custodian, grantee
from salus.node.exchange.pull import PATH, Manifest
from salus.node.people import IssuePerson, issue_person
from salus.vault.errors import Damaged
from salus.vault.journal import Disclosure, Side, read_line
from salus.vault.sealing import Content
from salus.vault.wallet import Share
from tests.attacks.scene import DAY, EVERYTHING, SECRET, patient, said, taken_in, vitals


def test_a_revoked_slip_under_a_fresh_grant_of_another_wallet_opens_nothing(town):
    old = town.grant("north")
    slip = town.shown(old)
    town.holder.stop(old, through="north")
    other = town.together.holder()
    other.join("north", town.north.vault.invite(taken_in(town.north, "2", [patient("p2")])))
    fresh = town.grant("north", holder=other)
    shown = town.shown(fresh)
    lines = town.served()

    for forged in (slip, structs.replace(shown, signed=slip.signed), structs.replace(slip, digests=shown.digests)):
        with pytest.raises(EdgeError, match=r"pull\.(refused|ended)") as refused:
            town.ask(town.pull(forged))
        assert SECRET not in said(refused.value)
    assert town.served() == lines


def test_a_patient_cannot_open_another_patients_link(town):
    thief = town.together.holder()
    thief.join("north", town.north.vault.invite(taken_in(town.north, "thief", [patient("p2")])))
    mine = thief.wallet.tied("north")
    thief.wallet._replace(structs.replace(mine, link=town.links["north"]))
    made, commitment, _ = thief.wallet.grant(town.document(), [Share("north", EVERYTHING)])
    thief.wallet._replace(mine)
    message = GrantMessage(
        commitment=commitment, expiry=round_expiry(town.north.now() + 30 * DAY, thief.member("north").rounding)
    )
    thief._author("north", message, thief.wallet.state.next_index - 1)

    lines = town.served()
    with pytest.raises(EdgeError, match=r"pull\.refused"):
        town.ask(town.pull(present(made, "north")))
    assert town.served() == lines


def test_another_member_cannot_use_a_grantees_slip(town):
    shown = town.shown(town.grant("north"))

    lines = town.served()
    with pytest.raises(EdgeError, match=r"pull\.refused"):
        town.ask(town.pull(shown), by="south")
    assert town.served() == lines


def test_all_who_may_not_are_refused_in_the_same_words(town):
    live = town.shown(town.grant("north"))
    slip = slip_of(live.signed)
    key = town.holder.wallet.one_time_key(99)

    def with_slip(**changes):
        return structs.replace(live, signed=sign_slip(structs.replace(slip, **changes), key))

    lines, told = town.served(), set()
    for shown in (
        with_slip(grant=bytes(32)),
        with_slip(link=bytes(16)),
        with_slip(),
        with_slip(custodian="south"),
        structs.replace(live, digests=(bytes(32),) * 8),
        structs.replace(live, index=2**40),
        structs.replace(live, document=b""),
    ):
        with pytest.raises(EdgeError) as refused:
            town.ask(town.pull(shown))
        told.add(said(refused.value))
    town.north.vault.close_link(town.links["north"])
    with pytest.raises(EdgeError) as refused:
        town.ask(town.pull(live))
    town.north.vault.reopen_link(town.links["north"])
    told.add(said(refused.value))

    assert len(told) == 1
    assert town.served() == lines


def test_a_cursor_of_another_grant_is_refused(town):
    first, second = town.grant("north"), town.grant("north")
    cursor = town.ask(town.pull(town.shown(first))).cursor
    lines = town.served()

    for forged in (cursor, cursor[:-1], cursor[:5], bytes(36), b"x"):
        with pytest.raises(EdgeError, match=r"pull\.cursor"):
            town.ask(town.pull(town.shown(second), cursor=forged))
    assert town.served() == lines


def test_what_is_taken_in_while_another_batch_waits_is_not_skipped(town):
    """Two anchors at once: the later batch may stand on the ledger first."""
    grant = town.grant("north")
    grantee.fetch(town.clinic, grant, "TREAT")
    vault, link = town.north.vault, town.links["north"]
    vault.write(link, [vitals("early", "p1")])
    early = vault.next_batch()
    vault.write(link, [vitals("late", "p1")])
    late = vault.next_batch()
    town.north.catch_up()
    anchoring._send(town.north, late, deferred=False)

    numbers, _ = custodian._permitted(town.north, _asked(town, grant))
    anchor(town.north)
    known = {record.number for record in vault.of_link(link)[3:]}

    assert early.number < late.number
    assert not known & set(numbers)


def _asked(town, grant):
    pull = town.pull(town.shown(grant), cursor=town.clinic.desk.cursor(grant, "north"))
    return custodian._check(town.north, town.north.ledger.read(), "clinic", pull)


def test_pulls_and_intake_at_once_anchor_each_batch_once(town):
    grants = [town.grant("north") for _ in range(3)]
    failed = []

    def work(what):
        try:
            what()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test names it
            failed.append(repr(error))

    def write(name):
        for count in range(4):
            town.north.vault.write(town.links["north"], [vitals(f"{name}-{count}", "p1")])
            anchor(town.north)

    tasks = [lambda g=g: grantee.fetch(town.clinic, g, "TREAT") for g in grants] + [
        lambda: write("a"),
        lambda: write("b"),
    ]
    threads = [threading.Thread(target=work, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert town.north.vault.unanchored() == []
    assert all(line.anchoring and line.anchoring.tx_id for line in town.north.vault.lines(1, town.links["north"]))


# A custodian that lies -------------------------------------------------------------------------------------------


def resigned(town, pulled, member="north", **changes):
    manifest = encode(structs.replace(decode(pulled.manifest, Manifest), **changes))
    key = town.together.nodes[member].signing_key
    framed = custodian.framed(custodian.MANIFEST_LABEL, (manifest,))
    return structs.replace(pulled, manifest=manifest, signature=key.sign(framed))


def test_a_custodian_cannot_name_an_old_disclosure_or_any_other_transaction(town):
    first_grant, grant = town.grant("north"), town.grant("north")
    first = decode(town.ask(town.pull(town.shown(first_grant))).manifest, Manifest)
    height = granted(town.clinic.ledger.read(), grant).height
    town.clinic.wait_for(first.height)
    pull = structs.replace(town.pull(town.shown(grant)), seen=town.clinic.ledger.head().height)
    pulled = town.ask(pull)
    town.clinic.wait_for(decode(pulled.manifest, Manifest).height)
    (granting,) = town.clinic.ledger.store.block(height).transactions
    other = hashlib.sha256(decode(granting, Envelope).body).digest()

    for disclosure, at in ((first.disclosure, first.height), (other, height), (bytes(32), 1)):
        lied = resigned(town, pulled, disclosure=disclosure, height=at)
        with pytest.raises(Malformed, match=r"pull\.disclosure"):
            grantee.verify_pulled(town.clinic, "north", grant, pull, lied)
    assert town.leased(grant) == {"records": 0}


def committed_for(town, pull, numbers=None):
    """Commit the disclosure of an answer to `pull` without giving it; return what would be served, and its line."""
    asked = custodian._check(town.north, town.north.ledger.read(), "clinic", pull)
    sealed = custodian._sealed(town.north, asked, numbers or custodian._permitted(town.north, asked)[0])
    entries = town.north.vault.journal([custodian._disclosure(asked, sealed, "north")])
    height, _ = anchoring.commit(town.north, entries)
    town.clinic.wait_for(height)
    return sealed, town.north.vault.line(entries[0])


def test_a_custodian_cannot_answer_one_question_with_the_disclosure_of_another(town):
    """Committed is one disclosure; what leaves answers another question, grant, window, or holds other records."""
    grant, other = town.grant("north"), town.grant("north")
    pull = town.pull(town.shown(grant))
    sealed, line = committed_for(town, pull)
    cases = {
        "honest": (grant, pull, sealed.pulled),
        "another id": (grant, town.pull(town.shown(grant)), sealed.pulled),
        "another window": (grant, structs.replace(pull, cursor=bytes(36)), sealed.pulled),
        "another purpose": (grant, structs.replace(pull, purpose="HOPERAT"), sealed.pulled),
        "another grant": (other, structs.replace(pull, presented=town.shown(other)), sealed.pulled),
        "fewer records": (grant, pull, structs.replace(sealed.pulled, records=sealed.pulled.records[1:])),
    }
    for name, (under, question, served) in cases.items():
        told = custodian.Answered("clinic", under, question.id)
        answer = custodian.sealed_answer(town.north, told, served, line)
        if name == "honest":
            assert grantee.verify_pulled(town.clinic, "north", under, question, answer)[1]
            continue
        with pytest.raises(Malformed, match=r"pull\.disclosure"):
            grantee.verify_pulled(town.clinic, "north", under, question, answer)
    for wrong in ({"tag": bytes(32)}, {"index": 2**40}, {"path": (bytes(32),) * 70}, {"size": 0}):
        answer = custodian.sealed_answer(town.north, custodian.Answered("clinic", grant, pull.id), sealed.pulled, line)
        lied = resigned(town, answer, **wrong)
        with pytest.raises(Malformed, match=r"pull\.disclosure"):
            grantee.verify_pulled(town.clinic, "north", grant, pull, lied)
    assert town.leased(grant) == town.leased(other) == {"records": 0}


def test_what_was_written_down_and_not_served_says_so(town, monkeypatch):
    """The patient's log must not show a serving that did not happen as one that did."""
    grant = town.grant("north")
    shown, before = town.shown(grant), town.served()

    def end_between(node, entries):
        told = anchoring.commit(node, entries)
        town.holder.stop(grant, through="north")
        return town.north.ledger.head().height, told[1]

    monkeypatch.setattr(custodian, "commit", end_between)
    with pytest.raises(EdgeError, match=r"pull\.ended"):
        town.ask(town.pull(shown))
    served, undone = (read_line(one.line) for one in town.north.vault.lines(1, town.links["north"], before))

    assert (served.action, undone.action, undone.what) == ("serve", "not-served", (f"line {before + 1}",))
    assert undone.grant == grant


def test_a_damaged_record_is_refused_before_anything_is_written_down(town, monkeypatch):
    grant = town.grant("north")
    lines = town.served()

    def damaged(_numbers):
        raise Damaged("record 1: it is not the one that its leaf stands for")

    monkeypatch.setattr(town.north.vault, "seal_for_pull", damaged)
    with pytest.raises(EdgeError):
        town.ask(town.pull(town.shown(grant)))
    assert town.served() == lines


def test_resources_of_the_house_are_counted_in_the_disclosure(town):
    node = town.north
    body = (
        '{"resourceType":"Encounter","id":"e1","status":"finished","class":{"code":"AMB"},'
        '"subject":{"reference":"Patient/p-house"},"serviceProvider":{"reference":"Organization/ward"}}'
    )
    node.vault.write(
        node.vault.house_link(), [Content("Organization", "ward", b'{"resourceType":"Organization","id":"ward"}')]
    )
    link = taken_in(node, "house", [patient("p-house"), Content("Encounter", "e1", body.encode())])
    holder = town.together.holder()
    holder.join("north", node.vault.invite(link))

    pulled = town.ask(town.pull(town.shown(town.grant("north", holder=holder))))
    (line,) = node.vault.lines(1, link)

    assert len(pulled.records) == 3
    assert read_line(line.line).what == ("Encounter 1", "Organization 1", "Patient 1")


def test_a_custodian_cannot_serve_another_patients_record(town):
    grant = town.grant("north")
    foreign = taken_in(town.north, "3", [patient("p3", "Somebody-Else"), vitals("o3", "p3")])
    numbers = [ref.number for ref in town.north.vault.of_link(foreign)]
    pull = town.pull(town.shown(grant))
    sealed, line = committed_for(town, pull, numbers)
    told = custodian.Answered("clinic", grant, pull.id)
    lied = custodian.sealed_answer(town.north, told, sealed.pulled, line)

    with pytest.raises(Malformed, match=r"pull\.foreign"):
        grantee.verify_pulled(town.clinic, "north", grant, pull, lied)
    assert town.leased(grant) == {"records": 0}


def test_a_custodian_cannot_keep_a_grantee_asking_for_ever(town):
    grant = town.grant("north")
    handlers = town.north.handlers
    honest = handlers[PATH]
    asked = []

    def endless(sender, body):
        asked.append(body)
        assert len(asked) < 20
        return resigned(town, honest(sender, body), more=True)

    handlers[PATH] = endless
    try:
        fetched = grantee.fetch(town.clinic, grant, "TREAT")
    finally:
        handlers[PATH] = honest
    assert fetched.records == len(town.north.vault.of_link(town.links["north"]))
    assert len(asked) == 2


def pulled_line(grant):
    return Disclosure(
        side=Side.GRANTEE,
        subject=grant,
        member="north",
        person="",
        role="",
        purpose="TREAT",
        action="pull",
        what=(),
        grant=grant,
    )


def test_what_is_no_fhir_does_not_stop_a_grantees_index(town):
    town.north.vault.write(
        town.links["north"],
        [Content("Observation", f"bad{at}", body) for at, body in enumerate((b"\xff", b"[" * 50_000, b"{}", b""))],
    )
    grant = town.grant("north")
    pull = town.pull(town.shown(grant))
    anchor(town.north)
    numbers = [ref.number for ref in town.north.vault.of_link(town.links["north"])]
    sealed, line = committed_for(town, pull, numbers)
    told = custodian.Answered("clinic", grant, pull.id)
    answer = custodian.sealed_answer(town.north, told, sealed.pulled, line)
    _, received = grantee.verify_pulled(town.clinic, "north", grant, pull, answer)
    grantee._keep(town.clinic, pulled_line(grant), received)

    assert town.leased(grant)["Patient"] == 1
    assert SECRET not in repr(town.leased(grant))


def test_a_forged_seal_manifest_or_root_is_refused(town):
    grant = town.grant("north")
    pull = town.pull(town.shown(grant))
    pulled = town.ask(pull)
    one = pulled.records[0]

    def with_first(**changes):
        return structs.replace(pulled, records=(structs.replace(one, **changes), *pulled.records[1:]))

    flipped = one.sealed[:-1] + bytes((one.sealed[-1] ^ 1,))
    for lied in (
        with_first(sealed=flipped),
        with_first(sealed=b""),
        with_first(index=2**40),
        with_first(size=0),
        with_first(root=bytes(32)),
        structs.replace(pulled, roots=()),
        structs.replace(pulled, records=pulled.records[::-1]),
        structs.replace(pulled, records=pulled.records[:-1]),
        structs.replace(pulled, envelope=pulled.envelope[:-1]),
        structs.replace(pulled, envelope=b""),
        structs.replace(pulled, signature=bytes(64)),
        resigned(town, pulled, "south"),
        resigned(town, pulled, grant=bytes(32)),
        resigned(town, pulled, question=bytes(16)),
        resigned(town, pulled, grantee="south"),
        resigned(town, pulled, format=2),
        resigned(town, pulled, leaves=(bytes(32),) * len(pulled.records)),
    ):
        with pytest.raises(Malformed) as refused:
            grantee.verify_pulled(town.clinic, "north", grant, pull, lied)
        assert SECRET not in said(refused.value)
    assert town.leased(grant) == {"records": 0}


# The lease -------------------------------------------------------------------------------------------------------


def test_what_arrives_while_the_patient_stops_is_not_kept(town):
    grant = town.grant("north")
    handlers = town.north.handlers
    honest = handlers[PATH]

    def meanwhile(sender, body):
        answer = honest(sender, body)
        town.holder.stop(grant, through="south")
        town.together.settle()
        assert grantee.confirm_and_purge(town.clinic) >= 1
        return answer

    handlers[PATH] = meanwhile
    try:
        fetched = grantee.fetch(town.clinic, grant, "TREAT")
    finally:
        handlers[PATH] = honest

    assert fetched.failures == (("north", "grant.not-held"),)
    assert town.leased(grant) == {"records": 0}


def test_a_clock_set_back_does_not_keep_a_lease_open(town):
    grant = town.grant("north")
    grantee.fetch(town.clinic, grant, "TREAT")
    confirmed = town.clinic.desk.held(grant)[0]
    town.clinic.desk.confirm(grant, confirmed.confirmed + 3 * DAY)

    with pytest.raises(Unavailable, match=r"lease\.unconfirmed"):
        grantee.require_live(town.clinic, grant)
    town.clinic.desk.confirm(grant, confirmed.confirmed)


def test_a_lease_is_hidden_after_a_day_without_the_ledger_and_gone_after_its_end(town):
    grant = town.grant("north", expiry=town.together.clock() + 2 * DAY)
    grantee.fetch(town.clinic, grant, "TREAT")
    assert town.leased(grant)["Patient"] == 1
    town.together.clock.advance(25 * 3600 * 1000)
    with pytest.raises(Unavailable, match=r"lease\.unconfirmed"):
        grantee.require_live(town.clinic, grant)

    town.together.clock.advance(DAY)
    with pytest.raises(Forbidden, match=r"lease\.ended"):
        grantee.require_live(town.clinic, grant)
    grantee.confirm_and_purge(town.clinic)
    assert town.leased(grant) == {"records": 0}


def test_a_made_up_height_is_refused_without_waiting_for_it(town):
    pull = structs.replace(town.pull(town.shown(town.grant("north"))), seen=2**40)
    before = town.served()

    with pytest.raises(EdgeError, match=r"ledger\.ahead"):
        town.ask(pull)

    assert town.served() == before


def test_a_grant_that_names_a_custodian_twice_is_not_held(town):
    town.together.settle()
    held = {one.grant for one in town.clinic.desk.held()}

    grant = town.holder.grant(
        town.document(), [Share("north", EVERYTHING), Share("north", ("general",))], through="north"
    )

    assert {one.grant for one in town.clinic.desk.held()} == held
    town.holder.stop(grant, through="north")
    town.holder.wallet.state = structs.replace(town.holder.wallet.state, grants=town.holder.wallet.state.grants[:-1])


def test_a_grantees_line_of_a_pull_names_the_person_of_the_credential(town):
    asked = IssuePerson(subject="staff-7", role="physician", purposes=("TREAT",), key="11" * 32)
    grant = town.grant("north")
    grantee.fetch(town.clinic, grant, "TREAT", issue_person(town.clinic, asked).credential)

    line = read_line(town.clinic.vault.lines(Side.GRANTEE, grant, 0, 10)[-1].line)
    assert (line.action, line.person, line.role) == ("pull", "staff-7", "physician")
