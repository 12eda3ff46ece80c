"""`nextpixel serve`."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from nextpixel.cli.options import load_model
from nextpixel.cli.output import say
from nextpixel.errors import InputError

SHOWN = tuple(f"nextpixel/{name}" for name in ("digits-gated", "mnist-gated", "mnist-256-gated-classes", "photographs"))
"""What is served if nothing is named: a small model first, two levels, classes, and pictures of any size."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LEAST_TOKEN = 8


def serve(*runs: Path, host: str = "127.0.0.1", port: int = 8000, token: str | None = None) -> None:
    """Show models on a web page: generate, complete, see the bits, compress.

    The page asks nothing of the internet. It is only reached from this machine unless --host says otherwise, and then
    only by who has the --token. Needs: pip install 'nextpixel[web]'.

    Args:
        runs: Run or model folders; without any, some of the models that come with nextpixel.
        host: Address to listen on.
        port: Port to listen on; 0 takes any that is free.
        token: A secret of at least 8 characters, without which nothing is answered.
    """
    if not 0 <= port <= 65535:
        raise InputError(f"--port must be from 0 to 65535, not {port}")
    if token is not None and (len(token) < LEAST_TOKEN or not token.isascii() or not token.isalnum()):
        raise InputError(f"--token must have at least {LEAST_TOKEN} letters and digits, and nothing else")
    if host not in LOOPBACK and token is None:
        raise InputError(f"--host {host} lets other machines in: add a --token, which they then need")
    try:
        import uvicorn

        from nextpixel.web.app import make_app
        from nextpixel.web.served import Served
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed; the page needs pip install 'nextpixel[web]'") from error
    runs = runs or tuple(map(Path, SHOWN))
    models = [Served(name, load_model(run)) for name, run in zip(_names(runs), runs, strict=True)]
    listening = _listen(host, port)
    hosts = ["127.0.0.1", "localhost", "[::1]"] if host in LOOPBACK else None
    app = make_app(models, token=token, hosts=hosts, prepare=True)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}/" + (f"#token={token}" if token else "")
    say(f"{', '.join(served.name for served in models)}: {address} (Ctrl-C ends)")
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=3,
        limit_concurrency=512,
    )
    uvicorn.Server(config).run(sockets=[listening])
    # It ends only when it is interrupted, and does not always say so by an exception.
    raise KeyboardInterrupt


def _names(runs: Sequence[Path]) -> list[str]:
    """What the page calls the runs: the names of their folders, with numbers where two are alike."""
    names: list[str] = []
    for run in runs:
        name, number = run.resolve().name or "model", 1
        while (again := name if number == 1 else f"{name} ({number})") in names:
            number += 1
        names.append(again)
    return names


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        # From here on who comes early waits, and is not turned away.
        listening.listen(256)
    except OSError as error:
        raise InputError(f"cannot listen at {host} port {port} ({error.strerror}); choose another --port") from error
    return listening
