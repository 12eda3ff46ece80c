"""The page in a real browser: Debian's Chromium, driven by Playwright."""

import shutil
import threading

import numpy as np
import pytest
from PIL import Image

from nextpixel.web.app import make_app

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; on Debian: apt-get install chromium")


@pytest.fixture(scope="module")
def address(served):
    import time

    import uvicorn

    server = uvicorn.Server(
        uvicorn.Config(
            make_app(served), port=0, log_level="warning", lifespan="off", ws="none", timeout_graceful_shutdown=1
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--headless", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    page = browser.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(address)
    page.wait_for_selector("#model option", state="attached")
    yield page
    page.close()
    assert not faults


def finish(page, form):
    page.wait_for_selector(f"#{form}-progress", state="hidden")


def until(page, expression):
    """Playwright's own way needs eval, which the page forbids."""
    for _ in range(500):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"never: {expression}")


def test_generate(page):
    page.fill("#count", "5")
    page.click("#draw")
    page.wait_for_selector("#samples button:nth-child(5)")
    finish(page, "generate")
    first = page.evaluate("document.querySelector('#samples button').pixels.length")
    assert first == 30
    page.select_option("#model", "kinds")
    assert page.locator("#samples button").count() == 0
    page.select_option("#label", label="dog")
    page.click("#draw")
    page.wait_for_selector("#samples button:nth-child(5)")


def test_an_image_brings_its_class_along(page):
    page.select_option("#model", "kinds")
    page.fill("#count", "5")
    page.click("#draw")
    page.wait_for_selector("#samples button:nth-child(5)")
    finish(page, "generate")
    for image, kind in ((2, "1"), (5, "1"), (3, "2")):
        page.click(f"#samples button:nth-child({image})")
        assert page.input_value("#image-label") == kind
    page.select_option("#label", label="cat")
    page.click("#draw")
    finish(page, "generate")
    page.click("#samples button:nth-child(4)")
    assert page.input_value("#image-label") == "0"
    page.click("#compress button")
    page.wait_for_selector("#sizes", state="visible")


def test_reconstructions_are_told_from_images(page):
    page.select_option("#model", "codes")
    assert "no density" in page.inner_text("#about")
    page.click("#bits button")
    page.wait_for_selector("#bits-result", state="visible")
    assert "given its code" in page.inner_text("#figures")
    page.select_option("#model", "plain")
    assert "no density" not in page.inner_text("#about")


def test_complete_with_a_painted_mask(page):
    """The brush covers just the pixels it should, and what is known stays."""
    page.fill("#count", "2")
    page.click("#draw")
    page.wait_for_selector("#samples button:nth-child(2)")
    finish(page, "generate")
    page.click("#samples button:nth-child(2)")
    page.fill("#brush", "1")
    box = page.locator("#editor").bounding_box()
    pixel = box["width"] / 5
    page.mouse.move(box["x"] + 1.5 * pixel, box["y"] + 4.5 * pixel)
    page.mouse.down()
    page.mouse.move(box["x"] + 3.5 * pixel, box["y"] + 4.5 * pixel)
    page.mouse.up()
    known = page.evaluate("[...editor.known]")
    assert [place for place in range(30) if not known[place]] == [21, 22, 23]
    page.fill("#completions", "3")
    page.click("#complete button[type=submit]")
    page.wait_for_selector("#completed button:nth-child(3)")
    finish(page, "complete")
    own, found = page.evaluate(
        "[[...editor.pixels], [...document.querySelectorAll('#completed button')].map(each => [...each.pixels])]"
    )
    for pixels in found:
        assert [pixels[place] for place in range(30) if known[place]] == [own[p] for p in range(30) if known[p]]
    assert "come after unknown ones" in page.inner_text("#complete-note")


def test_painting_by_keyboard(page):
    page.fill("#brush", "1")
    page.focus("#editor")
    for key in ("ArrowDown", "ArrowRight", "Space", "Shift+ArrowRight"):
        page.keyboard.press(key)
    assert [place for place, known in enumerate(page.evaluate("[...editor.known]")) if not known] == [6, 7]
    assert "row 1, column 2: unknown" in page.inner_text("#spoken")


def test_heat_map_and_what_is_expected_at_a_pixel(page):
    page.click("#bits button")
    page.wait_for_selector("#bits-result", state="visible")
    assert "nats" in page.inner_text("#figures") and "are more likely" in page.inner_text("#histogram-text")
    page.hover("#heat", position={"x": 30, "y": 30})
    until(page, "document.querySelector('#pixel-text').textContent.includes('was given')")
    painted = page.evaluate(
        "document.querySelector('#bars').getContext('2d').getImageData(0, 0, 512, 160).data.some(each => each)"
    )
    assert painted
    page.focus("#heat")
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('#spoken').textContent.includes('was given')")


def test_what_was_found_out_goes_when_the_image_changes(page):
    def shown():
        return page.is_visible("#bits-result"), page.is_visible("#sizes")

    def find_out():
        page.click("#bits button")
        page.wait_for_selector("#bits-result", state="visible")
        page.click("#compress button")
        page.wait_for_selector("#sizes", state="visible")

    find_out()
    page.focus("#editor")
    page.keyboard.press("Space")
    assert shown() == (False, False)
    find_out()
    page.click("[data-unknown=bottom]")
    assert shown() == (False, False)
    find_out()
    assert "unknown pixels count" in page.inner_text("#figures")
    page.select_option("#model", "kinds")
    assert shown() == (False, False)
    page.click("#bits button")
    page.wait_for_selector("#bits-result", state="visible")
    page.select_option("#image-label", label="owl")
    assert shown() == (False, False)


def test_an_answer_that_comes_too_late_is_not_shown(page):
    """The model is changed while the server works."""
    page.route("**/api/bits", lambda route: (page.wait_for_timeout(300), route.continue_()))
    page.click("#bits button")
    page.select_option("#model", "row")
    page.wait_for_timeout(900)
    assert page.is_hidden("#bits-result")


def test_generating_anew_can_be_stopped_too(page):
    page.select_option("#model", "slow")
    page.fill("#count", "64")
    page.click("#draw")
    page.click("#draw")
    page.wait_for_timeout(100)
    if page.evaluate("state.running !== null"):
        assert page.is_visible("#generate .stop")
    finish(page, "generate")
    assert page.locator("#samples button").count() == 64


def test_the_brush_has_the_levels_of_the_model(page):
    page.evaluate("state.model.levels = 2; choose(state.model)")
    page.select_option("#model", "colour")
    page.select_option("#model", "slow")
    assert page.input_value("#level") == "7"


def test_compress(page):
    page.click("#compress button")
    page.wait_for_selector("#sizes", state="visible")
    rows = page.locator("#sizes tbody tr").all_inner_texts()
    assert rows[0].startswith("nextpixel") and any(row.startswith("PNG") for row in rows)
    page.select_option("#model", "codes")
    assert not page.is_visible("#compress-section")


def test_a_bad_upload_is_an_error_one_can_read(page, tmp_path):
    (tmp_path / "no.png").write_bytes(b"no picture")
    page.set_input_files("#file", tmp_path / "no.png")
    page.wait_for_selector("#message", state="visible")
    assert "The picture is not an image file" in page.inner_text("#message")
    Image.fromarray(np.full((6, 5), 255, np.uint8)).save(tmp_path / "yes.png")
    page.set_input_files("#file", tmp_path / "yes.png")
    until(page, "editor.pixels[0] === 7")
    assert page.is_hidden("#message")


def test_cancel(page):
    """Stopping leaves the server free for the next one."""
    page.select_option("#model", "slow")
    page.fill("#candidates", "64")
    page.fill("#completions", "16")
    page.click("[data-unknown=bottom]")
    page.click("#complete button[type=submit]")
    page.click("#complete .stop")
    finish(page, "complete")
    assert page.locator("#completed button").count() == 0 or page.get_attribute("#complete-progress", "value") != "1"
    page.select_option("#model", "plain")
    page.fill("#count", "1")
    page.click("#draw")
    page.wait_for_selector("#samples button")
    finish(page, "generate")
    assert page.is_hidden("#message")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_shows_all_of_it(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 740})
    page.click("#bits button")
    page.wait_for_selector("#bits-result", state="visible")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_every_control_has_a_name(page):
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, input, select, canvas[tabindex], progress')].filter(each =>"
        " !each.labels?.length && !each.ariaLabel && !each.textContent.trim()).map(each => each.outerHTML)"
    )
    assert nameless == []
