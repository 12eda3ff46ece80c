"""The page in a real browser: Debian's Chromium, driven by Playwright."""

import base64
import io
import shutil
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

import nextpixel as nx
from helpers.image_makers import encode
from nextpixel.dependence import dependence_of
from nextpixel.runtime import compilation
from nextpixel.runtime.compilation import LateCompiled
from nextpixel.verify import Site
from nextpixel.web.app import make_app
from nextpixel.web.teaching import FAMILIES

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; on Debian: apt-get install chromium")
SHIFTS = """
    window.shifts = [];
    const place = ({node, previousRect, currentRect}) => [node?.id || node?.nodeName, previousRect, currentRect];
    const told = ({value, sources}) => [value, JSON.stringify(sources.map(place))];
    const note = (list) => shifts.push(...list.getEntries().map(told));
    new PerformanceObserver(note).observe({type: 'layout-shift', buffered: true});
"""
"""Notes every layout shift, also those that follow the user's input."""
PATIENCE = 120
"""Seconds: where nothing is compiled yet, the first answer takes as long as the compiler does."""


@pytest.fixture(scope="module")
def address(served):
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
def tab():
    """One page for all tests, which costs a second to open."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--headless", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.add_init_script(SHIFTS)
        yield page
        browser.close()


@pytest.fixture
def page(tab, address):
    faults = []

    def note(error):
        faults.append(str(error))

    tab.on("pageerror", note)
    tab.set_viewport_size({"width": 1280, "height": 720})
    tab.emulate_media(color_scheme="light")
    tab.goto(address)
    until(tab, "state.model !== null && !state.working.example")
    yield tab
    tab.unroute_all()
    tab.remove_listener("pageerror", note)
    assert not faults


def of(page, expression):
    """Something of the page's state."""
    return page.evaluate(f"import('./state.js').then(({{state, set}}) => {expression})")


def until(page, expression):
    """Wait for a state. Playwright's own way needs eval, which the page forbids."""
    last = time.monotonic() + PATIENCE
    while not of(page, expression):
        assert time.monotonic() < last, f"never: {expression}"
        page.wait_for_timeout(20)


def finish(page, form):
    page.wait_for_selector(f"#{form}-progress", state="hidden")


def use(page, name):
    page.select_option("#model", name)
    until(page, "!state.working.example")


def draw(page, count):
    page.fill("#count", str(count))
    page.click("#draw")
    page.wait_for_selector(f"#samples button:nth-child({count})")
    finish(page, "generate")


def show_bits(page):
    page.click("#bits button")
    until(page, "state.bits?.of === state.image")


def download(page, button):
    with page.expect_download() as begun:
        page.click(button)
    return begun.value.suggested_filename, begun.value.path().read_bytes()


def drop(page, name, data, count=1):
    transfer = page.evaluate_handle(
        """([name, text, count]) => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
            for (let number = 0; number < count; number++) transfer.items.add(new File([bytes], name));
            return transfer;
        }""",
        [name, base64.b64encode(data).decode(), count],
    )
    for event in ("dragover", "drop"):
        page.dispatch_event("#samples", event, {"dataTransfer": transfer})


def test_generate(page):
    draw(page, 5)
    assert of(page, "state.samples.images.map(image => image.length)") == [30] * 5
    use(page, "kinds")
    assert page.locator("#samples button").count() == 0
    page.select_option("#label", label="dog")
    draw(page, 5)


def test_it_begins_with_an_image_of_the_model(page, models):
    def pixels():
        return torch.tensor(of(page, "[...state.image.pixels]"), dtype=torch.uint8)

    drawn = models["plain"].sample(1, generator=torch.Generator().manual_seed(0))
    assert torch.equal(pixels(), drawn.flatten())
    assert "drawn by the model" in page.inner_text("#origin")
    page.click("#blank")
    assert pixels().max() == 0 and page.inner_text("#origin") == ""
    page.click("#example")
    until(page, "!state.working.example")
    assert torch.equal(pixels(), drawn.flatten())
    use(page, "codes")
    assert len(pixels()) == 16 and pixels().max() > 0


def test_an_image_brings_its_class_along(page):
    use(page, "kinds")
    draw(page, 5)
    for image, kind in ((2, "1"), (5, "1"), (3, "2")):
        page.click(f"#samples button:nth-child({image})")
        assert page.input_value("#image-label") == kind
    page.select_option("#label", label="cat")
    draw(page, 5)
    page.click("#samples button:nth-child(4)")
    assert page.input_value("#image-label") == "0"
    page.click("#compress [type=submit]")
    page.wait_for_selector("#save-npx:enabled")


