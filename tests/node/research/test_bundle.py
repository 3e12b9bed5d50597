"""A published result is replayed from its file and a trust file; whatever was changed in it is found."""

import hashlib
import json

import pytest

from salus.core.encoding import decode, encode
from salus.node.errors import Conflict, EdgeError, Malformed
from salus.node.research import publish_result, replay_bundle, show_result
from salus.node.research.asking import ShowResult
from salus.node.research.bundle import Content, File, PublishResult
from salus.node.research.replaying import ReplayBundle

from .hospitals import TABLE, answer, ask, fill, found, offer, permit


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A table of one custodian, published: node of the analyst, trust file, bundle."""
    folder = tmp_path_factory.mktemp("bundle")
    together = found(folder, "north")
    fill(together.nodes["north"], 60)
    data_sets = {"north": offer(together, "north")}
    granted = permit(together, data_sets)
    trust = together.trust().to_json().encode()
    university, file = together.nodes["university"], folder / "table.bundle"
    query = ask(together, granted, TABLE, tuple(data_sets.values()))
    with pytest.raises(Conflict, match=r"research\.incomplete"):
        publish_result(university, PublishResult(query=query, file=str(file)))
    answer(together, query, "north")
    told = publish_result(university, PublishResult(query=query, file=str(file)))
    again = publish_result(university, PublishResult(query=query, file=str(folder / "again.bundle")))
    assert again.citation == told.citation
    lines = show_result(university, ShowResult(query=query)).lines
    yield university, trust, file.read_bytes(), told, lines
    together.close()


def replay(node, trust, bundle, **more):
    return replay_bundle(node, ReplayBundle(bundle=bundle, trust=trust, **more))


def test_a_bundle_holds(published, tmp_path):
    node, trust, bundle, told, lines = published
    found_ = replay(node, trust, bundle)
    assert (found_.citation, found_.charge, found_.custodians) == (told.citation, 5_000, ("north",))
    assert json.loads(json.dumps(found_.lines)) == json.loads(json.dumps(lines))
    (tmp_path / "own.ndjson").write_text(json.dumps({"resourceType": "Patient", "id": "a", "gender": "female"}) + "\n")
    own = replay(node, trust, bundle, data=str(tmp_path)).own
    assert [one["count"] for one in own] == [1, 0, 0, 0]


def test_any_changed_byte_is_found(published):
    node, trust, bundle, _, _ = published
    for place in (*range(0, len(bundle), 97), len(bundle) - 1):
        changed = bundle[:place] + bytes((bundle[place] ^ 1,)) + bundle[place + 1 :]
        with pytest.raises(Conflict, match=r"research\.bundle"):
            replay(node, trust, changed)


def sealed(whole):
    return whole + hashlib.sha256(whole).digest()


def changed(bundle, **changes):
    """A bundle forged with care: its digests are right, its content is not what was published."""
    file = decode(bundle[:-32], File)
    content = decode(file.content, Content)
    fields = {name: getattr(content, name) for name in content.__struct_fields__}
    return sealed(encode(File(encode(Content(**(fields | changes))), file.publication)))


def test_a_careful_forgery_is_found(published):
    node, trust, bundle, _, _ = published
    content = decode(decode(bundle[:-32], File).content, Content)
    answers = content.answers
    first = answers[0]
    other = type(first)(first.query, first.data_set, first.height, (9, 9, 9, 9), first.salt)
    question = content.question
    rewritten = type(question)(
        question.query, question.salt, question.height, question.document.replace(b"Gout", b"Pain")
    )
    forgeries = (
        {"answers": (other,)},
        {"answers": ()},
        {"question": rewritten},
        {"items": content.items[1:]},
        {"items": content.items[:-1]},
        {"items": tuple(reversed(content.items))},
        {"lines": content.lines.replace(b"female", b"males", 1)},
        {"program": "0"},
    )
    for forgery in forgeries:
        with pytest.raises(Conflict, match=r"research\.bundle"):
            replay(node, trust, changed(bundle, **forgery))


def test_what_is_no_bundle_or_no_trust_file_is_refused(published):
    node, trust, bundle, _, _ = published
    with pytest.raises(Malformed, match=r"research\.bundle"):
        replay(node, trust, sealed(b"nothing"))
    with pytest.raises(EdgeError, match=r"research\.trust"):
        replay(node, b"{}", bundle)
