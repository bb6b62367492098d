"""Common Crawl's list of dumps: read from a local copy, updated from its source, refused where it is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.crawl_list import KEY, parse_crawl_list, read_crawl_list, starts_of, update_crawl_list
from pipeline.deployment import Deployment
from pipeline.errors import BadInput
from pipeline.store import open_store


def test_the_shipped_list_has_the_dumps_of_the_paper() -> None:
    known = {crawl.id for crawl in read_crawl_list()}
    assert {"CC-MAIN-2008-2009", "CC-MAIN-2012", "CC-MAIN-2018-05", "CC-MAIN-2018-51", "CC-MAIN-2019-35"} <= known


def test_a_dump_begins_on_the_monday_of_its_week_in_the_order_of_weeks() -> None:
    assert starts_of("CC-MAIN-2019-35").date().isoformat() == "2019-08-26"
    crawls = parse_crawl_list(b'[{"id": "CC-MAIN-2019-35"}, {"id": "CC-MAIN-2012"}, {"id": "CC-NEWS-2020-01"}]', "x")
    assert [crawl.id for crawl in crawls] == ["CC-MAIN-2012", "CC-MAIN-2019-35"]


def test_the_list_is_updated_into_the_store_and_the_local_copy(tmp_path: Path) -> None:
    source, copy = tmp_path / "collinfo.json", tmp_path / "shared" / "crawls.json"
    source.write_text(json.dumps([{"id": "CC-MAIN-2030-05", "name": "January 2030 Index"}]))
    store = open_store((tmp_path / "store").as_uri())
    deployment = Deployment.parse({"collection_info": source.as_uri(), "crawl_list": str(copy)})
    assert [crawl.name for crawl in update_crawl_list(deployment, store)] == ["January 2030 Index"]
    assert store.get(KEY) == source.read_bytes()
    assert [crawl.id for crawl in read_crawl_list(copy)] == ["CC-MAIN-2030-05"]


@pytest.mark.parametrize("text", ["<html>", "{}", '["CC-MAIN-2019-35"]', "[]"])
def test_what_is_no_list_is_refused_and_the_copy_stays(tmp_path: Path, text: str) -> None:
    source, copy = tmp_path / "collinfo.json", tmp_path / "crawls.json"
    source.write_text(text)
    copy.write_text('[{"id": "CC-MAIN-2019-35"}]')
    deployment = Deployment.parse({"collection_info": str(source), "crawl_list": str(copy)})
    with pytest.raises(BadInput, match=r"collinfo\.json"):
        update_crawl_list(deployment, open_store(str(tmp_path / "store")))
    assert [crawl.id for crawl in read_crawl_list(copy)] == ["CC-MAIN-2019-35"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    deployment = Deployment.parse({"collection_info": str(tmp_path / "gone.json")})
    with pytest.raises(BadInput, match=r"gone\.json"):
        update_crawl_list(deployment, open_store(str(tmp_path / "store")))
