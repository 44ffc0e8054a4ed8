"""Routes of the server. `build` returns the application; everything behind a route is elsewhere."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import FastAPI
from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from harness.serving.described import (
    ASKED,
    PROBED,
    SHOWN,
    ask_for_token,
    body_of_batch,
    body_of_chat,
    body_of_clip,
    refusals,
    text_of,
)
from harness.serving.guard import OPEN, Access, Guard
from harness.serving.intake import completions
from harness.serving.intake.clips_in import JSON, NDJSON, clip_of_value, media_type, read_clip
from harness.serving.pages import add_pages
from harness.serving.refusal import Refusal
from harness.serving.schemas import Alive, BatchError, Health, Info, ModelList, PredictionResponse, Readiness
from harness.serving.service import Service, Timed
from harness.version import __version__

T = TypeVar("T")
METRICS_TYPE = "text/plain; version=1.0.0; charset=utf-8"


def build(service: Service, access: Access, log: Callable[[str], object]) -> ASGIApp:
    """Return the application, guarded. `log` takes a line a request."""
    app = FastAPI(
        title="warehouse-harness",
        version=__version__,
        description="Answers about packing clips of five seconds.",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(service),
    )
    _add_handlers(app)
    _add_predictions(app, service)
    _add_completions(app, service)
    _add_probes(app, service)
    add_pages(app)
    if access.token_sha256 is not None:
        ask_for_token(app, OPEN)
    return Guard(app, service, access, log)


def _lifespan(service: Service) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> Any:
        service.start()
        yield
        service.close()

    return lifespan


def _add_handlers(app: FastAPI) -> None:
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return answer_of(error.body(request.state.id), error.status, error.headers())

    async def not_routed(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        words = {404: "there is no such route", 405: "the route has no such method"}
        refusal = Refusal(error.status_code, words.get(error.status_code, "the request cannot be read"))
        return answer_of(refusal.body(request.state.id), refusal.status, dict(error.headers or {}))

    async def failed(request: Request, error: Exception) -> Response:
        return answer_of(Refusal(500, "the server failed").body(request.state.id), 500)

    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(HTTPException, not_routed)
    app.add_exception_handler(Exception, failed)


def answer_of(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return JSONResponse(value, status, headers)


async def until_gone(request: Request, service: Service, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns. It is dropped, and Refusal raised, at the deadline and when the client leaves."""
    left = request.state.begun + service.limits.deadline_s - time.monotonic()
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        done, _ = await asyncio.wait((task, gone), timeout=max(0.0, left), return_when=asyncio.FIRST_COMPLETED)
        if task in done:
            return task.result()
        if gone in done:
            service.metrics.gone.inc()
            request.state.facts["status"] = 499
            raise Refusal(499, "the client has gone")
        raise Refusal(504, f"no answer within {service.limits.deadline_s:g} s")
    finally:
        task.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _note(request: Request, timed: Timed) -> dict[str, str]:
    """Return the header with the times of an answer, and add them to the log line."""
    answered = timed.answered
    request.state.facts |= {
        "decode_ms": round(timed.decode_s * 1000, 1),
        "wait_ms": round(answered.wait_s * 1000, 1),
        "model_ms": round(answered.model_s * 1000, 1),
        "batch": answered.batch,
        "source": answered.line["source"],
    }
    times = {"decode": timed.decode_s, "wait": answered.wait_s, "model": answered.model_s}
    return {"Server-Timing": ", ".join(f"{name};dur={seconds * 1000:.1f}" for name, seconds in times.items())}


