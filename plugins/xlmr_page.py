"""Puts the Corpus and the Models page into Airflow: entries of the navigation, and a tab of each run.

Every process of Airflow imports this file, so what a page needs is loaded at its first request.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

BASE = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")  # of an Airflow below a path of its host
PAGES = ("corpus", "models")

Message = MutableMapping[str, Any]


class Page:
    """The ASGI application of plugins/NAME_page, made when it is first asked for something."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._app: Callable[..., Awaitable[None]] | None = None

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if self._app is None:
            from plugins.pages.deployment import store_uri

            module = import_module(f"plugins.{self._name}_page.app")
            self._app = module.create_app(lambda: store_uri(os.environ))
        await self._app(scope, receive, send)


def _navigation(name: str) -> dict[str, Any]:
    return {
        "name": name.capitalize(),
        "href": f"{BASE}/{name}/",
        "destination": "nav",
        "url_route": name,
        "nav_top_level": True,
        "icon": f"{BASE}/{name}/static/{name}.svg",
    }


def _tab_of_a_run(name: str) -> dict[str, Any]:
    return {
        "name": name.capitalize(),
        "href": f"{BASE}/{name}/run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}",
        "destination": "dag_run",
        "url_route": f"{name}-run",
    }


class XlmrPage(AirflowPlugin):
    """The pages under the API server, and where the UI shows them."""

    name = "xlmr_page"
    fastapi_apps = [  # noqa: RUF012
        {"app": Page(name), "url_prefix": f"/{name}", "name": f"XLM-R {name}"} for name in PAGES
    ]
    external_views = [*map(_navigation, PAGES), *map(_tab_of_a_run, PAGES)]  # noqa: RUF012
