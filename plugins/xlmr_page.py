"""Puts the Corpus page into Airflow: an entry of the navigation and a tab of each run.

Every process of Airflow imports this file, so what the page needs is loaded at its first request.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

PREFIX = "/corpus"
BASE = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")  # of an Airflow below a path of its host

Message = MutableMapping[str, Any]


class CorpusPage:
    """The ASGI application, made when it is first asked for something."""

    def __init__(self) -> None:
        self._app: Callable[..., Awaitable[None]] | None = None

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if self._app is None:
            from plugins.corpus_page.app import create_app
            from plugins.corpus_page.deployment import store_uri

            self._app = create_app(lambda: store_uri(os.environ))
        await self._app(scope, receive, send)


class XlmrPage(AirflowPlugin):
    """The page under the API server, and where the UI shows it."""

    name = "xlmr_page"
    fastapi_apps = [{"app": CorpusPage(), "url_prefix": PREFIX, "name": "XLM-R corpus"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "Corpus",
            "href": f"{BASE}{PREFIX}/",
            "destination": "nav",
            "url_route": "corpus",
            "nav_top_level": True,
            "icon": f"{BASE}{PREFIX}/static/corpus.svg",
        },
        {
            "name": "Corpus",
            "href": f"{BASE}{PREFIX}/run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "corpus-run",
        },
    ]
