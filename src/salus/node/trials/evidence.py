"""A trial's evidence in one file: `trial evidence` writes it, `trial verify-evidence` replays it without a network.

    public      rows of the ledger with their proofs, definitions, and the draws once they are published
    inspector   these, and every participant's signed chain that this member holds

The verifier believes a trust file and nothing else: rows stand under it, definitions under the rows, chains are judged anew
under the definitions at the times that their anchors prove, their values and SDTM tables give the lock's root, and every draw
is replayed.

A site's own file holds its own participants alone; of those who are erased, or wait for it, the leaves of their acts.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta

from salus.agreements.trials.acts import SignedAct, delegations
from salus.agreements.trials.conduct import Adoption, Conditions
from salus.agreements.trials.locking import locked_data
from salus.agreements.trials.participants import Participant, participant
from salus.agreements.trials.terms import scheme_of
from salus.contracts.trials import port
from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof.errors import Unproven
from salus.core.proof.merkle import leaf_hash
from salus.core.proof.receipt import StateProof
from salus.core.proof.trust import Trust
from salus.core.tables import Table
from salus.node.errors import Conflict, Malformed
from salus.node.member import MemberNode
from salus.node.trials.anchors import Anchors, ErasedLeaf, Gathering, Resealed, Shown, content_of, own_proofs
from salus.node.trials.exchange import curve
from salus.node.trials.founding import STUDY
from salus.node.trials.kept import (
    ActProof,
    Definition,
    Delegated,
    Draws,
    ErasedSubject,
    KeptAct,
    Subject,
    kept,
    site_key,
)
from salus.node.trials.retaining import leaves_left
from salus.node.trials.sight import adopted_rows, adoption, in_order, numbers_of, root_of, run, study_of, told_key
from salus.node.usecase import OPERATOR, Message, Node, Verdict, use_case
from salus.vault.links import Standing

FORMAT: Final = 3
SCOPES: Final = ("public", "inspector")
MOST_BYTES: Final = 1 << 30
NEVER: Final = Adoption(0, 0)
_SHOWN: Final = (Standing.OPEN, Standing.RETAINED)


class ProvenRow(Value, frozen=True):
    """One row of the ledger with its state proof."""

    key: bytes
    row: bytes
    proof: bytes


class ProvenAdoption(Value, frozen=True):
    """A site's row in the blocks before and with its activation or an adoption: between two of them there is no other."""

    before: ProvenRow
    after: ProvenRow


class SiteAdopted(Value, frozen=True):
    """Versions in force at a site, and who may act there."""

    site: str
    adopted: tuple[ProvenAdoption, ...]
    """Oldest first, none left out."""
    investigator: bytes
    delegated: tuple[SignedAct, ...]


class Chain(Value, frozen=True):
    """A participant's chain."""

    site: str
    subject: bytes
    acts: tuple[SignedAct, ...]
    proofs: tuple[Resealed, ...]
    """Of the last act of what each signature covers."""


class ErasedChain(Value, frozen=True):
    """What is left of the chain of a participant who is erased."""

    site: str
    acts: tuple[ErasedLeaf, ...]


class TrialEvidence(Value, frozen=True):
    """The file."""

    format: int
    network: bytes
    study: bytes
    rows: tuple[ProvenRow, ...]
    definitions: tuple[Definition, ...]
    sites: tuple[SiteAdopted, ...]
    chains: tuple[Chain, ...]
    erased: tuple[ErasedChain, ...]
    own: str
    """The site whose participants alone the chains are; empty: they are all that the definition's parties hold."""
    anchors: Anchors
    order: tuple[bytes, ...]
    """Enrolments in the order of the log."""
    draws: tuple[Draws, ...]
    """None before they are published, else one."""


class WriteEvidence(Message, frozen=True):
    """Which trial's evidence is written, for whom."""

    study: STUDY
    file: Annotated[
        str,
        Meta(
            min_length=1,
            description="Where it goes; not written over.",
            extra={"path": True},
            examples=["trial.evidence"],
        ),
    ]
    scope: Annotated[str, Meta(description="public or inspector.", examples=["public"])] = "public"


