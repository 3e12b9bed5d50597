"""`salus demo`: tell a chapter on a terminal, write its report, and say by the exit code whether everything held."""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from salus.cli.derive import Usage
from salus.node.config import Config
from salus.node.demo import claims, network, records, research, supply, trial, trial_protocol
from salus.node.demo.report import page
from salus.node.demo.telling import Chapter, Step, StoryEnds, Telling
from salus.node.errors import NotFound
from salus.node.local import Opener

CHAPTERS: Final[dict[str, Chapter]] = {
    one.name: one for one in (claims.CHAPTER, records.CHAPTER, research.CHAPTER, supply.CHAPTER, trial.CHAPTER)
}
DEFAULT: Final = records.CHAPTER.name


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("chapter", nargs="?", choices=sorted(CHAPTERS), default=DEFAULT, help="which chapter to tell")
    parser.add_argument("--input", type=Path, metavar="DIR", help="tell it on the files in DIR instead of the samples")
    parser.add_argument("--protocol", type=Path, metavar="FILE", help="tell the trial of a USDM 4.0 file of your own")
    add_report(parser)


def add_report(parser: argparse.ArgumentParser) -> None:
    """Declare where the report goes."""
    parser.add_argument(
        "--report", type=Path, metavar="FILE", default=Path("report.html"), help="where the report goes"
    )


def demo(config: Config, opener: Opener, given: argparse.Namespace) -> int:  # noqa: ARG001 -- a Command
    """Tell a chapter of the product's story and prove it; 0 if every step held, else 1."""
    if given.input is not None and not given.input.is_dir():
        raise NotFound("demo.input", "the folder is not there", got=str(given.input))
    if given.protocol is not None:
        return _told(_of_protocol(given), None, given.report)
    return _told(CHAPTERS[given.chapter], given.input, given.report)


def _of_protocol(given: argparse.Namespace) -> Chapter:
    if given.chapter != trial.CHAPTER.name or given.input is not None:
        raise Usage(
            "demo.protocol", "a protocol is for the chapter `trial` alone", expected="salus demo trial --protocol FILE"
        )
    try:
        return trial_protocol.ProtocolTrial(given.protocol.read_bytes())
    except OSError as error:
        raise Usage("cli.unreadable", "a file cannot be read", got=f"{given.protocol}: {error.strerror}") from error


def network_demo(config: Config, opener: Opener, given: argparse.Namespace) -> int:  # noqa: ARG001 -- a Command
    """Tell the story over four processes; 0 if every step held, else 1."""
    return _told(network.CHAPTER, None, given.report)


def _told(chapter: Chapter, source: Path | None, report: Path) -> int:
    console = Console(highlight=False)
    console.print(Text(chapter.title, style="bold"))
    folder = Path(tempfile.mkdtemp(prefix="salus-demo-"))
    telling = Telling(chapter.title, folder, heard=lambda step: _show(console, step))
    start = time.perf_counter()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # told to end, the nodes of a story end with it
    try:
        chapter.tell(telling, source)
    except StoryEnds as end:
        console.print(Text(f"The story ends here: {end}", style="bold red"))
        telling.broken = True
    finally:
        signal.signal(signal.SIGTERM, before)
        shutil.rmtree(folder, ignore_errors=True)
    seconds = time.perf_counter() - start
    report.write_text(page(telling, seconds), encoding="utf-8")
    console.print(_summary(telling))
    verdict = "Everything held" if telling.held else "NOT everything held"
    console.print(Text(f"{verdict}: {len(telling.steps)} steps in {seconds:.1f} s. Report: {report}", style="bold"))
    if telling.held:
        spelled = "\n".join(spelled_out(one, shutil.which("salus"), sys.argv[0]) for one in telling.next_commands)
        console.print(Panel(spelled, title="try next", title_align="left", expand=False))
    return 0 if telling.held else 1


def spelled_out(command: str, on_path: str | None, started: str) -> str:
    """Return a command as it can be typed: by the path that started this one while `salus` is not on the path."""
    typed = "python -m salus" if Path(started).name == "__main__.py" else started
    return command if on_path else command.replace("salus", typed, 1)


def _show(console: Console, step: Step) -> None:
    mark = Text("✓ ", style="green") if step.held else Text("✗ ", style="bold red")
    console.print(mark + Text(step.title, style="bold") + Text(f"  {step.seconds:.1f} s", style="dim"))
    console.print(Text(f"    {step.shows}", style="dim"))
    for name, value in step.figures.items():
        console.print(Text(f"    {name}: {value}"))
    for failure in step.failures:
        console.print(Text(f"    does not hold: {failure}", style="red"))


def _summary(telling: Telling) -> Table:
    table = Table(title="What was proven", title_justify="left")
    table.add_column("step")
    table.add_column("held")
    table.add_column("seconds", justify="right")
    for step in telling.steps:
        table.add_row(step.title, "yes" if step.held else "NO", f"{step.seconds:.1f}")
    return table
