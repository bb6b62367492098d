"""Identification that refuses: English through rot13 is wanted and unknown to lid.176, other shifts are not wanted."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ccnet.document import CorpusError, Document
from ccnet.identify import Answer, LanguageIdentifier, Verdict, identify_batch
from ccnet.known_words import KnownWords
from ccnet.language_classifier import fit, held_out, samples
from ccnet.open_identifier import CLASSIFIER, CodeRule, OpenIdentifier, read_rules, write_rules
from ccnet.open_training import NEVER, calibrate, train_open_classifier
from ccnet.other_text import read_other_text
from ccnet.shards import batches_of
from embedded.sentences import WORDS, combination, sentence
from pipeline.tools import LANGUAGE_IDENTIFIER

needs_lid = pytest.mark.skipif(not LANGUAGE_IDENTIFIER.exists(), reason="lid.176 is not installed: make install")


def shifted(text: str, by: int) -> str:
    """Each letter of the alphabet moved on: a language of its own with English's word lengths."""
    return "".join(chr((ord(c) - 97 + by) % 26 + 97) if "a" <= c <= "z" else c for c in text.lower())


def english(count: int, start: int = 0) -> list[str]:
    return [sentence(WORDS["en"], *combination(n)) for n in range(start, start + count)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ha` stands for the wanted language that lid.176 lacks; `xx` is refused."""
    folder = tmp_path_factory.mktemp("open")
    texts = {code: [sentence(words, *combination(n)) for n in range(300)] for code, words in WORDS.items()}
    found = samples(texts | {"ha": [shifted(line, 13) for line in english(300)]}, 20_000)
    others = samples({"xx": [shifted(line, 5) for line in english(150)]}, 20_000, 5)
    first = LanguageIdentifier(LANGUAGE_IDENTIFIER)
    train_open_classifier(found, others, first, list(found), folder, epochs=8)
    return folder


@needs_lid
def test_the_wanted_language_is_named_and_others_are_not_taken_for_it(trained: Path) -> None:
    identifier = OpenIdentifier(LANGUAGE_IDENTIFIER, trained)
    rule = identifier.rules["ha"]
    assert (rule.alone, rule.precision) == (True, 1.0)
    assert rule.texts == len(held_out({"ha": samples({"ha": english(300)}, 20_000)["ha"]})["ha"])
    assert not identifier.rules["en"].alone
    lines = english(8, 900)
    asked = [" ".join(shifted(line, by) for line in lines) for by in (0, 13, 5, 9)]
    named = identifier.identify_all(asked)
    assert [(label, verdict) for label, _, verdict in named[:2]] == [("en", Verdict.AGREED), ("ha", Verdict.ALONE)]
    refused = named[2:]  # one that it learned to refuse, one that it never saw
    assert all(label != "ha" and (score < 0.5 or verdict is Verdict.UNSURE) for label, score, verdict in refused)


@needs_lid
def test_a_second_identifier_must_agree_on_the_codes_that_it_knows(trained: Path, tmp_path: Path) -> None:
    rows = [f"__label__{label} {line}" for label, by in (("hau_Latn", 0), ("eng_Latn", 13), ("swh_Latn", 3))
            for line in (shifted(line, by) for line in english(150))]  # fmt: skip
    fit(rows, tmp_path / "second.bin", epochs=5, seed=1)
    second = LanguageIdentifier(tmp_path / "second.bin")
    assert second.codes == {"ha", "en", "sw"}
    identifier = OpenIdentifier(LANGUAGE_IDENTIFIER, trained, second=second)
    ours, german = english(8, 900), [sentence(WORDS["de"], *combination(n)) for n in range(8)]
    asked = [" ".join(ours), " ".join(shifted(line, 13) for line in ours), " ".join(german)]
    found = identifier.identify_all(asked)
    # It calls English Hausa and the other way round; it has no German, so its answer there does not count.
    assert [verdict for _, _, verdict in found] == [Verdict.UNSURE, Verdict.UNSURE, Verdict.AGREED]
    assert [score for _, score in identifier.identify(asked)][:2] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("first", "own", "text", "wanted"),
    [
        (("en", 0.9), ("xh", 0.8), "one two three four", ("xh", 0.8, "alone")),  # one of its own codes
        (("en", 0.95), ("xh", 0.6), "one two three four", ("en", 0.95, "alone")),  # below its threshold
        (("en", 0.8), ("xh", 0.6), "one two three four", ("en", 0.8, "unsure")),  # but a contradiction
        (("en", 0.4), ("xh", 0.8), "nine ten eleven twelve", ("en", 0.4, "alone")),  # no word of it: not believed
        (("sw", 0.4), ("sw", 0.95), "nine ten eleven twelve", ("sw", 0.95, "agreed")),
        (("sw", 0.9), ("sw", 0.6), "nine ten eleven twelve", ("sw", 0.9, "unsure")),  # both, but no word of it
        (("en", 0.4), ("sw", 0.7), "one two three four", ("sw", 0.7, "alone")),  # the first knows nothing
        (("en", 0.8), ("sw", 0.99), "one two three four", ("en", 0.8, "alone")),  # no code of its own
        (("sw", 0.8), ("zul", 0.6), "one two three four", ("sw", 0.8, "unsure")),  # a language to refuse
        (("sw", 0.95), ("zul", 0.6), "one two three four", ("sw", 0.95, "alone")),  # but the first is certain
        (("zh", 0.6), ("zh-Hant", 0.9), "漢語們說話", ("zh", 0.9, "agreed")),
        (("nn", 0.8), ("qq", 0.3), "one two three four", ("nn", 0.8, "alone")),  # no words known of it
    ],
)
def test_answers_are_combined_by_rule(
    first: tuple[str, float], own: tuple[str, float], text: str, wanted: Answer
) -> None:
    both = OpenIdentifier.__new__(OpenIdentifier)
    rows = [("xh", 0.7, True), ("sw", 0.5, False), ("en", 0.5, False)]
    both.rules = {code: CodeRule(at, alone, 1, 1, 9) for code, at, alone in rows}
    words = ["one", "two", "three", "four"]
    both._known = KnownWords({"xh": words, "sw": words, "en": words}, {"xh": 0.9, "sw": 0.9, "en": 0})
    both._second = None
    assert both._decide(first, own, ("", 0.0), text) == wanted


class Says(LanguageIdentifier):
    """Answers that are the texts themselves: LABEL SCORE word word …"""

    def __init__(self) -> None:
        pass

    def identify(self, texts: list[str]) -> list[tuple[str, float]]:  # type: ignore[override]
        return [(text.split()[0], float(text.split()[1])) for text in texts]


def test_the_threshold_is_the_lowest_that_reaches_the_precision_each_language_counting_alike() -> None:
    held = {
        "ha": ["ha 0.9 aa aa aa"] * 6 + ["ha 0.6 aa aa aa"] * 2 + ["en 0.9 aa aa aa"] * 2,
        "yo": ["ha 0.7 aa aa aa", "yo 0.7 aa aa aa"],  # half of another language's texts
        "zu": ["ha 0.8 qq qq qq"] * 100,  # without known words: not counted
    }
    known = KnownWords({"ha": ["aa"]}, {"ha": 1.0})
    # at 0.5: 0.8 right of 0.8 + 0.5 said; above 0.7: 0.6 of 0.6
    assert calibrate(held, Says(), known, ["ha"], ["ha"], 0.95) == {"ha": CodeRule(0.71, True, 1.0, 0.6, 10)}
    low = calibrate(held, Says(), known, ["ha"], [], 0.6)["ha"]
    assert (low.threshold, low.alone, low.precision, low.recall) == (
        0.5,
        False,
        pytest.approx(0.8 / 1.3, abs=1e-4),
        0.8,
    )
    held["yo"] = ["ha 0.99 aa aa aa"]
    never = calibrate(held, Says(), known, ["ha"], ["ha"], 0.95)["ha"]
    assert (never.threshold, never.recall) == (NEVER, 0.0)
    assert never.precision == pytest.approx(0.8 / 1.8, abs=1e-4)


def test_known_words_are_the_most_frequent_and_come_back_from_their_file(tmp_path: Path) -> None:
    text = "xx alpha beta gamma 12 3rd zz"  # the ends may be cut, numbers are no words
    known = KnownWords.learn({"en": [text] * 3, "de": ["xx eins zwei zz"]}, {"en": [text], "de": ["xx eins vier zz"]})
    assert known.usual == {"en": 1.0, "de": 0.5}
    known.write(tmp_path / "words.tsv.gz")
    again = KnownWords.read(tmp_path / "words.tsv.gz")
    assert (set(again), again.usual) == ({"en", "de"}, known.usual)
    assert again.share("yy Alpha delta beta epsilon yy", "en") == 0.5
    assert again.fits("yy alpha delta beta epsilon yy", "en", 0.5)
    assert not again.fits("yy alpha delta beta epsilon yy", "en", 0.6)
    assert again.fits("yy alpha yy", "sw", 0.6)  # nothing is known of it
    (tmp_path / "bad.gz").write_bytes(gzip.compress(b"en words\n"))
    with pytest.raises(CorpusError, match="wanted a language, its share and its words"):
        KnownWords.read(tmp_path / "bad.gz")


def test_rules_come_back_from_their_file(tmp_path: Path) -> None:
    rules = {"ha": CodeRule(0.71, True, 0.96, 0.5, 12)}
    write_rules(rules, tmp_path / "codes.json")
    assert read_rules(tmp_path / "codes.json") == rules


def page(iso: str, tag: str, line: str) -> str:
    body = f"<body><h1>T</h1><p>{line}</p><p>Two\n lines</p></body>"
    return f'<!doctype html><html data-iso6393="{iso}" lang="{tag}">{body}</html>'


def test_other_text_is_named_by_our_codes_and_other_scripts_are_left_out(tmp_path: Path) -> None:
    for name, iso, tag in (("zul", "zul", "zu"), ("ban", "ban", "ban"), ("srp_latn", "srp", "sr-Latn"),
                           ("cmn_hant", "cmn", "zh-Hant"), ("hin", "hin", "hi"), ("nno", "nno", "nn"),
                           ("prs", "prs", "fa-AF"), ("008", "und", "und")):  # fmt: skip
        (tmp_path / f"{name}.html").write_text(page(iso, tag, name), encoding="utf-8")
    (tmp_path / "wal.txt.gz").write_bytes(gzip.compress(b"one\ntwo\n"))
    (tmp_path / "readme.md").write_text("no text")
    found = read_other_text(tmp_path)
    assert sorted(found) == ["008", "ban", "fa", "hi", "nno", "wal", "zh-Hant", "zu"]
    assert found["ban"] == ["ban", "Two lines"]
    assert found["wal"] == ["one\n", "two\n"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="wanted text in other languages"):
        read_other_text(tmp_path / "empty")


def test_documents_of_unsure_language_are_counted_apart() -> None:
    class Both(LanguageIdentifier):
        def __init__(self) -> None:
            pass

        def identify_all(self, texts: object) -> list[Answer]:
            return [("en", 0.9, Verdict.AGREED), ("en", 0.8, Verdict.UNSURE), ("de", 0.8, Verdict.UNSURE),
                    ("en", 0.4, Verdict.UNSURE), ("en", 0.7, Verdict.ALONE)]  # fmt: skip

    documents = [Document(f"u{n}", "", "", "", "text", "s", 4, 1) for n in range(5)]
    [batch] = batches_of(documents)
    from collections import Counter

    counts: Counter[str] = Counter()
    kept = identify_batch(batch, Both(), counts, languages=("en",))
    assert kept.column("url").to_pylist() == ["u0", "u4"]
    assert counts == {
        "documents_in": 5, "documents_kept": 2, "kept_en": 2, "agreed_en": 1, "unsure_en": 1, "dropped_unsure": 1,
        "dropped_other_language": 1, "dropped_low_score": 1,
    }  # fmt: skip


def test_a_folder_without_a_classifier_is_refused(tmp_path: Path) -> None:
    if LANGUAGE_IDENTIFIER.exists():
        with pytest.raises(CorpusError, match=CLASSIFIER):
            OpenIdentifier(LANGUAGE_IDENTIFIER, tmp_path)