class EvidenceWritten(Message, frozen=True):
    """What the file holds."""

    rows: Annotated[int, Meta(description="Proven rows of the ledger.")]
    participants: Annotated[int, Meta(description="Chains; none in a public file.")]
    erased: Annotated[int, Meta(description="Participants who are erased: of their acts only the leaves.")]
    draws: Annotated[int, Meta(description="Draws.")]


class VerifyEvidence(Message, frozen=True):
    """A file, and what the verifier trusts."""

    file: Annotated[bytes, Meta(description="The evidence.", examples=[b""], extra={"positional": True})]
    trust: Annotated[bytes, Meta(description="The network's trust file, JSON.", examples=[b"{}"])]


class EvidenceVerified(Verdict, frozen=True):
    """What the replay says."""

    sound: Annotated[bool, Meta(description="Whether everything in the file holds.")]
    status: Annotated[str, Meta(description="The study's status as proven.")]
    wrong: Annotated[tuple[str, ...], Meta(description="What does not hold, each by name.")]
    rows: Annotated[int, Meta(description="Rows proven.")]
    participants: Annotated[int, Meta(description="Chains judged anew.")]
    acts: Annotated[int, Meta(description="Acts in them.")]
    erased: Annotated[
        int, Meta(description="Participants who are erased: of their acts only leaves, under anchored roots.")
    ]
    draws: Annotated[int, Meta(description="Draws replayed.")]
    unchecked: Annotated[tuple[str, ...], Meta(description="What the file gives no means to check.")]


@use_case("trial.evidence", who=OPERATOR)
def write_evidence(node: MemberNode, request: WriteEvidence) -> EvidenceWritten:
    """Write a trial's evidence to a file that anybody replays offline, as much of it as this member may show."""
    study, path = bytes.fromhex(request.study), Path(request.file)
    if request.scope not in SCOPES:
        raise Malformed("trials.scope", "no such scope", expected=", ".join(SCOPES))
    if path.exists():
        raise Conflict("trials.evidence", "the file is there already", todo="name another")
    row, _ = study_of(node, study)
    height = node.ledger.head().height
    gathering = Gathering(node)
    whole = request.scope == "inspector"
    found = tuple(_chains(node, study, gathering)) if whole else ()
    erased = tuple(_erased(node, study, gathering)) if whole else ()
    made = TrialEvidence(
        FORMAT,
        node.network,
        study,
        tuple(proven_row(node, table, key, height) for table, key in _keys(node, study, row)),
        tuple(value for _, value in kept(node, Definition, study)),
        tuple(_site(node, study, name) for name, _ in port.sites(node.ledger.read(), study)),
        found,
        erased,
        node.member if _is_own(node, study, (*found, *erased)) else "",
        gathering.finish(),
        tuple(id_ for id_, each in in_order(node, study) if each.allocation),
        tuple(value for _, value in kept(node, Draws, study))[:1],
    )
    path.write_bytes(encode(made))
    draws = sum(len(each.draws) for each in made.draws)
    return EvidenceWritten(rows=len(made.rows), participants=len(made.chains), erased=len(erased), draws=draws)


def _keys(node: MemberNode, study: bytes, row: port.Study) -> list[tuple[Table[Any], bytes]]:
    state = node.ledger.read()
    found: list[tuple[Table[Any], bytes]] = [(port.STUDIES, study), (port.ROSTERS, study)]
    found += [(port.VERSIONS, study + number.to_bytes(2, "big")) for number in range(1, row.versions + 1)]
    found += [(port.SITES, study + name.encode("ascii")) for name, _ in port.sites(state, study)]
    found += [(port.ENROLMENTS, id_) for id_, _ in port.enrolments(state, study)]
    found += [(port.LOCKS, study + number.to_bytes(2, "big")) for number in range(1, row.locks + 1)]
    found += [(port.RESULTS, study + key) for key, _ in port.results(state, study)]
    return found


def proven_row(node: MemberNode, table: Table[Any], key: bytes, height: int) -> ProvenRow:
    """Return a row of the ledger at a height with its proof; an empty one where it proves that there is none."""
    proven = node.prover.row(table, key, height)
    return ProvenRow(table.state_key(key), proven.value or b"", proven.proof.encode())


