"""The same data for programs: docs/models_page.md tells the fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse
from pydantic_core import to_jsonable_python

from pipeline.models_reader import ModelsReader
from pipeline.models_views import checkpoint_view, comparison_view, overview
from pipeline.score_views import benchmark_view

Readers = Callable[[], ModelsReader]


def json_routes(readers: Readers) -> APIRouter:
    """/overview, /checkpoints/NAME and /loss below it, /benchmarks/NAME, /compare."""
    routes = APIRouter()  # names of models from outside have a slash: OWNER/NAME

    @routes.get("/overview")
    def get_overview() -> JSONResponse:
        return JSONResponse({kind: [asdict(row) for row in rows] for kind, rows in overview(readers()).items()})

    @routes.get("/checkpoints/{name:path}/loss")
    def get_loss(name: str, version: str = "") -> JSONResponse:
        """Every written update, where the view of the checkpoint has means over stretches."""
        reader = readers()
        curve = reader.curve(reader.checkpoint(name, version))
        if curve is None:
            raise HTTPException(404, f"{name}: it was not trained here, so there is no loss")
        return _answer(curve)

    @routes.get("/checkpoints/{name:path}")
    def get_checkpoint(name: str, version: str = "") -> JSONResponse:
        reader = readers()
        return _answer(checkpoint_view(reader, reader.checkpoint(name, version)))

    @routes.get("/benchmarks/{name}")
    def get_benchmark(name: str, setting: str = "", selection: str = "") -> JSONResponse:
        return _answer(benchmark_view(readers(), name, setting, selection))

    @routes.get("/compare")
    def get_comparison(a: str, b: str, version_a: str = "", version_b: str = "") -> JSONResponse:
        reader = readers()
        return _answer(comparison_view(reader, reader.checkpoint(a, version_a), reader.checkpoint(b, version_b)))

    return routes


def _answer(view: Any) -> JSONResponse:
    return JSONResponse(to_jsonable_python(asdict(view)))