def test_reconstructions_are_told_from_images(page):
    use(page, "codes")
    assert "no density" in page.inner_text("#about")
    show_bits(page)
    assert "given its code" in page.inner_text("#figures")
    assert not page.is_visible("#compress-section") and not page.is_visible("#generate")
    use(page, "plain")
    assert "no density" not in page.inner_text("#about") and "given its code" not in page.inner_text("#figures")


def test_complete_with_a_painted_mask(page):
    """The brush covers just the pixels it should, and what is known stays."""
    draw(page, 2)
    page.click("#samples button:nth-child(2)")
    page.fill("#brush", "1")
    box = page.locator("#editor").bounding_box()
    pixel = box["width"] / 5
    page.mouse.move(box["x"] + 1.5 * pixel, box["y"] + 4.5 * pixel)
    page.mouse.down()
    page.mouse.move(box["x"] + 3.5 * pixel, box["y"] + 4.5 * pixel)
    page.mouse.up()
    known = of(page, "[...state.image.known]")
    assert [place for place in range(30) if not known[place]] == [21, 22, 23]
    page.fill("#completions", "3")
    page.click("#complete button[type=submit]")
    page.wait_for_selector("#completed button:nth-child(3)")
    finish(page, "complete")
    image, completed = of(page, "[[...state.image.pixels], [...state.completed.images].map(pixels => [...pixels])]")
    for pixels in completed:
        assert [pixels[place] for place in range(30) if known[place]] == [image[p] for p in range(30) if known[p]]
    assert "come after unknown ones" in page.inner_text("#complete-note")
    # One after the other can be gone on with, until the image is another one.
    for number in (2, 3):
        page.click(f"#completed button:nth-child({number})")
        assert of(page, "[...state.image.pixels]") == completed[number - 1]
    page.click("[data-unknown=right]")
    assert page.locator("#completed button").count() == 0 and page.inner_text("#complete-note") == ""


def test_painting_by_keyboard(page):
    page.fill("#brush", "1")
    page.focus("#editor")
    for key in ("ArrowDown", "ArrowRight", "Space", "Shift+ArrowRight"):
        page.keyboard.press(key)
    assert [place for place, known in enumerate(of(page, "[...state.image.known]")) if not known] == [6, 7]
    assert "row 1, column 2: unknown" in page.inner_text("#spoken")


def test_heat_map_and_what_is_expected_at_a_pixel(page):
    show_bits(page)
    assert float(page.inner_text("#nats")) > 0 and "are more likely" in page.inner_text("#histogram-text")
    page.hover("#heat", position={"x": 30, "y": 30})
    until(page, "state.pixel?.text.includes('was given')")
    bars = "[...document.querySelector('#bars').getContext('2d').getImageData(0, 0, 512, 160).data].some(Boolean)"
    assert page.evaluate(bars)
    page.focus("#heat")
    page.keyboard.press("ArrowRight")
    until(page, "state.spoken.includes('was given')")
    page.click("[data-unknown=bottom]")
    assert not page.evaluate(bars)


def test_what_was_found_out_goes_when_the_image_changes(page):
    def shown():
        return page.inner_text("#nats") != "–", page.inner_text("#sizes td >> nth=0") != "–"

    def find_out():
        show_bits(page)
        page.click("#compress [type=submit]")
        until(page, "state.sizes?.of === state.image")
        assert shown() == (True, True)

    find_out()
    page.focus("#editor")
    page.keyboard.press("Space")
    assert shown() == (False, False)
    find_out()
    assert "unknown pixels count" in page.inner_text("#bits-note")
    use(page, "kinds")
    assert shown() == (False, False) and page.is_disabled("#save-npx")
    show_bits(page)
    page.select_option("#image-label", label="owl")
    assert shown() == (False, False)


def test_an_answer_that_comes_too_late_is_not_shown(page):
    """The model is changed while the server works."""
    page.route("**/api/bits", lambda route: (page.wait_for_timeout(200), route.continue_()))
    page.click("#bits button")
    use(page, "row")
    page.wait_for_timeout(400)
    assert page.inner_text("#nats") == "–" and of(page, "state.bits") is None


