"""What the chapter of clinical trials keeps between its steps, and the visits that everyone comes to."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from salus.node.anchoring import anchor
from salus.node.demo.trial_scene import Said, Scene, day_of
from salus.node.trials.kept import Envelope, one

T = TypeVar("T")


@dataclass
class Story:
    """What the chapter keeps between its steps."""

    scene: Scene
    subjects: list[tuple[str, str]] = field(default_factory=list)
    """(site, subject) of everyone enrolled, in order."""
    enrolments: dict[str, bytes] = field(default_factory=dict)
    opening: str = ""

    def at(self, site: str) -> list[str]:
        """Return the subjects of a site, in order."""
        return [subject for where, subject in self.subjects if where == site]


def at_once(do: Callable[[str], T], names: Sequence[str]) -> list[T]:
    """Do something at several members at the same time, as they would."""
    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(do, names))


def at_each_site(scene: Scene, do: Callable[[str], T]) -> list[T]:
    """Do something at every site at the same time."""
    return at_once(do, scene.sites)


def anchor_all(scene: Scene) -> None:
    """Anchor what the sites sealed."""
    at_each_site(scene, lambda site: anchor(scene.node(site)))


def value(subject: str, visit: str, *, worse: bool) -> str:
    """Return a made-up pain score."""
    start = 5 + int(subject[:2], 16) % 4
    return str(start if visit == "base" else max(0, start - (1 if worse else 3)))


def visit_all(story: Story, visit: str, *, late: int = 0) -> None:
    """Let everyone come to a visit; the first `late` of them were days earlier, outside their window."""
    scene = story.scene
    at_each_site(scene, lambda site: _visit(story, site, visit, late))
    anchor_all(scene)


def _visit(story: Story, site: str, visit: str, late: int) -> None:
    scene = story.scene
    for subject in story.at(site):
        day = day_of(scene.together.clock(), -6 if (site, subject) in story.subjects[:late] else 0)
        envelope = one(scene.node("pharmacy-a"), Envelope, story.enrolments[subject])
        pain = value(subject, visit, worse=envelope.arm == 0)  # as the made-up medicine works; no member is told
        fields = {"visit": visit, "activity": "measure", "item.PAIN": pain, "item.PULSE": "72"}
        said: list[Said] = [
            (f"nurse-{site}", "visit", day, {"visit": visit}),
            (f"nurse-{site}", "form", day, fields),
            (f"investigator-{site}", "sign", "", {"visit": visit}),
        ]
        if visit == "base":
            said.append((f"investigator-{site}", "sign", "", {"visit": "screen"}))
        scene.say(site, subject, said)
