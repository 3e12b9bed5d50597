"""Planned analyses over locked rows: `trial analyse` computes them, `trial result-rows` shows the rows behind one number."""

from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from salus.agreements.trials.analysis import Computed, NotAnalysed, run
from salus.agreements.trials.locked import Locked, enrolments, tables_of
from salus.agreements.trials.locking import LockedData
from salus.contracts.trials import port
from salus.interop.cdisc.ars import Event, read_event
from salus.node.errors import Conflict, Malformed, NotFound, Unavailable
from salus.node.member import MemberNode
from salus.node.trials.closing import published
from salus.node.trials.exporting import allocated
from salus.node.trials.founding import STUDY
from salus.node.trials.kept import Rows, one
from salus.node.trials.sight import definition, study_of, terms_of
from salus.node.usecase import OPERATOR, Message, use_case

MOST_ROWS: Final = 1000  # of one answer
ID = Annotated[str, Meta(max_length=200, description="Id in the analysis plan.", examples=["an-pain"])]


class AnalyseTrial(Message, frozen=True):
    """Which analyses are run."""

    study: STUDY
    analysis: Annotated[
        str, Meta(max_length=200, description="Id in the analysis plan; empty: all of them.", examples=["an-pain"])
    ] = ""
    file: Annotated[
        str,
        Meta(
            description="Where the plan goes with its results (ARS v1, JSON); not written over. Empty: nowhere.",
            extra={"path": True},
            examples=["results.ars.json"],
        ),
    ] = ""


class TrialAnalysed(Message, frozen=True):
    """What the locked rows give."""

    root: Annotated[str, Meta(description="The lock's root, computed again from the rows.")]
    results: Annotated[
        tuple[str, ...], Meta(description="Analysis, operation, groups: the number as printed, and from how many rows.")
    ]
    open: Annotated[tuple[str, ...], Meta(description="Analyses that were not run, and why.")]


class ShowResultRows(Message, frozen=True):
    """One number of an analysis."""

    study: STUDY
    analysis: ID
    operation: Annotated[str, Meta(max_length=200, description="Id of the operation.", examples=["mean"])]
    groups: Annotated[
        tuple[str, ...], Meta(max_length=8, description="Ids of the groups, in their order.", examples=[["active"]])
    ] = ()


class ResultRows(Message, frozen=True):
    """What it is computed from."""

    result: Annotated[str, Meta(description="The number as printed.")]
    rows: Annotated[
        tuple[str, ...], Meta(description="Number of the row under the lock's root, and the row; the first 1000.")
    ]
    count: Annotated[int, Meta(description="Rows in all.")]


def _locked(node: MemberNode, study: bytes) -> tuple[Rows, Locked]:
    """Return the newest lock's rows, only as its root on the ledger has them, and their tables."""
    row, _ = study_of(node, study)
    lock, told = port.lock(node.ledger.read(), study, row.locks), one(node, Rows, study)
    if lock is None or lock.root != LockedData(told.rows, told.tables).root:
        raise Conflict("trials.rows", "the rows kept here are not the ones of the newest lock")
    _, terms = terms_of(node, study, row.version)
    if terms.randomisation.method != "external":
        published(node, study)
    arms = allocated(node, study)
    by_subject = {person: arms[each] for person, each in enrolments(told.rows).items() if each in arms}
    return told, tables_of(told.rows, by_subject, terms.baseline, terms.derivations)


def _event(node: MemberNode, study: bytes) -> tuple[bytes, Event]:
    row, _ = study_of(node, study)
    plan = definition(node, study, row.version).analysis
    return plan, read_event(plan)


def _groups(result: Computed) -> str:
    return ", ".join(group or f"by {grouping}" for grouping, group in result.groups) or "all"


def _statistics() -> None:
    try:
        import scipy.special  # type: ignore[import-untyped] # noqa: F401, PLC0415 -- the extra may not be installed
    except ImportError:
        raise Unavailable(
            "trials.extra", "the library of distributions is not installed", todo="install salus-health[trials]"
        ) from None


@use_case("trial.analyse", who=OPERATOR)
def analyse_trial(node: MemberNode, request: AnalyseTrial) -> TrialAnalysed:
    """Run the planned analyses over the locked rows: after the unblinding, at any member that has rows and draws."""
    _statistics()
    study, path = bytes.fromhex(request.study), Path(request.file)
    if request.file and path.exists():
        raise Conflict("trials.results", "the file is there already", todo="name another")
    told, locked = _locked(node, study)
    plan, event = _event(node, study)
    chosen = [each for each in event.analyses if request.analysis in {"", each.id}]
    if not chosen:
        raise NotFound("trials.no-analysis", "the plan has no such analysis", got=request.analysis)
    found: list[Computed] = []
    left = []
    for analysis in chosen:
        try:
            found += run(event, analysis, locked.tables)
        except NotAnalysed as error:
            left.append(str(error))
    if request.file:
        path.write_bytes(_written(plan, found))
    return TrialAnalysed(
        root=LockedData(told.rows, told.tables).root.hex(),
        results=tuple(
            f"{each.analysis} {each.operation}, {_groups(each)}: {each.formatted} from {len(each.rows)} rows"
            for each in found
        ),
        open=tuple(left),
    )


def _written(plan: bytes, found: list[Computed]) -> bytes:
    """Return the plan with its results as ARS has them."""
    event: dict[str, Any] = msgspec.json.decode(plan)
    for analysis in event["analyses"]:
        results = [
            {
                "operationId": each.operation,
                "resultGroups": [
                    {"groupingId": grouping} | ({"groupId": group} if group else {}) for grouping, group in each.groups
                ],
                "rawValue": repr(each.value),
                "formattedValue": each.formatted,
            }
            for each in found
            if each.analysis == analysis["id"]
        ]
        if results:
            analysis["results"] = results
    return msgspec.json.format(msgspec.json.encode(event), indent=1) + b"\n"


@use_case("trial.result-rows", who=OPERATOR)
def show_result_rows(node: MemberNode, request: ShowResultRows) -> ResultRows:
    """Show the locked rows that one number of an analysis is computed from."""
    _statistics()
    study = bytes.fromhex(request.study)
    told, locked = _locked(node, study)
    _, event = _event(node, study)
    analysis = event.analysis(request.analysis)
    if analysis is None:
        raise NotFound("trials.no-analysis", "the plan has no such analysis", got=request.analysis)
    try:
        results = run(event, analysis, locked.tables)
    except NotAnalysed as error:
        raise Malformed("trials.analysis", str(error)) from None
    for each in results:
        if each.operation == request.operation and tuple(group for _, group in each.groups if group) == request.groups:
            places = locked.places[analysis.dataset]
            rows = sorted({number for at in each.rows for number in places[at]})
            lines = tuple(f"{number} {told.rows[number].decode()}" for number in rows[:MOST_ROWS])
            return ResultRows(result=each.formatted, rows=lines, count=len(rows))
    raise NotFound("trials.no-result", "the analysis has no such number", got=request.operation)
