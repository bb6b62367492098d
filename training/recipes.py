"""The paper's models by name: sizes, languages, data and schedule of each, and where every number comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from training.sizes import EncoderConfig, widened, xlmr_base, xlmr_large, xlmr_tiny

SPECIALS = 2  # ids beside SentencePiece's own: <pad> and <mask>

SOURCES: Mapping[str, str] = {
    "encoder": "paper section 4.1 (Base L12 H768 A12, XLM-R L24 H1024 A16); fairseq's roberta for all else",
    "pieces": "paper section 4.1 (250,000), 5.1 (150,000 for the ablations, 40,000 for one language)",
    "languages": "paper section 5.1; which 30 and 60 they are is not published (assumption: XNLI's fifteen and the "
    "largest others of CC-100)",
    "corpus": "paper section 5.1",
    "alpha": "paper section 3.1: 0.3",
    "block_tokens": "assumption: fairseq's and RoBERTa's 512",
    "batch_blocks": "paper section 4.1 (8192); figure 7 for the batch sizes",
    "steps": "paper section 4.1: 1,500,000; of the ablations not published (assumption: 150,000)",
    "peak_learning_rate": "assumption, XLM-R's is not published: RoBERTa's 6e-4 (base), 4e-4 (large), scaled with the "
    "square root of the batch where that differs",
    "warmup_steps": "assumption: RoBERTa's 24,000 (base), 30,000 (large); 6 % of a shorter run",
    "betas": "RoBERTa: 0.9, 0.98",
    "epsilon": "RoBERTa: 1e-6",
    "weight_decay": "RoBERTa: 0.01, on all parameters as in fairseq",
    "clip_norm": "fairseq's roberta config: not clipped",
    "dropout": "RoBERTa: 0.1",
    "hidden": "paper figure 3 (768, 960, 1152); figure 6 at a constant number of parameters (assumption: that of "
    "150,000 pieces and 768, nearest multiple of 12)",
}

XNLI_LANGUAGES = ("ar", "bg", "de", "el", "en", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh-Hans")
SEVEN_LANGUAGES = ("de", "en", "fr", "ru", "sw", "ur", "zh-Hans")
# CC-100's languages by size (paper table 6), largest first; romanised ones count on their own there.
BY_SIZE = (
    "en", "ru", "id", "vi", "fa", "uk", "th", "ja", "de", "ro", "hu", "bg", "fr", "fi", "ko", "es", "pt", "no",
    "el", "zh-Hans", "da", "pl", "he", "it", "nl", "ar", "sk", "tr", "hr", "hi", "zh-Hant", "cs", "lt", "ta", "sv",
    "sl", "ca", "ka", "sr", "lv", "ms", "bn", "ml", "az", "kk", "et", "ur", "hy", "sq", "mk", "te", "be", "ne",
    "si", "kn", "is", "tl", "mn", "gl", "mr", "la", "eu", "gu", "my", "sw", "km", "af", "ky", "eo", "am", "cy",
    "pa", "ps", "uz", "lo", "or", "bn_rom", "ga", "hi_rom", "ur_rom", "ku", "my_zaw", "sd", "so", "ug", "ha", "sa",
    "ta_rom", "te_rom", "yi", "fy", "jv", "mg", "as", "br", "bs", "gd", "om", "su", "xh",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recipe:
    """One model of the paper.  `SOURCES` says of each field where it is from."""

    encoder: EncoderConfig
    preset: str  # the setting `model` of a run
    languages: tuple[str, ...]
    pieces: int = 250_000
    corpus: str = "cc"
    alpha: float = 0.3
    batch_blocks: int = 8192
    steps: int = 1_500_000
    peak_learning_rate: float = 6e-4
    warmup_steps: int = 24_000

    def settings(self) -> dict[str, Any]:
        """What of it the settings of a run hold; files, output and machine are the caller's."""
        names = ("alpha", "batch_blocks", "steps", "peak_learning_rate", "warmup_steps")
        return {"model": self.preset, "hidden": self.encoder.hidden, "block_tokens": self.encoder.max_tokens,
                **{name: getattr(self, name) for name in names}}  # fmt: skip


def language_set(languages: int) -> tuple[str, ...]:
    """The paper's sets of 7, 15, 30, 60 and 100 languages, sorted."""
    if languages not in LANGUAGE_COUNTS:
        raise ValueError(f"a set of {languages} languages: wanted one of {', '.join(map(str, LANGUAGE_COUNTS))}")
    if languages == 7:
        return SEVEN_LANGUAGES
    others = [code for code in BY_SIZE if code not in XNLI_LANGUAGES]
    return tuple(sorted([*XNLI_LANGUAGES, *others[: languages - len(XNLI_LANGUAGES)]]))