def test_generating_anew_can_be_stopped_too(page):
    use(page, "slow")
    page.fill("#count", "64")
    page.click("#draw")
    page.click("#draw")
    page.wait_for_timeout(50)
    assert of(page, "'generate' in state.working !== document.querySelector('[data-stops=generate]').disabled")
    finish(page, "generate")
    assert page.locator("#samples button").count() == 64


def test_what_is_not_drawn_to_the_end_cannot_be_taken(page):
    """What is still blank would count as known."""
    draw(page, 2)
    assert page.is_enabled("#samples button:nth-child(1)") and page.is_enabled("#save-samples")
    of(page, "set({samples: {...state.samples, whole: false}})")
    assert page.is_disabled("#samples button:nth-child(1)") and page.is_disabled("#save-samples")


def test_the_brush_has_the_levels_of_the_model(page):
    use(page, "colour")
    assert page.is_visible("#colour") and not page.is_visible("#level")
    use(page, "slow")
    assert page.input_value("#level") == "7"


def test_compress_save_and_restore(page, models):
    use(page, "colour")
    page.click("#compress [type=submit]")
    page.wait_for_selector("#save-npx:enabled")
    rows = page.locator("#sizes tbody tr").all_inner_texts()
    assert rows[0].startswith("nextpixel") and any(row.startswith("PNG") for row in rows)
    name, data = download(page, "#save-npx")
    image = torch.tensor(of(page, "[...state.image.pixels]"), dtype=torch.uint8).view(3, 4, 4)
    assert name == "colour.npx" and torch.equal(nx.decompress(models["colour"], data), image)
    # Whatever model is chosen, the file finds its own.
    use(page, "plain")
    drop(page, "album.npx", data)
    page.wait_for_selector("#restored img")
    name, data = download(page, "#restored .keep")
    assert name == "0.png" and np.array_equal(np.asarray(Image.open(io.BytesIO(data))), spread(image))
    use(page, "colour")
    page.click("#restored [data-use]")
    until(page, "state.image.origin.includes('quantised')")
    assert torch.equal(torch.tensor(of(page, "[...state.image.pixels]"), dtype=torch.uint8), image.flatten())


def spread(image):
    return np.round(image.numpy().transpose(1, 2, 0) * 255.0 / 7).astype(np.uint8)


def test_samples_completions_and_the_image_are_saved(page):
    draw(page, 4)
    name, data = download(page, "#save-samples")
    assert name == "plain-samples.png" and Image.open(io.BytesIO(data)).width > 2 * 5
    page.click("[data-unknown=bottom]")
    page.click("#complete button[type=submit]")
    finish(page, "complete")
    assert download(page, "#save-completed")[0] == "plain-completions.png"
    name, data = download(page, "#save-image")
    pixels = np.array(of(page, "[...state.image.pixels]")).reshape(6, 5)
    assert name == "plain-image.png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.round(pixels * 255.0 / 7).astype(np.uint8))


def test_a_bad_file_is_an_error_one_can_read(page):
    drop(page, "no.png", b"no picture")
    page.wait_for_selector("#message", state="visible")
    assert "The picture is not an image file" in page.inner_text("#message")
    drop(page, "no.npx", b"no file")
    until(page, "state.message.includes('not an .npx file')")
    page.click("#dismiss")
    assert page.is_hidden("#message")
    drop(page, "yes.png", encode(np.full((6, 5), 255, np.uint8)))
    until(page, "state.image.pixels[0] === 7")
    assert page.is_hidden("#message") and not page.is_visible("#drop")


def test_a_larger_picture_is_scored_by_a_local_model(page, models):
    use(page, "local")
    assert "any size" in page.inner_text("#about")
    picture = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    page.set_input_files("#file", {"name": "photo.png", "mimeType": "image/png", "buffer": encode(picture)})
    until(page, "state.image.shape[2] === 50")
    show_bits(page)
    table = nx.score(models["local"], torch.from_numpy(picture.transpose(2, 0, 1).copy())[None])[0]
    assert page.inner_text("#nats") == f"{table['nats']:.2f}"
    assert page.evaluate("[heat.width, heat.height]") == [50, 30]
    box = page.locator("#heat").bounding_box()
    page.hover("#heat", position={"x": box["width"] - 2, "y": box["height"] - 2})
    until(page, "state.pixel?.text.startsWith('Row 29, column 49') && state.pixel.distributions !== null")
    page.click("#compress [type=submit]")
    page.wait_for_selector("#save-npx:enabled")
    assert page.evaluate("[drawn.width, drawn.height]") == [50, 30]


