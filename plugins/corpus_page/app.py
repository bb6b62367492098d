"""The web application of the Corpus page: routes, templates, headers, errors.

Every route, those of static files and of unknown paths too, asks Airflow who is reading.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException as AnyHTTPException

from pipeline.corpus_views import corpus_view, language_view, overview
from pipeline.errors import FactoryError, MissingArtifact
from pipeline.statistics import Kind, StatisticsReader
from pipeline.store import open_store
from plugins.corpus_page import charts, words
from plugins.corpus_page.access import requires_reader
from plugins.corpus_page.api import json_routes
from plugins.corpus_page.selection import Readers, chosen, known_language

HERE = Path(__file__).parent
CRAWL_ID = re.compile(r"CC-MAIN-\d{4}(?:-\d{2,4})?")
WARM_UP_AFTER_S = 2.0
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
Handler = Callable[[Request], Awaitable[Response]]


def create_app(store_uri: Callable[[], str], access: Callable[..., Any] | None = None) -> FastAPI:
    """`store_uri` is asked at each request; `access` is Airflow's check unless a test gives another."""
    app = FastAPI(openapi_url=None, redirect_slashes=False, dependencies=[Depends(access or requires_reader())])
    readers: Readers = _readers(store_uri)
    pages = Pages(readers)
    app.include_router(json_routes(readers), prefix="/api")
    app.get("/", response_class=HTMLResponse)(pages.overview)
    app.get("/run", response_class=HTMLResponse)(pages.run)
    app.get("/{kind}s/{name}", response_class=HTMLResponse)(pages.corpus)
    app.get("/{kind}s/{name}/languages/{code}", response_class=HTMLResponse)(pages.language)
    app.get("/static/{name}")(static)
    app.get("/{path:path}")(_unknown)
    app.middleware("http")(_with_headers)
    app.exception_handler(AnyHTTPException)(pages.refused)
    app.exception_handler(RequestValidationError)(pages.misspelled)
    app.exception_handler(FactoryError)(pages.failed)
    _later(charts.warm_up)
    return app


def _later(work: Callable[[], None]) -> None:
    """When the first page has been answered."""
    timer = threading.Timer(WARM_UP_AFTER_S, work)
    timer.daemon = True
    timer.start()


def _readers(store_uri: Callable[[], str]) -> Readers:
    of = lru_cache(maxsize=4)(lambda uri: StatisticsReader(open_store(uri)))
    return lambda: of(store_uri())


class Pages:
    """The pages for people."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        self._templates.globals |= {"distribution": charts.distribution, "static": digest(), **words.GLOBALS}
        self._templates.filters |= words.FILTERS

    def overview(self, request: Request) -> HTMLResponse:
        return self._page(request, "overview.html", **overview(self._readers()))

    def corpus(self, request: Request, kind: Kind, name: str, version: str = "") -> HTMLResponse:
        reader = self._readers()
        view = corpus_view(reader, chosen(reader, kind, name, version))
        return self._page(request, "corpus.html", view=view, version=version)

    def language(self, request: Request, kind: Kind, name: str, code: str, version: str = "") -> HTMLResponse:
        reader = self._readers()
        corpus = chosen(reader, kind, name, version)
        view = language_view(reader, corpus, known_language(reader, corpus, code))
        return self._page(request, "language.html", view=view, version=version)

    def run(
        self, request: Request, dag_id: str = "", run_id: str = "", crawl: Annotated[list[str] | None, Query()] = None
    ) -> Response:
        """The dump of a run: named by its id, else by what the browser finds in Airflow's REST API (`crawl`)."""
        crawls = sorted(set(crawl or CRAWL_ID.findall(run_id)))
        finished = {corpus.name for corpus in self._readers().newest(Kind.DUMP)}
        if len(crawls) == 1 and crawls[0] in finished:
            return RedirectResponse(f"{_base(request)}/dumps/{words.quoted(crawls[0])}", 303)
        return self._page(
            request, "run.html", dag_id=dag_id, run_id=run_id, crawls=crawls, finished=finished, asked=crawl is not None
        )

    async def refused(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, AnyHTTPException) else 500
        headers = dict(getattr(error, "headers", None) or {})
        detail = str(getattr(error, "detail", error))
        return self._message(request, status, detail, headers)

    async def misspelled(self, request: Request, error: Exception) -> Response:
        return self._message(request, 404, f"{_path(request)}: no such page", {})

    async def failed(self, request: Request, error: Exception) -> Response:
        """What the store or the deployment say in one line."""
        return self._message(request, 404 if isinstance(error, MissingArtifact) else 503, str(error), {})

    def _message(self, request: Request, status: int, detail: str, headers: dict[str, str]) -> Response:
        if status == 401 or _path(request).startswith(("/api", "/static")):
            return JSONResponse({"detail": detail}, status, headers)
        page = self._page(request, "message.html", status=status, detail=detail)
        page.status_code = status
        return page

    def _page(self, request: Request, template: str, **values: Any) -> HTMLResponse:
        text = self._templates.get_template(template).render(base=_base(request), **values)
        return HTMLResponse(text, headers={"Cache-Control": "private, no-cache"})


def static(name: str, v: str = "") -> Response:
    """A style sheet, script or icon; named with its digest it is kept by the browser."""
    if name not in _files():
        raise HTTPException(404, f"{name}: no such file")
    kept = "private, max-age=31536000, immutable" if v == digest() else "private, no-cache"
    return Response(_files()[name], media_type=MEDIA_TYPES[Path(name).suffix], headers={"Cache-Control": kept})


@lru_cache(1)
def _files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((HERE / "static").iterdir()) if path.suffix in MEDIA_TYPES}


@lru_cache(1)
def digest() -> str:
    """Of all static files together."""
    return hashlib.sha256(b"".join(_files().values())).hexdigest()[:12]


def _unknown(path: str) -> Response:
    raise HTTPException(404, f"/{path}: no such page")


async def _with_headers(request: Request, handler: Handler) -> Response:
    response = await handler(request)
    response.headers.update(HEADERS)
    return response


def _base(request: Request) -> str:
    """The path that the application is mounted at, Airflow's own included."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def _path(request: Request) -> str:
    return request.url.path.removeprefix(_base(request))
