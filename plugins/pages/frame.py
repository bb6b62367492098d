"""The web application around a page: every route asks Airflow who is reading; headers, static files, errors.

A page brings a folder with its own `templates` and `static` beside those of this folder, and its words.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException as AnyHTTPException

from pipeline.errors import FactoryError, MissingArtifact
from plugins.pages import charts, words
from plugins.pages.access import requires_reader

HERE = Path(__file__).parent
WARM_UP_AFTER_S = 2.0
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
Access = Callable[..., Any]
Handler = Callable[[Request], Awaitable[Response]]


class Frame:
    """Templates, static files and messages of one page.  `site` is its name, `home` what its first page lists."""

    def __init__(
        self,
        folder: Path,
        site: str,
        home: str,
        globals_: Mapping[str, Any] | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> None:
        self._folders = (HERE, folder)
        self._templates = Environment(
            loader=FileSystemLoader([folder / "templates", HERE / "templates"]), autoescape=True,
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._templates.globals |= {"site": site, "home": home, "static": self.digest, **words.GLOBALS}
        self._templates.globals |= globals_ or {}
        self._templates.filters |= {**words.FILTERS, **(filters or {})}

    def page(self, request: Request, template: str, **values: Any) -> HTMLResponse:
        text = self._templates.get_template(template).render(base=base_of(request), **values)
        return HTMLResponse(text, headers={"Cache-Control": "private, no-cache"})

    def static(self, name: str, v: str = "") -> Response:
        """A style sheet, script or icon; named with its digest it is kept by the browser."""
        if name not in self._files:
            raise HTTPException(404, f"{name}: no such file")
        kept = "private, max-age=31536000, immutable" if v == self.digest else "private, no-cache"
        return Response(self._files[name], media_type=MEDIA_TYPES[Path(name).suffix], headers={"Cache-Control": kept})

    @cached_property
    def _files(self) -> dict[str, bytes]:
        paths = (path for folder in self._folders for path in sorted((folder / "static").iterdir()))
        return {path.name: path.read_bytes() for path in paths if path.suffix in MEDIA_TYPES}

    @cached_property
    def digest(self) -> str:
        """Of all static files together."""
        return hashlib.sha256(b"".join(self._files.values())).hexdigest()[:12]

    async def refused(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, AnyHTTPException) else 500
        headers = dict(getattr(error, "headers", None) or {})
        return self._message(request, status, str(getattr(error, "detail", error)), headers)

    async def misspelled(self, request: Request, error: Exception) -> Response:
        return self._message(request, 404, f"{path_of(request)}: no such page", {})

    async def failed(self, request: Request, error: Exception) -> Response:
        """What the store or the deployment say in one line."""
        return self._message(request, 404 if isinstance(error, MissingArtifact) else 503, str(error), {})

    def _message(self, request: Request, status: int, detail: str, headers: dict[str, str]) -> Response:
        if status == 401 or path_of(request).startswith(("/api", "/static")):
            return JSONResponse({"detail": detail}, status, headers)
        page = self.page(request, "message.html", status=status, detail=detail)
        page.status_code = status
        return page


def framed(frame: Frame, routes: APIRouter, access: Access | None = None) -> FastAPI:
    """The application; `access` is Airflow's check unless a test gives another."""
    app = FastAPI(openapi_url=None, redirect_slashes=False, dependencies=[Depends(access or requires_reader())])
    app.include_router(routes)
    app.get("/static/{name}")(frame.static)
    app.get("/{path:path}")(_unknown)
    app.middleware("http")(_with_headers)
    app.exception_handler(AnyHTTPException)(frame.refused)
    app.exception_handler(RequestValidationError)(frame.misspelled)
    app.exception_handler(FactoryError)(frame.failed)
    _later(charts.warm_up)
    return app


def _later(work: Callable[[], None]) -> None:
    """When the first page has been answered."""
    timer = threading.Timer(WARM_UP_AFTER_S, work)
    timer.daemon = True
    timer.start()


def _unknown(path: str) -> Response:
    raise HTTPException(404, f"/{path}: no such page")


async def _with_headers(request: Request, handler: Handler) -> Response:
    response = await handler(request)
    response.headers.update(HEADERS)
    return response


def base_of(request: Request) -> str:
    """The path that the application is mounted at, Airflow's own included."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def path_of(request: Request) -> str:
    return request.url.path.removeprefix(base_of(request))
