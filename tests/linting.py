"""What `promtool check metrics` says of a node's metrics."""

import subprocess

from tests.needs import promlint


def problems(text: str) -> tuple[int, str]:
    """Return its exit code (0 nothing found, 1 not to be parsed, 3 found something) and what it says."""
    told = subprocess.run([promlint()], input=text, capture_output=True, text=True, check=False)
    return told.returncode, told.stderr
