"""Charts as SVG, drawn by Vega-Lite on the server: readable at once, without a script, and with ARIA labels.

Colours are the style sheet's: the SVG says `currentColor`, and marks have the classes now_marks and before_marks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import vl_convert
from markupsafe import Markup

from pipeline.corpus_views import Bin

WIDTH, HEIGHT = 300, 160
KEPT_CHARTS = 512
STYLE = {
    "axis": {
        "labelColor": "currentColor", "titleColor": "currentColor", "gridColor": "currentColor", "gridOpacity": 0.15,
        "domainColor": "currentColor", "tickColor": "currentColor", "titleFontWeight": "normal", "labelFontSize": 11,
        "titleFontSize": 12,
    },
    "view": {"stroke": None},
    "font": "system-ui, sans-serif",
}  # fmt: skip


def distribution(bins: Sequence[Bin], title: str, name_before: str) -> Markup:
    """Share of documents by bin, and what it was in the dump before as a line across."""
    rows = [
        {"from": f"{bin_.least:,g}", "share": bin_.share, "before": bin_.before_share, "documents": bin_.documents}
        for bin_ in bins
    ]
    x = {"field": "from", "type": "ordinal", "sort": None, "title": f"{title}, from", "axis": {"labelAngle": -45}}
    layers = [_layer("now", "bar", "share", "documents")]
    if name_before:
        layers.append(_layer("before", "tick", "before", f"share in {name_before}"))
    return _svg(json.dumps(_spec(rows, {"x": x}, layers), sort_keys=True))


def warm_up() -> None:
    """Draw once: the first chart of a process takes half a second, the next ones 20 ms."""
    distribution([Bin(1.0, 1, 1.0, None)], "documents", "")


def _layer(name: str, mark: str, field: str, title: str) -> dict[str, Any]:
    y = {"field": field, "type": "quantitative", "title": "documents", "axis": {"format": ".0%", "tickCount": 4}}
    tooltip = {"field": field, "type": "quantitative", "title": title, "format": ".1%"}
    shape = {"type": mark, "color": "currentColor"} | ({"thickness": 3} if mark == "tick" else {})
    return {"name": name, "mark": shape, "encoding": {"y": y, "tooltip": [{"field": "from"}, tooltip]}}


def _spec(rows: list[dict[str, Any]], encoding: dict[str, Any], layers: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "width": WIDTH, "height": HEIGHT, "background": None, "config": STYLE, "data": {"values": rows},
        "encoding": encoding, "layer": layers,
    }  # fmt: skip


@lru_cache(KEPT_CHARTS)
def _svg(spec: str) -> Markup:
    """Vega escapes what it draws; only numbers and names of dumps are drawn."""
    return Markup(vl_convert.vegalite_to_svg(spec))