def _is_own(node: MemberNode, study: bytes, found: Sequence[Chain | ErasedChain]) -> bool:
    """Return whether the participants of a file are those of this member's site alone, among other sites'."""
    others = {each.site for each in found} - {node.member}
    return not others and port.site(node.ledger.read(), study, node.member) is not None


def _site(node: MemberNode, study: bytes, site: str) -> SiteAdopted:
    told = next((each for _, each in kept(node, Delegated, site_key(study, site))), Delegated(bytes(32), ()))
    key = study + site.encode("ascii")
    heights = [row.height for row in adopted_rows(node, study, site)]
    adopted = [
        ProvenAdoption(*(proven_row(node, port.SITES, key, height) for height in (at - 1, at))) for at in heights
    ]
    return SiteAdopted(site, tuple(adopted), told.investigator, told.acts)


def _chains(node: MemberNode, study: bytes, gathering: Gathering) -> Iterator[Chain]:
    """Yield the chains that this member holds: of its own participants what was sent, and those sent here."""
    for key, subject in kept(node, Subject, study):
        if node.vault.link_info(subject.link).standing in _SHOWN:
            numbers = numbers_of(node, subject.link, key)[: subject.sent]
            acts = [decode(record.content.body, SignedAct) for record in node.vault.open_many(numbers)]
            ends = [at for at, each in enumerate(acts) if each.signature]
            own = zip(ends, own_proofs(node, [numbers[at] for at in ends]), strict=True)
            yield _chain(gathering, study, (node.member, key[16:]), acts, {at + 1: proof for at, proof in own})
    sent: dict[tuple[str, bytes], list[SignedAct]] = {}
    for key, act in kept(node, KeptAct, study):
        sent.setdefault(told_key(key), []).append(SignedAct(act.act, act.signature))
    proofs: dict[tuple[str, bytes], dict[int, ActProof]] = {}
    for key, proof in kept(node, ActProof, study):
        proofs.setdefault(told_key(key), {})[int.from_bytes(key[64:], "big")] = proof
    for at, each in sorted(sent.items()):
        yield _chain(gathering, study, at, each, proofs.get(at, {}))


def _chain(
    gathering: Gathering,
    study: bytes,
    whose: tuple[str, bytes],
    acts: Sequence[SignedAct],
    proofs: Mapping[int, ActProof],
) -> Chain:
    site, subject = whose
    shown = [
        gathering.show(site, content_of(study, subject, number, acts[number - 1]), number, proof)
        for number, proof in proofs.items()
        if number <= len(acts)
    ]
    return Chain(site, subject, tuple(acts), tuple(shown))


def _erased(node: MemberNode, study: bytes, gathering: Gathering) -> Iterator[ErasedChain]:
    """Yield what is left of own participants who are erased, and the same of those who wait for it."""
    left = [one.acts for _, one in kept(node, ErasedSubject, study)]
    left += [
        leaves_left(node, key, subject)
        for key, subject in kept(node, Subject, study)
        if node.vault.link_info(subject.link).standing not in _SHOWN
    ]
    for acts in sorted(left):
        yield ErasedChain(node.member, tuple(gathering.show_erased(act) for act in acts))


def take_rows(rows: Sequence[ProvenRow], trust: Trust) -> tuple[dict[bytes, bytes], list[str]]:
    """Return the rows that stand under a trust file, by state key, and what does not hold of the others."""
    found, wrong = {}, []
    for each in rows:
        try:
            _height_of(each, trust)
        except (Unproven, MalformedBytes) as error:
            wrong.append(f"row {each.key.hex()[:24]}: {error}")
        else:
            found[each.key] = each.row
    return found, wrong


def _height_of(told: ProvenRow, trust: Trust) -> int:
    """Return the height at which a row is proven. Raises Unproven, MalformedBytes."""
    proof = StateProof.decode(told.proof)
    block = proof.check(told.row or None)
    trust.accept_receipt(proof.receipt)
    if proof.row_key != told.key:
        raise MalformedBytes("the proof is of another row")
    return block.height


