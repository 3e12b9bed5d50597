"""A trial's key, founding, versions and steps: `trial deal`, `key`, `commit`, `sign`, `step`, `site`, `amend`, `show`."""

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from salus.agreements.trials.terms import OutcomeTerm, analysis_digest
from salus.contracts.trials import port
from salus.core.proof.digest import digest
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.trials.alone import unpacked
from salus.node.trials.exchange import curve, send
from salus.node.trials.kept import Dealing, Definition, KeyAsked, kept
from salus.node.trials.sight import definition, root_of, run, study_of
from salus.node.usecase import OPERATOR, Message, use_case

if TYPE_CHECKING:
    from salus.vault.threshold import TrusteeKey

STUDY_PATTERN: Final = r"^[0-9a-f]{32}$"
STUDY = Annotated[
    str, Meta(pattern=STUDY_PATTERN, description="Id of the study, 32 hexadecimal digits.", examples=["5a" * 16])
]
MEMBER_PATTERN: Final = r"^[a-z][a-z0-9-]{1,31}$"
LEVELS: Final = {"primary": port.Level.PRIMARY, "secondary": port.Level.SECONDARY}


class DealShares(Message, frozen=True):
    """The trustees of a threshold key. Each of them deals, with the same list."""

    study: STUDY
    trustees: Annotated[
        tuple[str, ...], Meta(description="Member ids, trustee 1 first.", examples=[["trust-a", "trust-b"]])
    ]
    threshold: Annotated[int, Meta(ge=1, le=16, description="How many of them sign a draw.", examples=[3])]
    patience: Annotated[
        int,
        Meta(
            ge=1, le=10_080, description="Minutes that another is waited for before it is complained of.", examples=[60]
        ),
    ] = 60


class SharesDealt(Message, frozen=True):
    """How far the key has come here."""

    arrived: Annotated[int, Meta(description="Dealers whose shares are here and fit, the own included.")]
    done: Annotated[bool, Meta(description="Whether the key is there.")]
    excluded: Annotated[tuple[str, ...], Meta(description="Dealers that the run was repeated without, and why.")]
    complaints: Annotated[
        tuple[str, ...],
        Meta(description="Who complained of whom in this run, and whether the share that was opened fits."),
    ]
    waiting: Annotated[tuple[str, ...], Meta(description="Trustees that something is still expected of.")]


class ShowKey(Message, frozen=True):
    """The study whose key is asked for, at one of its trustees."""

    study: STUDY


class KeyShown(Message, frozen=True):
    """The public part of a threshold key, once all have dealt."""

    key: Annotated[str, Meta(description="JSON for `salus trial commit`: trustees, threshold, group key, shares.")]


class CommitTrial(Message, frozen=True):
    """A study definition and who plays which part."""

    study: STUDY
    protocol: Annotated[bytes, Meta(description="USDM 4.0, JSON, gzip or not.", examples=[b"{}"])]
    terms: Annotated[bytes, Meta(description="The terms, JSON.", examples=[b"{}"])]
    analysis: Annotated[bytes, Meta(description="The analysis plan, ARS v1, JSON.", examples=[b"{}"])]
    parties: Annotated[
        tuple[str, ...],
        Meta(
            description="PART=MEMBER, SPONSOR, COORDINATOR, ETHICS, REGULATOR, STATISTICIAN, DISPENSER "
            "(two members), and as needed EMERGENCY, BOARD; a member that plays all is alone, with one DISPENSER.",
            examples=[["ETHICS=board"]],
        ),
    ]
    key: Annotated[
        str, Meta(description="What `salus trial key` shows; empty: allocation from outside.", examples=[""])
    ]
    forms: Annotated[
        bytes, Meta(description="The forms, ODM 2.0 or 1.3.2, XML; empty: the protocol's concepts.", examples=[b""])
    ] = b""
    findings: Annotated[
        bytes,
        Meta(description="What `salus trial check --rules` found in the protocol, to be signed too.", examples=[b""]),
    ] = b""


