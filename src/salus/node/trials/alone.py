"""A protocol compiled, a study's data held against it: from files in one command, without a network."""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from salus.agreements.trials.check import Checked, check
from salus.agreements.trials.compile import compile_plan
from salus.agreements.trials.judged import Judgements, RuleFinding
from salus.agreements.trials.plan import Plan
from salus.interop.cdisc.dataset_json import MOST_BYTES, Dataset, read_dataset
from salus.interop.cdisc.findings import DocumentRefused
from salus.interop.cdisc.usdm import read_usdm
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.trials.judging import judgements
from salus.node.usecase import OPERATOR, Message, Node, Verdict, use_case

ENDINGS: Final = (".json", ".json.gz", ".ndjson", ".ndjson.gz")
FINDINGS: Final = "findings.json"
MOST_LINES: Final = 1000  # of findings in one answer; the counts are of all


class CheckProtocol(Message, frozen=True):
    """A protocol."""

    protocol: Annotated[
        bytes,
        Meta(description="The USDM 4.0 file, JSON, gzip or not.", examples=[b"{}"], extra={"positional": True}),
    ]


class ProtocolChecked(Verdict, frozen=True):
    """What the protocol becomes, or why it does not compile."""

    sound: Annotated[bool, Meta(description="Whether it compiles.")]
    faults: Annotated[tuple[str, ...], Meta(description="Rule, JSON pointer, what was expected.")]
    visits: Annotated[
        tuple[str, ...],
        Meta(description="Visits of the main timeline in their order: the id that acts name, the label."),
    ]
    collected: Annotated[
        tuple[str, ...],
        Meta(description="What each activity collects: the id that acts name, the label, items from its concepts."),
    ]
    arms: Annotated[int, Meta(description="Arms.")]
    criteria: Annotated[int, Meta(description="Criteria of eligibility.")]
    endpoints: Annotated[int, Meta(description="Endpoints.")]
    forms: Annotated[int, Meta(description="Activities whose data is structured.")]


class CheckTrial(Message, frozen=True):
    """A protocol, and what it is held against: the data of its study, rules of others, or both."""

    protocol: Annotated[
        bytes, Meta(description="The USDM 4.0 file, JSON, gzip or not.", examples=[b"{}"], extra={"positional": True})
    ]
    data: Annotated[
        str,
        Meta(description="Folder of Dataset-JSON 1.1 files, one domain each.", examples=["sdtm"], extra={"path": True}),
    ] = ""
    rules: Annotated[
        str,
        Meta(
            description="Folder of CDISC's open rules (YAML), those for USDM 4.0 of the kinds JSONata and JSON Schema Check "
            "are judged.",
            examples=["cdisc-open-rules"],
            extra={"path": True},
        ),
    ] = ""
    folder: Annotated[
        str,
        Meta(
            description=f"Where {FINDINGS}, the rules' findings to be signed with the definition, goes; it is not "
            "written over.",
            examples=["package"],
            extra={"path": True},
        ),
    ] = ""


class TrialChecked(Verdict, frozen=True):
    """What the data says against the plan and against itself, and what rules find in the protocol."""

    sound: Annotated[
        bool, Meta(description="Whether the data shows nothing. Findings of rules are for people to weigh.")
    ]
    judged_rules: Annotated[int, Meta(description="Rules that judged the protocol.")]
    rule_findings: Annotated[int, Meta(description="What they found in all.")]
    ruled: Annotated[
        tuple[str, ...], Meta(description="Rule, JSON pointer, what it says, its values; the first thousand.")
    ]
    unjudged: Annotated[tuple[str, ...], Meta(description="Files of the rules' folder that were not judged, and why.")]
    subjects: Annotated[int, Meta(description="Subjects in the data.")]
    judged: Annotated[int, Meta(description="Visits held against a window.")]
    undecided: Annotated[int, Meta(description="Visits that the data is too imprecise to judge.")]
    outside: Annotated[int, Meta(description="Visits outside their windows.")]
    missing_consents: Annotated[int, Meta(description="Subjects without a consent.")]
    late_consents: Annotated[int, Meta(description="Subjects whose first visit was before their consent.")]
    contradictions: Annotated[int, Meta(description="Rows that contradict other rows or the protocol.")]
    findings: Annotated[
        tuple[str, ...], Meta(description="Rule, domain and row, subject, arithmetic; the first thousand.")
    ]
    unmatched: Annotated[tuple[str, ...], Meta(description="Visit names that the protocol does not have.")]
    absent: Annotated[tuple[str, ...], Meta(description="Domains not there, and what was not checked for it.")]


def unpacked(data: bytes, most: int = MOST_BYTES) -> bytes:
    """Return data as it is, or what its gzip holds. Raises Malformed for gzip that is cut off or holds more."""
    if data[:2] != b"\x1f\x8b":
        return data
    unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        opened = unpacking.decompress(data, most)
    except zlib.error:
        raise Malformed("trials.gzip", "the file is not gzip to its end") from None
    if not unpacking.eof:
        raise Malformed("trials.gzip", "the file is cut off or too large", expected=f"at most {most} bytes")
    return opened


