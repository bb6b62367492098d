"""What is said when something fails: the last line of a task's log, and a message about the run."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from dags.installation import DEPLOYMENT

log = logging.getLogger(__name__)


def explain(context: Mapping[str, Any]) -> None:
    """The last line of a failed task's log: what was wrong, and what to do."""
    error = context.get("exception")
    task_instance = context["task_instance"]
    name = f"{task_instance.task_id} {getattr(task_instance, 'rendered_map_index', None) or ''}".strip()
    permanent = type(error).__name__ == "AirflowFailException"
    advice = (
        "fix the cause, then clear this task or start the run again: finished units are kept"
        if permanent
        else "it may be temporary: clear this task to try again; finished units are kept"
    )
    log.error("%s failed: %s. What to do: %s", name, str(error).rstrip("."), advice)


def notify(context: Mapping[str, Any], why: str = "") -> None:
    """One message about a failed run: a log line, and to the connection that the deployment names in `alerts`."""
    dag_run = context["dag_run"]
    text = f"{dag_run.dag_id} {dag_run.run_id} failed: {why or context.get('reason') or 'see its failed tasks'}"
    log.error("%s", text)
    if DEPLOYMENT.alerts:
        _send(DEPLOYMENT.alerts, text)


def _send(connection_id: str, text: str) -> None:
    """A webhook (connection type http: JSON {"text": …}) or an e-mail (type smtp; to: its extra `to_email`)."""
    from airflow.sdk import Connection

    connection: Any = Connection.get(connection_id)
    if connection.conn_type == "smtp":
        from airflow.providers.smtp.hooks.smtp import SmtpHook

        with SmtpHook(smtp_conn_id=connection_id) as mail:
            mail.send_email_smtp(to=connection.extra_dejson["to_email"], subject=text[:120], html_content=text)
        return
    import urllib3

    scheme = connection.schema or "http"
    port = f":{connection.port}" if connection.port else ""
    url = f"{scheme}://{connection.host}{port}/{str(connection.extra_dejson.get('path', '')).lstrip('/')}"
    headers = {"Content-Type": "application/json"}
    if connection.password:
        headers["Authorization"] = f"Bearer {connection.password}"
    reply = urllib3.request("POST", url, body=json.dumps({"text": text}), headers=headers, timeout=10, retries=2)
    if reply.status >= 300:
        log.error("the alert was not accepted: %s answers %s", url, reply.status)
