"""Charts as SVG, drawn by Vega-Lite on the server: readable at once, without a script, and with ARIA labels.

Colours are the style sheet's: the SVG says `currentColor`, and a layer named x has the class x_marks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import vl_convert
from markupsafe import Markup

WIDTH, HEIGHT = 300, 160
PADDING = 10  # the reader's font may be wider than the one that was measured with
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


def draw(
    rows: Sequence[Mapping[str, Any]],
    encoding: Mapping[str, Any],
    layers: Sequence[Mapping[str, Any]],
    *,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> Markup:
    """Layers over the same rows.  Only numbers and names that the store's own checks let through are drawn."""
    spec = {
        "width": width, "height": height, "background": None, "padding": PADDING, "config": STYLE,
        "data": {"values": rows}, "encoding": encoding, "layer": layers,
    }  # fmt: skip
    return _svg(json.dumps(spec, sort_keys=True))


def warm_up() -> None:
    """Draw once: the first chart of a process takes half a second, the next ones 20 ms."""
    draw([{"x": 1}], {"x": {"field": "x", "type": "quantitative"}}, [{"mark": "point"}])


@lru_cache(KEPT_CHARTS)
def _svg(spec: str) -> Markup:
    """Vega escapes what it draws."""
    return Markup(vl_convert.vegalite_to_svg(spec))
