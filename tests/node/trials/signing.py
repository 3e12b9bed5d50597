"""Investigators of the small trial sign what is theirs to sign."""

from salus.node.demo.trial_scene import Said, Scene
from salus.node.trials.closing import unsigned
from salus.node.trials.sight import states


def sign_everything(scene: Scene) -> None:
    """Let the investigator sign every visit of the enrolled that is not, and the site send it."""
    for _, subject, state in states(scene.node("north"), scene.study):
        left = unsigned(state) if state.enrolment else set()
        said: list[Said] = [("investigator-north", "sign", "", {"visit": visit}) for visit in sorted(left)]
        if said:
            scene.say("north", subject.hex(), said)
    scene.send("north")
