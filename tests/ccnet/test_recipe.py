"""CCNet's quirks one by one, and its own answers on a whole WET file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ccnet import _hashing
from ccnet.deduplicate import deduplicate_shard
from ccnet.document import Bucket, Document
from ccnet.duplicates import find_duplicates, load_hashes
from ccnet.hashing import hash_lines, hash_shard, write_hashes
from ccnet.identify import LanguageIdentifier, identify_shard
from ccnet.language_model import train_language_model
from ccnet.normalize import dedup_table, normalize_for_dedup, normalize_for_language_model
from ccnet.perplexity import CutOffs, LanguageModel, bucket, cut_offs
from ccnet.release import PartWriters
from ccnet.scripts import burmese_encoding, chinese_script, code_by_script
from ccnet.shards import ROW_GROUP_DOCUMENTS, SCORED, write_documents
from tests.ccnet.gathering import gather

ROOT = Path(__file__).resolve().parents[2]
LETTERS = str.maketrans("01", "xy")  # digits are all one to dedup
IDENTIFIER = ROOT / ".tools" / "lid.176.ftz"
KENLM = ROOT / ".tools" / "kenlm" / "bin"


def documents(*texts: str) -> list[Document]:
    return [Document(f"u{i}", "", "", "", text, "s", len(text), text.count("\n") + 1) for i, text in enumerate(texts)]


def deduplicated(
    folder: Path, *shards: tuple[str, ...], keep_first: bool = False, memory_bytes: int = 1 << 30
) -> list[list[str]]:
    """Texts that remain of each shard of one group."""
    names = [folder / f"{i}.parquet" for i in range(len(shards))]
    hashes = [folder / f"{i}.npy" for i in range(len(shards))]
    for name, hash_file, texts in zip(names, hashes, shards, strict=True):
        write_documents(documents(*texts), name)
        hash_shard(name, [hash_file])
    losses = [folder / f"{i}.duplicates" for i in range(len(shards))]
    find_duplicates(hashes, losses, keep_first=keep_first, memory_bytes=memory_bytes)
    for name, hash_file, loss in zip(names, hashes, losses, strict=True):
        own = np.load(hash_file)
        once = own["hash"][own["repeated"] == 1] if keep_first else None
        deduplicate_shard(name, load_hashes(loss), folder / f"out-{name.name}", once=once)
    return [pq.read_table(folder / f"out-{name.name}").column("text").to_pylist() for name in names]


def test_dedup_normalisation_keeps_ascii_punctuation_spaces_and_accents() -> None:
    assert normalize_for_dedup(["Él dijo: «No, 24 años»…"]) == ["él dijo: no, 00 años".encode()]
    assert normalize_for_dedup(["٣ apples\x07\n\nΟΔΟΣ"]) == [b"0 apples", b"", "οδος".encode()]


def test_language_model_normalisation_glues_lines_and_removes_accents() -> None:
    assert normalize_for_language_model([" Éa\nb—c “1” ", "", "x…"]) == ['eab - c "0"', "", "x..."]


def test_a_hash_is_the_first_eight_bytes_of_sha1() -> None:
    [found] = hash_lines(["Hello"])
    assert int(found) == int.from_bytes(hashlib.sha1(b"hello").digest()[:8], "little")


@pytest.mark.parametrize("plainly", [False, True])
def test_hashes_are_sha1_of_the_normalised_lines_at_every_length(plainly: bool) -> None:
    characters = "aÉσΣİß１٣ \u0301、\n\U0001f600" + "\ud800" + "x" * 20
    for length in [*range(140), 1000]:
        text = "".join(characters[n * n % len(characters)] for n in range(length))
        found = np.frombuffer(_hashing.hash_lines([text, "b"], dedup_table(), plainly), "<u8").tolist()
        lines = normalize_for_dedup([text, "b"])
        assert found == [int.from_bytes(hashlib.sha1(line).digest()[:8], "little") for line in lines]


def test_all_copies_of_a_paragraph_are_removed_across_shards(tmp_path: Path) -> None:
    assert deduplicated(tmp_path, ("menu\none",), ("menu\ntwo", "MENU!\nthree")) == [["one"], ["two", "MENU!\nthree"]]


def test_a_paragraph_repeated_inside_one_document_is_kept_once(tmp_path: Path) -> None:
    assert deduplicated(tmp_path, ("a\nb\na",), ("c",)) == [["a\nb"], ["c"]]


def test_a_document_left_without_a_paragraph_is_dropped(tmp_path: Path) -> None:
    assert deduplicated(tmp_path, ("same",), ("same", "other")) == [[], ["other"]]


def test_global_dedup_keeps_the_first_copy_of_all_shards(tmp_path: Path) -> None:
    shards = ("menu\none", "menu\ntwo"), ("MENU\nthree", "two\none", "new\nfour"), ("new", "four\nfive", "new\nfive")
    wanted = [["menu\none", "two"], ["three", "new\nfour"], ["five"]]
    assert deduplicated(tmp_path, *shards, keep_first=True) == wanted


@pytest.mark.parametrize("keep_first", [False, True])
def test_less_memory_means_more_ranges_and_the_same_removals(tmp_path: Path, keep_first: bool) -> None:
    lines = [[f"{'same' if n % 3 else shard} {n * 7 % 40:b}" for n in range(60)] for shard in "abc"]
    shards = [tuple("\n".join(own[n : n + 4]).translate(LETTERS) for n in range(0, 60, 4)) for own in lines]
    results = []
    for memory in (1 << 30, 1 << 10):
        (tmp_path / str(memory)).mkdir()
        results.append(deduplicated(tmp_path / str(memory), *shards, keep_first=keep_first, memory_bytes=memory))
    assert results[0] == results[1]
    assert 0 < sum(text.count("\n") + 1 for shard in results[0] for text in shard) < 3 * 60


def test_percentiles_are_thirty_and_sixty() -> None:
    limits = cut_offs([float(n) for n in range(101)])
    assert limits == CutOffs(30.0, 60.0)
    found = [bucket(score, limits) for score in (29.9, 30.0, 59.9, 60.0, None)]
    assert found == [Bucket.HEAD, Bucket.MIDDLE, Bucket.MIDDLE, Bucket.TAIL, Bucket.ALL]


def test_chinese_is_told_apart_by_its_script() -> None:
    assert chinese_script("我们说这个问题") == "zh-Hans"
    assert chinese_script("我們說這個問題") == "zh-Hant"
    assert code_by_script("zh", "我們", ["en"]) == "zh"


def test_zawgyi_is_told_from_unicode_burmese() -> None:
    assert burmese_encoding("မြန်မာစာ ရေးသည်") == "my"
    assert burmese_encoding("ျမန္မာစာ ေရးသည္") == "my_zaw"
    assert code_by_script("my", "ျမန္မာစာ ေရးသည္", ["my"]) == "my"


def test_a_score_is_rounded_before_it_is_compared(tmp_path: Path) -> None:
    class Stub(LanguageIdentifier):
        def __init__(self) -> None:
            class Model:
                def predict(self, text: str, *_: object) -> list[tuple[float, str]]:
                    return [(0.495 if "kept" in text else 0.494, "__label__en")]

            self._model, self._batches, self._code_of = Model(), None, {}

    write_documents(documents("kept", "not"), tmp_path / "in.parquet")
    counts = identify_shard(tmp_path / "in.parquet", Stub(), tmp_path / "out", threshold=0.5)
    assert counts["documents_kept"] == 1
    assert pq.read_table(tmp_path / "out" / "en.parquet").column("language_score").to_pylist() == [0.5]


@pytest.mark.skipif(not IDENTIFIER.exists(), reason="lid.176 is not installed: make install")
def test_lid_names_languages(tmp_path: Path) -> None:
    identifier = LanguageIdentifier(IDENTIFIER)
    texts = ["Der alte Arzt wartet\nauf den Zug im Dorf.", "El escritor bebe una taza de té en la cocina."]
    assert [label for label, _ in identifier.identify(texts)] == ["de", "es"]


@pytest.mark.skipif(not KENLM.exists(), reason="lmplz is not built: make install")
def test_a_language_model_prefers_its_language_and_has_the_same_bytes_twice(tmp_path: Path) -> None:
    from embedded.written import reference_sentences

    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        train_language_model(
            reference_sentences()["de"], tmp_path / name, lmplz=KENLM / "lmplz", build_binary=KENLM / "build_binary",
            order=3, vocabulary_size=300,
        )  # fmt: skip
        found.append([(tmp_path / name / part).read_bytes() for part in ("sp.model", "arpa.bin")])
    assert found[0] == found[1]
    model = LanguageModel(tmp_path / "one" / "sp.model", tmp_path / "one" / "arpa.bin")
    german, english = model.perplexities(["Der Bauer singt ein leises Lied im Garten.", "The farmer sings a song."])
    assert german < english


def test_little_text_gives_no_model(tmp_path: Path) -> None:
    counts = train_language_model(["too little"], tmp_path, lmplz=Path("/no"), build_binary=Path("/no"))
    assert counts["characters"] == 10
    assert not (tmp_path / "arpa.bin").exists()


def test_near_duplicates_are_dropped_where_asked_for_and_in_their_language_alone(tmp_path: Path) -> None:
    lines = ["".join(chr(97 + (n * k + k) % 26) for k in range(1, 6)) for n in range(1, 81)]
    text, almost, other = " ".join(lines), " ".join([*lines[:-2], "two", "words"]), " ".join(lines[::-1])
    rows = [("en", text), ("en", almost), ("en", other), ("de", almost)]
    columns = {field.name: [None] * len(rows) for field in SCORED}
    columns |= {"url": ["u"] * 4, "cc_segment": ["s"] * 4, "bucket": ["all"] * 4}
    columns |= {"language": [row[0] for row in rows], "text": [row[1] for row in rows]}
    pq.write_table(pa.table(columns, schema=SCORED), tmp_path / "shard")
    assert gather([tmp_path / "shard"], tmp_path / "all")["documents_kept"] == 4
    counts = gather([tmp_path / "shard"], tmp_path / "corpus", near_duplicates=0.8)
    assert (counts["documents_kept"], counts["dropped_near_duplicate"]) == (3, 1)
    found = pq.read_table(tmp_path / "corpus" / "lang=en", partitioning=None).column("text").to_pylist()
    assert found == [text, other]


def test_a_text_of_an_earlier_dump_is_published_once(tmp_path: Path) -> None:
    def shard(name: str, crawl: str, *rows: tuple[str, str, str]) -> Path:
        columns = {field.name: [None] * len(rows) for field in SCORED}
        columns |= {"url": ["u"] * len(rows), "crawl": [crawl] * len(rows)}
        columns |= dict(zip(("text", "language", "bucket"), map(list, zip(*rows, strict=True)), strict=True))
        pq.write_table(pa.table(columns, schema=SCORED), tmp_path / name)
        return tmp_path / name

    first = shard("a", "CC-MAIN-2026-30", ("same", "en", "head"), ("one", "sw", "all"))
    second = shard("b", "CC-MAIN-2026-34", ("same", "en", "tail"), ("same", "de", "tail"))
    counts = gather([first, second], tmp_path / "corpus")
    assert +counts == {"documents_in": 4, "documents_kept": 3, "dropped_text_seen_before": 1}
    assert gather([first, second], tmp_path / "again", memory_bytes=64) == counts  # a range a hash
    parts = sorted(
        path.relative_to(tmp_path / "corpus").as_posix() for path in (tmp_path / "corpus").rglob("*.parquet")
    )
    assert parts == [
        f"lang={code}/part-00000-00000.parquet" for code in ("de/bucket=tail", "en/bucket=head", "sw/bucket=all")
    ]
    english = pq.ParquetFile(tmp_path / "corpus" / parts[1]).read().to_pylist()
    assert english[0]["crawl"] == "CC-MAIN-2026-30"


def test_parts_hold_the_documents_of_the_whole_in_order_and_a_full_file_is_followed_by_another(tmp_path: Path) -> None:
    slices = []
    for at in range(5):
        texts = [f"text {n} " + chr(97 + n % 26) * 50 for n in range(at * 7, at * 7 + 20)]  # 13 of 20 are in the next
        columns = {field.name: [None] * 20 for field in SCORED}
        columns |= {"url": ["u"] * 20, "language": ["en"] * 20, "bucket": ["all"] * 20, "text": texts}
        slices.append(tmp_path / f"{at}")
        pq.write_table(pa.table(columns, schema=SCORED), slices[-1])
    whole = gather(slices, tmp_path / "whole")
    cut = gather(slices, tmp_path / "cut", parts=3, max_file_bytes=1)
    assert whole == cut
    assert (whole["documents_kept"], whole["dropped_text_seen_before"]) == (48, 52)
    files = sorted((tmp_path / "cut").rglob("*.parquet"))
    assert [path.name[:10] for path in files] == ["part-00000", "part-00001", "part-00002"]
    read = [text for path in files for text in pq.ParquetFile(path).read().column("text").to_pylist()]
    [one] = (tmp_path / "whole").rglob("*.parquet")
    assert read == pq.ParquetFile(one).read().column("text").to_pylist()


def test_a_full_file_is_followed_by_the_next_number(tmp_path: Path) -> None:
    with PartWriters(lambda language: tmp_path / f"{language}.parquet", by=("language",), max_file_bytes=1) as writers:
        for row in range(3):
            columns = {field.name: [None] * ROW_GROUP_DOCUMENTS for field in SCORED}
            columns |= {"text": [f"{row} {n}" for n in range(ROW_GROUP_DOCUMENTS)]}
            columns |= {"language": ["en"] * ROW_GROUP_DOCUMENTS}
            writers.write(pa.RecordBatch.from_pydict(columns, schema=SCORED))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["en-00000.parquet", "en-00001.parquet", "en-00002.parquet"]
    assert pq.read_table(tmp_path / names[1]).column("text")[0].as_py() == "1 0"


def test_hashes_that_do_not_fit_are_merged_from_disk(tmp_path: Path) -> None:
    texts = [f"{word}\n{other}\n{word}" for word in "abcdefgh" for other in "aqrs"]
    batches = [(hash_lines([text]), [3]) for text in texts]
    counts = write_hashes(batches, [tmp_path / "whole"])
    ranges = [tmp_path / f"{index}" for index in range(3)]
    assert write_hashes(batches, ranges, max_pending=5) == counts
    assert (counts["documents_hashed"], counts["hashes"], counts["repeated"]) == (32, 11, 11)
    parts = [np.load(path) for path in ranges]
    assert np.array_equal(np.concatenate(parts), np.load(tmp_path / "whole"))
    assert all(len(part) for part in parts)
    assert write_hashes([], [tmp_path / "none"])["hashes"] == 0


def test_hash_files_have_the_same_bytes_twice(tmp_path: Path) -> None:
    write_documents(documents("a\nb", "b\nc"), tmp_path / "d")
    for name in ("1.npy", "2.npy"):
        hash_shard(tmp_path / "d", [tmp_path / name])
    assert (tmp_path / "1.npy").read_bytes() == (tmp_path / "2.npy").read_bytes()
    entries = np.load(tmp_path / "1.npy")
    assert entries["repeated"].sum() == 1
