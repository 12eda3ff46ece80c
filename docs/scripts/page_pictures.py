"""Make the pictures of the page, `docs/images/page.png` and `page-phone.png`.

    python docs/scripts/page_pictures.py RUN

Needs a trained run, Chromium, and the extra `[dev]`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parents[1] / "images"


def main() -> None:
    """Start a server, use the page, and take pictures of it."""
    words = [sys.executable, "-m", "nextpixel", "serve", sys.argv[1], "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
        try:
            address = re.search(r"http://\S+/", server.stdout.readline())[0]
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-background-networking"]
            )
            page = browser.new_page(viewport={"width": 1180, "height": 800})
            page.goto(address)
            use(page)
            page.screenshot(path=IMAGES / "page.png", full_page=True)
            page.emulate_media(color_scheme="dark")
            page.set_viewport_size({"width": 390, "height": 844})
            page.click("#bits button")
            page.hover("#heat", position={"x": 190, "y": 170})
            page.wait_for_timeout(800)
            page.locator("section:has(#bits)").screenshot(path=IMAGES / "page-phone.png")
        finally:
            server.kill()


def use(page: Page) -> None:
    """Draw, choose, erase, complete, look at the bits, compress."""
    page.wait_for_selector("#model option", state="attached")
    page.fill("#count", "12")
    page.fill("#seed", "7")
    page.click("#draw")
    page.wait_for_selector("#samples button")
    page.wait_for_selector("#generate-progress", state="hidden")
    page.click("#samples button:nth-child(1)")
    page.click("#bits button")
    page.wait_for_selector("#bits-result", state="visible")
    page.hover("#heat", position={"x": 190, "y": 170})
    page.wait_for_timeout(800)
    page.click("#compress button")
    page.wait_for_selector("#sizes", state="visible")
    page.click("[data-unknown=bottom]")
    page.fill("#completions", "6")
    page.click("#complete button[type=submit]")
    page.wait_for_selector("#completed button")
    page.wait_for_selector("#complete-progress", state="hidden")


if __name__ == "__main__":
    main()
