"""What a node answers, typed. Written by `make docs` from the node's use cases; the other half is `salus.client.node`."""

from typing import Any, Literal  # noqa: F401 -- not every set of use cases needs both

import msgspec

from salus.client.node import Connection


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class AboutNode(msgspec.Struct, frozen=True, kw_only=True):
    """The program and the member it runs for."""

    member: str
    """Id of the member whose node this is."""

    version: str
    """Version of Salus."""

    python: str
    """Version of Python."""


class AskAccess(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask a patient for."""

    purpose: str = 'TREAT'
    """What it is read for: a code of v3-ActReason."""

    classes: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """Sensitivity classes."""

    roles: tuple[str, ...] = ()
    """Roles of the persons who would read; any if empty."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request that waits for its answer."""

    id: str
    """Id of the request, hexadecimal."""

    code: str
    """The code to show the patient, as text or QR."""

    expires: str
    """Until when a wallet answers it, UTC."""


class ListAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class RequestLine(msgspec.Struct, frozen=True, kw_only=True):
    """A request for access."""

    id: str
    """Its id, hexadecimal."""

    purpose: str
    """What for."""

    asked: str
    """When, UTC."""

    grant: str
    """The grant that answers it, hexadecimal; empty while it is open."""


class GrantLine(msgspec.Struct, frozen=True, kw_only=True):
    """A grant that this member holds."""

    grant: str
    """Its id, hexadecimal."""

    link: str
    """The patient's own link here; empty if there is none."""

    standing: str
    """live or ended."""

    until: str
    """When it ends at the latest, UTC."""

    purposes: str
    """Purposes of use."""

    roles: str
    """Roles that may read; empty for all."""

    custodians: str
    """Members whose records it opens."""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked and what is held."""

    requests: tuple[RequestLine, ...]
    """Requests, oldest first."""

    grants: tuple[GrantLine, ...]
    """Grants held, ended ones without their content."""


class PullAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Under which grant to pull."""

    grant: str
    """The grant, hexadecimal."""

    purpose: str = 'TREAT'
    """What it is read for: a code of v3-ActReason."""

    credential: str = ''
    """Credential of the person for whom it is pulled, if a program does so."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A custodian that did not answer."""

    custodian: str
    """Member id."""

    code: str
    """Code of its refusal, or of what kept it from answering."""


class PulledAccess(msgspec.Struct, frozen=True, kw_only=True):
    """What the pull brought."""

    records: int
    """Records opened, verified and indexed."""

    bytes: int
    """Their size."""

    custodians: tuple[str, ...]
    """Who answered."""

    failures: tuple[Failure, ...]
    """Who did not."""


class ListApps(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class AppLine(msgspec.Struct, frozen=True, kw_only=True):
    """A program."""

    id: str
    """Its id."""

    name: str
    """Its name."""

    member: str
    """Member that answers for it."""

    active: bool
    """Whether that member is active on the ledger."""

    kind: str
    """public, confidential, or backend."""

    scopes: str
    """What it may ask at the most."""


class AppsListed(msgspec.Struct, frozen=True, kw_only=True):
    """All programs."""

    apps: tuple[AppLine, ...]
    """By id."""


class RegisterApp(msgspec.Struct, frozen=True, kw_only=True):
    """A program and what it may ask at the most."""

    id: str
    """Id that the program sends as client_id."""

    name: str
    """Name that people are shown."""

    member: str
    """Active member of the ledger that answers for it."""

    scopes: str
    """The widest scopes that it may ask, with blanks between them."""

    redirect: tuple[str, ...] = ()
    """Where it is answered: https, http on this machine, or a scheme of its own with a dot."""

    launch: str = ''
    """Where it is opened from a chart (EHR launch); empty: not."""

    jwks: bytes = b''
    """Its public keys as a JWK Set, for private_key_jwt; none: it is a public client."""

    role: str = ''
    """Role as which it acts for itself, as a backend service; empty: it does not."""

    purposes: tuple[str, ...] = ()
    """What for, as a backend service: codes of v3-ActReason."""


class AppRegistered(msgspec.Struct, frozen=True, kw_only=True):
    """It may ask now."""

    id: str
    """Its id."""

    scopes: str
    """What it may ask at the most, as it was understood."""


class RemoveApp(msgspec.Struct, frozen=True, kw_only=True):
    """Which program."""

    id: str
    """Its id."""


class AppRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """It can ask nothing more, and its tokens opened their last."""

    id: str
    """Its id."""


class Attach(msgspec.Struct, frozen=True, kw_only=True):
    """What to follow."""

    url: str
    """Base URL of the FHIR R4 server."""

    source: str = ''
    """URI by which its patients are known here; empty: the server's URL."""

    client: str = ''
    """Client id for SMART Backend Services; empty: no sign-in."""

    key: str = ''
    """File with the client's private key (JWK, ES384 or RS384)."""

    types: tuple[str, ...] = ()
    """Resource types; none: all that the server has."""

    also: tuple[str, ...] = ()
    """Other origins that may be asked: where the server signs in, or keeps an export's files."""

    anew: bool = False
    """Begin from the start instead of where the last run ended."""


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """What came."""

    way: str
    """export or search."""

    since: str
    """From when on changes were asked for; empty: from the start."""

    until: str
    """What the next run goes on from."""

    resources: int
    """Resources received."""

    stored: int
    """Sealed as a new record or version."""

    unchanged: int
    """The same bytes were here already."""

    deleted: int
    """Ended here because the server deleted them."""

    deletions: bool
    """Whether the server tells of deletions at all."""

    refused: int
    """Resources that are no FHIR R4, or whose patient is unknown."""

    resumed: bool
    """Whether it went on with a run that had failed."""


class AskDays(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class BackupDays(msgspec.Struct, frozen=True, kw_only=True):
    """When backups were made that still open. Where they lie, whoever made them knows."""

    days: tuple[str, ...]
    """Days, the newest first."""


class MakeBackup(msgspec.Struct, frozen=True, kw_only=True):
    """Where to write it: a new or empty folder, on another disk."""

    folder: str
    """Folder of the backup."""


class BackedUp(msgspec.Struct, frozen=True, kw_only=True):
    """The backup is written and durable."""

    files: int
    """Files in it."""

    bytes: int
    """Bytes in it."""

    height: int
    """Newest block in it."""

    expired: int
    """Day keys destroyed because their backups are 29 days old or older."""


class RestoreBackup(msgspec.Struct, frozen=True, kw_only=True):
    """Which backup. The data folder holds the keystore, `backup.keys` and the list of erasures, nothing else."""

    folder: str
    """Folder of the backup."""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """The node can be opened again."""

    height: int
    """Newest block, executed again."""

    erased: int
    """Links in the backup that the list of erasures kept out."""


class AdjudicateClaims(msgspec.Struct, frozen=True, kw_only=True):
    """Claims, and the documents that decide them."""

    file: bytes
    """The X12 837 file (professional or institutional)."""

    plan: bytes
    """The plan document, JSON."""

    rates: bytes
    """The rates documents, a JSON list."""

    members: bytes
    """Who is covered: a members document or an 834."""

    folder: str
    """New or empty folder for the answers."""

    received: str = ''
    """Day the file came, CCYYMMDD; default today."""

    decided: str = ''
    """Day of payment, CCYYMMDD; default today."""

    control: int = 1
    """First control number, never used twice; without --numbers."""

    partner: bytes = b''
    """The sender's partner document, JSON; default none."""

    numbers: str = ''
    """File that remembers control numbers between runs; written by the first."""

    codes: bytes = b''
    """Code lists newer than those built in, JSON; default none."""

    tables: str = ''
    """Folder of the tables that the plan names, as `plan load-table` fills it; default the node's own."""


class ClaimsAdjudicated(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the claims. The files hold the rest."""

    decided: int
    """Claims decided or waiting."""

    paid: int
    """Claims that pay or leave something to the patient."""

    denied: int
    """Claims denied in full."""

    waiting: int
    """Claims that a person must look at."""

    voided: int
    """Voids: earlier decisions taken back."""

    refused: int
    """Claims refused at the door with the 277CA."""

    cents: int
    """Sum of the remittances, cents."""

    files: tuple[str, ...]
    """Files written, in the folder."""

    envelopes: tuple[str, ...]
    """TA1 note codes of envelopes refused before anything was read: 025 a control number used twice."""

    gaps: tuple[str, ...]
    """Control numbers that the sender skipped since its last file: ask for these."""

    again: bool
    """Whether the file came before: it gets the answers that it got then."""


class ListAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """A case."""

    case: str
    """Id of the case."""


class CaseAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    refusal: bytes
    """TA1, 999 or 277CA of a refused case; else empty."""

    codes: str
    """The payer's code lists that refused it: source, date, digest; empty for those built in."""

    question: str
    """What the payer asked for last."""

    remittances: tuple[str, ...]
    """The 835s that pay or deny the case, oldest first."""

    statement: str
    """What went with the last round: an answer, a dispute."""

    attachment: bytes
    """The document that went with it."""


class AskFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The days on which the requests were decided."""

    first: str
    """First day, CCYYMMDD."""

    last: str
    """Last day, CCYYMMDD."""


class ApprovalFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one kind of request. Shares are of those decided, in hundredths of a percent, rounded down."""

    kind: str
    """standard (7 days) or expedited (72 hours)."""

    decided: int
    """Requests decided in these days."""

    approved: int
    """Share approved."""

    denied: int
    """Share denied."""

    in_time: int
    """Share decided in time."""

    mean_minutes: int
    """Mean time from acceptance to decision, minutes."""

    median_minutes: int
    """Median of the same (of two in the middle the lower), minutes."""


class OwnFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the rule asks a payer to publish, as far as requests are decided here: none is extended or appealed."""

    figures: tuple[ApprovalFigures, ...]
    """Standard, then expedited."""


class ListApprovals(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class ApprovalLine(msgspec.Struct, frozen=True, kw_only=True):
    """One request that this member has a part in."""

    case: str
    """Id of the case, hexadecimal."""

    side: str
    """This member's part: provider or payer."""

    other: str
    """Member id of the other party."""

    status: str
    """Where it stands on the ledger."""

    due: str
    """By when the next step, UTC; empty if none is awaited."""

    late: str
    """Who is late: payer, provider, or nobody (empty)."""

    numbers: tuple[str, ...]
    """Numbers of the approvals given."""


class Approvals(msgspec.Struct, frozen=True, kw_only=True):
    """The requests of this member."""

    approvals: tuple[ApprovalLine, ...]
    """By case id."""


class Approve(msgspec.Struct, frozen=True, kw_only=True):
    """A request and what a person decided on it."""

    case: str
    """Id of the case."""

    verdict: Literal['approve', 'deny']
    """What is decided."""

    units: int = 0
    """Units per service, thousandths; 0 as asked."""

    reason: str = ''
    """Why not: needed for a denial."""


class ApprovalDecided(msgspec.Struct, frozen=True, kw_only=True):
    """The decision stands on the ledger and is on its way."""

    numbers: tuple[str, ...]
    """Numbers of the approvals, one for each service."""


class AskApproval(msgspec.Struct, frozen=True, kw_only=True):
    """A request and the payer it goes to."""

    payer: str
    """Member id of the payer."""

    file: bytes
    """An X12 278 request with one event."""

    urgent: bool = False
    """72 hours instead of 7 days to decide."""

    attachments: tuple[bytes, ...] = ()
    """Documents in any format, 4 MB in all."""


class ApprovalAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The request is committed and on its way."""

    case: str
    """Id of the case, hexadecimal."""


class AskInformation(msgspec.Struct, frozen=True, kw_only=True):
    """A case and what it lacks."""

    case: str
    """Id of the case."""

    question: str
    """What is needed."""


class InformationAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The case waits for the provider."""

    due: str
    """By when the provider answers, UTC."""


class AuditRemittance(msgspec.Struct, frozen=True, kw_only=True):
    """A remittance and the contract it is held against."""

    file: bytes
    """The X12 835 file."""

    rates: bytes
    """One's own rates documents, a JSON list."""

    plan: bytes = b''
    """Plan document whose price changes by modifier apply; default none."""


class RemittanceAudited(msgspec.Struct, frozen=True, kw_only=True):
    """What does not balance and what was paid short."""

    sound: bool
    """Whether nothing was found; if not, the command's exit code is 1."""

    faults: tuple[str, ...]
    """Places and rules, with what would mend them."""

    shortfalls: tuple[str, ...]
    """Lines below the agreed price, with the clause."""

    missing: int
    """Sum below the agreed prices, cents."""

    unpriced: int
    """Lines for which the contract has no price."""


class ListCases(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class CaseLine(msgspec.Struct, frozen=True, kw_only=True):
    """One case that this member has a part in."""

    case: str
    """Id of the case, hexadecimal."""

    claim: str
    """The provider's number of the claim (CLM01)."""

    side: str
    """This member's part: provider or payer."""

    other: str
    """Member id of the other party."""

    status: str
    """Where it stands on the ledger."""

    round: int
    """How often it came to be decided."""

    why: str
    """What the last round is: claim, replacement, void, dispute, appeal, correction."""

    due: str
    """By when the next step, UTC; empty if none is awaited."""

    late: str
    """Who is late: payer, provider, or nobody (empty)."""

    waits: tuple[str, ...]
    """At the payer: why a person must look; what the patient told."""

    differs: str
    """Step at which the provider's own computation parts from the decision; `received`, `decided`: it names another day than the ledger; `published`: its plan was published after it."""

    remitted: bool
    """Whether the 835 of the last round is here."""


class Cases(msgspec.Struct, frozen=True, kw_only=True):
    """The cases of this member."""

    cases: tuple[CaseLine, ...]
    """In the order in which they came."""


class CheckClaims(msgspec.Struct, frozen=True, kw_only=True):
    """A file of claims, or of any transaction that is read."""

    file: bytes
    """An X12 file."""

    received: str = ''
    """Day it arrives, CCYYMMDD; default today."""

    codes: bytes = b''
    """Code lists newer than those built in, JSON; default those that the node has loaded."""


class ClaimsChecked(msgspec.Struct, frozen=True, kw_only=True):
    """What it would be refused for."""

    sound: bool
    """Whether nothing was found; if not, the command's exit code is 1."""

    faults: tuple[str, ...]
    """Level, place, rule, what was expected, what mends it."""

    notes: tuple[str, ...]
    """Deviations that are read and lose nothing."""

    codes: str
    """Loaded code lists that it was checked by: source, date, digest; empty for none."""


class CorrectClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A decided case that the payer decides again."""

    case: str
    """Id of the case."""


class CorrectionOpened(msgspec.Struct, frozen=True, kw_only=True):
    """The case is open; `claims decide` decides it by the documents given then."""

    due: str
    """By when, UTC."""


class DecideClaims(msgspec.Struct, frozen=True, kw_only=True):
    """The documents that decide what lies in the payer's inbox."""

    plan: bytes
    """The plan document, JSON."""

    rates: bytes
    """The rates documents, a JSON list."""

    members: bytes
    """Who is covered: a members document or an 834."""

    tables: str = ''
    """Folder of the tables that the plan names, as `plan load-table` fills it; default the node's own."""


class ClaimsDecided(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the inbox."""

    decided: int
    """Cases decided now."""

    refused: int
    """Cases refused at the door."""

    waiting: int
    """Cases that a person must look at."""

    remitted: int
    """Cases remitted now."""

    crossed: int
    """Claims, and later decisions of them, handed on to the payer that comes after."""

    cents: int
    """Sum of the remittances, cents."""


class DisputeDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decided case, and why its decision is contested."""

    case: str
    """Id of the case."""

    statement: str
    """Why, for the payer."""


class CaseReopened(msgspec.Struct, frozen=True, kw_only=True):
    """The case is to be decided again."""

    due: str
    """By when, UTC."""


class AskEligibility(msgspec.Struct, frozen=True, kw_only=True):
    """An inquiry, and the documents that answer it."""

    file: bytes
    """An X12 270."""

    plan: bytes
    """The plan document, JSON."""

    members: bytes
    """Who is covered: a members document or an 834."""


class EligibilityTold(msgspec.Struct, frozen=True, kw_only=True):
    """The answer."""

    file: bytes
    """The X12 271."""


class ExplainCase(msgspec.Struct, frozen=True, kw_only=True):
    """A decided case."""

    case: str
    """Id of the case."""


class CaseExplained(msgspec.Struct, frozen=True, kw_only=True):
    """The decision in plain words."""

    page: str
    """Each line and what was taken off it: code, clause, remedy (Markdown)."""

    published: str
    """Since when the ledger holds the plan, UTC; empty if it does not."""

    codes: str
    """Code lists by which the payer let it in: source, date, digest; empty for those built in."""

    trace: tuple[str, ...]
    """Each step: rule, clause, what is payable before and after."""


class Inform(msgspec.Struct, frozen=True, kw_only=True):
    """A case that waits, and the answer."""

    case: str
    """Id of the case."""

    statement: str
    """Answer."""

    attachment: bytes = b''
    """A document in any format."""


class CaseInformed(msgspec.Struct, frozen=True, kw_only=True):
    """The case is with the payer again."""

    due: str
    """By when the payer decides, UTC."""


class LiftRestriction(msgspec.Struct, frozen=True, kw_only=True):
    """A restriction whose condition does not hold."""

    id: str
    """Its id, hexadecimal."""

    reason: str
    """Why, for the patient."""


class RestrictionLifted(msgspec.Struct, frozen=True, kw_only=True):
    """It stands no more; the patient reads why."""


class LoadCodes(msgspec.Struct, frozen=True, kw_only=True):
    """Code lists, and from when they judge."""

    file: bytes
    """The code lists, JSON."""

    since: str = ''
    """First day of receipt that they judge, CCYYMMDD; default today."""


class CodesLoaded(msgspec.Struct, frozen=True, kw_only=True):
    """The lists are kept; those before them judge what came before."""

    codes: str
    """Source, date and digest, as answers tell them."""

    since: str
    """First day of receipt that they judge, CCYYMMDD."""


class OpenYear(msgspec.Struct, frozen=True, kw_only=True):
    """A plan, and the other payers that take from its accumulators."""

    plan: bytes
    """The plan document, JSON."""

    payers: tuple[str, ...]
    """Member ids of the other payers."""


class YearOpened(msgspec.Struct, frozen=True, kw_only=True):
    """The plan year stands on the ledger."""

    year: str
    """Its id, hexadecimal: for the other payers."""


class PostRemittance(msgspec.Struct, frozen=True, kw_only=True):
    """A remittance, or none for all that this node has received; and the contract."""

    file: bytes = b''
    """An X12 835 file; default all that came through the network."""

    claims: bytes = b''
    """An 837 file with the claims; default those sent from here."""

    rates: bytes = b'[]'
    """One's own rates documents, a JSON list."""


class PostedClaimLine(msgspec.Struct, frozen=True, kw_only=True):
    """One claim after posting. charge = paid + written_off + patient + denied + open."""

    claim: str
    """The own number of the claim."""

    charge: int
    """Charged, cents."""

    paid: int
    """Paid by all payers, cents."""

    written_off: int
    """Taken by contract, cents."""

    patient: int
    """The patient's share by the latest decision, cents."""

    denied: int
    """Denied, neither written off nor the patient's share, cents."""

    open: int
    """What no decision told of, cents."""


class RemittancePosted(msgspec.Struct, frozen=True, kw_only=True):
    """What each claim got, and what a person must look at."""

    sound: bool
    """Whether nothing was found; if not, the command's exit code is 1."""

    posted: tuple[PostedClaimLine, ...]
    """Claims that a payment found."""

    unmatched: tuple[str, ...]
    """Trace number, payer's number, and why nothing of one's own is posted."""

    faults: tuple[str, ...]
    """What does not balance, by place and rule."""

    missing: int
    """Sum below the agreed prices, cents."""


class RecomputeDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decided case and the contract it is held against."""

    case: str
    """Id of the case."""

    rates: bytes
    """One's own rates documents, a JSON list."""

    tables: str = ''
    """One's own folder of the tables that the plan names, as `plan load-table` fills it; default the node's own. Rows of tables that are not there are believed."""


class DecisionRecomputed(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the payer's decision is what the contract gives."""

    step: str
    """First step at which the two part; empty if they are the same."""

    own: int
    """What the claim pays by one's own contract, cents."""

    decided: int
    """What the payer decided, cents."""


class ShowRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for prior authorisation."""

    case: str
    """Id of the case."""


class RequestShown(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked, with what, and what was answered."""

    request: bytes
    """The 278 request."""

    attachments: tuple[bytes, ...]
    """The documents that came with it."""

    answer: bytes
    """The 278 response; empty before."""


class ListRestrictions(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class RestrictionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One restriction."""

    id: str
    """Its id, hexadecimal."""

    link: str
    """The patient's link, hexadecimal."""

    first: str
    """First day of service, CCYYMMDD."""

    last: str
    """Last day of service, CCYYMMDD."""

    codes: tuple[str, ...]
    """Procedure or revenue codes; none for every one."""

    payer: str
    """Member id of the payer; empty for every one."""

    lifted: str
    """Why it stands no more; empty while it does."""


class RestrictionsListed(msgspec.Struct, frozen=True, kw_only=True):
    """What no payer is told of."""

    restrictions: tuple[RestrictionLine, ...]
    """By link, in the order they came."""


class RuleOnClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A case that waits for a person, and what the person decided."""

    case: str
    """Id of the case."""

    verdict: Literal['allow', 'deny', 'uphold']
    """allow: the step does not apply; deny: it does; uphold: as decided."""

    basis: str
    """Why."""

    step: str = ''
    """Step that denies or waits; empty with uphold."""

    line: int = 0
    """Line; 0 for every one."""


class Ruled(msgspec.Struct, frozen=True, kw_only=True):
    """The ruling is kept; `claims decide` decides by it."""

    rulings: int
    """Rulings on this round of the case."""


class SubmitSecondary(msgspec.Struct, frozen=True, kw_only=True):
    """A decided case, and the payer that comes after."""

    case: str
    """Id of the first payer's case."""

    payer: str
    """Member id of the payer that comes after."""

    identifier: str
    """That payer's identifier in claims."""

    name: str
    """Its name in claims."""

    number: str
    """The patient's number there."""

    filing: str = 'CI'
    """SBR09: MB Medicare part B."""


class ClaimsSubmitted(msgspec.Struct, frozen=True, kw_only=True):
    """The claims are committed and on their way."""

    cases: tuple[str, ...]
    """Ids of the cases, hexadecimal, in the order of the file."""

    refused: int
    """Claims that the own check refused: they were not sent."""

    withheld: tuple[str, ...]
    """Own numbers of claims not sent: the patient paid in full and asked that no payer be told."""

    due: str
    """By when the payer accepts or refuses, UTC; empty if none is new."""

    gaps: tuple[str, ...]
    """Control numbers skipped since the last file of the same sender and receiver."""

    codes: str
    """Code lists of the own check: source, date, digest; empty for those built in."""


class ShareYear(msgspec.Struct, frozen=True, kw_only=True):
    """A plan whose accumulators another member keeps."""

    plan: bytes
    """This payer's plan document, JSON."""

    year: str
    """Id of the plan year."""


class YearShared(msgspec.Struct, frozen=True, kw_only=True):
    """Claims of the plan are decided on the keeper's cells."""

    keeper: str
    """Member id of the keeper, as the ledger has it."""


class AskClaimStatus(msgspec.Struct, frozen=True, kw_only=True):
    """An inquiry."""

    file: bytes
    """An X12 276."""


class ClaimStatusTold(msgspec.Struct, frozen=True, kw_only=True):
    """The answer."""

    file: bytes
    """The X12 277."""


class SubmitClaims(msgspec.Struct, frozen=True, kw_only=True):
    """Claims and the payer they go to."""

    payer: str
    """Member id of the payer."""

    file: bytes
    """An X12 837 file: new claims, replacements (7), voids (8)."""

    link: str = ''
    """The patient's link, for a file with one claim; else patients are known by their member numbers."""


class AskTimeliness(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class PayerTimeliness(msgspec.Struct, frozen=True, kw_only=True):
    """How one payer keeps its clocks."""

    payer: str
    """Member id."""

    decided: int
    """Requests decided."""

    in_time: int
    """Of these, decided in time."""

    open: int
    """Requests not decided yet."""

    overdue: int
    """Of these, overdue now."""


class Timeliness(msgspec.Struct, frozen=True, kw_only=True):
    """Prior authorisations per payer, computed from the ledger alone."""

    payers: tuple[PayerTimeliness, ...]
    """By member id."""


class WithdrawClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A case that is not decided."""

    case: str
    """Id of the case."""


class ClaimWithdrawn(msgspec.Struct, frozen=True, kw_only=True):
    """The case has ended."""


class AnswerCorrection(msgspec.Struct, frozen=True, kw_only=True):
    """Which request, and the answer."""

    request: str
    """Its id, hexadecimal."""

    outcome: Literal['amended', 'declined']
    """Whether the record was amended (by a new version), or not."""

    reason: str
    """What the patient is told: what was changed, or why not."""


class CorrectionAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """The patient sees the answer, and is told that there is one where an address is known."""

    request: str
    """Its id, hexadecimal."""


class AskCorrectionList(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class CorrectionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A patient's request to correct."""

    request: str
    """Its id, hexadecimal."""

    link: str
    """Link of the patient, hexadecimal."""

    type: str
    """Resource type."""

    id: str
    """Logical id of the record."""

    text: str
    """What is wrong, in the patient's words."""

    made: str
    """When, UTC."""

    due: str
    """By when it is to be answered, UTC."""

    overdue: bool
    """Whether that has passed unanswered."""

    outcome: str
    """amended, declined; empty: not answered yet."""

    reason: str
    """What the patient was told."""


class CorrectionList(msgspec.Struct, frozen=True, kw_only=True):
    """All requests to correct."""

    requests: tuple[CorrectionLine, ...]
    """Oldest first."""


class AskWaiting(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class WaitingLine(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not acknowledged yet."""

    id: str
    """Id of the delivery, hexadecimal."""

    kind: str
    """What is sent."""

    receiver: str
    """Member it goes to; `patient` for a notice."""

    since: str
    """Since when it waits, UTC."""

    tries: int
    """How often it was tried."""

    failure: str
    """Code of the last failure."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for its receiver."""

    deliveries: tuple[WaitingLine, ...]
    """The longest waiting first."""


class ListEmergencies(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class EmergencyLine(msgspec.Struct, frozen=True, kw_only=True):
    """One emergency access that this member opened."""

    emergency: str
    """Its id, hexadecimal."""

    opened: str
    """When, UTC."""

    status: str
    """open or reviewed; while the ledger is out of reach, waiting for it, or written: the review waits for it."""

    due: str
    """By when it is reviewed, UTC."""

    overdue: bool
    """Whether that has passed: every member sees it."""

    reason: str
    """Why the patient could not be asked; empty once what was read is purged."""

    person: str
    """Subject of the person who opened it."""

    role: str
    """Role of that person."""

    members: tuple[str, ...]
    """Members that were asked."""


class Emergencies(msgspec.Struct, frozen=True, kw_only=True):
    """The emergency accesses of this member."""

    emergencies: tuple[EmergencyLine, ...]
    """Oldest first."""


class OpenEmergency(msgspec.Struct, frozen=True, kw_only=True):
    """Which one patient, where, and why no permission could be asked for."""

    at: tuple[str, ...]
    """Members to ask."""

    reason: Literal['unconscious', 'life-threatening', 'incapable', 'other-danger']
    """Why no permission could be asked for; the patient's log says it."""

    credential: str
    """Credential of who asks, for purpose ETREAT."""

    name: str = ''
    """The patient's name."""

    birth_date: str = ''
    """Whole birth date."""

    links: tuple[str, ...] = ()
    """From the patient's emergency card: the link at each member of `at`, in that order."""


class ChartLine(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a chart."""

    number: int
    """Its number, for `records show`."""

    type: str
    """Resource type."""

    date: str
    """Clinical date, UTC; empty if it has none."""

    label: str
    """What it is."""

    status: str
    """Its status."""

    sensitivity: str
    """Sensitivity class."""

    origin: str
    """`own`, or `lease` for what was pulled from another member."""


class AskFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A member that did not answer."""

    member: str
    """Member asked."""

    code: str
    """Code of its refusal, or of why it could not be reached."""


class EmergencyOpened(msgspec.Struct, frozen=True, kw_only=True):
    """What came, from allergies and conditions to recent results."""

    emergency: str
    """Id of the emergency, for its review within 72 hours; hexadecimal."""

    deferred: bool
    """Whether the ledger was out of reach: it is committed when it is back."""

    lines: tuple[ChartLine, ...]
    """The records, newest first; purged after 72 hours."""

    failures: tuple[AskFailure, ...]
    """Members that did not answer."""


class ReviewAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Which emergency access, and what its review found."""

    emergency: str
    """Its id."""

    findings: str
    """The review; it stays at this member."""


class Reviewed(msgspec.Struct, frozen=True, kw_only=True):
    """The review is kept."""

    committed: bool
    """Whether its digest is on the ledger; else it is committed when the ledger is back."""


class InstallEngine(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """The consortium's engine."""

    path: str
    """Where the program is."""

    version: str
    """Its version."""

    built: bool
    """Whether it was built now."""


class AdvanceErasures(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class ErasuresAdvanced(msgspec.Struct, frozen=True, kw_only=True):
    """What was due is done."""

    moved: int
    """Cases that took a step."""


class CancelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which erasure, and by what it is called off."""

    case: str
    """The case, hexadecimal."""

    rank: Literal['recovery-contacts', 'in-person']
    """What authorises it: more than what authorised the request."""


class ErasureStepped(msgspec.Struct, frozen=True, kw_only=True):
    """The step stands on the ledger."""

    case: str
    """The case."""


class ListErasures(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class ErasureLine(msgspec.Struct, frozen=True, kw_only=True):
    """One erasure at this member."""

    case: str
    """Its case on the ledger, hexadecimal."""

    about: str
    """`record` of a patient, or `lease`: what was pulled under a grant."""

    status: str
    """requested, cancelled, retained, deleted or erased."""

    opened: str
    """When it was opened, UTC."""

    earliest: str
    """Before this nothing is deleted, UTC."""

    due: str
    """By when the next step is due, UTC; empty when none remains."""

    overdue: bool
    """Whether that has passed."""


class Erasures(msgspec.Struct, frozen=True, kw_only=True):
    """The erasures of this member."""

    cases: tuple[ErasureLine, ...]
    """Oldest first."""


class ReleaseRecords(msgspec.Struct, frozen=True, kw_only=True):
    """Which erasure is no longer held up."""

    case: str
    """The case, hexadecimal."""


class RecordsReleased(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the records."""

    case: str
    """The case."""

    duty: str
    """The trial's duty that keeps them on; empty: they are deleted."""


class RetainRecords(msgspec.Struct, frozen=True, kw_only=True):
    """Which erasure, and why the law lets it wait."""

    case: str
    """The case, hexadecimal."""

    reason: Literal['legal-obligation', 'public-health', 'archiving', 'legal-claims']
    """Class of the reason (GDPR Art. 17(3)(b) to (e))."""


class ExportLedger(msgspec.Struct, frozen=True, kw_only=True):
    """Where to write it."""

    file: str
    """File to write."""


class LedgerExported(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger is one file, which `salus verify` checks."""

    blocks: int
    """Blocks in it."""

    size: int
    """Leaves of the checkpoint that ends it."""


class CheckFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Files to check."""

    paths: tuple[str, ...]
    """Files (.json of one resource or Bundle, .ndjson; gzip or not) or folders of them."""

    package: tuple[str, ...] = ()
    """FHIR packages (.tgz) whose profiles are checked where a resource claims them."""

    profile: tuple[str, ...] = ()
    """Profiles that every resource of their type must meet."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How often one rule was broken."""

    rule: str
    """Key of an invariant, or kind of check."""

    severity: str
    """error or warning."""

    findings: int
    """Findings."""


class FilesChecked(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    sound: bool
    """Whether no resource has an error; if not, the command's exit code is 1."""

    resources: int
    """Resources read; a Bundle counts as one."""

    good: int
    """Resources without an error."""

    rules: tuple[Rules, ...]
    """Rules broken, most frequent first."""

    findings: tuple[str, ...]
    """File:line, severity, rule, FHIRPath of the element, what was expected; the first thousand."""


class AnswerHostQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What the patient said in person."""

    link: str
    """The patient's link."""

    grant: str
    """The permission."""

    yes: bool = False
    """Whether the patient wants it."""


class HostQuestionAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """The word is kept; the first one holds."""

    grant: str
    """The permission."""


class EndHosting(msgspec.Struct, frozen=True, kw_only=True):
    """Whose wallet to keep no longer."""

    system: str
    """Who assigned the identifier: a URI."""

    value: str
    """The identifier."""


class HostingEnded(msgspec.Struct, frozen=True, kw_only=True):
    """The keys are gone here. Without a recovery sheet or another copy they are gone for good."""

    wallet: str
    """Name of the wallet."""


class ListHosted(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class HostedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet, without whose it is."""

    wallet: str
    """Its name."""

    members: int
    """Members that it has joined."""

    opened: str
    """When it was opened, UTC."""


class HostedListed(msgspec.Struct, frozen=True, kw_only=True):
    """The wallets kept here."""

    wallets: tuple[HostedLine, ...]
    """Oldest first."""


class NoteHost(msgspec.Struct, frozen=True, kw_only=True):
    """What a patient said at the counter: who keeps the wallet."""

    link: str
    """The patient's link."""

    host: str = ''
    """Member that keeps the wallet; empty: the patient keeps it again."""


class HostNoted(msgspec.Struct, frozen=True, kw_only=True):
    """From now that member reads under a new permission only after the patient's word."""

    link: str
    """The link."""

    host: str
    """Member that keeps the wallet; empty: none."""


class OpenHosting(msgspec.Struct, frozen=True, kw_only=True):
    """Whose wallet to keep: a patient of this member who chose so, and whose identity was proofed."""

    system: str
    """Who assigned the identifier: a URI."""

    value: str
    """The identifier."""


class SignInLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link to hand to that person and to nobody else."""

    link: str
    """The address: good once, for ten minutes."""

    ends: str
    """When the session ends at the latest, UTC. Idle for 30 minutes ends it too."""


class ListHostQuestions(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class HostQuestionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A permission in favour of who keeps the wallet, which waits for the patient's word."""

    link: str
    """The patient's link."""

    grant: str
    """The permission."""

    host: str
    """Member that keeps the wallet and would read."""

    purposes: tuple[str, ...]
    """What for."""

    classes: tuple[str, ...]
    """Classes of records."""

    until: str
    """Until when, UTC."""

    told: bool
    """Whether an address is known that the question was sent to."""


class HostQuestions(msgspec.Struct, frozen=True, kw_only=True):
    """What waits."""

    questions: tuple[HostQuestionLine, ...]
    """Oldest first."""


class SignInHosted(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to let in again, after proofing who the person is."""

    system: str
    """Who assigned the identifier: a URI."""

    value: str
    """The identifier."""


class Compare(msgspec.Struct, frozen=True, kw_only=True):
    """Which two links."""

    one: str
    """A patient's link."""

    other: str
    """Another one."""

    purpose: str = 'HOPERAT'
    """What it is read for: a code of v3-ActReason."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What one field says."""

    field: str
    """The field."""

    says: str
    """same, near or different."""

    weight: int
    """Its weight, tenths of a bit."""


class PairLine(msgspec.Struct, frozen=True, kw_only=True):
    """Two links, without who they are."""

    pair: str
    """The pair, hexadecimal."""

    one: str
    """A link, hexadecimal."""

    other: str
    """Another link, hexadecimal."""

    standing: str
    """waiting, same or different."""

    score: int
    """Evidence that they are one person, tenths of a bit."""

    evidence: tuple[Evidence, ...]
    """What makes the score."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two, as it is compared."""

    link: str
    """Its link, hexadecimal."""

    name: str
    """Name for display; empty where the records are closed."""

    names: tuple[str, ...]
    """Family names, then given names."""

    birth_date: str
    """Date of birth as written."""

    gender: str
    """Administrative gender."""

    identifiers: tuple[str, ...]
    """Identifiers, as SYSTEM|VALUE."""

    contacts: tuple[str, ...]
    """Telephone numbers (last nine figures), e-mail, addresses."""


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """One decision."""

    standing: str
    """waiting, same or different."""

    by: str
    """Subject of the person, `operator`, or `rule`."""

    reason: str
    """Why."""

    at: str
    """When, UTC."""


class PairShown(msgspec.Struct, frozen=True, kw_only=True):
    """A pair explained."""

    line: PairLine
    """What it is and what makes its score."""

    sides: tuple[Side, ...]
    """The two."""

    decisions: tuple[Decided, ...]
    """Oldest first."""

    party: tuple[str, ...]
    """All links joined with the first of them, itself included."""


class Decide(msgspec.Struct, frozen=True, kw_only=True):
    """Which pair is what."""

    pair: str
    """The pair, hexadecimal."""

    standing: Literal['same', 'different']
    """One patient, or two."""

    reason: str
    """Why, for whoever looks later."""

    stood: Literal['', 'waiting', 'same', 'different'] = ''
    """How the pair stood when it was looked at: refused where somebody decided it since; empty: not asked."""

    purpose: str = 'HOPERAT'
    """What it is read for: a code of v3-ActReason."""


class ListPairs(msgspec.Struct, frozen=True, kw_only=True):
    """Which pairs."""

    standing: Literal['waiting', 'same', 'different'] = 'waiting'
    """What was found."""

    limit: int = 100
    """Pairs at most."""

    purpose: str = 'HOPERAT'
    """What it is read for: a code of v3-ActReason."""


class PairList(msgspec.Struct, frozen=True, kw_only=True):
    """Pairs, the likeliest first."""

    pairs: tuple[PairLine, ...]
    """The pairs."""


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """How far back."""

    anew: bool = False
    """Compare all patients, as for the first time; decisions stand."""


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared and found."""

    patients: int
    """Patients that came or changed since the last time."""

    compared: int
    """Pairs compared."""

    joined: int
    """Pairs now the same by rule: one assigner's identifier, nothing against it."""

    waiting: int
    """Pairs that now wait for a person."""


class ShowPair(msgspec.Struct, frozen=True, kw_only=True):
    """Which pair."""

    pair: str
    """The pair, hexadecimal."""

    purpose: str = 'HOPERAT'
    """What it is read for: a code of v3-ActReason."""


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """Which decision to take back."""

    pair: str
    """The pair, hexadecimal."""

    reason: str
    """Why, for whoever looks later."""

    stood: Literal['', 'waiting', 'same', 'different'] = ''
    """How the pair stood when it was looked at: refused where somebody decided it since; empty: not asked."""

    purpose: str = 'HOPERAT'
    """What it is read for: a code of v3-ActReason."""


class JoinConsortium(msgspec.Struct, frozen=True, kw_only=True):
    """The way in."""

    invitation: bytes
    """The invitation, from `salus network invite` at a member."""


class ConsortiumJoined(msgspec.Struct, frozen=True, kw_only=True):
    """The replica is here: `salus serve` next."""

    network: str
    """Network id, hexadecimal: compare it with what the inviting member read."""

    snapshot: int
    """Height of the snapshot that was proven and taken."""

    height: int
    """Height reached."""

    digest: str
    """The ledger's digest there, hexadecimal."""


class ListLines(msgspec.Struct, frozen=True, kw_only=True):
    """Whose lines."""

    link: str
    """The patient's link."""

    after: int = 0
    """Number of the last line seen."""

    limit: int = 1000
    """Lines at most."""


class JournalLine(msgspec.Struct, frozen=True, kw_only=True):
    """One disclosure."""

    number: int
    """Its number under the link."""

    time: str
    """When, UTC."""

    member: str
    """Whose people or program received it."""

    person: str
    """Pairwise subject of the person; empty for a program."""

    role: str
    """In which role."""

    purpose: str
    """What for."""

    action: str
    """What was done: serve, chart, read, find, export."""

    what: str
    """What was disclosed, by type and number."""

    grant: str
    """Under which grant, hexadecimal; empty for the own people."""

    transaction: str
    """Transaction that anchored it; empty while it waits."""


class JournalLines(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of a link's journal."""

    lines: tuple[JournalLine, ...]
    """Oldest first."""


class AskBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Which block."""

    height: int
    """Its height."""


class BlockLine(msgspec.Struct, frozen=True, kw_only=True):
    """A block."""

    height: int
    """Its height."""

    time: str
    """Block time, UTC."""

    transactions: int
    """How many transactions it holds."""

    log_size: int
    """Leaves of the log after it."""

    state_root: str
    """Root of the state after it, hexadecimal."""

    app_hash: str
    """Digest of log size and log root after it, hexadecimal."""


class TransactionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction as it stands in a block."""

    id: str
    """Its id, hexadecimal."""

    kind: str
    """Its message: `records.anchor`."""

    submitter: str
    """Member that sent it."""

    authored: bool
    """Whether a one-time key speaks in it."""

    result: str
    """`applied`, or the reason it was rejected for."""


class BlockShown(msgspec.Struct, frozen=True, kw_only=True):
    """A block with its transactions."""

    block: BlockLine
    """The block."""

    transactions: tuple[TransactionLine, ...]
    """In their order."""


class ListBlocks(msgspec.Struct, frozen=True, kw_only=True):
    """Which blocks."""

    before: int = 0
    """Blocks below this height; 0: from the newest."""

    limit: int = 50
    """Blocks at most."""


class Blocks(msgspec.Struct, frozen=True, kw_only=True):
    """A page of blocks."""

    head: int
    """Height of the newest block: the ledger has so many."""

    blocks: tuple[BlockLine, ...]
    """Newest first."""


class AskTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """Which transaction."""

    transaction: str
    """Its id, hexadecimal."""


class TransactionShown(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction and what became of it."""

    line: TransactionLine
    """The transaction."""

    height: int
    """Block that holds it."""

    time: str
    """Block time, UTC."""

    index: int
    """Index of its leaf in the log."""

    data: str
    """Result data, hexadecimal: what its receipt proves."""

    message: str
    """The message as JSON, bytes in hexadecimal."""


class SetContact(msgspec.Struct, frozen=True, kw_only=True):
    """How a patient is told of what happens to the record."""

    link: str
    """The patient's link."""

    address: str
    """E-mail address; empty forgets it."""


class ContactSet(msgspec.Struct, frozen=True, kw_only=True):
    """It is kept, encrypted, beside the vault."""

    link: str
    """The link."""


class Invite(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to invite: a patient of this member, whose identity was proofed."""

    system: str
    """Who assigned the identifier: a URI."""

    value: str
    """The identifier."""


class Invited(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation, to be handed to the patient and to nobody else."""

    invitation: str
    """The text: as it stands, or as a QR code."""

    link: str
    """The patient's link, hexadecimal."""

    expires: str
    """Until when it is good, UTC. It is good once."""


class ListLinks(msgspec.Struct, frozen=True, kw_only=True):
    """Which links."""

    after: str = ''
    """The last link of the page before."""

    limit: int = 1000
    """Links at most."""


class LinkLine(msgspec.Struct, frozen=True, kw_only=True):
    """A link, without who it is."""

    link: str
    """Its id, hexadecimal."""

    standing: str
    """open, closed, retained or erased."""

    enrolled: bool
    """Whether a wallet holds its key."""

    records: int
    """Records written under it."""

    disclosures: int
    """Lines of its disclosure journal."""

    opened: str
    """When it was opened, UTC."""


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """Patients' links of this member."""

    links: tuple[LinkLine, ...]
    """The links, in order of their ids."""


class Drop(msgspec.Struct, frozen=True, kw_only=True):
    """A message that nobody needs."""

    id: str
    """The message's id, as `messages list` shows it."""

    reason: str
    """Why, without naming anybody."""


class MessageLine(msgspec.Struct, frozen=True, kw_only=True):
    """One message."""

    id: str
    """Its id here, hexadecimal."""

    received: str
    """When it came, UTC."""

    sender: str
    """Application and facility (MSH-3, MSH-4)."""

    control: str
    """Its control id (MSH-10)."""

    kind: str
    """Type and event (MSH-9); empty when it could not be read."""

    state: str
    """held, taken or dropped."""

    reason: str
    """Field and error code (table 0357) of a refusal; of a message taken, what was not carried over."""


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """The message's bytes are gone; that it came, and why it was dropped, stays."""

    line: MessageLine
    """What is known of it."""


class ListMessages(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages."""

    state: str = 'held'
    """held, taken or dropped."""

    limit: int = 100
    """Messages at most."""


class Messages(msgspec.Struct, frozen=True, kw_only=True):
    """Messages."""

    messages: tuple[MessageLine, ...]
    """The newest first."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What to try again."""

    id: tuple[str, ...] = ()
    """Ids of messages held; none: all that are held."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    taken: int
    """Messages now taken."""

    held: tuple[MessageLine, ...]
    """Messages that are still held, and why."""


class ShowMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Which message."""

    id: str
    """The message's id, as `messages list` shows it."""


class MessageShown(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is held, as it came."""

    line: MessageLine
    """What is known of it."""

    segments: tuple[str, ...]
    """Its segments as received; none once it is taken or dropped."""


class Assemble(msgspec.Struct, frozen=True, kw_only=True):
    """What to found, and by whom."""

    network: str
    """The network's name: lower-case letters, digits, hyphens."""

    cards: tuple[str, ...]
    """Cards of all founders."""

    shares: tuple[str, ...]
    """The validators' shares, as `salus network share` prints them."""

    agreement: str = ''
    """The agreement that all founders signed, as a file; its digest is founded."""


class Assembled(msgspec.Struct, frozen=True, kw_only=True):
    """The founding, the same for every member."""

    founding: bytes
    """The file for `salus network begin`."""

    network: str
    """Network id, hexadecimal: read it to each other."""

    tolerated: int
    """How many members may lie or be down without harm to the others."""


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """What all begin from."""

    founding: bytes
    """The founding file, from `salus network assemble` or `hand-over`."""


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's folder is ready: `salus serve` next."""

    network: str
    """Network id, hexadecimal: compare it with the others'."""

    height: int
    """Block after which CometBFT orders."""

    validates: bool
    """Whether this member has a vote in it."""

    members: tuple[str, ...]
    """Who founded the ledger: all that you expect, and nobody else."""


class MakeCard(msgspec.Struct, frozen=True, kw_only=True):
    """Who the member is."""

    name: str
    """Legal name of the organisation."""

    roles: tuple[Literal['dispenser', 'distributor', 'manufacturer', 'payer', 'provider', 'regulator', 'researcher', 'site', 'sponsor'], ...]
    """What it does in the network."""

    jurisdiction: str
    """Whose law it is under: ISO 3166-1 alpha-2, or 3166-2."""

    endpoint: str = ''
    """Where its node answers others: an https URL; empty while it has none."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A member's public card."""

    card: str
    """The card: give it to whoever founds the network, or proposes you."""

    signing_key: str
    """Ed25519 key, hexadecimal: read it to them over another channel."""


class CertifyNode(msgspec.Struct, frozen=True, kw_only=True):
    """Which certificates; without any, the one that the configuration names (`http.tls_certificate`)."""

    certificate: bytes = b''
    """The certificate in use, PEM, where a proxy in front has it."""

    also: bytes = b''
    """A second certificate, PEM, whose key holds too: the next, before it takes the first one's place."""


class NodeCertified(msgspec.Struct, frozen=True, kw_only=True):
    """They stand on the ledger: other members' nodes talk to a holder of one of these keys, and to nobody else."""

    keys: tuple[str, ...]
    """SHA-256 of each key's SubjectPublicKeyInfo (DER), hexadecimal."""

    height: int
    """Block that holds them."""


class CreateNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """The network to create on this machine."""

    network: str
    """The network's name."""

    members: tuple[str, ...]
    """Ids of the members."""

    folder: str = 'salus-network'
    """Folder of the network."""


class CreatedNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """The network stands; start it next."""

    network: str
    """Network id, hexadecimal."""

    members: int
    """How many members it has."""

    tolerated: int
    """How many of them may lie or be down without harm to the others."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The network to found. This member orders its ledger."""

    network: str
    """The network's name: lower-case letters, digits, hyphens."""

    card: str
    """This member's own card."""

    others: tuple[str, ...] = ()
    """Cards of the other founders."""

    agreement: str = ''
    """The agreement that all founders signed, as a file; its digest is founded."""

    accept_forgetting: bool = False
    """Accept, founding alone with the list of erasures in the data folder, that this node, put back from an old image of the folder, cannot know whom it erased since: nobody else holds the ledger that tells."""


class Founded(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger stands."""

    network: str
    """Network id, hexadecimal: joining members are told it."""

    members: int
    """How many founders it has."""


class HandOver(msgspec.Struct, frozen=True, kw_only=True):
    """Who orders from now on: the validators that the members voted for."""

    shares: tuple[str, ...]
    """The validators' shares, as `salus network share` prints them."""


class HandedOver(msgspec.Struct, frozen=True, kw_only=True):
    """From here on this node orders no more by itself."""

    founding: bytes
    """The file for `salus network begin` at every other member."""

    height: int
    """The last block that this node ordered."""

    digest: str
    """The ledger's digest there, hexadecimal."""


class InviteMember(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class MemberInvited(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation into the consortium. It holds no secret, but what it trusts must not be altered on the way."""

    invitation: bytes
    """The file for `salus join`, good for some days."""

    network: str
    """Network id, hexadecimal: read it to the new member."""

    header: str
    """Hash of the header that it trusts, hexadecimal: read it too."""


class Join(msgspec.Struct, frozen=True, kw_only=True):
    """The network to join; `ledger.owner` and `ledger.url` in the configuration say where."""

    network: str
    """Network id, from somebody you trust."""


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """The replica is founded; it follows the owner as soon as the node runs."""

    network: str
    """Network id, hexadecimal."""


class AskLogs(msgspec.Struct, frozen=True, kw_only=True):
    """Whose log."""

    member: str
    """Id of the member."""

    lines: int = 50
    """How many of the last lines."""

    folder: str = 'salus-network'
    """Folder of the network."""


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a log."""

    lines: tuple[str, ...]
    """The last lines."""


class ListMembers(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class MemberLine(msgspec.Struct, frozen=True, kw_only=True):
    """A member as the ledger has it."""

    id: str
    """Its id."""

    name: str
    """Legal name of the organisation."""

    roles: str
    """What it does in the network."""

    jurisdiction: str
    """Whose law it is under."""

    endpoint: str
    """Where its node answers."""

    standing: str
    """active, suspended or removed."""

    signing_key: str
    """Its Ed25519 key in force, hexadecimal."""

    tls_keys: str
    """Keys with which its node answers, SHA-256 of each, hexadecimal; empty: any of an authority."""


class Members(msgspec.Struct, frozen=True, kw_only=True):
    """Who is in the network."""

    members: tuple[MemberLine, ...]
    """In order of their ids."""


class MoveNode(msgspec.Struct, frozen=True, kw_only=True):
    """Where this member's node answers from now on."""

    endpoint: str
    """An https URL, or empty while it has none."""


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """It stands on the ledger."""

    height: int
    """Block that holds it."""


class NewKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class AskNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """Which network."""

    folder: str = 'salus-network'
    """Folder of the network."""


class MemberState(msgspec.Struct, frozen=True, kw_only=True):
    """One member's node."""

    member: str
    """Id of the member."""

    url: str
    """Where its node answers."""

    running: bool
    """Whether its node runs and answers."""

    height: int = -1
    """Height of its newest block; -1 while it does not run."""

    cosigned: int = 0
    """How many cosigners signed its newest checkpoint."""

    trouble: str = ''
    """What keeps it from serving, or nothing."""


class NetworkState(msgspec.Struct, frozen=True, kw_only=True):
    """The members' nodes."""

    members: tuple[MemberState, ...]
    """The members, ascending by id."""


class AskPath(msgspec.Struct, frozen=True, kw_only=True):
    """Between which sizes of the log."""

    old: int
    """The smaller size: a receipt's."""

    new: int
    """The larger one: a trust file's."""


class PathFile(msgspec.Struct, frozen=True, kw_only=True):
    """A consistency path (RFC 9162 section 2.1.4)."""

    path: bytes
    """What carries an older receipt to a trust file, for `salus verify`."""


class ListProposals(msgspec.Struct, frozen=True, kw_only=True):
    """Which proposals."""

    all: bool = False
    """Decided ones too."""


class ProposalLine(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal."""

    proposal: str
    """Its id, hexadecimal."""

    act: str
    """What is proposed."""

    proposer: str
    """Who proposed it."""

    status: str
    """open, passed, failed, or expired when its time was over."""

    closes: str
    """The last moment at which a ballot counts, UTC."""

    approve: int
    """Ballots for it."""

    reject: int
    """Ballots against it."""

    needed: int
    """Ballots for it that are enough."""

    voted: bool
    """Whether this member has voted."""

    detail: str
    """The act in full, as JSON."""


class Proposals(msgspec.Struct, frozen=True, kw_only=True):
    """What members vote on."""

    proposals: tuple[ProposalLine, ...]
    """The oldest first."""


class ProposeAdmit(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to be admitted, under the agreement in force."""

    card: str
    """The member's card, as its own `salus network card` prints it."""


class Proposed(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal, with this member's ballot for it."""

    proposal: str
    """Its id, hexadecimal."""

    status: str
    """open, passed or failed."""

    approve: int
    """Ballots for it so far."""

    needed: int
    """Ballots for it that are enough."""


class ProposeParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Which parameters are to change."""

    changes: Any
    """New values by name, as docs/reference/messages.md lists them; the rest stays."""


class ProposeReinstate(msgspec.Struct, frozen=True, kw_only=True):
    """Whose suspension is to end."""

    member: str
    """Id of the member."""


class ProposeRemove(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to be removed for good."""

    member: str
    """Id of the member."""


class ProposeReplaceKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Whose keys are to be replaced: a member that lost its own, or of whom a thief has them, makes a new card."""

    card: str
    """The member's card, as its own `salus network card` prints it."""


class ProposeRules(msgspec.Struct, frozen=True, kw_only=True):
    """Which rule version is to hold from when."""

    version: int
    """The rule version."""

    height: int
    """First block under it."""


class ProposeSuspend(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to be suspended."""

    member: str
    """Id of the member."""


class ValidatorLine(msgspec.Struct, frozen=True, kw_only=True):
    """A validator as it is to stand."""

    member: str
    """Id of an active member."""

    consensus_key: str
    """Its Ed25519 key in the consensus engine."""

    power: int
    """Its weight; 0 ends its part."""


class ProposeValidators(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to order transactions."""

    changes: tuple[ValidatorLine, ...]
    """Those that change."""


class AskReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """Which transaction."""

    transaction: str
    """Its id, hexadecimal."""


class ReceiptFile(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction's receipt."""

    receipt: bytes
    """COSE receipt (RFC 9942) with its leaf, for `salus verify`."""

    size: int
    """Size of the checkpoint it stands under."""


class Rotate(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """The new keys are in force."""

    signing_key: str
    """The new Ed25519 key, hexadecimal."""

    height: int
    """Block from which it holds."""


class MakeShare(msgspec.Struct, frozen=True, kw_only=True):
    """Where the engine will be met."""

    address: str
    """host:port at which other members' engines reach this one."""


class MadeShare(msgspec.Struct, frozen=True, kw_only=True):
    """A member's public share."""

    share: str
    """The share: give it to whoever assembles the founding."""

    consensus_key: str
    """Ed25519 key of its votes, hexadecimal, for a vote on validators."""


class AskStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Where the ledger stands, as this node sees it."""

    network: str
    """Network id, hexadecimal."""

    orders: str
    """Member that orders transactions; empty where the validators do."""

    height: int
    """Newest block."""

    log_size: int
    """Leaves in the log."""

    head_age_seconds: int
    """Age of the newest block: it grows while nothing happens."""

    reachable: bool
    """Whether who orders was heard of a moment ago."""

    checkpoint_size: int
    """Size of the newest checkpoint that enough members signed; 0: none."""

    cosigned_by: tuple[str, ...]
    """Members that signed it."""

    cosigners: int
    """Members whose signature counts."""

    needed: int
    """How many must sign."""

    stopped: str
    """Why nothing more is taken here; empty while all is well."""

    two_roots: str
    """Evidence that somebody rewrote history: call the others. Empty: none."""


class AskTrust(msgspec.Struct, frozen=True, kw_only=True):
    """What a verifier should require."""

    witnesses: int = 0
    """How many outside witnesses must have signed."""


class TrustFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a verifier starts from. Give it to others over a channel they trust."""

    trust: str
    """The trust file, for `salus verify --trust` and `salus wallet new --trust`."""


class CastVote(msgspec.Struct, frozen=True, kw_only=True):
    """A ballot of this member."""

    proposal: str
    """Id of the proposal."""

    approve: bool
    """For it, or against."""


class OperatorSignIn(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class ListAccounts(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class AccountLine(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may come back."""

    kind: str
    """staff: a person of this member; wallet: the patient of a hosted wallet."""

    name: str
    """Subject, or name of the wallet."""

    role: str
    """Role; empty for a patient."""

    purposes: tuple[str, ...]
    """What the person may read for."""

    passkeys: int
    """How many passkeys open it."""

    used: str
    """When one last did, UTC; empty: never."""


class AccountsListed(msgspec.Struct, frozen=True, kw_only=True):
    """Who may come back without a link."""

    accounts: tuple[AccountLine, ...]
    """By kind and name."""


class DismissPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to be let in no more."""

    subject: str
    """Name that only this member can resolve."""


class PersonDismissed(msgspec.Struct, frozen=True, kw_only=True):
    """The person's sessions have ended and no passkey of theirs opens one. A credential issued to a key of their own ends by time."""

    passkeys: int
    """How many passkeys were dropped."""


class IssuePerson(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to act in the member's name."""

    subject: str
    """Name that only this member can resolve: an account number, never a person's name."""

    role: str
    """Role of the person."""

    purposes: tuple[str, ...]
    """What the person may read for: codes of v3-ActReason."""

    key: str
    """The person's own Ed25519 public key."""

    hours: int = 8
    """How long it holds: a shift at most."""


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A credential, bound to the person's key."""

    credential: str
    """The credential (JWS), sent as `Authorization: Person …`."""

    expires: int
    """When it ends, Unix seconds."""

    thumbprint: str
    """Thumbprint of the key (RFC 7638)."""


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to use the pages."""

    subject: str
    """Name that only this member can resolve: an account number, never a person's name."""

    role: str
    """Role of the person."""

    purposes: tuple[str, ...]
    """What the person may read for: codes of v3-ActReason."""

    hours: int = 8
    """How long it lasts: a shift at most."""

    passkey: bool = False
    """Whether the person may make a passkey, and come back with it in this role until dismissed."""


class CheckPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A plan document."""

    plan: bytes
    """The plan document, JSON."""


class PlanChecked(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with it."""

    sound: bool
    """Whether nothing was found; if not, the command's exit code is 1."""

    faults: tuple[str, ...]
    """JSON pointer, rule, what was expected, what stands there."""


class ComparePlans(msgspec.Struct, frozen=True, kw_only=True):
    """A new version of a plan."""

    plan: bytes
    """The new version, JSON."""

    tables: str = ''
    """Folder of the tables that the plan names, as `plan load-table` fills it; default the node's own."""


class PlanChange(msgspec.Struct, frozen=True, kw_only=True):
    """One decision that changes. Amounts in cents."""

    claim: str
    """The payer's number of the claim."""

    status: str
    """Status before and after."""

    paid: tuple[int, ...]
    """Paid before and after."""

    patient: tuple[int, ...]
    """The patient's share before and after."""

    lines: tuple[int, ...]
    """Numbers of the lines that change."""


class PlansCompared(msgspec.Struct, frozen=True, kw_only=True):
    """What a new version changes, each claim on the facts that it was decided on."""

    replayed: int
    """Claims decided under both versions."""

    changes: tuple[PlanChange, ...]
    """Every decision that changes."""

    cents: int
    """Sum of what is paid more, cents; negative for less."""


class LoadSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """A fee schedule."""

    file: bytes
    """The fee schedule, JSON."""

    percent: int = 10000
    """What part of its prices is allowed where no rate is agreed, hundredths of a percent; 0: rates alone refer to it."""

    places: tuple[str, ...] = ()
    """Places of service whose lines it prices; default all."""

    since: str = '10000101'
    """First day of service that it prices, CCYYMMDD."""

    until: str = '29991231'
    """Last day of service that it prices, CCYYMMDD."""

    folder: str = ''
    """Folder of tables, made if missing; default the node's own, in which decisions look by themselves."""


class ScheduleLoaded(msgspec.Struct, frozen=True, kw_only=True):
    """A fee schedule that plans may name."""

    prices: int
    """Prices in it."""

    digest: str
    """SHA-256 of the document: its name in the folder."""

    reference: str
    """What stands under `fee_schedules` in a plan, JSON."""


class LoadTable(msgspec.Struct, frozen=True, kw_only=True):
    """Official files, and what they are."""

    kind: Literal['pairs', 'units']
    """NCCI pairs (PTP) or most units (MUE)."""

    name: str
    """Name that decisions cite."""

    version: str
    """Version, as its publisher calls it."""

    source: str
    """Where it was published."""

    date: str
    """Day it was published, CCYYMMDD."""

    files: tuple[str, ...]
    """The official files: text with tabs or commas, or the zip it came in."""

    since: str = '10000101'
    """First day of service that it decides, CCYYMMDD."""

    until: str = '29991231'
    """Last day of service that it decides, CCYYMMDD."""

    form: Literal['', 'P', 'I'] = ''
    """Claims that it decides: practitioners' (P) or facilities' (I); default both."""

    bills: tuple[str, ...] = ()
    """Of facilities' claims the first two digits of the types of bill that it decides; default all."""

    folder: str = ''
    """Folder of tables, made if missing; default the node's own, in which decisions look by themselves."""


class TableLoaded(msgspec.Struct, frozen=True, kw_only=True):
    """A table that plans may name."""

    rows: int
    """Rows in it, each once."""

    digest: str
    """SHA-256 of its file: its name in the folder."""

    reference: str
    """What stands under `tables` in a plan that it decides with, JSON."""


class MakeLocality(msgspec.Struct, frozen=True, kw_only=True):
    """CMS's geographic indices, and which of them."""

    file: bytes
    """CMS's GPCI file (Addendum E), CSV, or the zip that it comes in."""

    name: str
    """Name and version of the file."""

    source: str
    """Where it was published."""

    date: str
    """Day it was published, CCYYMMDD."""

    factor: str
    """Conversion factor, dollars."""

    contractor: str = ''
    """Number of the Medicare contractor; empty with a ZIP code."""

    number: str = ''
    """Number of the locality; empty with a ZIP code."""

    zip: str = ''
    """ZIP code of the place of service, five or nine digits, instead of contractor and number."""

    zips: tuple[str, ...] = ()
    """CMS's files of ZIP codes and carrier localities: the zip that they come in, or ZIP5 and ZIP9 as text."""


class LocalityMade(msgspec.Struct, frozen=True, kw_only=True):
    """Indices and factor of one locality."""

    state: str
    """State."""

    place: str
    """Name of the locality."""

    contractor: str
    """Number of the Medicare contractor."""

    number: str
    """Number of the locality."""

    quarter: str
    """Of the files of ZIP codes, YYYYQ; empty without them."""

    locality: str
    """What stands under `locality` in a rates document, JSON."""


class MakeRates(msgspec.Struct, frozen=True, kw_only=True):
    """CMS's relative values, and whose prices they become."""

    file: bytes
    """CMS's relative value file (PPRRVU), CSV, or the zip that it comes in."""

    locality: bytes
    """What `plan locality` printed, JSON."""

    setting: Literal['facility', 'office']
    """Where the provider works."""

    payer: str
    """Payer's identifier."""

    provider: str
    """Provider's NPI."""

    version: str
    """Version of the rates."""

    tier: str
    """Network tier."""

    clause: str
    """Clause of the contract."""

    since: str
    """First day of service, CCYYMMDD."""

    until: str
    """Last day of service, CCYYMMDD."""


class RatesMade(msgspec.Struct, frozen=True, kw_only=True):
    """A list with one rates document."""

    prices: int
    """Prices in it."""

    left_out: int
    """Rows without a price in this setting; their claims wait for a person."""

    rates: str
    """The rates documents, JSON."""


class MakeSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """CMS's relative values, and where and when they price."""

    file: bytes
    """CMS's relative value file (PPRRVU), CSV, or the zip that it comes in."""

    locality: bytes
    """What `plan locality` printed, JSON."""

    setting: Literal['facility', 'office']
    """Where the services are."""

    name: str
    """Name that decisions cite."""

    version: str
    """Version, as its publisher calls it."""

    source: str
    """Where it was published."""

    date: str
    """Day it was published, CCYYMMDD."""


class ScheduleMade(msgspec.Struct, frozen=True, kw_only=True):
    """A fee schedule."""

    prices: int
    """Prices in it."""

    left_out: int
    """Rows without a price in this setting."""

    schedule: str
    """The document, JSON, for `plan load-schedule`."""


class PublishPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A plan document that is to decide."""

    plan: bytes
    """The plan document, JSON."""


class PlanPublished(msgspec.Struct, frozen=True, kw_only=True):
    """The version stands on the ledger, by a salted digest that tells nothing of it."""

    height: int
    """Block that holds it."""

    transaction: str
    """Transaction that holds it, hexadecimal."""

    since: str
    """First day that it is for, CCYYMMDD."""

    until: str
    """Last day that it is for, CCYYMMDD."""


class ReplayClaims(msgspec.Struct, frozen=True, kw_only=True):
    """Old claims, and two versions of the plan that decides them."""

    plan: bytes
    """The new version, JSON."""

    old: bytes
    """The version before it, JSON."""

    file: bytes
    """The X12 837 file of old claims."""

    rates: bytes
    """The rates documents, a JSON list."""

    members: bytes
    """Who is covered: a members document or an 834."""

    day: str
    """Day the claims came and were decided, CCYYMMDD."""

    tables: str = ''
    """Folder of the tables that the two versions name, as `plan load-table` fills it; default the node's own."""


class ShowDocumentSchema(msgspec.Struct, frozen=True, kw_only=True):
    """Which document."""

    document: Literal['plan', 'rates', 'members', 'partner', 'codes', 'schedule']
    """The document."""


class DocumentSchemaShown(msgspec.Struct, frozen=True, kw_only=True):
    """What such a document may hold. Amounts are in cents, shares in basis points, days CCYYMMDD."""

    schema: str
    """The JSON Schema."""


class AnchorRecords(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class AnchoredRecords(msgspec.Struct, frozen=True, kw_only=True):
    """What stands on the ledger now."""

    height: int
    """Block of the newest anchor just sent; 0 if nothing was pending."""

    transaction: str
    """Its transaction's id, hexadecimal; empty if nothing was pending."""


class ShowChart(msgspec.Struct, frozen=True, kw_only=True):
    """Whose chart, by own link or by grant, and which part of it."""

    link: str = ''
    """The patient's link here; links joined with it and what is held under grants are shown with it."""

    grant: str = ''
    """A grant held."""

    types: tuple[str, ...] = ()
    """Resource types; all if empty."""

    since: str = ''
    """Not before this date."""

    until: str = ''
    """Not at or after this date."""

    limit: int = 100
    """Lines at most."""

    cursor: str = ''
    """`next` of the page before."""

    purpose: str = 'TREAT'
    """What it is read for: a code of v3-ActReason."""


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a chart, newest first."""

    total: int
    """Lines over all pages."""

    next: str
    """Cursor of the next page; empty at the end."""

    lines: tuple[ChartLine, ...]
    """The lines of this page."""


class CheckRecords(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class CheckedRecords(msgspec.Struct, frozen=True, kw_only=True):
    """What was verified."""

    sound: bool
    """Whether nothing was found; if not, the command's exit code is 1."""

    records: int
    """Records whose bytes, seal, leaf and chain were verified."""

    disclosures: int
    """Journal lines whose leaf was recomputed."""

    batches: int
    """Batches whose root was recomputed."""

    unanchored: int
    """Batches that wait for the ledger."""

    index_behind: bool
    """Whether the index lacks records that the vault holds."""

    damage: tuple[str, ...]
    """What does not hold, by record, batch, line or file."""


class FindPatients(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to look for: by identifier, or by name and birth date."""

    name: str = ''
    """Beginnings of the names."""

    birth_date: str = ''
    """Date of birth: YYYY, YYYY-MM or YYYY-MM-DD."""

    identifier: str = ''
    """Identifier, as SYSTEM|VALUE; VALUE alone is looked for in every system."""

    purpose: str = 'TREAT'
    """What it is read for: a code of v3-ActReason."""


class Patient(msgspec.Struct, frozen=True, kw_only=True):
    """A patient found."""

    link: str
    """The patient's link, hexadecimal."""

    grant: str
    """The grant that these words were pulled under; empty for own records."""

    name: str
    """Name for display."""

    birth_date: str
    """Date of birth as written."""

    gender: str
    """Administrative gender."""


class Patients(msgspec.Struct, frozen=True, kw_only=True):
    """Who was found."""

    patients: tuple[Patient, ...]
    """At most 20."""


class ImportRecords(msgspec.Struct, frozen=True, kw_only=True):
    """What to take in."""

    paths: tuple[str, ...]
    """Files and folders of FHIR R4: Bundles, resources, NDJSON, each also gzipped."""

    source: str
    """URI of the system that the files come from: patients are known by it and their id there."""


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many of a kind."""

    name: str
    """Resource type, or code and element of a refusal."""

    count: int
    """How many."""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the files."""

    files: int
    """Files read."""

    resources: int
    """Resources read."""

    stored: int
    """Sealed as a new record."""

    unchanged: int
    """The same bytes were here already."""

    patients: int
    """Links opened."""

    house: int
    """Resources of no patient."""

    unresolved: int
    """References that stayed as received: nothing here answers to them."""

    doubtful: int
    """Identifiers that already belong to another patient: a person must look."""

    types: tuple[Count, ...]
    """Resources read, by type."""

    refused: tuple[Count, ...]
    """Resources refused, by code and element."""


class AskMeasures(msgspec.Struct, frozen=True, kw_only=True):
    """Whose measurements, by own link or by grant."""

    link: str = ''
    """The patient's link here."""

    grant: str = ''
    """A grant held."""

    purpose: str = 'TREAT'
    """What it is read for: a code of v3-ActReason."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One value."""

    number: int
    """Number of its record, for `records show`."""

    date: str
    """When it was measured, UTC; empty if it is not said."""

    value: str
    """The value as written."""

    origin: str
    """`own`, or `lease` for what was pulled from another member."""


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of measurement in one unit."""

    code: str
    """What was measured: SYSTEM|CODE."""

    label: str
    """Its name, as written."""

    unit: str
    """Unit, as written; empty for words."""

    points: tuple[Point, ...]
    """Newest first."""


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured."""

    total: int
    """Observations there are."""

    read: int
    """Observations read for this answer: the newest 1,000 at most."""

    measures: tuple[Measure, ...]
    """By name."""


class Refile(msgspec.Struct, frozen=True, kw_only=True):
    """Which record is whose."""

    number: int
    """Number of the record's newest version, as charts show it."""

    to: str
    """The right patient's link."""


class Refiled(msgspec.Struct, frozen=True, kw_only=True):
    """It is filed under the right patient."""

    number: int
    """Number of the record under the right link."""

    tombstone: int
    """Number of the tombstone under the wrong one."""


class ShowRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Which record."""

    number: int
    """Its number, from a chart."""

    purpose: str = 'TREAT'
    """What it is read for: a code of v3-ActReason."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A record as its writer received it."""

    type: str
    """Resource type."""

    id: str
    """Logical id."""

    version: int
    """Version in this vault."""

    recorded: str
    """When it was sealed here, UTC."""

    media: str
    """Media type."""

    source: str
    """Digest of its file, or the writer's leaf; hexadecimal."""

    transaction: str
    """Transaction that anchored it here, hexadecimal; empty while it waits."""

    body: str
    """The bytes as received, as text."""


class ReplayLedger(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class LedgerReplayed(msgspec.Struct, frozen=True, kw_only=True):
    """Every block gave again what is stored."""

    height: int
    """Newest block."""

    transactions: int
    """Transactions executed."""

    rows: int
    """Rows of the state."""

    digest: str
    """The ledger's digest there: equal at every member, hexadecimal."""


class AnswerQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """The question that is released."""

    query: str
    """The question, hexadecimal."""

    few: bool = False
    """Exact: also with fewer than three custodians, where figures of one can be told."""

    differing: bool = False
    """Exact: also where the same document ran over other custodians; the difference tells of them."""


class QuestionAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """How the question stands here."""

    status: str
    """answered; begun while an exact run goes on; withheld or failed."""

    counted: int
    """Persons who were counted. For this custodian alone."""

    left_out: Any
    """Persons who may not be, by reason, when it begins. For this custodian alone."""


class ApplyForPermit(msgspec.Struct, frozen=True, kw_only=True):
    """What the study is."""

    data_sets: tuple[str, ...]
    """The data sets, hexadecimal."""

    investigations: tuple[str, ...]
    """What is investigated, in DUO's classes."""

    summary: str
    """In plain words, as patients read it."""

    days: int
    """For how many days from now."""

    ethics: bytes = b''
    """The ethics approval; its digest goes to the ledger."""

    diseases: tuple[str, ...] = ()
    """Diseases studied."""

    commercial: bool = False
    """Whether the use is commercial."""

    for_profit: bool = False
    """Whether the institution is for profit."""

    duties: tuple[str, ...] = ()
    """Duties taken on, in DUO's classes."""

    records: bool = False
    """Whether extracts of persons' rows are asked for."""


class PermitApplied(msgspec.Struct, frozen=True, kw_only=True):
    """The application fits every data set, and waits for signatures."""

    permit: str
    """Its id, hexadecimal."""

    duties: tuple[str, ...]
    """Duties that the study must fulfil."""


class AskQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A question, who is asked, under which permit."""

    permit: str
    """The permit, hexadecimal."""

    query: bytes
    """The query document, JSON."""

    data_sets: tuple[str, ...]
    """The data sets, hexadecimal."""

    variance: int = 100
    """Noisy: sigma squared of each custodian's noise, in persons squared."""


class QuestionAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The question is on record, its charge reserved in all data sets, and its document on the way."""

    query: str
    """Its id, hexadecimal."""

    way: str
    """noisy, exact or extract."""

    charge: int
    """What it costs at each data set, micro-rho."""


class AttestDeletion(msgspec.Struct, frozen=True, kw_only=True):
    """Which extract."""

    query: str
    """The question, hexadecimal."""


class DeletionAttested(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger holds the institution's word."""

    data_sets: int
    """Data sets whose extract is attested deleted."""


class AuditPopulation(msgspec.Struct, frozen=True, kw_only=True):
    """A question at one custodian."""

    query: str
    """The question, hexadecimal."""

    data_set: str
    """Its data set, hexadecimal."""


class PopulationAudited(msgspec.Struct, frozen=True, kw_only=True):
    """What the leaves say."""

    sound: bool
    """Whether nothing was found; if not, the command's exit code is 1."""

    custodian: str
    """Who counted."""

    block: int
    """Height of the block that drew the points."""

    points: int
    """How many were drawn."""

    leaves: int
    """Different leaves that they ended at, all opened."""

    choices: int
    """Of them, resting on a choice that held and fits the study."""

    erased: int
    """Of them, resting on a choice that held and whose terms were erased with the person's records."""

    unobjected: int
    """Of them, resting on no objection, where the offer allows it."""

    faults: tuple[str, ...]
    """What does not hold, by the number of its point."""


class ShowBudget(msgspec.Struct, frozen=True, kw_only=True):
    """Whose budget."""

    custodian: str = ''
    """The custodian; this member if empty."""


class PermitSpent(msgspec.Struct, frozen=True, kw_only=True):
    """What one permit spent at one data set."""

    permit: str
    """The permit, hexadecimal."""

    data_set: str
    """The data set, hexadecimal."""

    used: int
    """Reserved or spent, micro-rho."""

    left: int
    """What is left of it, micro-rho."""

    epsilon: Any
    """Epsilon of what is used, at delta 1e-6."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A custodian's privacy budget in the present period: one for all data sets, studies and analysts."""

    pool: int
    """All there is, micro-rho."""

    free: int
    """Neither reserved nor spent."""

    reserved: int
    """For questions registered and not begun."""

    spent: int
    """By questions begun, for good."""

    epsilon: Any
    """Epsilon of what is spent, at delta 1e-6."""

    permits: tuple[PermitSpent, ...]
    """By permit and data set."""


class CheckQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A question to be tried."""

    query: bytes
    """The query document, JSON."""


class QueryChecked(msgspec.Struct, frozen=True, kw_only=True):
    """What the question would take and give."""

    sound: bool
    """Whether it can be asked."""

    faults: tuple[str, ...]
    """Place in the document and what is expected there."""

    columns: tuple[str, ...]
    """Columns that the statistic takes, or that leave in an extract."""

    lines: int
    """Lines of figures on the synthetic sample, or persons in an extract's cohort; 0 if it gives none."""


class DecidePermit(msgspec.Struct, frozen=True, kw_only=True):
    """A permit at a data set."""

    permit: str
    """The permit, hexadecimal."""

    data_set: str
    """The data set, hexadecimal."""

    refuse: bool = False
    """Refuse it, or end it."""


class PermitDecided(msgspec.Struct, frozen=True, kw_only=True):
    """How the permit stands at the data set."""

    status: str
    """applied, agreed, refused or suspended."""

    waiting: tuple[str, ...]
    """Who has yet to sign."""


class WriteExtract(msgspec.Struct, frozen=True, kw_only=True):
    """Which extract, and where its files go."""

    query: str
    """The question, hexadecimal."""

    output: str
    """New folder for the files."""

    format: str = 'parquet'
    """parquet or ndjson."""


class ExtractWritten(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    persons: int
    """Persons whose rows are in the files."""

    withdrawn: int
    """Persons who were in the extract and have left it."""

    tables: Any
    """Rows by table."""

    until: str
    """When every copy must be deleted, UTC."""


class RunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A question and one's own files."""

    query: bytes
    """The query document, JSON."""

    input: str
    """Folder of FHIR R4 files: NDJSON, also gzipped, or JSON."""

    output: str
    """New file for the figures: .parquet, .ndjson or .csv."""


class QueryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted. The figures are exact: they are for the organisation itself."""

    persons: int
    """Persons whose rows the statistic rests on."""

    lines: int
    """Lines written."""

    figures: tuple[Any, ...]
    """The lines, as they stand in the file."""


class OfferData(msgspec.Struct, frozen=True, kw_only=True):
    """What one's records may be used for in research, and how answers leave."""

    terms: bytes
    """The data-use agreement; its digest goes to the ledger."""

    policy: tuple[str, ...]
    """Classes of the Data Use Ontology: a permission and modifiers."""

    by_consent: bool = True
    """Count who chose so; else whoever does not object."""

    ways: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """exact, extract, noisy."""

    smallest: int = 10
    """No exact result rests on fewer persons."""

    permit_rho: int = 1000000
    """What one permit may spend, micro-rho."""

    co_signers: tuple[str, ...] = ()
    """Members that sign permits too: a data-access body."""


class DataOffered(msgspec.Struct, frozen=True, kw_only=True):
    """The data set is on the ledger."""

    data_set: str
    """Its id, hexadecimal."""


class ListOffers(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class OfferLine(msgspec.Struct, frozen=True, kw_only=True):
    """One data set."""

    data_set: str
    """Its id, hexadecimal."""

    custodian: str
    """Who keeps the records."""

    policy: str
    """What it may be used for."""

    ways: str
    """Ways out."""

    basis: str
    """consent, or no objection."""

    smallest: int
    """No exact result rests on fewer persons."""

    uses: int
    """Answers it gave: its credit."""


class Offers(msgspec.Struct, frozen=True, kw_only=True):
    """All data sets of the network."""

    offers: tuple[OfferLine, ...]
    """In order of their ids."""


class OpenRounds(msgspec.Struct, frozen=True, kw_only=True):
    """Which model."""

    bundle: bytes
    """The bundle's file."""

    output: str = ''
    """New file for the opened sums, NDJSON: each custodian's own."""


class RoundsOpened(msgspec.Struct, frozen=True, kw_only=True):
    """Whether each custodian sent what it had committed to."""

    sound: bool
    """Whether nothing was found; if not, the command's exit code is 1."""

    citation: str
    """SHA-256 of the bundle's content."""

    custodians: tuple[str, ...]
    """Who took part in the last attempt."""

    turns: int
    """Turns of it."""

    vectors: int
    """Vectors that were opened and hold."""

    faults: tuple[str, ...]
    """What does not hold, by custodian and turn."""


class RunOnOwn(msgspec.Struct, frozen=True, kw_only=True):
    """A question about the member's own records."""

    query: bytes
    """The query document, JSON."""

    output: str
    """New file for the figures: .parquet, .ndjson or .csv."""

    purpose: str = 'HOPERAT'
    """Purpose of use, v3-ActReason."""

    receipts: str = ''
    """New folder for receipts of the lines in patients' access logs, for `salus verify`: figures are written once the ledger has them."""


class OwnRun(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted. The figures are exact: they are for the organisation itself."""

    persons: int
    """Persons whose rows the statistic rests on."""

    records: int
    """Records read, each in its patient's access log."""

    height: int
    """Height of the ledger under which consents were decided."""

    until: int
    """Number of the newest record that could be read."""

    receipts: int
    """Receipts written: one for each batch of lines that the ledger holds."""

    figures: tuple[Any, ...]
    """The lines, as they stand in the file."""


class ListPermits(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class PermitLine(msgspec.Struct, frozen=True, kw_only=True):
    """A permit at one data set."""

    permit: str
    """Its id, hexadecimal."""

    data_set: str
    """The data set, hexadecimal."""

    custodian: str
    """Who keeps the records."""

    institution: str
    """Who asks."""

    study: str
    """In plain words."""

    until: str
    """Until when, UTC."""

    records: bool
    """Whether extracts of persons' rows may be asked for."""

    status: str
    """applied, agreed, refused or suspended."""

    waiting: str
    """Who has yet to sign."""


class Permits(msgspec.Struct, frozen=True, kw_only=True):
    """Permits at the data sets that this member keeps, signs for or asks."""

    permits: tuple[PermitLine, ...]
    """In order of their ids."""


class PublishResult(msgspec.Struct, frozen=True, kw_only=True):
    """Which result, and where its bundle goes."""

    query: str
    """The question, hexadecimal."""

    file: str
    """New file for the bundle."""


class ResultPublished(msgspec.Struct, frozen=True, kw_only=True):
    """The result's digest is on the ledger; whoever has the file and a trust file can replay it."""

    citation: str
    """SHA-256 of the content: how the result is cited."""

    bytes: int
    """Size of the file."""


class ReplayBundle(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle, and what the reader believes of the ledger."""

    bundle: bytes
    """The bundle's file."""

    trust: bytes
    """The network's trust file."""

    data: str = ''
    """Also ask the same of FHIR files in this folder."""


class BundleReplayed(msgspec.Struct, frozen=True, kw_only=True):
    """The bundle holds. What does not is refused, and says where."""

    citation: str
    """SHA-256 of the content."""

    title: str
    """What the question calls itself."""

    way: str
    """noisy or exact."""

    custodians: tuple[str, ...]
    """Who answered."""

    charge: int
    """What it cost at each data set, micro-rho."""

    steps: int
    """Steps proven on the ledger."""

    lines: tuple[Any, ...]
    """The figures, as made again."""

    own: tuple[Any, ...]
    """Exact figures of one's own files, for comparison."""


class RerunQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """The question to compute again."""

    query: str
    """The question, hexadecimal."""


class QuestionRerun(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this custodian's part comes out again."""

    same: bool
    """Whether population and figures are those of the begin."""

    why: str
    """What has changed since, without numbers; empty if nothing."""


class ShowResult(msgspec.Struct, frozen=True, kw_only=True):
    """Which question."""

    query: str
    """The question, hexadecimal."""


class PartLine(msgspec.Struct, frozen=True, kw_only=True):
    """How the question stands at one data set."""

    data_set: str
    """The data set, hexadecimal."""

    custodian: str
    """Who keeps the records."""

    status: str
    """registered, begun, answered, withheld, failed or released."""

    answered: bool
    """Whether its answer is here."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of all custodians that answered, together, and how each part stands."""

    complete: bool
    """Whether every part has ended and every answer is here."""

    parts: tuple[PartLine, ...]
    """By data set."""

    lines: tuple[Any, ...]
    """Figures; empty while nothing has been answered."""

    notes: tuple[str, ...]
    """What a reader must know to judge them."""


class ReviewQuestions(msgspec.Struct, frozen=True, kw_only=True):
    """All questions, or one whole."""

    query: str = ''
    """One question, hexadecimal: its document is shown too."""


class QuestionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A question at one of this member's data sets."""

    query: str
    """The question, hexadecimal."""

    data_set: str
    """The data set, hexadecimal."""

    institution: str
    """Who asks."""

    study: str
    """What the permit is for, as patients read it."""

    title: str
    """What the document calls itself."""

    statistic: str
    """What would leave: the statistic and its columns."""

    way: str
    """noisy, exact or extract."""

    charge: int
    """What it costs here, micro-rho."""

    status: str
    """registered, begun, answered, withheld, failed or released."""

    begin_by: str
    """Last moment to begin, UTC."""

    reason: str
    """Why it was withheld or failed: for the checker alone."""


class Questions(msgspec.Struct, frozen=True, kw_only=True):
    """For the output checker."""

    questions: tuple[QuestionLine, ...]
    """In order of their ids."""

    document: str = ''
    """The one question's document, JSON: its views, columns and bounds are what to look at."""


class RunModel(msgspec.Struct, frozen=True, kw_only=True):
    """The model to run."""

    query: str
    """The question, hexadecimal."""


class ModelRun(msgspec.Struct, frozen=True, kw_only=True):
    """The model's estimate over all custodians that stayed to its end."""

    attempts: int
    """Attempts: one more for each time that custodians dropped out."""

    turns: int
    """Turns of the last attempt."""

    custodians: tuple[str, ...]
    """Who took part in it."""

    lines: tuple[Any, ...]
    """Estimates by term."""


class ShowQuerySchema(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is needed."""


class QuerySchemaShown(msgspec.Struct, frozen=True, kw_only=True):
    """What a query document may hold."""

    query: str
    """JSON Schema 2020-12, made from the types that read query documents."""


class WithholdQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """The question that is not answered."""

    query: str
    """The question, hexadecimal."""

    reason: str = ''
    """For the checker's own record."""


class QuestionWithheld(msgspec.Struct, frozen=True, kw_only=True):
    """The analyst is told that it was withheld, not why."""

    status: str
    """withheld."""


class CancelShipment(msgspec.Struct, frozen=True, kw_only=True):
    """Goods on their way."""

    identifier: str
    """Label, Digital Link or URN of a pack or container."""


class ShipmentCancelled(msgspec.Struct, frozen=True, kw_only=True):
    """They are called back."""


class ShowCard(msgspec.Struct, frozen=True, kw_only=True):
    """A device: its label, or the Device resource of a procedure."""

    udi: str = ''
    """The label: GS1, HIBC or ISBT 128; empty if a resource is given."""

    device: bytes = b''
    """A FHIR R4 Device with its udiCarrier, as JSON; empty if a label is given."""


class ImplantCard(msgspec.Struct, frozen=True, kw_only=True):
    """What an implant card says (MDR article 18), and the device's own way."""

    device: str
    """Device identifier (UDI-DI)."""

    issuer: str
    """Who issued it: gs1, hibcc, iccbba."""

    name: str
    """Brand; empty without master data."""

    model: str
    """Version or model."""

    maker: str
    """Its manufacturer."""

    lot: str
    """Lot."""

    serial: str
    """Serial number."""

    expiry: str
    """Last day of use before implantation."""

    mri: str
    """Whether its bearer may be examined by MRI, in the words of its label."""

    latex: bool
    """Whether it contains natural rubber latex."""

    terms: tuple[str, ...]
    """What it is, in GMDN's terms."""

    recall: int
    """Class of a recall in force on the ledger, 1 to 3; 0 for none."""

    way: tuple[str, ...]
    """Its own events, by time: when, step, where."""


class CheckEvents(msgspec.Struct, frozen=True, kw_only=True):
    """EPCIS documents."""

    files: tuple[bytes, ...]
    """EPCIS documents: 2.0 JSON-LD, 2.0 XML or 1.2 XML."""


class EventsChecked(msgspec.Struct, frozen=True, kw_only=True):
    """Whether they can be taken in."""

    sound: bool
    """Whether every document holds."""

    events: int
    """Events in the documents that hold."""

    hashes: tuple[str, ...]
    """Canonical hash of each event, equal for JSON and XML, hex."""

    cbv_hashes: tuple[str, ...]
    """CBV 2.0 hash of each event, for partners that know events by it."""

    faults: tuple[str, ...]
    """Document, element, rule and what was expected."""

    findings: tuple[str, ...]
    """What was taken in though it looks wrong: event by its place, element, rule."""


class CheckNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A partner's ship notice and its events."""

    files: tuple[bytes, ...]
    """EPCIS documents: 2.0 JSON-LD, 2.0 XML or 1.2 XML."""

    notice: bytes
    """X12 856."""


class NoticeChecked(msgspec.Struct, frozen=True, kw_only=True):
    """Whether both count the same."""

    sound: bool
    """Whether every lot in every container has one count."""

    differences: tuple[str, ...]
    """Product, lot, container, both counts."""


class ClearGoods(msgspec.Struct, frozen=True, kw_only=True):
    """Goods in quarantine."""

    identifier: str
    """Label, Digital Link or URN of a pack or container."""


class GoodsCleared(msgspec.Struct, frozen=True, kw_only=True):
    """They are free again."""


class CommissionLots(msgspec.Struct, frozen=True, kw_only=True):
    """A maker's own events."""

    files: tuple[bytes, ...]
    """EPCIS documents with commissioning and aggregation."""

    minutes_out: int = 0
    """Minutes out of range that the goods bear on one leg."""

    mkt: int = 0
    """Highest mean kinetic temperature, millikelvin; 0 none."""


class LotsCommissioned(msgspec.Struct, frozen=True, kw_only=True):
    """What was brought into the world."""

    lots: int
    """Lots."""

    units: int
    """Units in them."""


class ListCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class CountsListed(msgspec.Struct, frozen=True, kw_only=True):
    """Units that open what the ledger holds, each held against it."""

    lots: tuple[str, ...]
    """Product, units, who told, units shipped as records here show."""

    found: tuple[str, ...]
    """Recalled product, units found, who told."""

    exceeded: tuple[str, ...]
    """Products of which more units were shipped than were made."""


class ImportDevices(msgspec.Struct, frozen=True, kw_only=True):
    """A release file of GUDID."""

    file: bytes
    """XML as AccessGUDID publishes it, plain or gzip."""


class DevicesImported(msgspec.Struct, frozen=True, kw_only=True):
    """What the file held."""

    devices: int
    """Device records kept; a record of the same identifier is replaced."""

    identifiers: int
    """Identifiers under which they are found, packages included."""

    mri: Any
    """How many are safe, conditional, unsafe or unsaid in MRI."""


class EndGoods(msgspec.Struct, frozen=True, kw_only=True):
    """What is decommissioned and why."""

    identifiers: tuple[str, ...]
    """Labels, Digital Links or URNs of packs or containers."""

    reason: Literal['dispensed', 'sampled', 'exported', 'expired', 'destroyed', 'stolen', 'illegitimate'] = 'dispensed'
    """Why."""


class GoodsEnded(msgspec.Struct, frozen=True, kw_only=True):
    """They have ended on the ledger."""

    count: int
    """How many."""


class EraseEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A captured event that should not be here."""

    event: str
    """Its eventID; what declares it wrong goes too."""

    reason: Literal['personal-data', 'not-ours']
    """Why it may go before six years are over."""


class EventErased(msgspec.Struct, frozen=True, kw_only=True):
    """It is gone here."""

    events: int
    """Events erased; 0 if none had this eventID."""

    told: tuple[str, ...]
    """Subscriptions to which it may have gone before: they are to be asked."""


class ExpirePapers(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class PapersExpired(msgspec.Struct, frozen=True, kw_only=True):
    """What is older than six years is gone."""

    papers: int
    """Documents let go."""

    cases: int
    """Answered cases let go."""

    events: int
    """Captured events let go."""

    jobs: int
    """Capture jobs let go."""


class FollowPack(msgspec.Struct, frozen=True, kw_only=True):
    """A regulator's question."""

    identifier: str
    """Label, Digital Link or URN of a pack or container."""

    purpose: str
    """Why it is asked; committed to the ledger."""


class PackFollowed(msgspec.Struct, frozen=True, kw_only=True):
    """The way from end to end."""

    hops: tuple[str, ...]
    """Each change of owner: time, sender, receiver, papers."""


class HandGoods(msgspec.Struct, frozen=True, kw_only=True):
    """Goods for another to carry or keep."""

    identifier: str
    """Label, Digital Link or URN of a pack or container."""

    to: str
    """Member id of the custodian."""


class GoodsHanded(msgspec.Struct, frozen=True, kw_only=True):
    """The custodian has to take them."""

    holding: str
    """Id by which the custodian knows them, hexadecimal."""


class CheckImplants(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing."""


class ImplantsChecked(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers alone: nobody is named."""

    devices: int
    """Device resources of this member's patients."""

    unread: int
    """Of these, without a label that reads."""

    recalled: int
    """Of these, under a recall in force."""

    told: int
    """Patients told now: a Flag is in the record, a notice in the outbox."""


class WriteLabel(msgspec.Struct, frozen=True, kw_only=True):
    """What a label shall say."""

    identifier: str
    """Bracketed text, element string, Digital Link or EPC URN."""


class LabelWritten(msgspec.Struct, frozen=True, kw_only=True):
    """A label."""

    svg: str
    """The square GS1 DataMatrix symbol with its quiet zone, as SVG."""

    text: str
    """What stands beside it for people to read."""

    modules: int
    """Modules along a side."""


class GiveLicence(msgspec.Struct, frozen=True, kw_only=True):
    """A partner and what it may do."""

    member: str
    """Member id."""

    kinds: tuple[Literal['maker', 'repackager', 'distributor', 'dispenser', 'carrier'], ...]
    """What it is licensed for; none withdraws the licence."""

    days: int = 365
    """How long from now."""


class LicenceGiven(msgspec.Struct, frozen=True, kw_only=True):
    """It stands on the ledger."""

    until: str
    """When it ends, UTC."""


class MatchDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """What partners announced, and what stands at the dock."""

    scans: bytes
    """Labels scanned, one a line: element string, (01)..., or URI."""

    files: tuple[bytes, ...] = ()
    """EPCIS documents: 2.0 JSON-LD, 2.0 XML or 1.2 XML."""

    receiver: str = ''
    """Own GLN as Digital Link or URN, to leave out what went to others; default everything."""

    captured: str = ''
    """Shipments captured by this node's EPCIS repository, as a query; empty: none."""


class DeliveryMatched(msgspec.Struct, frozen=True, kw_only=True):
    """How goods and data stand to each other."""

    sound: bool
    """Whether goods and data agree in full."""

    summary: str
    """The sentence for the dock."""

    announced: int
    """Units in the partners' shipping events."""

    received: int
    """Units scanned, themselves or inside a scanned container."""

    inferred: int
    """Of these, units not scanned themselves."""

    exceptions: tuple[str, ...]
    """Each difference: PDG list, GS1 US code, unit, what, resolution."""

    notes: tuple[str, ...]
    """What the files said twice, took back or contradict."""


class WriteNotices(msgspec.Struct, frozen=True, kw_only=True):
    """Shipments."""

    files: tuple[bytes, ...]
    """EPCIS documents: 2.0 JSON-LD, 2.0 XML or 1.2 XML."""

    sender: str
    """ISA06 of this firm."""

    receiver: str
    """ISA08 of the partner."""

    control: int = 1
    """First interchange control number."""


class NoticesWritten(msgspec.Struct, frozen=True, kw_only=True):
    """One for each shipping event."""

    notices: tuple[bytes, ...]
    """X12 856, one interchange each."""


class DraftNotification(msgspec.Struct, frozen=True, kw_only=True):
    """A suspect pack."""

    identifier: str
    """Label of the pack."""

    code: Literal['DISPENSED', 'STOLEN', 'DESTROYED', 'EXPORTED', 'HOLDER_MISMATCH', 'IMPOSSIBLE_TRAVEL', 'ILLEGITIMATE']
    """What is wrong with it."""

    told: str = ''
    """What happened."""

    company: str = ''
    """Name, address, contact."""


class NotificationDrafted(msgspec.Struct, frozen=True, kw_only=True):
    """A person completes and sends it; the law gives 24 hours."""

    fields: tuple[str, ...]
    """Form FDA 3911: each field and what is known of it."""

    send_by: str
    """24 hours from now, UTC."""


class OfferAddresses(msgspec.Struct, frozen=True, kw_only=True):
    """A partner that will ship to this member."""

    partner: str
    """Member id of the sender."""

    count: int = 10
    """How many shipments it may make."""


class AddressesOffered(msgspec.Struct, frozen=True, kw_only=True):
    """They are on their way, sealed."""

    count: int
    """How many."""


class AskOffline(msgspec.Struct, frozen=True, kw_only=True):
    """Packs in hand, without a line."""

    snapshot: bytes
    """What `salus supply snapshot` wrote."""

    trust: bytes
    """The network's trust file."""

    identifiers: tuple[str, ...]
    """Labels as scanned, element strings, Digital Links or bracketed text."""


class OfflineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What to make of one pack."""

    verified: bool
    """Whether it is genuine and not ended."""

    code: str
    """Of GS1 verification messaging, or RECALLED, DISPENSED, NOT_IN_SNAPSHOT, ..."""

    action: str
    """What it calls for, as `supply verify` has it."""

    proof: bytes
    """What opens the pack and leads to its row; empty if it is not known."""


class AnsweredOffline(msgspec.Struct, frozen=True, kw_only=True):
    """An answer for each pack, in order."""

    sound: bool
    """Whether nothing is to be done about any of them."""

    member: str
    """Who made the snapshot."""

    height: int
    """Block at which the goods stood so."""

    until: str
    """Until when the snapshot is answered from, UTC."""

    answers: tuple[OfflineAnswer, ...]
    """One for each identifier."""


class OpenCount(msgspec.Struct, frozen=True, kw_only=True):
    """A lot, and who is to know its size."""

    gtin: str
    """GTIN-14."""

    lot: str
    """Lot number."""

    to: str
    """Member id."""


class CountOpened(msgspec.Struct, frozen=True, kw_only=True):
    """It is on its way, sealed."""

    units: int
    """Units that the lot was commissioned with."""


class OrderRecall(msgspec.Struct, frozen=True, kw_only=True):
    """What a regulator orders back."""

    gtin: str
    """GTIN-14."""

    recall_class: int
    """1 to 3; 0 lifts the order."""

    lot: str = ''
    """Lot number; empty for all of the device identifier's, in every package."""


class RecallOrdered(msgspec.Struct, frozen=True, kw_only=True):
    """It holds from this block on."""

    lots: int
    """Lots recalled, of whichever maker."""


class QuarantineGoods(msgspec.Struct, frozen=True, kw_only=True):
    """Suspect goods."""

    identifier: str
    """Label, Digital Link or URN of a pack or container."""


class GoodsQuarantined(msgspec.Struct, frozen=True, kw_only=True):
    """They are set aside: nothing ships, dispenses or packs them."""


class ReadLabels(msgspec.Struct, frozen=True, kw_only=True):
    """A picture."""

    image: bytes
    """PNG or JPEG."""


class LabelsRead(msgspec.Struct, frozen=True, kw_only=True):
    """What the symbols in a picture say."""

    sound: bool
    """Whether a symbol was found, and every one holds."""

    labels: tuple[str, ...]
    """Each label that holds, as bracketed text."""

    faults: tuple[str, ...]
    """Each symbol that does not: element, rule, what was expected."""


class ReadNotices(msgspec.Struct, frozen=True, kw_only=True):
    """Recall notices."""

    notices: bytes
    """openFDA enforcement records, JSON, or the text of one notice."""


class NoticesRead(msgspec.Struct, frozen=True, kw_only=True):
    """What they mean here. Nothing is recalled by this: a maker or a regulator does that on the ledger."""

    here: tuple[str, ...]
    """Notice, product and units of this member's under a certain code."""

    doubtful: tuple[str, ...]
    """Notice, what a person must read, and codes held here."""

    clear: int
    """Notices of certain codes of which nothing is held here."""


class RecallLot(msgspec.Struct, frozen=True, kw_only=True):
    """What is recalled."""

    gtin: str
    """GTIN-14."""

    recall_class: int
    """1 to 3; 0 lifts."""

    lot: str = ''
    """Lot number; empty for all of the device identifier's, in every package."""

    first: str = ''
    """First serial of a range; empty for the whole lot."""

    last: str = ''
    """Last serial of the range."""


class LotRecalled(msgspec.Struct, frozen=True, kw_only=True):
    """It holds from this block on."""

    units: int
    """Units recalled, wherever they are."""


class ListRecalls(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""

    acknowledge: bool = False
    """Whether to answer them on the ledger, once set aside."""


class RecalledGoods(msgspec.Struct, frozen=True, kw_only=True):
    """Goods of this member under recall."""

    recall_class: int
    """1 to 3."""

    units: int
    """Units to be set aside."""

    serials: tuple[str, ...]
    """Their serials."""

    acknowledged: bool
    """Whether the recall was answered."""


class RecallsListed(msgspec.Struct, frozen=True, kw_only=True):
    """Exactly what this member holds under recall."""

    recalls: tuple[RecalledGoods, ...]
    """One for each lot and holding."""


class ReceiveGoods(msgspec.Struct, frozen=True, kw_only=True):
    """A shipment at the dock."""

    holding: str
    """Id of the shipment."""

    scans: tuple[str, ...] = ()
    """What was scanned; a container counts for what is in it. None: all."""

    damaged: tuple[str, ...] = ()
    """What came damaged: it stays the sender's (3-1)."""


class GoodsReceived(msgspec.Struct, frozen=True, kw_only=True):
    """They are this member's now, but for what is missing."""

    sender: str
    """Member id of the sender."""

    units: int
    """Units taken over."""

    missing: tuple[str, ...]
    """In the data, not scanned: the sender's, in dispute (2-1)."""

    damaged: tuple[str, ...]
    """Came damaged: the sender's, in dispute (3-1)."""

    over: tuple[str, ...]
    """Scanned, in no data of this shipment (1-1A)."""


class RefuseShipment(msgspec.Struct, frozen=True, kw_only=True):
    """A shipment of which nothing is taken."""

    holding: str
    """Id of a shipment."""

    code: int = 12
    """GS1 US code as tens and units: 12 is 1-2, wrong lot."""


class ShipmentRefused(msgspec.Struct, frozen=True, kw_only=True):
    """It stays its sender's, in dispute."""

    sender: str
    """Member id of the sender."""


class RepackageGoods(msgspec.Struct, frozen=True, kw_only=True):
    """What goes in, and what comes out."""

    identifiers: tuple[str, ...]
    """Labels, Digital Links or URNs of packs or containers."""

    files: tuple[bytes, ...]
    """EPCIS documents with commissioning and packing of the new lot."""


class GoodsRepackaged(msgspec.Struct, frozen=True, kw_only=True):
    """What went in has ended; recalls of it reach the new lot."""

    units: int
    """Units of the new lot."""


class ResolveDockCase(msgspec.Struct, frozen=True, kw_only=True):
    """An answer to a case."""

    case: str
    """Its number."""

    resolution: Literal['Send new data', 'Send product', 'Return product', 'Send back product', 'Credit account', 'Debit account']
    """PDG's word for what ends it."""


class DockCaseResolved(msgspec.Struct, frozen=True, kw_only=True):
    """The case is closed."""

    response: bytes
    """The response for the partner, JSON after PDG."""


class ListRetention(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class RetentionListed(msgspec.Struct, frozen=True, kw_only=True):
    """What is older than six years, and what holds it."""

    papers: int
    """Documents of deliveries that are due to go."""

    cases: int
    """Answered cases that are due to go; an open case stays."""

    events: int
    """Captured events that are due to go."""

    jobs: int
    """Capture jobs that are due to go."""

    held: int
    """Events older than that which a subscriber has not acknowledged."""

    next: str
    """When the oldest event kept is due, UTC; empty if there is none."""

    queue: tuple[str, ...]
    """Each subscription: number, query, events captured since the last that is done, tries that failed."""


class ScanPack(msgspec.Struct, frozen=True, kw_only=True):
    """What a scanner sent."""

    identifier: str
    """An element string with or without symbology identifier, bracketed text or a Digital Link."""


class PackScanned(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with it."""

    kind: str
    """good: go on; wait: look at it; stop: set it aside."""

    verified: bool
    """Whether it is genuine and not ended."""

    code: str
    """Why, as `supply verify` has it; empty when all is in order."""

    action: str
    """What it calls for."""

    label: str
    """The label as people read it."""

    height: int
    """Block of the own replica that was asked."""


class SettleDispute(msgspec.Struct, frozen=True, kw_only=True):
    """Goods in dispute."""

    identifier: str
    """Label, Digital Link or URN of a pack or container."""


class DisputeSettled(msgspec.Struct, frozen=True, kw_only=True):
    """The dispute is over."""

    received: bool
    """Whether the goods are this member's now, which had missed them."""


class ShipGoods(msgspec.Struct, frozen=True, kw_only=True):
    """What goes to whom."""

    identifiers: tuple[str, ...]
    """Labels, Digital Links or URNs of packs or containers."""

    to: str
    """Member id of the receiver."""

    documents: tuple[str, ...] = ()
    """Purchase order, despatch advice: `po 4711`."""

    back: bool = False
    """Whether they go back towards their maker."""


class GoodsShipped(msgspec.Struct, frozen=True, kw_only=True):
    """They are in transit: the receiver has to take them over."""

    holding: str
    """Id of what was shipped, hexadecimal."""

    units: int
    """Units in it."""

    notice: bytes
    """X12 856 for the receiver's other systems, with the record's counts."""


class ShowEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Which event, and what of it."""

    event: str
    """Its eventID."""

    fields: tuple[str, ...]
    """Names of the fields to show; the others stay hidden."""


class EventShown(msgspec.Struct, frozen=True, kw_only=True):
    """Give it to whoever is to know these fields; it proves itself by `salus verify`."""

    shown: str
    """The event in part, of format salus-event/1."""

    withheld: int
    """How many fields it does not show."""


class MakeSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing."""


class SnapshotMade(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot. Whoever has it can name this member's goods: keep it as the goods' own data."""

    snapshot: bytes
    """The file, for `salus supply offline`."""

    height: int
    """Newest block of the own replica."""

    until: str
    """Until when it is answered from, UTC."""


class ListStock(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class StockListed(msgspec.Struct, frozen=True, kw_only=True):
    """What is on its way here."""

    inbound: tuple[str, ...]
    """Shipment id, sender, units."""

    alerts: tuple[str, ...]
    """Time, code and draft of each alarm."""


class TakeGoods(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class GoodsTaken(msgspec.Struct, frozen=True, kw_only=True):
    """In this member's hands, another's as before."""

    holdings: tuple[str, ...]
    """Id of each, hexadecimal."""


class TakeDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery with its papers."""

    scans: bytes
    """Labels scanned, one a line."""

    files: tuple[bytes, ...] = ()
    """EPCIS documents: 2.0 JSON-LD, 2.0 XML or 1.2 XML."""

    receiver: str = ''
    """Own GLN as Digital Link or URN; default everything."""

    order: str = ''
    """Purchase order; stays here."""

    captured: str = ''
    """Shipments captured by this node's EPCIS repository, as a query; empty: none."""


class DeliveryTaken(msgspec.Struct, frozen=True, kw_only=True):
    """Papers are kept for six years; each difference is a case with a clock."""

    summary: str
    """The sentence for the dock."""

    report: bytes
    """The exceptions report for the partner, JSON after PDG; empty if none."""

    cases: tuple[str, ...]
    """Number of each new case, and what it is about."""


class ReportTemperatures(msgspec.Struct, frozen=True, kw_only=True):
    """A leg of a journey."""

    goods: str
    """Label of own goods, or id of what is carried."""

    readings: bytes
    """Lines `time,celsius`, each until the next."""

    low: int = 2
    """Lowest degree Celsius of the label."""

    high: int = 8
    """Highest."""


class TemperaturesReported(msgspec.Struct, frozen=True, kw_only=True):
    """They stand on the ledger; the series is kept here and committed."""

    mkt: int
    """Mean kinetic temperature, millikelvin (USP 1160)."""

    minutes_out: int
    """Minutes out of range, rounded up."""

    set_aside: bool
    """Whether it is more than the lot bears: quarantined, or when it arrives."""


class TracePack(msgspec.Struct, frozen=True, kw_only=True):
    """A tracing request."""

    identifier: str
    """The pack, case or pallet, in any form."""

    files: tuple[bytes, ...] = ()
    """EPCIS documents: 2.0 JSON-LD, 2.0 XML or 1.2 XML."""

    captured: bool = False
    """Whether what this node's EPCIS repository captured is counted too."""


class PackTraced(msgspec.Struct, frozen=True, kw_only=True):
    """What one's own files say of it."""

    found: bool
    """Whether any event names it or what it was in."""

    lot: str
    """Its lot, from its commissioning."""

    expiry: str
    """Its expiry, from its commissioning."""

    steps: tuple[str, ...]
    """Time, step, inside what, from whom to whom, documents; by time."""

    breaks: tuple[str, ...]
    """Where the chain of owners does not follow."""

    answer_by: str
    """48 hours from now, UTC: the longest a request received now may wait."""


class UndoEnd(msgspec.Struct, frozen=True, kw_only=True):
    """A pack whose end was a mistake."""

    identifier: str
    """Label, Digital Link or URN of a pack or container."""


class EndUndone(msgspec.Struct, frozen=True, kw_only=True):
    """It is active again."""


class VerifyPack(msgspec.Struct, frozen=True, kw_only=True):
    """A label."""

    identifier: str
    """Label, Digital Link or URN of a pack or container."""

    place: str = ''
    """Where it is scanned, as in EPCIS; default unsaid."""


class PackVerified(msgspec.Struct, frozen=True, kw_only=True):
    """The answer."""

    verified: bool
    """Whether such a pack was made and is in circulation."""

    code: str
    """What is wrong, a code of GS1 verification messaging or ours; empty: nothing."""

    action: str
    """What it calls for."""

    height: int
    """Height of the ledger's state that was asked."""

    responder: str
    """Who knew the pack; empty if nobody did."""

    proof: bytes
    """What opens the pack and finds it in that state; empty if unknown."""


class ListDockCases(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class DockCasesListed(msgspec.Struct, frozen=True, kw_only=True):
    """What waits, the most urgent first."""

    open: tuple[str, ...]
    """Number, hours left (below zero: overdue), what, what is offered."""

    resolved: int
    """Cases that were answered."""

    papers: int
    """Documents kept."""


class AskToken(msgspec.Struct, frozen=True, kw_only=True):
    """Whose, and for what."""

    as_: str = msgspec.field(name='as')
    """Person in whose name it acts, by the name that only this member can resolve."""

    scope: str
    """SMART scopes, with blanks between them."""

    patient: str = ''
    """Id of the Patient resource that scopes of the level patient are for."""

    role: str = ''
    """Role; empty: that of the person's account."""

    purposes: tuple[str, ...] = ()
    """Purposes; none: those of the person's account."""


class TokenIssued(msgspec.Struct, frozen=True, kw_only=True):
    """Send it as `Authorization: Bearer …`."""

    token: str
    """The access token."""

    scope: str
    """What it opens."""

    ends: str
    """When it ends, UTC."""


class DraftAct(msgspec.Struct, frozen=True, kw_only=True):
    """An act for a person to sign on their own device."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    subject: str
    """The participant at this site; empty: the site's delegations."""

    person: str
    """The acting person's public key."""

    kind: str
    """Kind of act."""

    clinical: str = ''
    """When it happened, ISO 8601."""

    fields: tuple[str, ...] = ()
    """NAME=VALUE."""


class ActDrafted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be signed: Ed25519 over the framed bytes, label `salus/v1/trial-act`.

Up to 50 acts of one person that follow each other may be signed at once: label `salus/v1/trial-acts`, over their digests."""

    act: str
    """The act's bytes, hexadecimal."""


class AgreeToOpening(msgspec.Struct, frozen=True, kw_only=True):
    """The opening that a trustee agrees to."""

    case: str
    """Id in the register."""


class OpeningAgreed(msgspec.Struct, frozen=True, kw_only=True):
    """What stands after it."""

    status: str
    """requested while trustees are missing, then opened."""

    agreed: int
    """Trustees that agreed."""


class AmendTrial(msgspec.Struct, frozen=True, kw_only=True):
    """A new version of the definition."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    protocol: bytes
    """USDM 4.0, JSON, gzip or not."""

    terms: bytes
    """The terms, JSON."""

    analysis: bytes
    """The analysis plan, ARS v1, JSON."""

    substantial: bool
    """Whether the regulator must approve it too."""

    reconsent_days: int
    """Days to renew consents; 0 if the form did not change."""

    forms: bytes = b''
    """The forms, ODM 2.0 or 1.3.2, XML; empty: the protocol's concepts."""

    findings: bytes = b''
    """What `salus trial check --rules` found in the protocol, to be signed too."""


class TrialAmended(msgspec.Struct, frozen=True, kw_only=True):
    """The version is proposed."""

    number: int
    """Its number."""

    after_unblinding: bool
    """Whether outcomes or analysis changed after an opening."""


class AnalyseTrial(msgspec.Struct, frozen=True, kw_only=True):
    """Which analyses are run."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    analysis: str = ''
    """Id in the analysis plan; empty: all of them."""

    file: str = ''
    """Where the plan goes with its results (ARS v1, JSON); not written over. Empty: nowhere."""


class TrialAnalysed(msgspec.Struct, frozen=True, kw_only=True):
    """What the locked rows give."""

    root: str
    """The lock's root, computed again from the rows."""

    results: tuple[str, ...]
    """Analysis, operation, groups: the number as printed, and from how many rows."""

    open: tuple[str, ...]
    """Analyses that were not run, and why."""


class AskOpening(msgspec.Struct, frozen=True, kw_only=True):
    """Whose arm is to be known, and why."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    kind: str
    """susar (regulator, ethics board), board (safety board), agreed (any party), inadvertent (somebody learned an arm by mishap)."""

    reason: str
    """One of error, other, overdose, planned-look, pregnancy, safety-report, treatment."""

    enrolment: str = ''
    """The enrolment, or:"""

    subject: str = ''
    """the participant at this site."""


class OpeningAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The register shows that it is asked for."""

    case: str
    """Id in the register."""

    status: str
    """requested, or opened for a mishap."""

    needed: int
    """Trustees that must agree."""


class Assess(msgspec.Struct, frozen=True, kw_only=True):
    """An opening that was assessed."""

    case: str
    """Id in the register."""

    assessment: str
    """What was found; only a commitment is public."""


class Assessed(msgspec.Struct, frozen=True, kw_only=True):
    """The register says so."""

    status: str
    """Status of the opening."""


class AuditDraws(msgspec.Struct, frozen=True, kw_only=True):
    """The study whose draws are replayed."""

    study: str
    """Id of the study, 32 hexadecimal digits."""


class DrawsAudited(msgspec.Struct, frozen=True, kw_only=True):
    """What the replay says."""

    draws: int
    """Draws replayed."""

    wrong: tuple[str, ...]
    """Enrolments whose allocation is not what the draw gives."""

    arms: tuple[str, ...]
    """Participants by arm."""


class BillTrial(msgspec.Struct, frozen=True, kw_only=True):
    """The study whose open lines are stated."""

    study: str
    """Id of the study, 32 hexadecimal digits."""


class TrialBilled(msgspec.Struct, frozen=True, kw_only=True):
    """A statement as the ledger has it; only a commitment is public."""

    number: int
    """The site's statement."""

    lines: int
    """Its lines."""

    total: int
    """Their sum, minor units."""

    status: str
    """stated."""


class CheckTrial(msgspec.Struct, frozen=True, kw_only=True):
    """A protocol, and what it is held against: the data of its study, rules of others, or both."""

    protocol: bytes
    """The USDM 4.0 file, JSON, gzip or not."""

    data: str = ''
    """Folder of Dataset-JSON 1.1 files, one domain each."""

    rules: str = ''
    """Folder of CDISC's open rules (YAML), those for USDM 4.0 of the kinds JSONata and JSON Schema Check are judged."""

    folder: str = ''
    """Where findings.json, the rules' findings to be signed with the definition, goes; it is not written over."""


class TrialChecked(msgspec.Struct, frozen=True, kw_only=True):
    """What the data says against the plan and against itself, and what rules find in the protocol."""

    sound: bool
    """Whether the data shows nothing. Findings of rules are for people to weigh."""

    judged_rules: int
    """Rules that judged the protocol."""

    rule_findings: int
    """What they found in all."""

    ruled: tuple[str, ...]
    """Rule, JSON pointer, what it says, its values; the first thousand."""

    unjudged: tuple[str, ...]
    """Files of the rules' folder that were not judged, and why."""

    subjects: int
    """Subjects in the data."""

    judged: int
    """Visits held against a window."""

    undecided: int
    """Visits that the data is too imprecise to judge."""

    outside: int
    """Visits outside their windows."""

    missing_consents: int
    """Subjects without a consent."""

    late_consents: int
    """Subjects whose first visit was before their consent."""

    contradictions: int
    """Rows that contradict other rows or the protocol."""

    findings: tuple[str, ...]
    """Rule, domain and row, subject, arithmetic; the first thousand."""

    unmatched: tuple[str, ...]
    """Visit names that the protocol does not have."""

    absent: tuple[str, ...]
    """Domains not there, and what was not checked for it."""


class CheckRegistry(msgspec.Struct, frozen=True, kw_only=True):
    """A record, and what the checker trusts."""

    record: bytes
    """The record, JSON."""

    trust: bytes
    """The network's trust file, JSON."""


class RegistryChecked(msgspec.Struct, frozen=True, kw_only=True):
    """What the proofs say of the record."""

    sound: bool
    """Whether everything that the record proves holds."""

    outcomes: tuple[str, ...]
    """Level, measure and status of each outcome, as proven."""

    flagged: bool
    """Whether outcomes or analysis changed after an opening."""

    wrong: tuple[str, ...]
    """What does not hold, each by name."""

    unchecked: tuple[str, ...]
    """Fields that the record gives no means to check."""


class StartSafetyClock(msgspec.Struct, frozen=True, kw_only=True):
    """A serious event whose telling is due."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    kind: str
    """24-hours (a site), 7-days, 15-days or follow-up (the sponsor)."""

    event: str
    """The event; only a salted commitment is public."""


class SafetyClockStarted(msgspec.Struct, frozen=True, kw_only=True):
    """The deadline runs, for everyone to see."""

    case: str
    """Its id."""

    due: str
    """By when it is to be told, UTC."""


class CommitTrial(msgspec.Struct, frozen=True, kw_only=True):
    """A study definition and who plays which part."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    protocol: bytes
    """USDM 4.0, JSON, gzip or not."""

    terms: bytes
    """The terms, JSON."""

    analysis: bytes
    """The analysis plan, ARS v1, JSON."""

    parties: tuple[str, ...]
    """PART=MEMBER, SPONSOR, COORDINATOR, ETHICS, REGULATOR, STATISTICIAN, DISPENSER (two members), and as needed EMERGENCY, BOARD; a member that plays all is alone, with one DISPENSER."""

    key: str
    """What `salus trial key` shows; empty: allocation from outside."""

    forms: bytes = b''
    """The forms, ODM 2.0 or 1.3.2, XML; empty: the protocol's concepts."""

    findings: bytes = b''
    """What `salus trial check --rules` found in the protocol, to be signed too."""


class TrialCommitted(msgspec.Struct, frozen=True, kw_only=True):
    """The study stands on the ledger; every party has its definition and signs next."""

    root: str
    """Root of the definition."""

    labels: tuple[str, ...]
    """What a reader must be told of how it is set up."""

    waiting: tuple[str, ...]
    """Who has not signed yet."""


class TakeConsent(msgspec.Struct, frozen=True, kw_only=True):
    """A consent on paper, witnessed at this site."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    assigner: str
    """Who numbers the site's patients."""

    identifier: str
    """The patient's number there."""

    language: str
    """Language of the form."""

    options: tuple[str, ...] = ()
    """Options agreed to."""


class ConsentTaken(msgspec.Struct, frozen=True, kw_only=True):
    """The consent stands on the ledger; what it is to, only its proof tells."""

    subject: str
    """Stands for the participant at this site and in this study alone."""

    grant: str
    """Id of the grant."""

    form: str
    """Digest of the form of informed consent."""

    way: str
    """Who signed: here, paper."""


class DealShares(msgspec.Struct, frozen=True, kw_only=True):
    """The trustees of a threshold key. Each of them deals, with the same list."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    trustees: tuple[str, ...]
    """Member ids, trustee 1 first."""

    threshold: int
    """How many of them sign a draw."""

    patience: int = 60
    """Minutes that another is waited for before it is complained of."""


class SharesDealt(msgspec.Struct, frozen=True, kw_only=True):
    """How far the key has come here."""

    arrived: int
    """Dealers whose shares are here and fit, the own included."""

    done: bool
    """Whether the key is there."""

    excluded: tuple[str, ...]
    """Dealers that the run was repeated without, and why."""

    complaints: tuple[str, ...]
    """Who complained of whom in this run, and whether the share that was opened fits."""

    waiting: tuple[str, ...]
    """Trustees that something is still expected of."""


class DesignTrial(msgspec.Struct, frozen=True, kw_only=True):
    """A scheme that a trial may draw by."""

    method: str = 'blocks'
    """simple, blocks, big-stick."""

    ratio: tuple[int, ...] | msgspec.UnsetType = msgspec.UNSET
    """Ratio of the arms."""

    sizes: tuple[int, ...] | msgspec.UnsetType = msgspec.UNSET
    """Block sizes."""

    bound: int = 3
    """Bound of a big stick."""

    participants: int = 240
    """Participants of a stratum."""


class TrialDesigned(msgspec.Struct, frozen=True, kw_only=True):
    """How often the next arm can be guessed by who sees all arms before."""

    share: str
    """Share of right guesses."""

    blind: str
    """Share of who sees no arm."""

    others: tuple[str, ...]
    """The share under other schemes for the same arms."""


class CompareProtocols(msgspec.Struct, frozen=True, kw_only=True):
    """Two versions of a protocol."""

    protocol: bytes
    """The later USDM 4.0 file, JSON, gzip or not."""

    before: bytes
    """The earlier USDM 4.0 file, JSON, gzip or not."""


class ProtocolsCompared(msgspec.Struct, frozen=True, kw_only=True):
    """What differs, object by object."""

    substantial: int
    """Objects whose change is substantial, by the table of classes."""

    others: int
    """Objects whose change is not."""

    changes: tuple[str, ...]
    """Substantial or not, what became of it, class, id, attributes, JSON pointer; the first thousand."""


class DraftTrial(msgspec.Struct, frozen=True, kw_only=True):
    """A protocol, and where its first definition goes."""

    protocol: bytes
    """The USDM 4.0 file, JSON, gzip or not."""

    forms: bytes = b''
    """Forms that are there already, ODM 2.0 or 1.3.2, XML; empty: they are made from the protocol's concepts."""

    folder: str = ''
    """Where terms.json, sap.ars.json and forms.odm.xml go; nothing there is written over. Empty: they are told only."""


class TrialDrafted(msgspec.Struct, frozen=True, kw_only=True):
    """A first definition. It is refused at signing until its gaps are filled."""

    terms: str
    """The terms, JSON."""

    analysis: str
    """The analysis plan, JSON."""

    forms: tuple[str, ...]
    """What each activity collects, from ODM or biomedical concepts."""

    formless: tuple[str, ...]
    """Activities that no form collects anything of."""

    gaps: tuple[str, ...]
    """What is to be filled in, by JSON pointer."""


class EnrolSubject(msgspec.Struct, frozen=True, kw_only=True):
    """A participant whom the investigator found eligible."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    subject: str
    """The participant at this site; empty: the site's delegations."""

    stratum: str
    """Name of the stratum."""


class SubjectEnrolled(msgspec.Struct, frozen=True, kw_only=True):
    """Enrolled; the kit comes when trustees and dispensers have done their part."""

    enrolment: str
    """Id of the enrolment."""


class WriteEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Which trial's evidence is written, for whom."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    file: str
    """Where it goes; not written over."""

    scope: str = 'public'
    """public or inspector."""


class EvidenceWritten(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds."""

    rows: int
    """Proven rows of the ledger."""

    participants: int
    """Chains; none in a public file."""

    erased: int
    """Participants who are erased: of their acts only the leaves."""

    draws: int
    """Draws."""


class ExpectEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A serious event to be held against the reference safety information."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    subject: str
    """Stands for the participant at the site."""

    event: int
    """Number of the act that entered it."""

    reference: bytes
    """The reference safety information, JSON, that the terms name."""


class EventExpected(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it was to be expected, whatever the arm; a SUSAR's deadline runs on the ledger."""

    expected: bool
    """Whether the reference lists it at this severity."""

    susar: bool
    """Whether it is serious, suspected and unexpected."""

    told: str
    """Why."""

    case: str = ''
    """Id of the deadline; empty if none runs."""

    due: str = ''
    """By when it is to be told, UTC; empty if none runs."""


class ExportTrial(msgspec.Struct, frozen=True, kw_only=True):
    """Which study leaves, in which form, and where to."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    folder: str
    """Where the files go; none is written over."""

    form: str = 'odm'
    """odm (ODM 2.0) or sdtm (Dataset-JSON 1.1)."""


class TrialExported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    files: tuple[str, ...]
    """File and what it holds."""

    participants: int
    """Participants in it."""

    blinded: bool
    """Whether arms are left out: no draws are published here."""

    lock: str
    """Whether the SDTM tables, but for arms, are those that are locked; empty while no lock stands."""


class ShowFlow(msgspec.Struct, frozen=True, kw_only=True):
    """The study whose participants are counted."""

    study: str
    """Id of the study, 32 hexadecimal digits."""


class FlowShown(msgspec.Struct, frozen=True, kw_only=True):
    """Participants by stage (CONSORT 2025): what chains tell beside what the ledger counts."""

    sound: bool
    """Whether chains and ledger agree."""

    screened: int
    """Consented, as the chains known here tell."""

    excluded: int
    """Screen failures among them."""

    reasons: tuple[str, ...]
    """Criteria not met, the most frequent first."""

    enrolled: int
    """Enrolments on the ledger."""

    refused: int
    """Enrolments that dispensers refused a kit, on the ledger."""

    waiting: int
    """Enrolments without an allocation yet, on the ledger."""

    allocated: int
    """Allocated, on the ledger."""

    arms: tuple[str, ...]
    """Allocated by arm; none before the draws are published here."""

    withdrawn: int
    """Withdrawn after allocation, as chains tell."""

    completed: int
    """Ended as planned or otherwise, as chains tell."""

    going: int
    """On study."""

    wrong: tuple[str, ...]
    """Where chains and ledger disagree."""


class ShowKey(msgspec.Struct, frozen=True, kw_only=True):
    """The study whose key is asked for, at one of its trustees."""

    study: str
    """Id of the study, 32 hexadecimal digits."""


class KeyShown(msgspec.Struct, frozen=True, kw_only=True):
    """The public part of a threshold key, once all have dealt."""

    key: str
    """JSON for `salus trial commit`: trustees, threshold, group key, shares."""


class LockTrial(msgspec.Struct, frozen=True, kw_only=True):
    """The study to lock."""

    study: str
    """Id of the study, 32 hexadecimal digits."""


class TrialLocked(msgspec.Struct, frozen=True, kw_only=True):
    """The lock as it stands."""

    root: str
    """Root over the canonical rows and the SDTM tables."""

    rows: int
    """Rows, one value each."""

    tables: int
    """Rows of the SDTM tables, and a line of columns for each table."""

    status: str
    """proposed or locked."""

    unsigned: int
    """Visits of participants without a draw that no investigator signed; they are locked as such."""


class StepTrialLook(msgspec.Struct, frozen=True, kw_only=True):
    """A step of an interim look."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    number: int
    """The look."""

    step: str
    """cut, continue, modify, stop, follow, not-follow."""

    evidence: str = ''
    """Advice or answer; only a commitment is public."""


class TrialLookStepped(msgspec.Struct, frozen=True, kw_only=True):
    """The look as it stands, with what was signed of it before the first participant."""

    status: str
    """Its status."""

    data: str
    """Root of the data cut."""

    planned: str
    """Fraction, boundary of z, cumulative alpha."""


class OfferTrial(msgspec.Struct, frozen=True, kw_only=True):
    """What is offered to a participant at this site."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    languages: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """Languages that the form is there in."""

    options: tuple[str, ...] = ()
    """What may be agreed to beside."""


class TrialOffered(msgspec.Struct, frozen=True, kw_only=True):
    """A code for the participant's wallet, good for a day."""

    code: str
    """Text or QR for `salus wallet trial-consent`."""

    form: str
    """Digest of the form that it is a consent to."""


class ReadOpening(msgspec.Struct, frozen=True, kw_only=True):
    """An opening that this member asked for."""

    case: str
    """Id in the register."""


class OpeningRead(msgspec.Struct, frozen=True, kw_only=True):
    """One participant's arm and kit. No other follows from it."""

    arm: str
    """Id of the arm."""

    kit: str
    """The kit."""

    wrong: tuple[str, ...]
    """Trustees whose signatures do not hold."""


class ListOpenings(msgspec.Struct, frozen=True, kw_only=True):
    """The study whose openings this member is asked to agree to."""

    study: str
    """Id of the study, 32 hexadecimal digits."""


class OpeningsListed(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for this trustee."""

    openings: tuple[str, ...]
    """Case, kind, reason, who asks, enrolment."""


class CompareOutcomes(msgspec.Struct, frozen=True, kw_only=True):
    """A report and the study it is of."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    report: bytes
    """JSON list of {id, level, measure, time_frame, analysis}."""


class OutcomesCompared(msgspec.Struct, frozen=True, kw_only=True):
    """What the report does with each outcome."""

    sound: bool
    """Whether all are as specified."""

    outcomes: tuple[str, ...]
    """As specified, changed in what, missing, added."""


class CheckPackage(msgspec.Struct, frozen=True, kw_only=True):
    """A definition before it is committed."""

    protocol: bytes
    """The USDM 4.0 file, JSON, gzip or not."""

    terms: bytes
    """The terms, JSON."""

    analysis: bytes
    """The analysis plan, ARS v1, JSON."""

    forms: bytes = b''
    """The forms, ODM 2.0 or 1.3.2, XML; empty: the protocol's concepts."""

    findings: bytes = b''
    """What `salus trial check --rules` found in the protocol, to be signed too."""


class PackageChecked(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the definition can be run, or every fault that `commit` would refuse."""

    sound: bool
    """Whether it can be signed and run."""

    root: str
    """The root that every party signs; empty while there are faults."""

    faults: tuple[str, ...]
    """Which part, rule, JSON pointer, what was expected; the first hundred."""


class ListPayments(msgspec.Struct, frozen=True, kw_only=True):
    """The study whose payments are asked for."""

    study: str
    """Id of the study, 32 hexadecimal digits."""


class Payments(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be paid, as site and sponsor compute alike; no arm enters into it."""

    sites: tuple[str, ...]
    """Site, lines not settled yet, sum in minor units."""

    statements: tuple[str, ...]
    """Site, number and status of every statement on the ledger."""

    held: int
    """Visits that wait for a signature or a query."""


class CheckProtocol(msgspec.Struct, frozen=True, kw_only=True):
    """A protocol."""

    protocol: bytes
    """The USDM 4.0 file, JSON, gzip or not."""


class ProtocolChecked(msgspec.Struct, frozen=True, kw_only=True):
    """What the protocol becomes, or why it does not compile."""

    sound: bool
    """Whether it compiles."""

    faults: tuple[str, ...]
    """Rule, JSON pointer, what was expected."""

    visits: tuple[str, ...]
    """Visits of the main timeline in their order: the id that acts name, the label."""

    collected: tuple[str, ...]
    """What each activity collects: the id that acts name, the label, items from its concepts."""

    arms: int
    """Arms."""

    criteria: int
    """Criteria of eligibility."""

    endpoints: int
    """Endpoints."""

    forms: int
    """Activities whose data is structured."""


class PublishDraws(msgspec.Struct, frozen=True, kw_only=True):
    """The study whose draws a dispenser publishes, after the unblinding."""

    study: str
    """Id of the study, 32 hexadecimal digits."""


class DrawsPublished(msgspec.Struct, frozen=True, kw_only=True):
    """Everyone they were sent to replays them."""

    draws: int
    """Draws."""


class ReadItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item to be read from a record."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    subject: str
    """The participant at this site."""

    record: str
    """TYPE/ID."""

    expression: str
    """FHIRPath."""

    item: str
    """Name of the item."""


class ItemRead(msgspec.Struct, frozen=True, kw_only=True):
    """The value with its source: put the fields into an act `form`."""

    fields: tuple[str, ...]
    """NAME=VALUE."""


class RecordActs(msgspec.Struct, frozen=True, kw_only=True):
    """Signed acts of one chain, in order."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    subject: str
    """The participant at this site; empty: the site's delegations."""

    acts: tuple[str, ...]
    """ACT:SIGNATURE, hexadecimal; empty signatures: the next one signs these acts too."""

    credential: str = ''
    """Credential of who signs, renewed at most 5 minutes before; for acts of kind sign."""

    investigator: str = ''
    """The principal investigator's key, with the first delegation."""


class ActsRecorded(msgspec.Struct, frozen=True, kw_only=True):
    """The acts are sealed and on their way to the ledger."""

    acts: int
    """Acts in the chain."""

    deviations: tuple[str, ...]
    """Deviations that stand now, with their arithmetic."""

    tasks: tuple[str, ...]
    """What is due."""


class ShowRegistry(msgspec.Struct, frozen=True, kw_only=True):
    """The study to register or report."""

    study: str
    """Id of the study, 32 hexadecimal digits."""


class RegistryShown(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that registries ask for, and the outcome register with its proofs."""

    record: str
    """JSON: ClinicalTrials.gov's names; Salus's own begin with `salus`."""


class RehearseTrial(msgspec.Struct, frozen=True, kw_only=True):
    """A definition and acts to play."""

    protocol: bytes
    """USDM 4.0, JSON, gzip or not."""

    terms: bytes
    """The terms, JSON."""

    analysis: bytes
    """The analysis plan, ARS v1, JSON."""

    acts: bytes
    """The acts, NDJSON."""

    forms: bytes = b''
    """The forms, ODM 2.0 or 1.3.2, XML; empty: the protocol's concepts."""

    locked: str = ''
    """When the data is locked, ISO 8601; empty: never."""


class TrialRehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules say of each act."""

    sound: bool
    """Whether every act was taken, without a deviation."""

    verdicts: tuple[str, ...]
    """Acts not taken: line, subject, code, why."""

    deviations: tuple[str, ...]
    """Line or 0, subject, code, arithmetic."""

    participants: tuple[str, ...]
    """Subject, status, open queries, visits to be paid."""


class PostResult(msgspec.Struct, frozen=True, kw_only=True):
    """A result of one outcome, or why there is none."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    outcome: str
    """Id of the outcome."""

    result: str = ''
    """The result as reported."""

    reason: str = ''
    """Why there is none."""


class ResultPosted(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of it."""

    status: str
    """posted, not_done or post_hoc."""


class ShowResultRows(msgspec.Struct, frozen=True, kw_only=True):
    """One number of an analysis."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    analysis: str
    """Id in the analysis plan."""

    operation: str
    """Id of the operation."""

    groups: tuple[str, ...] = ()
    """Ids of the groups, in their order."""


class ResultRows(msgspec.Struct, frozen=True, kw_only=True):
    """What it is computed from."""

    result: str
    """The number as printed."""

    rows: tuple[str, ...]
    """Number of the row under the lock's root, and the row; the first 1000."""

    count: int
    """Rows in all."""


class ShowSchema(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is needed."""


class SchemaShown(msgspec.Struct, frozen=True, kw_only=True):
    """What `terms.json` may hold."""

    terms: str
    """JSON Schema 2020-12, made from the types that read terms."""


class ScreenSubject(msgspec.Struct, frozen=True, kw_only=True):
    """Whose records are read."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    subject: str
    """The participant at this site."""


class SubjectScreened(msgspec.Struct, frozen=True, kw_only=True):
    """What the records say. Nothing is entered: put the fields into an act `screen`."""

    fields: tuple[str, ...]
    """NAME=VALUE: each answer, and the digest of its evidence."""

    undecided: tuple[str, ...]
    """Criteria that the records do not decide, and why."""

    attested: tuple[str, ...]
    """Criteria that a person attests."""

    records: int
    """Records read."""


class SendActs(msgspec.Struct, frozen=True, kw_only=True):
    """The study whose acts are sent."""

    study: str
    """Id of the study, 32 hexadecimal digits."""


class ActsSent(msgspec.Struct, frozen=True, kw_only=True):
    """What left, each participant's line in the access log first."""

    participants: int
    """Participants with new acts."""

    acts: int
    """Acts sent."""

    withheld: int
    """Participants whose consent does not hold, or who asked to be erased."""


class SettleTrial(msgspec.Struct, frozen=True, kw_only=True):
    """A site's statement and the sponsor's answer."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    site: str
    """The site."""

    number: int
    """Its statement."""

    step: str
    """agree, dispute, pay."""


class TrialSettled(msgspec.Struct, frozen=True, kw_only=True):
    """The statement as it stands."""

    status: str
    """agreed, disputed or paid."""

    lines: int
    """Its lines."""

    total: int
    """Their sum, minor units."""

    wrong: tuple[str, ...]
    """Lines that do not follow from the chains here."""


class ShowTrial(msgspec.Struct, frozen=True, kw_only=True):
    """The study to show."""

    study: str
    """Id of the study, 32 hexadecimal digits."""


class TrialShown(msgspec.Struct, frozen=True, kw_only=True):
    """A trial as this member's ledger has it."""

    status: str
    """Where it stands."""

    labels: tuple[str, ...]
    """What a reader must be told of how it is set up."""

    version: int
    """Newest approved version."""

    flagged: tuple[int, ...]
    """Versions that changed outcomes after an opening."""

    sites: tuple[str, ...]
    """Each site, its status and version."""

    enrolled: int
    """Enrolments."""

    allocated: int
    """Enrolments that two dispensers agree on."""

    openings: tuple[str, ...]
    """The unblinding register: kind, reason, status, who."""

    overdue: tuple[str, ...]
    """Safety deadlines that passed, and who owes them."""

    outcomes: tuple[str, ...]
    """What became of each outcome."""


class SignTrial(msgspec.Struct, frozen=True, kw_only=True):
    """The study to sign."""

    study: str
    """Id of the study, 32 hexadecimal digits."""


class TrialStands(msgspec.Struct, frozen=True, kw_only=True):
    """Where the study stands."""

    status: str
    """Its status."""

    version: int
    """Its newest approved version."""


class StepTrialSite(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a site."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    site: str
    """Member id."""

    step: str
    """nominate, contract, approve, train, activate, suspend, restore, close."""


class HideSizes(msgspec.Struct, frozen=True, kw_only=True):
    """Block sizes that nobody but the dispensers is to know."""

    sizes: tuple[int, ...]
    """Hidden block sizes."""

    ratio: tuple[int, ...] | msgspec.UnsetType = msgspec.UNSET
    """Ratio of the arms."""


class SizesHidden(msgspec.Struct, frozen=True, kw_only=True):
    """What the terms say of the sizes, and the key that stays with the dispenser."""

    size_commitment: str
    """For /randomisation/size_commitment of the terms."""

    size_key: str
    """For `salus trial supply`; whoever has it can try sizes out."""


class StepTrial(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a study."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    step: str
    """approve, register, open, close-recruitment, last-visit, clean, soft-lock, unblind, analyse, report, hold, resume, terminate, or adopt (at a site)."""

    evidence: str = ''
    """What it stands on; for register, the registered record."""


class SupplyTrial(msgspec.Struct, frozen=True, kw_only=True):
    """What dispensers alone may know."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    sizes: tuple[int, ...]
    """Hidden block sizes."""

    size_key: str
    """Their key, as the terms commit to."""

    kits: bytes
    """JSON: {"site": [["K-001", 0], …]}, each kit with its arm's number."""


class TrialSupplied(msgspec.Struct, frozen=True, kw_only=True):
    """Both dispensers hold the same."""

    sites: int
    """Sites with kits."""

    kits: int
    """Kits."""


class ListTasks(msgspec.Struct, frozen=True, kw_only=True):
    """The study whose participants are asked for."""

    study: str
    """Id of the study, 32 hexadecimal digits."""


class Tasks(msgspec.Struct, frozen=True, kw_only=True):
    """The participants that this member knows, judged anew from their chains."""

    participants: tuple[str, ...]
    """Site, subject, status, visits, kit."""

    verdicts: tuple[str, ...]
    """Acts that were not to be taken, at any site."""

    deviations: tuple[str, ...]
    """Deviations with their arithmetic."""

    tasks: tuple[str, ...]
    """What is due, with its window."""


class MeetSafetyClock(msgspec.Struct, frozen=True, kw_only=True):
    """What was told, and its acknowledgement."""

    case: str
    """Id of the deadline."""

    acknowledgement: bytes
    """The acknowledgement as received."""


class SafetyClockMet(msgspec.Struct, frozen=True, kw_only=True):
    """In time or late: late stays late."""

    status: str
    """met or late."""

    follow_up: str = ''
    """Id of the follow-up's deadline, which runs now; empty without one."""


class TraceItem(msgspec.Struct, frozen=True, kw_only=True):
    """A value in a participant's chain."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    subject: str
    """The participant at this site."""

    item: str
    """VISIT/ACTIVITY/REPEAT/ITEM."""

    person: str = ''
    """The public key of who reads, a monitor's for one; empty: the site's operator."""


class ItemTraced(msgspec.Struct, frozen=True, kw_only=True):
    """Where a value was read from, computed again."""

    sound: bool
    """Whether the record still gives the value that was read."""

    value: str
    """The value as entered."""

    read: str
    """The value that the record gave; another one where it was typed over."""

    expression: str
    """FHIRPath, with its conversion of units."""

    record: str
    """TYPE/ID and version at this site."""

    leaf: str
    """The record's leaf."""

    root: str
    """Root of its batch, anchored by this site."""

    path: tuple[str, ...]
    """INDEX/SIZE, then siblings from leaf to root (RFC 9162)."""

    transaction: str
    """What anchored the root: `salus proof` shows its receipt."""


class ReadTrail(msgspec.Struct, frozen=True, kw_only=True):
    """Whose audit trail is read."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    subject: str
    """Stands for the participant at the site."""


class Trail(msgspec.Struct, frozen=True, kw_only=True):
    """Every act of the participant's chain, refused ones too; nothing in it tells an arm."""

    columns: str
    """What stands in a line, in order."""

    lines: tuple[str, ...]
    """One value each: parts divided by a tab."""


class Unblind(msgspec.Struct, frozen=True, kw_only=True):
    """Whose treatment must be known now."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    subject: str
    """The participant."""

    reason: str = 'treatment'
    """One of error, other, overdose, planned-look, pregnancy, safety-report, treatment."""


class Unblinded(msgspec.Struct, frozen=True, kw_only=True):
    """What this participant gets. Nothing else was opened."""

    arm: str
    """Id of the arm."""

    kit: str
    """The kit."""

    case: str
    """Id in the unblinding register."""

    deferred: bool
    """Whether the ledger was away and learns of it later."""


class UnlockTrial(msgspec.Struct, frozen=True, kw_only=True):
    """The study whose data is to be unlocked, and why."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    reason: str
    """Why; only a commitment is public."""


class TrialUnlocked(msgspec.Struct, frozen=True, kw_only=True):
    """The lock as it stands: the second party to ask unlocks it."""

    status: str
    """locked or unlocked."""

    asked: int
    """Parties that asked."""


class VerifyEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """A file, and what the verifier trusts."""

    file: bytes
    """The evidence."""

    trust: bytes
    """The network's trust file, JSON."""


class EvidenceVerified(msgspec.Struct, frozen=True, kw_only=True):
    """What the replay says."""

    sound: bool
    """Whether everything in the file holds."""

    status: str
    """The study's status as proven."""

    wrong: tuple[str, ...]
    """What does not hold, each by name."""

    rows: int
    """Rows proven."""

    participants: int
    """Chains judged anew."""

    acts: int
    """Acts in them."""

    erased: int
    """Participants who are erased: of their acts only leaves, under anchored roots."""

    draws: int
    """Draws replayed."""

    unchecked: tuple[str, ...]
    """What the file gives no means to check."""


class WithdrawConsent(msgspec.Struct, frozen=True, kw_only=True):
    """Whose consent ends."""

    study: str
    """Id of the study, 32 hexadecimal digits."""

    subject: str
    """The participant at this site; empty: the site's delegations."""


class ConsentWithdrawn(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is sent from that block on; what was sent stays, as the form says."""

    height: int
    """Block from which it holds."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """The study to work on."""

    study: str
    """Id of the study, 32 hexadecimal digits."""


class WorkDone(msgspec.Struct, frozen=True, kw_only=True):
    """What this member did as trustee and dispenser."""

    signed: int
    """Draws signed as trustee."""

    posted: int
    """Allocations posted as dispenser."""

    given: int
    """Kits sent."""

    waiting: tuple[str, ...]
    """Enrolments that wait, and for what."""

    refused: tuple[str, ...]
    """Enrolments refused a kit, and why."""

    wrong: tuple[str, ...]
    """Trustees whose signatures did not hold."""


class SendTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """What to say on the ledger."""

    message: str
    """Its name, as docs/reference/messages.md lists them."""

    content: Any
    """Its fields, bytes in hexadecimal."""


class TransactionSent(msgspec.Struct, frozen=True, kw_only=True):
    """It is applied and durable."""

    transaction: str
    """Its id, hexadecimal."""

    height: int
    """Block that holds it."""

    data: str
    """Result data, hexadecimal: what its receipt proves."""


class AskWorklist(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be done."""

    due: str
    """By when, UTC; empty: as soon as may be."""

    overdue: bool
    """Whether that has passed."""

    kind: str
    """emergency, erasure, access, correction, delivery, proposal, lease, extract or identity."""

    subject: str
    """Id of the case, request, delivery, proposal or grant, hexadecimal."""

    what: str
    """What to do."""

    task: str
    """The same as a stable name, for programs that say it in words of their own."""

    member: str
    """Member it is about, if it is about one."""

    tries: int
    """How often a delivery was tried."""

    failure: str
    """Code of a delivery's last failure."""


class Worklist(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done at this member."""

    tasks: tuple[Task, ...]
    """The most urgent first."""


class AccessCases:
    """Use cases about access."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ask(self, request: AskAccess) -> Asked:
        """Ask a patient for access: make a signed code that the patient's wallet answers with a grant, or does not. For: person."""
        return self._connection.ask('/api/access/ask', request, Asked)

    def list(self, request: ListAccess) -> Access:
        """List the requests made and the grants held. For: person."""
        return self._connection.ask('/api/access/list', request, Access)

    def pull(self, request: PullAccess) -> PulledAccess:
        """Pull what a grant opens and was not pulled yet, from every custodian it names; verify and index it. For: person."""
        return self._connection.ask('/api/access/pull', request, PulledAccess)


class AppCases:
    """Use cases about app."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, request: ListApps) -> AppsListed:
        """List the programs that may ask. For: operator."""
        return self._connection.ask('/api/app/list', request, AppsListed)

    def register(self, request: RegisterApp) -> AppRegistered:
        """Register a program that may ask people for access, or act as a backend service; again, to change it. For: operator."""
        return self._connection.ask('/api/app/register', request, AppRegistered)

    def remove(self, request: RemoveApp) -> AppRemoved:
        """Remove a program: its tokens and what people allowed it end now. For: operator."""
        return self._connection.ask('/api/app/remove', request, AppRemoved)


class BackupCases:
    """Use cases about backup."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def days(self, request: AskDays) -> BackupDays:
        """List the days on which backups were made that still open: their keys are kept for 30 days. For: operator."""
        return self._connection.ask('/api/backup/days', request, BackupDays)

    def make(self, request: MakeBackup) -> BackedUp:
        """Back up vault, desk and ledger into a folder. A running node may go on; writing waits for moments. For: operator."""
        return self._connection.ask('/api/backup/make', request, BackedUp)

    def restore(self, request: RestoreBackup) -> Restored:
        """Put a backup back into a data folder that holds keys and the list of erasures, and nothing else. For: operator."""
        return self._connection.ask('/api/backup/restore', request, Restored)


class ClaimsCases:
    """Use cases about claims."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def adjudicate(self, request: AdjudicateClaims) -> ClaimsAdjudicated:
        """Decide a file of claims by a plan, rates and members, and write 999, 277CA, 835, explanations and a page. For: operator."""
        return self._connection.ask('/api/claims/adjudicate', request, ClaimsAdjudicated)

    def answers(self, request: ListAnswers) -> CaseAnswers:
        """Show what came back for a case: the answer of the door, the payer's question, the 835s. For: operator."""
        return self._connection.ask('/api/claims/answers', request, CaseAnswers)

    def approval_figures(self, request: AskFigures) -> OwnFigures:
        """Sum a payer's own prior authorisations as 42 CFR 422.122(c) has them published. For: operator."""
        return self._connection.ask('/api/claims/approval-figures', request, OwnFigures)

    def approvals(self, request: ListApprovals) -> Approvals:
        """List the requests for prior authorisation that this member has a part in. For: operator."""
        return self._connection.ask('/api/claims/approvals', request, Approvals)

    def approve(self, request: Approve) -> ApprovalDecided:
        """Decide a request: the approvals bind this payer's claims from then on; a denial says why. For: operator."""
        return self._connection.ask('/api/claims/approve', request, ApprovalDecided)

    def ask_approval(self, request: AskApproval) -> ApprovalAsked:
        """Ask a payer for prior authorisation: journalled and committed before the first byte leaves. For: operator."""
        return self._connection.ask('/api/claims/ask-approval', request, ApprovalAsked)

    def ask_information(self, request: AskInformation) -> InformationAsked:
        """Ask the provider for what a claim lacks; the clock of the decision stops, the provider's own starts. For: operator."""
        return self._connection.ask('/api/claims/ask-information', request, InformationAsked)

    def audit(self, request: AuditRemittance) -> RemittanceAudited:
        """Hold a received 835 against one's contract: what does not balance, what was paid below the agreed price. For: operator."""
        return self._connection.ask('/api/claims/audit', request, RemittanceAudited)

    def cases(self, request: ListCases) -> Cases:
        """List the claims that this member has a part in, with status, deadline, and where a recomputation parts. For: operator."""
        return self._connection.ask('/api/claims/cases', request, Cases)

    def check(self, request: CheckClaims) -> ClaimsChecked:
        """Check an X12 file as its receiver would: syntax, guide, balance, situation, codes. Nothing is sent or kept. For: operator."""
        return self._connection.ask('/api/claims/check', request, ClaimsChecked)

    def correct(self, request: CorrectClaim) -> CorrectionOpened:
        """Open a decided case for the payer's own correction: the same claim, decided again by the next `claims decide`. For: operator."""
        return self._connection.ask('/api/claims/correct', request, CorrectionOpened)

    def decide(self, request: DecideClaims) -> ClaimsDecided:
        """Accept, decide and remit what lies in the payer's inbox; EOBs become records of the patients, sealed and anchored. For: operator."""
        return self._connection.ask('/api/claims/decide', request, ClaimsDecided)

    def dispute(self, request: DisputeDecision) -> CaseReopened:
        """Have a decision made again by a person at the payer: the case is reopened, the statement sent sealed. For: operator."""
        return self._connection.ask('/api/claims/dispute', request, CaseReopened)

    def eligibility(self, request: AskEligibility) -> EligibilityTold:
        """Answer who is covered: a 271 to a 270, with what is left of deductible and out-of-pocket maximum. For: operator."""
        return self._connection.ask('/api/claims/eligibility', request, EligibilityTold)

    def explain(self, request: ExplainCase) -> CaseExplained:
        """Tell why a case was decided so, at payer or provider, from the decision as it was committed. For: operator."""
        return self._connection.ask('/api/claims/explain', request, CaseExplained)

    def inform(self, request: Inform) -> CaseInformed:
        """Answer what a payer asked: committed before the first byte leaves, sealed to the payer. For: operator."""
        return self._connection.ask('/api/claims/inform', request, CaseInformed)

    def lift_restriction(self, request: LiftRestriction) -> RestrictionLifted:
        """End a restriction whose condition does not hold: the service was not paid in full. For: operator."""
        return self._connection.ask('/api/claims/lift-restriction', request, RestrictionLifted)

    def load_codes(self, request: LoadCodes) -> CodesLoaded:
        """Keep code lists that judge, from a day on, what comes in and what this member sends. Earlier ones stay. For: operator."""
        return self._connection.ask('/api/claims/load-codes', request, CodesLoaded)

    def open_year(self, request: OpenYear) -> YearOpened:
        """Keep the accumulators of a plan year: on the ledger stands one root for each batch of moves. For: operator."""
        return self._connection.ask('/api/claims/open-year', request, YearOpened)

    def post(self, request: PostRemittance) -> RemittancePosted:
        """Post a received 835 to one's own claims and hold it against one's contract. Nothing is guessed, nothing stored. For: operator."""
        return self._connection.ask('/api/claims/post', request, RemittancePosted)

    def recompute(self, request: RecomputeDecision) -> DecisionRecomputed:
        """Make a decision again from plan and facts as sent and one's own contract; name the step where the two part. For: operator."""
        return self._connection.ask('/api/claims/recompute', request, DecisionRecomputed)

    def request(self, request: ShowRequest) -> RequestShown:
        """Show a request for prior authorisation with its documents, and its answer, at either party. For: operator."""
        return self._connection.ask('/api/claims/request', request, RequestShown)

    def restrictions(self, request: ListRestrictions) -> RestrictionsListed:
        """List the services that patients paid in full and of which no payer is told. For: operator."""
        return self._connection.ask('/api/claims/restrictions', request, RestrictionsListed)

    def rule(self, request: RuleOnClaim) -> Ruled:
        """Keep what a person decided on a claim that waits, or that is contested; it shows in the decision. For: operator."""
        return self._connection.ask('/api/claims/rule', request, Ruled)

    def secondary(self, request: SubmitSecondary) -> ClaimsSubmitted:
        """Send a decided claim to the payer that comes after, with the first payer's decision line by line. For: operator."""
        return self._connection.ask('/api/claims/secondary', request, ClaimsSubmitted)

    def share_year(self, request: ShareYear) -> YearShared:
        """Decide the claims of a plan on accumulators that another member keeps. For: operator."""
        return self._connection.ask('/api/claims/share-year', request, YearShared)

    def status(self, request: AskClaimStatus) -> ClaimStatusTold:
        """Answer where claims stand: a 277 to a 276. A claim of another provider is not found. For: operator."""
        return self._connection.ask('/api/claims/status', request, ClaimStatusTold)

    def submit(self, request: SubmitClaims) -> ClaimsSubmitted:
        """Send claims to a payer: journalled and committed before their first byte leaves, in the patients' access logs. For: operator."""
        return self._connection.ask('/api/claims/submit', request, ClaimsSubmitted)

    def timeliness(self, request: AskTimeliness) -> Timeliness:
        """Count requests for prior authorisation decided in time, late, open and overdue, per payer that has acted. For: anyone."""
        return self._connection.ask('/api/claims/timeliness', request, Timeliness)

    def withdraw(self, request: WithdrawClaim) -> ClaimWithdrawn:
        """Take back a claim that is not decided: the case ends. For: operator."""
        return self._connection.ask('/api/claims/withdraw', request, ClaimWithdrawn)


class CorrectionCases:
    """Use cases about correction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def answer(self, request: AnswerCorrection) -> CorrectionAnswered:
        """Answer a request to correct. What is amended is written first, as a new version of the record. For: person."""
        return self._connection.ask('/api/correction/answer', request, CorrectionAnswered)

    def list(self, request: AskCorrectionList) -> CorrectionList:
        """List patients' requests to correct a record. For: person."""
        return self._connection.ask('/api/correction/list', request, CorrectionList)


class DeliveriesCases:
    """Use cases about deliveries."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def waiting(self, request: AskWaiting) -> Waiting:
        """List the documents and notices that are not acknowledged yet. A running node tries again by itself. For: operator."""
        return self._connection.ask('/api/deliveries/waiting', request, Waiting)


class EmergencyCases:
    """Use cases about emergency."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, request: ListEmergencies) -> Emergencies:
        """List the emergency accesses that this member opened, and whether they were reviewed. For: person."""
        return self._connection.ask('/api/emergency/list', request, Emergencies)

    def open(self, request: OpenEmergency) -> EmergencyOpened:
        """Read one patient's emergency records without a permission. For: person."""
        return self._connection.ask('/api/emergency/open', request, EmergencyOpened)

    def review(self, request: ReviewAccess) -> Reviewed:
        """Record the review of an emergency access. Its text stays here, its digest goes to the ledger, at once or when it is back. For: person."""
        return self._connection.ask('/api/emergency/review', request, Reviewed)


class EngineCases:
    """Use cases about engine."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def install(self, request: InstallEngine) -> Engine:
        """Find CometBFT, or build it: on the path, in the cache, else by Go, which takes about a minute. For: operator."""
        return self._connection.ask('/api/engine/install', request, Engine)


class ErasureCases:
    """Use cases about erasure."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def advance(self, request: AdvanceErasures) -> ErasuresAdvanced:
        """Delete what has waited long enough, and confirm what is gone for good. A running node does it by itself. For: operator."""
        return self._connection.ask('/api/erasure/advance', request, ErasuresAdvanced)

    def cancel(self, request: CancelRequest) -> ErasureStepped:
        """Call an erasure off before anything is deleted, also while it is retained, on a word of higher rank than the request's. For: privacy-officer."""
        return self._connection.ask('/api/erasure/cancel', request, ErasureStepped)

    def list(self, request: ListErasures) -> Erasures:
        """List the requests to erase at this member, with what the ledger says of each. For: privacy-officer."""
        return self._connection.ask('/api/erasure/list', request, Erasures)

    def release(self, request: ReleaseRecords) -> RecordsReleased:
        """End the reason to retain what should be erased: it is deleted, unless a trial's duty keeps it on. For: privacy-officer."""
        return self._connection.ask('/api/erasure/release', request, RecordsReleased)

    def retain(self, request: RetainRecords) -> ErasureStepped:
        """Keep what should be erased, for a reason in law: closed to every grant, reviewed yearly. For: privacy-officer."""
        return self._connection.ask('/api/erasure/retain', request, ErasureStepped)


class FhirCases:
    """Use cases about fhir."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def check(self, request: CheckFiles) -> FilesChecked:
        """Check files of FHIR R4 against the official definitions, and against the profiles of packages given. For: operator."""
        return self._connection.ask('/api/fhir/check', request, FilesChecked)


class HostingCases:
    """Use cases about hosting."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def answer(self, request: AnswerHostQuestion) -> HostQuestionAnswered:
        """Take the patient's word in person, after proofing who the person is. Who took it stands in the patient's log. For: registrar."""
        return self._connection.ask('/api/hosting/answer', request, HostQuestionAnswered)

    def end(self, request: EndHosting) -> HostingEnded:
        """Keep a wallet no longer, on the patient's word in person: its keys, passkeys and sessions here are gone. For: registrar."""
        return self._connection.ask('/api/hosting/end', request, HostingEnded)

    def list(self, request: ListHosted) -> HostedListed:
        """List the wallets kept here, without whose they are. For: operator."""
        return self._connection.ask('/api/hosting/list', request, HostedListed)

    def note(self, request: NoteHost) -> HostNoted:
        """Note which other member keeps a patient's wallet, or that none does any more, after proofing who the person is. For: registrar."""
        return self._connection.ask('/api/hosting/note', request, HostNoted)

    def open(self, request: OpenHosting) -> SignInLink:
        """Keep a wallet for a patient who chose so, after proofing who the person is. The node must be running. For: registrar."""
        return self._connection.ask('/api/hosting/open', request, SignInLink)

    def questions(self, request: ListHostQuestions) -> HostQuestions:
        """List the permissions in favour of members that keep the patient's wallet, which wait for the patient's word. For: registrar."""
        return self._connection.ask('/api/hosting/questions', request, HostQuestions)

    def sign_in(self, request: SignInHosted) -> SignInLink:
        """Make a new link for the patient of a wallet kept here, after proofing: a passkey was lost. The node must be running. For: registrar."""
        return self._connection.ask('/api/hosting/sign-in', request, SignInLink)


class IdentityCases:
    """Use cases about identity."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def compare(self, request: Compare) -> PairShown:
        """Compare two links that no match has found, and keep the pair for a decision. Journalled in both patients' logs. For: registrar."""
        return self._connection.ask('/api/identity/compare', request, PairShown)

    def decide(self, request: Decide) -> PairLine:
        """Say that two links are of one patient, or of two. Joined, their charts are shown as one, and denials of consent rule both. For: registrar."""
        return self._connection.ask('/api/identity/decide', request, PairLine)

    def list(self, request: ListPairs) -> PairList:
        """List pairs of links that wait for a decision, or that were found to be of one patient or of two. For: registrar."""
        return self._connection.ask('/api/identity/list', request, PairList)

    def match(self, request: Match) -> Matched:
        """Find links that are of one patient: those that came or changed since the last run, against all others. For: registrar."""
        return self._connection.ask('/api/identity/match', request, Matched)

    def show(self, request: ShowPair) -> PairShown:
        """Show two patients side by side, what speaks for and against their being one, and what was decided. For: registrar."""
        return self._connection.ask('/api/identity/show', request, PairShown)

    def undo(self, request: Undo) -> PairLine:
        """Take a decision back, whoever or whatever made it: the pair waits again, and no rule decides it any more. For: registrar."""
        return self._connection.ask('/api/identity/undo', request, PairLine)


class JournalCases:
    """Use cases about journal."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lines(self, request: ListLines) -> JournalLines:
        """Account for the disclosures of one patient's records at this member (45 CFR 164.528, GDPR Art. 15(1)(c)). For: privacy-officer."""
        return self._connection.ask('/api/journal/lines', request, JournalLines)


class LedgerCases:
    """Use cases about ledger."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def block(self, request: AskBlock) -> BlockShown:
        """Show a block and its transactions. For: anyone."""
        return self._connection.ask('/api/ledger/block', request, BlockShown)

    def blocks(self, request: ListBlocks) -> Blocks:
        """List blocks of this node's replica, newest first. For: anyone."""
        return self._connection.ask('/api/ledger/blocks', request, Blocks)

    def transaction(self, request: AskTransaction) -> TransactionShown:
        """Show a transaction: its message, its result, where it stands. For: anyone."""
        return self._connection.ask('/api/ledger/transaction', request, TransactionShown)


class LinkCases:
    """Use cases about link."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def contact(self, request: SetContact) -> ContactSet:
        """Set where a patient is told of a new grant or an erasure. The text of such a notice says nothing of either. For: registrar."""
        return self._connection.ask('/api/link/contact', request, ContactSet)

    def invite(self, request: Invite) -> Invited:
        """Invite a patient to take the key of the own link, after proofing who the person is. For: registrar."""
        return self._connection.ask('/api/link/invite', request, Invited)

    def list(self, request: ListLinks) -> Links:
        """List the links of this member's patients, without who they are. For: operator."""
        return self._connection.ask('/api/link/list', request, Links)


class MessagesCases:
    """Use cases about messages."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def drop(self, request: Drop) -> Dropped:
        """Drop a message that is held: its bytes go, the line about it stays with the reason. For: operator."""
        return self._connection.ask('/api/messages/drop', request, Dropped)

    def list(self, request: ListMessages) -> Messages:
        """List messages of HL7 v2 that came in: those held for a person, or those taken or dropped. For: operator."""
        return self._connection.ask('/api/messages/list', request, Messages)

    def replay(self, request: Replay) -> Replayed:
        """Try held messages again, the oldest first: after an authority was named, or a sender's fault was mended here. For: operator."""
        return self._connection.ask('/api/messages/replay', request, Replayed)

    def show(self, request: ShowMessage) -> MessageShown:
        """Show a message that is held, segment by segment. For: operator."""
        return self._connection.ask('/api/messages/show', request, MessageShown)


class NetworkCases:
    """Use cases about network."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def assemble(self, request: Assemble) -> Assembled:
        """Put the founders' cards and shares together to the founding of a consortium. For: operator."""
        return self._connection.ask('/api/network/assemble', request, Assembled)

    def begin(self, request: Begin) -> Begun:
        """Begin from a founding file: a new consortium, or one in which a ledger followed so far goes on. For: operator."""
        return self._connection.ask('/api/network/begin', request, Begun)

    def card(self, request: MakeCard) -> Card:
        """Make this member's keys, if it has none, and its public card. For: operator."""
        return self._connection.ask('/api/network/card', request, Card)

    def certify(self, request: CertifyNode) -> NodeCertified:
        """Say on the ledger with which TLS key this member's node answers; other members' nodes then refuse any other. For: operator."""
        return self._connection.ask('/api/network/certify', request, NodeCertified)

    def create(self, request: CreateNetwork) -> CreatedNetwork:
        """Create a network whose members all run on this machine, each in a folder of its own with keys of its own. For: operator."""
        return self._connection.ask('/api/network/create', request, CreatedNetwork)

    def found(self, request: Found) -> Founded:
        """Found a ledger that this member orders and all founders keep. For: operator."""
        return self._connection.ask('/api/network/found', request, Founded)

    def hand_over(self, request: HandOver) -> HandedOver:
        """Let the ledger that this node orders go on under CometBFT, ordered by the validators that the members voted for. For: operator."""
        return self._connection.ask('/api/network/hand-over', request, HandedOver)

    def invite(self, request: InviteMember) -> MemberInvited:
        """Invite an organisation that the members have admitted: name the ledger, the engines, and a header to start from. For: operator."""
        return self._connection.ask('/api/network/invite', request, MemberInvited)

    def join(self, request: Join) -> Joined:
        """Begin to follow a network that has this member among its founders, or admitted it since. For: operator."""
        return self._connection.ask('/api/network/join', request, Joined)

    def logs(self, request: AskLogs) -> Lines:
        """Show the end of a member's log. For: operator."""
        return self._connection.ask('/api/network/logs', request, Lines)

    def members(self, request: ListMembers) -> Members:
        """List the members of the network with their standing, address and key. For: anyone."""
        return self._connection.ask('/api/network/members', request, Members)

    def move(self, request: MoveNode) -> Moved:
        """Say on the ledger where this member's node answers from now on. For: operator."""
        return self._connection.ask('/api/network/move', request, Moved)

    def new_keys(self, request: NewKeys) -> Card:
        """Make new keys for a member whose keys a thief has, or has exchanged, and the card that the others vote on. Stop the node first. For: operator."""
        return self._connection.ask('/api/network/new-keys', request, Card)

    def nodes(self, request: AskNetwork) -> NetworkState:
        """Say of every member's node whether it runs, and how far its ledger has come. For: operator."""
        return self._connection.ask('/api/network/nodes', request, NetworkState)

    def path(self, request: AskPath) -> PathFile:
        """Prove that the log of the larger size begins with that of the smaller: what an older receipt takes. For: anyone."""
        return self._connection.ask('/api/network/path', request, PathFile)

    def proposals(self, request: ListProposals) -> Proposals:
        """List the proposals that are open, with the ballots so far. For: operator."""
        return self._connection.ask('/api/network/proposals', request, Proposals)

    def propose_admit(self, request: ProposeAdmit) -> Proposed:
        """Propose to admit an organisation from its card, under the consortium's agreement in force. For: operator."""
        return self._connection.ask('/api/network/propose-admit', request, Proposed)

    def propose_parameters(self, request: ProposeParameters) -> Proposed:
        """Propose other parameters of the network; those that are not named stay. For: operator."""
        return self._connection.ask('/api/network/propose-parameters', request, Proposed)

    def propose_reinstate(self, request: ProposeReinstate) -> Proposed:
        """Propose to end a member's suspension. For: operator."""
        return self._connection.ask('/api/network/propose-reinstate', request, Proposed)

    def propose_remove(self, request: ProposeRemove) -> Proposed:
        """Propose to remove a member for good. What it signed stays provable. For: operator."""
        return self._connection.ask('/api/network/propose-remove', request, Proposed)

    def propose_replace_keys(self, request: ProposeReplaceKeys) -> Proposed:
        """Propose new keys for a member that lost its own, or of whom a thief has them, from a new card of it. For: operator."""
        return self._connection.ask('/api/network/propose-replace-keys', request, Proposed)

    def propose_rules(self, request: ProposeRules) -> Proposed:
        """Propose from which block a rule version holds. A program without it stops cleanly before. For: operator."""
        return self._connection.ask('/api/network/propose-rules', request, Proposed)

    def propose_suspend(self, request: ProposeSuspend) -> Proposed:
        """Propose to suspend a member: it may not submit, vote, cosign or order until reinstated. For: operator."""
        return self._connection.ask('/api/network/propose-suspend', request, Proposed)

    def propose_validators(self, request: ProposeValidators) -> Proposed:
        """Propose who orders transactions. For: operator."""
        return self._connection.ask('/api/network/propose-validators', request, Proposed)

    def receipt(self, request: AskReceipt) -> ReceiptFile:
        """Make the receipt of a transaction: an offline proof that the log holds it, and what became of it. For: anyone."""
        return self._connection.ask('/api/network/receipt', request, ReceiptFile)

    def rotate_keys(self, request: Rotate) -> Rotated:
        """Exchange this member's own keys. Stop the node first: it signs with the old ones. For: operator."""
        return self._connection.ask('/api/network/rotate-keys', request, Rotated)

    def share(self, request: MakeShare) -> MadeShare:
        """Make this member's engine keys, if it has none, and its public share. For: operator."""
        return self._connection.ask('/api/network/share', request, MadeShare)

    def start(self, request: AskNetwork) -> NetworkState:
        """Start every member's node that does not run yet, and wait until all answer. For: operator."""
        return self._connection.ask('/api/network/start', request, NetworkState)

    def status(self, request: AskStatus) -> Status:
        """Say where the ledger stands: height, age, who has signed the newest checkpoint, why it stopped, two roots. For: anyone."""
        return self._connection.ask('/api/network/status', request, Status)

    def stop(self, request: AskNetwork) -> NetworkState:
        """Stop every member's node: each ends its engine first, then lets go of its folder. For: operator."""
        return self._connection.ask('/api/network/stop', request, NetworkState)

    def trust(self, request: AskTrust) -> TrustFile:
        """Write down what a verifier starts from: network, newest checkpoint, cosigners, witnesses. For: anyone."""
        return self._connection.ask('/api/network/trust', request, TrustFile)

    def vote(self, request: CastVote) -> Proposed:
        """Cast this member's one ballot. The ballot that makes the count decisive carries out the act. For: operator."""
        return self._connection.ask('/api/network/vote', request, Proposed)


class OperatorCases:
    """Use cases about operator."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def sign_in(self, request: OperatorSignIn) -> SignInLink:
        """Make a link, good once, that opens the operator's pages for an hour. They show no record. The node must be running. For: operator."""
        return self._connection.ask('/api/operator/sign-in', request, SignInLink)


class PersonCases:
    """Use cases about person."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def accounts(self, request: ListAccounts) -> AccountsListed:
        """List who may come back with a passkey. For: operator."""
        return self._connection.ask('/api/person/accounts', request, AccountsListed)

    def dismiss(self, request: DismissPerson) -> PersonDismissed:
        """Let a person in no more: drop their passkeys, end their sessions and what they allowed programs. For: operator."""
        return self._connection.ask('/api/person/dismiss', request, PersonDismissed)

    def issue(self, request: IssuePerson) -> Issued:
        """Sign a credential for one of this member's people, bound to the person's own key. For: operator."""
        return self._connection.ask('/api/person/issue', request, Issued)

    def sign_in(self, request: SignIn) -> SignInLink:
        """Make a link that opens the pages for one of this member's people. The node must be running. For: operator."""
        return self._connection.ask('/api/person/sign-in', request, SignInLink)


class PlanCases:
    """Use cases about plan."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def check(self, request: CheckPlan) -> PlanChecked:
        """Check a plan document for gaps, overlaps, unknown codes and impossible amounts. For: operator."""
        return self._connection.ask('/api/plan/check', request, PlanChecked)

    def compare(self, request: ComparePlans) -> PlansCompared:
        """Decide the claims of this payer again under a new version of its plan, and list every decision that changes. For: operator."""
        return self._connection.ask('/api/plan/compare', request, PlansCompared)

    def load_schedule(self, request: LoadSchedule) -> ScheduleLoaded:
        """Keep a fee schedule, a payer's own or one made of CMS's files, where decisions find it by its digest. For: operator."""
        return self._connection.ask('/api/plan/load-schedule', request, ScheduleLoaded)

    def load_table(self, request: LoadTable) -> TableLoaded:
        """Load official files of pairs or units as a table, which a plan names by its digest and `--tables` gives to decisions. For: operator."""
        return self._connection.ask('/api/plan/load-table', request, TableLoaded)

    def locality(self, request: MakeLocality) -> LocalityMade:
        """Take one locality's indices from CMS's file, as rates by relative value need them. For: operator."""
        return self._connection.ask('/api/plan/locality', request, LocalityMade)

    def make_rates(self, request: MakeRates) -> RatesMade:
        """Make a provider's rates document from CMS's relative values and one locality. For: operator."""
        return self._connection.ask('/api/plan/make-rates', request, RatesMade)

    def make_schedule(self, request: MakeSchedule) -> ScheduleMade:
        """Make a fee schedule from CMS's relative values and one locality. For: operator."""
        return self._connection.ask('/api/plan/make-schedule', request, ScheduleMade)

    def publish(self, request: PublishPlan) -> PlanPublished:
        """Commit a plan's version and its days before it decides: whoever is shown the plan later can prove since when it stood. For: operator."""
        return self._connection.ask('/api/plan/publish', request, PlanPublished)

    def replay(self, request: ReplayClaims) -> PlansCompared:
        """Decide a file of old claims under two versions of a plan, and list every decision that changes. For: operator."""
        return self._connection.ask('/api/plan/replay', request, PlansCompared)

    def schema(self, request: ShowDocumentSchema) -> DocumentSchemaShown:
        """Tell the JSON Schema of a document that decides claims, as `docs/reference` has it. For: operator."""
        return self._connection.ask('/api/plan/schema', request, DocumentSchemaShown)


class RecordsCases:
    """Use cases about records."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def anchor(self, request: AnchorRecords) -> AnchoredRecords:
        """Anchor everything that is pending on the ledger, now. A running node does it by itself. For: operator."""
        return self._connection.ask('/api/records/anchor', request, AnchoredRecords)

    def chart(self, request: ShowChart) -> Chart:
        """Show a patient's chart: own records, and what is held under live grants about the patient. For: person."""
        return self._connection.ask('/api/records/chart', request, Chart)

    def check(self, request: CheckRecords) -> CheckedRecords:
        """Verify every byte that the vault keeps: records, chains, journal, batches, database pages. For: operator."""
        return self._connection.ask('/api/records/check', request, CheckedRecords)

    def find(self, request: FindPatients) -> Patients:
        """Find patients by identifier, or by name and birth date. Each patient shown is journalled first. For: person."""
        return self._connection.ask('/api/records/find', request, Patients)

    def import_(self, request: ImportRecords) -> Imported:
        """Take FHIR files in: each resource is sealed under its patient's link, indexed and anchored. For: operator."""
        return self._connection.ask('/api/records/import', request, Imported)

    def measures(self, request: AskMeasures) -> Measures:
        """Gather a patient's measurements, and words of results, by what was measured and in which unit. For: person."""
        return self._connection.ask('/api/records/measures', request, Measures)

    def refile(self, request: Refile) -> Refiled:
        """Move a record that was filed under the wrong patient: sealed anew under the right one, ended under the other. For: privacy-officer."""
        return self._connection.ask('/api/records/refile', request, Refiled)

    def show(self, request: ShowRecord) -> Shown:
        """Show one record, verified byte by byte. Journalled before it is shown. For: person."""
        return self._connection.ask('/api/records/show', request, Shown)


class ResearchCases:
    """Use cases about research."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def answer(self, request: AnswerQuestion) -> QuestionAnswered:
        """Release a question: begin it, and answer it with noise, send an extract's rows, or let its exact run go on. For: operator."""
        return self._connection.ask('/api/research/answer', request, QuestionAnswered)

    def apply(self, request: ApplyForPermit) -> PermitApplied:
        """Ask for a permit. A study that does not fit a data set is refused by every node, by the class that does not fit. For: operator."""
        return self._connection.ask('/api/research/apply', request, PermitApplied)

    def ask(self, request: AskQuestion) -> QuestionAsked:
        """Put a question on record, by commitment, and send its document to the custodians asked. For: operator."""
        return self._connection.ask('/api/research/ask', request, QuestionAsked)

    def attest(self, request: AttestDeletion) -> DeletionAttested:
        """Say on the ledger that every copy of an extract is deleted, after deleting the node's own. Cannot be taken back. For: operator."""
        return self._connection.ask('/api/research/attest', request, DeletionAttested)

    def audit(self, request: AuditPopulation) -> PopulationAudited:
        """Hold leaves of a question's population, drawn by the block after its begin, against choices on the ledger. For: operator."""
        return self._connection.ask('/api/research/audit', request, PopulationAudited)

    def budget(self, request: ShowBudget) -> Budget:
        """Show a custodian's privacy budget, and what each permit spent of it. A person known to several counts at each. For: operator."""
        return self._connection.ask('/api/research/budget', request, Budget)

    def check(self, request: CheckQuery) -> QueryChecked:
        """Check a query document and try it on the synthetic sample, at no cost. For: operator."""
        return self._connection.ask('/api/research/check', request, QueryChecked)

    def decide(self, request: DecidePermit) -> PermitDecided:
        """Agree to a permit at a data set, or refuse it: the custodian's part, or that of a data-access body. For: operator."""
        return self._connection.ask('/api/research/decide', request, PermitDecided)

    def extract(self, request: WriteExtract) -> ExtractWritten:
        """Write an extract's rows to new files: a table for each view, the data dictionary, and the method. For: operator."""
        return self._connection.ask('/api/research/extract', request, ExtractWritten)

    def local(self, request: RunQuery) -> QueryRun:
        """Run a query document on one's own files: exact tables and models, for oneself. For: operator."""
        return self._connection.ask('/api/research/local', request, QueryRun)

    def offer(self, request: OfferData) -> DataOffered:
        """Offer one's records to research. What a data set may be used for never changes: other terms are another one. For: operator."""
        return self._connection.ask('/api/research/offer', request, DataOffered)

    def offers(self, request: ListOffers) -> Offers:
        """List the data sets of all members. For: operator."""
        return self._connection.ask('/api/research/offers', request, Offers)

    def open_rounds(self, request: OpenRounds) -> RoundsOpened:
        """Have custodians open what they sent in the rounds of a published model, and name whoever sent something else. For: operator."""
        return self._connection.ask('/api/research/open-rounds', request, RoundsOpened)

    def own(self, request: RunOnOwn) -> OwnRun:
        """Run a query document on the member's own records: exact tables and models, for quality reports. For: operator."""
        return self._connection.ask('/api/research/own', request, OwnRun)

    def permits(self, request: ListPermits) -> Permits:
        """List permits at the data sets that this member keeps, signs for or asks. For: operator."""
        return self._connection.ask('/api/research/permits', request, Permits)

    def publish(self, request: PublishResult) -> ResultPublished:
        """Publish a result: write its bundle to a file and its digest to the ledger. Every part has ended by then. For: operator."""
        return self._connection.ask('/api/research/publish', request, ResultPublished)

    def replay(self, request: ReplayBundle) -> BundleReplayed:
        """Replay a published result offline: proofs, permit, match, charge, sums, figures. Nothing of the analyst is believed. For: operator."""
        return self._connection.ask('/api/research/replay', request, BundleReplayed)

    def rerun(self, request: RerunQuestion) -> QuestionRerun:
        """Compute this custodian's part again as of its begin, or say what has changed since, never how much. For: operator."""
        return self._connection.ask('/api/research/rerun', request, QuestionRerun)

    def result(self, request: ShowResult) -> Result:
        """Show what has been answered: figures with the interval of their noise, small cells masked, or a model. For: operator."""
        return self._connection.ask('/api/research/result', request, Result)

    def review(self, request: ReviewQuestions) -> Questions:
        """List the questions put to this member's data sets, with the reasons that analysts are not told; or show one whole. For: operator."""
        return self._connection.ask('/api/research/review', request, Questions)

    def run(self, request: RunModel) -> ModelRun:
        """Run a model with the custodians that have begun; whoever drops out is left out of a new attempt, three at most. For: operator."""
        return self._connection.ask('/api/research/run', request, ModelRun)

    def schema(self, request: ShowQuerySchema) -> QuerySchemaShown:
        """Tell the JSON Schema of query documents, as `docs/reference/research-query.schema.json` has it. For: operator."""
        return self._connection.ask('/api/research/schema', request, QuerySchemaShown)

    def withhold(self, request: WithholdQuestion) -> QuestionWithheld:
        """Withhold a question. Five at one data set suspend the permit there: a refusal tells a bit. For: operator."""
        return self._connection.ask('/api/research/withhold', request, QuestionWithheld)


class SupplyCases:
    """Use cases about supply."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def cancel(self, request: CancelShipment) -> ShipmentCancelled:
        """Call a shipment back, as long as it is on its way; what travelled too warm is set aside. For: operator."""
        return self._connection.ask('/api/supply/cancel', request, ShipmentCancelled)

    def card(self, request: ShowCard) -> ImplantCard:
        """Show a device's implant card: master data, MRI safety, recall, and its own way through this member's events. For: operator."""
        return self._connection.ask('/api/supply/card', request, ImplantCard)

    def check(self, request: CheckEvents) -> EventsChecked:
        """Check EPCIS documents before they are sent or taken in, and give each event's canonical hash. For: operator."""
        return self._connection.ask('/api/supply/check', request, EventsChecked)

    def check_notice(self, request: CheckNotice) -> NoticeChecked:
        """Hold the counts of a partner's X12 856 against its EPCIS events. For: operator."""
        return self._connection.ask('/api/supply/check-notice', request, NoticeChecked)

    def clear(self, request: ClearGoods) -> GoodsCleared:
        """Release goods of this member from quarantine. For: operator."""
        return self._connection.ask('/api/supply/clear', request, GoodsCleared)

    def commission(self, request: CommissionLots) -> LotsCommissioned:
        """Bring lots into the world, packed as the maker's own events say: one transaction for each lot. For: operator."""
        return self._connection.ask('/api/supply/commission', request, LotsCommissioned)

    def counts(self, request: ListCounts) -> CountsListed:
        """List sizes of lots and findings under recalls that were told to this member; regulators are told all of them. For: operator."""
        return self._connection.ask('/api/supply/counts', request, CountsListed)

    def devices(self, request: ImportDevices) -> DevicesImported:
        """Take in master data of devices from a release file of GUDID, record by record. For: operator."""
        return self._connection.ask('/api/supply/devices', request, DevicesImported)

    def end(self, request: EndGoods) -> GoodsEnded:
        """Decommission goods of this member, up to a hundred in one transaction. For: operator."""
        return self._connection.ask('/api/supply/end', request, GoodsEnded)

    def erase(self, request: EraseEvent) -> EventErased:
        """Erase a captured event before its time, because a person is named in it or it is nobody's business here. For: privacy-officer."""
        return self._connection.ask('/api/supply/erase', request, EventErased)

    def expire(self, request: ExpirePapers) -> PapersExpired:
        """Let go of papers, answered cases and captured events older than six years; nothing goes by itself. For: operator."""
        return self._connection.ask('/api/supply/expire', request, PapersExpired)

    def follow(self, request: FollowPack) -> PackFollowed:
        """Tell a pack's way from end to end, as a regulator; that it was opened stands on the ledger first. For: operator."""
        return self._connection.ask('/api/supply/follow', request, PackFollowed)

    def hand(self, request: HandGoods) -> GoodsHanded:
        """Hand goods to a carrier or keeper that offered an address: it has them in hand, they stay this member's. For: operator."""
        return self._connection.ask('/api/supply/hand', request, GoodsHanded)

    def implants(self, request: CheckImplants) -> ImplantsChecked:
        """Hold the implants of this member's patients against the recalls in force, and tell each patient concerned, once. For: operator."""
        return self._connection.ask('/api/supply/implants', request, ImplantsChecked)

    def label(self, request: WriteLabel) -> LabelWritten:
        """Write a label as a square GS1 DataMatrix and the text beside it. For: operator."""
        return self._connection.ask('/api/supply/label', request, LabelWritten)

    def license(self, request: GiveLicence) -> LicenceGiven:
        """License a partner by name, as a regulator; its one-time keys get tickets under it. For: operator."""
        return self._connection.ask('/api/supply/license', request, LicenceGiven)

    def match(self, request: MatchDelivery) -> DeliveryMatched:
        """Hold scanned goods against partners' EPCIS data, and type each difference with what would end it. For: operator."""
        return self._connection.ask('/api/supply/match', request, DeliveryMatched)

    def notice(self, request: WriteNotices) -> NoticesWritten:
        """Write an X12 856 beside each shipment of own EPCIS files, with the counts of its events. For: operator."""
        return self._connection.ask('/api/supply/notice', request, NoticesWritten)

    def notify(self, request: DraftNotification) -> NotificationDrafted:
        """Draft the notification of a suspect pack (Form FDA 3911); nothing is sent. For: operator."""
        return self._connection.ask('/api/supply/notify', request, NotificationDrafted)

    def offer_addresses(self, request: OfferAddresses) -> AddressesOffered:
        """Give a partner one-time keys to ship to, each for one shipment. For: operator."""
        return self._connection.ask('/api/supply/offer-addresses', request, AddressesOffered)

    def offline(self, request: AskOffline) -> AnsweredOffline:
        """Verify packs by a snapshot of the last 24 hours and a trust file, without a ledger and without a line. For: operator."""
        return self._connection.ask('/api/supply/offline', request, AnsweredOffline)

    def open_count(self, request: OpenCount) -> CountOpened:
        """Open the exact size of a lot of this member's making to a partner: it can hold it against the ledger. For: operator."""
        return self._connection.ask('/api/supply/open-count', request, CountOpened)

    def order_recall(self, request: OrderRecall) -> RecallOrdered:
        """Order a recall, as a regulator: of a lot, or of all lots of a device identifier, whoever made them. For: operator."""
        return self._connection.ask('/api/supply/order-recall', request, RecallOrdered)

    def quarantine(self, request: QuarantineGoods) -> GoodsQuarantined:
        """Set suspect goods of this member aside. For: operator."""
        return self._connection.ask('/api/supply/quarantine', request, GoodsQuarantined)

    def read(self, request: ReadLabels) -> LabelsRead:
        """Read the GS1 symbols in a picture, and check each as a scan: digits, lengths, dates, what must stand together. For: operator."""
        return self._connection.ask('/api/supply/read', request, LabelsRead)

    def read_notices(self, request: ReadNotices) -> NoticesRead:
        """Take the lot codes out of recall notices and find own goods of these lots; what is doubtful is for a person to read. For: operator."""
        return self._connection.ask('/api/supply/read-notices', request, NoticesRead)

    def recall(self, request: RecallLot) -> LotRecalled:
        """Recall a lot of this member's making, a device identifier's lots, or a range of serials: none is dispensed from then on. For: operator."""
        return self._connection.ask('/api/supply/recall', request, LotRecalled)

    def recalls(self, request: ListRecalls) -> RecallsListed:
        """List exactly the goods of this member that are under recall, and answer the recalls if asked to. For: operator."""
        return self._connection.ask('/api/supply/recalls', request, RecallsListed)

    def receive(self, request: ReceiveGoods) -> GoodsReceived:
        """Take a shipment over: all of it, or what was scanned. For: operator."""
        return self._connection.ask('/api/supply/receive', request, GoodsReceived)

    def refuse(self, request: RefuseShipment) -> ShipmentRefused:
        """Take nothing of a shipment: it stays its sender's, in dispute, until one of the two settles. For: operator."""
        return self._connection.ask('/api/supply/refuse', request, ShipmentRefused)

    def repackage(self, request: RepackageGoods) -> GoodsRepackaged:
        """End goods of this member and bring a lot made of them into the world, packed as its own events say. For: operator."""
        return self._connection.ask('/api/supply/repackage', request, GoodsRepackaged)

    def resolve(self, request: ResolveDockCase) -> DockCaseResolved:
        """Close a case with what ends it, and write the response for the partner; what PDG does not offer for it is an alternative. For: operator."""
        return self._connection.ask('/api/supply/resolve', request, DockCaseResolved)

    def retention(self, request: ListRetention) -> RetentionListed:
        """Tell what `supply expire` would let go now, when the next event is due, and how far each subscriber is behind. For: operator."""
        return self._connection.ask('/api/supply/retention', request, RetentionListed)

    def scan(self, request: ScanPack) -> PackScanned:
        """Judge one pack in hand: go on, look, or set it aside. As `supply verify`, for people at the dock or counter. For: logistics or pharmacist."""
        return self._connection.ask('/api/supply/scan', request, PackScanned)

    def settle(self, request: SettleDispute) -> DisputeSettled:
        """End a dispute by giving in: as sender keep the goods, as receiver say that they came after all. For: operator."""
        return self._connection.ask('/api/supply/settle', request, DisputeSettled)

    def ship(self, request: ShipGoods) -> GoodsShipped:
        """Ship goods of this member: in transit on the ledger before the sealed record leaves for receiver and regulator. For: operator."""
        return self._connection.ask('/api/supply/ship', request, GoodsShipped)

    def show_event(self, request: ShowEvent) -> EventShown:
        """Show some fields of a captured event, with the proof that the ledger holds the whole of it. For: operator."""
        return self._connection.ask('/api/supply/show-event', request, EventShown)

    def snapshot(self, request: MakeSnapshot) -> SnapshotMade:
        """Write down, signed and proven, how everything stands that this member can name: for 24 hours without a line. For: operator."""
        return self._connection.ask('/api/supply/snapshot', request, SnapshotMade)

    def stock(self, request: ListStock) -> StockListed:
        """List what is on its way to this member, and the alarms of its scans. For: operator."""
        return self._connection.ask('/api/supply/stock', request, StockListed)

    def take(self, request: TakeGoods) -> GoodsTaken:
        """Take in hand all that others hand to this member. For: operator."""
        return self._connection.ask('/api/supply/take', request, GoodsTaken)

    def take_in(self, request: TakeDelivery) -> DeliveryTaken:
        """Take a delivery in: keep its papers for six years, and open a case with a clock for each difference; once for each. For: operator."""
        return self._connection.ask('/api/supply/take-in', request, DeliveryTaken)

    def temperature(self, request: ReportTemperatures) -> TemperaturesReported:
        """Report the temperatures of goods in this member's hands: beyond what their lot bears they are set aside. For: operator."""
        return self._connection.ask('/api/supply/temperature', request, TemperaturesReported)

    def trace(self, request: TracePack) -> PackTraced:
        """Answer a tracing request from one's own EPCIS events, in files and captured: where a pack came from, was and went. For: operator."""
        return self._connection.ask('/api/supply/trace', request, PackTraced)

    def undo(self, request: UndoEnd) -> EndUndone:
        """Take back that a pack was dispensed, sampled or exported, within the window that the regulator set. For: operator."""
        return self._connection.ask('/api/supply/undo', request, EndUndone)

    def verify(self, request: VerifyPack) -> PackVerified:
        """Say whether a pack is genuine, in circulation, and this member's; its maker is asked if nothing here names it. For: operator."""
        return self._connection.ask('/api/supply/verify', request, PackVerified)

    def worklist(self, request: ListDockCases) -> DockCasesListed:
        """List open exceptions with the hours that are left, the most urgent first. For: operator."""
        return self._connection.ask('/api/supply/worklist', request, DockCasesListed)


class TrialCases:
    """Use cases about trial."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def act(self, request: DraftAct) -> ActDrafted:
        """Draft the next act of a chain, for a person to sign with their own key. For: operator."""
        return self._connection.ask('/api/trial/act', request, ActDrafted)

    def agree(self, request: AgreeToOpening) -> OpeningAgreed:
        """Agree, as a trustee, to open one allocation. Committed first; then this one's partial signature goes to who asked. For: operator."""
        return self._connection.ask('/api/trial/agree', request, OpeningAgreed)

    def amend(self, request: AmendTrial) -> TrialAmended:
        """Propose an amendment as the sponsor, and send it to every party and site. For: operator."""
        return self._connection.ask('/api/trial/amend', request, TrialAmended)

    def analyse(self, request: AnalyseTrial) -> TrialAnalysed:
        """Run the planned analyses over the locked rows: after the unblinding, at any member that has rows and draws. For: operator."""
        return self._connection.ask('/api/trial/analyse', request, TrialAnalysed)

    def ask_opening(self, request: AskOpening) -> OpeningAsked:
        """Ask the trustees to open one allocation, or enter a mishap. The register shows it before anybody agrees. For: operator."""
        return self._connection.ask('/api/trial/ask-opening', request, OpeningAsked)

    def assess(self, request: Assess) -> Assessed:
        """Say, as the sponsor, that an opening was assessed. For: operator."""
        return self._connection.ask('/api/trial/assess', request, Assessed)

    def audit(self, request: AuditDraws) -> DrawsAudited:
        """Replay every draw: signatures under the group's key, arms, kits, and the digests that the ledger holds. For: operator."""
        return self._connection.ask('/api/trial/audit', request, DrawsAudited)

    def bill(self, request: BillTrial) -> TrialBilled:
        """State, as a site, what is to be paid and is not settled: lines to the sponsor, a commitment to the ledger. For: operator."""
        return self._connection.ask('/api/trial/bill', request, TrialBilled)

    def check(self, request: CheckTrial) -> TrialChecked:
        """Hold a study's data against its protocol: visits outside their windows, missing consents, contradictions. For: operator."""
        return self._connection.ask('/api/trial/check', request, TrialChecked)

    def check_registry(self, request: CheckRegistry) -> RegistryChecked:
        """Check a public record under a trust file, without an account and without a network. For: operator."""
        return self._connection.ask('/api/trial/check-registry', request, RegistryChecked)

    def clock(self, request: StartSafetyClock) -> SafetyClockStarted:
        """Start a deadline of telling; whose it is to start, the ledger checks. For: operator."""
        return self._connection.ask('/api/trial/clock', request, SafetyClockStarted)

    def commit(self, request: CommitTrial) -> TrialCommitted:
        """Commit a trial as its sponsor, and send every party its definition. What terms leave open is refused by name. For: operator."""
        return self._connection.ask('/api/trial/commit', request, TrialCommitted)

    def consent(self, request: TakeConsent) -> ConsentTaken:
        """Put a consent signed on paper with a witness on the ledger. The same person twice at one site is refused. For: operator."""
        return self._connection.ask('/api/trial/consent', request, ConsentTaken)

    def deal(self, request: DealShares) -> SharesDealt:
        """Make a threshold key with the other trustees: deal, complain, answer; repeated without a dealer that dealt badly or not at all. For: operator."""
        return self._connection.ask('/api/trial/deal', request, SharesDealt)

    def design(self, request: DesignTrial) -> TrialDesigned:
        """Tell how often the next arm can be guessed under a scheme, in an open trial, beside other schemes. For: operator."""
        return self._connection.ask('/api/trial/design', request, TrialDesigned)

    def difference(self, request: CompareProtocols) -> ProtocolsCompared:
        """Tell what differs between two versions of a protocol, object by object, and whether that is substantial. For: operator."""
        return self._connection.ask('/api/trial/difference', request, ProtocolsCompared)

    def draft(self, request: DraftTrial) -> TrialDrafted:
        """Write a first definition from a protocol: outcomes, criteria and arms as it names them, every gap marked. For: operator."""
        return self._connection.ask('/api/trial/draft', request, TrialDrafted)

    def enrol(self, request: EnrolSubject) -> SubjectEnrolled:
        """Enrol a participant: the ledger gets a one-time key, a stratum tag and commitments; dispensers get the evidence. For: operator."""
        return self._connection.ask('/api/trial/enrol', request, SubjectEnrolled)

    def evidence(self, request: WriteEvidence) -> EvidenceWritten:
        """Write a trial's evidence to a file that anybody replays offline, as much of it as this member may show. For: operator."""
        return self._connection.ask('/api/trial/evidence', request, EvidenceWritten)

    def expect(self, request: ExpectEvent) -> EventExpected:
        """Hold an event against the signed reference safety information, as the sponsor; a SUSAR starts its deadline, once. For: operator."""
        return self._connection.ask('/api/trial/expect', request, EventExpected)

    def export(self, request: ExportTrial) -> TrialExported:
        """Write a study's data to files: ODM 2.0 with audit records, queries and signatures, or SDTM tables as Dataset-JSON 1.1. For: operator."""
        return self._connection.ask('/api/trial/export', request, TrialExported)

    def flow(self, request: ShowFlow) -> FlowShown:
        """Count participants by stage, and hold what chains tell against the ledger's enrolments. For: operator."""
        return self._connection.ask('/api/trial/flow', request, FlowShown)

    def key(self, request: ShowKey) -> KeyShown:
        """Show the public part of a study's threshold key, at one of its trustees. For: operator."""
        return self._connection.ask('/api/trial/key', request, KeyShown)

    def lock(self, request: LockTrial) -> TrialLocked:
        """Propose a lock as the statistician: one root over what all chains tell, as rows and as SDTM tables, sent to its signers. For: operator."""
        return self._connection.ask('/api/trial/lock', request, TrialLocked)

    def look(self, request: StepTrialLook) -> TrialLookStepped:
        """Take a step of an interim look. The cut's root is over what is known here, as a lock's would be. For: operator."""
        return self._connection.ask('/api/trial/look', request, TrialLookStepped)

    def offer(self, request: OfferTrial) -> TrialOffered:
        """Offer a trial to a participant's wallet, under the form of consent in force at this site. For: operator."""
        return self._connection.ask('/api/trial/offer', request, TrialOffered)

    def opened(self, request: ReadOpening) -> OpeningRead:
        """Open the one allocation that enough trustees agreed to open. Who sent a wrong signature is named. For: operator."""
        return self._connection.ask('/api/trial/opened', request, OpeningRead)

    def openings(self, request: ListOpenings) -> OpeningsListed:
        """List the openings that this trustee is asked to agree to. For: operator."""
        return self._connection.ask('/api/trial/openings', request, OpeningsListed)

    def outcomes(self, request: CompareOutcomes) -> OutcomesCompared:
        """Hold a report's outcomes against those registered before the first visit: as specified, changed, missing, added. For: operator."""
        return self._connection.ask('/api/trial/outcomes', request, OutcomesCompared)

    def package(self, request: CheckPackage) -> PackageChecked:
        """Check a definition before it is committed: protocol, terms, analysis plan and forms, every fault with its path. For: operator."""
        return self._connection.ask('/api/trial/package', request, PackageChecked)

    def payments(self, request: ListPayments) -> Payments:
        """List what sites are to be paid and is not settled: signed visits without an open query, stipends up to their cap. For: operator."""
        return self._connection.ask('/api/trial/payments', request, Payments)

    def protocol(self, request: CheckProtocol) -> ProtocolChecked:
        """Compile a protocol and say what it becomes, or by rule and path why it does not. For: operator."""
        return self._connection.ask('/api/trial/protocol', request, ProtocolChecked)

    def publish(self, request: PublishDraws) -> DrawsPublished:
        """Send, as a dispenser, all draws with their signatures to statistician and regulator, after the unblinding. For: operator."""
        return self._connection.ask('/api/trial/publish', request, DrawsPublished)

    def read_item(self, request: ReadItem) -> ItemRead:
        """Read an item from a participant's record by an expression, with its source. For: operator."""
        return self._connection.ask('/api/trial/read-item', request, ItemRead)

    def record(self, request: RecordActs) -> ActsRecorded:
        """Take signed acts of one chain, each judged by the conduct rules first; all are taken, or none. For: operator."""
        return self._connection.ask('/api/trial/record', request, ActsRecorded)

    def registry(self, request: ShowRegistry) -> RegistryShown:
        """Write the record that a public registry asks for, with the outcome register and the proofs of its rows. For: operator."""
        return self._connection.ask('/api/trial/registry', request, RegistryShown)

    def rehearse(self, request: RehearseTrial) -> TrialRehearsed:
        """Play acts against a definition and tell every verdict, as a site and its sponsor would reach it. For: operator."""
        return self._connection.ask('/api/trial/rehearse', request, TrialRehearsed)

    def result(self, request: PostResult) -> ResultPosted:
        """Commit a result as the statistician, or why there is none. An outcome that was never registered is marked. For: operator."""
        return self._connection.ask('/api/trial/result', request, ResultPosted)

    def result_rows(self, request: ShowResultRows) -> ResultRows:
        """Show the locked rows that one number of an analysis is computed from. For: operator."""
        return self._connection.ask('/api/trial/result-rows', request, ResultRows)

    def schema(self, request: ShowSchema) -> SchemaShown:
        """Tell the JSON Schema of `terms.json`, as `docs/reference/trial-terms.schema.json` has it. For: operator."""
        return self._connection.ask('/api/trial/schema', request, SchemaShown)

    def screen(self, request: ScreenSubject) -> SubjectScreened:
        """Evaluate the criteria by expression on a participant's records at this site, with evidence for each. For: operator."""
        return self._connection.ask('/api/trial/screen', request, SubjectScreened)

    def send(self, request: SendActs) -> ActsSent:
        """Send anchored acts to sponsor and statistician, each participant's line in the access log committed first. For: operator."""
        return self._connection.ask('/api/trial/send', request, ActsSent)

    def settle(self, request: SettleTrial) -> TrialSettled:
        """Answer a site's statement as the sponsor: agreed to only if every line follows from the chains held here. For: operator."""
        return self._connection.ask('/api/trial/settle', request, TrialSettled)

    def show(self, request: ShowTrial) -> TrialShown:
        """Show a trial as the ledger has it: status, sites, counts, unblinding register, overdue deadlines, outcomes. For: operator."""
        return self._connection.ask('/api/trial/show', request, TrialShown)

    def sign(self, request: SignTrial) -> TrialStands:
        """Sign a trial as a party: its definition compiles here and, at a trustee, the key is the one computed here. For: operator."""
        return self._connection.ask('/api/trial/sign', request, TrialStands)

    def sign_lock(self, request: LockTrial) -> TrialLocked:
        """Sign a lock as sponsor or coordinator: only if its rows and tables say of each participant known here what is known here. For: operator."""
        return self._connection.ask('/api/trial/sign-lock', request, TrialLocked)

    def site(self, request: StepTrialSite) -> TrialStands:
        """Take a step of a site; whose step it is, the ledger checks. A site that is nominated gets the definition. For: operator."""
        return self._connection.ask('/api/trial/site', request, TrialStands)

    def sizes(self, request: HideSizes) -> SizesHidden:
        """Make the commitment to hidden block sizes, as a dispenser, before the terms are signed. Nothing is kept. For: operator."""
        return self._connection.ask('/api/trial/sizes', request, SizesHidden)

    def step(self, request: StepTrial) -> TrialStands:
        """Take a step of a study; whose step it is, the ledger checks. A site adopts the newest approved version. For: operator."""
        return self._connection.ask('/api/trial/step', request, TrialStands)

    def supply(self, request: SupplyTrial) -> TrialSupplied:
        """Set block sizes and kits as a dispenser, before the first draw; sizes that the terms do not commit to are refused. For: operator."""
        return self._connection.ask('/api/trial/supply', request, TrialSupplied)

    def tasks(self, request: ListTasks) -> Tasks:
        """List participants as their chains tell, at the site and at everyone the acts were sent to: verdicts, tasks. For: operator."""
        return self._connection.ask('/api/trial/tasks', request, Tasks)

    def told(self, request: MeetSafetyClock) -> SafetyClockMet:
        """Say that an event was told, with the acknowledgement's digest; block time decides whether in time. For: operator."""
        return self._connection.ask('/api/trial/told', request, SafetyClockMet)

    def trace(self, request: TraceItem) -> ItemTraced:
        """Trace a value to the record it was read from: the record's leaf under an anchored root, the value computed again. For: operator."""
        return self._connection.ask('/api/trial/trace', request, ItemTraced)

    def trail(self, request: ReadTrail) -> Trail:
        """Write a participant's audit trail: who, in which role, when, what, the value before and after, and why. For: operator."""
        return self._connection.ask('/api/trial/trail', request, Trail)

    def unblind(self, request: Unblind) -> Unblinded:
        """Learn one participant's arm in an emergency. The register shows it; the sponsor assesses it. For: operator."""
        return self._connection.ask('/api/trial/unblind', request, Unblinded)

    def unlock(self, request: UnlockTrial) -> TrialUnlocked:
        """Ask to unlock the data; the second party to ask does. What is locked next has the next number. For: operator."""
        return self._connection.ask('/api/trial/unlock', request, TrialUnlocked)

    def verify_evidence(self, request: VerifyEvidence) -> EvidenceVerified:
        """Replay a trial's evidence under a trust file, without a network: rows, definitions, chains, lock and draws. For: operator."""
        return self._connection.ask('/api/trial/verify-evidence', request, EvidenceVerified)

    def withdraw(self, request: WithdrawConsent) -> ConsentWithdrawn:
        """End a consent on paper on the ledger: nothing is sent from that block on. The act `withdraw` says from what. For: operator."""
        return self._connection.ask('/api/trial/withdraw', request, ConsentWithdrawn)

    def work(self, request: Work) -> WorkDone:
        """Do this member's part of every draw: sign as trustee, draw and post as dispenser. What waits is told with why. For: operator."""
        return self._connection.ask('/api/trial/work', request, WorkDone)


class Salus:
    """A node, as a program sees it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.access = AccessCases(connection)
        self.app = AppCases(connection)
        self.backup = BackupCases(connection)
        self.claims = ClaimsCases(connection)
        self.correction = CorrectionCases(connection)
        self.deliveries = DeliveriesCases(connection)
        self.emergency = EmergencyCases(connection)
        self.engine = EngineCases(connection)
        self.erasure = ErasureCases(connection)
        self.fhir = FhirCases(connection)
        self.hosting = HostingCases(connection)
        self.identity = IdentityCases(connection)
        self.journal = JournalCases(connection)
        self.ledger = LedgerCases(connection)
        self.link = LinkCases(connection)
        self.messages = MessagesCases(connection)
        self.network = NetworkCases(connection)
        self.operator = OperatorCases(connection)
        self.person = PersonCases(connection)
        self.plan = PlanCases(connection)
        self.records = RecordsCases(connection)
        self.research = ResearchCases(connection)
        self.supply = SupplyCases(connection)
        self.trial = TrialCases(connection)

    def about(self, request: About) -> AboutNode:
        """Say which program answers, and for which member. For: anyone."""
        return self._connection.ask('/api/about', request, AboutNode)

    def attach(self, request: Attach) -> Attached:
        """Follow an existing FHIR server: take in what changed there since the last run. For: operator."""
        return self._connection.ask('/api/attach', request, Attached)

    def export(self, request: ExportLedger) -> LedgerExported:
        """Write the ledger up to its newest checkpoint as one file. Nothing personal is in it. For: operator."""
        return self._connection.ask('/api/export', request, LedgerExported)

    def join(self, request: JoinConsortium) -> ConsortiumJoined:
        """Join a consortium that has admitted this organisation: take a proven snapshot, and the blocks since. For: operator."""
        return self._connection.ask('/api/join', request, ConsortiumJoined)

    def replay(self, request: ReplayLedger) -> LedgerReplayed:
        """Execute every block of the ledger again, from the genesis, and compare all that is stored. For: operator."""
        return self._connection.ask('/api/replay', request, LedgerReplayed)

    def token(self, request: AskToken) -> TokenIssued:
        """Make an access token for the FHIR server, as a program would get it for this person. The node must be running. For: operator."""
        return self._connection.ask('/api/token', request, TokenIssued)

    def tx(self, request: SendTransaction) -> TransactionSent:
        """Send one message of this member to the ledger, signed with its key. For: operator."""
        return self._connection.ask('/api/tx', request, TransactionSent)

    def worklist(self, request: AskWorklist) -> Worklist:
        """List what people of this member must do until when: erasures, requests, failing deliveries, ballots, leases. For: person."""
        return self._connection.ask('/api/worklist', request, Worklist)
