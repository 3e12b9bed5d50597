"""Why the membership contract refuses."""

from salus.contracts.membership.state import NUMBER
from salus.core.errors import Reason, numbered


@numbered(NUMBER)
class MembershipReason(Reason):
    """In order of precedence. The first three may refuse any transaction, whatever its message."""

    UNKNOWN_MEMBER = 1
    """The submitter is no member."""
    NOT_ACTIVE = 2
    """The submitter is suspended or removed."""
    NOT_CURRENT_KEY = 3
    """The submitter's key is not its key in force."""
    NO_SUCH_PROPOSAL = 4
    """No proposal has this id."""
    PROPOSAL_CLOSED = 5
    """The proposal is decided, or its time is over."""
    ALREADY_VOTED = 6
    """The member has voted on this proposal."""
    NO_SUCH_MEMBER = 7
    """The act names nobody that was ever admitted."""
    WRONG_STANDING = 8
    """The member's standing does not allow the act."""
    ID_TAKEN = 9
    """A member has, or had, this id."""
    TOO_MANY_MEMBERS = 10
    """The network is full."""
    OTHER_AGREEMENT = 11
    """The candidate accepts another consortium agreement than the one in force."""
    UNORDERED = 12
    """Roles, changes or TLS keys are not ascending, or something stands twice."""
    KEY_USED = 13
    """The signing key serves, or served, a member."""
    NO_POSSESSION = 14
    """The proof of possession does not hold under the new signing key."""
    CONSENSUS_KEY_TAKEN = 15
    """Another validator has this consensus key."""
    LAST_MEMBER = 16
    """Nobody would be left to submit."""
    LAST_VALIDATOR = 17
    """Nobody would be left to order transactions."""
    NOT_NEWER = 18
    """A rule version or its height is not above those scheduled, or the height has passed."""
