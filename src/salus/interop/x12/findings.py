"""What the passes find: which level, where, which rule, what was expected, what came, how to mend it."""

from typing import Final

import msgspec

REFUSE: Final = "refuse"
NOTE: Final = "note"


class Finding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One fault or deviation. `got` may quote the sender's value and goes to the sender only, never to a log."""

    level: int
    """1 syntax, 2 guide, 3 balancing, 4 situation, 5 code sets; of a partner: 6 line of business, 7 companion guide."""
    rule: str
    """Stable name of the rule."""
    loop: str = ""
    tag: str = ""
    position: int = 0
    """Ordinal of the segment in the file, from 1."""
    element: int = 0
    component: int = 0
    expected: str
    got: str = ""
    fix: str
    severity: str = REFUSE
    code: str = ""
    """Code of the 999 (IK304 or IK403) that names the fault, empty where the level has none."""

    def place(self) -> str:
        """Return the position for people: `2300 CLM05.2, segment 27`."""
        element = f"{self.element:02d}" if self.element else ""
        component = f".{self.component}" if self.component else ""
        return f"{self.loop} {self.tag}{element}{component}, segment {self.position}".strip()

    def told(self) -> str:
        """Return the finding in one line for the sender: place, rule, what was expected, what came, how to mend it."""
        came = f", got {self.got}" if self.got else ""
        return f"{self.place()}: {self.rule}, expected {self.expected}{came}; {self.fix}"


def refused(findings: "list[Finding] | tuple[Finding, ...]") -> bool:
    """Tell whether any finding refuses what it was found in."""
    return any(finding.severity == REFUSE for finding in findings)