class _Replay:
    """One verification: what the file says, and what of it does not hold."""

    def __init__(self, told: TrialEvidence) -> None:
        self.told = told
        self.wrong: list[str] = []
        self.unchecked: list[str] = []
        self.rows: dict[bytes, bytes] = {}
        self.adopted: dict[str, tuple[Adoption, ...]] = {}

    def prove(self, trust: Trust) -> None:
        """Take the rows that stand under the trust file, and what they say to have been in force at each site."""
        self.rows, self.wrong = take_rows(self.told.rows, trust)
        for each in self.told.sites:
            try:
                self.adopted[each.site] = self._adoptions(each, trust)
            except (Unproven, MalformedBytes) as error:
                self.wrong.append(f"site {each.site}: its adoptions are not proven: {error}")

    def row(self, table: Table[Any], key: bytes) -> Any:
        """Return a proven row, or None."""
        data = self.rows.get(table.state_key(key))
        return decode(data, table.row) if data else None

    def definitions(self, study: port.Study) -> dict[int, Definition]:
        """Return the definitions that proven versions commit to."""
        found = {each.number: each for each in self.told.definitions}
        for number in range(1, study.versions + 1):
            version = self.row(port.VERSIONS, self.told.study + number.to_bytes(2, "big"))
            if number not in found or version is None or root_of(found[number]) != version.package:
                self.wrong.append(f"version {number}: the definition is not the one committed to")
                found.pop(number, None)
        return found

    def judged(self, study: port.Study, definitions: dict[int, Definition], shown: Shown) -> list[Participant]:
        """Judge every chain anew, at the times that are proven."""
        plans = {number: run(each) for number, each in definitions.items()}
        under = {
            each.site: Conditions(
                plans={one: plans[one] for one in {at.version for at in adopted} or {1} if one in plans},
                adopted=adopted,
                given=delegations(each.delegated, each.investigator),
                registered=study.registered,
            )
            for each in self.told.sites
            if (adopted := self.adopted.get(each.site)) is not None
        }
        found: list[Participant] = []
        for chain in self.told.chains:
            name, known = f"{chain.site} {chain.subject.hex()[:8]}", under.get(chain.site)
            ruled = known is not None and known.plans and all(one.version in plans for one in known.adopted)
            if known is None or not ruled or self.told.own not in {"", chain.site}:
                self.wrong.append(f"{name}: no site or definition to judge the chain under")
                continue
            acts, wrong = shown.anchored(self.told.study, chain.site, chain.subject, chain.acts, chain.proofs)
            self.wrong += [f"{name}: {each}" for each in wrong]
            found.append(participant(chain.site, chain.subject, acts, known))
            verdicts = found[-1].state.verdicts
            self.wrong += [f"{name}: act {each.number} {each.code}, {each.told}" for each in verdicts]
        return found

    def locked(self, study: port.Study, definitions: dict[int, Definition], found: Sequence[Participant]) -> None:
        """See that the chains give the newest lock's root, under a version that was approved."""
        lock = self.row(port.LOCKS, self.told.study + study.locks.to_bytes(2, "big")) if study.locks else None
        if lock is None:
            self.unchecked.append("no lock is proven: nothing shows that the chains are whole")
        if lock is None or not found:
            return
        for number in range(study.version, 0, -1):
            data = locked_data(*run(definitions[number]), found) if number in definitions else None
            if data is not None and data.rows and data.root == lock.root:
                return
        if self.told.own:
            self.unchecked.append(f"lock {study.locks}: the file holds the participants of {self.told.own} alone")
        else:
            self.wrong.append(f"lock {study.locks}: the chains do not give its root")

    def _adoptions(self, told: SiteAdopted, trust: Trust) -> tuple[Adoption, ...]:
        """Return what was in force at a site and from when on, each proven, none between them. Raises Unproven, MalformedBytes."""
        key = port.SITES.state_key(self.told.study + told.site.encode())
        found: list[Adoption] = []
        for each in told.adopted:
            if (each.before.key, each.after.key) != (key, key):
                raise MalformedBytes("a row of another site")
            if _height_of(each.before, trust) + 1 != _height_of(each.after, trust):
                raise MalformedBytes("blocks between them may hold another adoption")
            before, after = (adoption(decode(row.row, port.Site)) for row in (each.before, each.after))
            if before != (found[-1] if found else NEVER) or after.version <= before.version:
                raise MalformedBytes("one was left out")
            found.append(after)
        row: port.Site | None = self.row(port.SITES, self.told.study + told.site.encode())
        if row is None or adoption(row) != (found[-1] if found else NEVER):
            raise MalformedBytes("the newest row tells of another")
        return tuple(found)

    def erased(self, shown: Shown) -> None:
        """See that every act that is erased stands under a root that its site anchored."""
        for at, chain in enumerate(self.told.erased, 1):
            for number, act in enumerate(chain.acts, 1):
                try:
                    shown.time_of(chain.site, leaf_hash(act.leaf), act.batch, act.index)
                except Unproven as error:
                    self.wrong.append(f"{chain.site} erased {at}: act {number}: {error}")

    def drawn(self, definitions: dict[int, Definition]) -> int:
        """Replay the draws."""
        from salus.agreements.trials.allocation import Drawn as Audited  # noqa: PLC0415 -- the extra
        from salus.agreements.trials.allocation import Kit, Signed, audit  # noqa: PLC0415
        from salus.agreements.trials.draws import Place  # noqa: PLC0415

        told = self.told.draws[0]
        roster: port.Roster | None = self.row(port.ROSTERS, self.told.study)
        if roster is None or 1 not in definitions:
            return 0
        given = {each.enrolment: each for each in told.draws}
        found = []
        for id_ in self.told.order:
            row: port.Enrolment | None = self.row(port.ENROLMENTS, id_)
            version = None if row is None else self.row(port.VERSIONS, row.study + row.version.to_bytes(2, "big"))
            if row is None or version is None or id_ not in given:
                self.wrong.append(f"enrolment {id_.hex()[:16]}: no draw, or no proven row")
                continue
            place = Place(row.study, version.package, row.stratum, row.place, row.transaction)
            found.append(Audited(id_, row.site, place, Signed(given[id_].draw, given[id_].seal), row.allocation))
        _, terms = run(definitions[1])
        scheme = scheme_of(terms.randomisation, told.supply.sizes, told.supply.size_key)
        kits = {site: [Kit(number, arm) for number, arm in each] for site, each in told.supply.kits}
        wrong = audit(scheme, roster.group_key, found, kits, told.supply.kit_key)
        self.wrong += [f"enrolment {id_.hex()[:16]}: {why}" for id_, why in wrong]
        return len(found)


