"""The combining rule, held against a reader that asks row by row, and its promised properties."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.agreements.consent.conditions import ALWAYS, NEVER, Row, holds
from salus.agreements.consent.decide import Asker, PolicyClass, Provision, TooDeep, decide
from salus.interop.fhir.sensitivity import Sensitivity

ASKER = Asker("clinic", "physician", "TREAT", 1000)
LAB = PolicyClass("Observation", Sensitivity.LABORATORY, "hospital", ("N",))
SUD = PolicyClass("Condition", Sensitivity.SUBSTANCE_USE, "hospital", ())
ROW = Row(100, 200, frozenset({("s", "a")}), "Observation/1", "e")
UNDATED = Row(0, 0, frozenset(), "Observation/2", "")


def permit(**axes) -> Provision:
    return Provision("p", "permit", **axes)


def deny(**axes) -> Provision:
    return Provision("d", "deny", **axes)


def test_nothing_said_is_denied_and_says_so():
    decision = decide((), ASKER, LAB)
    assert (decision.effect, decision.residual) == ("deny", NEVER)
    assert decision.explanation[-1].path == "default"


@pytest.mark.parametrize(
    ("axes", "kept_by"),
    [
        ({"members": ("other",)}, "members"),
        ({"roles": ("clerk",)}, "roles"),
        ({"purposes": ("HRESCH",)}, "purposes"),
        ({"active": (0, 1000)}, "active"),
        ({"active": (1001, 2000)}, "active"),
        ({"types": ("Patient",)}, "types"),
        ({"sensitivities": (9,)}, "sensitivities"),
        ({"authors": ("other",)}, "authors"),
        ({"labels": ("PSY",)}, "labels"),
    ],
)
def test_each_axis_keeps_a_permit_away_and_the_explanation_names_it(axes, kept_by):
    decision = decide((permit(**axes),), ASKER, LAB)
    assert decision.effect == "deny"
    assert (decision.explanation[0].applies, decision.explanation[0].kept_by) == ("never", kept_by)


def test_a_permit_that_fits_every_axis():
    fits = permit(
        members=("clinic",), roles=("physician",), purposes=("TREAT",), active=(1000, 1001), types=("Observation",),
        sensitivities=(2,), authors=("hospital",), labels=("N", "R"),
    )  # fmt: skip
    assert decide((fits,), ASKER, LAB).residual == ALWAYS


def test_substance_use_is_reached_by_name_only():
    assert decide((permit(),), ASKER, SUD).effect == "deny"
    assert decide((permit(sensitivities=(10,)),), ASKER, SUD).effect == "permit"
    assert decide((permit(sensitivities=(10,)), deny()), ASKER, SUD).effect == "deny"


def test_deny_overrides_permit_and_exceptions_come_first():
    assert decide((permit(), deny()), ASKER, LAB).effect == "deny"
    assert decide((deny(exceptions=(permit(types=("Observation",)),)),), ASKER, LAB).effect == "permit"
    assert decide((permit(exceptions=(deny(types=("Observation",)),)),), ASKER, LAB).effect == "deny"
    twice = permit(exceptions=(deny(exceptions=(permit(roles=("physician",)),)),))
    assert decide((twice,), ASKER, LAB).effect == "permit"


def test_residuals():
    decision = decide((permit(periods=((150, 300),), codes=(("s", "a"), ("s", "b"))),), ASKER, LAB)
    assert decision.effect == "permit with residual"
    assert holds(decision.residual, ROW)
    assert not holds(decision.residual, Row(150, 160, frozenset({("t", "a")}), "Observation/1", "e"))
    assert not holds(decision.residual, Row(300, 310, ROW.codes, "Observation/1", "e"))


def test_not_knowing_a_date_never_discloses():
    everything = ((-(10**15), 10**15),)
    for terms in ((permit(periods=everything),), (permit(), deny(periods=((0, 1),)))):
        decision = decide(terms, ASKER, LAB)
        assert not holds(decision.residual, UNDATED)
        assert holds(decision.residual, ROW)


def test_permit_base_and_deny_base_of_one_wish_agree():
    only = ((150, 300),)
    others = ((-(10**15), 150), (300, 10**15))
    permit_base = (permit(exceptions=(deny(periods=others),)),)
    deny_base = (deny(exceptions=(permit(periods=only),)),)
    for lo, hi in ((0, 0), (100, 140), (160, 170), (299, 300), (300, 400)):
        row = Row(lo, hi, frozenset(), "x", "")
        assert holds(decide(permit_base, ASKER, LAB).residual, row) == holds(
            decide(deny_base, ASKER, LAB).residual, row
        )


def test_endless_exceptions_are_refused():
    provision = permit()
    for _ in range(20):
        provision = deny(exceptions=(permit(exceptions=(provision,)),))
    with pytest.raises(TooDeep):
        decide((provision,), ASKER, LAB)


# -- against a reader that asks row by row -----------------------------------------------------------------------

EFFECTS = st.sampled_from(["permit", "deny"])


def subset(*values):
    return st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)


def provision_of(inner):
    return st.builds(
        Provision,
        path=st.sampled_from(["a", "b", "c"]),
        effect=EFFECTS,
        roles=subset("physician", "nurse"),
        purposes=subset("TREAT", "HRESCH"),
        types=subset("Observation", "Condition"),
        sensitivities=subset(0, 2, 10),
        periods=subset((0, 150), (150, 300)),
        codes=subset(("s", "a"), ("*", "b")),
        encounters=subset("e", "f"),
        exceptions=inner,
    )


TERMS = st.lists(
    st.recursive(
        provision_of(st.just(())), lambda inner: provision_of(st.lists(inner, max_size=2).map(tuple)), max_leaves=4
    ),
    max_size=4,
).map(tuple)
ROWS = [
    Row(lo, hi, frozenset(codes), "Observation/1", encounter)
    for (lo, hi), codes, encounter in itertools.product(
        [(0, 0), (100, 120), (140, 160), (400, 500)], [[], [("s", "a")], [("t", "b")], [("t", "a")]], ["", "e"]
    )
]
CLASSES = [LAB, SUD, PolicyClass("Condition", 0, "", ())]


def says(provision, asker, row_class, row):
    """What one provision says of one row: None where it does not apply. Written from the rule, not from the code."""
    asked = ((provision.roles, asker.role), (provision.purposes, asker.purpose), (provision.types, row_class.type))
    if any(axis and value not in axis for axis, value in asked):
        return None
    named = provision.sensitivities or (range(11) if provision.effect == "deny" else range(10))
    if row_class.sensitivity not in named:
        return None
    if provision.periods:
        inside = any(row.lo < row.hi and row.lo < hi and row.hi > lo for lo, hi in provision.periods)
        if not inside and not (provision.effect == "deny" and row.lo == row.hi):
            return None
    if provision.codes and not any(s in {t, "*"} for s, c in provision.codes for t, d in row.codes if c == d):
        return None
    if provision.encounters and row.encounter not in provision.encounters:
        return None
    inner = {says(exception, asker, row_class, row) for exception in provision.exceptions}
    return "deny" if "deny" in inner else "permit" if "permit" in inner else provision.effect


@pytest.mark.unmeasured
@settings(max_examples=150, deadline=None)
@given(TERMS)
def test_decisions_agree_with_the_rule_on_every_row(terms):
    for row_class in CLASSES:
        decision = decide(terms, ASKER, row_class)
        for row in ROWS:
            said = {says(provision, ASKER, row_class, row) for provision in terms}
            assert holds(decision.residual, row) == ("permit" in said and "deny" not in said)
        assert {step.path for step in decision.explanation} >= {provision.path for provision in terms}


@pytest.mark.unmeasured
@settings(max_examples=75, deadline=None)
@given(TERMS, provision_of(st.just(())), st.randoms(use_true_random=False))
def test_a_deny_never_widens_and_order_is_irrelevant(terms, added, random):
    denying = Provision(
        "deny", "deny", **{name: getattr(added, name) for name in ("roles", "types", "periods", "codes")}
    )
    shuffled = list(terms)
    random.shuffle(shuffled)
    for row_class in CLASSES:
        before = decide(terms, ASKER, row_class).residual
        after = decide((*terms, denying), ASKER, row_class).residual
        other = decide(tuple(shuffled), ASKER, row_class).residual
        for row in ROWS:
            assert not holds(after, row) or holds(before, row)
            assert holds(other, row) == holds(before, row)
