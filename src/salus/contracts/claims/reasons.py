"""Why the claims contract refuses."""

from salus.contracts.claims.state import NUMBER
from salus.core.errors import Reason, numbered


@numbered(NUMBER)
class ClaimsReason(Reason):
    """In order of precedence."""

    UNORDERED = 1
    """The cases of a message are not in ascending order of their ids, each once."""
    NOT_PROVIDER = 2
    """The submitter, or who is named as provider, has no role that claims are made in: provider, dispenser."""
    NOT_PAYER = 3
    """The submitter is not a payer."""
    CASE_EXISTS = 4
    """A case with this id was submitted before."""
    NO_SUCH_CASE = 5
    """No case has this id."""
    NOT_THE_PAYER = 6
    """The case is addressed to another payer, or the salt does not open its address."""
    NOT_PARTY = 7
    """The step is another party's to take."""
    WRONG_STATUS = 8
    """The case's status does not allow the step."""
    TOO_EARLY = 9
    """Information that was asked for is not overdue yet: without it nothing is decided."""
    NOT_APPEAL_KEY = 10
    """The author is not the key that may appeal the latest decision."""
    YEAR_EXISTS = 11
    """A plan year with this id was opened before."""
    NO_SUCH_YEAR = 12
    """No plan year has this id."""
    NOT_KEEPER = 13
    """The plan year is kept by another member."""
    OTHER_ROOT = 14
    """The batch does not follow the newest one: it names another root before it."""
