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

from ccnet.document import CorpusError


@dataclass(frozen=True, slots=True)
class Language:
    """One code of CC-100.  `script` is ISO 15924; the paper's amounts are None for codes that Table 6 lacks."""

    code: str
    name: str
    script: str
    paper_tokens_m: float | None
    paper_gib: float | None
    iso639_3: tuple[str, ...] = ()  # the codes that identifiers such as GlotLID and OpenLID have for it


def _read() -> dict[str, Language]:
    lines = (Path(__file__).parent / "languages.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = (line.split("\t") for line in lines)
    return {
        code: Language(
            code,
            name,
            script,
            float(tokens) if tokens else None,
            float(gib) if gib else None,
            tuple(filter(None, iso.split(","))),
        )
        for code, name, script, tokens, gib, iso in rows
    }


LANGUAGES: Mapping[str, Language] = MappingProxyType(_read())

SCRIPTS_ALSO = {"Kore": ("Hang",), "Jpan": ("Hira", "Kana"), "Hans": ("Hani",)}  # what identifiers write instead


def script_free(language: str) -> str:
    """zh of zh-Hans and zh-Hant, as CCNet's models and cut-offs name it; any other code as it is."""
    return language.removesuffix("-Hans").removesuffix("-Hant")


def iso_labels() -> dict[str, str]:
    """Labels such as swh_Latn (GlotLID, OpenLID) to our codes; cmn_Hani to zh, whose script the text decides."""
    found = {"cmn_Hani": "zh", "zho_Hani": "zh"}
    for language in LANGUAGES.values():
        for script in (language.script, *SCRIPTS_ALSO.get(language.script, ())):
            for iso in language.iso639_3:
                found.setdefault(f"{iso}_{script}", language.code)
    return found


def read_label_map(path: Path) -> dict[str, str]:
    """A table of two columns, label and code, parted by a tab.  Raises CorpusError."""
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        label, tab, code = line.partition("\t")
        if line and (not tab or (code not in LANGUAGES and code != "zh")):
            raise CorpusError(f"{path} line {number}: {line!r}: wanted LABEL, a tab, and a code such as en or zh-Hans")
        if line:
            found[label.removeprefix("__label__")] = code
    return found
