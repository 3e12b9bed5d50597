"""What a use case declares, and what the declaration refuses."""

from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from salus.node import registry, usecase
from salus.node.usecase import ANYONE, LOCAL_OPERATOR, NOBODY, OPERATOR, Caller, Kind, Message, person, use_case
from tests.sample_cases import Nothing, Said, SampleNode, Shape, find, make, operator


def test_a_use_case_is_called_like_its_function():
    told = []
    answer = make(
        SampleNode(),
        Shape(patient="p", kind="round"),
        progress=lambda done, total, what: told.append((done, total, what)),
    )
    assert answer.echo == "p round 1 False  None"
    assert told == [(1, 2, "shaping"), (2, 2, "shaping")]
    assert operator(SampleNode(), Nothing()).who == str(LOCAL_OPERATOR)


def test_its_name_gives_command_and_route_and_its_docstring_the_help():
    assert make.words == ("shape", "make")
    assert make.path == "/api/shape/make"
    assert (make.summary, make.description) == ("Make a shape.", "The longer story of how a shape is made.")


class Undescribed(Message, frozen=True):
    """A request."""

    name: str


class NoExample(Message, frozen=True):
    """A request."""

    name: Annotated[str, Meta(description="Name.")]


class Inside(Message, frozen=True):
    """A request."""

    inner: Annotated[tuple[Undescribed, ...], Meta(description="Inside.")]


class Open(msgspec.Struct, frozen=True):
    """A request that takes what it does not know."""


class Untold(Message, frozen=True):
    pass


Untold.__doc__ = None


@pytest.mark.parametrize(
    ("request_type", "gap"),
    [
        (Undescribed, "Undescribed.name has no description"),
        (NoExample, "NoExample.name has no example"),
        (Inside, "Undescribed.name has no description"),
        (Open, "Open is not frozen and closed to unknown fields"),
        (Untold, "Untold has no docstring"),
        (int, "is no msgspec struct"),
    ],
)
def test_a_gap_in_a_request_is_refused_at_declaration(request_type, gap):
    def function(node, request) -> Said:
        """Do it."""

    function.__annotations__ = {"request": request_type, "return": Said}
    with pytest.raises(TypeError, match=gap):
        use_case("some.thing", who=ANYONE)(function)


def undocumented(node, request: Nothing) -> Said:
    return Said(who="")


def wanting(node, request: Nothing, *, clock) -> Said:
    """Want what no edge offers."""


def alone(node) -> Said:
    """Take no request."""


@pytest.mark.parametrize(
    ("function", "name", "why"),
    [
        (undocumented, "some.thing", "no docstring"),
        (wanting, "some.thing", "takes"),
        (alone, "some.thing", "takes"),
        (find.run, "Some.Thing", "lower-case words"),
        (find.run, "some..thing", "lower-case words"),
        (find.run, "sömé", "lower-case words"),
    ],
)
def test_an_incomplete_declaration_is_refused(function, name, why):
    with pytest.raises(TypeError, match=why):
        use_case(name, who=ANYONE)(function)


NURSE = Caller(Kind.PERSON, "st-anna", "s", "nurse")


@pytest.mark.parametrize(
    ("caller", "who", "may"),
    [
        (NOBODY, ANYONE, True),
        (NOBODY, OPERATOR, False),
        (NOBODY, person(), False),
        (NURSE, ANYONE, True),
        (NURSE, person(), True),
        (NURSE, person("nurse"), True),
        (NURSE, person("physician"), False),
        (NURSE, OPERATOR, False),
        (LOCAL_OPERATOR, OPERATOR, True),
        (LOCAL_OPERATOR, person("physician"), True),
    ],
)
def test_who_may(caller, who, may):
    assert caller.may(who) is may


def test_who_is_told_in_words():
    assert [str(ANYONE), str(OPERATOR), str(person()), str(person("nurse", "clerk"))] == [
        "anyone",
        "operator",
        "person",
        "clerk or nurse",
    ]


def test_the_registry_finds_every_use_case_once(monkeypatch):
    assert "about" in registry.use_cases()
    twin = type(registry)("twin")
    twin.other = use_case("about", who=ANYONE)(find.run)
    monkeypatch.setattr(registry, "DOMAINS", (*registry.DOMAINS, twin))
    with pytest.raises(ValueError, match="two use cases are named about"):
        registry.use_cases()


def test_progress_that_nobody_watches_goes_nowhere():
    assert usecase.unheard(1, 2, "work") is None
