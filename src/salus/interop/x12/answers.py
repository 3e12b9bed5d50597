"""What goes back to a sender: TA1 for the envelope, 999 for the guide, 277CA for each claim."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from sys import intern
from typing import Final

import msgspec

from salus.interop.x12.claim import Party
from salus.interop.x12.claim_writer import period
from salus.interop.x12.envelope import (
    Stamp,
    Trader,
    bare,
    composite,
    interchange,
    interchange_parts,
    plain,
    traders,
    words,
)
from salus.interop.x12.examine import Event, GroupSeen, InterchangeSeen, SetHead, SetSeen, UnitSeen
from salus.interop.x12.findings import REFUSE, Finding, refused
from salus.interop.x12.level4 import cents_or_zero, service_period
from salus.interop.x12.loops import Loop
from salus.interop.x12.money import amount
from salus.interop.x12.shelf import Part, Row, Shelf
from salus.interop.x12.tokens import Segment, segment


class ClaimAnswer(msgspec.Struct, frozen=True, gc=False):
    """One claim as the 277CA names it."""

    billing: Party
    last: str
    given: str
    member: str
    identifier: str
    charge: int
    first_day: str
    last_day: str
    trace: str
    findings: tuple[Finding, ...]

    @property
    def accepted(self) -> bool:
        """Tell whether the claim goes on to adjudication."""
        return not refused(self.findings)


class SetAnswer(msgspec.Struct, frozen=True, gc=False):
    """One transaction set with what was found and, of an 837, its claims."""

    head: SetHead
    findings: tuple[Finding, ...]
    envelope: tuple[str, ...]
    submitter: Party
    receiver: Party
    reference: str
    """BHT03, the sender's number of the batch."""
    claims: Row[ClaimAnswer]

    @property
    def accepted(self) -> bool:
        """Tell whether the set passed levels 1 and 2; the 999 says so."""
        return not self.envelope and not refused([part for part in self.findings if part.level < 3])


class GroupAnswer(msgspec.Struct, frozen=True, gc=False):
    """One functional group with its sets."""

    seen: GroupSeen
    sets: tuple[SetAnswer, ...]

    def goes_on(self, claim: ClaimAnswer, answer: SetAnswer) -> bool:
        """Tell whether a claim of one of its sets is decided: neither group, set nor claim was refused."""
        return not self.seen.envelope and answer.accepted and claim.accepted


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What a whole file got."""

    interchanges: tuple[InterchangeSeen, ...]
    groups: tuple[GroupAnswer, ...]


def name_of(loop: Loop | None) -> Party:
    """Return name and identifier of a loop that begins with NM1."""
    if loop is None:
        return Party("")
    return _named(loop.first.get(3), loop.first.get(9), loop.first.get(4))


@lru_cache  # of a file's thousands of claims a few providers send: one object each, not one for every claim
def _named(name: str, identifier: str, first: str) -> Party:
    return Party(name, identifier, first)


def claim_answer(unit: UnitSeen) -> ClaimAnswer:
    """Take from a claim what its 277CA needs, whether or not it is sound."""
    loop = unit.loop
    around = loop.parent
    subscriber = loop.up("2000B")
    provider = loop.up("2000A")
    insured = subscriber.loop("2010BA") if subscriber else None
    person = around.loop("2010CA", "2010BA") if around else None
    first, last = service_period(loop)
    return ClaimAnswer(
        name_of(provider.loop("2010AA") if provider else None),
        intern(person.first.get(3)) if person else "",
        intern(person.first.get(4)) if person else "",
        insured.first.get(9) if insured else "",
        loop.first.get(1),
        cents_or_zero(loop.first.get(2)),
        intern(first),
        intern(last),
        loop.value("REF", 2, "D9"),
        unit.findings,
    )


def verdict(events: Iterable[Event], shelf: Shelf[ClaimAnswer] | None = None) -> Verdict:
    """Gather what a file's events say into what is answered. `shelf` takes what is answered to each claim."""
    interchanges: list[InterchangeSeen] = []
    groups: list[GroupAnswer] = []
    sets: list[SetAnswer] = []
    claims: Shelf[ClaimAnswer] = [] if shelf is None else shelf
    start = 0
    for event in events:
        if isinstance(event, UnitSeen):
            if event.head.header.get(1) == "837":
                claims.append(claim_answer(event))
        elif isinstance(event, SetSeen):
            root = event.root
            ends = (root.loop("1000A"), root.loop("1000B")) if root is not None else (None, None)
            reference = root.value("BHT", 3) if root is not None else ""
            names = name_of(ends[0]), name_of(ends[1])
            mine = Part(claims, start, len(claims))
            start = len(claims)
            sets.append(SetAnswer(event.head, event.findings, event.envelope, *names, reference, mine))
        elif isinstance(event, GroupSeen):
            groups.append(GroupAnswer(event, tuple(sets)))
            sets = []
        else:
            interchanges.append(event)
    return Verdict(tuple(interchanges), tuple(groups))


