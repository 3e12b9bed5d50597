"""`identity match`: compare the patients that came, or changed, since the last time with all others."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from msgspec import Meta

from salus.index.likely import OwnPatient
from salus.interop.fhir.gate import read_resource
from salus.interop.fhir.matching import Described, Likeness, compare, described
from salus.interop.fhir.refusal import Refused
from salus.node import pairs
from salus.node.errors import NotFound
from salus.node.member import MemberNode
from salus.node.usecase import Message, Progress, person, unheard, use_case
from salus.vault.errors import UnknownRecord
from salus.vault.links import Standing

BATCH: Final = 500  # patients after which the position is kept: what is compared again says the same
KEPT: Final = 20_000  # descriptions held at a time, about 1 KB each
_NONE: Final[frozenset[Any]] = frozenset()
NOBODY: Final = Described(_NONE, _NONE, _NONE, "", "", _NONE, _NONE, _NONE)
"""Of whom nothing is told: a patient whose records are closed."""


class Match(Message, frozen=True):
    """How far back."""

    anew: Annotated[
        bool, Meta(description="Compare all patients, as for the first time; decisions stand.", examples=[True])
    ] = False


class Matched(Message, frozen=True):
    """What was compared and found."""

    patients: Annotated[int, Meta(description="Patients that came or changed since the last time.")]
    compared: Annotated[int, Meta(description="Pairs compared.")]
    joined: Annotated[
        int, Meta(description="Pairs now the same by rule: one assigner's identifier, nothing against it.")
    ]
    waiting: Annotated[int, Meta(description="Pairs that now wait for a person.")]


class _Known:
    """Patients as they are compared, opened once a run."""

    def __init__(self, node: MemberNode) -> None:
        self._node = node
        self._told: dict[int, Described | None] = {}

    def __call__(self, one: OwnPatient) -> Described | None:
        if one.number not in self._told:
            if len(self._told) >= KEPT:
                self._told.clear()
            self._told[one.number] = description(self._node, one)
        return self._told[one.number]


def description(node: MemberNode, one: OwnPatient) -> Described | None:
    """Return what of a patient is compared; None of one whose link is closed, or that no longer opens."""
    try:
        if node.vault.link_info(one.link).standing is not Standing.OPEN:
            return None
        return described(read_resource(node.vault.open(one.number).content.body).tree)
    except (UnknownRecord, Refused):
        return None


def likeness(node: MemberNode, one: bytes, other: bytes) -> Likeness:
    """Compare the patients of two links. Raises NotFound."""
    patients = (node.index.likely.of_link(link) for link in (one, other))
    told = [description(node, patient) for patient in patients if patient is not None]
    open_ = [one for one in told if one is not None]
    if len(open_) < 2:
        raise NotFound("link.unknown", "no patient has this link here", todo="see `salus records find`")
    return compare(*open_)


@use_case("identity.match", who=person("registrar"))
def match(node: MemberNode, request: Match, *, progress: Progress = unheard) -> Matched:
    """Find links that are of one patient: those that came or changed since the last run, against all others.

    Where one assigner gave both the same identifier, the birth date is the same and nothing speaks against it, they are joined; what
    is likely waits for a person. No demographic match joins by itself. A running node does it by itself.
    """
    return match_new(node, anew=request.anew, progress=progress)


def match_new(
    node: MemberNode, stopped: Callable[[], bool] = lambda: False, *, anew: bool = False, progress: Progress = unheard
) -> Matched:
    """Compare what came since the last time, batch by batch until `stopped`; what is left is the next run's."""
    node.catch_up()
    known, patients, compared = _Known(node), 0, 0
    new = {"same": 0, "waiting": 0}
    at = 0 if anew else node.desk.compared()
    while not stopped() and (batch := node.index.likely.after(at, BATCH)):
        progress(patients, 0, "patients")
        for one in batch:
            for candidate in node.index.likely.candidates(one):
                if candidate.number > one.number:
                    continue  # its own turn comes
                ours, theirs = known(one), known(candidate)
                if ours is None or theirs is None:
                    continue
                compared += 1
                weighed = compare(ours, theirs)
                with node.identifying:
                    standing = pairs.note(node, (one.link, candidate.link), weighed)
                if standing in new:
                    new[standing] += 1
        with node.identifying:
            pairs.tell_index(node)
        patients, at = patients + len(batch), batch[-1].number
        node.desk.note_compared(at)
    return Matched(patients=patients, compared=compared, joined=new["same"], waiting=new["waiting"])