def test_what_is_said_of_a_pixel_is_of_the_image_that_is_there(page):
    use(page, "plain")
    page.focus("#editor")
    page.keyboard.press("ArrowRight")
    level = of(page, "state.image.pixels[1]")
    assert page.text_content("#where") == f"row 0, column 1: level {level}"
    page.click("[data-unknown=right]")
    page.keyboard.press("Tab")
    page.click("#blank")
    assert page.text_content("#where") == "row 0, column 1: level 0"
    page.focus("#editor")
    page.keyboard.press("Space")
    assert page.text_content("#where") == "row 0, column 1: unknown"
    use(page, "colour")
    assert page.text_content("#where").startswith("Paint with the pointer")


def test_it_says_what_all_work_waits_for(page, monkeypatch, album):
    monkeypatch.setattr(compilation, "SLOW", 0.0)
    held = []
    page.route("**/api/restore", lambda route: held.append(route))
    goes_on = threading.Event()
    late = LateCompiled(goes_on.wait, "the engine", seconds=15)
    thread = threading.Thread(target=late, args=(PATIENCE,))
    thread.start()
    try:
        page.set_input_files("#npx", {"name": "a.npx", "mimeType": "application/octet-stream", "buffer": album[1]})
        until(page, "state.compiling !== null")
        told = "The server is compiling the engine, once for each installation: some 15 seconds."
        assert page.text_content("#waiting") == told and page.is_visible("#waiting")
    finally:
        goes_on.set()
        thread.join()
    until(page, "state.compiling === null")
    assert page.is_hidden("#waiting")
    for route in held:
        route.continue_()
    until(page, "state.restored.length === 2")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "File.prototype.slice = () => ({arrayBuffer: () => Promise.reject(new DOMException('', 'NotFoundError'))})",
            "x cannot be read",
        ),
        ("import('./state.js').then(({set}) => set({largest: 2}))", "X has more than 0 MB; choose a smaller file"),
    ],
)
def test_a_file_that_cannot_be_sent_is_told(page, change, said):
    sent = []
    page.on("request", lambda request: sent.append(request.url) if "upload" in request.url else None)
    page.evaluate(change)
    drop(page, "x", b"some bytes")
    until(page, "state.message")
    assert said.lower() in page.text_content("#message-text").lower() and not sent


def test_of_several_files_that_are_dropped_it_is_told_which_is_taken(page):
    drop(page, "x.png", encode(np.zeros((6, 5), np.uint8)), count=3)
    until(page, "state.message")
    assert page.text_content("#message-text") == "Only the first of 3 files was opened."
    assert of(page, "state.image.pixels.every((level) => level === 0)")


def test_work_that_failed_is_not_waited_for(page):
    refused = {"status": 503, "content_type": "application/json", "body": '{"error": "the server is busy"}'}
    for path in ("explain", "families"):
        page.route(f"**/api/{path}", lambda route: route.fulfill(**refused))
    use(page, "colour")
    page.locator("#teach").scroll_into_view_if_needed()
    until(page, "state.message && !state.working.explain && !state.working.families")
    page.wait_for_timeout(50)
    assert page.text_content("#seen-text") == "Choose a pixel to see what it depends on."
    assert "Taking" not in page.text_content("#families")


def test_the_colour_that_is_looked_at_goes_with_the_model(page):
    page.set_viewport_size({"width": 1280, "height": 4000})
    use(page, "colour")
    until(page, "state.seen?.of === state.model && state.seen.sentences.length")
    page.select_option("#channel", "0")
    until(page, "state.channel === 0 && state.seen.sentences.length")
    use(page, "plain")
    until(page, "state.seen?.of === state.model && state.seen.sentences.length")
    assert not page.is_visible("#message")
    use(page, "colour")
    until(page, "state.seen?.of === state.model && state.seen.sentences.length")
    assert page.input_value("#channel") == "2"
    assert "(channel 2," in page.text_content("#seen-text")


def test_cancel(page):
    """Stopping leaves the server free for the next one."""
    use(page, "slow")
    page.fill("#candidates", "64")
    page.fill("#completions", "16")
    page.click("[data-unknown=bottom]")
    page.click("#complete button[type=submit]")
    page.click("[data-stops=complete]")
    finish(page, "complete")
    assert "are drawn" not in of(page, "state.spoken")
    use(page, "plain")
    draw(page, 1)
    assert page.is_hidden("#message")