_SET_FAULTS: Final = {
    "1": "a set or version that is not taken here; send the version in force, such as 005010X222A1 for an 837P",
    "2": "no SE at its end; send the whole set",
    "3": "SE02 is not ST02; repeat the control number",
    "4": "SE01 is not the number of its segments; count them from ST to SE",
    "5": "segments in error",
    "23": "its control number was used before in the group; number the sets",
}
_GROUP_FAULTS: Final = {
    "3": "no GE at its end; send the whole group",
    "4": "GE02 is not GS06; repeat the control number",
    "5": "GE01 is not the number of its sets; count them",
}


def envelope_faults(seen: SetSeen | SetAnswer | GroupSeen) -> list[str]:
    """Return in words what the 999 names by a code alone: what is wrong with a set or group as a whole (IK502, AK905)."""
    if isinstance(seen, GroupSeen):
        return [f"group {seen.header.get(6)}: {_GROUP_FAULTS.get(code, f'AK905 {code}')}" for code in seen.envelope]
    name = f"set {seen.head.header.get(2)}"
    return [f"{name}: {_SET_FAULTS.get(code, f'IK502 {code}')}" for code in seen.envelope]


def ta1(seen: InterchangeSeen) -> Segment:
    """Answer one envelope: accepted (000) or rejected with its code."""
    return _ta1(seen.header, seen.code)


def _ta1(header: Segment, code: str) -> Segment:
    note = "A" if code == "000" else "R"
    control = header.get(13) if header.get(13).isdecimal() else "000000000"
    day = header.get(9) if header.get(9).isdecimal() else "000101"
    return segment("TA1", control, day, plain(header.get(10)), note, code)


def envelope_answer(seen: InterchangeSeen, stamp: Stamp) -> bytes:
    """Write the interchange that carries the TA1 back to its sender."""
    sender, receiver = traders(seen.header)
    return bare(receiver, sender, stamp, [ta1(seen)])


def envelope_refusal(header: Segment, code: str, stamp: Stamp) -> bytes:
    """Write the interchange that refuses another for its envelope alone, by a TA1 note code."""
    receiver, sender = swap(header)
    return bare(receiver, sender, stamp, [_ta1(header, code)])


def _loop_name(name: str) -> str:
    return name[:4] if name[:4].isdecimal() else ""


def _tag(finding: Finding) -> str:
    """Return a segment's tag as IK301 can tell it: what is none of two or three letters and digits stands as ZZZ."""
    tag = finding.tag[:3]
    return tag if len(tag) > 1 and tag.isalnum() and tag.isascii() else "ZZZ"


def _faults(answer: SetAnswer) -> list[Segment]:
    parts: list[Segment] = []
    serious = [part for part in answer.findings if part.level < 3 and part.severity == REFUSE]
    places: dict[int, list[Finding]] = {}
    for finding in serious:
        places.setdefault(finding.position, []).append(finding)
    for position, findings in sorted(places.items()):
        ordinal = position - answer.head.header.position + 1
        for finding in findings:
            if not finding.element:
                loop = _loop_name(finding.loop)
                parts.append(segment("IK3", _tag(finding), str(ordinal), loop, finding.code or "2"))
        inside = [finding for finding in findings if finding.element]
        if inside:
            first = inside[0]
            parts.append(segment("IK3", _tag(first), str(ordinal), _loop_name(first.loop), "8"))
        for finding in inside:
            place = composite(str(finding.element), str(finding.component) if finding.component else "")
            parts.append(segment("IK4", place, "", finding.code or "7", words(finding.got, 99)))
    return parts


