import hashlib

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from salus.agreements import grants
from salus.agreements.grants import Document, GrantRefused, SignedSlip, Slip
from salus.core.encoding import encode

NETWORK, LINK = b"n" * 32, b"l" * 16
LINK_KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
GRANT = grants.grant_id(b"o" * 32)
DOCUMENT = Document(1, NETWORK, "south", ("doctor",), ("TREAT",), 1_000, 2_000, ("NOREDISCLOSURE",))


def slip(custodian="north", **changes):
    plain = Slip(
        1,
        NETWORK,
        custodian,
        LINK,
        GRANT,
        grants.digest_of_document(encode(DOCUMENT)),
        ("general", "laboratory"),
        0,
        0,
        ("Observation?category=laboratory",),
    )
    return msgspec.structs.replace(plain, **changes)


def grant(*custodians, about=DOCUMENT, key=LINK_KEY, **changes):
    signed = [(name, grants.sign_slip(slip(name, **changes), key)) for name in custodians or ("north",)]
    random = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(grants.random_bytes(len(signed)) // 32))
    return grants.assemble(about, signed, random=random, link=b"m" * 16)


def check(shown, made, **changes):
    known = {
        "network": NETWORK,
        "custodian": "north",
        "grantee": "south",
        "grant": GRANT,
        "commitment": grants.commitment_of(made.digests),
        "link": LINK,
        "link_key": LINK_KEY.public_key().public_bytes_raw(),
    }
    return grants.check_presented(shown, **(known | changes))


def test_a_custodian_obeys_its_own_slip():
    made = grant("north", "east", "west")
    document, own = check(grants.present(made, "north"), made)
    assert (document, own) == (DOCUMENT, slip())
    assert grants.slip_of(grants.present(made, "north").signed) == slip()


def test_a_custodian_sees_nothing_of_the_others():
    shown = encode(grants.present(grant("north", "east"), "north"))
    assert b"east" not in shown
    assert b"m" * 16 not in shown


@pytest.mark.parametrize(("custodians", "size"), [(1, 8), (7, 8), (8, 16), (16, 32), (31, 32)])
def test_commitments_come_in_three_sizes(custodians, size):
    made = grant(*(f"m{i:02}" for i in range(custodians)))
    assert len(made.digests) == size
    assert len(set(made.digests)) == size


def test_more_custodians_than_a_commitment_holds_are_refused():
    with pytest.raises(GrantRefused, match="too-many"):
        grants.random_bytes(32)


@pytest.mark.parametrize(
    ("known", "code"),
    [
        ({"network": b"x" * 32}, "network"),
        ({"grantee": "west"}, "grantee"),
        ({"commitment": b"c" * 32}, "commitment"),
        ({"custodian": "west"}, "custodian"),
        ({"grant": b"g" * 32}, "grant"),
        ({"link": b"x" * 16}, "link"),
        ({"link_key": b"x" * 32}, "signature"),
    ],
)
def test_a_slip_for_something_else_is_refused(known, code):
    made = grant()
    with pytest.raises(GrantRefused) as refused:
        check(grants.present(made, "north"), made, **known)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"format": 2}, "format"),
        ({"network": b"x" * 32}, "network"),
        ({"grant": b"x" * 32}, "grant"),
        ({"document": b"x" * 32}, "document-digest"),
        ({"classes": ()}, "slip-shape"),
        ({"filters": ("x" * 513,)}, "slip-shape"),
        ({"filters": ("x",) * 65}, "slip-shape"),
    ],
)
def test_a_signed_slip_that_says_something_else_is_refused(changes, code):
    made = grant(**changes)
    with pytest.raises(GrantRefused) as refused:
        check(grants.present(made, "north"), made)
    assert refused.value.code == code


@pytest.mark.parametrize("changes", [{"purposes": ()}, {"expiry": 1_000}, {"not_before": -1}, {"roles": ("x",) * 65}])
def test_a_document_without_purpose_or_time_is_refused(changes):
    made = grant(about=msgspec.structs.replace(DOCUMENT, **changes))
    with pytest.raises(GrantRefused, match="document-shape"):
        check(grants.present(made, "north"), made)


def test_a_revoked_grantee_cannot_hang_its_slips_on_a_row_of_its_own():
    """The grantee keeps document and slips of a revoked grant and registers a new one-time key for them."""
    made = grant()
    own_row = grants.grant_id(b"mine" * 8)
    with pytest.raises(GrantRefused) as refused:
        check(grants.present(made, "north"), made, grant=own_row)
    assert refused.value.code == "grant"


def test_a_grantee_cannot_write_its_own_slip():
    made = grant(key=Ed25519PrivateKey.from_private_bytes(b"g" * 32))
    with pytest.raises(GrantRefused, match="signature"):
        check(grants.present(made, "north"), made)


@given(st.data())
def test_any_changed_byte_of_what_is_presented_is_refused(data):
    made = grant("north", "east")
    shown = grants.present(made, "north")
    field = data.draw(st.sampled_from(["document", "document_salt", "salt", "slip", "signature", "digests", "index"]))
    at = data.draw(st.integers(0, 31))

    def spoil(value):
        return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]

    if field in ("slip", "signature"):
        signed = msgspec.structs.replace(shown.signed, **{field: spoil(getattr(shown.signed, field))})
        spoiled = msgspec.structs.replace(shown, signed=signed)
    elif field == "digests":
        spot = data.draw(st.integers(0, 7))
        digests = [spoil(one) if i == spot else one for i, one in enumerate(shown.digests)]
        spoiled = msgspec.structs.replace(shown, digests=tuple(digests))
    elif field == "index":
        spoiled = msgspec.structs.replace(shown, index=data.draw(st.sampled_from([-1, 0, 2, 3, 8])))
    else:
        spoiled = msgspec.structs.replace(shown, **{field: spoil(getattr(shown, field))})
    with pytest.raises(GrantRefused):
        check(spoiled, made)


@given(st.binary(max_size=80))
def test_junk_is_refused_by_name(junk):
    with pytest.raises(GrantRefused):
        grants.slip_of(SignedSlip(junk, b""))
    with pytest.raises(GrantRefused):
        grants.commitment_of([junk])


def test_a_grantee_asks_only_custodians_it_has_slips_for():
    with pytest.raises(GrantRefused, match="no-slip"):
        grants.present(grant("north"), "west")
