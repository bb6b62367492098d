"""One run a dump: which dumps a range of dates holds, what starts by itself, what an unknown id is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

pytestmark = pytest.mark.airflow
CRAWLS = ("CC-MAIN-2018-05", "CC-MAIN-2008-2009", "CC-MAIN-2018-09", "CC-MAIN-2012", "CC-MAIN-2019-35")


@pytest.fixture
def timetable() -> Any:
    from plugins.crawl_timetable import CrawlTimetable

    return CrawlTimetable(CRAWLS)


def day(year: int, month: int, day_: int) -> Any:
    import pendulum

    return pendulum.datetime(year, month, day_)


def test_a_range_holds_the_dumps_whose_week_begins_in_it(timetable: Any) -> None:
    found = list(timetable.iter_partition_dagrun_infos(earliest=day(2018, 1, 29), latest=day(2018, 12, 31)))
    assert [info.partition_key for info in found] == ["CC-MAIN-2018-05", "CC-MAIN-2018-09"]
    assert found[0].partition_date == datetime(2018, 1, 29, tzinfo=UTC)  # the Monday of the fifth week


def test_dumps_that_name_years_alone_have_the_first_of_january(timetable: Any) -> None:
    found = list(timetable.iter_partition_dagrun_infos(earliest=day(2008, 1, 1), latest=day(2012, 1, 1)))
    assert [(info.partition_key, info.partition_date.year) for info in found] == [
        ("CC-MAIN-2008-2009", 2008), ("CC-MAIN-2012", 2012)]  # fmt: skip


def test_an_unknown_dump_is_refused_and_told_which_are_known(timetable: Any) -> None:
    from airflow.exceptions import InvalidPartitionKeyError

    assert timetable.resolve_partition_date("CC-MAIN-2019-35") == datetime(2019, 8, 26, tzinfo=UTC)
    with pytest.raises(InvalidPartitionKeyError, match=r"'CC-MAIN-2019-99' is no known dump .*CC-MAIN-2019-35"):
        timetable.resolve_partition_date("CC-MAIN-2019-99")


def test_nothing_starts_by_itself_unless_that_is_switched_on(timetable: Any) -> None:
    assert timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=None) is None
    assert not timetable.can_be_scheduled


def test_switched_on_the_newest_dump_starts_and_then_each_newly_listed_one() -> None:
    from plugins.crawl_timetable import CrawlTimetable

    before = CrawlTimetable(CRAWLS, start_new=True)
    first = before.next_dagrun_info_v2(last_dagrun_info=None, restriction=None)  # type: ignore[arg-type]
    assert first is not None
    assert first.partition_key == "CC-MAIN-2019-35"
    assert before.next_dagrun_info_v2(last_dagrun_info=first, restriction=None) is None  # type: ignore[arg-type]
    later = CrawlTimetable((*CRAWLS, "CC-MAIN-2019-39", "CC-MAIN-2019-43"), start_new=True)
    second = later.next_dagrun_info_v2(last_dagrun_info=first, restriction=None)  # type: ignore[arg-type]
    assert second is not None
    assert second.partition_key == "CC-MAIN-2019-39"


def test_it_comes_back_from_the_database_as_it_was(timetable: Any) -> None:
    again = type(timetable).deserialize(timetable.serialize())
    assert again.serialize() == timetable.serialize()
    assert (again.crawls, again.start_new) == (list(CRAWLS), False)