class TrialCommitted(Message, frozen=True):
    """The study stands on the ledger; every party has its definition and signs next."""

    root: Annotated[str, Meta(description="Root of the definition.")]
    labels: Annotated[tuple[str, ...], Meta(description="What a reader must be told of how it is set up.")]
    waiting: Annotated[tuple[str, ...], Meta(description="Who has not signed yet.")]


class SignTrial(Message, frozen=True):
    """The study to sign."""

    study: STUDY


class TrialStands(Message, frozen=True):
    """Where the study stands."""

    status: Annotated[str, Meta(description="Its status.")]
    version: Annotated[int, Meta(description="Its newest approved version.")]


class StepTrial(Message, frozen=True):
    """A step of a study."""

    study: STUDY
    step: Annotated[
        str,
        Meta(
            description="approve, register, open, close-recruitment, last-visit, clean, soft-lock, unblind, analyse, report, "
            "hold, resume, terminate, or adopt (at a site).",
            examples=["open"],
        ),
    ]
    evidence: Annotated[
        str, Meta(description="What it stands on; for register, the registered record.", examples=[""])
    ] = ""


class StepTrialSite(Message, frozen=True):
    """A step of a site."""

    study: STUDY
    site: Annotated[str, Meta(pattern=MEMBER_PATTERN, description="Member id.", examples=["north-hospital"])]
    step: Annotated[
        str,
        Meta(
            description="nominate, contract, approve, train, activate, suspend, restore, close.", examples=["nominate"]
        ),
    ]


class AmendTrial(Message, frozen=True):
    """A new version of the definition."""

    study: STUDY
    protocol: Annotated[bytes, Meta(description="USDM 4.0, JSON, gzip or not.", examples=[b"{}"])]
    terms: Annotated[bytes, Meta(description="The terms, JSON.", examples=[b"{}"])]
    analysis: Annotated[bytes, Meta(description="The analysis plan, ARS v1, JSON.", examples=[b"{}"])]
    substantial: Annotated[bool, Meta(description="Whether the regulator must approve it too.", examples=[True])]
    reconsent_days: Annotated[
        int, Meta(ge=0, le=365, description="Days to renew consents; 0 if the form did not change.", examples=[30])
    ]
    forms: Annotated[
        bytes, Meta(description="The forms, ODM 2.0 or 1.3.2, XML; empty: the protocol's concepts.", examples=[b""])
    ] = b""
    findings: Annotated[
        bytes,
        Meta(description="What `salus trial check --rules` found in the protocol, to be signed too.", examples=[b""]),
    ] = b""


class TrialAmended(Message, frozen=True):
    """The version is proposed."""

    number: Annotated[int, Meta(description="Its number.")]
    after_unblinding: Annotated[bool, Meta(description="Whether outcomes or analysis changed after an opening.")]


@use_case("trial.deal", who=OPERATOR)
def deal_shares(node: MemberNode, request: DealShares) -> SharesDealt:
    """Make a threshold key with the other trustees: deal, complain, answer; repeated without a dealer that dealt badly or not at all.

    A running node goes on by itself; else repeat the command, with the same list, until the key is there.
    """
    curve()
    from salus.node.trials.dealing import MOST, make  # noqa: PLC0415 -- the extra may not be installed

    study, names = bytes.fromhex(request.study), request.trustees
    if node.member not in names or len(set(names)) != len(names):
        raise Malformed("trials.trustees", "this member is not once among the trustees", expected=node.member)
    if request.threshold > len(names) or len(names) > MOST:
        got = f"{request.threshold} of {len(names)}"
        raise Malformed("trials.threshold", "this is no threshold", expected=f"of at most {MOST}", got=got)
    if all(asked.trustees != names for _, asked in kept(node, KeyAsked, study)):
        for name in names:
            node.keys_of(name)
    told = make(node, study, KeyAsked(names, request.threshold, request.patience * 60_000))
    return SharesDealt(
        arrived=told.dealt,
        done=told.done,
        excluded=tuple(told.excluded),
        complaints=tuple(told.complaints),
        waiting=tuple(told.waiting),
    )


