"""Codes that differ by script or encoding alone: simplified and traditional Chinese, Unicode and Zawgyi Burmese.

OpenCC knows which characters only one of the Chinese scripts writes; Google's myanmar-tools tells the encodings apart.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

import myanmartools
import opencc

SAMPLE_CHARACTERS = 4000  # of a text, from its start
LEAST_ZAWGYI = 0.5  # probability; 1,025 of 1,025 labelled lines are told right


def code_by_script(label: str, text: str, wanted: Collection[str]) -> str:
    """`zh` as zh-Hans or zh-Hant, `my` as my or my_zaw, where such a code is wanted; other labels as they are."""
    if label == "zh" and not {"zh-Hans", "zh-Hant"}.isdisjoint(wanted):
        return chinese_script(text)
    if label == "my" and "my_zaw" in wanted:
        return burmese_encoding(text)
    return label


def chinese_script(text: str) -> str:
    """zh-Hans or zh-Hant by which of them fewer characters would have to be changed for; zh-Hans on a tie."""
    sample = text[:SAMPLE_CHARACTERS]
    to_simplified, to_traditional = (_changes(sample, kind) for kind in ("t2s", "s2t"))
    return "zh-Hant" if to_simplified > to_traditional else "zh-Hans"


def burmese_encoding(text: str) -> str:
    """my (Unicode) or my_zaw (Zawgyi's own code points)."""
    found = _zawgyi().get_zawgyi_probability(text[:SAMPLE_CHARACTERS])
    return "my_zaw" if found > LEAST_ZAWGYI else "my"


def _changes(text: str, kind: str) -> int:
    converted = _converter(kind).convert(text)
    return sum(before != after for before, after in zip(text, converted, strict=False))


@cache
def _converter(kind: str) -> opencc.OpenCC:
    return opencc.OpenCC(kind)


@cache
def _zawgyi() -> myanmartools.ZawgyiDetector:
    return myanmartools.ZawgyiDetector()
