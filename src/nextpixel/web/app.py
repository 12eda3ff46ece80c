"""The application: which request goes where, and what may come in.

Models are only reached through the queue of `nextpixel.web.jobs`; the page itself and its files never wait for it.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextpixel.errors import InputError, NextpixelError
from nextpixel.rendering.explained import COLOURS
from nextpixel.rendering.heat import colour_table
from nextpixel.runtime.compilation import what_is_compiled
from nextpixel.runtime.strict_json import as_json
from nextpixel.web import teaching
from nextpixel.web.fields import Fields
from nextpixel.web.jobs import BusyError, Job, Jobs
from nextpixel.web.restoring import restore
from nextpixel.web.served import Served, formats

STATIC = Path(__file__).parent / "static"
FILES = {"/": "index.html"} | {f"/{path.name}": path.name for path in sorted(STATIC.iterdir())}
MOST_BODY, SECONDS_FOR_BODY = 8 * 2**20, 30
MOST_JOBS = 12
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
Work = Callable[[Job], None]


def make_app(
    models: Sequence[Served], *, token: str | None = None, hosts: Sequence[str] | None = None, prepare: bool = False
) -> Starlette:
    """The application.

    Args:
        models: what is served.
        token: without it no request for a model is answered; None for everybody.
        hosts: the names by which the server may be called, against pages that call it by a name of their own; None for
            any.
        prepare: whether the first example is drawn at once, for which the engine is compiled after an installation.
    """
    by_name = {served.name: served for served in models}
    jobs = Jobs(MOST_JOBS)
    if prepare:
        jobs.prepare(models[0].prepare)

    def chosen(fields: Fields) -> Served:
        name = fields.text("model")
        if name is None or name not in by_name:
            raise InputError(f"there is no model of this name; there are {', '.join(by_name)}")
        return by_name[name]

    def answered(method: Callable[[Served, Fields, Job], None]) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            fields = Fields(await _body(request, "application/json"))
            served = chosen(fields)
            return await _one(request, jobs, lambda job: method(served, fields, job))

        return endpoint

    def streamed(method: Callable[[Served, Fields, Job], None]) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            fields = Fields(await _body(request, "application/json"))
            served = chosen(fields)
            return _stream(jobs, lambda job: method(served, fields, job))

        return endpoint

    async def upload(request: Request) -> Response:
        data = await _body(request, "application/octet-stream")
        served = by_name.get(request.query_params.get("model", ""))
        if served is None:
            raise InputError(f"there is no model of this name; there are {', '.join(by_name)}")
        fit = request.query_params.get("fit") == "1"
        return await _one(request, jobs, lambda job: served.upload(data, fit, job))

    async def restored(request: Request) -> Response:
        data = await _body(request, "application/octet-stream")
        return _stream(jobs, lambda job: restore(models, data, job))

    async def compared(request: Request) -> Response:
        fields = Fields(await _body(request, "application/json"))
        return await _one(request, jobs, lambda job: teaching.compare(fields, job))

    async def described(_: Request) -> Response:
        return JSONResponse(
            {
                "models": [served.description for served in models],
                "colours": colour_table().tolist(),
                "formats": ["nextpixel", *formats()],
                "families": teaching.described(),
                "kinds": [{"colour": colour, "name": name} for colour, name in COLOURS.values()],
                "largest": MOST_BODY,
            }
        )

    async def compiling(_: Request) -> Response:
        return JSONResponse({"told": what_is_compiled()})

    def file(name: str) -> Callable[[Request], object]:
        async def endpoint(_: Request) -> Response:
            return FileResponse(STATIC / name)

        return endpoint

    posts = {
        "sample": streamed(Served.sample),
        "complete": streamed(Served.complete),
        "bits": answered(Served.bits),
        "pixel": answered(Served.pixel),
        "compress": answered(Served.compress),
        "picture": answered(Served.picture),
        "example": answered(Served.example),
        "order": answered(Served.order),
        "explain": streamed(Served.explain),
        "families": compared,
        "upload": upload,
        "restore": restored,
    }
    return Starlette(
        routes=[
            *(Route(path, file(name), methods=["GET"]) for path, name in FILES.items()),
            Route("/api/models", described, methods=["GET"]),
            Route("/api/compiling", compiling, methods=["GET"]),
            *(Route(f"/api/{name}", endpoint, methods=["POST"]) for name, endpoint in posts.items()),
        ],
        middleware=[
            Middleware(Guard, token=token),
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
        ],
        exception_handlers={NextpixelError: _sentence, HTTPException: _refused, ClientDisconnect: _gone},
    )


class Guard:
    """Who may ask, and what browsers may do with the answers.

    Args:
        app: the application behind.
        token: see `make_app`.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        answer: ASGIApp = self.app
        if self.token is not None and scope["path"].startswith("/api/"):
            credentials = headers.get(b"authorization", b"")
            if not hmac.compare_digest(credentials, f"Bearer {self.token}".encode()):
                answer = JSONResponse(
                    {"error": "open the page by the address with the token that the server printed"}, 401
                )

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *added]}
            await send(message)

        await answer(scope, receive, send_guarded)


async def _one(request: Request, jobs: Jobs, work: Work) -> Response:
    """The answer of work that gives one; it is given up when whoever asked goes away."""
    job = jobs.start(work)
    leaving = asyncio.create_task(_given_up(request, job))
    answer: Response = JSONResponse({"error": "the server has ended"}, 503)
    try:
        async for event in job.events():
            status = event.pop("status", 200)
            assert isinstance(status, int)
            answer = JSONResponse(event, status)
    finally:
        leaving.cancel()
    return answer


async def _given_up(request: Request, job: Job) -> None:
    # The body has been read, so that nothing else comes.
    while (await request.receive())["type"] != "http.disconnect":
        pass
    job.give_up()


def _stream(jobs: Jobs, work: Work) -> Response:
    """What work tells, a line for each event, as it comes."""
    job = jobs.start(work)

    async def lines() -> AsyncIterator[str]:
        async for event in job.events():
            yield as_json(event) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


async def _body(request: Request, kind: str) -> bytes:
    """The body of a request, of a kind that no other site's page can send unasked, and not too large."""
    if request.headers.get("content-type", "").split(";")[0].strip() != kind:
        raise HTTPException(415, f"send {kind}")
    parts, size = [], 0
    try:
        async with asyncio.timeout(SECONDS_FOR_BODY):
            async for part in request.stream():
                size += len(part)
                if size > MOST_BODY:
                    raise HTTPException(413, f"this is more than {MOST_BODY // 2**20} MB; choose a smaller file")
                parts.append(part)
    except TimeoutError:
        raise HTTPException(408, "the request took too long to arrive") from None
    return b"".join(parts)


def _sentence(_: Request, error: Exception) -> Response:
    if isinstance(error, BusyError):
        return JSONResponse({"error": str(error)}, 503, {"retry-after": "2"})
    return JSONResponse({"error": str(error)}, 422)


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)
