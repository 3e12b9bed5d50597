"""Why the research contract refuses."""

from salus.contracts.research.state import NUMBER
from salus.core.errors import Reason, numbered


@numbered(NUMBER)
class ResearchReason(Reason):
    """In order of precedence."""

    CASE_EXISTS = 1
    """A data set, permit or query with this id is there already."""
    NO_SUCH_DATA_SET = 2
    """No data set has this id."""
    NO_SUCH_PERMIT = 3
    """No permit has this id, or it does not ask for this data set."""
    NO_SUCH_QUERY = 4
    """No query has this id, or it does not ask this data set."""
    NOT_RESEARCHER = 5
    """Only a member with the role of researcher applies."""
    NOT_ENTITLED = 6
    """The step is another member's."""
    UNORDERED = 7
    """A list is not ascending, or names something twice."""
    NOT_MATCHABLE = 8
    """The policy or purpose is not well formed in the terms of the Data Use Ontology."""
    DOES_NOT_FIT = 9
    """The study does not fit what the data may be used for; the facts name the first class that does not."""
    WRONG_STATUS = 10
    """The status does not allow the step, or it was taken before."""
    PERMIT_OVER = 11
    """The permit's period is over."""
    NOT_OFFERED = 12
    """A data set does not offer this way out."""
    WRONG_NOISE = 13
    """A noisy query states sensitivity and variance, an exact one states neither."""
    PERMIT_SPENT = 14
    """The permit has too little of its budget left at a data set."""
    POOL_SPENT = 15
    """The custodian has too little of its budget left in this period, whoever asks."""
    TOO_EARLY = 16
    """The time in which the part may be begun is not over."""
    TOO_LATE = 17
    """The time in which the part may be begun is over."""