def test_words_are_explained_where_they_stand(page):
    page.focus("[popovertarget=word-nats]")
    page.keyboard.press("Enter")
    assert page.is_visible("#word-nats") and "logarithm" in page.inner_text("#word-nats")
    page.keyboard.press("Escape")
    assert page.is_hidden("#word-nats")
    words = page.evaluate(
        "[...document.querySelectorAll('[popovertarget]')].map(word => word.popoverTargetElement?.id)"
    )
    assert {"word-nats", "word-bits", "word-complexity", "word-typicality", "word-field"} <= set(words)


@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_moves_when_results_come(page, width):
    """No layout shift at all, not even those that follow what the user does."""
    page.set_viewport_size({"width": width, "height": 720})
    page.reload()
    until(page, "state.model !== null && !state.working.example")

    def places():
        return page.evaluate(
            "[...document.querySelectorAll('section, .box, .chart, figcaption, table')].map("
            "(part) => [part, part.getBoundingClientRect()]).map(([part, {x, y, height}]) =>"
            " [part.closest('section').ariaLabelledByElements[0].id, part.id, x, Math.round(y + scrollY), height])"
        )

    before = places()
    draw(page, 20)
    show_bits(page)
    page.hover("#heat", position={"x": 30, "y": 30})
    until(page, "state.pixel?.distributions")
    page.click("#compress [type=submit]")
    page.click("[data-unknown=bottom]")
    page.click("#complete button[type=submit]")
    finish(page, "complete")
    drop(page, "bad.png", b"")
    page.wait_for_selector("#message", state="visible")
    tiles = "#samples canvas, #completed canvas"
    assert page.locator(tiles).count() == 24
    page.click("#blind")
    until(page, "state.families.at(-1).sees && state.seen?.sentences.length")
    after = places()
    assert [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]] == []
    assert page.evaluate("shifts") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_shows_all_of_it(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 740})
    show_bits(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page, scheme):
    """Rules of WCAG and good practice, with everything shown that there is."""
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)
    draw(page, 2)
    show_bits(page)
    page.click("#blind")
    until(page, "state.families.at(-1).sees && state.seen?.sentences.length")
    drop(page, "bad.png", b"")
    page.wait_for_selector("#message", state="visible")
    violations = Axe().run(page).response["violations"]
    assert [(rule["id"], rule["impact"], rule["nodes"][0]["html"]) for rule in violations] == []


def test_a_pixel_and_what_it_sees(page, models):
    page.click("#to-teach")
    assert page.evaluate("document.activeElement.id") == "teach-title"
    until(page, "state.seen?.sentences.length")
    assert of(page, "[state.seen.row, state.seen.column]") == [3, 2]
    page.focus("#seen")
    page.keyboard.press("ArrowDown")
    until(page, "state.seen.row === 1 && state.seen.sentences.length")
    expected = dependence_of(models["plain"], Site(0, 1, 0))
    assert of(page, "[...state.seen.kinds]") == expected.kinds.flatten().tolist()
    assert page.inner_text("#seen-text") == f"{'; '.join(expected.sentences)}."
    use(page, "colour")
    assert "is drawn as number" not in page.inner_text("#seen-text")
    until(page, "state.seen?.sentences.length")
    page.select_option("#channel", label="red")
    until(page, "state.seen.sentences[0]?.includes('channel 0')")


def test_families_side_by_side_and_the_order_of_drawing(page):
    page.locator("#teach").scroll_into_view_if_needed()
    until(page, "state.families.at(-1).sees && state.order")
    assert page.locator("#families h4").all_inner_texts() == [family.name for family in FAMILIES]
    figures = page.locator("#families figure")
    figures.nth(1).locator("canvas").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    for number in range(2):
        assert "of the 12 pixels before it" in figures.nth(number).inner_text()
    assert "Sees 12 of the 12" in figures.nth(1).inner_text()
    page.fill("#step", "0.5")
    assert "15 of 30 pixels; the last at row 2, column 4" in page.inner_text("#drawn-text")
    assert of(page, "state.chosen.rank") == 0.5
    page.click("#play")
    until(page, "state.drawn > 0.51")
    page.click("#play")
    assert not of(page, "state.playing") and page.get_attribute("#play", "aria-pressed") == "false"
