"""The languages of CC-100: the paper's 100 (Table 6), their variants, and the further codes of the public release.

Numbers are Table 6's as printed (it says 77.8 million tokens for Swedish and 6.5 for Ukrainian, which cannot be
right beside their sizes).  Table 6 prints Burmese twice; the smaller row is taken for Zawgyi-encoded text, as in
the public release (`my_zaw`): our reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Language:
    """One code of CC-100.  `script` is ISO 15924; the paper's amounts are None for codes that Table 6 lacks."""

    code: str
    name: str
    script: str
    paper_tokens_m: float | None
    paper_gib: float | None


def _read() -> dict[str, Language]:
    lines = (Path(__file__).parent / "languages.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = (line.split("\t") for line in lines)
    return {
        code: Language(code, name, script, float(tokens) if tokens else None, float(gib) if gib else None)
        for code, name, script, tokens, gib in rows
    }


LANGUAGES: Mapping[str, Language] = MappingProxyType(_read())
