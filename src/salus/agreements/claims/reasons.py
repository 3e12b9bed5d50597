"""The reason codes that decisions use, in our own short words, and what would mend each. Official texts: x12.org."""

from functools import lru_cache
from typing import Final

import msgspec


class ReasonText(msgspec.Struct, frozen=True):
    """One group and reason code in plain words."""

    words: str
    remedy: str


REASONS: Final[dict[str, ReasonText]] = {
    "PR-1": ReasonText("part of the deductible", "nothing: the patient pays this to the provider"),
    "PR-2": ReasonText("the patient's share in percent", "nothing: the patient pays this to the provider"),
    "PR-3": ReasonText("the patient's fixed share per visit", "nothing: the patient pays this to the provider"),
    "CO-4": ReasonText("the modifier does not go with the procedure", "correct the modifier and send a replacement"),
    "CO-5": ReasonText("the procedure is not done at this place of service", "correct the place and replace"),
    "CO-6": ReasonText("the procedure does not fit the patient's age", "correct the code or the date of birth"),
    "CO-7": ReasonText("the procedure does not fit the patient's sex", "correct the code or the patient's data"),
    "CO-16": ReasonText("information is missing", "send what is missing with a replacement claim"),
    "CO-18": ReasonText("this line was already billed", "send no second claim; use a modifier if it was done twice"),
    "OA-18": ReasonText("this line was already forwarded by another payer", "nothing: the forwarded claim is decided"),
    "OA-22": ReasonText("another payer comes first", "send the first payer's decision with the claim"),
    "OA-23": ReasonText("what the first payer paid or wrote off", "nothing: it is settled between payers"),
    "CO-26": ReasonText("the service was before coverage began", "bill the payer of that day"),
    "CO-27": ReasonText("the service was after coverage ended", "bill the payer of that day"),
    "CO-29": ReasonText("the claim came too late", "show that it was sent in time"),
    "CO-31": ReasonText("the patient is not known to this payer", "correct the member number"),
    "CO-45": ReasonText("above the agreed price", "nothing: the provider writes this off"),
    "PR-45": ReasonText("above what the plan allows", "nothing: no contract binds this provider"),
    "CO-94": ReasonText("the agreed price is above the charge", "nothing: the contract pays its price"),
    "CO-96": ReasonText("the plan does not cover this", "appeal with the plan clause that covers it"),
    "PR-96": ReasonText("the plan does not cover this", "appeal with the plan clause that covers it"),
    "CO-97": ReasonText("part of another procedure of the same day", "use a modifier if it was a distinct service"),
    "CO-104": ReasonText("held back until settlement", "nothing: settled under the contract"),
    "CO-109": ReasonText("this payer does not cover the patient", "send the claim to the right payer"),
    "PR-119": ReasonText("the plan's maximum is reached", "appeal if the count is wrong"),
    "CO-129": ReasonText("the claim that this one refers to is not known", "correct the original reference"),
    "CO-151": ReasonText("more units than one day can have", "correct the units or show the record"),
    "CO-197": ReasonText("an approval was needed before the service", "send the approval's number"),
    "CO-198": ReasonText("more than the approval allows", "ask for more units, then replace the claim"),
    "PR-204": ReasonText("the patient's plan has no such benefit", "appeal with the plan clause that covers it"),
    "CO-222": ReasonText("more units than the contract allows", "correct the units or show the record"),
    "CO-236": ReasonText("these procedures are not billed together", "correct the codes"),
    "CO-242": ReasonText("the provider is not in the network", "ask for an exception before the service"),
    "CO-253": ReasonText("cut by law (sequestration)", "nothing: the provider bears this"),
    "CO-B7": ReasonText("the provider was not admitted on that day", "correct the provider or the date"),
}


@lru_cache(maxsize=1024)
def text_of(group: str, code: str) -> ReasonText:
    """Return words and remedy of a reason; a code that we do not use says so."""
    return REASONS.get(f"{group}-{code}", ReasonText(f"reason {code}", "see the reason code's official text"))
