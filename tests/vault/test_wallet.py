import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from salus.agreements import grants
from salus.agreements.grants import Document
from salus.core.encoding import decode, encode
from salus.core.proof.digest import framed
from salus.vault import enrolled, enrolment
from salus.vault.enrolled import KeyStanding
from salus.vault.enrolment import Claim, Instruction, Welcome, certificate_digest
from salus.vault.envelope import Context, ReceiveKey, open_envelope, seal_envelope
from salus.vault.errors import (
    EnvelopeRefused,
    Refused,
    SealBroken,
    TooLarge,
    UnknownLink,
    UnknownRecord,
    UnknownWallet,
)
from salus.vault.opener import Opener, write_sheet
from salus.vault.wallet import Share, State, Tied, Wallet, merge, put_message
from tests.vault.conftest import Seeded, anchor, observation

NETWORK = b"n" * 32
SIGN = Ed25519PrivateKey.from_private_bytes(b"m" * 32)
RECEIVE = ReceiveKey.from_seed(b"v" * 32)
FRESH = ReceiveKey.from_seed(b"f" * 32)
CERTIFICATE = b"certificate"
COMMITMENTS = {"contacts": b"c" * 32, "certificate": certificate_digest(CERTIFICATE)}
MEMBER_KEY = enrolment.public_of(SIGN)

LINK = b"l" * 16


@pytest.fixture
def wallet(hands):
    return Wallet.new(clock=hands, entropy=Seeded(9))


def claim_of(wallet, code, **changes):
    known = {"network": NETWORK, "member_receive": RECEIVE.public, "receive": FRESH}
    return enrolment.seal_claim(code, link_key=wallet.link_key("north"), **(known | COMMITMENTS | changes))


def read(wallet, code, welcome, **changes):
    known = {"network": NETWORK, "member": "north", "member_key": MEMBER_KEY, "receive": FRESH}
    return enrolment.open_welcome(welcome, code, link_key=wallet.link_key("north"), **(known | COMMITMENTS | changes))


def answer(vault, envelope):
    return vault.enrol(envelope, network=NETWORK, receive=RECEIVE, sign=SIGN)


def enrol(vault, wallet, link):
    code = vault.invite(link)
    transcript, secret, signature = read(wallet, code, answer(vault, claim_of(wallet, code)))
    wallet.join(transcript, secret)
    vault.confirm(link, signature)
    return code


@pytest.fixture
def link(vault):
    return vault.open_link("mrn", "4711")


def test_a_wallet_enrols_and_holds_the_links_secret(vault, wallet, link):
    enrol(vault, wallet, link)
    known = vault.link_key(link)
    assert (known.standing, known.contacts, known.certificate) == (KeyStanding.OBEYED, *COMMITMENTS.values())
    assert wallet.tied("north").link == link
    assert wallet.tied("north").secret == vault.store.row("SELECT secret FROM link WHERE id = ?", (link,))[0]
    assert b"secret" not in repr(wallet).encode()


def test_a_wallet_that_never_heard_it_was_enrolled_enrols_again_and_no_other_does(vault, wallet, link, hands):
    enrol(vault, wallet, link)  # and the last answer is lost
    vault.obey(wallet.instruct("north", "watch", network=NETWORK), network=NETWORK)
    before = vault.link_key(link)
    code = vault.invite(link)
    with pytest.raises(Refused, match="re-key"):
        answer(vault, claim_of(Wallet.new(clock=hands, entropy=Seeded(5)), code))
    again = Wallet.new(clock=hands, entropy=Seeded(9))  # the same root
    transcript, secret, signature = read(again, code, answer(vault, claim_of(again, code)))
    after = vault.link_key(link)
    assert (after.standing, after.key, after.counter) == (KeyStanding.OBEYED, before.key, before.counter)
    vault.confirm(link, signature)
    again.join(transcript, secret)
    assert again.tied("north").secret == wallet.tied("north").secret
    told = again.instruct("north", "watch", network=NETWORK, above=after.counter)
    assert vault.obey(told, network=NETWORK).counter == before.counter + 1
    with pytest.raises(Refused, match="spent"):
        answer(vault, claim_of(again, code))


