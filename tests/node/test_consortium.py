"""A consortium assembled from public shares: the same founding everywhere, and what is refused on the way."""

import pytest

from salus.core.encoding import decode, encode
from salus.core.proof.digest import framed
from salus.engines.store import lmdb_store
from salus.node.config import Config, Consensus
from salus.node.errors import Conflict, Forbidden, Malformed, NotFound
from salus.node.network.cometbft import has_engine, home_of, settings_of
from salus.node.network.consortium import (
    LABEL,
    SHARE,
    Assemble,
    Begin,
    MakeShare,
    Share,
    assemble_network,
    begin,
    share,
)
from salus.node.network.founding import MakeCard, card
from salus.node.opening import LEDGER, Unfounded, keys_of
from salus.vault.enrolment import Signed

NAMES = ("north", "south", "lab", "payer")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Five members with keys; the last shares no engine."""
    made = {}
    for name in (*NAMES, "watcher"):
        data = tmp_path_factory.mktemp(name)
        place = Unfounded(Config(member=name, data=str(data), consensus=Consensus(listen="0.0.0.0:26656")))
        text = card(place, MakeCard(name=name, roles=("provider",), jurisdiction="DE")).card
        shared = share(place, MakeShare(address=f"salus.{name}.example:26656"))
        made[name] = (place, text, shared.share)
    return made


@pytest.fixture(scope="module")
def assembled(places):
    place = places["north"][0]
    cards = tuple(text for _, text, _ in places.values())
    shares = tuple(places[name][2] for name in NAMES)
    return assemble_network(place, Assemble(network="lake-county", cards=cards, shares=shares))


def test_all_begin_with_the_same_ledger_and_know_the_others(places, assembled):
    assert assembled.tolerated == 1
    heads = set()
    for name, (place, _, _) in places.items():
        begun = begin(place, Begin(founding=assembled.founding))
        assert (begun.network, begun.height, begun.validates) == (assembled.network, 0, name != "watcher")
        assert has_engine(place.config)
        store = lmdb_store(home_of(place.config).parent / LEDGER)
        heads.add(store.head().app_hash)
        store.close()
        peers = settings_of(place.config).peers
        assert {peer.address for peer in peers} == {f"salus.{one}.example:26656" for one in NAMES if one != name}
        for file in ("priv_validator_key.json", "node_key.json"):
            assert (home_of(place.config) / "config" / file).stat().st_mode & 0o077 == 0
    assert len(heads) == 1
    with pytest.raises(Conflict, match="holds a ledger already"):
        begin(places["lab"][0], Begin(founding=assembled.founding))


def test_keys_are_made_once(places):
    place, _, before = places["north"]
    assert share(place, MakeShare(address="salus.north.example:26656")).share == before


def resigned(places, by, **changed):
    """Return north's share, changed, signed by `by`."""
    signed = decode(bytes.fromhex(places["north"][2].removeprefix(SHARE)), Signed)
    told = decode(signed.data, Share)
    data = encode(Share(**{name: changed.get(name, getattr(told, name)) for name in told.__struct_fields__}))
    key = keys_of(places[by][0].config).signing_key()
    return SHARE + encode(Signed(data, key.sign(framed(LABEL, (data,))))).hex()


def test_a_share_speaks_for_its_own_member_alone(places):
    cards = tuple(text for _, text, _ in places.values())
    shares = [places[name][2] for name in NAMES]

    def refused(kind, code, told):
        with pytest.raises(kind) as caught:
            assemble_network(places["lab"][0], Assemble(network="lake-county", cards=cards, shares=tuple(told)))
        assert caught.value.code == code

    refused(Forbidden, "network.share", [resigned(places, "south", address="evil.example:1"), *shares[1:]])
    refused(Forbidden, "network.share", [resigned(places, "north", member="stranger"), *shares[1:]])
    refused(Malformed, "network.share", ["salus-share:00", *shares[1:]])
    refused(Conflict, "network.few", shares[:3])
    refused(Conflict, "network.few", [*shares[:3], shares[0]])


def test_nobody_begins_from_a_founding_that_is_not_its_own(places, assembled, tmp_path):
    stranger = Unfounded(Config(member="north", data=str(tmp_path)))
    card(stranger, MakeCard(name="north", roles=("provider",), jurisdiction="DE"))
    for founding, kind, code in (
        (assembled.founding, Forbidden, "network.share"),
        (assembled.founding.replace(b'"north"', b'"other"'), Forbidden, "network.card"),
        (assembled.founding.replace(b'"initial_height": "1"', b'"initial_height": "9"'), NotFound, "network.replica"),
        (b"{}", Malformed, "network.founding"),
        (assembled.founding.replace(b"salus/v1/founding", b"salus/v9/founding"), Malformed, "network.founding"),
    ):
        place = stranger
        if b'"9"' in founding:
            place = Unfounded(Config(member="watcher", data=str(tmp_path)))
        with pytest.raises(kind) as caught:
            begin(place, Begin(founding=founding))
        assert caught.value.code == code
        assert not has_engine(place.config)
        assert not (tmp_path / LEDGER).exists()