@use_case("trial.key", who=OPERATOR)
def show_key(node: MemberNode, request: ShowKey) -> KeyShown:
    """Show the public part of a study's threshold key, at one of its trustees."""
    curve()
    key, dealing = _key_here(node, bytes.fromhex(request.study))
    told = {
        "trustees": list(dealing.trustees),
        "threshold": dealing.threshold,
        "group_key": key.group.hex(),
        "shares": [key.publics[number].hex() for number in sorted(key.publics)],
    }
    return KeyShown(key=msgspec.json.encode(told).decode())


def _key_here(node: MemberNode, study: bytes) -> "tuple[TrusteeKey, Dealing]":
    """Return the own share of a study's key, as far as the other trustees' words make it. Raises NotFound."""
    from salus.node.trials.drawing import trustee_key  # noqa: PLC0415 -- the extra may not be installed

    make_keys(node)
    return trustee_key(node, study)


def make_keys(node: MemberNode) -> None:
    """Go on with the threshold keys that were asked for here."""
    if list(kept(node, KeyAsked)):
        from salus.node.trials.dealing import make_all  # noqa: PLC0415 -- the extra may not be installed

        make_all(node)


class _Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    trustees: tuple[str, ...]
    threshold: int
    group_key: str
    shares: tuple[str, ...]


@use_case("trial.commit", who=OPERATOR)
def commit_trial(node: MemberNode, request: CommitTrial) -> TrialCommitted:
    """Commit a trial as its sponsor, and send every party its definition. What terms leave open is refused by name."""
    study = bytes.fromhex(request.study)
    told = _told(1, request)
    message = _commitment(told, request)
    node.submitter.submit(message)
    told = msgspec.structs.replace(told, height=node.ledger.head().height)
    _tell(node, told, _members(message.parties, message.trustees))
    row, _ = study_of(node, study)
    labels = port.labels(node.ledger.read(), study)
    return TrialCommitted(root=root_of(told).hex(), labels=labels, waiting=row.waiting)


def _told(number: int, request: CommitTrial | AmendTrial) -> Definition:
    """Return a definition as it is asked for, before the ledger has it."""
    return Definition(
        bytes.fromhex(request.study),
        number,
        0,
        unpacked(request.protocol),
        request.terms,
        request.analysis,
        request.forms,
        request.findings,
    )


def _commitment(told: Definition, request: CommitTrial) -> port.Commit:
    try:
        parties = sorted(
            (
                port.Party(port.Part[name], member)
                for name, _, member in (one.partition("=") for one in request.parties)
            ),
            key=lambda party: (party.part, party.member),
        )
        key = msgspec.json.decode(request.key, type=_Key) if request.key else _Key((), 0, "", ())
        trustees = tuple(
            port.Trustee(member, bytes.fromhex(share)) for member, share in zip(key.trustees, key.shares, strict=True)
        )
        group = bytes.fromhex(key.group_key)
    except (KeyError, ValueError, msgspec.DecodeError) as error:
        raise Malformed("trials.parties", "parties or key cannot be read", got=str(error)) from None
    method = port.Method.THRESHOLD if request.key else port.Method.EXTERNAL
    _, terms = run(told)
    if (terms.randomisation.method == "external") is not (method is port.Method.EXTERNAL):
        raise Malformed(
            "trials.method", "terms and key do not agree on how arms are drawn", got=terms.randomisation.method
        )
    return port.Commit(told.study, commitments(told), tuple(parties), method, key.threshold, group, trustees)


