"""Text of benchmarks in documents: what is found however it is written, and what is not."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ccnet.decontaminate import CHARACTERS, GROUP_CHARACTERS, BenchmarkIndex, Decontamination, index_texts, units_of

ENGLISH = "The ferry to the northern islands leaves at seven, and the harbour master rings a small brass bell."
CHINESE = "每天早上七点钟，开往北方群岛的渡轮准时离开码头，港务长会敲响一只小铜钟。"
THAI = "เรือข้ามฟากไปหมู่เกาะทางเหนือออกเดินทางเวลาเจ็ดโมงเช้าของทุกวันจากท่าเรือเก่าในเมือง"
TURKISH = "Kuzeydeki adalara giden vapur sabah yedide kalkıyor ve liman başkanı küçük pirinç zili çalıyor."
VIETNAMESE = "Ông ta đi ra bờ đê để xem cá và nó đã về nhà"  # 13 short words, fewer letters than the other rule wants
PAGE = "Opening hours of the museum\nAdults pay four euros, children two.\nThe cloakroom is in the cellar."


def index(*texts: str) -> BenchmarkIndex:
    return index_texts({"xnli": texts})[0]


def holds(text: str, document: str) -> bool:
    return index(text).benchmarks_in([PAGE, document]) == [(), ("xnli",)]


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, THAI, TURKISH, VIETNAMESE])
def test_a_text_is_found_in_any_script_whatever_its_lines_case_and_marks(text: str) -> None:
    for written in (
        text,
        "\n".join(text[at : at + 9] for at in range(0, len(text), 9)) if " " not in text else text.replace(" ", "\n"),
        text.upper(),
        unicodedata.normalize("NFD", text).replace(" ", "\u00a0 "),
        text.replace(",", ";").replace(".", "…"),
    ):
        assert holds(text, f"{PAGE}\n{written}\n{PAGE}"), written


def test_a_fragment_is_found_from_where_it_begins_if_it_is_long_enough() -> None:
    least = CHARACTERS.units(CHARACTERS.run) + CHARACTERS.stride - 1
    letters = "".join(character for character in ENGLISH if character.isalpha())
    for start in range(len(letters) - least + 1):
        assert holds(ENGLISH, f"{PAGE} {letters[start : start + least]} {PAGE}")
    short = letters[: CHARACTERS.units(CHARACTERS.run) - 1]
    assert not holds(ENGLISH, f"{PAGE} {short} {PAGE}")


def test_texts_that_are_too_short_are_counted_and_not_looked_for() -> None:
    found, counts = index_texts({"xnli": ["Yes, he did.", "是的，他做了。", ENGLISH, ENGLISH]})
    assert counts == {"xnli": {"texts": 1, "too_short": 2}}
    assert found.benchmarks_in(["Yes, he did.", "是的，他做了。"]) == [(), ()]


def test_a_short_text_is_found_whole_only() -> None:
    text = "The harbour master rings a small brass bell at seven in the morning."
    assert CHARACTERS.units(CHARACTERS.least) <= units_of(text) < CHARACTERS.units(CHARACTERS.run)
    assert holds(text, f"{PAGE}\n{text}")
    assert not holds(text, f"{PAGE}\n{text[: len(text) * 3 // 4]}")


def test_what_many_texts_share_is_no_evidence() -> None:
    question = "Which of the following statements is true according to the information in the passage above?"
    endings = [f"{question} Case number {'abcdefghijkl'[n]}, whatever was said before about it." for n in range(12)]
    assert index(*endings).benchmarks_in([f"{PAGE}\n{question}"]) == [()]
    assert index(*endings[:3]).benchmarks_in([f"{PAGE}\n{question}"]) == [("xnli",)]


def test_texts_beside_each_other_are_not_taken_for_one() -> None:
    half = len(ENGLISH) // 2
    assert index(ENGLISH).benchmarks_in([ENGLISH[:half], ENGLISH[half:]]) == [(), ()]
    assert index(ENGLISH[:half], ENGLISH[half:]).benchmarks_in([PAGE]) == [()]


def test_each_benchmark_is_named_and_groups_do_not_matter() -> None:
    found, _ = index_texts({"mlqa": [CHINESE, ENGLISH], "xnli": [ENGLISH], "empty": []})
    documents = [PAGE * (GROUP_CHARACTERS // len(PAGE) + 1), ENGLISH, "", CHINESE, PAGE + "\0" + ENGLISH]
    assert found.benchmarks_in(documents) == [(), ("mlqa", "xnli"), (), ("mlqa",), ("mlqa", "xnli")]
    assert found.benchmarks_in([]) == []
    assert index().benchmarks_in(documents) == [()] * 5


def test_a_saved_index_finds_the_same(tmp_path: Path) -> None:
    made = index(ENGLISH, CHINESE, TURKISH)
    made.save(tmp_path)
    read = BenchmarkIndex.load(made.names, {path.name: path for path in tmp_path.iterdir()})
    assert read.benchmarks_in([ENGLISH, PAGE, TURKISH]) == [("xnli",), (), ("xnli",)]
    assert 0 < read.memory_bytes < made.memory_bytes


def test_random_text_is_not_flagged() -> None:
    choose = np.random.default_rng(1)
    alphabet = np.array(list("etaoinshrdlu "))
    texts = ["".join(choose.choice(alphabet, 200)) for _ in range(600)]
    assert not any(index(*texts[:300]).benchmarks_in(texts[300:]))
    assert all(index(*texts[:300]).benchmarks_in(texts[:300]))


def test_documents_are_marked_or_dropped_and_counted() -> None:
    batch = pa.RecordBatch.from_pydict({"text": [PAGE, ENGLISH, f"{CHINESE}\n{PAGE}"]})
    found, _ = index_texts({"mlqa": [CHINESE], "xnli": [ENGLISH, CHINESE]})
    counts: Counter[str] = Counter()
    marked = Decontamination(found, drop=False).apply(batch, counts)
    assert marked.column("benchmarks").to_pylist() == [[], ["xnli"], ["mlqa", "xnli"]]
    assert counts == {"benchmark_mlqa": 1, "benchmark_xnli": 2}
    counts.clear()
    left = Decontamination(found, drop=True).apply(batch, counts)
    assert left.column("text").to_pylist() == [PAGE]
    assert counts == {"benchmark_mlqa": 1, "benchmark_xnli": 2, "dropped_benchmark_text": 2}
