"""`xlmr card`: what README.md and croissant.json say is what the release holds, and their readers read it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlcroissant
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from huggingface_hub import DatasetCard

from embedded.crawls import make_small_crawls
from pipeline.cli import xlmr
from pipeline.deployment import COMMON_CRAWL, Deployment
from pipeline.errors import FactoryError
from pipeline.plan import Plan, select
from pipeline.release_card import Card, Source, card_of_folder, card_of_store
from pipeline.release_readme import readme, write_card
from pipeline.runner import run_work
from pipeline.runs import END_TO_END
from pipeline.store import ArtifactStore, open_store
from pipeline.tools import LANGUAGE_IDENTIFIER

pytestmark = [
    pytest.mark.skipif(not LANGUAGE_IDENTIFIER.exists(), reason="lid.176 is not installed: make install"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of mlcroissant's own libraries
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    """With a release of two dumps."""
    crawl = make_small_crawls(tmp_path_factory.mktemp("crawl"))
    found = open_store(tmp_path_factory.mktemp("store").as_uri())
    settings = {"dumps": crawl.crawls, "languages": ["en", "de", "sw"], "min_characters": 100, "kind": "warc",
                "slices": 1, "dedup_ranges": 1, "part_gib": 10_000, "release": "small"}  # fmt: skip
    place = Deployment(store=found.root, source=crawl.base_uri, language_identifier=str(LANGUAGE_IDENTIFIER))
    for work in select(Plan(END_TO_END, END_TO_END.settings.parse(settings), place), "publish"):
        run_work(work, found.root)
    return found


@pytest.fixture(scope="module")
def published(store: ArtifactStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the release with its card in it, as one uploads it."""
    folder = tmp_path_factory.mktemp("published") / "small"
    shutil.copytree(release_folder(store), folder)
    said = run(
        "small", "--store", store.root, "--to", str(folder), "--licence", "CC0-1.0", "--url", "https://a.example/"
    )
    assert said.output.split() == [str(folder / "README.md"), str(folder / "croissant.json")]
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(xlmr, ["card", *arguments])


def release_folder(store: ArtifactStore) -> Path:
    [folder] = (Path(store.local(key)).parent for key in store.list("corpus/") if key.endswith("/_statistics.json"))
    return folder


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [
        row for part in sorted(folder.glob("lang=*/*/*.parquet")) for row in pq.ParquetFile(part).read().to_pylist()
    ]


def test_hugging_face_reads_the_front_matter(published: Path) -> None:
    data = DatasetCard.load(published / "README.md").data.to_dict()
    assert (data["pretty_name"], data["language"], data["license"]) == ("small", ["de", "en", "sw"], "other")
    assert data["size_categories"] == ["n<1K"]
    assert data["configs"][1] == {"config_name": "de", "data_files": "lang=de/*/*.parquet"}


def test_the_numbers_are_those_of_the_files(published: Path) -> None:
    text = (published / "README.md").read_text(encoding="utf-8")
    rows = rows_of(published)
    for code, name in (("de", "German"), ("en", "English"), ("sw", "Swahili")):
        own = [row for row in rows if row["language"] == code]
        paragraphs, characters = (sum(row[column] for row in own) for column in ("nlines", "length"))
        assert f"| {code} | {name} | {len(own):,} | {paragraphs:,} | {characters:,} |" in text
    assert f"| documents | {len(rows):,} |" in text
    hosts = Counter(row["url"].split("/")[2] for row in rows)
    for host, documents in hosts.items():
        assert f"| {host} | {documents:,} |" in text
    stages = [line for line in text.splitlines() if re.match(r"\| (CC-MAIN-.*|all) \| [a-z_]+ \| \d", line)]
    assert len(stages) == 11
    assert stages[-1].startswith("| all | regroup | ")
    assert f"| {len(rows)} | text seen before " in stages[-1]


