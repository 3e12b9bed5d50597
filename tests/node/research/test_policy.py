"""What data may be used for, as people write it and as the contract reads it."""

import pytest

from salus.contracts.research.port import Policy
from salus.node.errors import Malformed
from salus.node.research.policy import GIVEN, NEEDS, policy_of, tokens_of

SOUND = (
    (("DUO:0000042",), Policy(42)),
    (("DUO:0000046", "DUO:0000006", "DUO:0000021"), Policy(6, (21, 46))),
    (("DUO:0000007=MONDO:0005148,MONDO:0005015",), Policy(7, (), ("MONDO:0005015", "MONDO:0005148"))),
    (("DUO:0000042", "DUO:0000012=DUO:0000037"), Policy(42, (12,), research=(37,))),
    (("DUO:0000042", "DUO:0000022=US-MA,DE"), Policy(42, (22,), regions=("DE", "US-MA"))),
    (("DUO:0000042", "DUO:0000025=12"), Policy(42, (25,), months=12)),
    (("DUO:0000042", "DUO:0000024=2027-01-01"), Policy(42, (24,), moratorium=1_798_761_600_000)),
    (("DUO:0000042", "DUO:0000027=" + "0a" * 16), Policy(42, (27,), projects=(bytes([10]) * 16,))),
    (("DUO:0000042", "DUO:0000028=university"), Policy(42, (28,), institutions=("university",))),
)
UNSOUND = (
    ("MONDO:1",),
    ("DUO:0000046",),  # no permission
    ("DUO:0000007",),  # no diseases
    ("DUO:0000042=x",),
    ("DUO:0000042", "DUO:0000025=soon"),
    ("DUO:0000042", "DUO:0000025=9999"),
    ("DUO:0000042", "DUO:0000024=tomorrow"),
    ("DUO:0000042", "DUO:0000027=zz"),
    ("DUO:0000042", "DUO:0000012=DUO:0000046"),
    ("DUO:0000042", "DUO:0000037"),  # an investigation is no modifier
)


@pytest.mark.parametrize(("tokens", "policy"), SOUND)
def test_a_policy_is_read_and_told_again(tokens, policy):
    assert policy_of(tokens) == policy
    assert policy_of(tokens_of(policy)) == policy


@pytest.mark.parametrize("tokens", UNSOUND)
def test_what_is_no_policy_is_refused(tokens):
    with pytest.raises(Malformed, match=r"research\.(policy|duo)"):
        policy_of(tokens)


@pytest.mark.parametrize("code", sorted(NEEDS))
def test_a_class_that_lacks_what_it_needs_is_told_how_it_is_given(code):
    permission = () if code == 7 else ("DUO:0000042",)
    with pytest.raises(Malformed, match=r"research\.policy") as refused:
        policy_of((*permission, f"DUO:{code:07}"))
    assert refused.value.expected == f"DUO:{code:07}={GIVEN[code]}"
    assert policy_of((*permission, f"DUO:{code:07}={GIVEN[code]}"))
