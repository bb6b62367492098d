"""Readers, official scores, and fine-tuning, on the embedded sets and on hand-made cases."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from embedded.benchmarks import make_benchmarks
from evaluation.benchmark import BENCHMARKS
from evaluation.finetune import FinetuneConfig, run
from evaluation.heads import decode, features_of
from evaluation.metrics import accuracy, entities, entity_f1, normalize_answer, question_scores, token_f1
from evaluation.readers import read_conll, read_nli_train, read_splits, read_squad, read_xtreme_nli, to_iob2
from evaluation.records import Classified, DataError, Question, Tagged
from training.export import export_hugging_face, save_final
from training.model import MaskedLanguageModel, xlmr_tiny
from training.vocabulary import EOS, PAD, UNK, Vocabulary, train_vocabulary

SHARED = Path(__file__).resolve().parents[3] / "shared" / "eval"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the published benchmark files are not on this machine")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_benchmarks(tmp_path_factory.mktemp("data") / "benchmarks")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from embedded.written import reference_sentences

    folder = tmp_path_factory.mktemp("model")
    texts = reference_sentences()
    characters = {language: sum(map(len, lines)) for language, lines in texts.items()}
    made = {language: (lambda lines=lines: lines) for language, lines in texts.items()}
    train_vocabulary(made, characters, folder / "sp.model", size=600)  # type: ignore[arg-type]
    torch.manual_seed(0)
    config = xlmr_tiny(len(Vocabulary.load(folder / "sp.model")))
    save_final(MaskedLanguageModel(config), config, folder / "final")
    export_hugging_face(folder / "final", folder / "sp.model", folder / "model")
    return folder / "model"


# --- readers


def test_the_embedded_sets_are_read_by_the_official_readers(data: Path) -> None:
    sizes = {name: {lang: len(rows) for lang, rows in read_splits(name, data).test.items()} for name in BENCHMARKS}
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


def test_xnli_mts_third_label_is_mapped(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text('premise\thypo\tlabel\nHe said "no\tx\tcontradictory\n')
    assert read_nli_train(tmp_path / "t.tsv") == (Classified('He said "no', "x", "contradiction"),)


def test_dutch_documents_start_without_a_blank_line(tmp_path: Path) -> None:
    (tmp_path / "ned.testb").write_text(
        "-DOCSTART- -DOCSTART- O\nJan N B-PER\nloopt V O\n\n-DOCSTART- -DOCSTART- O\nHij P O\n"
    )
    assert [sentence.words for sentence in read_conll(tmp_path / "ned.testb")] == [("Jan", "loopt"), ("Hij",)]


def test_latin_1_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "deu.testa").write_bytes("München x X O I-LOC\n".encode("latin-1"))
    assert read_conll(tmp_path / "deu.testa") == (Tagged(("München",), ("B-LOC",)),)


def test_iob1_becomes_iob2() -> None:
    tags = ["I-PER", "I-PER", "B-PER", "O", "I-LOC", "I-ORG"]
    assert to_iob2(tags) == ("B-PER", "I-PER", "B-PER", "O", "B-LOC", "B-ORG")


def test_a_wrong_file_is_named_with_what_was_wanted(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(DataError, match=r"x\.json: .*wanted SQuAD"):
        read_squad(tmp_path / "x.json")
    with pytest.raises(DataError, match=r"eng\.train: no such file"):
        read_splits("ner", tmp_path)


@needs_shared
def test_the_published_files_have_their_published_sizes() -> None:
    assert len(read_conll(next(SHARED.rglob("esp.testb")))) == 1517
    assert len(read_conll(next(SHARED.rglob("ned.testb")))) == 5195
    assert len(read_xtreme_nli(next(SHARED.rglob("dev-sw.tsv")))) == 2490
    assert len(read_squad(next(SHARED.rglob("dev-context-zh-question-zh.json")))) == 504


# --- scores, worked out by hand or from the research on the official scripts


def test_accuracy_is_in_percent() -> None:
    assert accuracy(["a", "b", "a"], ["a", "a", "a"]) == pytest.approx(200 / 3)
    with pytest.raises(ValueError, match="2 predictions for 1 examples"):
        accuracy(["a"], ["a", "b"])


def test_an_inside_tag_begins_an_entity_as_in_conlleval() -> None:
    assert entities(["O", "I-PER", "I-PER", "I-LOC", "B-LOC"]) == [("PER", 1, 3), ("LOC", 3, 4), ("LOC", 4, 5)]
    assert entity_f1([["B-PER", "I-PER"]], [["I-PER", "I-PER"]]).f1 == 100.0
    score = entity_f1([["B-PER", "O", "B-LOC"]], [["B-PER", "O", "B-ORG"]])
    assert (score.correct, score.predicted, score.gold, score.f1) == (1, 2, 2, 50.0)
    with pytest.raises(ValueError, match="sentence 0: 1 tags for 2 words"):
        entity_f1([["O", "O"]], [["O"]])


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("The  House, again!", "en", "house again"),
        ("والمال", "ar", "و م"),
        ("الكتاب", "ar", "كتاب"),
        ("北京2008年奥运会", "zh", "北 京 2008 年 奥 运 会"),
        ("㐀字", "zh", "㐀 字"),
        ("l’État", "es", "létat"),
        ("—", "en", ""),
    ],
)
def test_answers_are_normalised_as_mlqas_script_does(text: str, language: str, expected: str) -> None:
    assert normalize_answer(text, language) == expected


def test_questions_score_their_best_answer_and_missing_ones_nothing() -> None:
    gold = {"1": ["in the garden", "the garden"], "2": ["Lagos"]}
    assert question_scores(gold, {"1": "garden"}, "en") == (50.0, 50.0)
    assert token_f1("red garden", "garden", "en") == pytest.approx(2 / 3)
    assert question_scores({"1": ["the"]}, {"1": ""}, "en") == (0.0, 100.0)
    with pytest.raises(ValueError, match="no rules for 'fi'"):
        question_scores(gold, {}, "fi")


# --- heads


def test_each_word_gets_one_tag_however_long_the_sentence(model: Path) -> None:
    vocabulary = Vocabulary.load(model / "sentencepiece.bpe.model")
    words = tuple(f"word{n}" for n in range(60))
    example = Tagged((*words, "\u200b"), ("B-PER",) * 61)
    rows = features_of([example], BENCHMARKS["ner"], vocabulary, max_tokens=32)
    assert len(rows) > 3
    assert max(len(row.ids) for row in rows) <= 32
    right = [torch.nn.functional.one_hot(torch.tensor([max(t, 0) for t in row.target]), 9).float() for row in rows]
    [tags] = decode(BENCHMARKS["ner"], [example], rows, right)
    assert tags == ("B-PER",) * 61
    assert UNK in rows[-1].ids  # a word without a piece


def test_answers_are_cut_from_the_context_by_offsets(model: Path) -> None:
    vocabulary = Vocabulary.load(model / "sentencepiece.bpe.model")
    context = "Ein  Satz zuvor. " * 12 + "Der Koch wartet im Garten."
    start = context.index("im Garten")
    example = Question("1", "Wo?", context, (("im Garten", start),))
    rows = features_of([example], BENCHMARKS["mlqa"], vocabulary, max_tokens=64)
    assert len(rows) > 1
    scores = [torch.zeros(len(row.ids), 2) for row in rows]
    for row, found in zip(rows, scores, strict=True):
        if row.target != (0, 0):
            found[row.target[0], 0] = found[row.target[1], 1] = 9.0
    assert decode(BENCHMARKS["mlqa"], [example], rows, scores) == ["im Garten"]


def test_pairs_are_joined_as_in_fairseq(model: Path) -> None:
    vocabulary = Vocabulary.load(model / "sentencepiece.bpe.model")
    [row] = features_of([Classified("The cook", "sings", "neutral")], BENCHMARKS["xnli"], vocabulary, 64)
    assert list(row.ids) == [0, *vocabulary.encode("The cook"), EOS, EOS, *vocabulary.encode("sings"), EOS]
    assert row.target == (1,)
    [cut] = features_of([Classified("The cook " * 50, "sings", "neutral")], BENCHMARKS["xnli"], vocabulary, 32)
    assert len(cut.ids) == 32
    assert cut.ids[-1] == EOS
    assert PAD not in cut.ids


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ner", "mlqa"])
def test_a_seed_gives_the_same_results_twice(name: str, data: Path, model: Path, tmp_path: Path) -> None:
    config = FinetuneConfig(seed=3, epochs=2, batch=16, learning_rate=1e-3, max_tokens=64)
    first = run(name, model, data, tmp_path / "a", config)
    assert first == run(name, model, data, tmp_path / "b", config)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert "results.json" in files
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
    assert {row.language for row in first} == set(read_splits(name, data).test)


def test_the_papers_averages_are_those_of_its_rows() -> None:
    means = {"xnli": 80.9, "ner": 80.94, "mlqa": 70.7}
    for name, mean in means.items():
        values = BENCHMARKS[name].paper.values()
        assert sum(values) / len(values) == pytest.approx(mean, abs=0.06)
