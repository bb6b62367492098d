"""The lines of a part of a language that the vocabulary is trained on, drawn with alpha (paper section 3.1)."""

from __future__ import annotations

from pydantic import Field

from pipeline.draft import Draft
from pipeline.needs import all_units, first_part, same_unit
from pipeline.release import characters_of, release_statistics, texts_of_part
from pipeline.shared_settings import Alpha, Buckets, Seed
from pipeline.stage import Inputs, Stage

LINES = "lines.txt.gz"
HELD_OUT = "held_out.txt.gz"  # a few that were not drawn, to measure the vocabulary on


class SampleVocabularyConfig(Buckets, Alpha, Seed):
    sample_characters: int = Field(
        default=500_000_000,
        ge=10_000,
        le=20_000_000_000,
        description="characters that the vocabulary is trained on, of all languages together; training takes about "
        "20 bytes of memory a character (measured at 8 million)",
    )


def sample_vocabulary(config: SampleVocabularyConfig, inputs: Inputs, draft: Draft) -> None:
    """The share of a language's lines follows from the whole release's statistics; the text read is the part's."""
    from training.vocabulary import sample_lines, sampling_fractions

    language = first_part(draft.unit)
    characters = characters_of(release_statistics(inputs), config.buckets)
    fractions = sampling_fractions(characters, config.alpha, config.sample_characters)
    texts = texts_of_part(inputs, inputs.one("regroup"), config.buckets)
    key = f"{config.seed}/{draft.unit}"
    fraction = fractions.get(language, 0.0)
    draft.add(sample_lines(texts, fraction, key, draft.path(LINES), draft.path(HELD_OUT)))


STAGE = Stage(
    name="sample_vocabulary",
    version=1,
    config=SampleVocabularyConfig,
    body=sample_vocabulary,
    needs={"publish": all_units, "regroup": same_unit},
)
