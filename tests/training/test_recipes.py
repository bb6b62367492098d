"""The paper's models by name."""

from __future__ import annotations

import pytest
import torch

from training.model import MaskedLanguageModel, parameter_count
from training.recipes import RECIPES, SOURCES, Recipe, language_set, parameters_of
from training.settings import describe_settings
from training.sizes import EncoderConfig, xlmr_base, xlmr_large

# Hugging Face's XLMRobertaForMaskedLM of the same sizes, tied, with its one row of token types.
PARAMETERS = {
    "base": 278_295_186, "large": 560_142_482, "languages-15": 201_395_186, "width-960": 278_432_882,
    "width-1152": 366_161_138, "monolingual-sw": 116_805_186,
}  # fmt: skip


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_counts_are_those_published(name: str) -> None:
    assert parameters_of(RECIPES[name]().encoder) == PARAMETERS[name]


def test_monolingual_models_are_there_for_both_corpora() -> None:
    found = {name: RECIPES[name]() for name in ("monolingual-sw", "monolingual-sw-wiki")}
    assert {name: (one.corpus, one.languages, one.pieces) for name, one in found.items()} == {
        "monolingual-sw": ("cc", ("sw",), 40_000), "monolingual-sw-wiki": ("wiki", ("sw",), 40_000),
    }  # fmt: skip


@pytest.mark.parametrize("config", [xlmr_base(), xlmr_large()])
def test_the_formula_counts_what_the_model_has(config: EncoderConfig) -> None:
    with torch.device("meta"):
        assert parameter_count(MaskedLanguageModel(config)) == parameters_of(config)


def test_a_larger_vocabulary_makes_a_narrower_model_of_equal_size() -> None:
    found = [RECIPES[f"vocabulary-{k}k-constant"]().encoder for k in (32, 64, 128, 256, 512)]
    widths = [config.hidden for config in found]
    assert widths == sorted(widths, reverse=True)
    assert [parameters_of(config) for config in found] == pytest.approx([201_395_186] * 5, rel=0.015)
    assert all(config.hidden % config.heads == 0 for config in found)


def test_a_larger_vocabulary_makes_a_larger_model_of_equal_width() -> None:
    found = [RECIPES[f"vocabulary-{k}k"]().encoder for k in (32, 64, 128, 256, 512)]
    assert {config.hidden for config in found} == {768}
    assert [round(parameters_of(config) / 1e6, 1) for config in found][::4] == [110.7, 479.8]


@pytest.mark.parametrize(("count", "size"), [(7, 7), (15, 15), (30, 30), (60, 60)])
def test_sets_of_languages_grow_from_xnlis(count: int, size: int) -> None:
    found = language_set(count)
    assert len(set(found)) == size
    assert found == tuple(sorted(found))
    assert count == 7 or set(language_set(15)) <= set(found)


def test_the_largest_set_is_all_of_cc_100() -> None:
    everything = language_set(100)
    assert len(set(everything)) == 100
    assert set(language_set(60)) < set(everything)
    assert {"en", "su", "zh-Hant", "hi_rom", "my_zaw"} < set(everything)
    with pytest.raises(ValueError, match="a set of 12 languages: wanted one of 7, 15, 30, 60, 100"):
        language_set(12)


def test_every_number_has_a_source() -> None:
    fields = set(Recipe.__dataclass_fields__) - {"preset"}
    assert fields <= set(SOURCES)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_a_set_of_settings(name: str) -> None:
    known = {one.name: one for one in describe_settings()}
    for setting, value in RECIPES[name]().settings().items():
        known[setting].check(value)
