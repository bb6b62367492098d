"""The web application of the Corpus page: dumps, releases, their languages, and the dump of a run."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from pipeline.corpus_views import corpus_view, language_view, overview
from pipeline.statistics import Kind, StatisticsReader
from pipeline.store import open_store
from plugins.corpus_page import charts, words
from plugins.corpus_page.api import json_routes
from plugins.corpus_page.selection import Readers, chosen, known_language
from plugins.pages.frame import Access, Frame, base_of, framed
from plugins.pages.words import quoted

HERE = Path(__file__).parent
CRAWL_ID = re.compile(r"CC-MAIN-\d{4}(?:-\d{2,4})?")


def create_app(store_uri: Callable[[], str], access: Access | None = None) -> FastAPI:
    """`store_uri` is asked at each request; `access` is Airflow's check unless a test gives another."""
    readers: Readers = _readers(store_uri)
    pages = CorpusPages(readers)
    routes = APIRouter()
    routes.include_router(json_routes(readers), prefix="/api")
    routes.get("/", response_class=HTMLResponse)(pages.overview)
    routes.get("/run", response_class=HTMLResponse)(pages.run)
    routes.get("/{kind}s/{name}", response_class=HTMLResponse)(pages.corpus)
    routes.get("/{kind}s/{name}/languages/{code}", response_class=HTMLResponse)(pages.language)
    return framed(pages.frame, routes, access)


def _readers(store_uri: Callable[[], str]) -> Readers:
    of = lru_cache(maxsize=4)(lambda uri: StatisticsReader(open_store(uri)))
    return lambda: of(store_uri())


class CorpusPages:
    """The pages for people."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        named = {"distribution": charts.distribution, "icon": "corpus.svg", **words.GLOBALS}
        self.frame = Frame(HERE, "Corpus", "All dumps and releases", named, words.FILTERS)

    def overview(self, request: Request) -> HTMLResponse:
        return self.frame.page(request, "overview.html", **overview(self._readers()))

    def corpus(self, request: Request, kind: Kind, name: str, version: str = "") -> HTMLResponse:
        reader = self._readers()
        view = corpus_view(reader, chosen(reader, kind, name, version))
        return self.frame.page(request, "corpus.html", view=view, version=version)

    def language(self, request: Request, kind: Kind, name: str, code: str, version: str = "") -> HTMLResponse:
        reader = self._readers()
        corpus = chosen(reader, kind, name, version)
        view = language_view(reader, corpus, known_language(reader, corpus, code))
        return self.frame.page(request, "language.html", view=view, version=version)

    def run(
        self, request: Request, dag_id: str = "", run_id: str = "", crawl: Annotated[list[str] | None, Query()] = None
    ) -> Response:
        """The dump of a run: named by its id, else by what the browser finds in Airflow's REST API (`crawl`)."""
        crawls = sorted(set(crawl or CRAWL_ID.findall(run_id)))
        finished = {corpus.name for corpus in self._readers().newest(Kind.DUMP)}
        if len(crawls) == 1 and crawls[0] in finished:
            return RedirectResponse(f"{base_of(request)}/dumps/{quoted(crawls[0])}", 303)
        return self.frame.page(
            request, "run.html", dag_id=dag_id, run_id=run_id, crawls=crawls, finished=finished, asked=crawl is not None
        )
