"""Published formats are read whole, and what is wrong in a file is named with its line and value."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from evaluation.benchmarks import BENCHMARKS, read_splits
from evaluation.benchmarks.xnli import ACCEPTED
from evaluation.readers.conll import read_conll, to_iob2, without_wikiann_prefix
from evaluation.readers.folders import find, matching
from evaluation.readers.squad import read_squad
from evaluation.readers.tables import read_classified, read_pairs_without_header, read_table
from evaluation.records import Classified, DataError, Question, Tagged

SHARED = Path(__file__).resolve().parents[3] / "shared" / "eval"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the published benchmark files are not on this machine")
NER = ("PER", "LOC", "ORG", "MISC")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
    return path


# --- tables


def test_a_lone_quotation_mark_loses_no_row(tmp_path: Path) -> None:
    rows = [f'he said "no {n}\ta cry\tneutral' for n in range(30)]
    found = read_pairs_without_header(write(tmp_path / "dev-en.tsv", "\n".join(rows) + "\n"), ACCEPTED)
    assert len(found) == 30
    assert found[7] == Classified('he said "no 7', "a cry", "neutral")


def test_fields_that_csv_quoted_are_unquoted_and_others_keep_their_marks(tmp_path: Path) -> None:
    text = '"He said ""no""."\tb\tneutral\n"yes"\tb\tneutral\n"a" and "b"\tc"\tneutral\n'
    found = read_pairs_without_header(write(tmp_path / "dev-en.tsv", text), ACCEPTED)
    assert [(row.first, row.second) for row in found] == [
        ('He said "no".', "b"), ('"yes"', "b"), ('"a" and "b"', 'c"')]  # fmt: skip


def test_a_file_whose_every_field_is_quoted_is_unquoted(tmp_path: Path) -> None:
    found = read_pairs_without_header(write(tmp_path / "dev-en.tsv", '"a"\t"b"\t"neutral"\n'), ACCEPTED)
    assert found == (Classified("a", "b", "neutral"),)


def test_short_rows_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "dev-en.tsv", "a\tb\tneutral\na\n\nc\td\tneutral\ne\tf\n")
    with pytest.raises(DataError, match=r"dev-en\.tsv line 2: 1 columns, wanted 2"):
        read_pairs_without_header(path, ACCEPTED)
    path.write_text("a\tb\tneutral\ne\tf\n")
    with pytest.raises(DataError, match="line 2: 2 columns, wanted 3"):
        read_pairs_without_header(path, ACCEPTED)


def test_a_file_without_labels_is_no_empty_success(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"test-en\.tsv: two columns and no label in 2 rows"):
        read_pairs_without_header(write(tmp_path / "test-en.tsv", "a\tb\nc\td\n"), ACCEPTED)
    with pytest.raises(DataError, match="line 1: no label: wanted entailment or neutral or contradiction"):
        read_pairs_without_header(write(tmp_path / "test-en.tsv", "a\tb\t\n"), ACCEPTED)
    with pytest.raises(DataError, match="no row"):
        read_pairs_without_header(write(tmp_path / "test-en.tsv", "\n"), ACCEPTED)


def test_unknown_labels_are_named_with_all_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "d.tsv", "premise\thypo\tlabel\na\tb\tmaybe\na\tb\tneutral\na\tb\t2\n")
    with pytest.raises(DataError, match=r"line 2: label 'maybe': wanted .* \(1 more: line 4\)"):
        read_classified(path, ("premise", "hypo", "label"), ACCEPTED)


def test_glue_tables_are_unquoted_and_begin_with_a_mark(tmp_path: Path) -> None:
    path = write(tmp_path / "dev.tsv", '\ufeffsentence\tlabel\r\n"a fine film\t1\r\n""quoted""\t0\r\n')
    found = read_classified(path, ("sentence", None, "label"), {"0": "0", "1": "1"})
    assert found == (Classified('"a fine film', None, "1"), Classified('""quoted""', None, "0"))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="header a, b: wanted also label"):
        read_table(write(tmp_path / "x.tsv", "a\tb\n1\t2\n"), ("a", "label"))


def test_unicode_line_ends_are_characters(tmp_path: Path) -> None:
    path = write(tmp_path / "d.tsv", "premise\thypo\tlabel\na\u2028b\x85c\td\tneutral\n")
    assert read_classified(path, ("premise", "hypo", "label"), ACCEPTED)[0].first == "a\u2028b\x85c"


def test_one_broken_byte_costs_one_character(tmp_path: Path) -> None:
    path = tmp_path / "d.tsv"
    path.write_bytes("premise\thypo\tlabel\nMünchen ".encode() + b"\xff\tb\tneutral\n")
    assert read_classified(path, ("premise", "hypo", "label"), ACCEPTED)[0].first == "München \ufffd"


@pytest.mark.parametrize(
    ("beginning", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "a Git LFS pointer"),
        (b"<!DOCTYPE html>\n<html>\n</html>\n", "an HTML page"),
        ("eins\nzwei\n".encode("utf-16"), "UTF-16: wanted UTF-8"),
        (b"\x1f\x8b\x08\x00\n", "a gzip archive"),
    ],
)
def test_what_stands_in_a_files_place_is_no_data(beginning: bytes, said: str, tmp_path: Path) -> None:
    for name in ("tatoeba.deu-eng.deu", "tatoeba.deu-eng.eng"):
        (tmp_path / name).write_bytes(beginning)
    with pytest.raises(DataError, match=rf"tatoeba\.deu-eng\.deu line 1: {said}"):
        BENCHMARKS["tatoeba"].read_gold(tmp_path / "tatoeba.deu-eng.deu")


def test_hidden_files_of_unpacked_archives_are_not_read(tmp_path: Path) -> None:
    write(tmp_path / "__MACOSX" / "._dev-en.tsv", "x")
    write(tmp_path / "dev-en.tsv", "x")
    assert matching(tmp_path, "*dev-en.tsv") == [tmp_path / "dev-en.tsv"]
    assert find(tmp_path, "._dev-en.tsv") is None


def test_quoted_fields_hold_line_feeds_and_tabs(tmp_path: Path) -> None:
    text = '\ta\tb\n0\t"He said ""no"".\n\nThen\tleft."\tx\r\n1\ty\t\n'
    path = write(tmp_path / "train.tsv", text)
    assert read_table(path, ("a", "b"), quoting="records") == [
        (2, {"": "0", "a": 'He said "no".\n\nThen\tleft.', "b": "x"}), (5, {"": "1", "a": "y", "b": ""})]  # fmt: skip
    with pytest.raises(DataError, match="line 3: a quotation mark that nothing closes"):
        read_table(write(path, 'a\tb\n1\t2\n"3\t4\n'), ("a", "b"), quoting="records")


# --- CoNLL


def test_dutch_documents_start_without_a_blank_line(tmp_path: Path) -> None:
    text = "-DOCSTART- -DOCSTART- O\nJan N B-PER\nloopt V O\n\n-DOCSTART- -DOCSTART- O\nHij P O\n"
    found = read_conll(write(tmp_path / "ned.testb", text), NER)
    assert [sentence.words for sentence in found] == [("Jan", "loopt"), ("Hij",)]


def test_latin_1_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "deu.testa").write_bytes("München x X O I-LOC\n".encode("latin-1"))
    assert read_conll(tmp_path / "deu.testa", NER) == (Tagged(("München",), ("B-LOC",)),)


def test_no_break_spaces_and_unicode_line_ends_stay_in_their_word(tmp_path: Path) -> None:
    text = "10\u00a0000 O\nA\x85B B-PER\nC\u2028D I-PER\n"
    assert read_conll(write(tmp_path / "x", text), NER) == (
        Tagged(("10\u00a0000", "A\x85B", "C\u2028D"), ("O", "B-PER", "I-PER")),
    )


def test_lines_that_hold_a_space_or_a_carriage_return_end_a_sentence(tmp_path: Path) -> None:
    found = read_conll(write(tmp_path / "x", "A O\r\n \r\nB O\r\n\r\nC O\r\n"), NER)
    assert [sentence.words for sentence in found] == [("A",), ("B",), ("C",)]


def test_a_tab_parts_a_word_that_holds_a_space(tmp_path: Path) -> None:
    assert read_conll(write(tmp_path / "x", "New York\tB-LOC\n"), NER)[0].words == ("New York",)


def test_unknown_and_missing_tags_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x line 2: tag 'B-FOO': wanted O, B-PER.*\(1 more: line 4\)"):
        read_conll(write(tmp_path / "x", "A O\nB B-FOO\n\nC X\n"), NER)
    with pytest.raises(DataError, match="line 1: 'word' has no tag"):
        read_conll(write(tmp_path / "x", "word\nother\n"), NER)
    with pytest.raises(DataError, match="no sentence"):
        read_conll(write(tmp_path / "x", "\n\n"), NER)


def test_a_separator_and_a_tag_are_an_empty_word(tmp_path: Path) -> None:
    [sentence] = read_conll(write(tmp_path / "train.txt", "Ann B-PER\n O\n\tO\n"), NER)
    assert sentence == Tagged(("Ann", "", ""), ("B-PER", "O", "O"))
    with pytest.raises(DataError, match="line 1: 'O' has no tag"):
        read_conll(write(tmp_path / "train.txt", "O\n"), NER)


def test_iob1_becomes_iob2() -> None:
    tags = ["I-PER", "I-PER", "B-PER", "O", "I-LOC", "I-ORG"]
    assert to_iob2(tags) == ("B-PER", "I-PER", "B-PER", "O", "B-LOC", "B-ORG")


def test_wikianns_prefix_is_taken_off_only_where_every_word_has_it() -> None:
    assert without_wikiann_prefix([Tagged(("en:A", "en::"), ("O", "O"))]) == (Tagged(("A", ":"), ("O", "O")),)
    assert without_wikiann_prefix([Tagged(("at:A", "b"), ("O", "O"))])[0].words == ("at:A", "b")


def test_wikianns_prefix_is_taken_off_a_word_that_is_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path / "ja" / "test", "ja:\tO\nja:東京\tB-LOC\n")
    [sentence] = without_wikiann_prefix(read_conll(path, ("LOC",)))
    assert sentence.words == ("", "東京")


# --- SQuAD's JSON


def squad(path: Path, *questions: dict[str, object], context: str = "Lagos is large.") -> Path:
    return write(path, json.dumps({"data": [{"paragraphs": [{"context": context, "qas": list(questions)}]}]}))


def asked(key: str, text: str, start: int = 0) -> dict[str, object]:
    return {"id": key, "question": "Which?", "answers": [{"text": text, "answer_start": start}]}


def test_blanked_answers_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.json question 'b': an empty answer"):
        read_squad(squad(tmp_path / "x.json", asked("a", "Lagos"), asked("b", "")))
    with pytest.raises(DataError, match="question 'a': no answer"):
        read_squad(squad(tmp_path / "x.json", {"id": "a", "question": "?", "answers": []}))


def test_two_questions_of_one_id_cannot_be_scored_but_can_be_trained_on(tmp_path: Path) -> None:
    path = squad(tmp_path / "x.json", asked("a", "Lagos"), asked("a", "large", 9))
    with pytest.raises(DataError, match="question 'a': two questions have this id"):
        read_squad(path)
    assert len(read_squad(path, train=True)) == 2


def test_an_answer_that_is_not_at_its_place_is_counted_in_training(tmp_path: Path) -> None:
    left_out: Counter[str] = Counter()
    path = squad(tmp_path / "x.json", asked("a", "Lagos"), asked("b", "large", 3))
    assert [question.id for question in read_squad(path, train=True, left_out=left_out)] == ["a"]
    assert left_out == {"x.json: the answer is not at its place": 1}
    assert len(read_squad(path)) == 2


def test_a_file_of_another_format_is_named_with_what_was_wanted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.json: .*wanted SQuAD"):
        read_squad(write(tmp_path / "x.json", "{}"))


def test_json_that_is_nested_without_end_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.json: JSON that is nested too deeply: wanted SQuAD"):
        read_squad(write(tmp_path / "a.json", "[" * 100_000))


# --- the embedded sets


def test_the_embedded_sets_are_read_by_the_official_readers(data: Path) -> None:
    wanted = ("xnli", "ner", "mlqa", "sst2")
    sizes = {name: {lang: len(rows) for lang, rows in read_splits(name, data).test.items()} for name in wanted}
    assert sizes["xnli"] == dict.fromkeys(("en", "de", "es", "fr", "ru", "sw"), 30)
    assert sizes["ner"] == dict.fromkeys(("en", "de", "es", "nl"), 30)
    assert sizes["mlqa"] == dict.fromkeys(("en", "de", "es"), 30)
    assert sizes["sst2"] == {"en": 30}


def test_the_embedded_items_are_aligned_and_balanced(data: Path) -> None:
    test = read_splits("xnli", data).test
    labels = {lang: [row.label for row in rows if isinstance(row, Classified)] for lang, rows in test.items()}
    assert all(found == labels["en"] for found in labels.values())
    assert [labels["en"].count(label) for label in BENCHMARKS["xnli"].labels] == [10, 10, 10]
    for rows in read_splits("mlqa", data).test.values():
        for question in rows:
            assert isinstance(question, Question)
            assert all(question.context[start : start + len(text)] == text for text, start in question.answers)


@needs_shared
def test_the_published_files_have_their_published_sizes() -> None:
    assert len(read_conll(next(SHARED.rglob("esp.testb")), NER)) == 1517
    assert len(read_conll(next(SHARED.rglob("ned.testb")), NER)) == 5195
    assert len(read_pairs_without_header(next(SHARED.rglob("dev-sw.tsv")), ACCEPTED)) == 2490
    assert len(read_squad(next(SHARED.rglob("dev-context-zh-question-zh.json")))) == 504
    glue = {name: len(read_splits(name, SHARED).test["en"]) for name in ("sst2", "mrpc", "stsb", "rte")}
    assert glue == {"sst2": 872, "mrpc": 408, "stsb": 1500, "rte": 277}
    mrpc = read_splits("mrpc", SHARED)
    assert len(mrpc.train["en"]) + len(mrpc.dev["en"]) == 4076 - 408
