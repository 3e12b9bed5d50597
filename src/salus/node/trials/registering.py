"""The public record: `trial registry` writes what registries ask for, `trial check-registry` checks it without an account.

Beside each field that the ledger holds stand its row and the row's proof. The checker believes a trust file and nothing else: status,
date and outcomes of the record are the ones of proven rows, an outcome's digest is that of its measure, time frame, level and
analysis as the record prints them, and no registered outcome is left out. Counts and texts of the definition are not proven by it.
"""

import base64
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from salus.agreements.trials.terms import Terms
from salus.contracts.trials import port
from salus.core.encoding import MalformedBytes, decode, encode
from salus.core.proof.errors import Unproven
from salus.core.proof.trust import Trust
from salus.node.errors import Malformed
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.trials.evidence import ProvenRow, proven_row, take_rows
from salus.node.trials.founding import LEVELS, STUDY, outcome_of
from salus.node.trials.sight import study_of, terms_of
from salus.node.usecase import OPERATOR, Message, Node, Verdict, use_case

MOST_BYTES: Final = 16 << 20
UNCHECKED: Final = ("enrollmentInfo", "eligibilityCriteria", "armGroups", "designInfo", "briefTitle")


class ShowRegistry(Message, frozen=True):
    """The study to register or report."""

    study: STUDY


class RegistryShown(Message, frozen=True):
    """The fields that registries ask for, and the outcome register with its proofs."""

    record: Annotated[str, Meta(description="JSON: ClinicalTrials.gov's names; Salus's own begin with `salus`.")]


class CheckRegistry(Message, frozen=True):
    """A record, and what the checker trusts."""

    record: Annotated[bytes, Meta(description="The record, JSON.", examples=[b"{}"], extra={"positional": True})]
    trust: Annotated[bytes, Meta(description="The network's trust file, JSON.", examples=[b"{}"])]


class RegistryChecked(Verdict, frozen=True):
    """What the proofs say of the record."""

    sound: Annotated[bool, Meta(description="Whether everything that the record proves holds.")]
    outcomes: Annotated[tuple[str, ...], Meta(description="Level, measure and status of each outcome, as proven.")]
    flagged: Annotated[bool, Meta(description="Whether outcomes or analysis changed after an opening.")]
    wrong: Annotated[tuple[str, ...], Meta(description="What does not hold, each by name.")]
    unchecked: Annotated[tuple[str, ...], Meta(description="Fields that the record gives no means to check.")]


@use_case("trial.registry", who=OPERATOR)
def show_registry(node: MemberNode, request: ShowRegistry) -> RegistryShown:
    """Write the record that a public registry asks for, with the outcome register and the proofs of its rows."""
    study = bytes.fromhex(request.study)
    row, _ = study_of(node, study)
    plan, terms = terms_of(node, study, row.version)
    state = node.ledger.read()
    results = dict(port.results(state, study))
    version = port.version(state, study, row.version)
    named = {outcome_of(term) for term in terms.outcomes}
    keys = [(port.STUDIES, study), (port.VERSIONS, study + row.version.to_bytes(2, "big"))]
    keys += [(port.RESULTS, study + definition) for definition in sorted(named | set(results))]
    height = node.ledger.head().height
    proofs = [base64.b64encode(encode(proven_row(node, table, key, height))).decode() for table, key in keys]
    record = {
        "briefTitle": terms.title,
        "orgStudyId": plan.study,
        "overallStatus": row.status.name,
        "resultsDue": moment(row.results_due) if row.results_due else "",
        "designInfo": {
            "allocation": "RANDOMIZED",
            "maskingInfo": {"masking": "DOUBLE" if plan.blinded else "NONE"},
        },
        "enrollmentInfo": {"count": sum(1 for _ in port.enrolments(state, study))},
        "armGroups": [{"label": arm.label or arm.name} for arm in plan.arms],
        "primaryOutcomes": _outcomes(terms, "primary", results),
        "secondaryOutcomes": _outcomes(terms, "secondary", results),
        "otherOutcomes": [
            {"salusStatus": one.status.name.lower(), "salusDefinition": key.hex()}
            for key, one in sorted(results.items())
            if key not in named
        ],
        "eligibilityCriteria": [
            f"{'Inclusion' if each.inclusion else 'Exclusion'}: {each.text}" for each in plan.criteria
        ],
        "salusNetwork": node.network.hex(),
        "salusStudy": study.hex(),
        "salusVersion": row.version,
        "salusChangedAfterOpening": version is not None and version.after_unblinding,
        "salusProofs": proofs,
    }
    return RegistryShown(record=msgspec.json.format(msgspec.json.encode(record), indent=1).decode())


def _outcomes(terms: Terms, level: str, results: dict[bytes, port.Result]) -> list[dict[str, Any]]:
    found = []
    for term in terms.outcomes:
        if term.level == level:
            definition = outcome_of(term)
            result = results.get(definition)
            told = {"measure": term.measure, "timeFrame": term.time_frame}
            told |= {"salusStatus": "unregistered" if result is None else result.status.name.lower()}
            found.append(
                told | {"salusId": term.id, "salusAnalysis": term.analysis, "salusDefinition": definition.hex()}
            )
    return found


