"""The scorer alone: a published file with its answers, and a file of predictions in the official forms."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.benchmarks import BENCHMARKS
from evaluation.records import DataError
from evaluation.scoring import FileScore, score
from tests.evaluation.test_benchmarks import write


def values(rows: list[FileScore]) -> dict[tuple[str, str], float]:
    return {(row.language, row.metric): row.value for row in rows}


def test_a_label_a_line_is_scored_by_language_and_on_average(tmp_path: Path) -> None:
    header = "language\tgold_label\tsentence1\tsentence2"
    rows = ("en\tneutral\ta\tb", "en\tentailment\ta\tb", "sw\tneutral\ta\tb")
    write(tmp_path / "xnli.test.tsv", header, *rows)
    write(tmp_path / "p.txt", "neutral", "neutral", "neutral")
    found = score("xnli", tmp_path / "xnli.test.tsv", tmp_path / "p.txt")
    assert values(found) == {("en", "accuracy"): 50.0, ("sw", "accuracy"): 100.0, ("mean", "accuracy"): 75.0}
    assert [(row.examples, row.headline, row.chance) for row in found] == [
        (2, True, 100 / 3), (1, True, 100 / 3), (3, True, 100 / 3)]  # fmt: skip
    assert all(len(row.data) == 16 for row in found)


def test_predictions_come_in_the_order_of_the_files_rows_whatever_their_languages(tmp_path: Path) -> None:
    header = "language\tgold_label\tsentence1\tsentence2"
    rows = ("en\tneutral\ta\tb", "sw\tentailment\ta\tb", "en\tcontradiction\ta\tb")
    write(tmp_path / "xnli.test.tsv", header, *rows)
    write(tmp_path / "p.txt", "neutral", "neutral", "contradiction")
    found = values(score("xnli", tmp_path / "xnli.test.tsv", tmp_path / "p.txt"))
    assert found == {("en", "accuracy"): 100.0, ("sw", "accuracy"): 0.0, ("mean", "accuracy"): 50.0}
    write(tmp_path / "sw.txt", "entailment")
    assert values(score("xnli", tmp_path / "xnli.test.tsv", tmp_path / "sw.txt", "sw")) == {("sw", "accuracy"): 100.0}


def test_glues_form_of_predictions_is_read(tmp_path: Path) -> None:
    write(tmp_path / "dev.tsv", "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String", "1\t1\t2\ta\tb", "0\t3\t4\ta\tb")
    write(tmp_path / "MRPC.tsv", "index\tprediction", "0\t1", "1\t1")
    rows = score("mrpc", tmp_path / "dev.tsv", tmp_path / "MRPC.tsv")
    assert [row.chance for row in rows] == [50.0, None]  # of F1 it depends on the labels
    found = values(rows)
    assert found == {("en", "accuracy"): 50.0, ("en", "f1"): pytest.approx(200 / 3, abs=1e-6)}


def test_glues_indices_say_the_order(tmp_path: Path) -> None:
    write(tmp_path / "dev.tsv", "sentence\tlabel", "a\t0", "b\t1", "c\t1")
    write(tmp_path / "p.tsv", "index\tprediction", "2\t1", "0\t0", "1\t0")
    [row] = score("sst2", tmp_path / "dev.tsv", tmp_path / "p.tsv")
    assert row.value == 100 * 2 / 3  # the digits that Python has, not a rounded number
    write(tmp_path / "p.tsv", "index\tprediction", "2\t1", "0\t0", "2\t0")
    with pytest.raises(DataError, match=r"p\.tsv line 4: index '2': is there twice"):
        score("sst2", tmp_path / "dev.tsv", tmp_path / "p.tsv")
    write(tmp_path / "p.tsv", "index\tprediction", "1\t1", "2\t0", "3\t0")
    with pytest.raises(DataError, match=r"p\.tsv line 4: index '3': wanted 0 to 2, each once"):
        score("sst2", tmp_path / "dev.tsv", tmp_path / "p.tsv")


def test_universal_ners_own_form_is_read(tmp_path: Path) -> None:
    rows = ("# sent_id = 1", "# text = Ann ran", "1\tAnn\tB-PER\t-\tx", "2\tran\tO\t-\t-", "")
    write(tmp_path / "en_ewt-ud-test.iob2", *rows)
    [row] = score("universal_ner", tmp_path / "en_ewt-ud-test.iob2", tmp_path / "en_ewt-ud-test.iob2")
    assert (row.language, row.value, row.examples) == ("en-ewt", 100.0, 1)


def test_a_comment_that_ends_like_a_tag_and_a_word_with_a_space_are_no_tags(tmp_path: Path) -> None:
    gold = tmp_path / "sv_talbanken-ud-test.iob2"
    write(
        gold,
        "# newdoc id",
        "# text = Over 10 000 of type O",
        "1\tOver\tO\t-\t-",
        "2\t10 000\tO\t-\t-",
        "3\tLund\tB-LOC\t-\t-",
        "",
    )
    [row] = score("universal_ner", gold, gold)
    assert row.value == 100.0
    write(gold, "1\tOver\tO\t-\t-", "2\t10 000\tB-OTH\t-\t-", "3\tLund\tB-LOC\t-\t-", "")
    [row] = score("universal_ner", gold, gold)
    assert row.value == 100.0  # the gold file's OTH is no entity, nor is a predicted one
    write(tmp_path / "p.txt", "# O", "10 O", "Lund B-LOC")  # a word and its tag a line: here # is a word
    [row] = score("universal_ner", gold, tmp_path / "p.txt")
    assert row.value == 100.0


def test_a_number_at_the_beginning_of_conlls_five_columns_is_a_word(tmp_path: Path) -> None:
    """conlleval's own form: the file's columns, and last the prediction; here column 3 is a chunk, not an entity."""
    write(tmp_path / "eng.testb", "Ann NNP I-NP I-PER", "2 CD I-NP O", "", "1996 CD I-NP O")
    write(tmp_path / "p.txt", "Ann NNP I-NP I-PER B-PER", "2 CD I-NP O O", "", "1996 CD I-NP O O")
    [row] = score("ner", tmp_path / "eng.testb", tmp_path / "p.txt")
    assert row.value == 100.0
    write(tmp_path / "deu.testb", "1996 1996 CARD I-NC O", "Lima Lima NE I-NC I-LOC")
    [row] = score("ner", tmp_path / "deu.testb", tmp_path / "deu.testb")
    assert row.value == 100.0


def test_tydis_mean_leaves_english_out_as_its_authors_do(tmp_path: Path) -> None:
    gold = tmp_path / "tydiqa-goldp-v1.1-dev.json"
    ids = ("english-1", "korean-1", "telugu-1", "telugu-2")
    qas = [{"id": key, "question": "?", "answers": [{"text": "Asha", "answer_start": 0}]} for key in ids]
    write(gold, json.dumps({"data": [{"paragraphs": [{"context": "Asha came.", "qas": qas}]}]}))
    write(tmp_path / "p.json", json.dumps({"korean-1": "Asha", "telugu-1": "Asha"}))
    found = score("tydiqa", gold, tmp_path / "p.json")
    assert {key: value for key, value in values(found).items() if key[1] == "f1"} == {
        ("en", "f1"): 0.0, ("ko", "f1"): 100.0, ("te", "f1"): 50.0, ("mean", "f1"): 75.0}  # fmt: skip
    assert [row.examples for row in found if row.language == "mean"] == [3, 3]
    assert BENCHMARKS["tydiqa"].mean_of({"en": 40.0}) == 40.0  # where there is nothing else
    assert BENCHMARKS["xquad"].mean_of({"en": 40.0, "th": 20.0}) == 30.0


@pytest.mark.parametrize("line", ["[" * 100_000, "1" + "0" * 400, "true", "1e200"])
def test_json_values_that_are_no_predictions_are_named(line: str, tmp_path: Path) -> None:
    write(tmp_path / "dev.tsv", "sentence1\tsentence2\tscore", "a\tb\t1", "a\tb\t2")
    write(tmp_path / "p.jsonl", line, "2")
    with pytest.raises(DataError, match=r"p\.jsonl"):
        score("stsb", tmp_path / "dev.tsv", tmp_path / "p.jsonl")


def test_numbers_are_correlated(tmp_path: Path) -> None:
    write(tmp_path / "dev.tsv", "sentence1\tsentence2\tscore", "a\tb\t1", "a\tb\t2", "a\tb\t4")
    write(tmp_path / "p.txt", "1", "3", "5")
    found = values(score("stsb", tmp_path / "dev.tsv", tmp_path / "p.txt"))
    # Deviations -4/3, -1/3, 5/3 and -2, 0, 2: 6 / sqrt(42/9 * 8).
    assert found[("en", "pearson")] == pytest.approx(100 * 6 / (42 / 9 * 8) ** 0.5, abs=1e-6)
    assert found[("en", "spearman")] == pytest.approx(100.0)


def test_tags_are_read_with_their_words_or_alone(tmp_path: Path) -> None:
    write(tmp_path / "esp.testb", "Ana NP B-PER", "canta V O", "", "Lima NP B-LOC")
    write(tmp_path / "a.conll", "Ana B-PER", "canta O", "", "Lima O")
    write(tmp_path / "b.txt", "I-PER", "O", "", "O", "")
    for name in ("a.conll", "b.txt"):
        [row] = score("ner", tmp_path / "esp.testb", tmp_path / name)
        assert row.language == "es"
        assert row.value == pytest.approx(200 / 3, abs=1e-6)


def test_words_of_another_order_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "esp.testb", "Ana NP B-PER", "canta V O", "", "Lima NP B-LOC")
    write(tmp_path / "p", "canta B-PER", "Ana O", "", "Lima B-LOC")
    score("ner", tmp_path / "esp.testb", tmp_path / "p")
    assert "2 of 3 words are not those of the gold file, first in line 1: 'canta' for 'Ana'" in caplog.text
    caplog.clear()
    write(tmp_path / "uner-ud-test.iob2", "1\tAna\tB-PER", "2\tcanta\tO")
    score("universal_ner", tmp_path / "uner-ud-test.iob2", tmp_path / "uner-ud-test.iob2")
    for lines in (
        ("B-PER", "O", "", "B-LOC"),
        ("B-PER I-PER", "O O", "", "B-LOC O"),
        ("Ana NP B-PER", "canta V O", "", "Lima NP O"),
    ):
        write(tmp_path / "p", *lines)
        score("ner", tmp_path / "esp.testb", tmp_path / "p")
    assert not caplog.records


def test_answers_are_read_by_id_and_missing_ones_score_nothing(tmp_path: Path) -> None:
    qas = [{"id": key, "question": "?", "answers": [{"text": "el Nilo", "answer_start": 0}]} for key in "abcd"]
    gold = tmp_path / "test-context-es-question-de.json"
    write(gold, json.dumps({"data": [{"paragraphs": [{"context": "el Nilo", "qas": qas}]}]}))
    write(tmp_path / "p.json", json.dumps({"a": "Nilo", "b": "el Nilo azul", "c": "", "other": "x"}))
    found = values(score("mlqa", gold, tmp_path / "p.json"))
    # a: equal without its article; b: 2 * (1/2 * 1) / (3/2) = 2/3; c is empty; d is missing.
    assert found == {("es-de", "f1"): pytest.approx(100 * (1 + 2 / 3) / 4, abs=1e-6), ("es-de", "exact_match"): 25.0}


def test_what_an_evaluation_keeps_can_be_scored_again(data: Path, model: Path, tmp_path: Path) -> None:
    from evaluation.finetune import run
    from evaluation.presets import preset

    config = replace(preset("tiny", "sst2"), epochs=1)
    [row] = run("sst2", model, data, tmp_path, config)
    [again] = score("sst2", data / "glue" / "SST-2" / "dev.tsv", tmp_path / "predictions-en.jsonl")
    assert again.value == pytest.approx(row.value, abs=1e-4)


@pytest.mark.parametrize(
    ("predictions", "said"),
    [
        (("neutral",), "1 predictions for 2 examples"),
        (("neutral", "2"), r"p\.txt line 2: '2': wanted entailment or neutral or contradiction"),
        ((), "0 predictions for 2 examples"),
    ],
)
def test_predictions_that_cannot_be_scored_are_named(predictions: tuple[str, ...], said: str, tmp_path: Path) -> None:
    write(tmp_path / "test-en.tsv", "a\tb\tneutral", "a\tb\tneutral")
    write(tmp_path / "p.txt", *predictions)
    with pytest.raises(DataError, match=said):
        score("xnli", tmp_path / "test-en.tsv", tmp_path / "p.txt")


def test_a_file_that_is_one_long_line_is_named_in_a_short_one(tmp_path: Path) -> None:
    write(tmp_path / "dev.tsv", "sentence\tlabel", "good\t1")
    (tmp_path / "p.txt").write_bytes(b"1\t" * 5000)
    with pytest.raises(DataError, match=r"p\.txt line 1: '1.* \.\.\. .*: wanted 0 or 1") as caught:
        score("sst2", tmp_path / "dev.tsv", tmp_path / "p.txt")
    assert len(str(caught.value)) < 500


def test_wrong_lengths_of_tags_name_their_sentence(tmp_path: Path) -> None:
    write(tmp_path / "esp.testb", "Ana NP B-PER", "", "Lima NP B-LOC", "duerme V O")
    write(tmp_path / "p", "B-PER", "", "B-LOC")
    with pytest.raises(DataError, match="sentence 2: 1 tags for 2 words"):
        score("ner", tmp_path / "esp.testb", tmp_path / "p")
    write(tmp_path / "p", "B-PER", "", "LOC", "O")
    with pytest.raises(DataError, match="line 3: tag 'LOC': wanted O, B-TYPE or I-TYPE"):
        score("ner", tmp_path / "esp.testb", tmp_path / "p")


def test_numbers_that_are_none_are_not_scored(tmp_path: Path) -> None:
    write(tmp_path / "dev.tsv", "sentence1\tsentence2\tscore", "a\tb\t1", "a\tb\t2")
    write(tmp_path / "p.txt", "1", "nan")
    with pytest.raises(DataError, match=r"p\.txt line 2: 'nan': wanted a finite number"):
        score("stsb", tmp_path / "dev.tsv", tmp_path / "p.txt")


def test_answers_of_another_file_and_missing_files_are_named(tmp_path: Path) -> None:
    qas = [{"id": "a", "question": "?", "answers": [{"text": "x", "answer_start": 0}]}]
    write(tmp_path / "xquad.el.json", json.dumps({"data": [{"paragraphs": [{"context": "x", "qas": qas}]}]}))
    write(tmp_path / "p.json", json.dumps({"b": "x"}))
    with pytest.raises(DataError, match="no answer to any of the 1 questions"):
        score("xquad", tmp_path / "xquad.el.json", tmp_path / "p.json")
    with pytest.raises(DataError, match=r"nope\.json: no such file"):
        score("xquad", tmp_path / "xquad.el.json", tmp_path / "nope.json")
    write(tmp_path / "p.json", json.dumps({"a": 3}))
    with pytest.raises(DataError, match="question 'a': answer 3: wanted a text"):
        score("xquad", tmp_path / "xquad.el.json", tmp_path / "p.json")


def test_a_file_whose_name_says_no_language_is_scored_in_the_given_one(tmp_path: Path) -> None:
    qas = [{"id": "a", "question": "?", "answers": [{"text": "das Haus", "answer_start": 0}]}]
    write(tmp_path / "gold.json", json.dumps({"data": [{"paragraphs": [{"context": "das Haus", "qas": qas}]}]}))
    write(tmp_path / "p.json", json.dumps({"a": "Haus"}))
    assert values(score("mlqa", tmp_path / "gold.json", tmp_path / "p.json", "de"))[("de", "exact_match")] == 100.0
    with pytest.raises(DataError, match="MLQA has no rules for 'gold'"):
        score("mlqa", tmp_path / "gold.json", tmp_path / "p.json")


def test_a_language_that_a_file_of_several_does_not_have_is_not_scored_as_its_first(tmp_path: Path) -> None:
    header = "language\tgold_label\tsentence1\tsentence2"
    write(tmp_path / "xnli.test.tsv", header, "en\tneutral\ta\tb", "de\tentailment\ta\tb")
    write(tmp_path / "p.txt", "neutral")
    with pytest.raises(DataError, match=r"xnli\.test\.tsv: no 'fr': wanted one of en, de"):
        score("xnli", tmp_path / "xnli.test.tsv", tmp_path / "p.txt", "fr")


def test_answers_that_are_missing_too_many_or_twice_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    qas = [{"id": key, "question": "?", "answers": [{"text": "x", "answer_start": 0}]} for key in "ab"]
    write(tmp_path / "xquad.el.json", json.dumps({"data": [{"paragraphs": [{"context": "x", "qas": qas}]}]}))
    write(tmp_path / "p.json", '{"a": "y", "a": "x", "c": "x"}')
    found = values(score("xquad", tmp_path / "xquad.el.json", tmp_path / "p.json"))
    assert found[("el", "f1")] == 50.0  # the official script's JSON reader takes the last of two as well
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == [
        "1 questions have no answer and score 0, such as 'b'",
        "1 answers are to no question of the gold file and are left out, such as 'c'",
        "1 ids have two answers, of which the last counts, such as 'a'",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "p.json: empty: wanted a JSON object, question id -> answer"),
        ('{"a": "x', "p.json: no JSON from column 7 on: wanted a JSON object, question id -> answer"),
        ('["x"]', "p.json: a list: wanted a JSON object, question id -> answer"),
    ],
)
def test_answers_that_are_no_json_are_named_in_the_files_terms(text: str, said: str, tmp_path: Path) -> None:
    qas = [{"id": "a", "question": "?", "answers": [{"text": "x", "answer_start": 0}]}]
    write(tmp_path / "xquad.el.json", json.dumps({"data": [{"paragraphs": [{"context": "x", "qas": qas}]}]}))
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(DataError) as caught:
        score("xquad", tmp_path / "xquad.el.json", tmp_path / "p.json")
    assert str(caught.value) == f"{tmp_path}/{said}"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("1", "", "2"), "line 2: no prediction: wanted a finite number"),
        (("1_0", "2"), "line 1: '1_0': wanted a finite number"),
        (("\u0661", "2"), "line 1: '\u0661': wanted a finite number"),
        (("inf", "2"), "line 1: 'inf': wanted a finite number"),
        (("1e3", "-.5", "2"), "3 predictions for 2 examples: wanted one for each"),
    ],
)
def test_lines_that_are_no_numbers_are_named(lines: tuple[str, ...], said: str, tmp_path: Path) -> None:
    write(tmp_path / "dev.tsv", "sentence1\tsentence2\tscore", "a\tb\t1", "a\tb\t2")
    write(tmp_path / "p.txt", *lines)
    with pytest.raises(DataError, match=rf"p\.txt:? {said}"):
        score("stsb", tmp_path / "dev.tsv", tmp_path / "p.txt")


def test_a_long_value_that_is_no_prediction_is_shortened(tmp_path: Path) -> None:
    write(tmp_path / "dev.tsv", "sentence\tlabel", "good\t1")
    write(tmp_path / "p.jsonl", json.dumps({"label": "x" * 5000}))
    with pytest.raises(DataError, match=r"prediction 1 is \{'label': .* \.\.\. .*: wanted 0 or 1") as caught:
        score("sst2", tmp_path / "dev.tsv", tmp_path / "p.jsonl")
    assert len(str(caught.value)) < 500


def test_retrieval_wants_lines_that_exist(tmp_path: Path) -> None:
    write(tmp_path / "tatoeba.deu-eng.deu", "eins", "zwei")
    write(tmp_path / "tatoeba.deu-eng.eng", "one", "two")
    write(tmp_path / "p", "0", "0")
    [row] = score("tatoeba", tmp_path / "tatoeba.deu-eng.deu", tmp_path / "p")
    assert (row.language, row.value, row.chance) == ("deu", 50.0, 50.0)
    write(tmp_path / "p", "0", "2")
    with pytest.raises(DataError, match="prediction 2 is 2: wanted a line's number from 0"):
        score("tatoeba", tmp_path / "tatoeba.deu-eng.deu", tmp_path / "p")


def test_the_headline_of_each_glue_pair_is_the_papers() -> None:
    assert {name: BENCHMARKS[name].headline for name in ("mrpc", "qqp", "stsb")} == {
        "mrpc": "accuracy", "qqp": "accuracy", "stsb": "pearson"}  # fmt: skip
