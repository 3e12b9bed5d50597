"""The demo's report: one self-contained HTML page of what was told, with a picture of who holds and read what."""

from importlib import resources

from jinja2 import Environment

from salus.node.demo.telling import Holding, Telling

WIDTH, ROW, LEFT, SCALE = 680, 44, 190, 380


def page(telling: Telling, seconds: float) -> str:
    """Return the report as HTML; `seconds` the whole chapter took."""
    text = (resources.files("salus.node.demo") / "report.html.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(text).render(
        telling=telling,
        seconds=seconds,
        bars=_bars(telling.holders),
        width=WIDTH,
        height=ROW * len(telling.holders) + 10,
        row=ROW,
        left=LEFT,
    )


def _bars(holders: list[Holding]) -> list[tuple[Holding, int, int]]:
    """Return each member with the widths of its two bars in pixels; what is there is at least seen."""
    most = max([1, *(max(one.sealed, one.pulled) for one in holders)])

    def width(count: int) -> int:
        return max(2, count * SCALE // most) if count else 0

    return [(one, width(one.sealed), width(one.pulled)) for one in holders]
