"""What a browser fetches for the first look at a page: bytes as they travel, packed where the node packs them."""

import gzip
import re
from posixpath import dirname, join, normpath

from salus.portal.rendering import asset, scripts

IMPORT = re.compile(rb"""^(?:import|export)\b[^;"']*?["'](\.[^"']+)["']""", re.MULTILINE)


def reached(name: str) -> set[str]:
    """Return a module and all that it imports before it runs."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [normpath(join(dirname(path), one.decode())) for one in IMPORT.findall(scripts()[path])]
    return found


def weight(page: bytes, script: str = "") -> int:
    """Return the bytes of a first load: the page itself is not packed, for it holds what a form must prove."""
    files = [scripts()[one] for one in sorted(reached(script))] if script else []
    return len(page) + sum(len(gzip.compress(one, mtime=0)) for one in [asset("salus.css"), *files])