def commitments(told: Definition) -> port.Definition:
    """Return what the ledger holds of a definition. Raises Malformed."""
    plan, terms = run(told)
    outcomes = {outcome_of(term): LEVELS[term.level] for term in terms.outcomes}
    return port.Definition(
        package=root_of(told),
        analysis=analysis_digest(told.analysis, terms, plan.aims),
        consent_form=bytes.fromhex(terms.consent_form),
        looks=tuple(port.PlannedLook(look.permille, look.boundary, look.alpha) for look in terms.looks),
        outcomes=tuple(port.Outcome(definition_, outcomes[definition_]) for definition_ in sorted(outcomes)),
    )


def outcome_of(term: OutcomeTerm) -> bytes:
    """Return an outcome's definition digest."""
    return port.outcome_digest(term.id, term.measure, term.time_frame, LEVELS[term.level], term.analysis)


def _members(parties: tuple[port.Party, ...], trustees: tuple[port.Trustee, ...]) -> list[str]:
    return [*(party.member for party in parties), *(trustee.member for trustee in trustees)]


def _tell(node: MemberNode, told: Definition, members: list[str]) -> None:
    for member in dict.fromkeys((node.member, *members)):
        send(node, member, "definition", told)


@use_case("trial.sign", who=OPERATOR)
def sign_trial(node: MemberNode, request: SignTrial) -> TrialStands:
    """Sign a trial as a party: its definition compiles here and, at a trustee, the key is the one computed here."""
    study = bytes.fromhex(request.study)
    _, roster = study_of(node, study)
    told = definition(node, study, 1)
    run(told)
    numbers = [number for number, trustee in enumerate(roster.trustees, 1) if trustee.member == node.member]
    if numbers:
        key, _ = _key_here(node, study)
        shares = tuple(key.publics.get(number, b"") for number in range(1, len(roster.trustees) + 1))
        if key.group != roster.group_key or shares != tuple(trustee.share for trustee in roster.trustees):
            raise Conflict("trials.other-key", "the study's threshold key is not the one computed here")
    node.submitter.submit(port.Sign(study, root_of(told)))
    return _stands(node, study)


def _stands(node: MemberNode, study: bytes) -> TrialStands:
    row, _ = study_of(node, study)
    return TrialStands(status=row.status.name.lower(), version=row.version)


@use_case("trial.step", who=OPERATOR)
def step_trial(node: MemberNode, request: StepTrial) -> TrialStands:
    """Take a step of a study; whose step it is, the ledger checks. A site adopts the newest approved version."""
    study = bytes.fromhex(request.study)
    row, _ = study_of(node, study)
    if request.step == "approve":
        number = row.version if row.version == row.versions else row.versions
        told = definition(node, study, number)
        run(told)
        node.submitter.submit(port.Approve(study, number, root_of(told)))
    elif request.step == "register":
        registry = digest("salus/v1/trial-registry", request.evidence.encode())
        node.submitter.submit(port.RegisterTrial(study, registry))
    elif request.step == "adopt":
        definition(node, study, row.version)
        node.submitter.submit(port.Adopt(study, row.version))
    else:
        try:
            step = port.Step[request.step.upper().replace("-", "_")]
        except KeyError:
            raise Malformed("trials.step", "there is no such step", got=request.step[:32]) from None
        evidence = digest("salus/v1/trial-evidence", node.entropy(16), request.evidence.encode())
        node.submitter.submit(port.Advance(study, step, evidence))
    return _stands(node, study)


@use_case("trial.site", who=OPERATOR)
def step_site(node: MemberNode, request: StepTrialSite) -> TrialStands:
    """Take a step of a site; whose step it is, the ledger checks. A site that is nominated gets the definition."""
    study = bytes.fromhex(request.study)
    try:
        step = port.SiteStep[request.step.upper()]
    except KeyError:
        raise Malformed("trials.step", "there is no such step", got=request.step[:32]) from None
    evidence = digest("salus/v1/trial-evidence", node.entropy(32))
    node.submitter.submit(port.StepSite(study, request.site, step, evidence))
    if step is port.SiteStep.NOMINATE:
        row, _ = study_of(node, study)
        told = definition(node, study, row.version)
        send(node, request.site, "definition", msgspec.structs.replace(told, height=node.ledger.head().height))
    return _stands(node, study)