def test_the_code_of_the_readme_loads_the_release(
    published: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    text = (published / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    by_datasets, by_pyarrow, by_pandas = (block.replace("FOLDER", str(published)) for block in blocks)
    rows = rows_of(published)
    found: dict[str, Any] = {}
    exec(by_datasets, found)
    assert next(iter(found["documents"])) == next(row for row in rows if row["language"] == "de")
    exec(by_pyarrow, found)
    assert found["documents"].num_rows == len(rows)
    exec(by_pandas, found)
    assert len(found["documents"]) == sum(row["language"] == "de" for row in rows)


def test_croissant_is_valid_and_its_records_are_the_documents(published: Path) -> None:
    dataset = mlcroissant.Dataset(jsonld=published / "croissant.json")
    assert not dataset.metadata.ctx.issues.errors
    assert dataset.metadata.ctx.conforms_to.value == "http://mlcommons.org/croissant/1.1"
    records = list(dataset.records("documents"))
    rows = rows_of(published)
    plain = [{name.removeprefix("documents/"): _text(value) for name, value in record.items()} for record in records]
    buckets = [record.pop("bucket") for record in plain]
    assert [{**row, "line_ids": list(row["line_ids"])} for row in plain] == rows
    assert set(buckets) == {"all"}


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def test_croissant_has_the_digest_of_every_file(published: Path) -> None:
    described = json.loads((published / "croissant.json").read_text(encoding="utf-8"))
    digests = {row["contentUrl"]: row["sha256"] for row in described["distribution"] if "contentUrl" in row}
    parts = published.glob("lang=*/*/*.parquet")
    assert digests == {
        part.relative_to(published).as_posix(): hashlib.sha256(part.read_bytes()).hexdigest() for part in parts
    }
    assert described["license"] == "https://spdx.org/licenses/CC0-1.0.html"


def test_a_release_is_found_by_name_manifest_and_folder_and_its_card_is_the_same(
    store: ArtifactStore, tmp_path: Path
) -> None:
    manifest = next(store.uri(key) for key in store.list("publish/") if key.endswith("manifest.json"))
    folder = release_folder(store)
    printed = {run(*said).output for said in (
        ("small", "--store", store.root), ("--store", store.root), (manifest,), (str(folder),),
        (f"{store.root}/corpus/{folder.name}", "--store", store.root),
    )}  # fmt: skip
    assert printed == {readme(card_of_store(store, "small"))}
    card = card_of_store(store)
    first = [path.read_bytes() for path in write_card(card, tmp_path)]
    assert [path.read_bytes() for path in write_card(card, tmp_path)] == first


def test_a_folder_without_manifests_tells_what_it_knows(published: Path, tmp_path: Path) -> None:
    for part in published.glob("lang=*/*/*.parquet"):
        table = pq.ParquetFile(part).read()
        place = tmp_path / part.parent.parent.name / "all-00000.parquet"
        place.parent.mkdir()
        pq.write_table(table.append_column("bucket", pa.array(["all"] * table.num_rows)), place)
    card = card_of_folder(tmp_path)
    said = readme(card)
    assert "The folder has no manifests" in said
    assert f"| documents | {len(rows_of(published)):,} |" in said
    write_card(card, tmp_path)
    dataset = mlcroissant.Dataset(jsonld=tmp_path / "croissant.json")
    assert len(list(dataset.records("documents"))) == len(rows_of(published))


def test_what_was_masked_marked_and_read_is_told(store: ArtifactStore) -> None:
    card = card_of_store(store)
    assert "Nothing. The text holds the personal data" in readme(card)
    assert "Documents were not compared with benchmarks" in readme(card)
    assert "the crawl is not read from Common Crawl's own server" in readme(card)
    english = card.languages["en"] | {"benchmarks": {"xnli": 3}, "domains": {"a|<b>.example": 7}}
    other: Card = replace(
        card,
        masked={"email": 12, "iban": 3},
        languages={**card.languages, "en": english, "hi_rom": english | {"name": "Hindi Romanized"}},
        settings={**card.settings, "regroup": {"decontaminate": ["mark"]}},
        sources=(Source("CC-MAIN-2019-35", COMMON_CRAWL, "wet", 56_000, 10**13),),
        has_signals=True,
    )
    said = readme(other)
    for line in ("* email: 12 times", "* iban: 3 times", "| en | xnli | 3 |", r"| a\|&lt;b>.example | 14 |",
                 '- "hi-Latn"', "license_name: common-crawl-terms-of-use", "| benchmarks | list of string |",
                 "| symbol_ratio | float |", f"| CC-MAIN-2019-35 | 56,000 | 9.09 TiB | wet | {COMMON_CRAWL} |",
                 "marked in the column `benchmarks`"):  # fmt: skip
        assert line in said, line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "nowhere: no finished release of that name"),
        (("small", "--licence", "my own"), "--licence 'my own': wanted an SPDX identifier"),
        (("SUMMARIZE",), "a manifest of summarize: wanted one of publish"),
        (("EMPTY",), "holds no lang="),
        (("corpus/release=small-00000000",), "no finished release lies there"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(
    store: ArtifactStore, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    other = next(store.uri(key) for key in store.list("summarize/") if key.endswith("manifest.json"))
    places = {"SUMMARIZE": other, "EMPTY": str(tmp_path)}
    found = run(*(places.get(argument, argument) for argument in arguments), "--store", store.root)
    assert isinstance(found.exception, FactoryError)
    assert said in str(found.exception)
    assert "\n" not in str(found.exception)
