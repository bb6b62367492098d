"""Files with faults: an error that names the place and the fault, never a lost row, another label or a Python error."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluation.benchmarks import BENCHMARKS, read_splits
from evaluation.benchmarks.xnli import ACCEPTED
from evaluation.readers.conll import read_conll, without_wikiann_prefix
from evaluation.readers.folders import lines_of, read_text
from evaluation.readers.squad import read_squad
from evaluation.readers.tables import read_pairs_without_header, read_table
from evaluation.records import DataError, Tagged
from tests.evaluation.test_benchmarks import sizes, squad, write
from tests.evaluation.test_readers import NER

XNLI = "language\tgold_label\tsentence1\tsentence2"


def xnli(folder: Path, *, test: tuple[str, ...] = ("en\tneutral\ta\tb",)) -> None:
    write(folder / "xnli.dev.tsv", XNLI, "en\tneutral\ta\tb")
    write(folder / "xnli.test.tsv", XNLI, *test)
    write(folder / "multinli.train.en.tsv", "premise\thypo\tlabel", "a\tb\tneutral")


# --- tables


def test_a_tab_in_a_text_takes_no_other_column_for_the_label(tmp_path: Path) -> None:
    path = tmp_path / "dev_matched.tsv"
    header = "sentence1\tsentence2\tlabel5\tgold_label"
    write(path, header, "a\tb\tneutral\tentailment", "a\tb\tc\tneutral\tentailment")
    with pytest.raises(DataError, match=r"dev_matched\.tsv line 3: 5 columns, wanted 4"):
        BENCHMARKS["mnli"].read_gold(path)
    write(path, header, "a\tb\tneutral\tentailment\t")  # an empty column more is no value
    assert len(BENCHMARKS["mnli"].read_gold(path)["en-matched"]) == 1
    write(tmp_path / "test-en.tsv", "a\tb\tneutral\tentailment")
    with pytest.raises(DataError, match="line 1: 4 columns, wanted 3"):
        read_pairs_without_header(tmp_path / "test-en.tsv", ACCEPTED)


def test_two_columns_of_one_name_are_no_table(tmp_path: Path) -> None:
    write(tmp_path / "x.tsv", "a\tlabel\tlabel", "1\t2\t3")
    with pytest.raises(DataError, match="line 1: two columns label: wanted one of each name"):
        read_table(tmp_path / "x.tsv", ("a", "label"))
    write(tmp_path / "x.tsv")
    with pytest.raises(DataError, match="line 1: no header: wanted also a, label"):
        read_table(tmp_path / "x.tsv", ("a", "label"))


def test_rows_of_qqp_that_are_left_out_are_told_when_a_file_is_scored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate"
    write(tmp_path / "dev.tsv", header, "0\t1\t2\ta\tb\t1", "1\t1\t2\ta", "2\t1\t2\ta\tb\tc\t1")
    assert len(BENCHMARKS["qqp"].read_gold(tmp_path / "dev.tsv")["en"]) == 1
    assert "1 rows are left out (dev.tsv: fewer columns than the header)" in caplog.text
    assert "1 rows are left out (dev.tsv: more columns than the header)" in caplog.text


def test_a_pair_of_stsb_without_texts_is_named(tmp_path: Path) -> None:
    write(tmp_path / "dev.tsv", "sentence1\tsentence2\tscore", " \t\t2.5")
    with pytest.raises(DataError, match=r"dev\.tsv line 2: no text"):
        BENCHMARKS["stsb"].read_gold(tmp_path / "dev.tsv")


def test_rows_of_pawsx_that_are_too_long_are_counted_in_training(tmp_path: Path) -> None:
    header = "id\tsentence1\tsentence2\tlabel"
    write(tmp_path / "de" / "translated_train.tsv", header, "1\ta\tb\t1", "2\ta\tb\tc\t1")
    write(tmp_path / "de" / "test_2k.tsv", header, "1\ta\tb\t1")
    assert read_splits("pawsx", tmp_path).left_out == {"de/translated_train.tsv: more columns than the header": 1}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('5" x\ty\nz\t6"', "line 2: a lone quotation mark: wanted fields as csv.writer quotes them"),
        (
            f'"{"x" * 200_000}"\ty',
            "line 2: a field longer than 131072 letters: wanted fields as csv.writer quotes them",
        ),
    ],
)
def test_marks_that_no_csv_writer_writes_are_named_in_the_files_terms(row: str, said: str, tmp_path: Path) -> None:
    write(tmp_path / "train.tsv", "a\tb", row)
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / "train.tsv", ("a", "b"), quoting="records")
    assert str(caught.value) == f"{tmp_path}/train.tsv {said}"


def test_a_dev_pair_of_mrpc_that_is_not_found_does_not_stay_in_the_training_set(tmp_path: Path) -> None:
    header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"
    write(tmp_path / "msr_paraphrase_train.txt", header, *(f"1\t{n}\t{n + 100}\ta\tb" for n in range(12)))
    write(tmp_path / "dev.tsv", header, "1\t3\t103\ta\tb", "1\t4\t999\ta\tb")
    with pytest.raises(DataError, match=r"dev\.tsv line 3: ids 4 999: no pair of msr_paraphrase_train\.txt"):
        read_splits("mrpc", tmp_path)


# --- encodings and line ends


def test_a_file_in_another_encoding_is_not_read_as_broken_letters(tmp_path: Path) -> None:
    (tmp_path / "dev.tsv").write_bytes("sentence\tlabel\nsch\xf6n\t1\n\xfcber\t0\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"dev\.tsv line 2: 2 bytes are not UTF-8, 0 letters are: wanted the file in"):
        BENCHMARKS["sst2"].read_gold(tmp_path / "dev.tsv")
    assert "sch\xf6n" in read_text(tmp_path / "dev.tsv", latin_1=True)


def test_lines_that_end_with_carriage_returns_alone_are_no_single_line(tmp_path: Path) -> None:
    for name in ("swh_Latn.devtest", "eng_Latn.devtest"):
        (tmp_path / name).write_bytes(b"one\rtwo\r")
    with pytest.raises(DataError, match=r"swh_Latn\.devtest line 1: lines end with a carriage return alone"):
        BENCHMARKS["flores"].read_gold(tmp_path / "swh_Latn.devtest")
    (tmp_path / "one").write_bytes(b"one\r")
    assert lines_of(tmp_path / "one") == [(1, "one")]


# --- CoNLL


def test_another_column_is_not_taken_for_a_missing_tag(tmp_path: Path) -> None:
    write(tmp_path / "eng.testb", "EU NNP I-NP I-ORG", ". . O", "Ann NNP I-NP I-PER O", "in IN I-PP O")
    with pytest.raises(DataError, match=r"eng\.testb line 2: 3 columns, other lines have 4 \(1 more: line 3\)"):
        read_conll(tmp_path / "eng.testb", NER)
    write(tmp_path / "swa.txt", "Ann B-PER", "10 000 O")  # a word of two columns may hold a space
    assert read_conll(tmp_path / "swa.txt", NER)[0].words == ("Ann", "10")


def test_a_carriage_return_within_a_line_loses_no_word(tmp_path: Path) -> None:
    write(tmp_path / "x", "Ann B-PER\rsings O", "Lima B-LOC")
    with pytest.raises(DataError, match=r"x line 1: .*: a carriage return: wanted one word a line"):
        read_conll(tmp_path / "x", NER)


def test_sentences_of_universal_ner_without_an_empty_line_between_them_are_named(tmp_path: Path) -> None:
    write(tmp_path / "en_ewt-ud-test.iob2", "1\tAna\tB-PER", "2\tsings\tO", "1\tLima\tB-LOC")
    with pytest.raises(DataError, match="line 3: word 1 within a sentence: wanted an empty line before it"):
        BENCHMARKS["universal_ner"].read_gold(tmp_path / "en_ewt-ud-test.iob2")


def test_a_row_of_universal_ner_that_begins_like_a_comment_is_a_row(tmp_path: Path) -> None:
    write(tmp_path / "en_ewt-ud-test.iob2", "# text = Ana sings", "#1\tAna\tB-PER", "2\tsings\tO")
    [sentence] = BENCHMARKS["universal_ner"].read_gold(tmp_path / "en_ewt-ud-test.iob2")["en-ewt"]
    assert sentence == Tagged(("Ana", "sings"), ("B-PER", "O"))


def test_one_word_without_wikianns_prefix_does_not_leave_it_at_all_others() -> None:
    [found] = without_wikiann_prefix([Tagged(("sw:Ana", "sw:anaimba", "x"), ("B-PER", "O", "O"))])
    assert found.words == ("Ana", "anaimba", "x")


# --- SQuAD's JSON

QUESTION: dict[str, Any] = {"id": "q", "question": "Which?", "answers": [{"text": "Lagos", "answer_start": 0}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answers": [{"text": None, "answer_start": 0}]}, "question 'q': answer with text null: wanted a text"),
        ({"answers": [{"text": 3, "answer_start": 0}]}, "question 'q': answer with text 3: wanted a text"),
        ({"answers": [{"text": "Lagos"}]}, "question 'q': no answer_start: wanted a whole number"),
        ({"answers": [{"text": "Lagos", "answer_start": 1.5}]}, "question 'q': answer_start 1.5: wanted a whole"),
        ({"answers": {"text": ["Lagos"], "answer_start": [0]}}, "question 'q': no list `answers`"),
        ({"id": None}, r"data\[0\]\.paragraphs\[0\]\.qas\[0\]: id null: wanted a text"),
        ({"question": None}, "question 'q': question null: wanted a text"),
        ({"question": " "}, "question 'q': no text of the question"),
    ],
)
def test_what_is_no_text_in_a_question_is_named(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    whole = {"data": [{"paragraphs": [{"context": "Lagos is large.", "qas": [QUESTION | change]}]}]}
    write(tmp_path / "x.json", json.dumps(whole))
    with pytest.raises(DataError, match=rf"x\.json {said}"):
        read_squad(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "x.json: empty: wanted SQuAD v1.1's JSON"),
        ('{"data": [', "x.json: no JSON from line 2 column 1 on: wanted SQuAD v1.1's JSON"),
        ("[1]", "x.json: a list: wanted SQuAD v1.1's JSON"),
        ("null", "x.json: null: wanted SQuAD v1.1's JSON"),
        ('{"data": null}', "x.json: no list `data`: wanted SQuAD v1.1's JSON"),
        ('{"data": [3]}', "x.json data[0]: no list `paragraphs`: wanted SQuAD v1.1's JSON"),
        ('{"data": [{"paragraphs": [{"context": "a"}]}]}',
         "x.json data[0].paragraphs[0]: no list `qas`: wanted SQuAD v1.1's JSON"),
        ('{"data": [{"paragraphs": [{"context": null, "qas": [{}]}]}]}',
         "x.json data[0].paragraphs[0]: context null: wanted a text"),
        ('{"data": ' + "1" * 5000 + "}", "x.json: JSON with a number of too many digits: wanted SQuAD v1.1's JSON"),
    ],
)  # fmt: skip
def test_json_of_another_shape_is_named_in_the_files_terms(text: str, said: str, tmp_path: Path) -> None:
    write(tmp_path / "x.json", text)
    for train in (False, True):
        with pytest.raises(DataError) as caught:
            read_squad(tmp_path / "x.json", train=train)
        assert str(caught.value) == f"{tmp_path}/{said}"


def test_half_of_a_surrogate_pair_is_no_text(tmp_path: Path) -> None:
    whole = {"data": [{"paragraphs": [{"context": "Lagos \ud83d", "qas": [QUESTION]}]}]}
    write(tmp_path / "x.json", json.dumps(whole))
    with pytest.raises(DataError, match=r'context "Lagos \\ud83d": wanted a text'):
        read_squad(tmp_path / "x.json")


def test_places_that_fit_no_answer_leave_no_empty_training_set(tmp_path: Path) -> None:
    write(tmp_path / "x.json", json.dumps({"data": [{"paragraphs": [{"context": "\U0001f30d Lagos", "qas": [
        QUESTION | {"answers": [{"text": "Lagos", "answer_start": 3}]}]}]}]}))  # fmt: skip
    with pytest.raises(DataError, match=r"x\.json: none of 1 answers stands at its answer_start: wanted the place"):
        read_squad(tmp_path / "x.json", train=True)


# --- a language of a file


@pytest.mark.parametrize("language", ["", "e n", "en "])
def test_a_row_without_a_language_is_no_test_set_of_its_own(language: str, tmp_path: Path) -> None:
    xnli(tmp_path, test=(f"{language}\tneutral\ta\tb",))
    with pytest.raises(DataError, match=rf"xnli\.test\.tsv line 2: language '{language}': wanted a code such as 'en'"):
        read_splits("xnli", tmp_path)
    write(tmp_path / "test.tsv", "language\tpremise\thypothesis\tlabel", f"{language}\ta\tb\tneutral")
    with pytest.raises(DataError, match=r"test\.tsv line 2: language"):
        BENCHMARKS["americasnli"].read_gold(tmp_path / "test.tsv")


def test_an_empty_line_above_xnlis_header_is_no_other_layout(tmp_path: Path) -> None:
    write(tmp_path / "xnli.test.tsv", "", XNLI, "sw\tneutral\ta\tb")
    assert set(BENCHMARKS["xnli"].read_gold(tmp_path / "xnli.test.tsv")) == {"sw"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"language": "en", "gold_label": "neutral", "sentence1": null, "sentence2": "b"}',
         "sentence1 null: wanted a text"),
        ('{"language": "en", "gold_label": null}', "gold_label null: wanted a text"),
        ("[1]", "a list: wanted an object with language, gold_label, sentence1, sentence2"),
        ('{"language": "e', "no JSON from column 14 on: wanted an object with language"),
    ],
)  # fmt: skip
def test_json_rows_of_xnli_without_their_texts_are_named(line: str, said: str, tmp_path: Path) -> None:
    write(tmp_path / "xnli.test.jsonl", line)
    with pytest.raises(DataError, match=rf"xnli\.test\.jsonl line 1: {said}"):
        BENCHMARKS["xnli"].read_gold(tmp_path / "xnli.test.jsonl")


def test_americasnli_wants_english_in_xnlis_dev_set(tmp_path: Path) -> None:
    write(tmp_path / "xnli" / "multinli.train.en.tsv", "premise\thypo\tlabel", "a\tb\tneutral")
    write(tmp_path / "xnli" / "xnli.dev.tsv", XNLI, "de\tneutral\ta\tb")
    write(tmp_path / "americasnli" / "dev.tsv", "language\tpremise\thypothesis\tlabel", "gn\ta\tb\tneutral")
    with pytest.raises(DataError, match=r"xnli\.dev\.tsv: no English row \(there: de\)"):
        read_splits("americasnli", tmp_path)


def test_a_language_that_mlqas_rules_do_not_know_is_named_before_training(tmp_path: Path) -> None:
    squad(tmp_path / "train-v1.1.json", "a")
    squad(tmp_path / "test-context-en-question-fr.json", "b")
    with pytest.raises(DataError, match=r"question-fr\.json: language 'fr': wanted one of en, es, de, ar, hi, vi, zh"):
        read_splits("mlqa", tmp_path)


def test_ids_of_tydi_that_begin_with_no_language_are_no_test_sets(tmp_path: Path) -> None:
    squad(tmp_path / "tydiqa-goldp-v1.1-dev.json", "english-1", "klingon-2")
    with pytest.raises(DataError, match="question 'klingon-2': wanted an id that begins with one of arabic, bengali"):
        BENCHMARKS["tydiqa"].read_gold(tmp_path / "tydiqa-goldp-v1.1-dev.json")
    squad(tmp_path / "tydiqa-goldp-v1.1-dev.json", "1", "2")
    with pytest.raises(DataError, match=r"question '1': wanted an id .* \(1 more: question '2'\)"):
        BENCHMARKS["tydiqa"].read_gold(tmp_path / "tydiqa-goldp-v1.1-dev.json")


def test_a_file_of_xquads_form_is_named_after_its_language_or_itself(tmp_path: Path) -> None:
    for name in ("xquad.el", "dev-v1.1"):
        squad(tmp_path / f"{name}.json", "a")
    assert set(BENCHMARKS["xquad"].read_gold(tmp_path / "xquad.el.json")) == {"el"}
    assert set(BENCHMARKS["xquad"].read_gold(tmp_path / "dev-v1.1.json")) == {"dev-v1.1"}


# --- two files of one part


def _squads(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        squad(folder / "a" / name, "english-1")
        squad(folder / "b" / name, "english-1")
        squad(folder / "train-v1.1.json", "q")
        squad(folder / "tydiqa-goldp-v1.1-train.json", "english-9")

    return make


def _xnli_twice(folder: Path) -> None:
    xnli(folder)
    write(folder / "b" / "xnli.test.tsv", XNLI, "en\tneutral\ta\tb")


def _lines_twice(*names: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for place in ("a", "b"):
            for name in names:
                write(folder / place / name, "one")

    return make


def _panx_twice(folder: Path) -> None:
    write(folder / "sw" / "test", "sw:Ana\tB-PER")
    write(folder / "test-sw.tsv", "Ana\tB-PER")


def _pawsx_twice(folder: Path) -> None:
    for place in ("a", "b"):
        write(folder / place / "ja" / "test_2k.tsv", "id\tsentence1\tsentence2\tlabel", "1\ta\tb\t1")


@pytest.mark.parametrize(
    ("benchmark", "make"),
    [
        ("xnli", _xnli_twice),
        ("mlqa", _squads("test-context-en-question-en.json")),
        ("xquad", _squads("xquad.en.json")),
        ("tydiqa", _squads("tydiqa-goldp-dev-english.json")),
        ("tatoeba", _lines_twice("tatoeba.deu-eng.deu", "tatoeba.deu-eng.eng")),
        ("flores", _lines_twice("swh_Latn.devtest", "eng_Latn.devtest")),
        ("panx", _panx_twice),
        ("pawsx", _pawsx_twice),
    ],
)
def test_two_files_of_one_test_set_are_not_silently_one(
    benchmark: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(tmp_path)
    with pytest.raises(DataError, match=r"is also .*: wanted one of them in this folder"):
        read_splits(benchmark, tmp_path)


# --- Belebele, retrieval


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mc_answer1": None}, "line 1: mc_answer1 null: wanted a text"),
        ({"flores_passage": None}, "line 1: flores_passage null: wanted a text"),
        ({}, "line 2: question 1 of u stands in line 1 too"),
        ({"link": ["u"], "mc_answer2": ""}, "line 1: an empty passage, question or answer"),
    ],
)
def test_faults_of_belebeles_rows_are_named(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    row = {"link": "u", "question_number": 1, "flores_passage": "p", "question": "q", "correct_answer_num": 2,
           **{f"mc_answer{n}": f"a{n}" for n in range(1, 5)}}  # fmt: skip
    write(tmp_path / "hin_Latn.jsonl", json.dumps(row | change), json.dumps(row))
    with pytest.raises(DataError, match=rf"hin_Latn\.jsonl {said}"):
        BENCHMARKS["belebele"].read_gold(tmp_path / "hin_Latn.jsonl")


def test_belebele_is_not_trained_on_nothing(tmp_path: Path) -> None:
    header = "\t".join(("passage", "question", *(f"answer{n}" for n in range(1, 5)), "correct_answer_num"))
    write(tmp_path / "train.tsv", header, "p\tq\ta\t\tc\td\t1")
    write(tmp_path / "hin_Latn.jsonl", "{}")
    with pytest.raises(DataError, match=r"train\.tsv: no row of the part train with passage, question and 4 answers"):
        read_splits("belebele", tmp_path)


def test_flores_plus_is_read_by_its_own_names(tmp_path: Path) -> None:
    for language in ("eng_Latn", "swh_Latn"):
        write(tmp_path / "floresp-v2.0" / "devtest" / f"devtest.{language}", "one", "two")
        write(tmp_path / "floresp-v2.0" / "dev" / f"dev.{language}", "one")
    assert sizes(read_splits("flores", tmp_path)) == ({}, {}, {"swh_Latn": 2})
    place = tmp_path / "floresp-v2.0" / "dev"
    assert len(BENCHMARKS["flores"].read_gold(place / "dev.swh_Latn")["swh_Latn"]) == 1
    with pytest.raises(DataError, match=r"dev\.eng_Latn: the English side: wanted the file of the other language"):
        BENCHMARKS["flores"].read_gold(place / "dev.eng_Latn")


def test_nothing_is_told_of_files_without_faults(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    xnli(tmp_path)
    read_splits("xnli", tmp_path)
    assert not caplog.records