LANGUAGE_COUNTS = (7, 15, 30, 60, 100)
ABLATION_STEPS, ABLATION_WARMUP = 150_000, 9_000
SEEN_PIECES = 150_000


def xlm_r_base() -> Recipe:
    return Recipe(xlmr_base(), "base", language_set(100))


def xlm_r_large() -> Recipe:
    return Recipe(xlmr_large(), "large", language_set(100), peak_learning_rate=4e-4, warmup_steps=30_000)


def ablation(languages: int = 100, *, corpus: str = "cc", pieces: int = SEEN_PIECES, hidden: int = 768,
             alpha: float = 0.3, batch_blocks: int = 2048) -> Recipe:  # fmt: skip
    """BERT-Base of the paper's section 5.1 (figures 1 to 7): sets of languages, corpora, widths, alphas, batches."""
    encoder = widened(xlmr_base(pieces + SPECIALS), hidden)
    rate = 6e-4 * (batch_blocks / 8192) ** 0.5
    return Recipe(encoder, "base", language_set(languages), pieces, corpus, alpha, batch_blocks, ABLATION_STEPS, rate,
                  ABLATION_WARMUP)  # fmt: skip


def vocabulary_at_constant_parameters(pieces: int) -> Recipe:
    """Figure 6: the width shrinks as the vocabulary grows, on Wikipedia in 100 languages."""
    wanted = parameters_of(xlmr_base(SEEN_PIECES + SPECIALS))
    widths = range(96, 1153, 12)  # twelve heads of whole size
    hidden = min(widths, key=lambda h: abs(parameters_of(widened(xlmr_base(pieces + SPECIALS), h)) - wanted))
    return ablation(corpus="wiki", pieces=pieces, hidden=hidden)


def monolingual(language: str, *, corpus: str = "cc") -> Recipe:
    """BERT of one of the seven languages with a vocabulary of its own (paper section 5.4)."""
    if language not in SEVEN_LANGUAGES:
        raise ValueError(f"a monolingual model of {language!r}: wanted one of {', '.join(SEVEN_LANGUAGES)}")
    return replace(ablation(7, corpus=corpus, pieces=40_000), languages=(language,))


def tiny() -> Recipe:
    """For two cores; ours."""
    encoder = xlmr_tiny(8_000 + SPECIALS, max_tokens=128)
    return Recipe(encoder, "tiny", XNLI_LANGUAGES, 8_000, batch_blocks=32, steps=400,
                  peak_learning_rate=1e-3, warmup_steps=40)  # fmt: skip


def parameters_of(config: EncoderConfig) -> int:
    """Of the model with its head: embeddings, layers, head; Hugging Face's row of token types is counted."""
    hidden, wide = config.hidden, config.feed_forward
    embeddings = (config.vocabulary_size + config.positions + 1) * hidden + 2 * hidden
    layer = 4 * (hidden**2 + hidden) + 2 * hidden * wide + wide + hidden + 4 * hidden
    head = hidden**2 + hidden + 2 * hidden + config.vocabulary_size
    return embeddings + config.layers * layer + head


RECIPES: Mapping[str, Callable[[], Recipe]] = {
    "tiny": tiny,
    "base": xlm_r_base,
    "large": xlm_r_large,
    **{f"languages-{n}": partial(ablation, n) for n in LANGUAGE_COUNTS},
    **{f"languages-{n}-wiki": partial(ablation, n, corpus="wiki") for n in LANGUAGE_COUNTS},
    **{f"width-{hidden}": partial(ablation, hidden=hidden) for hidden in (768, 960, 1152)},
    **{f"vocabulary-{k}k": partial(ablation, pieces=k * 1000, corpus="wiki") for k in (32, 64, 128, 256, 512)},
    **{f"vocabulary-{k}k-constant": partial(vocabulary_at_constant_parameters, k * 1000)
       for k in (32, 64, 128, 256, 512)},
    **{f"batch-{blocks}": partial(ablation, batch_blocks=blocks) for blocks in (2048, 4096, 8192)},
    **{f"monolingual-{language}": partial(monolingual, language) for language in SEVEN_LANGUAGES},
    **{f"monolingual-{language}-wiki": partial(monolingual, language, corpus="wiki") for language in SEVEN_LANGUAGES},
}  # fmt: skip
