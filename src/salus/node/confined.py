"""Rules that others wrote, judged in a process of their own that can neither open a file nor last.

The process gets everything on its standard input, then gives up files and sockets, and has a limit of memory and,
for each rule, of processor time. A rule that ends it is told as not judged, and a new process goes on with the next. What comes
back is read as data and bounded. Run as `python -m salus.node.confined`, by `judge_confined` alone.
"""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Timer
from typing import IO, BinaryIO, Final, cast

import msgspec

from salus.interop.cdisc.findings import RuleRefused
from salus.interop.cdisc.rules import Judged, judge, protocol, read_rule

SECONDS: Final = 20  # of processor time for one rule; the slowest published one takes 2 on the pilot's protocol
MEMORY: Final = 1 << 30  # bytes of address space; CDISC's rules on the pilot's protocol need 0.2 of it
MOST_ANSWER: Final = 64 << 20  # bytes that a process may answer
MOST_ENDED: Final = 10  # processes that rules may end before the rest is not judged
DEEPEST: Final = 20_000  # calls within calls; published expressions need some 1,000


class _Task(msgspec.Struct, frozen=True, array_like=True):
    protocol: bytes
    rules: tuple[bytes, ...]
    seconds: int
    memory: int


class Ruled(msgspec.Struct, frozen=True, array_like=True):
    """A rule that judged the protocol."""

    id: str
    message: str
    """What it says of what it finds."""
    judged: Judged


class _Line(msgspec.Struct, frozen=True, array_like=True):
    """One line of an answer."""

    place: int
    ruled: Ruled | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process may use."""

    seconds: int = SECONDS
    memory: int = MEMORY


def judge_confined(data: bytes, rules: Sequence[bytes], limits: Limits | None = None) -> list[Ruled | str]:
    """Return what each rule, a YAML file, finds in a protocol, or why it was not judged."""
    within = limits or Limits()
    answers: list[Ruled | str] = []
    ended = 0
    while len(answers) < len(rules):
        if ended == MOST_ENDED:
            answers += [f"not reached: {MOST_ENDED} rules before it ended their process"] * (len(rules) - len(answers))
            break
        rest = tuple(rules[len(answers) :])
        answer, code = _run(_Task(data, rest, within.seconds, within.memory))
        told = _read(answer)
        answers += told
        if len(told) < len(rest):
            ended += 1
            answers.append(_ending(code, within))
    return answers


def _run(task: _Task) -> tuple[bytes, int]:
    """Return what a new process answers, and its exit code."""
    running = subprocess.Popen(
        [sys.executable, "-P", "-m", "salus.node.confined"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={"PYTHONPATH": os.pathsep.join(os.path.abspath(each) for each in sys.path), "LC_ALL": "C.UTF-8"},  # noqa: PTH100 -- an empty path is the present folder
    )
    last = Timer(60 + task.seconds * len(task.rules), running.kill)
    last.start()
    try:
        with running:
            told, heard = cast("IO[bytes]", running.stdin), cast("IO[bytes]", running.stdout)
            try:
                told.write(msgspec.msgpack.encode(task))
                told.close()
                answer = heard.read(MOST_ANSWER)
            except BrokenPipeError:
                answer = b""
            running.kill()
    finally:
        last.cancel()
    return answer, running.returncode


def _read(answer: bytes) -> list[Ruled | str]:
    """Return the finished judgements at the head of an answer; what is not one ends it."""
    found: list[Ruled | str] = []
    for line in answer.split(b"\n"):
        try:
            told = msgspec.json.decode(line, type=_Line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            break
        if told.place != len(found):
            break
        found.append(told.ruled or told.refused[:300])
    return found


def _ending(code: int, limits: Limits) -> str:
    if code == -signal.SIGPROF:
        return f"it took more than {limits.seconds} s of processor time"
    return "it ended its process"


def main(source: BinaryIO, answer: BinaryIO) -> None:
    """Judge the rules of a task, line by line of the answer."""
    sys.setrecursionlimit(DEEPEST)
    task = msgspec.msgpack.decode(source.read(), type=_Task)
    import jsonata  # type: ignore[import-untyped] # noqa: F401, PLC0415 -- while files can still be opened
    import yaml  # type: ignore[import-untyped] # noqa: F401, PLC0415 -- likewise

    confine(task.memory)
    signal.setitimer(signal.ITIMER_PROF, task.seconds)
    of = protocol(task.protocol)
    for place, text in enumerate(task.rules):
        signal.setitimer(signal.ITIMER_PROF, task.seconds)
        try:
            rule = read_rule(text)
            told = _Line(place, Ruled(rule.id, rule.message, judge(rule, of)))
        except RuleRefused as refused:
            told = _Line(place, None, str(refused))
        except MemoryError:
            told = _Line(place, None, "it needs too much memory")
        answer.write(msgspec.json.encode(told) + b"\n")
        answer.flush()


def confine(memory: int) -> None:
    """Give up, for good, files and sockets that are not open, files that grow, and memory beyond a number of bytes.

    Children too, but where root runs it: to root that limit means nothing.
    """
    for limit, most in (
        (resource.RLIMIT_NOFILE, 3),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, memory),
    ):
        hard = resource.getrlimit(limit)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (least, least))


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
