"""Shapes are made at first use, by several threads at once: none of them judges by one that is half made."""

from salus.interop.fhir.definitions import r4
from salus.interop.fhir.fhirpath.model import r4 as r4_model
from salus.interop.fhir.validation.shapes import Shapes
from salus.interop.fhir.validation.walk import Walk

PULSE = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"code": "8867-4", "system": "http://loinc.org"}]},
}


class Interrupted:
    """The definitions, which ask amid a type's elements what another thread would ask then."""

    def __init__(self, ask):
        self._told, self._ask, self._asked = r4(), ask, set()

    def __getattr__(self, name):
        return getattr(self._told, name)

    def elements(self, name):
        if name not in self._asked:
            self._asked.add(name)
            self._ask()
        return self._told.elements(name)


def test_what_asks_while_a_shape_is_made_is_judged_by_a_whole_one():
    told = []

    def check():
        walk = Walk(shapes, None, 10)
        walk.resource(PULSE, None, None)
        told.append(walk.findings)

    shapes = Shapes(Interrupted(check), r4_model())
    check()
    assert len(told) > 5
    assert [found for found in told if found] == []