def acknowledgment_set(answer: GroupAnswer, control: str) -> list[Segment]:
    """Write the 999 of one group without its SE."""
    seen = answer.seen
    accepted = sum(part.accepted for part in answer.sets)
    body = [
        segment("ST", "999", control, "005010X231A1"),
        segment("AK1", *(words(seen.header.get(place), most) for place, most in ((1, 2), (6, 9), (8, 12)))),
    ]
    for part in answer.sets:
        header = part.head.header
        body.append(segment("AK2", *(words(header.get(place), most) for place, most in ((1, 3), (2, 9), (3, 35)))))
        faults = _faults(part)
        body.extend(faults)
        codes = [*part.envelope, *(["5"] if faults else [])][:5]
        body.append(segment("IK5", "A" if part.accepted else "R", *codes))
    verdict_code = "R" if seen.envelope or not accepted else ("A" if accepted == len(answer.sets) else "P")
    counts = (seen.told, str(seen.sets), str(accepted if verdict_code != "R" else 0))
    body.append(segment("AK9", verdict_code, *counts, *seen.envelope[:5]))
    return body


def acknowledgment(groups: tuple[GroupAnswer, ...], header: Segment, stamp: Stamp) -> bytes:
    """Write the 999s of the groups of one interchange."""
    sets = [acknowledgment_set(group, f"{number:04d}") for number, group in enumerate(groups, 1)]
    return interchange(swap(header), stamp, "FA", "005010X231A1", sets)


# Rule of ours to claim status code (code source 508) and entity; 21 = missing or invalid information.
_STATUS: Final[dict[str, tuple[str, str]]] = {
    "npi": ("562", ""),
    "taxonomy": ("145", ""),
    "diagnosis": ("255", ""),
    "diagnosis-version": ("255", ""),
    "diagnosis-retired": ("255", ""),
    "diagnosis-pointer": ("477", ""),
    "procedure": ("454", ""),
    "procedure-retired": ("454", ""),
    "modifier": ("453", ""),
    "place-of-service": ("249", ""),
    "revenue-code": ("455", ""),
    "balance-charge": ("178", ""),
    "balance-other-payer": ("171", ""),
    "balance-other-line": ("171", ""),
    "amount": ("178", ""),
    "service-in-future": ("187", ""),
    "line-outside-statement": ("187", ""),
    "birth-after-service": ("158", "QC"),
    "original-reference": ("464", ""),
    "admission-date": ("189", ""),
    "quantity": ("476", ""),
    "drug-number": ("218", ""),
    "state": ("503", ""),
}


def _statuses(answer: ClaimAnswer, day: str) -> list[Segment]:
    if answer.accepted:
        return [segment("STC", composite("A2", "20"), day, "WQ", amount(answer.charge))]
    parts: dict[str, Segment] = {}
    for finding in answer.findings:
        if finding.severity != REFUSE:
            continue
        code, entity = _STATUS.get(finding.rule, ("21", ""))
        came = f", got {finding.got}" if finding.got else ""
        text = words(f"{finding.place()}, expected {finding.expected}{came}, {finding.fix}", 264)
        said = ("", "", "", "", "", "", "", text)
        status = composite("A7", code, entity)
        parts.setdefault(code, segment("STC", status, day, "U", amount(answer.charge), *said))
    return list(parts.values())


