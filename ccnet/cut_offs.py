"""Where head, middle and tail part: CCNet's published numbers, or a table of one's own."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from ccnet.document import CorpusError
from ccnet.perplexity import CutOffs

# Percentiles 30 and 60 of perplexity by language that CCNet's code applies (cc_net, data/cutoff.csv).  They belong to
# CCNet's own language models; with others they sort documents, but not into thirds.
CCNET = """
    af 540 770  ar 490 790  az 600 950  be 670 910  bg 450 680  bn 190 300  ca 210 330  cs 820 1140
    da 380 600  de 370 590  el 450 670  en 340 520  es 180 290  et 1270 1620  fa 370 700  fi 1110 1500
    fr 180 330  gu 1110 1570  he 1280 1710  hi 480 790  hr 720 910  hu 80 140  hy 750 1080  id 600 970
    is 850 1190  it 220 360  ja 1110 1450  ka 910 1310  kk 610 930  km 1040 2180  kn 2210 2800
    ko 920 2130  lt 190 270  lv 1130 1480  mk 530 740  ml 2430 3220  mn 680 1010  mr 1380 1870
    my 2530 3040  ne 860 1130  nl 430 650  no 430 680  pl 160 260  pt 170 270  ro 180 270  ru 210 310
    uk 140 220  zh 1460 1950
"""


def ccnet_cut_offs() -> dict[str, CutOffs]:
    """language (CCNet's codes) -> cut-offs."""
    words = CCNET.split()
    return {
        language: CutOffs(float(head), float(tail))
        for language, head, tail in zip(words[::3], words[1::3], words[2::3], strict=True)
    }


def read_cut_offs(path: Path) -> dict[str, CutOffs]:
    """A table with the columns language, percentile_30, percentile_60 (tabs), or CCNet's own cutoff.csv (commas, a
    column a language, a row a percentile).  Raises CorpusError."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ","))
        if rows[0][:3] == ["language", "percentile_30", "percentile_60"]:
            found = {row[0]: CutOffs(float(row[1]), float(row[2])) for row in rows[1:] if row}
        else:
            head, tail = ([float(value) for value in rows[1 + percentile][1:]] for percentile in (30, 60))
            found = {language: CutOffs(*at) for language, *at in zip(rows[0][1:], head, tail, strict=True)}
    except (IndexError, ValueError, TypeError, csv.Error, OSError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        why = "its rows are too short" if isinstance(error, IndexError) else said
        raise CorpusError(
            f"{path}: {why}: wanted columns language, percentile_30, percentile_60, or CCNet's cutoff.csv"
        ) from error
    for language, at in found.items():
        if not 0 <= at.head <= at.tail < math.inf:
            raise CorpusError(f"{path}: {language}: {at.head} and {at.tail}: wanted percentile_30 up to percentile_60")
    return found