@use_case("trial.amend", who=OPERATOR)
def amend_trial(node: MemberNode, request: AmendTrial) -> TrialAmended:
    """Propose an amendment as the sponsor, and send it to every party and site."""
    study = bytes.fromhex(request.study)
    row, roster = study_of(node, study)
    number = row.versions + 1
    told = _told(number, request)
    before = definition(node, study, row.version)
    looks = run(before)[1].looks
    made = commitments(told)
    made = msgspec.structs.replace(made, looks=made.looks[len(looks) :])
    node.submitter.submit(port.ProposeVersion(study, made, request.substantial, request.reconsent_days))
    told = msgspec.structs.replace(told, height=node.ledger.head().height)
    sites = [name for name, _ in port.sites(node.ledger.read(), study)]
    _tell(node, told, [*_members(roster.parties, roster.trustees), *sites])
    version = port.version(node.ledger.read(), study, number)
    if version is None:
        raise NotFound("trials.no-version", "the ledger has no such version", got=str(number))
    return TrialAmended(number=number, after_unblinding=version.after_unblinding)


class ShowTrial(Message, frozen=True):
    """The study to show."""

    study: STUDY


class TrialShown(Message, frozen=True):
    """A trial as this member's ledger has it."""

    status: Annotated[str, Meta(description="Where it stands.")]
    labels: Annotated[tuple[str, ...], Meta(description="What a reader must be told of how it is set up.")]
    version: Annotated[int, Meta(description="Newest approved version.")]
    flagged: Annotated[tuple[int, ...], Meta(description="Versions that changed outcomes after an opening.")]
    sites: Annotated[tuple[str, ...], Meta(description="Each site, its status and version.")]
    enrolled: Annotated[int, Meta(description="Enrolments.")]
    allocated: Annotated[int, Meta(description="Enrolments that two dispensers agree on.")]
    openings: Annotated[tuple[str, ...], Meta(description="The unblinding register: kind, reason, status, who.")]
    overdue: Annotated[tuple[str, ...], Meta(description="Safety deadlines that passed, and who owes them.")]
    outcomes: Annotated[tuple[str, ...], Meta(description="What became of each outcome.")]


@use_case("trial.show", who=OPERATOR)
def show_trial(node: MemberNode, request: ShowTrial) -> TrialShown:
    """Show a trial as the ledger has it: status, sites, counts, unblinding register, overdue deadlines, outcomes."""
    study = bytes.fromhex(request.study)
    row, _ = study_of(node, study)
    state, now = node.ledger.read(), node.ledger_time()
    enrolled = [one for _, one in port.enrolments(state, study)]
    versions = [(number, port.version(state, study, number)) for number in range(1, row.versions + 1)]
    return TrialShown(
        status=row.status.name.lower(),
        labels=port.labels(state, study),
        version=row.version,
        flagged=tuple(number for number, version in versions if version is not None and version.after_unblinding),
        sites=tuple(
            f"{name} {site.status.name.lower()} version {site.version}" for name, site in port.sites(state, study)
        ),
        enrolled=len(enrolled),
        allocated=sum(one.status is port.EnrolmentStatus.ALLOCATED for one in enrolled),
        openings=tuple(
            f"{one.kind.name.lower()}, {one.reason.name.lower()}, {one.status.name.lower()}, {one.requester}"
            for _, one in port.openings(state, study)
        ),
        overdue=tuple(
            f"{one.kind.name.lower()} since {moment(one.due)}, {one.owed_by}"
            for _, one in port.clocks(state, study)
            if port.overdue(one, now)
        ),
        outcomes=tuple(f"{key.hex()[:16]} {one.status.name.lower()}" for key, one in port.results(state, study)),
    )
