"""Why the records contract refuses."""

from salus.contracts.records.state import NUMBER
from salus.core.errors import Reason, numbered


@numbered(NUMBER)
class RecordsReason(Reason):
    """In order of precedence."""

    CASE_EXISTS = 1
    """A case with this id was opened before."""
    NO_SUCH_CASE = 2
    """No case has this id."""
    NOT_HOLDER = 3
    """The case is another member's."""
    WRONG_STATUS = 4
    """The case's status does not allow the step."""
    TOO_EARLY = 5
    """Nothing may be deleted before the time in which the request can be cancelled is over."""
    TOO_LATE = 6
    """The time in which the request could be cancelled is over."""
    RANK_TOO_LOW = 7
    """The cancellation is authorised by no more than the request was."""
    EMERGENCY_LIMIT = 8
    """The member has opened as many emergency accesses today as the network allows; care goes on by other ways."""
    NO_SUCH_EMERGENCY = 9
    """No emergency access has this id."""
    NOT_SUBMITTER = 10
    """The emergency access is another member's to review."""
    ALREADY_REVIEWED = 11
    """The emergency access was reviewed before."""
