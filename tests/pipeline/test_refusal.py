"""Languages refused in a run: the deployment names other text and a second identifier, the statistics tell."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest
from rich.console import Console

from ccnet.document import Document
from embedded.sentences import WORDS, combination, sentence
from pipeline.corpus_table import corpus_table
from pipeline.deployment import Deployment
from pipeline.draft import Draft
from pipeline.errors import BadInput
from pipeline.manifest import Manifest
from pipeline.plan import Plan
from pipeline.runs import CORPUS, END_TO_END, LANGUAGE_MODELS
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.stages.identify import MEASURED
from pipeline.stages.identify import STAGE as IDENTIFY
from pipeline.stages.ingest import STAGE as INGEST
from pipeline.stages.train_lid import STAGE as TRAIN_LID
from pipeline.statistics import language_steps
from pipeline.store import open_store
from pipeline.store.interface import ArtifactStore
from pipeline.tools import LANGUAGE_IDENTIFIER

needs_lid = pytest.mark.skipif(not LANGUAGE_IDENTIFIER.exists(), reason="lid.176 is not installed: make install")
LANGUAGES = ("de", "en", "sw")


def text(code: str, start: int, count: int) -> list[str]:
    return [sentence(WORDS[code], *combination(n)) for n in range(start, start + count)]


def documents(config: StageConfig, inputs: Inputs, draft: Draft) -> None:
    """Eight German pages and eight in Swahili."""
    from ccnet.shards import write_documents

    found = [Document(f"http://{code}.example/{n}", "", "", "", " ".join(text(code, 900 + 9 * n, 9)), "s", 400, 1)
             for code in ("de", "sw") for n in range(8)]  # fmt: skip
    write_documents(found, draft.path("documents.parquet"))
    draft.add({"documents_in": 16, "documents_kept": 16})


DEDUPLICATE = Stage(name="deduplicate", version=1, config=StageConfig, body=documents)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[ArtifactStore, dict[str, str]]:
    """A store with a classifier of German and English, with Swahili as other text; URIs by what they are."""
    root = tmp_path_factory.mktemp("refusal")
    store = open_store((root / "store").as_uri())
    for code, folder in (("de", "reference"), ("en", "reference"), ("sw", "other")):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / f"{code}.txt.gz").write_bytes(gzip.compress("\n".join(text(code, 0, 300)).encode()))
    uris = {"identifier": INGEST.run({"source": str(LANGUAGE_IDENTIFIER)}, [], store, "language-identifier")}
    uris["second"] = INGEST.run({"source": str(LANGUAGE_IDENTIFIER)}, [], store, "second-identifier")
    uris["other"] = INGEST.run({"source": str(root / "other")}, [], store, "other-text")
    uris |= {code: INGEST.run({"source": str(root / "reference"), "names": [f"{code}.txt.gz"]}, [], store,
                              f"reference/{code}") for code in ("de", "en")}  # fmt: skip
    uris["documents"] = DEDUPLICATE.run({}, [], store, "CC-MAIN-2026-30/00000-of-00001")
    config = {"languages": LANGUAGES, "classifier_characters": 20_000, "classifier_epochs": 5}
    uris["classifier"] = TRAIN_LID.run(config, [uris[n] for n in ("identifier", "other", "de", "en")], store, "all")
    return store, uris


def identified(made: tuple[ArtifactStore, dict[str, str]], *names: str) -> Manifest:
    store, uris = made
    inputs = [uris[name] for name in ("identifier", "documents", *names)]
    return store.manifest(IDENTIFY.run({"languages": LANGUAGES}, inputs, store, "CC-MAIN-2026-30/00000-of-00001"))


@needs_lid
def test_without_other_text_nothing_is_refused(made: tuple[ArtifactStore, dict[str, str]]) -> None:
    counts = identified(made).counts
    assert counts["kept_de"] == 8
    assert counts["kept_sw"] > 0
    assert not {name for name in counts if "unsure" in name or "agreed" in name}


@needs_lid
def test_a_classifier_with_other_text_agrees_and_its_measure_goes_along(
    made: tuple[ArtifactStore, dict[str, str]],
) -> None:
    store, uris = made
    trained = store.manifest(uris["classifier"])
    assert (trained.counts["languages_with_text"], trained.counts["other_languages"]) == (2, 1)
    manifest = identified(made, "classifier")
    assert manifest.counts["agreed_de"] == manifest.counts["kept_de"] == 8
    assert manifest.counts["agreed_sw"] == 8  # without reference text it is named where both say so
    measured = json.loads(store.open(manifest.artifact(MEASURED)).read_text())
    assert measured == {"de": 1.0, "en": 1.0}
    second = identified(made, "classifier", "second").counts
    assert second["kept_de"] == 8


@needs_lid
def test_a_second_identifier_without_a_classifier_that_refuses_is_told(
    made: tuple[ArtifactStore, dict[str, str]],
) -> None:
    with pytest.raises(BadInput, match="without other_text"):
        identified(made, "second")


def test_the_deployment_names_what_is_ingested_and_nothing_else_changes() -> None:
    plain = Deployment(reference="/r", digests={"second-identifier": "ab" * 32})
    both = plain.model_copy(update={"other_text": "/o", "second_identifier": "s3://b/glotlid.bin"})
    models = LANGUAGE_MODELS.settings(languages=("sw",))
    corpus = CORPUS.settings(crawl="CC-MAIN-2026-30", languages=("sw",))
    end = END_TO_END.settings(dumps=("CC-MAIN-2026-30",), languages=("sw",))
    for run, settings, names in ((LANGUAGE_MODELS, models, {"other-text"}), (CORPUS, corpus, {"second-identifier"}),
                                 (END_TO_END, end, {"other-text", "second-identifier"})):  # fmt: skip
        added = set(Plan(run, settings, both).ingested()) - set(Plan(run, settings, plain).ingested())
        assert added == names
    assert Plan(CORPUS, corpus, both).ingested()["second-identifier"]["sha256"] == "ab" * 32
    precision = models.model_copy(update={"classifier_precision": 0.9})
    keys = [Plan(LANGUAGE_MODELS, some, plain).work("train_lid", "all").config.model_dump()
            for some in (models, precision)]  # fmt: skip
    assert "classifier_precision" not in keys[0]  # keys from before this setting stay
    assert keys[1]["classifier_precision"] == 0.9


def test_statistics_tell_agreement_unsure_documents_and_precision_within_80_columns() -> None:
    steps = language_steps("sw", [manifest(kept_sw=6, agreed_sw=3, unsure_sw=2), manifest(kept_sw=2)], {})
    assert steps["identify"] == {"kept": 8, "agreed": 3, "unsure": 2}
    assert language_steps("sw", [manifest(kept_sw=8)], {})["identify"] == {"kept": 8}
    row: dict[str, Any] = {"name": "Swahili", "buckets": {}, "paper_gib": 1.6, "tokens": None}
    one = {"release": "r", "dropped": {}, "languages": {"sw": row | {"steps": {"identify": {"kept": 8}}}}}
    assert "held-out" not in shown(one)
    several = {**one, "languages": {"sw": row | {"steps": steps, "identification_precision": 0.987}}}
    [line] = [line.split() for line in shown(several).splitlines() if line.split()[:2] == ["sw", "8"]]
    assert line == ["sw", "8", "38", "%", "2", "0.987"]


def manifest(**counts: int) -> Manifest:
    return Manifest(
        stage="identify", version=1, unit="CC-MAIN-2026-30/0", fingerprint="0", config={}, inputs=(), artifacts=(),
        counts=counts, seconds=0, attempt="", written_at="", code_version="", library_versions={},
    )  # fmt: skip


def shown(statistics: dict[str, Any]) -> str:
    out = io.StringIO()
    Console(file=out, width=80).print(corpus_table(statistics))
    assert max(map(len, out.getvalue().splitlines())) <= 80
    return out.getvalue()