def claim_acknowledgment_set(
    answer: SetAnswer, control: str, payer: Party, stamp: Stamp, received: str
) -> Iterator[Segment]:
    """Yield the 277CA of one accepted 837 set without its SE. `received` is the day the file came (CCYYMMDD)."""
    taken = [claim for claim in answer.claims if claim.accepted]
    left = [claim for claim in answer.claims if not claim.accepted]
    day = stamp.day
    total = amount(sum(claim.charge for claim in answer.claims))
    batch = ("A1", "19", "PR") if taken else ("A3", "23", "PR")
    yield from (
        segment("ST", "277", control, "005010X214"),
        segment("BHT", "0085", "08", f"{stamp.control}-{control}", day, stamp.time, "TH"),
        segment("HL", "1", "", "20", "1"),
        segment("NM1", "PR", "2", words(payer.name), "", "", "", "", "PI", payer.identifier),
        segment("TRN", "1", f"{stamp.control}-{control}"),
        segment("DTP", "050", "D8", received or day),
        segment("DTP", "009", "D8", day),
        segment("HL", "2", "1", "21", "1"),
        segment("NM1", "41", "2", words(answer.submitter.name), "", "", "", "", "46", answer.submitter.identifier),
        segment("TRN", "2", answer.reference),
        segment("STC", composite(*batch), day, "WQ" if taken else "U", total),
        *_counts(taken, left, ("90", "AA")),
    )
    level = 2
    groups: dict[Party, list[ClaimAnswer]] = {}
    for claim in answer.claims:
        groups.setdefault(claim.billing, []).append(claim)
    for billing, mine in groups.items():
        level += 1
        own = level
        yield segment("HL", str(own), "2", "19", "1")
        kind = "1" if billing.first else "2"
        name = ("85", kind, words(billing.name), words(billing.first, 35))
        yield segment("NM1", *name, "", "", "", "XX", billing.identifier)
        accepted = [claim for claim in mine if claim.accepted]
        said = ("A1", "19", "PR") if accepted else ("A3", "23", "PR")
        charged = amount(sum(claim.charge for claim in mine))
        yield segment("TRN", "1", "0")
        yield segment("STC", composite(*said), "", "WQ" if accepted else "U", charged)
        yield from _counts(accepted, [claim for claim in mine if not claim.accepted], ("QA", "QC"))
        for claim in mine:
            level += 1
            yield from _claim_status(claim, level, own, day)


def _counts(taken: list[ClaimAnswer], left: list[ClaimAnswer], kinds: tuple[str, str]) -> list[Segment]:
    parts: list[Segment] = []
    sums: list[Segment] = []
    for claims, count, money in ((taken, kinds[0], "YU"), (left, kinds[1], "YY")):
        if claims:
            parts.append(segment("QTY", count, str(len(claims))))
            sums.append(segment("AMT", money, amount(sum(claim.charge for claim in claims))))
    return [*parts, *sums]


def _claim_status(claim: ClaimAnswer, level: int, parent: int, day: str) -> list[Segment]:
    member = ("MI", claim.member) if claim.member else ()
    trace = [segment("REF", "D9", claim.trace)] if claim.trace else []
    qualifier, value = period(claim.first_day, claim.last_day)
    return [
        segment("HL", str(level), str(parent), "PT"),
        segment("NM1", "QC", "1", words(claim.last), words(claim.given, 35), "", "", "", *member),
        segment("TRN", "2", claim.identifier),
        *_statuses(claim, day),
        *trace,
        segment("DTP", "472", qualifier, value),
    ]


def claim_acknowledgment(
    sets: Iterable[SetAnswer], header: Segment, payer: Party, stamp: Stamp, received: str = ""
) -> bytes | None:
    """Write the 277CAs of the accepted 837 sets of one interchange; None where there is none."""
    return b"".join(claim_acknowledgment_parts(sets, header, payer, stamp, received)) or None


def claim_acknowledgment_parts(
    sets: Iterable[SetAnswer], header: Segment, payer: Party, stamp: Stamp, received: str = ""
) -> Iterator[bytes]:
    """Yield the 277CAs piece by piece; nothing where no set is accepted. They came on `received`, or on the stamp's day."""
    answered = [answer for answer in sets if answer.accepted and answer.claims]
    if not answered:
        return
    bodies = (
        claim_acknowledgment_set(answer, f"{number:04d}", payer, stamp, received)
        for number, answer in enumerate(answered, 1)
    )
    yield from interchange_parts(swap(header), stamp, "HN", "005010X214", bodies)


def swap(header: Segment) -> tuple[Trader, Trader]:
    """Return the two ends of an answer to this ISA: from its receiver, to its sender."""
    sender, receiver = traders(header)
    return receiver, sender
