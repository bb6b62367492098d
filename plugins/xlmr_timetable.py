"""Registers the timetable of dumps with Airflow."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from plugins.crawl_timetable import CrawlTimetable


class XlmrTimetables(AirflowPlugin):
    name = "xlmr_timetables"
    timetables = [CrawlTimetable]  # noqa: RUF012  # Airflow's own interface
