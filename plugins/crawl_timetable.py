"""A timetable with one run a dump of Common Crawl: the partition key is the dump's id, its date the dump's week."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from airflow.exceptions import InvalidPartitionKeyError
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from pendulum import DateTime, instance

from pipeline.crawl_list import starts_of

LATEST_NAMED = 5  # dumps that an error names


class CrawlTimetable(Timetable):
    """`crawls`: the known ids.  `start_new`: the newest dump starts by itself when it is listed; else a person, a
    backfill or the API starts runs."""

    description = "One run a dump of Common Crawl"
    partitioned = True
    periodic = True  # so that dumps can be backfilled
    run_ordering = ("partition_date", "run_after")

    def __init__(self, crawls: tuple[str, ...] | list[str], start_new: bool = False) -> None:
        self.crawls = list(crawls)
        self.start_new = start_new
        self.can_be_scheduled = start_new
        self._dates = sorted((instance(starts_of(crawl)), crawl) for crawl in crawls)

    @property
    def summary(self) -> str:
        return f"each of {len(self.crawls)} dumps"

    def serialize(self) -> dict[str, Any]:
        return {"crawls": self.crawls, "start_new": self.start_new}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        return cls(data["crawls"], data["start_new"])

    def iter_partition_dagrun_infos(self, *, earliest: datetime, latest: datetime) -> Iterator[DagRunInfo]:
        """The dumps whose week begins between these dates, both included: what a backfill runs."""
        for at, crawl in self._dates:
            if earliest <= at <= latest:
                yield self._info(at, crawl, run_after=at)

    def _decode_partition_date(self, partition_key: str) -> datetime | None:
        for at, crawl in self._dates:
            if crawl == partition_key:
                return at
        latest = ", ".join(crawl for _, crawl in self._dates[-LATEST_NAMED:])
        raise InvalidPartitionKeyError(
            f"{partition_key!r} is no known dump (the latest are {latest}): xlmr_crawl_registry updates the list"
        )

    def next_dagrun_info_v2(
        self, *, last_dagrun_info: DagRunInfo | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The oldest dump after the last one that was run; without one, the newest."""
        if not self.start_new or not self._dates:
            return None
        last = last_dagrun_info.partition_date if last_dagrun_info else None
        later = [(at, crawl) for at, crawl in self._dates if last is not None and at > last]
        if last is None:
            later = self._dates[-1:]
        if not later:
            return None
        at, crawl = later[0]
        return self._info(at, crawl, run_after=at)

    def next_dagrun_info(self, *, last_automated_data_interval: Any, restriction: TimeRestriction) -> None:
        """Airflow asks `next_dagrun_info_v2` of a timetable with partitions."""

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        return DataInterval.exact(run_after)

    def generate_run_id(
        self, *, run_type: Any, run_after: DateTime, data_interval: DataInterval | None, **extra: Any
    ) -> str:
        """backfill__CC-MAIN-2019-35__…: which dump, for people who read the list of runs."""
        import uuid

        name = extra.get("partition_key") or run_after.isoformat()
        return f"{run_type.value}__{name}__{uuid.uuid4().hex[:8]}"

    def _info(self, at: DateTime, crawl: str, *, run_after: DateTime) -> DagRunInfo:
        return DagRunInfo(run_after=run_after, data_interval=None, partition_date=at, partition_key=crawl)