def test_an_invitation_works_once_within_its_time(vault, wallet, link, hands):
    code = vault.invite(link)
    first = claim_of(wallet, code)
    answer(vault, first)
    other = Wallet.new(clock=hands, entropy=Seeded(5))
    with pytest.raises(Refused, match="spent"):
        answer(vault, claim_of(other, code))
    _, _, signature = read(wallet, code, answer(vault, first))  # the answer was lost: the same wallet asks again
    vault.confirm(link, signature)
    vault.confirm(link, signature)
    with pytest.raises(Refused, match="spent"):
        answer(vault, first)
    code = vault.invite(link)
    with pytest.raises(Refused, match="re-key"):
        answer(vault, claim_of(other, code))
    code = vault.invite(vault.open_link("mrn", "2"))
    hands.now += enrolment.INVITATION_LIFE
    with pytest.raises(Refused, match="expired"):
        answer(vault, claim_of(other, code))
    with pytest.raises(Refused, match="unknown"):
        answer(vault, claim_of(other, b"x" * 16))


def test_only_a_patients_link_is_enrolled(vault):
    with pytest.raises(Refused):
        vault.invite(vault.house_link())
    with pytest.raises(UnknownLink):
        vault.invite(b"x" * 16)


def test_a_claim_that_is_not_what_its_envelope_says_is_refused(vault, wallet, link):
    code = vault.invite(link)
    with pytest.raises(EnvelopeRefused, match="network"):
        answer(vault, claim_of(wallet, code, network=b"o" * 32))
    key = wallet.link_key("north")
    context = Context(NETWORK, enrolment.public_of(key), "enrolment-claim", b"o" * 32)
    stories = [
        (Claim(1, code, FRESH.public, context.sender, b"", b""), context),
        (Claim(2, code, FRESH.public, context.sender, b"", b""), context),
        (Claim(1, code, FRESH.public, context.sender, b"x", b""), context),
        ("junk", context),
        (Claim(1, code, FRESH.public, context.sender, b"", b""), structs.replace(context, purpose="grant")),
    ]
    for claim, about in stories:
        with pytest.raises(EnvelopeRefused):
            answer(vault, seal_envelope(encode(claim), about, recipient=RECEIVE.public, sign=key))
    with pytest.raises(UnknownLink):
        vault.link_key(link)


def test_a_wallet_refuses_a_welcome_in_which_anything_was_swapped(vault, wallet, link):
    code = vault.invite(link)
    welcome = answer(vault, claim_of(wallet, code))
    for changes in ({"contacts": b"x" * 32}, {"certificate": b""}, {"member": "south"}, {"member_key": b"x" * 32}):
        with pytest.raises(EnvelopeRefused):
            read(wallet, code, welcome, **changes)
    context = Context(NETWORK, b"north", "enrolment-welcome", enrolment.invitation_digest(code))
    told = decode(open_envelope(welcome, context, key=FRESH, sender_key=MEMBER_KEY), Welcome)
    for forged in (structs.replace(told, signature=b"s" * 64), structs.replace(told, secret=b"short"), "junk"):
        envelope = seal_envelope(encode(forged), context, recipient=FRESH.public, sign=SIGN)
        with pytest.raises(EnvelopeRefused):
            read(wallet, code, envelope)


def test_a_link_key_is_obeyed_only_after_it_signed_the_transcript(vault, wallet, link):
    code = vault.invite(link)
    transcript, secret, signature = read(wallet, code, answer(vault, claim_of(wallet, code)))
    wallet.join(transcript, secret)
    with pytest.raises(Refused, match="transcript"):
        vault.obey(wallet.instruct("north", "restrict", network=NETWORK), network=NETWORK)
    with pytest.raises(Refused, match="did not sign"):
        vault.confirm(link, b"s" * 64)
    vault.confirm(link, signature)
    assert vault.obey(wallet.instruct("north", "restrict", network=NETWORK), network=NETWORK).action == "restrict"


def test_an_instruction_is_obeyed_once_and_in_order(vault, wallet, link, hands):
    enrol(vault, wallet, link)
    first = wallet.instruct("north", "erase", b"all", network=NETWORK)
    assert vault.obey(first, network=NETWORK).argument == b"all"
    with pytest.raises(Refused) as refused:
        vault.obey(first, network=NETWORK)
    assert refused.value.current == 1
    stale = Wallet(
        wallet._root,
        State(1, (structs.replace(wallet.tied("north"), counter=0),), (), 0),
        clock=hands,
        entropy=Seeded(),
    )
    with pytest.raises(Refused) as refused:
        vault.obey(stale.instruct("north", "erase", network=NETWORK), network=NETWORK)
    vault.obey(stale.instruct("north", "erase", network=NETWORK, above=refused.value.current), network=NETWORK)