@use_case("trial.verify-evidence", who=OPERATOR)
def verify_evidence(node: Node, request: VerifyEvidence) -> EvidenceVerified:  # noqa: ARG001 -- a use case's shape
    """Replay a trial's evidence under a trust file, without a network: rows, definitions, chains, lock and draws."""
    try:
        if len(request.file) > MOST_BYTES:
            raise MalformedBytes("too large")
        told = decode(request.file, TrialEvidence)
        trust = Trust.from_json(request.trust)
    except (MalformedBytes, Unproven) as error:
        raise Malformed("trials.evidence", "this is no evidence, or no trust file", got=str(error)) from None
    if told.format != FORMAT or told.network != trust.network:
        raise Malformed("trials.evidence", "the evidence is of another format or network")
    replay = _Replay(told)
    replay.prove(trust)
    study: port.Study | None = replay.row(port.STUDIES, told.study)
    if study is None:
        wrong = (*replay.wrong, "the study's row is not proven")
        return EvidenceVerified(False, "", wrong, len(replay.rows), 0, 0, 0, 0, ())
    definitions = replay.definitions(study)
    shown = Shown(told.anchors, trust)
    replay.wrong += shown.wrong
    judged = replay.judged(study, definitions, shown) if told.chains else []
    replay.locked(study, definitions, judged)
    replay.erased(shown)
    unchecked = replay.unchecked if told.chains else ["conduct and lock: the file holds no chains"]
    draws = 0
    if told.draws:
        curve()
        draws = replay.drawn(definitions)
    else:
        unchecked.append("draws: none are published")
    return EvidenceVerified(
        sound=not replay.wrong,
        status=study.status.name.lower(),
        wrong=tuple(replay.wrong),
        rows=len(replay.rows),
        participants=len(judged),
        acts=sum(one.state.acts for one in judged),
        erased=len(told.erased),
        draws=draws,
        unchecked=tuple(unchecked),
    )
