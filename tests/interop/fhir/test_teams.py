"""Who is in a team, and when."""

import pytest

from salus.interop.fhir.teams import Membership, members_of
from salus.interop.fhir.times import EARLIEST, LATEST

NURSE = {"reference": "Practitioner/n"}
IN = [Membership("Practitioner/N", EARLIEST, LATEST)]
SEVENTIES = {"start": "1970", "end": "1970"}
YEAR = 365 * 86_400_000


@pytest.mark.parametrize(
    ("tree", "members"),
    [
        ({"resourceType": "PractitionerRole", "practitioner": NURSE}, IN),
        ({"resourceType": "PractitionerRole", "practitioner": NURSE, "active": False}, []),
        ({"resourceType": "PractitionerRole", "practitioner": {"display": "a nurse"}}, []),
        ({"resourceType": "Group", "actual": True, "member": [{"entity": NURSE}, {"entity": NURSE, "inactive": True}]}, IN),
        ({"resourceType": "Group", "actual": False, "member": [{"entity": NURSE}]}, []),
        ({"resourceType": "Group", "actual": True, "active": False, "member": [{"entity": NURSE}]}, []),
        ({"resourceType": "Group", "actual": True, "member": "Practitioner/n"}, []),
        ({"resourceType": "CareTeam", "participant": [{"member": NURSE}]}, IN),
        ({"resourceType": "CareTeam", "status": "suspended", "participant": [{"member": NURSE}]}, []),
        (
            {"resourceType": "CareTeam", "period": {"start": "1970"}, "participant": [{"member": NURSE, "period": SEVENTIES}]},
            [Membership("Practitioner/N", 0, YEAR)],
        ),
        ({"resourceType": "Practitioner", "practitioner": NURSE}, []),
    ],
)  # fmt: skip
def test_who_is_in(tree, members):
    assert list(members_of(tree, lambda text: text.replace("/n", "/N"))) == members
