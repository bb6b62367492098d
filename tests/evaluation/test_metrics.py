"""Official scores, worked out by hand or measured once with the official scripts (values only)."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.metrics.answers import answer_scores, normalize_answer, normalize_squad, question_scores, token_f1
from evaluation.metrics.entities import entities, entity_f1
from evaluation.metrics.metric import ACCURACY, ENTITY_F1, PEARSON, POSITIVE_F1, RETRIEVAL_ACCURACY, SPEARMAN
from evaluation.records import Choice, Classified, Rated, Tagged, Translated


def labelled(*labels: str) -> list[Classified]:
    return [Classified("a", "b", label) for label in labels]


def test_accuracy_is_in_percent() -> None:
    assert ACCURACY.score(labelled("a", "b", "a"), ["a", "a", "a"], "en") == pytest.approx(200 / 3)
    with pytest.raises(ValueError, match="2 predictions for 1 examples"):
        ACCURACY.score(labelled("a"), ["a", "b"], "en")
    with pytest.raises(ValueError, match="0 predictions for 0 examples"):
        ACCURACY.score([], [], "en")


def test_a_choice_is_scored_by_its_answers_number_from_one() -> None:
    assert ACCURACY.score([Choice("p", "q", ("a", "b", "c", "d"), 2)] * 2, ["3", "2"], "en") == 50.0


def test_f1_of_glue_is_that_of_the_positive_class() -> None:
    """Two of three positives found, one false alarm: precision 2/3, recall 2/3."""
    gold = labelled("1", "1", "1", "0", "0")
    assert POSITIVE_F1.score(gold, ["1", "1", "0", "1", "0"], "en") == pytest.approx(200 / 3)
    assert POSITIVE_F1.score(gold, ["0"] * 5, "en") == 0.0
    # MRPC's train set has 67.5 % positives: all-positive has F1 2 * 0.675 / 1.675 = 80.6.
    assert POSITIVE_F1.score(labelled(*["1"] * 675, *["0"] * 325), ["1"] * 1000, "en") == pytest.approx(
        80.597, abs=1e-3
    )


def test_an_inside_tag_begins_an_entity_as_in_conlleval() -> None:
    assert entities(["O", "I-PER", "I-PER", "I-LOC", "B-LOC"]) == [("PER", 1, 3), ("LOC", 3, 4), ("LOC", 4, 5)]
    assert entity_f1([["B-PER", "I-PER"]], [["I-PER", "I-PER"]]).f1 == 100.0
    score = entity_f1([["B-PER", "O", "B-LOC"]], [["B-PER", "O", "B-ORG"]])
    assert (score.correct, score.predicted, score.gold, score.f1) == (1, 2, 2, 50.0)
    with pytest.raises(ValueError, match="sentence 0: 1 tags for 2 words"):
        entity_f1([["O", "O"]], [["O"]])


def test_entities_do_not_cross_sentences() -> None:
    gold = [Tagged(("a",), ("B-PER",)), Tagged(("b",), ("B-PER",))]
    assert ENTITY_F1.score(gold, [("B-PER",), ("I-PER",)], "en") == 100.0
    assert ENTITY_F1.score(gold, [("O",), ("O",)], "en") == 0.0


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


def test_squads_rules_keep_what_is_not_ascii_punctuation() -> None:
    assert normalize_squad("l’État", "es") == "l’état"
    assert normalize_squad("—", "en") == "—"
    assert normalize_squad("Das  Haus, the end.", "de") == "das haus end"
    assert answer_scores(["el Nilo"], "Nilo", "es", normalize_squad) == (pytest.approx(2 / 3), 0.0)
    assert answer_scores(["el Nilo"], "Nilo", "es", normalize_answer) == (1.0, 1.0)


def test_questions_score_their_best_answer_and_missing_ones_nothing() -> None:
    gold = {"1": ["in the garden", "the garden"], "2": ["Lagos"]}
    assert question_scores(gold, {"1": "garden"}, "en") == (50.0, 50.0)
    assert token_f1("red garden", "garden", "en") == pytest.approx(2 / 3)
    assert question_scores({"1": ["the"]}, {"1": ""}, "en") == (0.0, 100.0)
    with pytest.raises(ValueError, match="no rules for 'fi'"):
        question_scores(gold, {"1": "x"}, "fi")


def test_correlations_are_scipys_and_not_clipped() -> None:
    from scipy.stats import pearsonr, spearmanr

    chance = np.random.default_rng(3)
    truth = np.round(chance.uniform(0, 5, 300), 1)
    found = truth + chance.normal(0, 2, 300)  # beyond 0 and 5 too
    gold = [Rated("a", "b", float(value)) for value in truth]
    assert PEARSON.score(gold, list(found), "en") == pytest.approx(100 * pearsonr(truth, found).statistic, abs=1e-9)
    assert SPEARMAN.score(gold, list(found), "en") == pytest.approx(100 * spearmanr(truth, found).statistic, abs=1e-9)


def test_a_constant_has_no_correlation() -> None:
    gold = [Rated("a", "b", value) for value in (1.0, 2.0, 3.0)]
    assert PEARSON.score(gold, [2.5] * 3, "en") == 0.0
    assert SPEARMAN.score(gold, [2.5] * 3, "en") == 0.0


def test_a_draw_in_which_no_example_counts_is_no_nan() -> None:
    assert [float(metric.value(np.zeros(6))) for metric in (ACCURACY, ENTITY_F1, PEARSON)] == [0.0, 0.0, 0.0]


def test_retrieval_counts_lines_that_find_their_own_line() -> None:
    assert RETRIEVAL_ACCURACY.score([Translated("a", "b")] * 4, [0, 1, 0, 3], "deu") == 75.0
