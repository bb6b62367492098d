"""Official files from a server of our own, through the stage and the command line, to the readers."""

from __future__ import annotations

import hashlib
import io
import json
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from evaluation.benchmarks import BENCHMARKS, read_splits
from evaluation.published_files import PublishedFile, PublishedFiles
from pipeline.cli import xlmr
from pipeline.deployment import Deployment
from pipeline.errors import BadConfig, BadInput
from pipeline.official_files import bring, official_source, place_of
from pipeline.plan import Plan
from pipeline.reevaluation import _benchmark_files as benchmark_files
from pipeline.runs import EVALUATE, RELEASE, EvaluateSettings, ReleaseSettings
from pipeline.stages import index_benchmarks, ingest
from pipeline.store import FileStore

MIB = 1 << 20  # downloads are written in pieces of this size
ROOT = Path(__file__).resolve().parents[2]


def zipped(members: Mapping[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return made.getvalue()


def packed(members: Mapping[str, str]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return made.getvalue()


def squad(*questions: str) -> str:
    asked = [{"id": name, "question": "Who?", "answers": [{"text": "Asha", "answer_start": 0}]} for name in questions]
    return json.dumps({"data": [{"title": "t", "paragraphs": [{"context": "Asha came.", "qas": asked}]}]})


def table(header: str, *rows: str) -> str:
    return "".join(f"{row}\n" for row in (header, *rows))


LABELS = ("entailment", "neutral", "contradiction")
XNLI = table("language\tgold_label\tsentence1_binary_parse\tsentence1\tsentence2",
             *(f"{language}\t{label}\t\ta\tb" for language in ("en", "sw") for label in LABELS))  # fmt: skip
MULTINLI = table("premise\thypo\tlabel", "a .\tb .\tentailment", "a .\tc .\tcontradictory")
SST2 = table("sentence\tlabel", *(f"text {number}\t{number % 2}" for number in range(12)))
PAWS = table("id\tsentence1\tsentence2\tlabel", "1\ta b\tb a\t1", "2\ta c\tc a\t0")
MRPC_HEADER = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String"
MRPC = [f"{number % 2}\t{number}\t{number + 100}\ta {number}\tb {number}" for number in range(12)]
NOISE = {"__MACOSX/._dev.tsv": "x", "__MACOSX/._eng_Latn.devtest": "x", "README.md": "x"}
# benchmark -> the name of each official file -> its bytes, in the layout of its authors
SERVED: dict[str, dict[str, bytes]] = {
    "xnli": {
        "XNLI-1.0.zip": zipped({"XNLI-1.0/xnli.dev.tsv": XNLI, "XNLI-1.0/xnli.test.tsv": XNLI,
                                "XNLI-1.0/xnli.dev.jsonl": "{}", **NOISE}),
        "XNLI-MT-1.0.zip": zipped({"XNLI-MT-1.0/multiNLI/multinli.train.en.tsv": MULTINLI,
                                   "XNLI-MT-1.0/multiNLI/multinli.train.sw.tsv": MULTINLI,
                                   "XNLI-MT-1.0/xnli/xnli.test.en.tsv": XNLI}),
    },
    "sst2": {"SST-2.zip": zipped({"SST-2/train.tsv": SST2, "SST-2/dev.tsv": SST2, **NOISE})},
    "mrpc": {
        "msr_paraphrase_train.txt": table(MRPC_HEADER, *MRPC).encode(),
        "mrpc_dev_ids.tsv": b"3\t103\n5\t105\n",
    },
    "pawsx": {"x-final.tar.gz": packed({
        "x-final/en/train.tsv": PAWS, "x-final/sw/translated_train.tsv": PAWS,
        **{f"x-final/{language}/{part}_2k.tsv": PAWS for language in ("en", "sw") for part in ("dev", "test")},
    })},
    "mlqa": {
        "MLQA_V1.zip": zipped({f"MLQA_V1/{part}/{part}-context-{pair}.json": squad("q1") for part in ("dev", "test")
                               for pair in ("en-question-en", "es-question-de")}),
        "train-v1.1.json": squad("q1", "q2").encode() + b" " * (3 * MIB),
    },
    "tydiqa": {
        "tydiqa-goldp-v1.1-train.json": squad("english-1", "swahili-2").encode(),
        "tydiqa-goldp-v1.1-dev.json": squad("swahili-3").encode(),
    },
    "flores": {"flores200_dataset.tar.gz": packed({
        "./flores200_dataset/devtest/eng_Latn.devtest": "one\ntwo\n",
        "./flores200_dataset/devtest/swh_Latn.devtest": "moja\nmbili\n",
        "./flores200_dataset/dev/eng_Latn.dev": "three\n",
    })},
}  # fmt: skip


class Server(ThreadingHTTPServer):
    """Files by the last part of their address; `asked` are the requests; of `cut` only so many bytes are sent, and the
    connection stays open."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}
        self.cut: dict[str, int] = {}
        self.asked: list[tuple[str, str]] = []
        self.half_sent = threading.Event()
        self.over = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name, begin = self.path.rpartition("/")[2], self.headers.get("Range", "")
        self.server.asked.append((name, begin))
        if name not in self.server.files:
            self.send_error(404)
            return
        body = self.server.files[name][int(begin.removeprefix("bytes=").rstrip("-") or 0) :]
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut.get(name, len(body))])
        if name in self.server.cut:
            self.wfile.flush()
            self.server.half_sent.set()
            self.server.over.wait(30)

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Every benchmark of SERVED states the digests of the files above, at the addresses of its real ones."""
    made = Server()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    for benchmark, files in SERVED.items():
        monkeypatch.setitem(BENCHMARKS, benchmark, replace(BENCHMARKS[benchmark], published_files=stated(benchmark)))
        made.files |= files
    yield made
    made.over.set()
    made.shutdown()
    made.server_close()


def stated(benchmark: str) -> PublishedFiles:
    """The benchmark's own list with the sizes and digests of what is served here."""
    real = BENCHMARKS[benchmark].published_files
    files = SERVED[benchmark]
    return replace(real, files=tuple(
        replace(file, size_bytes=len(files[file.name]), sha256=hashlib.sha256(files[file.name]).hexdigest())
        for file in real.files
    ))  # fmt: skip


def ingested(benchmark: str, store: FileStore, server: Server) -> str:
    config = {"source": official_source(benchmark), "mirror": server.url}
    return ingest.STAGE.run(config, (), store, f"benchmarks/{benchmark}")


@pytest.mark.parametrize(
    ("benchmark", "test_sets"),
    [("xnli", {"en": 3, "sw": 3}), ("sst2", {"en": 12}), ("mrpc", {"en": 2}), ("pawsx", {"en": 2, "sw": 2}),
     ("mlqa", {"en": 1, "es-de": 1}), ("tydiqa", {"sw": 1}), ("flores", {"swh_Latn": 2})],
)  # fmt: skip
def test_official_files_come_into_the_store_where_the_reader_finds_them(
    server: Server, tmp_path: Path, benchmark: str, test_sets: dict[str, int]
) -> None:
    store = FileStore(tmp_path / "store")
    manifest = store.manifest(ingested(benchmark, store, server))
    for artifact in manifest.artifacts:
        place = tmp_path / "data" / artifact.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(store.open(artifact).read_bytes())
    splits = read_splits(benchmark, tmp_path / "data")
    assert {name: len(examples) for name, examples in splits.test.items()} == test_sets
    assert not [artifact.name for artifact in manifest.artifacts if "MACOSX" in artifact.name]
    assert "mirror" not in manifest.config


def test_every_file_of_every_list_says_what_it_is() -> None:
    for benchmark in BENCHMARKS.values():
        files = benchmark.published_files
        assert files.files or files.by_hand
        for file in files.files:
            assert file.url.startswith("https://")
            assert (len(file.sha256), len(file.git_blob)) in ((64, 0), (0, 40))
            assert file.path.split("/")[0] in (*benchmark.folders, "xnli")  # AmericasNLI trains on XNLI's
    places = [file.path for file in BENCHMARKS["sib200"].published_files.files]
    assert len(places) == len(set(places)) == 3 * 205


def test_a_file_of_another_digest_is_refused_and_fetched_again_the_next_time(server: Server, tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    right = server.files["SST-2.zip"]
    for wrong in (right[:-1] + b"?", right[:-20]):  # damaged, cut
        server.files["SST-2.zip"] = wrong
        with pytest.raises(BadInput, match=rf"data/SST-2\.zip: {len(wrong):,} bytes with digest \w+…, published is "
                           rf"\w+… of {len(right):,} bytes: .*try again, or get it yourself"):  # fmt: skip
            ingested("sst2", store, server)
    assert not [key for key in store.list("ingest/") if key.endswith("manifest.json")]
    server.files["SST-2.zip"] = right
    assert len(store.manifest(ingested("sst2", store, server)).artifacts) == 2


def test_a_file_of_which_only_gits_digest_is_known_is_checked_by_it(server: Server, tmp_path: Path) -> None:
    # git hash-object of a file that holds "hello" and a line feed
    file = PublishedFile("https://x/a.txt", 0, "", "flores/a.txt", git_blob="ce013625030ba8dba906f756967f9e9ca394464a")
    BENCHMARKS["flores"] = replace(BENCHMARKS["flores"], published_files=PublishedFiles((file,)))  # type: ignore[index]
    server.files["a.txt"] = b"hello\n"
    bring("flores", tmp_path / "downloads", tmp_path / "data", mirror=server.url)
    assert (tmp_path / "data/flores/a.txt").read_bytes() == b"hello\n"
    place_of(file, tmp_path / "downloads").write_bytes(b"hullo\n")
    with pytest.raises(BadInput, match="6 bytes with digest"):
        bring("flores", tmp_path / "downloads", tmp_path / "data", mirror=server.url)


@pytest.mark.parametrize(
    ("members", "told"),
    [({"SST-2/train.tsv": SST2}, r"SST-2\.zip: holds no dev\.tsv: wanted the archive as it was published"),
     ({"SST-2/train.tsv": SST2, "../dev.tsv": SST2}, r"its member '\.\./dev\.tsv' leads out of its folder")],
)  # fmt: skip
def test_an_archive_without_a_wanted_member_or_with_one_that_leads_out_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: dict[str, str], told: str
) -> None:
    monkeypatch.setitem(SERVED, "sst2", {"SST-2.zip": zipped(members)})
    monkeypatch.setitem(BENCHMARKS, "sst2", replace(BENCHMARKS["sst2"], published_files=stated("sst2")))
    server.files |= SERVED["sst2"]
    with pytest.raises(BadInput, match=told):
        bring("sst2", tmp_path / "downloads", tmp_path / "data", mirror=server.url)
    assert not list(tmp_path.rglob("dev.tsv"))


def test_a_killed_download_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    server.cut["train-v1.1.json"] = MIB + 100
    script = (
        "from tests.evaluation.test_official_files import *\n"
        "BENCHMARKS['mlqa'] = replace(BENCHMARKS['mlqa'], published_files=stated('mlqa'))\n"
        f"bring('mlqa', Path({str(tmp_path / 'downloads')!r}), Path({str(tmp_path / 'data')!r}), mirror={server.url!r})"
    )
    first = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    assert server.half_sent.wait(60)
    archive, train = BENCHMARKS["mlqa"].published_files.files
    whole = place_of(archive, tmp_path / "downloads")
    half = whole.with_name(f".{place_of(train, tmp_path / 'downloads').name}.part")
    for _ in range(3000):
        if whole.exists() and half.exists() and half.stat().st_size == MIB:
            break
        assert not server.over.wait(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (tmp_path / "data").exists()
    server.cut.clear()
    server.asked.clear()
    bring("mlqa", tmp_path / "downloads", tmp_path / "data", mirror=server.url)
    assert server.asked == [("train-v1.1.json", f"bytes={MIB}-")]
    assert len(read_splits("mlqa", tmp_path / "data").train["en"]) == 2


def plan(*benchmarks: str) -> Plan:
    settings = EvaluateSettings.parse({"benchmarks": benchmarks, "checkpoint": "hf://lab/model", "seeds": (1, 2)})
    return Plan(EVALUATE, settings, Deployment(benchmark_data="official"))


def test_a_run_brings_the_benchmarks_it_is_asked_for_and_a_changed_list_makes_new_work_of_that_one_alone(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = plan("sst2", "flores")
    names = [work.unit for work in before.works("ingest")]
    assert names == ["benchmarks/sst2", "benchmarks/flores", "checkpoint/lab/model"]
    reads = {work.unit: [key for key in work.inputs if "benchmarks" in key] for work in before.works("evaluate")}
    assert reads["sst2/seed-1"] == [before.work("ingest", "benchmarks/sst2").key]
    monkeypatch.setitem(SERVED, "sst2", {"SST-2.zip": b"other"})
    monkeypatch.setitem(BENCHMARKS, "sst2", replace(BENCHMARKS["sst2"], published_files=stated("sst2")))
    after = plan("sst2", "flores")
    changed = {work.unit for work, old in zip(after.works("evaluate"), before.works("evaluate"), strict=True)
               if work.key != old.key}  # fmt: skip
    assert changed == {"sst2/seed-1", "sst2/seed-2"}
    with pytest.raises(BadConfig, match="plan again"):
        ingest.STAGE.run(
            before.work("ingest", "benchmarks/sst2").config, (), FileStore(Path("none")), "benchmarks/sst2"
        )


def test_reevaluation_compares_the_official_files_of_the_benchmark_itself(server: Server, tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    keys = [store.key(ingested(name, store, server)) for name in ("sst2", "flores")]
    assert set(benchmark_files(store, keys, "flores")) == {f"flores/{name}_Latn.devtest" for name in ("eng", "swh")}


@pytest.mark.parametrize(("benchmark", "told"), [("panx", "cloud drive"), ("belebele", r"assemble_training_set\.py")])
def test_a_benchmark_that_cannot_be_downloaded_says_what_to_get(benchmark: str, told: str) -> None:
    with pytest.raises(BadConfig, match=f"{benchmark}: its official files cannot be downloaded: .*{told}"):
        plan(benchmark).works("ingest")


def test_a_release_is_compared_with_official_files(server: Server, tmp_path: Path) -> None:
    settings = ReleaseSettings.parse({"decontaminate": "mark", "decontaminate_against": ("mrpc", "sst2")})
    made = Plan(RELEASE, settings, Deployment(benchmark_data="official", benchmark_mirror=server.url))
    [index] = made.works("index_benchmarks")
    assert sorted(index.inputs) == sorted(work.key for work in made.works("ingest"))
    store = FileStore(tmp_path / "store")
    for work in made.works("ingest"):
        ingest.STAGE.run(work.config, (), store, work.unit)
    counts = store.manifest(index_benchmarks.STAGE.run(index.config, index.inputs, store, index.unit)).counts
    assert counts["too_short_sst2"] == 13  # all are: 12 sentences, and the empty second text of each
    assert counts["too_short_mrpc"] == 4


def call(*arguments: str) -> tuple[int, str, str]:
    said = CliRunner().invoke(xlmr, ["benchmarks", *arguments])
    if isinstance(said.exception, (BadConfig, BadInput)):
        return said.exception.exit_status, said.stdout, str(said.exception)
    return said.exit_code, said.stdout, said.stderr


def test_the_command_fetches_into_a_data_folder_and_tells_the_licence(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    status, said, _ = call("sst2", "mrpc", "--to", str(data), "--mirror", server.url)
    assert (status, said.split()) == (0, [str(data / "glue")] * 2)
    assert (
        "mrpc: 0.0 MB of official files (2) from dl.fbaipublicfiles.com; licence: Microsoft shared source"
        in caplog.text
    )
    assert [len(read_splits(name, data).test["en"]) for name in ("sst2", "mrpc")] == [12, 2]
    assert [path.name for path in data.iterdir()] == ["glue"]
    server.files["SST-2.zip"] = b"other"
    status, _, told = call("sst2", "--to", str(tmp_path / "again"), "--mirror", server.url)
    assert (status, "SST-2.zip: 5 bytes with digest" in told) == (2, True)
    assert not list((tmp_path / "again").rglob("*.tsv"))


def test_the_command_lists_licence_size_and_what_must_be_got_by_hand() -> None:
    status, said, _ = call("--json")
    rows = {row["name"]: row for row in json.loads(said)}
    assert (status, list(rows)) == (0, list(BENCHMARKS))
    assert rows["xnli"]["size_bytes"] == 483_963_712
    assert rows["panx"]["by_hand"].startswith("its authors publish it in a cloud drive")
    [ner] = json.loads(call("ner", "--json")[1])
    assert [file["path"] for file in ner["official_files"]][:2] == ["conll/esp.train", "conll/esp.testa"]
    assert "Reuters" in call("ner")[1]
