"""Each benchmark reads its published file names and formats: small files of our own in those formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.benchmarks import BENCHMARKS, read_splits
from evaluation.benchmarks.mlqa import hold_out_contexts
from evaluation.records import Choice, Classified, DataError, Question, Rated, Splits, Tagged, Translated


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def squad(path: Path, *keys: str) -> None:
    """One question a context, whose answer is its first word."""
    paragraphs = [
        {"context": f"{key} stands here.",
         "qas": [{"id": key, "question": "Who?", "answers": [{"text": key, "answer_start": 0}]}]}
        for key in keys
    ]  # fmt: skip
    write(path, json.dumps({"version": "1.0", "data": [{"title": "t", "paragraphs": paragraphs}]}))


def sizes(splits: Splits) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    train, dev, test = ({name: len(rows) for name, rows in part.items()} for part in
                        (splits.train, splits.dev, splits.test))  # fmt: skip
    return train, dev, test


def test_every_benchmark_states_its_licence_metrics_and_settings() -> None:
    for name, benchmark in BENCHMARKS.items():
        assert benchmark.name == name
        assert benchmark.licence
        assert benchmark.home.startswith("https://")
        assert benchmark.metrics
        assert benchmark.settings
        assert benchmark.finetuning.setting in benchmark.settings
        assert (benchmark.labels == ()) == (benchmark.task in ("regression", "span", "retrieval"))


def test_a_benchmark_that_is_not_there_says_where_its_files_belong(tmp_path: Path) -> None:
    (tmp_path / "xnli").mkdir()
    with pytest.raises(DataError, match="pawsx: no such folder: put PAWS-X's published files there"):
        read_splits("pawsx", tmp_path)
    with pytest.raises(DataError, match="benchmark 'nope': wanted one of xnli, ner"):
        read_splits("nope", tmp_path)


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name not in ("mnli",)])
def test_an_empty_folder_is_no_success(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no .*(file|folder)"):
        read_splits(name, tmp_path)


def test_xnli_reads_its_official_files_as_tables_and_as_json(tmp_path: Path) -> None:
    header = "language\tgold_label\tsentence1\tsentence2"
    write(
        tmp_path / "XNLI-MT-1.0" / "multinli" / "multinli.train.en.tsv", "premise\thypo\tlabel", "a\tb\tcontradictory"
    )
    write(tmp_path / "XNLI-1.0" / "xnli.dev.tsv", header, "en\tneutral\ta\tb", "sw\tneutral\tc\td")
    rows = [{"language": lang, "gold_label": "entailment", "sentence1": "a", "sentence2": "b"} for lang in ("en", "sw")]
    write(tmp_path / "XNLI-1.0" / "xnli.test.jsonl", *map(json.dumps, rows))
    splits = read_splits("xnli", tmp_path)
    assert sizes(splits) == ({"en": 1}, {"en": 1, "sw": 1}, {"en": 1, "sw": 1})
    assert splits.train["en"] == (Classified("a", "b", "contradiction"),)


def test_xnli_without_a_test_file_says_what_it_wants(tmp_path: Path) -> None:
    write(tmp_path / "dev-en.tsv", "a\tb\tneutral")
    write(tmp_path / "train-en.tsv", "a\tb\tneutral")
    with pytest.raises(DataError, match=r"no test file: wanted xnli\.test\.tsv, xnli\.test\.jsonl or test-LANG\.tsv"):
        read_splits("xnli", tmp_path)


def test_americasnli_is_trained_on_xnlis_english(tmp_path: Path) -> None:
    header = "language\tpremise\thypothesis\tlabel"
    write(tmp_path / "xnli" / "multinli.train.en.tsv", "premise\thypo\tlabel", "a\tb\tneutral")
    write(tmp_path / "xnli" / "dev-en.tsv", "a\tb\tneutral")
    write(tmp_path / "americasnli" / "dev.tsv", header, "gn\ta\tb\tneutral")
    splits = read_splits("americasnli", tmp_path)
    assert sizes(splits) == ({"en": 1}, {"en": 1}, {"gn": 1})
    assert (splits.scored, splits.dev_is) == ("dev", "dev")
    write(tmp_path / "americasnli" / "test.tsv", header, "gn\ta\tb\tneutral", "quy\tc\td\tentailment")
    splits = read_splits("americasnli", tmp_path)
    assert sizes(splits) == ({"en": 1}, {"en": 1, "gn": 1}, {"gn": 1, "quy": 1})
    assert splits.scored == "test"


def test_pawsx_reads_its_own_files_and_counts_what_was_not_translated(tmp_path: Path) -> None:
    header = "id\tsentence1\tsentence2\tlabel"
    write(tmp_path / "en" / "train.tsv", header, "1\ta\tb\t1")
    rows = ("1\ta\tb\t1", "2\tNS\tb\t0", "3\ta\t \t0", "4\ta\tb\t", "5\ta\tb", "6\ta\tb\tNS")
    write(tmp_path / "de" / "translated_train.tsv", header, *rows)
    for language in ("en", "de"):
        write(tmp_path / language / "dev_2k.tsv", header, "1\ta\tb\t1")
        write(tmp_path / language / "test_2k.tsv", header, "1\ta\tb\t1", "2\ta\tb\t0")
    splits = read_splits("pawsx", tmp_path)
    assert sizes(splits) == ({"de": 1, "en": 1}, {"de": 1, "en": 1}, {"de": 2, "en": 2})
    assert splits.left_out == {"de/translated_train.tsv: not translated": 2, "de/translated_train.tsv: no label": 3}


def test_pawsx_rows_without_a_label_are_errors_where_they_are_scored(tmp_path: Path) -> None:
    header = "id\tsentence1\tsentence2\tlabel"
    write(tmp_path / "en" / "train.tsv", header, "1\ta\tb\t1")
    for row, said in (("2\ta\tb\t", "no label: wanted 0 or 1"), ("2\ta\tb", "3 columns, wanted 4")):
        write(tmp_path / "en" / "test_2k.tsv", header, "1\tNS\tb\t1", row)
        with pytest.raises(DataError, match=rf"test_2k\.tsv line 3: {said}"):
            read_splits("pawsx", tmp_path)
    write(tmp_path / "en" / "test_2k.tsv", header, "1\tNS\tb\t1")  # counts, as in the published number of rows
    assert len(read_splits("pawsx", tmp_path).test["en"]) == 1
    write(tmp_path / "en" / "train.tsv", header, "1\ta\tb\tyes")
    with pytest.raises(DataError, match=r"train\.tsv: no row has two sentences and a label, 0 or 1"):
        read_splits("pawsx", tmp_path)


def test_pawsx_reads_xtremes_files(tmp_path: Path) -> None:
    write(tmp_path / "train-en.tsv", *(f"a{n}\tb\t1" for n in range(10)))
    write(tmp_path / "dev-de.tsv", "a\tb\t1")
    splits = read_splits("pawsx", tmp_path)
    assert sizes(splits) == ({"en": 9}, {"en": 1}, {"de": 1})
    assert (splits.scored, splits.dev_is) == ("dev", "held out from train")


def test_ner_reads_each_language_that_is_there(tmp_path: Path) -> None:
    for part in ("train", "testa", "testb"):
        write(tmp_path / f"esp.{part}", "Ana NP B-PER", "canta V O")
    assert sizes(read_splits("ner", tmp_path)) == ({"es": 1}, {"es": 1}, {"es": 1})


def test_a_language_without_its_test_file_is_named_and_not_left_out(tmp_path: Path) -> None:
    sentence = ("Ana B-PER", "")
    for name in ("eng.train", "eng.testa", "eng.testb", "esp.train", "esp.testa"):
        write(tmp_path / name, *sentence)
    with pytest.raises(DataError, match=r"no test file of es, of which other files are there: put the published file"):
        read_splits("ner", tmp_path)
    xnli = tmp_path / "xnli"
    write(xnli / "multinli.train.en.tsv", "premise\thypo\tlabel", "a\tb\tneutral")
    for name in ("dev-en.tsv", "dev-sw.tsv", "test-en.tsv"):
        write(xnli / name, "a\tb\tneutral")
    with pytest.raises(DataError, match="no test file of sw"):
        read_splits("xnli", tmp_path)
    for name in ("train-en.tsv", "dev-en.tsv", "test-de.tsv"):
        write(tmp_path / "panx" / name, *sentence)
    with pytest.raises(DataError, match="no test file of en"):
        read_splits("panx", tmp_path)


def test_panx_reads_wikianns_and_xtremes_files(tmp_path: Path) -> None:
    for part in ("train", "dev", "test"):
        write(tmp_path / "a" / "sw" / part, "sw:Ana\tB-PER", "sw:anaimba\tO", "")
        write(tmp_path / "b" / f"{part}-sw.tsv", "Ana\tB-PER", "anaimba\tO", "")
    for folder in ("a", "b"):
        splits = read_splits("panx", tmp_path / folder)
        assert splits.test == {"sw": (Tagged(("Ana", "anaimba"), ("B-PER", "O")),)}
        assert sizes(splits) == ({"sw": 1}, {"sw": 1}, {"sw": 1})


def test_panx_without_tags_is_no_empty_success(tmp_path: Path) -> None:
    write(tmp_path / "test-sw.tsv", "Ana", "anaimba", "")
    with pytest.raises(DataError, match=r"test-sw\.tsv line 1: 'Ana' has no tag"):
        read_splits("panx", tmp_path)


def test_masakhaner_has_dates(tmp_path: Path) -> None:
    for part in ("train", "dev", "test"):
        write(tmp_path / "swa" / f"{part}.txt", "Jumatatu B-DATE", "", "Ana B-PER")
    splits = read_splits("masakhaner", tmp_path)
    assert splits.test["swa"][0] == Tagged(("Jumatatu",), ("B-DATE",))
    assert sizes(splits) == ({"swa": 2}, {"swa": 2}, {"swa": 2})


def test_universal_ner_reads_numbered_words_and_drops_other_types(tmp_path: Path) -> None:
    lines = (
        "# sent_id = 1",
        "# text = Ana sings .",
        "1\tAna\tB-PER\t-\tx",
        "2\tsings\tB-O\t-\tx",
        "3\t.\tB-OTH\t-\tx",
        "",
    )
    for part in ("train", "dev", "test"):
        write(tmp_path / "UNER_English-EWT" / f"en_ewt-ud-{part}.iob2", *lines)
    write(tmp_path / "UNER_Serbian-SET" / "sr_set-ud-test.iob2", "1\t#\tO", "2\tAna\tB-PER")
    splits = read_splits("universal_ner", tmp_path)
    assert splits.test["en-ewt"] == (Tagged(("Ana", "sings", "."), ("B-PER", "O", "O")),)
    assert splits.test["sr-set"] == (Tagged(("#", "Ana"), ("O", "B-PER")),)
    assert set(splits.train) == {"en-ewt"}


def test_mlqa_reads_all_pairs_of_context_and_question(tmp_path: Path) -> None:
    squad(tmp_path / "train-v1.1.json", "a")
    squad(tmp_path / "MLQA_V1" / "dev" / "dev-context-en-question-en.json", "b")
    for context in ("en", "es"):
        for question in ("en", "es"):
            squad(tmp_path / "MLQA_V1" / "test" / f"test-context-{context}-question-{question}.json", "c", "d")
    splits = read_splits("mlqa", tmp_path)
    assert sizes(splits) == ({"en": 1}, {"en": 1}, {"en": 2, "en-es": 2, "es": 2, "es-en": 2})
    assert splits.stand_in == ""


def test_mlqas_dev_sets_are_scored_where_its_tests_are_not_there_and_select_nothing(tmp_path: Path) -> None:
    squad(tmp_path / "mlqa" / "dev-context-en-question-en.json", "b")
    squad(tmp_path / "tydiqa" / "tydiqa.goldp.en.train.json", *(f"q{n}" for n in range(20)))
    splits = read_splits("mlqa", tmp_path)
    assert sizes(splits) == ({"en": 18}, {"en": 2}, {"en": 1})
    assert (splits.scored, splits.dev_is) == ("dev", "held out from train")
    assert splits.stand_in == "tydiqa.goldp.en.train.json"


def test_questions_of_one_context_are_held_out_together() -> None:
    questions = [Question(str(n), "?", f"context {n // 3}", (("context", 0),)) for n in range(60)]
    kept, rest = hold_out_contexts(questions)
    assert len(rest) == 6
    assert not {question.context for question in kept} & {question.context for question in rest}


def test_xquad_is_selected_by_squads_dev_set_where_it_is_there(tmp_path: Path) -> None:
    squad(tmp_path / "xquad" / "xquad.el.json", "a")
    squad(tmp_path / "squad" / "train-v1.1.json", *(f"q{n}" for n in range(10)))
    assert read_splits("xquad", tmp_path).dev_is == "held out from train"
    squad(tmp_path / "squad" / "dev-v1.1.json", "b")  # as XTREME's scripts leave them
    assert sizes(read_splits("xquad", tmp_path)) == ({"en": 10}, {"en": 1}, {"el": 1})
    squad(tmp_path / "xquad" / "dev-v1.1.json", "b", "c")
    assert sizes(read_splits("xquad", tmp_path)) == ({"en": 10}, {"en": 2}, {"el": 1})


def test_tydi_reads_its_published_file_by_the_ids_languages(tmp_path: Path) -> None:
    squad(tmp_path / "tydiqa-goldp-v1.1-train.json", *(f"english-{n}" for n in range(20)), "korean-1")
    squad(tmp_path / "tydiqa-goldp-v1.1-dev.json", "english-x", "korean-x", "telugu-x")
    splits = read_splits("tydiqa", tmp_path)
    assert sizes(splits) == ({"en": 18, "ko": 0}, {"en": 2, "ko": 1}, {"en": 1, "ko": 1, "te": 1})
    squad(tmp_path / "b" / "tydiqa.goldp.en.train.json", *(f"{n}" for n in range(20)))
    squad(tmp_path / "b" / "tydiqa.goldp.sw.dev.json", "1")
    assert sizes(read_splits("tydiqa", tmp_path / "b")) == ({"en": 18}, {"en": 2}, {"sw": 1})
    squad(tmp_path / "c" / "tydiqa.en.train.json", *(f"{n}" for n in range(20)))  # XTREME's first version
    squad(tmp_path / "c" / "tydiqa.sw.dev.json", "1")
    assert sizes(read_splits("tydiqa", tmp_path / "c")) == ({"en": 18}, {"en": 2}, {"sw": 1})


def test_tydi_reads_its_published_archive_of_a_dev_file_a_language(tmp_path: Path) -> None:
    squad(tmp_path / "tydiqa-goldp-v1.1-train.json", "english-1", "korean-2")
    for name in ("english", "korean"):
        squad(tmp_path / "tydiqa-goldp-v1.1-dev" / f"tydiqa-goldp-dev-{name}.json", f"{name}-3")
    assert set(BENCHMARKS["tydiqa"].read(tmp_path, tmp_path).test) == {"en", "ko"}


def test_two_releases_below_one_folder_are_not_mixed(tmp_path: Path) -> None:
    for place in ("data/hau", "MasakhaNER2.0/data/hau"):
        for part in ("train", "dev", "test"):
            write(tmp_path / place / f"{part}.txt", "Kano B-LOC", "")
    with pytest.raises(DataError, match="is also hau: wanted one of them in this folder"):
        BENCHMARKS["masakhaner"].read(tmp_path, tmp_path)


def test_glue_tasks_read_their_columns(tmp_path: Path) -> None:
    glue = tmp_path / "glue"
    mnli = "index\tsentence1\tsentence2\tlabel1\tgold_label"
    files = {
        "MNLI": (mnli, "0\ta\tb\tx\tneutral"),
        "QNLI": ("index\tquestion\tsentence\tlabel", '0\ta "\tb\tnot_entailment'),
        "QQP": ("id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", "0\t1\t2\ta\tb\t1"),
        "SST-2": ("sentence\tlabel", "a\t1"),
        "MRPC": ("\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String", "1\t5\t6\ta\tb"),
        "STS-B": ("index\tsentence1\tsentence2\tscore", "0\ta\tb\t4.5"),
        "RTE": ("index\tsentence1\tsentence2\tlabel", "0\ta\tb\tentailment"),
    }
    for folder, (header, row) in files.items():
        write(glue / folder / "train.tsv", header, *[row] * 10)
        for name in ("dev_matched.tsv", "dev_mismatched.tsv") if folder == "MNLI" else ("dev.tsv",):
            write(glue / folder / name, header, row)
    read = {name: read_splits(name, tmp_path) for name in ("mnli", "qnli", "qqp", "sst2", "mrpc", "stsb", "rte")}
    assert set(read["mnli"].test) == {"en-matched", "en-mismatched"}
    assert read["qnli"].test["en"] == (Classified('a "', "b", "not_entailment"),)
    assert read["stsb"].test["en"] == (Rated("a", "b", 4.5),)
    assert all(sizes(splits)[:2] == ({"en": 9}, {"en": 1}) for splits in read.values())
    assert all((splits.scored, splits.dev_is) == ("dev", "held out from train") for splits in read.values())


def test_rows_of_qqp_without_all_columns_are_left_out_and_counted(tmp_path: Path) -> None:
    header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate"
    write(tmp_path / "glue" / "QQP" / "train.tsv", header, *["0\t1\t2\ta\tb\t1"] * 10, "broken\trow")
    write(tmp_path / "glue" / "QQP" / "dev.tsv", header, "0\t1\t2\ta\tb\t0")
    assert read_splits("qqp", tmp_path).left_out == {"train.tsv: fewer columns than the header": 1}


def test_mrpc_without_train_tsv_leaves_glues_dev_pairs_out_of_microsofts_file(tmp_path: Path) -> None:
    header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"
    folder = tmp_path / "glue" / "MRPC"
    write(folder / "msr_paraphrase_train.txt", header, *(f"1\t{n}\t{n + 100}\ta {n}\tb" for n in range(12)))
    write(folder / "dev.tsv", header, "1\t3\t103\ta 3\tb", "0\t5\t105\ta 5\tb")
    splits = read_splits("mrpc", tmp_path)
    trained = {row.first for row in (*splits.train["en"], *splits.dev["en"]) if isinstance(row, Classified)}
    assert trained == {f"a {n}" for n in range(12)} - {"a 3", "a 5"}


def test_a_score_of_stsb_outside_its_range_is_named(tmp_path: Path) -> None:
    for name in ("train.tsv", "dev.tsv"):
        write(tmp_path / "glue" / "STS-B" / name, "sentence1\tsentence2\tscore", "a\tb\tx", "a\tb\t7")
    with pytest.raises(DataError, match=r"line 2: score 'x': wanted a number from 0 to 5 \(1 more: line 3\)"):
        read_splits("stsb", tmp_path)


def test_sib200_unquotes_what_pandas_quoted(tmp_path: Path) -> None:
    for part in ("train", "dev", "test"):
        write(tmp_path / "annotated" / "swh_Latn" / f"{part}.tsv", "index_id\tcategory\ttext",
              '1\thealth\t"He said ""no""."', "2\tscience/technology\tb")  # fmt: skip
    splits = read_splits("sib200", tmp_path)
    assert splits.test["swh_Latn"] == (Classified('He said "no".', None, "health"),
                                       Classified("b", None, "science/technology"))  # fmt: skip


def test_belebele_reads_its_rows_and_the_assembled_training_set(tmp_path: Path) -> None:
    row = {"flores_passage": "p", "question": "q", "correct_answer_num": "2", "dialect": "hin_Latn",
           **{f"mc_answer{n}": f"a{n}" for n in range(1, 5)}}  # fmt: skip
    write(tmp_path / "Belebele" / "hin_Latn.jsonl", json.dumps(row))
    columns = ("passage_id", "question_id", "passage", "question", *(f"answer{n}" for n in range(1, 5)))
    header = "\t".join((*columns, "correct_answer_num", "dataset", "split"))
    write(
        tmp_path / "belebele_train.tsv",
        header,
        "1\t1\tp\tq\ta\tb\tc\td\t4\tRACE\ttrain",
        '2\t1\t"He said ""no"".\n\nThen he left."\tq\ta\tb\tc\td\t1.0\tRACE\tdev',
        "3\t1\tp\tq\ta\t\tc\td\t1\tRACE\ttrain",
    )
    splits = read_splits("belebele", tmp_path)
    assert splits.dev["eng_Latn"] == (Choice('He said "no".\n\nThen he left.', "q", ("a", "b", "c", "d"), 0),)
    assert splits.left_out == {"belebele_train.tsv: an empty passage, question or answer": 1}
    assert splits.test["hin_Latn"] == (Choice("p", "q", ("a1", "a2", "a3", "a4"), 1),)
    assert splits.train["eng_Latn"] == (Choice("p", "q", ("a", "b", "c", "d"), 3),)
    assert sizes(splits)[1] == {"eng_Latn": 1}
    write(tmp_path / "Belebele" / "hin_Latn.jsonl", json.dumps(row | {"correct_answer_num": ""}))
    with pytest.raises(DataError, match=r"hin_Latn\.jsonl line 1: correct answer '': wanted 1, 2, 3 or 4"):
        read_splits("belebele", tmp_path)


def test_retrieval_sets_are_line_by_line_translations(tmp_path: Path) -> None:
    write(tmp_path / "tatoeba.swh-eng.swh", "habari", "asante")
    write(tmp_path / "tatoeba.swh-eng.eng", "news", "thanks")
    write(tmp_path / "devtest" / "eng_Latn.devtest", "news")
    write(tmp_path / "devtest" / "swh_Latn.devtest", "habari")
    assert read_splits("tatoeba", tmp_path).test == {
        "swh": (Translated("habari", "news"), Translated("asante", "thanks"))
    }
    assert read_splits("flores", tmp_path).test == {"swh_Latn": (Translated("habari", "news"),)}
    write(tmp_path / "tatoeba.swh-eng.eng", "news")
    with pytest.raises(DataError, match=r"tatoeba\.swh-eng\.swh: 2 lines, tatoeba\.swh-eng\.eng has 1"):
        read_splits("tatoeba", tmp_path)


def test_xtremes_copies_of_tatoeba_do_not_say_whose_translation_a_line_is(tmp_path: Path) -> None:
    write(tmp_path / "tatoeba" / "sw-en.sw", "habari", "asante")
    write(tmp_path / "tatoeba" / "sw-en.en", "news", "thanks")
    with pytest.raises(DataError, match=r"their English lines are sorted.*wanted the published tatoeba\.deu-eng\.deu"):
        read_splits("tatoeba", tmp_path)