def test_instructions_for_or_from_elsewhere_are_refused(vault, wallet, link):
    enrol(vault, wallet, link)
    stranger = Ed25519PrivateKey.from_private_bytes(b"t" * 32)
    plain = Instruction(1, NETWORK, "north", link, 5, "erase", b"")
    for forged in (
        enrolment.sign_instruction(plain, stranger),
        enrolment.sign_instruction(structs.replace(plain, member="south"), wallet.link_key("north")),
        enrolment.sign_instruction(structs.replace(plain, network=b"o" * 32), wallet.link_key("north")),
        b"junk",
    ):
        with pytest.raises(Refused):
            vault.obey(forged, network=NETWORK)
    with pytest.raises(Refused, match="of a link here"):
        vault.obey(enrolment.sign_instruction(structs.replace(plain, link=b"x" * 16), stranger), network=NETWORK)
    assert vault.link_key(link).counter == 0


def test_after_its_certificate_a_link_key_only_revokes(vault, wallet, link):
    enrol(vault, wallet, link)
    with pytest.raises(Refused):
        vault.publish_certificate(link, b"guessed")
    vault.publish_certificate(link, CERTIFICATE)
    with pytest.raises(Refused, match="only revoke"):
        vault.obey(wallet.instruct("north", "erase", network=NETWORK), network=NETWORK)
    assert vault.obey(wallet.instruct("north", "revoke", b"g" * 32, network=NETWORK), network=NETWORK)


def test_a_wallet_checks_what_its_member_shows_over_time(vault, wallet, link):
    enrol(vault, wallet, link)
    vault.write(link, [observation("a"), observation("b")])
    wallet.check_records("north", vault.chain_of(link))
    vault.write(link, [observation("c")])
    anchor(vault)
    shown = vault.chain_of(link, after=2)
    with pytest.raises(SealBroken, match="record 3"):
        wallet.check_records("north", [structs.replace(shown[0], previous=b"x" * 32)])
    wallet.check_records("north", shown)
    assert wallet.tied("north").sequence == 3


def test_a_grant_from_the_wallet_holds_at_its_custodian(vault, wallet, link):
    enrol(vault, wallet, link)
    document = Document(1, NETWORK, "south", (), ("TREAT",), 0, 10, ())
    made, commitment, key = wallet.grant(document, [Share("north", ("general",))], demographics=b"{}")
    name = grants.grant_id(enrolment.public_of(key))
    got, slip = grants.check_presented(
        grants.present(made, "north"),
        network=NETWORK,
        custodian="north",
        grantee="south",
        grant=name,
        commitment=commitment,
        link=link,
        link_key=vault.link_key(link).key,
    )
    assert (got, slip.classes, made.demographics, made.link) == (document, ("general",), b"{}", b"")
    assert wallet.index_of(name) == 0
    assert enrolment.public_of(wallet.revoke(0)) == enrolment.public_of(key)
    assert wallet.state.grants[0].revoked
    to_itself, _, _ = wallet.grant(structs.replace(document, grantee="north"), [Share("north", ("general",))])
    assert to_itself.link == link
    with pytest.raises(UnknownRecord):
        wallet.index_of(b"x" * 32)
    with pytest.raises(UnknownLink):
        wallet.grant(document, [Share("west", ("general",))])


def test_a_stale_state_still_finds_and_revokes_its_grants(wallet, hands):
    row = {grants.grant_id(enrolment.public_of(wallet.one_time_key(index))) for index in (0, 3, 20)}
    stale = Wallet(wallet._root, clock=hands, entropy=Seeded())
    assert stale.find_grants(row.__contains__) == [0, 3, 20]
    assert stale.state.next_index == 21
    assert grants.grant_id(enrolment.public_of(stale.revoke(20))) in row