def plan_of(protocol: bytes) -> Plan:
    """Return the plan of a protocol, gzip or not. Raises DocumentRefused, Malformed."""
    return compile_plan(read_usdm(unpacked(protocol, MOST_BYTES)))


def _datasets(folder: Path) -> dict[str, Dataset]:
    if not folder.is_dir():
        raise NotFound("trials.data", "the folder of the data is not there", expected="a folder of Dataset-JSON files")
    found: dict[str, Dataset] = {}
    for place, path in enumerate(sorted(each for each in folder.iterdir() if each.name.endswith(ENDINGS)), 1):
        try:
            dataset = read_dataset(unpacked(path.read_bytes(), MOST_BYTES))
        except DocumentRefused as wrong:
            raise Malformed("trials.dataset", f"file {place} of the folder: {wrong}") from None
        if found.setdefault(dataset.name.upper(), dataset) is not dataset:
            raise Malformed("trials.dataset", f"file {place} of the folder: its domain came before")
    if not found:
        raise NotFound("trials.data", "the folder holds no data", expected=", ".join(ENDINGS))
    return found


@use_case("trial.protocol", who=OPERATOR)
def check_protocol(node: Node, request: CheckProtocol) -> ProtocolChecked:  # noqa: ARG001 -- a use case's shape
    """Compile a protocol and say what it becomes, or by rule and path why it does not."""
    try:
        plan = plan_of(request.protocol)
    except DocumentRefused as wrong:
        faults = tuple(f"{each.rule} at {each.path or '/'}, expected {each.expected}" for each in wrong.findings)
        return ProtocolChecked(
            sound=False, faults=faults, visits=(), collected=(), arms=0, criteria=0, endpoints=0, forms=0
        )
    named = {each.id: each.label or each.name for each in plan.activities}
    return ProtocolChecked(
        sound=True,
        faults=(),
        visits=tuple(f"{each.id}: {each.label or each.name}" for each in plan.main.visits),
        collected=tuple(
            f"{form.activity}: {named[form.activity]}: {', '.join(item.name for item in form.items)}"
            for form in plan.forms
        ),
        arms=len(plan.arms),
        criteria=len(plan.criteria),
        endpoints=len(plan.endpoints),
        forms=len(plan.forms),
    )


@use_case("trial.check", who=OPERATOR)
def check_trial(node: Node, request: CheckTrial) -> TrialChecked:  # noqa: ARG001 -- a use case's shape
    """Hold a study's data against its protocol: visits outside their windows, missing consents, contradictions.

    Nothing is stored. A window in hours is not judged on a date alone. The data is read as SDTM: DM, DS and SV, and
    the start and end dates of every other domain. With rules, CDISC's conformance rules judge the protocol, each
    confined in time and memory; what they find refuses nothing.
    """
    if not request.data and not request.rules:
        raise Malformed("trials.check", "nothing to hold the protocol against", expected="--data, --rules or both")
    ruled = _ruled(request)
    checked = _checked(request)
    rules = [each.rule for each in checked.found]
    lines = tuple(
        f"{each.rule}: {each.domain} row {each.row}, {each.subject}: {each.told}" for each in checked.found[:MOST_LINES]
    )
    return TrialChecked(
        sound=not rules,
        judged_rules=ruled.judged if ruled else 0,
        rule_findings=ruled.found if ruled else 0,
        ruled=tuple(_finding(each) for each in ruled.findings[:MOST_LINES]) if ruled else (),
        unjudged=tuple(f"{each.file}: {each.why}" for each in ruled.unjudged) if ruled else (),
        subjects=checked.subjects,
        judged=checked.judged,
        undecided=checked.undecided,
        outside=rules.count("visit.window"),
        missing_consents=rules.count("consent.missing"),
        late_consents=rules.count("consent.late"),
        contradictions=sum(rule.startswith("contradiction.") for rule in rules),
        findings=lines,
        unmatched=tuple(f"{name} ({count})" for name, count in sorted(checked.unmatched.items())),
        absent=checked.absent,
    )


def _checked(request: CheckTrial) -> Checked:
    if not request.data:
        return Checked((), 0, 0, 0, {}, ())
    try:
        plan = plan_of(request.protocol)
    except DocumentRefused as wrong:
        raise Malformed("trials.protocol", str(wrong), todo="`salus trial protocol` lists every finding") from None
    return check(plan, _datasets(Path(request.data)))


def _ruled(request: CheckTrial) -> Judgements | None:
    if not request.rules:
        return None
    ruled = judgements(unpacked(request.protocol), Path(request.rules))
    if request.folder:
        write_new(Path(request.folder), {FINDINGS: msgspec.json.format(msgspec.json.encode(ruled), indent=1)})
    return ruled


def _finding(one: RuleFinding) -> str:
    values = ", ".join(f"{name} {value}" for name, value in one.values.items())
    return f"{one.rule} at {one.path}: {one.told}{f' ({values})' if values else ''}"


def write_new(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write texts into a folder, made if it is not there. Raises Conflict where one of them is there already."""
    there = sorted(name for name in files if (folder / name).exists())
    if there:
        raise Conflict("trials.package", f"{', '.join(there)} is there already", todo="name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text + b"\n")
