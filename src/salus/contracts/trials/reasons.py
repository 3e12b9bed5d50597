"""Why the trials contract refuses."""

from salus.contracts.trials.state import NUMBER
from salus.core.errors import Reason, numbered


@numbered(NUMBER)
class TrialsReason(Reason):
    """In order of precedence."""

    CASE_EXISTS = 1
    """A study, enrolment, opening or clock with this id is there already."""
    NO_SUCH_STUDY = 2
    """No study has this id."""
    NOT_SPONSOR = 3
    """The submitter is no sponsor, and not alone in the trial."""
    UNORDERED = 4
    """Parties, looks or outcomes are not in ascending order, each once."""
    UNKNOWN_PARTY = 5
    """A party is no active member."""
    PARTS_MISSING = 6
    """Sponsor, coordinator, ethics board, regulator, statistician or dispensers are not all there."""
    PARTS_MEET = 7
    """One member plays two parts that must not meet, or holds enough shares to draw alone."""
    NO_THRESHOLD = 8
    """The trustees, their threshold and the group's key make no threshold key."""
    NOT_PARTY = 9
    """The step is another part's to take."""
    NO_SUCH_CASE = 10
    """No version, site, enrolment, opening, look, lock, clock, outcome or statement is there under this name."""
    WRONG_STATUS = 11
    """What the step is on, or its study, does not stand where the step may be taken."""
    ALREADY_SIGNED = 12
    """The submitter has said so before."""
    NOT_NEWEST = 13
    """A newer version of the protocol, look, lock or statement stands."""
    SITE_NOT_ACTIVE = 14
    """The site is not active in the study."""
    OUTCOMES_OPEN = 15
    """A primary or secondary outcome has neither a result nor a reason why not."""
    WRONG_KIND = 16
    """This kind of opening or clock is not the submitter's to start, or is not opened this way."""
    TOO_MANY = 17
    """The study has as many versions, locks, statements or results that nobody planned as a study may have."""
