"""Before a trial is committed or amended: its definition drafted and checked, versions and schemes compared."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from salus.agreements.trials.design import blind_share, guess_share
from salus.agreements.trials.difference import Change, difference
from salus.agreements.trials.draft import draft
from salus.agreements.trials.draws import BigStick, Blocks, DrawRefused, Scheme, Simple
from salus.agreements.trials.forms import with_forms
from salus.agreements.trials.forms_out import forms_document
from salus.agreements.trials.judged import read_judgements
from salus.agreements.trials.odm_out import instant
from salus.agreements.trials.terms import analyses_of, check_terms, package_root, read_terms, schema
from salus.interop.cdisc.findings import MOST, DocumentRefused, Finding
from salus.interop.cdisc.usdm import Definition, read_usdm
from salus.node.errors import Malformed
from salus.node.trials.alone import MOST_LINES, plan_of, unpacked, write_new
from salus.node.trials.sight import parts
from salus.node.usecase import OPERATOR, Message, Node, Verdict, use_case

T = TypeVar("T")

TERMS: Final = "terms.json"
ANALYSIS: Final = "sap.ars.json"
FORMS: Final = "forms.odm.xml"


class DraftTrial(Message, frozen=True):
    """A protocol, and where its first definition goes."""

    protocol: Annotated[
        bytes, Meta(description="The USDM 4.0 file, JSON, gzip or not.", examples=[b"{}"], extra={"positional": True})
    ]
    forms: Annotated[
        bytes,
        Meta(
            description="Forms that are there already, ODM 2.0 or 1.3.2, XML; empty: they are made from the protocol's "
            "concepts.",
            examples=[b""],
        ),
    ] = b""
    folder: Annotated[
        str,
        Meta(
            description=f"Where {TERMS}, {ANALYSIS} and {FORMS} go; nothing there is written over. Empty: they are told only.",
            examples=["package"],
            extra={"path": True},
        ),
    ] = ""


class TrialDrafted(Message, frozen=True):
    """A first definition. It is refused at signing until its gaps are filled."""

    terms: Annotated[str, Meta(description="The terms, JSON.")]
    analysis: Annotated[str, Meta(description="The analysis plan, JSON.")]
    forms: Annotated[tuple[str, ...], Meta(description="What each activity collects, from ODM or biomedical concepts.")]
    formless: Annotated[tuple[str, ...], Meta(description="Activities that no form collects anything of.")]
    gaps: Annotated[tuple[str, ...], Meta(description="What is to be filled in, by JSON pointer.")]


class ShowSchema(Message, frozen=True):
    """Nothing is needed."""


class SchemaShown(Message, frozen=True):
    """What `terms.json` may hold."""

    terms: Annotated[str, Meta(description="JSON Schema 2020-12, made from the types that read terms.")]


class CheckPackage(Message, frozen=True):
    """A definition before it is committed."""

    protocol: Annotated[
        bytes, Meta(description="The USDM 4.0 file, JSON, gzip or not.", examples=[b"{}"], extra={"positional": True})
    ]
    terms: Annotated[bytes, Meta(description="The terms, JSON.", examples=[b"{}"])]
    analysis: Annotated[bytes, Meta(description="The analysis plan, ARS v1, JSON.", examples=[b"{}"])]
    forms: Annotated[
        bytes, Meta(description="The forms, ODM 2.0 or 1.3.2, XML; empty: the protocol's concepts.", examples=[b""])
    ] = b""
    findings: Annotated[
        bytes,
        Meta(description="What `salus trial check --rules` found in the protocol, to be signed too.", examples=[b""]),
    ] = b""


class PackageChecked(Verdict, frozen=True):
    """Whether the definition can be run, or every fault that `commit` would refuse."""

    sound: Annotated[bool, Meta(description="Whether it can be signed and run.")]
    root: Annotated[str, Meta(description="The root that every party signs; empty while there are faults.")]
    faults: Annotated[
        tuple[str, ...], Meta(description="Which part, rule, JSON pointer, what was expected; the first hundred.")
    ]


class CompareProtocols(Message, frozen=True):
    """Two versions of a protocol."""

    protocol: Annotated[
        bytes,
        Meta(description="The later USDM 4.0 file, JSON, gzip or not.", examples=[b"{}"], extra={"positional": True}),
    ]
    before: Annotated[bytes, Meta(description="The earlier USDM 4.0 file, JSON, gzip or not.", examples=[b"{}"])]


class ProtocolsCompared(Message, frozen=True):
    """What differs, object by object."""

    substantial: Annotated[int, Meta(description="Objects whose change is substantial, by the table of classes.")]
    others: Annotated[int, Meta(description="Objects whose change is not.")]
    changes: Annotated[
        tuple[str, ...],
        Meta(
            description="Substantial or not, what became of it, class, id, attributes, JSON pointer; the first thousand."
        ),
    ]


class DesignTrial(Message, frozen=True):
    """A scheme that a trial may draw by."""

    method: Annotated[
        str, Meta(pattern="^(simple|blocks|big-stick)$", description="simple, blocks, big-stick.", examples=["blocks"])
    ] = "blocks"
    ratio: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=100)], ...],
        Meta(min_length=2, max_length=16, description="Ratio of the arms.", examples=[[1, 1]]),
    ] = (1, 1)
    sizes: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=1000)], ...],
        Meta(max_length=16, description="Block sizes.", examples=[[4, 6]]),
    ] = (4, 6)
    bound: Annotated[int, Meta(ge=1, le=100, description="Bound of a big stick.", examples=[3])] = 3
    participants: Annotated[int, Meta(ge=1, le=1000, description="Participants of a stratum.", examples=[240])] = 240


class TrialDesigned(Message, frozen=True):
    """How often the next arm can be guessed by who sees all arms before."""

    share: Annotated[str, Meta(description="Share of right guesses.")]
    blind: Annotated[str, Meta(description="Share of who sees no arm.")]
    others: Annotated[tuple[str, ...], Meta(description="The share under other schemes for the same arms.")]


@use_case("trial.draft", who=OPERATOR)
def draft_trial(node: Node, request: DraftTrial) -> TrialDrafted:
    """Write a first definition from a protocol: outcomes, criteria and arms as it names them, every gap marked."""
    try:
        plan = plan_of(request.protocol)
    except DocumentRefused as wrong:
        raise Malformed("trials.protocol", str(wrong), todo="`salus trial protocol` lists every finding") from None
    if request.forms:
        try:
            plan = with_forms(plan, request.forms)
        except DocumentRefused as wrong:
            raise Malformed("trials.forms", str(wrong), todo="`salus trial package` lists every finding") from None
    drafted = draft(plan)
    terms, analysis = (
        msgspec.json.format(msgspec.json.encode(each), indent=1) for each in (drafted.terms, drafted.analysis)
    )
    if request.folder:
        forms = request.forms or forms_document(plan, instant(node.now()))
        write_new(Path(request.folder), {TERMS: terms, ANALYSIS: analysis, FORMS: forms})
    names = {each.id: each.label or each.name for each in plan.activities}
    return TrialDrafted(
        terms=terms.decode(),
        analysis=analysis.decode(),
        forms=tuple(
            f"{names.get(form.activity, form.activity)}: {', '.join(item.name for item in form.items)}"
            for form in plan.forms
        ),
        formless=tuple(name for id_, name in names.items() if id_ not in {form.activity for form in plan.forms}),
        gaps=tuple(f"{each.path}: {each.expected}" for each in drafted.gaps),
    )


@use_case("trial.schema", who=OPERATOR)
def show_schema(node: Node, request: ShowSchema) -> SchemaShown:  # noqa: ARG001 -- a use case's shape
    """Tell the JSON Schema of `terms.json`, as `docs/reference/trial-terms.schema.json` has it."""
    return SchemaShown(terms=msgspec.json.format(msgspec.json.encode(schema()), indent=1).decode())


@use_case("trial.package", who=OPERATOR)
def check_package(node: Node, request: CheckPackage) -> PackageChecked:  # noqa: ARG001 -- a use case's shape
    """Check a definition before it is committed: protocol, terms, analysis plan and forms, every fault with its path."""
    faults: list[str] = []
    plan = _part("protocol", faults, lambda: plan_of(request.protocol))
    terms = _part("terms", faults, lambda: read_terms(request.terms))
    analyses = _part("analysis", faults, lambda: analyses_of(request.analysis))
    protocol = unpacked(request.protocol)
    if request.forms and plan is not None:
        _part("forms", faults, lambda: with_forms(plan, request.forms))
    if request.findings:
        _part("findings", faults, lambda: read_judgements(request.findings, protocol))
    if plan is not None and terms is not None and analyses is not None:
        faults += [_fault("terms", each) for each in check_terms(plan, terms, analyses)[:MOST]]
    root = package_root(parts(protocol, request.terms, request.analysis, request.forms, request.findings))
    return PackageChecked(sound=not faults, root="" if faults else root.hex(), faults=tuple(faults))


def _fault(part: str, finding: Finding) -> str:
    return f"{part}: {finding.rule} at {finding.path or '/'}, expected {finding.expected}"


def _part(name: str, faults: list[str], read: Callable[[], T]) -> T | None:
    try:
        return read()
    except DocumentRefused as refused:
        faults += [_fault(name, each) for each in refused.findings]
        return None


@use_case("trial.difference", who=OPERATOR)
def compare_protocols(node: Node, request: CompareProtocols) -> ProtocolsCompared:  # noqa: ARG001 -- a use case's shape
    """Tell what differs between two versions of a protocol, object by object, and whether that is substantial.

    The classes decide, by a published table (docs/explain/trials.md). Objects are the same if their ids are.
    """
    found = difference(_definition("before", request.before), _definition("protocol", request.protocol))
    found = tuple(sorted(found, key=lambda one: not one.substantial))
    substantial = sum(one.substantial for one in found)
    return ProtocolsCompared(
        substantial=substantial,
        others=len(found) - substantial,
        changes=tuple(
            f"{'substantial' if one.substantial else 'not substantial'}: {one.what.value} {one.kind} {one.id}"
            f"{_attributes(one)} at {one.path}"
            for one in found[:MOST_LINES]
        ),
    )


def _attributes(one: Change) -> str:
    return f" ({', '.join(one.attributes)})" if one.attributes else ""


def _definition(name: str, data: bytes) -> Definition:
    try:
        return read_usdm(unpacked(data))
    except DocumentRefused as wrong:
        todo = "`salus trial protocol` lists every finding"
        raise Malformed("trials.protocol", f"{name}: {wrong}", todo=todo) from None


@use_case("trial.design", who=OPERATOR)
def design_trial(node: Node, request: DesignTrial) -> TrialDesigned:  # noqa: ARG001 -- a use case's shape
    """Tell how often the next arm can be guessed under a scheme, in an open trial, beside other schemes."""
    whole = sum(request.ratio)
    others: dict[str, Scheme] = {"simple": Simple(request.ratio)}
    others |= {f"blocks of {whole * times}": Blocks(request.ratio, (whole * times,), bytes(32)) for times in (1, 2, 3)}
    if request.ratio == (1, 1):
        others |= {f"big stick of {bound}": BigStick(bound) for bound in (3, 4)}
    chosen: Scheme = Simple(request.ratio)
    if request.method == "blocks":
        chosen = Blocks(request.ratio, request.sizes, bytes(32))
    elif request.method == "big-stick":
        if len(request.ratio) != 2 or request.ratio[0] != request.ratio[1]:
            raise Malformed("trials.scheme", "a big stick lies between two equal arms", expected="--ratio 1 --ratio 1")
        chosen = BigStick(request.bound)
    try:
        share = guess_share(chosen, request.participants)
    except DrawRefused as refused:
        raise Malformed("trials.scheme", str(refused)) from None
    return TrialDesigned(
        share=f"{float(share):.3f}",
        blind=f"{float(blind_share(request.ratio)):.3f}",
        others=tuple(f"{name}: {float(guess_share(each, request.participants)):.3f}" for name, each in others.items()),
    )
