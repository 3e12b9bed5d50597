# ruff: noqa: INP001 -- a script, not a package
"""Take the pictures of the pages: `python tools/pictures.py` beside a running `salus serve --demo`, into docs/pictures/.

Light and dark at 1280 px, narrow at 320 px. Needs Chromium and the development packages.
"""

import re
import shutil
import sys
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, sync_playwright

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8480"
FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
VIEWS = {"light": (1280, 800, "light"), "dark": (1280, 800, "dark"), "narrow": (320, 800, "light")}


def enter(context: BrowserContext, who: str) -> Page:
    """Sign in at the demo as somebody."""
    page = context.new_page()
    page.goto(f"{ADDRESS}/sign-in")
    page.locator(f'form:has(input[value="{who}"]) button').click()
    page.wait_for_url(re.compile("/(patients|my/record|duplicates)"))
    return page


def staff(page: Page, view: str) -> None:
    """Take the pages of staff."""
    page.fill("#name", "s")
    page.get_by_role("button", name="Find").click()
    page.locator('td a[href^="/chart/"]').nth(1).click()
    page.screenshot(path=FOLDER / f"chart-{view}.png")
    page.goto(f"{ADDRESS}/emergency")
    page.screenshot(path=FOLDER / f"emergency-{view}.png")
    page.goto(f"{ADDRESS}/ledger")
    page.screenshot(path=FOLDER / f"ledger-{view}.png")


def registrar(page: Page, view: str) -> None:
    """Take the page of two registrations of one person."""
    page.locator('td a[href^="/duplicates/"]').first.click()
    page.screenshot(path=FOLDER / f"duplicates-{view}.png")


def patient(page: Page, view: str) -> None:
    """Take the pages of a patient."""
    page.goto(f"{ADDRESS}/my/sharing")
    page.screenshot(path=FOLDER / f"who-can-see-{view}.png")
    page.goto(f"{ADDRESS}/my/looked")
    page.screenshot(path=FOLDER / f"who-has-looked-{view}.png")
    page.goto(f"{ADDRESS}/my/record")
    page.screenshot(path=FOLDER / f"my-record-{view}.png")


def anyone(page: Page, view: str) -> None:
    """Take the pages that nobody needs to sign in for."""
    for name, path in (("home", "/"), ("wallet", "/wallet"), ("verify", "/ledger/verify")):
        page.goto(f"{ADDRESS}{path}")
        page.locator("h1").first.wait_for()
        page.screenshot(path=FOLDER / f"{name}-{view}.png")


def main() -> None:
    """Take every picture."""
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for view, (width, height, scheme) in VIEWS.items():
            size = {"width": width, "height": height}
            for who, take in (("physician", staff), ("registrar", registrar), ("patient-1", patient)):
                context = browser.new_context(viewport=size, color_scheme=scheme)
                take(enter(context, who), view)
                context.close()
            context = browser.new_context(viewport=size, color_scheme=scheme)
            anyone(context.new_page(), view)
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
