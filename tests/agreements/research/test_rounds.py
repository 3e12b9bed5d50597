"""Custodians together over a relay that may withhold and not choose; who was counted, proven without a list."""

import secrets

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.agreements.research import models, rounds
from salus.agreements.research.population import Population, counted, path, root_of, value
from salus.core.proof.errors import Unproven

from .test_models import QUERY, drawn, seeds, stacked


def sites_of(drawn_, attempt=1):
    names, known = seeds(len(drawn_))
    parts = [models.logistic(each["x"], each["y"]) for each in drawn_]
    return {
        name: rounds.Site(name, part, 4, known[name], query=QUERY, attempt=attempt)
        for name, part in zip(names, parts, strict=True)
    }


def turn(sites, number, beta):
    vectors = {name: site.answer(number, beta) for name, site in sites.items()}
    steps = [site.take(vectors) for site in sites.values()]
    return steps[0]


def run(sites):
    beta, number = np.zeros(4), 0
    while next(iter(sites.values())).fit is None:
        beta = turn(sites, number, beta)
        number += 1
    return [site.fit for site in sites.values()]


@pytest.mark.parametrize("custodians", [8, 6])
def test_every_custodian_reaches_the_pooled_fit(custodians):
    all_ = drawn(3)[:custodians]
    fits = run(sites_of(all_))
    pooled = models.newton(models.logistic(stacked(all_, "x"), stacked(all_, "y")), 4)
    for fit in fits:
        assert np.max(np.abs(fit.coefficients - pooled.coefficients)) < 1e-9
        assert np.max(np.abs(fit.covariance - pooled.covariance)) < 1e-9


def test_two_drop_out_and_a_new_attempt_completes():
    all_ = drawn(4)
    first = sites_of(all_)
    turn(first, 0, np.zeros(4))  # then two die: the six that remain begin again with fresh seeds
    fits = run(sites_of(all_[:6], attempt=2))
    pooled = models.newton(models.logistic(stacked(all_[:6], "x"), stacked(all_[:6], "y")), 4)
    assert np.max(np.abs(fits[0].coefficients - pooled.coefficients)) < 1e-9


def test_a_chosen_beta_gets_nothing_and_a_repeat_the_same_bytes():
    sites = sites_of(drawn(5))
    one = sites["hospital-0"]
    for chosen in (np.ones(4), np.zeros(3), np.full(4, np.nan), np.full(4, 2e-9)):
        with pytest.raises(rounds.OffPath):
            one.answer(0, chosen)
    with pytest.raises(rounds.OffPath):
        one.answer(1, np.zeros(4))
    assert np.array_equal(one.answer(0, np.zeros(4)), one.answer(0, np.full(4, 1e-10)))
    beta = turn(sites, 0, np.zeros(4))
    with pytest.raises(rounds.OffPath):
        one.answer(0, np.zeros(4))
    assert one.answer(1, beta) is not None


def test_a_relay_cannot_leave_out_alter_or_add():
    sites = sites_of(drawn(6))
    one = sites["hospital-0"]
    vectors = {name: site.answer(0, np.zeros(4)) for name, site in sites.items()}
    without = {name: vector for name, vector in vectors.items() if name != "hospital-3"}
    altered = vectors | {"hospital-0": vectors["hospital-0"] + np.uint64(1)}
    added = vectors | {"hospital-9": vectors["hospital-3"]}
    for wrong in (without, altered, added, {}):
        with pytest.raises(rounds.OffPath):
            one.take(wrong)
    one.take(vectors)
    with pytest.raises(rounds.OffPath):
        one.take(vectors)  # replayed


def test_a_person_proves_to_have_been_counted_or_not():
    links = [secrets.token_bytes(32) for _ in range(50)]
    salts = {link: secrets.token_bytes(32) for link in links}
    choice = secrets.token_bytes(32)
    population = Population({path(link, QUERY): value(salts[link], choice) for link in links[:40]})
    for number, link in enumerate(links):
        place = path(link, QUERY)
        found = counted(population.prove(place), place, population.root)
        assert found == (value(salts[link], choice) if number < 40 else None)
    other = Population({path(link, QUERY): value(salts[link], choice) for link in links[1:40]})
    assert other.root != population.root
    mine = path(links[0], QUERY)
    with pytest.raises(Unproven):
        counted(population.prove(mine), mine, other.root)


def test_two_queries_share_nothing_of_a_person():
    link = secrets.token_bytes(32)
    assert path(link, QUERY) != path(link, bytes([1]) * 16)
    assert Population({}).root == Population({}).root


@given(st.dictionaries(st.integers(0, 40), st.integers(1, 255), max_size=20), st.sampled_from([0, 3, 250]))
def test_the_root_alone_is_that_of_the_map(members, shift):
    """Paths that share long beginnings too: nothing stands beside a subtree on its way up."""
    found = {(place << shift).to_bytes(32, "big"): bytes([told]) * 32 for place, told in members.items()}
    assert root_of(found) == Population(found).root


def test_the_root_alone_of_many_is_that_of_the_map():
    found = {secrets.token_bytes(32): secrets.token_bytes(32) for _ in range(500)}
    assert root_of(found) == Population(found).root
