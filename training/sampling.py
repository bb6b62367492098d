"""How often each language is drawn: q_l = p_l^alpha / sum_k p_k^alpha (paper section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping


def language_probabilities(counts: Mapping[str, int], alpha: float) -> dict[str, float]:
    """Sampling probability of each language with text, sorted by code; alpha 1 follows the data, 0 is uniform."""
    present = {language: counts[language] for language in sorted(counts) if counts[language] > 0}
    if not present:
        raise ValueError("no language has any text: nothing to sample from")
    total = sum(present.values())
    weights = {language: (n / total) ** alpha for language, n in present.items()}
    norm = sum(weights.values())
    return {language: weight / norm for language, weight in weights.items()}
