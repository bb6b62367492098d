"""Wrong calls of the ccnet recipe and of what is done to releases: a line that names the thing and what is wanted."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ccnet.cut_offs import read_cut_offs
from ccnet.document import CorpusError
from ccnet.identify import LanguageIdentifier
from ccnet.kenlm_file import MAGIC
from ccnet.language_model import train_language_model
from ccnet.perplexity import LanguageModel, check_model
from ccnet.recipe import models_in
from embedded.written import reference_sentences
from pipeline.corpus_command import local_corpus, transform
from pipeline.errors import BadConfig, BadInput, FactoryError
from pipeline.tools import LANGUAGE_IDENTIFIER, find_tool
from tests.ccnet.odd_archives import conversion

pytestmark = pytest.mark.skipif(not LANGUAGE_IDENTIFIER.exists(), reason="lid.176 is not installed: make install")
WORDS = "The kettle sings on the stove of the old signal box, and the keeper waits for the last train.\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.warc.wet.gz"
    path.write_bytes(gzip.compress(conversion("http://box.example/", f"title\n{WORDS * 5}")))
    return path


@pytest.fixture
def call(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The recipe, with whatever the test gives wrongly."""
    monkeypatch.setattr("ccnet.recipe.models_in", lambda _: {})

    def run(output: Path | None = None, cut_offs: Path | None = None, **options: Any) -> Any:
        place = output or tmp_path / "out"
        return local_corpus([source], tmp_path, LANGUAGE_IDENTIFIER, place, cut_offs, 1, Console(quiet=True), **options)

    return run


@pytest.mark.parametrize(
    ("languages", "told"),
    [
        (("eng",), "'eng' is no language of lid.176.ftz: did you mean 'en'"),
        (("EN",), "'EN' is no language of lid.176.ftz: did you mean 'en'"),
        (("en", "zh-Hanz"), "'zh-Hanz' is no language"),
        (("en", " "), "one of the codes is empty"),
    ],
)
def test_a_code_that_is_none_is_refused(call: Callable[..., Any], languages: tuple[str, ...], told: str) -> None:
    with pytest.raises(FactoryError, match=told):
        call(languages=languages)


def test_spaces_around_codes_are_no_part_of_them(call: Callable[..., Any]) -> None:
    assert call(languages=("en", " ru"))["identify"]["kept_en"] == 1


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/none"])
def test_an_output_that_cannot_be_made_is_named(call: Callable[..., Any], tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=rf"{place}: .*wanted .*folder"):
        call(output=tmp_path / place)


def test_a_fault_of_the_program_is_not_called_bad_input(
    call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("our own mistake")

    monkeypatch.setattr("ccnet.recipe.find_duplicates", broken)
    with pytest.raises(ValueError, match="our own mistake"):
        call()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.tsv", "language\tpercentile_30\tpercentile_60\nsw\t90\t10\n", "a.tsv: sw: 90.0 and 10.0: wanted"),
        ("a.tsv", "language\tpercentile_30\tpercentile_60\nsw\tnan\t10\n", "a.tsv: sw: nan and 10.0: wanted"),
        ("a.tsv", "language\tpercentile_30\tpercentile_60\nsw\tx\t10\n", "a.tsv: could not convert"),
        ("a.csv", "\xff", "a.csv: .*wanted columns language"),
    ],
)
def test_cut_offs_that_cut_nothing_are_refused(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text, encoding="latin-1")
    with pytest.raises(CorpusError, match=told):
        read_cut_offs(tmp_path / name)


def test_models_that_are_none_or_were_cut_are_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no model"):
        models_in(tmp_path)
    pieces, ngrams = tmp_path / "en.sp.model", tmp_path / "en.arpa.bin"
    pieces.write_bytes(b"\x0a\xff")
    for use in (check_model, LanguageModel):
        with pytest.raises(CorpusError, match=r"en\.sp\.model: .*wanted a whole SentencePiece model"):
            use(pieces, ngrams)
    pieces.write_bytes(b"")
    for data in (b"<html>", b"", MAGIC + b" format version 5\n\0" + bytes(50)):
        ngrams.write_bytes(data)
        with pytest.raises(CorpusError, match=r"en\.arpa\.bin: .*wanted .*(KenLM model|build_binary writes)"):
            check_model(pieces, ngrams)


def test_a_language_model_that_was_cut_among_its_words_is_refused(tmp_path: Path) -> None:
    train_language_model(reference_sentences()["en"], tmp_path, lmplz=find_tool("lmplz"),
                         build_binary=find_tool("build_binary"), order=2, memory="64M")  # fmt: skip
    pieces, ngrams = tmp_path / "sp.model", tmp_path / "arpa.bin"
    check_model(pieces, ngrams)
    whole = ngrams.read_bytes()
    words = len(whole) - whole.rindex(b"<unk>\0")
    for cut in (1, words // 2):
        ngrams.write_bytes(whole[:-cut])
        for use in (check_model, LanguageModel):
            with pytest.raises(
                CorpusError, match=r"arpa\.bin: its list of \d+ words is cut: wanted a whole KenLM model"
            ):
                use(pieces, ngrams)
    ngrams.write_bytes(whole + b"x\0")
    with pytest.raises(CorpusError, match=r"it has more than \d+ words"):
        check_model(pieces, ngrams)


def test_an_identifier_that_was_cut_is_named_and_crashes_nothing(tmp_path: Path) -> None:
    cut = tmp_path / "cut.ftz"
    cut.write_bytes(LANGUAGE_IDENTIFIER.read_bytes()[:300_000])
    with pytest.raises(CorpusError, match=r"cut\.ftz: the file ends too early: wanted a whole fastText model"):
        LanguageIdentifier(cut)


@pytest.mark.parametrize(
    ("verb", "buckets", "told"),
    [
        ("export-text", ("heads",), "--buckets heads: wanted some of head, middle, tail, all"),
        ("export-text", ("middle",), "no document in the buckets middle"),
        ("minify", (), "holds no lang=…"),
    ],
)
def test_what_a_release_does_not_hold_is_told(
    call: Callable[..., Any], tmp_path: Path, verb: str, buckets: tuple[str, ...], told: str
) -> None:
    call()
    release = tmp_path / ("out" if verb == "export-text" else "none")
    with pytest.raises((BadConfig, BadInput), match=told):
        transform(verb, release, tmp_path / "text", "", buckets)
    assert (tmp_path / "out").is_dir()
