"""Who may read the pages: whoever Airflow lets read assets.

Airflow's checks are internals of its API server.  They are used here alone, and where they are gone nobody gets in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import HTTPException


def requires_reader() -> Callable[..., Any]:
    """A dependency for routes: 401 without a login, 403 without the right to read assets."""
    try:
        from airflow.api_fastapi.core_api.security import requires_access_asset
    except ImportError:
        return _refuse
    check: Callable[..., Any] = requires_access_asset("GET")
    return check


def _refuse() -> None:
    raise HTTPException(503, "The pages are disabled: they do not know the access checks of this version of Airflow")