def _add_predictions(app: FastAPI, service: Service) -> None:
    def whole(request: Request, timed: Timed) -> dict[str, Any]:
        return timed.answered.line | {"request_id": request.state.id, "card_sha256": service.ready().card_sha256}

    @app.post(
        "/predict",
        responses={200: {"model": PredictionResponse}, **ASKED},
        openapi_extra=body_of_clip(),
    )
    async def predict(request: Request) -> Response:
        """Answer about one clip: an mp4, or 2 to 32 pictures with their times."""
        clip = await read_clip(request, request.state.id, service.limits)
        timed = await until_gone(request, service, service.answer(clip))
        return answer_of(whole(request, timed), headers=_note(request, timed))

    async def one(request: Request, place: int, value: Any, most: asyncio.Semaphore, end: float) -> dict[str, Any]:
        name = f"{request.state.id}-{place}"
        try:
            if isinstance(value, Refusal):
                raise value
            async with asyncio.timeout(max(0.0, end - time.monotonic())), most:
                clip = clip_of_value(value, name, f"{place}")
                name = clip.name
                return whole(request, await service.answer(clip))
        except TimeoutError:
            refusal = Refusal(504, f"no answer within {service.limits.deadline_s:g} s")
        except Refusal as error:
            refusal = error
        return {"clip_id": name, **refusal.body(request.state.id)}

    @app.post(
        "/batch_predict",
        responses={200: {"model": list[PredictionResponse | BatchError]}, **ASKED},
        openapi_extra=body_of_batch(service.limits.batch_clips),
    )
    async def batch_predict(request: Request) -> Response:
        """Answer about several clips, in their order; one that cannot be answered has an error in its place."""
        values = await _batch(request, service)
        most = asyncio.Semaphore(max(4, 2 * service.ready().batch_size))
        end = request.state.begun + service.limits.deadline_s
        work = asyncio.gather(*(one(request, place, value, most, end) for place, value in enumerate(values)))
        gone = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                service.metrics.gone.inc()
                request.state.facts["status"] = 499
                raise Refusal(499, "the client has gone")
            found = work.result()
        finally:
            work.cancel()
            gone.cancel()
        errors = sum("error" in line for line in found)
        request.state.facts |= {"clips": len(found), "errors": errors}
        if NDJSON in request.headers.get("accept", ""):
            return Response("".join(json.dumps(line) + "\n" for line in found), media_type=NDJSON)
        return answer_of(found)


async def _batch(request: Request, service: Service) -> list[Any]:
    """Return the values of a batch, a Refusal in the place of a line that is no JSON. Raises Refusal."""
    kind, most = media_type(request), service.limits.batch_clips
    if kind not in (JSON, NDJSON):
        raise Refusal(415, f"expected {JSON} or {NDJSON}", "content-type")
    body = await request.body()
    if kind == NDJSON:
        found = [_json(line) for line in body.split(b"\n") if line.strip()]
    else:
        value = await asyncio.to_thread(_json, body)
        if isinstance(value, Refusal):
            raise value
        if not isinstance(value, list):
            raise Refusal(422, "expected a list of clips", "body")
        found = value
    if not 1 <= len(found) <= most:
        raise Refusal(422, f"expected 1 to {most} clips", "body")
    return found


def _json(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        return Refusal(422, "is no JSON", "body")


def _add_completions(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/chat/completions",
        responses={200: {"model": completions.Completion}, **ASKED},
        openapi_extra=body_of_chat(),
    )
    async def complete(request: Request) -> Response:
        """Answer a message with the pictures of one clip, in the form of OpenAI's chat completions."""
        if media_type(request) != JSON:
            raise Refusal(415, f"expected {JSON}", "content-type")
        asked = await asyncio.to_thread(completions.read, await request.body(), request.state.id)
        timed = await until_gone(request, service, service.answer(asked.clip, asked.prompt))
        text = completions.completion(service.name, request.state.id, timed.answered.line, time.time())
        return answer_of(text, headers=_note(request, timed))

    @app.get("/v1/models", responses={200: {"model": ModelList}, **SHOWN})
    async def models() -> Response:
        """List the one model."""
        return answer_of(completions.listed(service.name, service.started))


def _add_probes(app: FastAPI, service: Service) -> None:
    @app.get("/livez", responses={200: {"model": Alive}, **PROBED})
    async def livez() -> Response:
        """Say that the process lives, also while it loads and drains."""
        return answer_of({"status": "alive"})

    @app.get("/readyz", responses={200: {"model": Readiness}, **PROBED, 503: {"model": Readiness}})
    async def readyz() -> Response:
        """Say whether a request would be taken: not while the model loads, the server drains or is full."""
        reason = service.reason()
        return answer_of({"status": reason or "ready"}, 503 if reason else 200)

    @app.get("/health", responses={200: {"model": Health}, **PROBED, 503: {"model": Health}})
    async def health() -> Response:
        """Say both in one: the state, and whether a request would be taken."""
        reason = service.reason()
        value = {"status": "healthy" if reason is None else "unhealthy", "state": service.state, "reason": reason}
        return answer_of(value | {"model_loaded": service.loaded is not None}, 503 if reason else 200)

    @app.get("/metrics", response_class=Response, responses={200: text_of("text/plain", "Figures"), **SHOWN})
    async def metrics() -> Response:
        """Return the server's figures for Prometheus."""
        return Response(service.metrics.text(), headers={"Content-Type": METRICS_TYPE})

    @app.get("/info", responses={200: {"model": Info}, **SHOWN, **refusals(503)})
    async def info() -> Response:
        """Describe what is served: the model's card, its operations, the pictures that it wants, limits, versions."""
        return answer_of(service.info() | {"version": __version__})
