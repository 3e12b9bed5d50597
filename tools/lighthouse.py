# ruff: noqa: INP001 -- a script, not a package
"""Ask Lighthouse for the accessibility of ten main pages: `python tools/lighthouse.py LIGHTHOUSE` beside a running `salus serve --demo`.

LIGHTHOUSE is the program (`npm install --ignore-scripts lighthouse` puts it into `node_modules/.bin/`). Needs Chromium and Node.
Exits 1 when a page has less than 100.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

ADDRESS = sys.argv[2] if len(sys.argv) > 2 else "http://localhost:8480"
FLAGS = "--headless --no-sandbox --disable-gpu"
ANYONE = ("/", "/sign-in", "/wallet", "/ledger")
STAFF = ("/patients", "/emergency", "CHART")
PATIENT = ("/my/record", "/my/sharing", "/my/looked")


def entered(who: str) -> tuple[httpx.Client, str]:
    """Sign in at the demo as somebody; return the browser and its cookie."""
    browser = httpx.Client(base_url=ADDRESS, timeout=60)
    sent = browser.post("/sign-in", data={"who": who})
    return browser, sent.headers["set-cookie"].partition(";")[0]


def chart_of(browser: httpx.Client) -> str:
    """Return the address of somebody's chart."""
    token = re.search(r'name="form" value="(\w+)">\s*<div', browser.get("/patients").text)
    found = browser.post("/patients", data={"form": token[1] if token else "", "name": "s"}, follow_redirects=True)
    chart = re.search(r'href="(/chart/[^"/]+)"', found.text)
    return chart[1] if chart else sys.exit("no chart was found")


def score(path: str, cookie: str, folder: Path) -> float:
    """Return what Lighthouse gives a page, of 100, and say what it finds wrong."""
    report = folder / "report.json"
    command = [
        sys.argv[1],
        ADDRESS + path,
        "--only-categories=accessibility",
        "--output=json",
        f"--output-path={report}",
    ]
    command += [
        "--quiet",
        f"--chrome-flags={FLAGS}",
        *([f'--extra-headers={{"Cookie": "{cookie}"}}'] if cookie else []),
    ]
    environment = os.environ | {"CHROME_PATH": shutil.which("chromium") or ""}
    subprocess.run(  # noqa: S603 -- the program that the caller names
        command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    told = json.loads(report.read_text())
    if told["finalDisplayedUrl"] != ADDRESS + path:
        sys.exit(f"{path} led to another page")
    found = 100 * told["categories"]["accessibility"]["score"]
    wrong = [name for name, one in told["audits"].items() if one["score"] == 0]
    sys.stdout.write(f"{found:5.0f}  {re.sub('[0-9a-f]{20}', '…', path)}  {' '.join(wrong)}\n")
    sys.stdout.flush()
    return float(found)


def main() -> int:
    """Ask for every page."""
    staff, physician = entered("physician")
    _, patient = entered("patient-1")
    pages = [(path, "") for path in ANYONE]
    pages += [(chart_of(staff) if path == "CHART" else path, physician) for path in STAFF]
    pages += [(path, patient) for path in PATIENT]
    with tempfile.TemporaryDirectory() as folder:
        scores = [score(path, cookie, Path(folder)) for path, cookie in pages]
    return int(min(scores) < 100)


if __name__ == "__main__":
    sys.exit(main())
