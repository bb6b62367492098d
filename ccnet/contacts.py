"""Contacts in a text that can be masked, by kind: email and IP addresses, IBANs, phone numbers.

IBANs are those whose country, length and check digits fit (python-stdnum).  Phone numbers are those that Google's
libphonenumber takes for valid ones (phonenumbers): in international form (+…) in every language, in national form where
REGIONS has the language's country, since there alone a national number begins with 0 and cannot be any other number.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Literal, get_args

ContactKind = Literal["email", "ip", "iban", "phone"]
CONTACT_KINDS: tuple[ContactKind, ...] = get_args(ContactKind)
EMAIL = re.compile(r"\b[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_]{2,24}\b")
BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
IPV4 = re.compile(rf"(?<![\w.])(?:{BYTE}\.){{3}}{BYTE}(?![\w.]*\d)")
IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}(?![\w:])")
IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?=[ \u00a0-]?[A-Z0-9])")
IBAN = re.compile(r"[A-Z]{2}[0-9]{2}(?:[ \u00a0-]?[A-Z0-9]){11,30}")
IBAN_ENDS = re.compile(r"(?<=[A-Z0-9])(?![A-Za-z0-9])")
# Languages mostly written in one country where a national number begins with 0 (test), and that country.
REGIONS = {
    "am": "ET", "az": "AZ", "bg": "BG", "bn": "BD", "bs": "BA", "de": "DE", "fa": "IR", "fi": "FI", "fr": "FR",
    "he": "IL", "hr": "HR", "hu": "HU", "hy": "AM", "id": "ID", "ja": "JP", "km": "KH", "ko": "KR", "ky": "KG",
    "lo": "LA", "mg": "MG", "mk": "MK", "ms": "MY", "my": "MM", "nl": "NL", "ps": "AF", "ro": "RO", "si": "LK",
    "sk": "SK", "sl": "SI", "sq": "AL", "sr": "RS", "sv": "SE", "th": "TH", "tl": "PH", "uk": "UA", "ur": "PK",
    "zh-Hant": "TW",
}  # fmt: skip
# 03.04.2020, 03.04. - 05.06.2020, 08.00-16.30: valid numbers in Germany, and hardly ever meant as such.
DATE_OR_TIME = re.compile(
    r"[(\[]?(?:[0-3]?\d[.\-/] ?[01]?\d[.\-/] ?(?:(?:1[89]|20)\d\d(?!\d)|[-\u2010-\u2015])"
    r"|[0-2]?\d\.[0-5]\d ?[-\u2010-\u2015] ?[0-2]?\d\.[0-5]\d(?!\d))"
)
# A line without this has no number: a plus or a zero that begins a group of digits, and at least five digits in all,
# parted by no more than four other characters (as in the library's own pattern; +49 and a German number have six).
PLUS = "+\uff0b"
FEW_DIGITS = r"\d(?:\D{0,4}\d){4}"
INTERNATIONAL = re.compile(rf"[{PLUS}]\D{{0,9}}{FEW_DIGITS}")


def mask_contacts(
    text: str, counts: Counter[str], kinds: Sequence[ContactKind] = ("email", "ip"), language: str = ""
) -> str:
    """The text with contacts of these kinds as <EMAIL>, <IP>, <IBAN>, <PHONE>; masked_KIND is counted.

    An address is found before a number in it is, so the order of `kinds` does not matter.
    """
    for kind in CONTACT_KINDS:
        if kind in kinds:
            text, times = MASKS[kind](text, language)
            counts[f"masked_{kind}"] += times
    return text


def _mask_emails(text: str, language: str) -> tuple[str, int]:
    return EMAIL.subn("<EMAIL>", text)


def _mask_ips(text: str, language: str) -> tuple[str, int]:
    text, v4 = IPV4.subn("<IP>", text)
    text, v6 = IPV6.subn("<IP>", text)
    return text, v4 + v6


def _mask_ibans(text: str, language: str) -> tuple[str, int]:
    return _replaced(text, _ibans(text), "<IBAN>") if IBAN_START.search(text) else (text, 0)


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    from stdnum import iban

    at = 0
    while start := IBAN_START.search(text, at):
        at = start.end()
        found = IBAN.match(text, start.start())
        if found is None:
            continue
        for end in IBAN_ENDS.finditer(text, at):
            if end.start() > found.end():
                break
            if iban.is_valid(text[start.start() : end.start()].replace("\u00a0", " ")):
                at = end.start()
                yield start.start(), at
                break


def _mask_phones(text: str, language: str) -> tuple[str, int]:
    region = REGIONS.get(language)
    may_have_one = _national() if region else INTERNATIONAL
    if not may_have_one.search(text):
        return text, 0
    lines, times = [], 0
    for line in text.split("\n"):
        masked, found = _replaced(line, _phones(line, region), "<PHONE>") if may_have_one.search(line) else (line, 0)
        lines.append(masked)
        times += found
    return "\n".join(lines), times


def _phones(line: str, region: str | None) -> Iterator[tuple[int, int]]:
    import phonenumbers

    for match in phonenumbers.PhoneNumberMatcher(line, region, leniency=phonenumbers.Leniency.VALID):
        if is_phone(match.raw_string):
            yield match.start, match.end


def is_phone(found: str) -> bool:
    """Whether what the library found begins with a plus or a zero (what begins otherwise is too often an amount or a
    code), and is no date or time."""
    first = re.search(rf"[{PLUS}\d]", found)
    return first is not None and first.group() in PLUS + _zeros() and not DATE_OR_TIME.match(found)


@cache
def _national() -> re.Pattern[str]:
    return re.compile(rf"(?:[{PLUS}]\D{{0,9}}|(?<!\d)(?=[{_zeros()}])){FEW_DIGITS}")


@cache
def _zeros() -> str:
    """The digit zero of all scripts."""
    return "".join(chr(code) for code in range(0x20000) if chr(code).isdecimal() and int(chr(code)) == 0)


def _replaced(text: str, spans: Iterator[tuple[int, int]], mark: str) -> tuple[str, int]:
    parts, at, times = [], 0, 0
    for start, end in spans:
        parts += [text[at:start], mark]
        at, times = end, times + 1
    return "".join([*parts, text[at:]]), times


MASKS: dict[ContactKind, Callable[[str, str], tuple[str, int]]] = {
    "email": _mask_emails,
    "ip": _mask_ips,
    "iban": _mask_ibans,
    "phone": _mask_phones,
}
