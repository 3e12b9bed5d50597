"""A protocol judged by a folder of CDISC's open rules, each rule confined: findings to sign, never a refusal."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from salus.agreements.trials.judged import Judgements, NotJudged, RuleFinding, protocol_digest, rules_digest
from salus.interop.cdisc.findings import RuleRefused
from salus.interop.cdisc.rules import protocol
from salus.node.confined import judge_confined
from salus.node.errors import Malformed, NotFound, Unavailable

ENDINGS: Final = frozenset({".yml", ".yaml"})
MOST_RULES: Final = 2_000  # CDISC publishes 823 over all standards
MOST_BYTES: Final = 1 << 20  # of one file that is read at all


def judgements(data: bytes, folder: Path) -> Judgements:
    """Return what the rules in a folder find in a protocol. Raises Malformed, NotFound, Unavailable."""
    if find_spec("jsonata") is None or find_spec("yaml") is None:
        raise Unavailable(
            "trials.extra", "the evaluator of rules is not installed", todo="install salus-health[trials]"
        )
    try:
        protocol(data)
    except RuleRefused as refused:
        raise Malformed("trials.protocol", str(refused)) from None
    files = _files(folder)
    unjudged: list[NotJudged] = []
    findings: list[RuleFinding] = []
    found = 0
    for name, answer in zip(files, judge_confined(data, tuple(files.values())), strict=True):
        if isinstance(answer, str):
            unjudged.append(NotJudged(file=name, why=answer))
            continue
        found += answer.judged.total
        findings += [
            RuleFinding(rule=answer.id, path=each.path, told=answer.message, values=dict(each.values))
            for each in answer.judged.found
        ]
    return Judgements(
        format=1,
        protocol=protocol_digest(data),
        rules=rules_digest(tuple(files.values())),
        judged=len(files) - len(unjudged),
        found=found,
        findings=tuple(sorted(findings, key=lambda one: (one.rule, one.path))),
        unjudged=tuple(unjudged),
    )


def _files(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        raise NotFound(
            "trials.rules", "the folder of rules is not there", expected="a folder of CDISC's open rules, YAML"
        )
    paths = sorted(each for each in folder.rglob("*") if each.suffix in ENDINGS and each.is_file())
    if not paths:
        raise NotFound("trials.rules", "the folder holds no rules", expected=", ".join(sorted(ENDINGS)))
    if len(paths) > MOST_RULES:
        raise Malformed("trials.rules", "the folder holds too many rules", expected=f"at most {MOST_RULES}")
    return {each.relative_to(folder).as_posix(): _head(each) for each in paths}


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES)
