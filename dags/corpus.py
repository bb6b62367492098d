"""Turns one dump of Common Crawl into deduplicated, scored documents of each language (CCNet).

One run processes one dump: that of the partition key, or of the field Crawl of the form.  Backfill a range of dates to
run the dumps of those weeks.  Language models come from xlmr_language_models; a finished dump goes into the releases
that name it.
"""

from __future__ import annotations

from airflow.sdk import chain, dag

from dags.assets import DUMP
from dags.failures import notify
from dags.forms import form
from dags.installation import CRAWLS, DEPLOYMENT
from dags.tasks import RunTasks
from pipeline.deployment import DOWNLOAD
from pipeline.runs import CORPUS
from plugins.crawl_timetable import CrawlTimetable


@dag(
    dag_id=CORPUS.dag_id,
    schedule=CrawlTimetable(CRAWLS, start_new=DEPLOYMENT.start_new_dumps),
    params=form(CORPUS),
    catchup=False,
    max_active_runs=2,
    on_failure_callback=notify,
    tags=["xlmr"],
    doc_md=__doc__,
)
def corpus() -> None:
    tasks = RunTasks(CORPUS)
    wait, begin = tasks.wait(), tasks.begin()
    ingest = tasks.stage("ingest", pool=DOWNLOAD)
    fetch = tasks.stage("fetch", pool=DOWNLOAD)
    extract = tasks.stage("extract")
    hash_paragraphs = tasks.stage("hash_paragraphs")
    gather_hashes = tasks.stage("gather_hashes")
    find_duplicates = tasks.stage("find_duplicates")
    deduplicate = tasks.stage("deduplicate")
    identify = tasks.stage("identify")
    choose_cut_offs = tasks.stage("choose_cut_offs")
    filter_perplexity = tasks.stage("filter_perplexity")
    fetch_robots = tasks.stage("fetch_robots", pool=DOWNLOAD)
    read_robots = tasks.stage("read_robots")
    gather_robots = tasks.stage("gather_robots")
    filter_documents = tasks.stage("filter_documents")
    summarize = tasks.stage("summarize")

    chain(wait, begin, [ingest, fetch, fetch_robots])
    chain(fetch_robots, read_robots, gather_robots, filter_documents)
    chain(fetch, extract, hash_paragraphs, gather_hashes, find_duplicates, deduplicate)
    chain([deduplicate, ingest], identify, choose_cut_offs, filter_perplexity, filter_documents, summarize)
    chain(summarize, tasks.finish(DUMP))


corpus()