def test_a_member_hosts_a_wallet_it_cannot_read(vault, wallet, hands):
    wallet.state = State(1, (Tied("north", b"l" * 16, b"canary-secret" * 2, 0, 0, 0, b""),), (), 4)
    locator, key = wallet.locator("north"), enrolment.public_of(wallet.write_key("north"))
    with pytest.raises(UnknownWallet):
        vault.get_wallet(locator)
    file, signature = wallet.seal_for("north", 1)
    vault.put_wallet(locator, key, 1, file=file, signature=signature, link=LINK)
    assert vault.get_wallet(locator) == (1, file)
    assert b"canary" not in file
    found = Wallet(wallet._root, clock=hands, entropy=Seeded())
    found.absorb(found.open_file("north", 1, file))
    assert found.state == wallet.state
    with pytest.raises(Refused) as refused:
        vault.put_wallet(locator, key, 1, file=file, signature=signature, link=LINK)
    assert refused.value.current == 1
    stranger = Ed25519PrivateKey.from_private_bytes(b"t" * 32)
    theirs = stranger.sign(put_message(locator, 2, file))
    with pytest.raises(Refused, match="not signed"):
        vault.put_wallet(locator, enrolment.public_of(stranger), 2, file=file, signature=theirs, link=LINK)
    with pytest.raises(Refused, match="not signed"):
        vault.put_wallet(locator, key, 2, file=file, signature=signature, link=LINK)
    with pytest.raises(Refused):
        vault.put_wallet(b"short", key, 1, file=file, signature=signature, link=LINK)
    with pytest.raises(Refused):
        vault.drop_wallet(locator, theirs)
    vault.drop_wallet(locator, wallet.write_key("north").sign(put_message(locator, 0, b"")))
    with pytest.raises(UnknownWallet):
        vault.drop_wallet(locator, b"")


def put(vault, wallet, member, version, *, link=LINK, file=None):
    sealed, signature = wallet.seal_for(member, version)
    if file is not None:
        sealed, signature = file, wallet.write_key(member).sign(put_message(wallet.locator(member), version, file))
    key = enrolment.public_of(wallet.write_key(member))
    vault.put_wallet(wallet.locator(member), key, version, file=sealed, signature=signature, link=link)


def test_a_link_keeps_so_many_wallet_files_and_no_other_links(vault, wallet):
    put(vault, wallet, "north", 1)
    for number in range(1, enrolled.MAX_LOCATORS):  # openers of several devices, of a sheet, of another member
        put(vault, wallet, f"elsewhere-{number}", 1)
    with pytest.raises(Refused, match="at most 10"):
        put(vault, wallet, "third", 1)
    with pytest.raises(Refused, match="not signed"):
        put(vault, wallet, "north", 2, link=b"o" * 16)
    put(vault, wallet, "north", 2)
    put(vault, wallet, "third", 1, link=b"o" * 16)
    with pytest.raises(UnknownWallet):
        vault.get_wallet(wallet.locator("fourth"))


def test_a_link_writes_its_wallet_file_so_often_and_so_much_a_day(vault, wallet, hands, monkeypatch):
    monkeypatch.setattr(enrolled, "MAX_DAY_WRITES", 3)
    for version in (1, 2, 3):
        put(vault, wallet, "north", version)
    with pytest.raises(Refused, match="a day"):
        put(vault, wallet, "north", 4)
    assert vault.get_wallet(wallet.locator("north"))[0] == 3
    put(vault, wallet, "other", 1, link=b"o" * 16)
    hands.now += 24 * 3600 * 1000
    put(vault, wallet, "north", 4)
    monkeypatch.setattr(enrolled, "MAX_DAY_BYTES", 100_000)
    with pytest.raises(Refused, match="a day"):
        put(vault, wallet, "north", 5, file=bytes(90_000))
    with pytest.raises(Refused, match="a day"):
        put(vault, wallet, "north", 5, file=bytes(100_001))
    assert vault.get_wallet(wallet.locator("north"))[0] == 4


def test_two_members_that_lay_what_they_keep_side_by_side_find_nothing_alike(wallet):
    opener = Opener.of_sheet(write_sheet(bytes(range(20))))
    kept = {}
    for member in ("north", "south"):
        file, signature = wallet.seal_for(member, 1)
        root, wrapped = opener.seal_root(member, bytes(range(32)), 1, entropy=os.urandom)
        shown = [file[2:], signature, wallet.locator(member), root[2:], wrapped, opener.locator(member)]
        kept[member] = {part[at : at + 16] for part in shown for at in range(len(part) - 15)}
    assert not kept["north"] & kept["south"]


