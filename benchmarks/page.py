"""The page in a browser, then under load: many clients at once, hostile uploads among them, and very many odd requests.

Only against a server of its own.

    python benchmarks/page.py RUN [--clients 50] [--seconds 30] [--requests 10000]

Prints how soon Chromium paints the page and how much of it moves afterwards, how the answers are spread, how long the
page itself takes meanwhile, and the memory of the server.
"""

from __future__ import annotations

import argparse
import base64
import collections
import io
import json
import random
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TypedDict

from PIL import Image
from playwright.sync_api import sync_playwright

WARM_UP = 15.0
"""Seconds in which what is imported and compiled when it is needed is needed once."""


class Described(TypedDict):
    """What is needed of what the server says of a model."""

    name: str
    shape: tuple[int, int, int]
    labels: list[str] | None


def resident(pid: int) -> float:
    """Megabytes of memory that a process has."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def post(address: str, path: str, body: bytes, kind: str = "application/json") -> tuple[int, bytes]:
    """The status and the body of an answer."""
    request = urllib.request.Request(f"{address}api/{path}", data=body, headers={"content-type": kind})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def paint(address: str, openings: int = 5) -> None:
    """How soon a browser that knows nothing of the page paints it, and how much moves until its example is there."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("no Chromium here, so the first paint is not measured")
        return
    observer = """
        window.shift = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((entry) => shift += entry.value))
            .observe({type: "layout-shift", buffered: true});
    """
    paints, shifts = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(openings):
            page = browser.new_page()
            page.add_init_script(observer)
            page.goto(address)
            page.wait_for_selector("#origin:has-text('example')", timeout=120_000)
            paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            shifts.append(page.evaluate("shift"))
            page.close()
        browser.close()
    print(
        f"first contentful paint, {openings} times: {statistics.median(paints):.0f} ms in the middle, "
        f"{max(paints):.0f} ms at most; cumulative layout shift: {max(shifts):.4f} at most"
    )


def hostile_uploads() -> list[bytes]:
    """Bodies of uploads that are no pictures, are damaged, are as large as they may be, or are larger."""

    def black(side: int) -> bytes:
        file = io.BytesIO()
        Image.new("L", (side, side)).save(file, "PNG")
        return file.getvalue()

    small, chance = black(64), random.Random(0)
    vast = bytearray(small)
    vast[16:24] = (100_000).to_bytes(4, "big") * 2
    return [black(4000), black(6000), small[:40], bytes(vast), chance.randbytes(2**20), b"", bytes(9 * 2**20)]


def load(address: str, model: Described, clients: int, seconds: float, pid: int) -> None:
    """Clients that ask without a pause, some of them hostile, and one that looks at the page and the memory."""
    answers: collections.Counter[str] = collections.Counter()
    waits: list[float] = []
    end = time.monotonic() + seconds
    size = model["shape"][0] * model["shape"][1] * model["shape"][2]
    pixels = base64.b64encode(bytes(size)).decode()
    uploads = hostile_uploads()
    most = 0.0

    def client(number: int) -> None:
        source = random.Random(number)
        while time.monotonic() < end:
            path = source.choice(["example", "sample", "bits", "pixel", "explain", "compress", "upload", "restore"])
            body = {"model": model["name"], "count": 4, "pixels": pixels, "row": 0, "column": 0}
            if model["labels"] is not None:
                body["label"] = model["labels"][0]
            try:
                if path in ("upload", "restore"):
                    where = f"{path}?fit=1&model={urllib.parse.quote(model['name'])}"
                    status, text = post(address, where, source.choice(uploads), "application/octet-stream")
                else:
                    status, text = post(address, path, json.dumps(body).encode())
                failed = b'"kind": "error"' in text and status == 200
                if status == 503:
                    # As the answer asks for, and a person would.
                    time.sleep(1)
                answers[f"{status}{' with an error' if failed else ''}"] += 1
            except OSError as error:
                answers[type(error).__name__] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        start = time.monotonic()
        with urllib.request.urlopen(address, timeout=60) as answer:
            answer.read()
        waits.append(time.monotonic() - start)
        most = max(most, resident(pid))
        time.sleep(0.2)
    for thread in threads:
        thread.join()
    print(
        f"{clients} clients, {seconds:g} s: {dict(answers)}; the page took {max(waits):.3f} s at most, "
        f"{statistics.median(waits):.3f} s in the middle; the most memory was {most:.0f} MB"
    )


def odd(address: str, model: Described, count: int) -> None:
    """Requests that are mended, broken and made up."""
    answers: collections.Counter[int] = collections.Counter()
    source = random.Random(0)
    size = model["shape"][0] * model["shape"][1] * model["shape"][2]
    good = {
        "model": model["name"],
        "count": 1,
        "pixels": base64.b64encode(bytes(size)).decode(),
        "known": base64.b64encode(bytes(model["shape"][1] * model["shape"][2])).decode(),
        "row": 0,
        "column": 0,
        "seed": 1,
        "temperature": 1,
    }
    strange: list[object] = [
        None,
        True,
        -1,
        0,
        10**30,
        1e308,
        float("nan"),
        "",
        "x",
        "*",
        [],
        {},
        [[]],
        "\ud800",
        "A" * 5000,
    ]
    for _ in range(count):
        body = dict(good)
        for name in source.sample(sorted(good), source.randrange(4)):
            body[name] = source.choice(strange)
        data = bytearray(json.dumps(body).encode())
        if source.random() < 0.4:
            for _ in range(source.randrange(1, 6)):
                data[source.randrange(len(data))] = source.randrange(256)
        path = source.choice(
            ["bits", "pixel", "complete", "sample", "compress", "picture", "upload", "restore", "nothing"]
        )
        kind = "application/octet-stream" if path in ("upload", "restore") else "application/json"
        status, text = post(address, path, bytes(data), kind)
        answers[500 if b'"status": 500' in text else status] += 1
    print(f"{count} odd requests: {dict(sorted(answers.items()))}")


def main() -> None:
    """Start a server, and try it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--requests", type=int, default=10_000)
    options = parser.parse_args()
    words = [sys.executable, "-m", "nextpixel", "serve", options.run, "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            address = next(word for word in line.split() if word.startswith("http"))
            with urllib.request.urlopen(f"{address}api/models", timeout=60) as answer:
                model: Described = json.load(answer)["models"][0]
            paint(address)
            print(f"memory: {resident(server.pid):.0f} MB")
            load(address, model, 1, WARM_UP, server.pid)
            idle = resident(server.pid)
            print(f"memory once everything was asked for: {idle:.0f} MB")
            for _ in range(2):
                load(address, model, options.clients, options.seconds / 2, server.pid)
                print(f"memory: {resident(server.pid):.0f} MB, {resident(server.pid) / idle:.2f} times that")
            odd(address, model, options.requests)
            print(f"memory: {resident(server.pid):.0f} MB")
        finally:
            server.kill()


if __name__ == "__main__":
    main()
