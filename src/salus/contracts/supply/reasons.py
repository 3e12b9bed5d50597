"""Why the supply contract refuses."""

from salus.contracts.supply.state import NUMBER
from salus.core.errors import Reason, numbered


@numbered(NUMBER)
class SupplyReason(Reason):
    """In order of precedence."""

    UNORDERED = 1
    """Targets, units or kinds of a message are not ascending, each once."""
    NOT_REGULATOR = 2
    """The submitter is not a regulator."""
    NO_SUCH_MEMBER = 3
    """No member has this id."""
    TICKET_INVALID = 4
    """The ticket is not signed by an active regulator for the author's key."""
    TICKET_OVER = 5
    """The ticket has ended, or ends later than a ticket may."""
    TICKET_VOID = 6
    """The ticket was taken back."""
    NOT_LICENSED = 7
    """The ticket's licence does not cover this step."""
    EXISTS = 8
    """This lot was commissioned, this container packed, or this leg reported, before."""
    NO_SUCH_LOT = 9
    """No lot has this id."""
    BAD_PROOF = 10
    """A place lies outside its container."""
    NO_SUCH_HOLDING = 11
    """No row has this id, and no proof leads from it to one."""
    NOT_INSIDE = 12
    """What is excepted does not lie in the shipment."""
    NOT_OWNER = 13
    """The author's key does not own these goods."""
    NOT_RECEIVER = 14
    """The goods are not on their way to the author's key."""
    NOT_CUSTODIAN = 15
    """The author's key does not have these goods in hand."""
    NOT_MAKER = 16
    """The author's key did not commission the lot."""
    WRONG_STATUS = 17
    """The goods' status does not allow the step."""
    RECALLED = 18
    """A recall of the goods or of their lot is in force."""
    NOT_UNDOABLE = 19
    """An end for this reason is final."""
    TOO_LATE = 20
    """The window in which an end may be undone is over."""
    TOO_MANY_LOTS = 21
    """More lots in one container, or behind one lot, than the ledger follows."""
    TOO_DEEP = 22
    """More containers inside each other than the ledger follows."""
