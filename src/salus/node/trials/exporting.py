"""What leaves a trial in the standards' forms: `trial export` writes files, `trial flow` counts participants.

A member exports what it holds: a site its own participants, sponsor and statistician those that were sent to them. Arms are
in it only where the draws were published after the unblinding. Once the data is locked, SDTM tables are made as the lock
made them: by the acts alone, under the same version. Their rows are then those of the lock, the arms in DM apart.
"""

from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from salus.agreements.trials.conduct import Conditions
from salus.agreements.trials.design_tables import arms_of, design_tables
from salus.agreements.trials.flow import Enrolled, Flow, flow
from salus.agreements.trials.locking import LockedData, differing, locked_data
from salus.agreements.trials.odm_out import Exported, instant, odm_of
from salus.agreements.trials.participants import Participant, participant
from salus.agreements.trials.tabulate import subject_tables
from salus.contracts.trials import port
from salus.interop.cdisc.dataset_json import write_dataset
from salus.interop.cdisc.usdm import read_usdm
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.trials.founding import STUDY
from salus.node.trials.kept import Draws, Rows, Subject, kept
from salus.node.trials.sight import adoptions, chains, conditions, definition, people, study_of, terms_of
from salus.node.usecase import OPERATOR, Message, Verdict, use_case

FORMATS: Final = ("odm", "sdtm")


class ExportTrial(Message, frozen=True):
    """Which study leaves, in which form, and where to."""

    study: STUDY
    folder: Annotated[
        str,
        Meta(
            min_length=1,
            description="Where the files go; none is written over.",
            extra={"path": True},
            examples=["export"],
        ),
    ]
    form: Annotated[str, Meta(description="odm (ODM 2.0) or sdtm (Dataset-JSON 1.1).", examples=["odm"])] = "odm"


class TrialExported(Message, frozen=True):
    """What was written."""

    files: Annotated[tuple[str, ...], Meta(description="File and what it holds.")]
    participants: Annotated[int, Meta(description="Participants in it.")]
    blinded: Annotated[bool, Meta(description="Whether arms are left out: no draws are published here.")]
    lock: Annotated[
        str,
        Meta(
            description="Whether the SDTM tables, but for arms, are those that are locked; empty while no lock stands."
        ),
    ]


class ShowFlow(Message, frozen=True):
    """The study whose participants are counted."""

    study: STUDY


class FlowShown(Verdict, frozen=True):
    """Participants by stage (CONSORT 2025): what chains tell beside what the ledger counts."""

    sound: Annotated[bool, Meta(description="Whether chains and ledger agree.")]
    screened: Annotated[int, Meta(description="Consented, as the chains known here tell.")]
    excluded: Annotated[int, Meta(description="Screen failures among them.")]
    reasons: Annotated[tuple[str, ...], Meta(description="Criteria not met, the most frequent first.")]
    enrolled: Annotated[int, Meta(description="Enrolments on the ledger.")]
    refused: Annotated[int, Meta(description="Enrolments that dispensers refused a kit, on the ledger.")]
    waiting: Annotated[int, Meta(description="Enrolments without an allocation yet, on the ledger.")]
    allocated: Annotated[int, Meta(description="Allocated, on the ledger.")]
    arms: Annotated[tuple[str, ...], Meta(description="Allocated by arm; none before the draws are published here.")]
    withdrawn: Annotated[int, Meta(description="Withdrawn after allocation, as chains tell.")]
    completed: Annotated[int, Meta(description="Ended as planned or otherwise, as chains tell.")]
    going: Annotated[int, Meta(description="On study.")]
    wrong: Annotated[tuple[str, ...], Meta(description="Where chains and ledger disagree.")]


def participants_of(node: MemberNode, study: bytes) -> tuple[list[Participant], dict[str, Conditions]]:
    """Return every participant that this member knows, judged, and what each site's are judged under."""
    under: dict[str, Conditions] = {}
    found = []
    for site, subject, chain in chains(node, study):
        if site not in under:
            under[site] = conditions(node, study, site)
        found.append(participant(site, subject, chain, under[site]))
    return found, under


def allocated(node: MemberNode, study: bytes) -> dict[str, str]:
    """Return the id of the arm by enrolment (hexadecimal), where draws were published to this member; else nothing."""
    told = next((value for _, value in kept(node, Draws, study)), None)
    if told is None:
        return {}
    _, terms = terms_of(node, study, 1)
    return {each.enrolment.hex(): terms.randomisation.arms[each.arm] for each in told.draws}


