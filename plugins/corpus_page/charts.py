"""The charts of the Corpus page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from pipeline.corpus_views import Bin
from plugins.pages.charts import draw


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
    return draw(rows, {"x": x}, layers)


def _layer(name: str, mark: str, field: str, title: str) -> dict[str, Any]:
    y = {"field": field, "type": "quantitative", "title": "documents", "axis": {"format": ".0%", "tickCount": 4}}
    tooltip = {"field": field, "type": "quantitative", "title": title, "format": ".1%"}
    shape = {"type": mark, "color": "currentColor"} | ({"thickness": 3} if mark == "tick" else {})
    return {"name": name, "mark": shape, "encoding": {"y": y, "tooltip": [{"field": "from"}, tooltip]}}