def test_the_file_is_bound_to_root_member_and_version_and_hides_its_size(wallet, hands):
    file, _ = wallet.seal_for("north", 3)
    other = Wallet.new(clock=hands, entropy=Seeded(77))
    spoiled = bytearray(file)
    spoiled[100] ^= 1
    for who, member, version, data in (
        (wallet, "south", 3, file),
        (wallet, "north", 4, file),
        (other, "north", 3, file),
        (wallet, "north", 3, bytes(spoiled)),
        (wallet, "north", 3, file[:40]),
        (wallet, "north", 3, b"\x02" + file[1:]),
    ):
        with pytest.raises(SealBroken):
            who.open_file(member, version, data)
    wallet.state = State(1, (Tied("north", b"l" * 16, b"s" * 32, 0, 0, 0, b""),), (), 0)
    assert len(wallet.seal_for("north", 3)[0]) == len(file)
    with pytest.raises(TooLarge):
        Wallet(b"short", clock=hands, entropy=Seeded())


def tied(sequence=0, head=b"", counter=0, generation=0):
    return Tied("north", b"l" * 16, b"s" * 32, generation, counter, sequence, head)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=4), st.randoms())
def test_merging_is_a_union_in_any_order(parts, random):
    states = [State(1, (tied(s, bytes([s]) * 32 if s else b"", c),), (), s) for s, c in parts]
    shuffled = random.sample(states, len(states))

    def fold(all_):
        out = all_[0]
        for one in all_[1:]:
            out = merge(out, one)
        return out

    assert fold(states) == fold(shuffled)
    assert fold(states).links[0].sequence == max(s for s, _ in parts)
    assert fold(states).links[0].counter == max(c for _, c in parts)


def test_merging_keeps_every_grant_and_every_revocation(wallet):
    document = Document(1, NETWORK, "south", (), ("TREAT",), 0, 10, ())
    wallet.state = State(1, (tied(),), (), 0)
    wallet.grant(document, [Share("north", ("general",))])
    before = wallet.state
    wallet.revoke(0)
    wallet.grant(document, [Share("north", ("imaging",))])
    wallet.absorb(before)
    assert [(one.index, one.revoked) for one in wallet.state.grants] == [(0, True), (1, False)]


def test_two_chains_shown_to_one_wallet_are_found_when_its_copies_merge():
    with pytest.raises(SealBroken, match="two chains"):
        merge(State(1, (tied(3, b"a" * 32),), (), 0), State(1, (tied(3, b"b" * 32),), (), 0))
    rekeyed = merge(State(1, (tied(9, b"a" * 32),), (), 0), State(1, (tied(0, generation=1),), (), 0))
    assert rekeyed.links[0].generation == 1


def test_labels_keep_signatures_apart(wallet):
    """A slip's signature is none over an instruction with the same bytes."""
    key = wallet.link_key("north")
    assert key.sign(framed("salus/v1/slip", (b"x",))) != key.sign(framed("salus/v1/instruction", (b"x",)))


def test_a_grant_over_five_links_is_small(wallet):
    members = [f"member-{i}" for i in range(5)]
    wallet.state = State(1, tuple(structs.replace(tied(), member=name) for name in members), (), 0)
    document = Document(1, NETWORK, "south", ("doctor",), ("TREAT",), 0, 10, ())
    made, _, _ = wallet.grant(document, [Share(name, ("general", "medication", "laboratory")) for name in members])
    assert len(encode(made)) < 8 * 1024


def test_the_newest_line_heard_outlives_a_merge_with_a_stale_copy():
    wallet = Wallet(b"r" * 32, clock=lambda: 1, entropy=bytes)
    wallet.hear("north", b"l" * 16, 3, b"c" * 32)
    stale = wallet.state
    wallet.hear("north", b"l" * 16, 5, b"a" * 32)
    wallet.hear("clinic", b"g" * 32, 1, b"b" * 32)

    assert merge(stale, wallet.state) == merge(wallet.state, stale) == wallet.state
    assert wallet.heard("north", b"l" * 16).number == 5
    assert wallet.heard("north", b"g" * 32) is None
