"""Everything that stands on the ledger is explained, exemplified and readable."""

import json

import msgspec
import pytest

from salus.contracts.membership.constitution import ACT_EXAMPLES
from salus.contracts.membership.port import Act, Genesis
from salus.contracts.readable import from_readable, to_readable
from salus.contracts.reference import describe, messages, parts
from salus.contracts.registry import REGISTRY, VERSION_1
from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.errors import reasons

from .ledger import genesis

MESSAGES = [kind for contract in VERSION_1 for kind in contract.rules]
ROWS = [table.row for contract in VERSION_1 for table in contract.tables]
STRUCTS = list(dict.fromkeys(each for kind in [*MESSAGES, *ROWS, Genesis] for each in (kind, *parts(kind))))


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_every_struct_and_every_field_is_explained(kind):
    told = describe(kind)
    assert told.text.endswith((".", ":")) or told.text.split("\n")[0].endswith(".")
    assert [field.name for field in told.fields] == list(kind.__struct_fields__)
    assert [field.name for field in told.fields if not field.text] == []


def test_the_acts_are_among_the_structs():
    assert {kind.__name__ for kind in STRUCTS} >= {"Admit", "Candidate", "Parameters", "Thresholds", "Grant", "Anchor"}


@pytest.mark.parametrize("contract", VERSION_1, ids=lambda contract: contract.name)
def test_every_message_has_one_example_that_decodes(contract):
    assert [type(example) for example in contract.examples] == list(contract.rules)
    for example in contract.examples:
        assert decode(encode(example), REGISTRY.messages) == example


def test_every_act_has_an_example():
    assert set(ACT_EXAMPLES) == {kind for kind in parts(MESSAGES[0]) if kind.__struct_config__.tag}


@pytest.mark.parametrize("contract", VERSION_1, ids=lambda contract: contract.name)
def test_numbers_and_names_are_the_contracts_own(contract):
    first = contract.number * 256 + 1
    assert sorted(table.number for table in contract.tables) == list(range(first, first + len(contract.tables)))
    assert all(table.name.startswith(f"{contract.name}.") for table in contract.tables)
    assert all(str(kind.__struct_config__.tag).startswith(f"{contract.name}.") for kind in contract.rules)
    assert all(
        code // 1000 == contract.number for code, reason in reasons().items() if type(reason) is contract.reasons
    )
    assert [reason.value for reason in contract.reasons] == list(range(1, len(contract.reasons) + 1))


def test_the_reference_tells_every_message_with_its_example():
    told = messages()
    assert [entry.message.tag for entry in told] == [str(kind.__struct_config__.tag) for kind in MESSAGES]
    grant = next(entry for entry in told if entry.message.tag == "consent.grant")
    assert grant.authored
    assert grant.example["type"] == "consent.grant"
    assert [part.name for part in next(e for e in told if e.message.name == "Propose").parts][:2] == [
        "Admit",
        "Candidate",
    ]


EVERYTHING = [example for contract in VERSION_1 for example in contract.examples] + list(ACT_EXAMPLES.values())


@pytest.mark.parametrize("value", EVERYTHING, ids=lambda value: type(value).__name__)
def test_the_readable_form_reads_back(value):
    told = json.loads(json.dumps(to_readable(value)))
    assert from_readable(told, REGISTRY.messages if type(value) in MESSAGES else Act) == value


def test_a_genesis_is_written_by_people_and_read_back_byte_for_byte():
    document = genesis("hospital-a", "hospital-b")
    told = json.loads(json.dumps(to_readable(document)))
    assert told["members"][0]["roles"] == ["provider"]
    assert encode(from_readable(told, Genesis)) == encode(document)
    del told["origin"], told["parameters"]["anchor_tick"]
    assert encode(from_readable(told, Genesis)) == encode(document)


@pytest.mark.parametrize(
    ("told", "where"),
    [
        ({"type": "consent.nothing"}, ": expected an object whose type is one of claims.accept"),
        ([], "expected an object whose type"),
        ({"type": "consent.grant", "commitment": "00"}, "expiry: missing"),
        ({"type": "consent.grant", "commitment": "xx", "expiry": 1}, "commitment: expected hexadecimal"),
        ({"type": "consent.grant", "commitment": 5, "expiry": 1}, "commitment: expected hexadecimal"),
        ({"type": "consent.grant", "commitment": "00", "expiry": 1}, "length >= 32"),
        ({"type": "consent.grant", "commitment": "00" * 32, "expiry": 1 << 70}, "serialize"),
        ({"type": "consent.grant", "commitment": "00" * 32, "expiry": {1, 2}}, "int"),
        ({"type": "consent.grant", "commitment": "00" * 32, "expiry": 1, "to": "x"}, "no field to; there are"),
        (
            {"type": "membership.propose", "act": {"type": "set-validators", "changes": {}}},
            "act.changes: expected a list",
        ),
        (
            {"type": "membership.propose", "act": {"type": "set-validators", "changes": [1]}},
            "changes[0]: expected an obj",
        ),
    ],
)
def test_what_is_not_readable_is_refused_with_its_place(told, where):
    with pytest.raises(MalformedBytes) as error:
        from_readable(told, REGISTRY.messages)
    assert where in str(error.value)


def test_a_struct_without_words_is_described_without_words():
    class Wordless(Value, frozen=True):
        field: int

    Wordless.__doc__ = None
    told = describe(Wordless)
    assert (told.tag, told.fields[0].text) == ("", "")
    assert msgspec.structs.fields(Wordless)[0].name == told.fields[0].name
