"""How finely a vocabulary cuts a language: tokens per word and per character, and the share that is unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from training.vocabulary import UNK, Vocabulary

AMOUNTS = ("lines", "characters", "words", "tokens", "unknown_tokens")


def count_tokens(lines: Iterable[str], vocabulary: Vocabulary) -> Counter[str]:
    """AMOUNTS of some lines; words stand between spaces, characters are those of the text as it is."""
    counts: Counter[str] = Counter(dict.fromkeys(AMOUNTS, 0))
    for line in lines:
        ids = vocabulary.encode(line)
        counts["lines"] += 1
        counts["characters"] += len(line)
        counts["words"] += len(line.split())
        counts["tokens"] += len(ids)
        counts["unknown_tokens"] += ids.count(UNK)
    return counts


def fertility(counts: Mapping[str, int]) -> dict[str, float]:
    """The amounts with tokens_per_character, tokens_per_word and unknown_share (of the tokens)."""
    return {
        **{name: counts[name] for name in AMOUNTS},
        "tokens_per_character": round(counts["tokens"] / max(counts["characters"], 1), 4),
        "tokens_per_word": round(counts["tokens"] / max(counts["words"], 1), 4),
        "unknown_share": round(counts["unknown_tokens"] / max(counts["tokens"], 1), 6),
    }