@use_case("trial.export", who=OPERATOR)
def export_trial(node: MemberNode, request: ExportTrial) -> TrialExported:
    """Write a study's data to files: ODM 2.0 with audit records, queries and signatures, or SDTM tables as Dataset-JSON 1.1."""
    study, folder = bytes.fromhex(request.study), Path(request.folder)
    if request.form not in FORMATS:
        raise Malformed("trials.form", "no such form", expected=", ".join(FORMATS))
    row, _ = study_of(node, study)
    arms, told = allocated(node, study), ""
    lock = port.lock(node.ledger.read(), study, row.locks) if row.locks else None
    if request.form == "odm":
        found, under = participants_of(node, study)
        files = {"odm.xml": (_odm(node, study, row, found, under), "ODM 2.0")}
    elif lock is not None and lock.status is port.LockStatus.LOCKED:
        found = people(node, study)
        version, told = _held(node, study, row, lock, found)
        files = _tables(node, study, version, found, arms)
    else:
        found, _ = participants_of(node, study)
        files = _tables(node, study, row.version, found, arms)
    if any((folder / name).exists() for name in files):
        raise Conflict("trials.export", "a file is there already", todo="name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)
    return TrialExported(
        files=tuple(f"{name}: {what}" for name, (_, what) in files.items()),
        participants=len(found),
        blinded=not arms,
        lock=told,
    )


def _held(
    node: MemberNode, study: bytes, row: port.Study, lock: port.Lock, found: list[Participant]
) -> tuple[int, str]:
    """Hold what is known here against the lock that stands. Returns the version that tables are made under, and what to say."""
    kept_ = next((value for _, value in kept(node, Rows, study)), None)
    told = LockedData((), ()) if kept_ is None else LockedData(kept_.rows, kept_.tables)
    is_told = kept_ is not None and told.root == lock.root
    for number in reversed(_versions(node, study, row)):
        plan, terms = terms_of(node, study, number)
        mine = locked_data(plan, terms, found)
        if mine.rows and mine.root == lock.root:
            return number, f"lock {row.locks}: the tables are those that are locked"
        if is_told and found and not differing(plan, told, mine, found):
            return number, f"lock {row.locks}: the tables hold the locked rows of the participants known here"
    return row.version, f"lock {row.locks}: what is held here does not give its root"


def _odm(
    node: MemberNode, study: bytes, row: port.Study, found: list[Participant], under: dict[str, Conditions]
) -> bytes:
    sites = [name for name, _ in port.sites(node.ledger.read(), study)]
    told = Exported(
        study=study.hex(),
        created=node.ledger_time(),
        plans={number: terms_of(node, study, number) for number in _versions(node, study, row)},
        adopted={site: adoptions(node, study, site) for site in sites},
        roles={each.person: each.role for one in under.values() for each in one.given},
        participants=found,
    )
    return odm_of(told)


def _versions(node: MemberNode, study: bytes, row: port.Study) -> list[int]:
    """Return the versions whose definition is kept here; the first always is."""
    numbers = []
    for number in range(1, row.versions + 1):
        try:
            definition(node, study, number)
        except NotFound:
            continue
        numbers.append(number)
    return numbers


def _tables(
    node: MemberNode, study: bytes, version: int, found: list[Participant], arms: dict[str, str]
) -> dict[str, tuple[bytes, str]]:
    plan, terms = terms_of(node, study, version)
    reference = terms.derivations.reference if terms.derivations is not None else ""
    created = instant(node.ledger_time())
    protocol = read_usdm(definition(node, study, version).protocol)
    tables = (*design_tables(protocol, plan, created), *subject_tables(plan, found, arms, created, reference))
    return {
        f"{each.name.lower()}.json": (write_dataset(each), f"{each.label}, {len(each.rows)} rows") for each in tables
    }


def counted(node: MemberNode, study: bytes) -> Flow:
    """Return the counts of participants as this member knows them."""
    found, _ = participants_of(node, study)
    plan, _ = terms_of(node, study, 1)
    names = {id_: name for id_, (_, name) in arms_of(plan).items()}
    rows = port.enrolments(node.ledger.read(), study)
    ledger = {id_.hex(): Enrolled(row.site, row.status.name.lower()) for id_, row in rows}
    arms = {id_: names[arm] for id_, arm in allocated(node, study).items()}
    return flow(found, ledger, arms, (node.member,) if list(kept(node, Subject, study)) else ())


@use_case("trial.flow", who=OPERATOR)
def show_flow(node: MemberNode, request: ShowFlow) -> FlowShown:
    """Count participants by stage, and hold what chains tell against the ledger's enrolments."""
    told = counted(node, bytes.fromhex(request.study))
    return FlowShown(
        sound=not told.wrong,
        reasons=tuple(f"{name}: {count}" for name, count in told.reasons),
        arms=tuple(f"{name}: {count}" for name, count in told.arms),
        **{
            each.name: getattr(told, each.name)
            for each in msgspec.structs.fields(FlowShown)
            if each.name not in {"sound", "reasons", "arms"}
        },
    )
