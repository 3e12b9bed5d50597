"""Every named error of the layers below has its place at the edges, and says nothing personal there."""

import importlib
import pkgutil

import pytest

import salus
from salus.core.errors import InvariantBroken, Rejected, SalusError
from salus.core.proof.errors import Unproven
from salus.engines.cometbft.server import BadFrame
from salus.interop.fhir.refusal import Refused as FhirRefused
from salus.node.demo.telling import StoryEnds
from salus.node.errors import EdgeError
from salus.node.mapping import TOLD, edge_error
from salus.vault.errors import Refused, UnknownLink

# Told in a way of their own: as a bug, with a reason's name, with the element of the input, as the demo's failed step.
# A frame that is none ends the engine's connection and never leaves its server.
ELSEWHERE = (InvariantBroken, Rejected, FhirRefused, StoryEnds, EdgeError, BadFrame)


def below(kind):
    for each in kind.__subclasses__():
        yield each
        yield from below(each)


def every_error():
    for module in pkgutil.walk_packages(salus.__path__, "salus."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found = {*below(SalusError), Unproven, *below(Unproven)}
    return sorted(
        (each for each in found if each.__module__.startswith("salus.")),
        key=lambda each: (each.__module__, each.__qualname__),
    )


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: f"{kind.__module__}.{kind.__qualname__}")
def test_every_error_has_its_place(kind):
    assert issubclass(kind, ELSEWHERE) or any(each in TOLD for each in kind.__mro__), f"add {kind} to node/mapping.py"


def test_the_codes_are_distinct_and_the_most_special_class_decides():
    assert len({told.code for told in TOLD.values()}) == len(TOLD)
    assert edge_error(UnknownLink("no link")).code == "link.unknown"
    assert edge_error(Refused("counter", current=4)).fault.status == 403


def test_a_broken_invariant_is_a_bug():
    assert edge_error(InvariantBroken("rows differ")) is None


def test_a_text_that_may_repeat_its_input_is_left_out():
    private = next(kind for kind, told in TOLD.items() if told.private)
    assert "Canary" not in edge_error(private("Ada Canary")).told()
