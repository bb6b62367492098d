"""The same data for programs: docs/corpus_page.md tells the fields."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from pipeline.corpus_views import corpus_view, language_view, overview
from pipeline.statistics import Kind
from plugins.corpus_page.selection import Readers, chosen, known_language


def json_routes(readers: Readers) -> APIRouter:
    """/overview, /dumps/NAME, /releases/NAME, and /languages/CODE below both."""
    routes = APIRouter()

    @routes.get("/overview")
    def get_overview() -> JSONResponse:
        return JSONResponse({kind: [asdict(row) for row in rows] for kind, rows in overview(readers()).items()})

    @routes.get("/{kind}s/{name}")
    def get_corpus(kind: Kind, name: str, version: str = "") -> JSONResponse:
        reader = readers()
        return JSONResponse(asdict(corpus_view(reader, chosen(reader, kind, name, version))))

    @routes.get("/{kind}s/{name}/languages/{code}")
    def get_language(kind: Kind, name: str, code: str, version: str = "") -> JSONResponse:
        reader = readers()
        corpus = chosen(reader, kind, name, version)
        return JSONResponse(asdict(language_view(reader, corpus, known_language(reader, corpus, code))))

    return routes
