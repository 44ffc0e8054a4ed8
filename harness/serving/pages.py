"""Pages of the service: the one where a clip is dropped, the reference of the API, and the files that both need.

All of it comes from this package, and the guard's headers admit scripts, styles and requests of this server alone, no
inline ones either. Links are relative, so that the pages also work below a path of a proxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import jinja2
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response

from harness.serving.api_reference import reference
from harness.serving.limits import PICTURES
from harness.serving.refusal import Refusal
from harness.version import __version__
from reference.resources import text
from reference.task import CLIP_FRAMES, FPS

TYPES: Mapping[str, str] = {
    "page.css": "text/css",
    "drop.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""Files in static/ with their types. No other name is ever looked for."""


def add_pages(app: FastAPI) -> None:
    """Add `/`, `/docs` and `/static/NAME` to a service whose own documentation pages are switched off."""

    @app.get("/", include_in_schema=False)
    async def drop() -> Response:
        return _page("drop.html.j2", pictures=PICTURES, frames=CLIP_FRAMES, rate=FPS)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return _page("docs.html.j2", api=reference(app.openapi()))

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str) -> Response:
        if name not in TYPES:
            raise Refusal(404, "there is no such file")
        return Response(text(__package__, "static", name), media_type=TYPES[name])


def _page(name: str, **values: object) -> Response:
    return HTMLResponse(_environment().get_template(name).render(version=__version__, **values))


@cache
def _environment() -> jinja2.Environment:
    """Return the templates' environment: every value is escaped, and an undefined name is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("harness.serving"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
