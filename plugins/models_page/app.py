"""The web application of the Models page: checkpoints, benchmarks, and two checkpoints compared."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from pipeline.checkpoint_source import name_of
from pipeline.models_reader import ModelsReader
from pipeline.models_views import checkpoint_view, comparison_view, overview
from pipeline.score_views import benchmark_view
from pipeline.store import open_store
from plugins.models_page import charts, words
from plugins.models_page.api import Readers, json_routes
from plugins.pages.frame import Access, Frame, base_of, framed
from plugins.pages.words import quoted

HERE = Path(__file__).parent


def create_app(store_uri: Callable[[], str], access: Access | None = None) -> FastAPI:
    """`store_uri` is asked at each request; `access` is Airflow's check unless a test gives another."""
    readers: Readers = _readers(store_uri)
    pages = ModelsPages(readers)
    routes = APIRouter()
    routes.include_router(json_routes(readers), prefix="/api")
    routes.get("/", response_class=HTMLResponse)(pages.overview)
    routes.get("/run", response_class=HTMLResponse)(pages.run)
    routes.get("/checkpoints/{name:path}", response_class=HTMLResponse)(pages.checkpoint)
    routes.get("/benchmarks/{name}", response_class=HTMLResponse)(pages.benchmark)
    routes.get("/compare", response_class=HTMLResponse)(pages.compare)
    return framed(pages.frame, routes, access)


def _readers(store_uri: Callable[[], str]) -> Readers:
    of = lru_cache(maxsize=4)(lambda uri: ModelsReader(open_store(uri)))
    return lambda: of(store_uri())


class ModelsPages:
    """The pages for people."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        named = {"icon": "models.svg", "loss_chart": charts.loss, "history_chart": charts.history,
                 "interval_chart": charts.intervals, **words.GLOBALS}  # fmt: skip
        self.frame = Frame(HERE, "Models", "All checkpoints and benchmarks", named, words.FILTERS)

    def overview(self, request: Request) -> HTMLResponse:
        return self.frame.page(request, "models.html", **overview(self._readers()))

    def checkpoint(self, request: Request, name: str, version: str = "", languages: str = "") -> HTMLResponse:
        """`languages`: the codes, with commas, whose curves the chart of the loss shows."""
        reader = self._readers()
        view = checkpoint_view(reader, reader.checkpoint(name, version))
        known = [row.code for row in view.loss.languages] if view.loss else []
        asked = [code for code in languages.split(",") if code in known]
        others = [each.name for each in reader.newest() if each.name != name]
        return self.frame.page(
            request, "checkpoint.html", view=view, version=version, shown=asked or charts.spread(known), others=others
        )

    def benchmark(self, request: Request, name: str, setting: str = "", selection: str = "") -> HTMLResponse:
        return self.frame.page(
            request, "benchmark.html", view=benchmark_view(self._readers(), name, setting, selection)
        )

    def compare(
        self, request: Request, a: str = "", b: str = "", version_a: str = "", version_b: str = ""
    ) -> HTMLResponse:
        reader = self._readers()
        names = [each.name for each in reader.newest()]
        view = None
        if a and b:
            view = comparison_view(reader, reader.checkpoint(a, version_a), reader.checkpoint(b, version_b))
        return self.frame.page(request, "compare.html", view=view, names=names, a=a, b=b)

    def run(
        self,
        request: Request,
        dag_id: str = "",
        run_id: str = "",
        checkpoint: Annotated[list[str] | None, Query()] = None,
    ) -> Response:
        """What a run made or scored: the browser asks Airflow for `checkpoint`, named as in settings."""
        known = {each.name for each in self._readers().newest()}
        found = {name: name in known for name in sorted({name_of(each) for each in checkpoint or ()})}
        if list(found.values()) == [True]:
            return RedirectResponse(f"{base_of(request)}/checkpoints/{quoted(next(iter(found)))}", 303)
        return self.frame.page(request, "run.html", dag_id=dag_id, run_id=run_id, checkpoints=found)
