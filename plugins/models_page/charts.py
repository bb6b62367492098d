"""The charts of the Models page: loss over updates, means over time, differences with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from pipeline.models_views import LossView
from pipeline.score_views import PAPER, BenchmarkView
from pipeline.verdicts import Change
from plugins.pages.charts import draw

WIDE, HIGH, ROW = 560, 240, 18
SHOWN = 6  # languages of the chart of the loss, unless a reader asks for others
COLORS = ["#3d8fb0", "#c07a1a", "#9a76d6", "#4f9f5f", "#d0567e", "#a08f1a", "#c95b45"]  # on light and on dark
ALL = "all languages"
ONCE: dict[str, Any] = {"values": [{}]}  # of a line across, which is not drawn for each row


def spread(codes: Sequence[str]) -> list[str]:
    """A few of many, evenly from the first to the last."""
    if len(codes) <= SHOWN:
        return list(codes)
    return [codes[round(place * (len(codes) - 1) / (SHOWN - 1))] for place in range(SHOWN)]


def loss(view: LossView, shown: Sequence[str]) -> Markup:
    """Mean loss over updates, of all languages together and of those named."""
    curves = {ALL: view.loss_nats} | {row.code: row.curve for row in view.languages if row.code in shown}
    order = [ALL, *(code for code in shown if code in curves)]
    rows: list[dict[str, Any]] = [
        {"update": step, "loss": value, "of": name}
        for name in order
        for step, value in zip(view.steps, curves[name], strict=True)
        if value is not None
    ]
    color = {
        "field": "of", "type": "nominal", "title": None, "sort": order,
        "scale": {"domain": order, "range": ["currentColor", *COLORS]},
        "legend": {"labelColor": "currentColor", "orient": "bottom", "columns": 4, "symbolStrokeWidth": 3},
    }  # fmt: skip
    x = {"field": "update", "type": "quantitative", "title": "updates", "axis": {"format": "~s", "grid": False}}
    y = {"field": "loss", "type": "quantitative", "title": "nats a masked token", "scale": {"zero": False}}
    return draw(rows, {"x": x, "y": y, "color": color}, [{"name": "curve", "mark": "line"}], width=WIDE, height=HIGH)


def history(view: BenchmarkView) -> Markup:
    """Mean over test sets each time that a checkpoint was scored, a line for a name and its milestones; the paper's
    average as a line across.  Of more names than there are colours, points alone."""
    rows: list[dict[str, Any]] = [
        {
            "at": point.at, "mean": round(point.mean, 2), "checkpoint": point.checkpoint,
            "name": point.checkpoint.partition("@")[0],
        }
        for point in view.history
    ]  # fmt: skip
    names = list(dict.fromkeys(row["name"] for row in rows))
    color: dict[str, Any] = {"value": COLORS[0]}
    if len(names) <= len(COLORS):
        color = {
            "field": "name", "type": "nominal", "title": None, "scale": {"domain": names, "range": COLORS},
            "legend": {"labelColor": "currentColor", "orient": "bottom", "columns": 3},
        }  # fmt: skip
    axis = {"grid": False, "labelOverlap": "greedy", "labelSeparation": 16, "tickCount": 6}
    x = {"field": "at", "type": "temporal", "title": "scored", "axis": axis}
    y = {"field": "mean", "type": "quantitative", "title": f"mean {view.metric}", "scale": {"zero": False}}
    one = {"field": "checkpoint", "type": "nominal"}
    layers: list[dict[str, Any]] = [
        {"name": "point", "mark": {"type": "point", "filled": True, "size": 50},
         "encoding": {"x": x, "y": y, "color": color, "detail": one}}
    ]  # fmt: skip
    if "field" in color:
        layers.insert(0, {"name": "line", "mark": "line", "encoding": {"x": x, "y": y, "color": color}})
    paper = next((row.average for row in view.published if row.system == PAPER), None)
    if paper is not None:
        rule = {"type": "rule", "color": "currentColor", "strokeDash": [4, 3]}
        layers.append({"name": "paper", "data": ONCE, "mark": rule, "encoding": {"y": {"datum": paper}}})
    return draw(rows, {}, layers, width=WIDE, height=HIGH)


def intervals(changes: Sequence[Change]) -> Markup:
    """A difference a row with its interval; a line at no difference."""
    one_metric = len({each.metric for each in changes}) == 1
    rows: list[dict[str, Any]] = [
        {
            "test set": each.language if one_metric else f"{each.language} {each.metric}", "verdict": each.verdict,
            "difference": round(each.difference, 2), "low": round(each.low, 2), "high": round(each.high, 2),
        }
        for each in changes
    ]  # fmt: skip
    domain = [min(-1.0, *(row["low"] for row in rows)), max(1.0, *(row["high"] for row in rows))]
    y = {"field": "test set", "type": "nominal", "sort": None, "title": None}
    color = {
        "field": "verdict", "type": "nominal", "title": None, "legend": None,
        "scale": {"domain": ["better", "within noise", "worse"], "range": ["#4f9f5f", "#7a8a99", "#d9534a"]},
    }  # fmt: skip
    low = {"field": "low", "type": "quantitative", "title": "points", "scale": {"domain": domain, "nice": True}}
    layers: list[dict[str, Any]] = [
        {"name": "none", "data": ONCE, "mark": {"type": "rule", "color": "currentColor", "opacity": 0.5},
         "encoding": {"x": {"datum": 0}}},
        {"name": "interval", "mark": {"type": "rule", "strokeWidth": 2},
         "encoding": {"y": y, "color": color, "x": low, "x2": {"field": "high"}}},
        {"name": "difference", "mark": {"type": "point", "filled": True, "size": 60},
         "encoding": {"y": y, "color": color, "x": {"field": "difference", "type": "quantitative"}}},
    ]  # fmt: skip
    return draw(rows, {}, layers, width=WIDE // 2, height=ROW * max(len(rows), 2))