class _Outcome(msgspec.Struct, frozen=True, rename="camel"):
    measure: str
    time_frame: str
    salus_id: str
    salus_analysis: str
    salus_definition: str
    salus_status: str


class _Other(msgspec.Struct, frozen=True, rename="camel"):
    salus_definition: str
    salus_status: str


class _Record(msgspec.Struct, frozen=True, rename="camel"):
    overall_status: str
    results_due: str
    primary_outcomes: Sequence[_Outcome]
    secondary_outcomes: Sequence[_Outcome]
    other_outcomes: Sequence[_Other]
    salus_network: str
    salus_study: str
    salus_version: int
    salus_changed_after_opening: bool
    salus_proofs: Sequence[str]


@use_case("trial.check-registry", who=OPERATOR)
def check_registry(node: Node, request: CheckRegistry) -> RegistryChecked:  # noqa: ARG001 -- a use case's shape
    """Check a public record under a trust file, without an account and without a network."""
    try:
        if len(request.record) > MOST_BYTES:
            raise MalformedBytes("too large")
        told = msgspec.json.decode(request.record, type=_Record)
        study, network = bytes.fromhex(told.salus_study), bytes.fromhex(told.salus_network)
        proofs = tuple(decode(base64.b64decode(each, validate=True), ProvenRow) for each in told.salus_proofs)
        trust = Trust.from_json(request.trust)
    except (MalformedBytes, Unproven, ValueError) as error:
        raise Malformed("trials.registry", "this is no record with proofs, or no trust file", got=str(error)) from None
    if network != trust.network:
        raise Malformed("trials.registry", "the record is of another network")
    rows, wrong = take_rows(proofs, trust)
    return _Checking(told, study, rows, wrong).done()


class _Checking:
    """A record held against its proven rows."""

    def __init__(self, told: _Record, study: bytes, rows: dict[bytes, bytes], wrong: list[str]) -> None:
        self._told, self._study, self._rows, self._wrong = told, study, rows, wrong

    def done(self) -> RegistryChecked:
        """Return the verdict."""
        told = self._told
        study: port.Study | None = self._row(port.STUDIES, self._study)
        number = told.salus_version
        version: port.Version | None = (
            self._row(port.VERSIONS, self._study + number.to_bytes(2, "big")) if 0 < number < 1 << 16 else None
        )
        if study is None or version is None:
            self._wrong.append("the rows of study and version are not proven")
            return RegistryChecked(False, (), False, tuple(self._wrong), UNCHECKED)
        due = moment(study.results_due) if study.results_due else ""
        for name, said, stands in (
            ("overallStatus", told.overall_status, study.status.name),
            ("resultsDue", told.results_due, due),
            ("salusVersion", number, study.version),
            ("salusChangedAfterOpening", told.salus_changed_after_opening, version.after_unblinding),
        ):
            if said != stands:
                self._wrong.append(f"{name}: {said}, proven {stands}")
        outcomes = self._outcomes("primary", told.primary_outcomes)
        outcomes += self._outcomes("secondary", told.secondary_outcomes)
        for other in told.other_outcomes:
            self._stands(other.salus_definition, other.salus_status, other.salus_definition[:16])
        named = {each.salus_definition for each in (*told.primary_outcomes, *told.secondary_outcomes)}
        self._wrong += [
            f"an outcome that version {number} registers is left out: {each.definition.hex()[:16]}"
            for each in version.outcomes
            if each.definition.hex() not in named
        ]
        return RegistryChecked(
            not self._wrong, tuple(outcomes), version.after_unblinding, tuple(self._wrong), UNCHECKED
        )

    def _outcomes(self, level: str, told: Sequence[_Outcome]) -> list[str]:
        for each in told:
            definition = port.outcome_digest(
                each.salus_id, each.measure, each.time_frame, LEVELS[level], each.salus_analysis
            ).hex()
            if definition != each.salus_definition:
                self._wrong.append(f"{each.salus_id}: not the outcome of its definition: {level}, {each.measure}")
            self._stands(each.salus_definition, each.salus_status, each.salus_id)
        return [f"{level}: {each.measure}, {each.salus_status}" for each in told]

    def _stands(self, definition: str, status: str, name: str) -> None:
        try:
            row: port.Result | None = self._row(port.RESULTS, self._study + bytes.fromhex(definition))
        except ValueError:
            self._wrong.append(f"{name}: its definition is no digest")
            return
        stands = "unregistered" if row is None else row.status.name.lower()
        if status != stands:
            self._wrong.append(f"{name}: {status}, proven {stands}")

    def _row(self, table: Any, key: bytes) -> Any:
        data = self._rows.get(table.state_key(key))
        if data is None:
            self._wrong.append(f"no proof of row {key.hex()[:48]}")
        return decode(data, table.row) if data else None
