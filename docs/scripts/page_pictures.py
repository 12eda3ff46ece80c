"""Make the pictures of the page, `docs/images/page.png`, `page-phone.png` and `page-teaching.png`.

    python docs/scripts/page_pictures.py nextpixel/fashion-mnist-gated

Needs Chromium, and the extra `[dev]`.
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
            page.locator("main").evaluate("(main) => main.style.paddingBlockEnd = 0")
            teaching = page.locator("#teach")
            teaching.screenshot(path=IMAGES / "page-teaching.png")
            teaching.evaluate("(section) => section.hidden = true")
            page.screenshot(path=IMAGES / "page.png", full_page=True)
            page.emulate_media(color_scheme="dark")
            page.set_viewport_size({"width": 390, "height": 844})
            show_bits(page)
            page.locator("section:has(#bits)").screenshot(path=IMAGES / "page-phone.png")
        finally:
            server.kill()


def use(page: Page) -> None:
    """Draw, choose, erase, complete, look at the bits, compress, and see what a pixel depends on."""
    page.wait_for_selector("#model option", state="attached")
    page.fill("#count", "12")
    page.fill("#seed", "7")
    page.click("#draw")
    page.wait_for_selector("#samples button")
    finish(page, "generate")
    page.click("#samples button:nth-child(1)")
    page.click("[data-unknown=bottom]")
    page.fill("#completions", "6")
    page.click("#complete button[type=submit]")
    page.wait_for_selector("#completed button")
    finish(page, "complete")
    show_bits(page)
    page.click("#compress [type=submit]")
    page.wait_for_selector("#save-npx:enabled")
    page.locator("#blind").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    finish(page, "explain")
    page.wait_for_selector("#families figure:last-child p:has-text('before it')", timeout=120_000)
    page.evaluate("scrollTo(0, 0)")


def show_bits(page: Page) -> None:
    """Look at the bits, and at a pixel of them."""
    page.click("#bits button[type=submit]")
    finish(page, "bits")
    page.hover("#heat", position={"x": 225, "y": 135})
    page.wait_for_selector("#pixel-text:has-text('was given')")


def finish(page: Page, work: str) -> None:
    """Wait for the end of a piece of work."""
    page.wait_for_selector(f"#{work}-progress", state="hidden", timeout=120_000)


if __name__ == "__main__":
    main()
