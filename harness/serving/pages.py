"""Pages of the service: the one where a clip is dropped, the reference of the API, and the files that both need.

All of it comes from this package. The policy in the headers admits scripts, styles and requests of the same server and
nothing else, no inline ones either; pictures and videos may also be those that the browser has just been given. Links
are relative, so that the pages also work below a path of a proxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import jinja2
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from harness.serving.api_reference import reference
from harness.version import __version__
from reference.resources import text

TYPES: Mapping[str, str] = {
    "page.css": "text/css",
    "drop.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""Files in static/ with their types. No other name is ever looked for."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; "
    "media-src blob:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def add_pages(app: FastAPI) -> None:
    """Add `/`, `/docs` and `/static/NAME` to a service whose own documentation pages are switched off."""

    @app.get("/", include_in_schema=False)
    def drop() -> HTMLResponse:
        return _page("drop.html.j2")

    @app.get("/docs", include_in_schema=False)
    def docs(request: Request) -> HTMLResponse:
        return _page("docs.html.j2", api=reference(request.app.openapi()))

    @app.get("/static/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        if name not in TYPES:
            return Response(status_code=404, headers=dict(HEADERS))
        return Response(text(__package__, "static", name), media_type=TYPES[name], headers=dict(HEADERS))


def _page(name: str, **values: object) -> HTMLResponse:
    return HTMLResponse(_environment().get_template(name).render(version=__version__, **values), headers=dict(HEADERS))


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
