"""Language identification that refuses: lid.176, our classifier that also knows other languages, and a second
identifier where one is given.  What they do not agree on, or what has too few known words, is of unsure language.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ccnet.identify import Answer, LanguageIdentifier, Verdict
from ccnet.known_words import FIRST_CHARACTERS, KnownWords
from ccnet.languages import LANGUAGES, script_free
from ccnet.scripts import code_by_script

CLASSIFIER, WORDS, CODES = "classifier.bin", "words.tsv.gz", "codes.json"
# Parts of the share of known words that is usual in the language (`KnownWords.usual`).  Ours; a page is of another
# kind of text than the reference, so it may have fewer than that.
KNOWN_ALONE = 0.6  # where only the classifier names the language
KNOWN_AGREED = 0.4  # where lid.176 names it
CERTAIN = 0.9  # score of lid.176 from which the classifier's doubt does not count
DOUBT = 0.5  # score of the classifier from which its contradiction counts
SURE_BOTH = 0.8  # score from which the classifier's agreement needs no look at the words
LEAST_SCORE = 0.5  # CCNet's, of lid.176


@dataclass(frozen=True, slots=True)
class CodeRule:
    """One code: from which score the classifier is believed, and what that reached on held-out text.

    `alone`: it is believed against lid.176, which names too few of the code's texts.
    """

    threshold: float
    alone: bool
    precision: float  # of the accepted held-out texts, each language counting alike
    recall: float
    texts: int


def write_rules(rules: Mapping[str, CodeRule], path: Path) -> None:
    found = {code: asdict(rule) for code, rule in sorted(rules.items())}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def read_rules(path: Path) -> dict[str, CodeRule]:
    return {code: CodeRule(**row) for code, row in json.loads(path.read_text(encoding="utf-8")).items()}


class OpenIdentifier(LanguageIdentifier):
    """`model` is lid.176 or another fastText model; `own` the folder that `train_open_classifier` wrote."""

    def __init__(
        self,
        model: Path,
        own: Path,
        label_map: Mapping[str, str] | None = None,
        *,
        second: LanguageIdentifier | None = None,
    ) -> None:
        super().__init__(model, label_map)
        self._own = LanguageIdentifier(own / CLASSIFIER)
        self._known = KnownWords.read(own / WORDS)
        self.rules = read_rules(own / CODES)
        self._second = second
        self._second_codes = frozenset(map(script_free, second.codes)) if second else frozenset()

    def identify(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """Label and score; the score of a text of unsure language is 0."""
        return [(label, 0.0 if verdict is Verdict.UNSURE else s) for label, s, verdict in self.identify_all(texts)]

    def identify_all(self, texts: Sequence[str]) -> list[Answer]:
        first = super().identify(texts)
        own = self._own.identify([text[:FIRST_CHARACTERS] for text in texts])
        second = self._second.identify(texts) if self._second else [("", 0.0)] * len(texts)
        return [self._decide(*row) for row in zip(first, own, second, texts, strict=True)]

    def _decide(self, first: tuple[str, float], own: tuple[str, float], second: tuple[str, float], text: str) -> Answer:
        label, score, verdict = self._of_two(first, own, text)
        if verdict is Verdict.UNSURE or not self._second:
            return label, score, verdict
        if script_free(label) not in self._second_codes:
            return label, score, verdict
        same = script_free(second[0]) == script_free(label)
        return label, score, Verdict.AGREED if same else Verdict.UNSURE

    def _of_two(self, first: tuple[str, float], own: tuple[str, float], text: str) -> Answer:
        """Of lid.176 and the classifier.  An answer below CCNet's threshold is nobody's: it stays as it is."""
        label = code_by_script(first[0], text, LANGUAGES)
        if self._believed(own, text, alone=True):
            return *own, Verdict.AGREED if own[0] == label else Verdict.ALONE
        if own[0] in (label, first[0]):
            score = max(first[1], own[1])
            fits = own[1] >= SURE_BOTH or self._known.fits(text, label, KNOWN_AGREED)
            return first[0], score, Verdict.AGREED if fits else Verdict.UNSURE
        if first[1] < LEAST_SCORE:
            return (*own, Verdict.ALONE) if self._believed(own, text, alone=False) else (*first, Verdict.ALONE)
        if self._contradicted(first, own) or not self._known.fits(text, label, KNOWN_AGREED):
            return *first, Verdict.UNSURE
        return *first, Verdict.ALONE

    def _contradicted(self, first: tuple[str, float], own: tuple[str, float]) -> bool:
        """By another language to refuse, or by a code of which lid.176 names too few texts."""
        rule = self.rules.get(own[0])
        return first[1] < CERTAIN and own[1] >= DOUBT and (rule is None or rule.alone)

    def _believed(self, own: tuple[str, float], text: str, *, alone: bool) -> bool:
        rule = self.rules.get(own[0])
        if rule is None or own[1] < rule.threshold or (alone and not rule.alone):
            return False
        return self._known.fits(text, own[0], KNOWN_ALONE)
