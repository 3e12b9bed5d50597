"""`trial supply`: a dispenser sets block sizes, keys and kits, and tells the other dispenser; sites get the stratum key."""

import secrets
from typing import Annotated

import msgspec
from msgspec import Meta

from salus.agreements.trials.draws import Blocks, DrawRefused, check_scheme
from salus.agreements.trials.terms import size_commitment
from salus.contracts.trials import port
from salus.node.errors import Conflict, Malformed
from salus.node.member import MemberNode
from salus.node.trials.exchange import curve, send
from salus.node.trials.founding import STUDY
from salus.node.trials.kept import Envelope, StratumKey, Supply, kept
from salus.node.trials.sight import members_of, study_of
from salus.node.usecase import OPERATOR, Message, Node, use_case


class HideSizes(Message, frozen=True):
    """Block sizes that nobody but the dispensers is to know."""

    sizes: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=255)], ...],
        Meta(min_length=1, max_length=16, description="Hidden block sizes.", examples=[[4, 6]]),
    ]
    ratio: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=100)], ...],
        Meta(min_length=2, max_length=16, description="Ratio of the arms.", examples=[[1, 1]]),
    ] = (1, 1)


class SizesHidden(Message, frozen=True):
    """What the terms say of the sizes, and the key that stays with the dispenser."""

    size_commitment: Annotated[str, Meta(description="For /randomisation/size_commitment of the terms.")]
    size_key: Annotated[str, Meta(description="For `salus trial supply`; whoever has it can try sizes out.")]


class SupplyTrial(Message, frozen=True):
    """What dispensers alone may know."""

    study: STUDY
    sizes: Annotated[tuple[int, ...], Meta(max_length=16, description="Hidden block sizes.", examples=[[4, 6]])]
    size_key: Annotated[
        str, Meta(pattern=r"^[0-9a-f]{64}$", description="Their key, as the terms commit to.", examples=["00" * 32])
    ]
    kits: Annotated[
        bytes, Meta(description='JSON: {"site": [["K-001", 0], …]}, each kit with its arm\'s number.', examples=[b"{}"])
    ]


class TrialSupplied(Message, frozen=True):
    """Both dispensers hold the same."""

    sites: Annotated[int, Meta(description="Sites with kits.")]
    kits: Annotated[int, Meta(description="Kits.")]


@use_case("trial.sizes", who=OPERATOR)
def hide_sizes(node: Node, request: HideSizes) -> SizesHidden:  # noqa: ARG001 -- a use case's shape
    """Make the commitment to hidden block sizes, as a dispenser, before the terms are signed. Nothing is kept."""
    key = secrets.token_bytes(32)
    try:
        check_scheme(Blocks(request.ratio, request.sizes, key))
    except DrawRefused as refused:
        raise Malformed("trials.scheme", str(refused)) from None
    return SizesHidden(size_commitment=size_commitment(request.sizes, key), size_key=key.hex())


@use_case("trial.supply", who=OPERATOR)
def supply_trial(node: MemberNode, request: SupplyTrial) -> TrialSupplied:
    """Set block sizes and kits as a dispenser, before the first draw; sizes that the terms do not commit to are refused."""
    curve()
    from salus.node.trials.drawing import check_sizes  # noqa: PLC0415 -- the extra may not be installed

    study = bytes.fromhex(request.study)
    _, roster = study_of(node, study)
    try:
        kits = msgspec.json.decode(request.kits, type=dict[str, tuple[tuple[str, int], ...]])
    except msgspec.DecodeError as error:
        raise Malformed("trials.kits", "the kits cannot be read", got=str(error)) from None
    told = Supply(
        study=study,
        sizes=request.sizes,
        size_key=bytes.fromhex(request.size_key),
        kit_key=node.entropy(32),
        stratum_key=node.entropy(32),
        kits=tuple(sorted(kits.items())),
    )
    check_sizes(node, study, told)
    if any(envelope.study == study for _, envelope in kept(node, Envelope)):
        raise Conflict("trials.supplied", "draws were made with the kits that are there: others would not replay them")
    for name in members_of(roster, port.Part.DISPENSER):
        send(node, name, "supply", told)
    for site in kits:
        send(node, site, "stratum-key", StratumKey(study, told.stratum_key))
    return TrialSupplied(sites=len(kits), kits=sum(len(each) for each in kits.values()))
