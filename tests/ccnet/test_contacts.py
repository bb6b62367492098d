"""Contacts that are masked, and the numbers beside them that are none."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter

import phonenumbers
import pytest

from ccnet.contacts import REGIONS, is_phone, mask_contacts
from ccnet.languages import LANGUAGES

PHONE = phonenumbers.PhoneNumberType


def masked(text: str, language: str = "en", kinds: tuple[str, ...] = ("email", "ip", "iban", "phone")) -> str:
    return mask_contacts(text, Counter(), kinds, language)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("IBAN DE89 3704 0044 0532 0130 00 BIC COBADEFFXXX.", "IBAN <IBAN> BIC COBADEFFXXX."),
        ("to GB82WEST12345698765432, please", "to <IBAN>, please"),
        ("NO93\u00a08601\u00a01117\u00a0947", "<IBAN>"),
        ("AB12 GB82 WEST 1234 5698 7654 32", "AB12 <IBAN>"),  # a code before it
        ("DE88 3704 0044 0532 0130 00", "DE88 3704 0044 0532 0130 00"),  # check digits
        ("DE89 3704 0044 0532 0130", "DE89 3704 0044 0532 0130"),  # too short
        ("xGB82WEST12345698765432 GB82WEST12345698765432x", "xGB82WEST12345698765432 GB82WEST12345698765432x"),
        ("Part DE44 of 2019, AB 12 3456 7890", "Part DE44 of 2019, AB 12 3456 7890"),
    ],
)
def test_an_iban_is_one_whose_country_length_and_check_digits_fit(text: str, wanted: str) -> None:
    assert masked(text) == wanted


@pytest.mark.parametrize(
    ("language", "text", "wanted"),
    [
        ("en", "call +44 20 7946 0958 or 020 7946 0958", "call <PHONE> or 020 7946 0958"),
        ("de", "Tel.: (030) 23125-0, Fax 030 / 231 25 11", "Tel.: <PHONE>, Fax <PHONE>"),
        ("de", "ruf 0049 30 23125 000 an\n+49 (0)30 23125 000", "ruf <PHONE> an\n<PHONE>"),
        ("fr", "Appelez le 01 42 68 53 00.", "Appelez le <PHONE>."),
        ("ja", "電話：０３－３５８０－３３１１まで", "電話：<PHONE>まで"),
        ("fa", "تلفن ۰۲۱۶۶۴۰۵۰۰۰ است", "تلفن <PHONE> است"),
        ("xx", "＋49 30 23125 000", "<PHONE>"),
    ],
)
def test_phone_numbers_are_masked_in_the_forms_of_their_country(language: str, text: str, wanted: str) -> None:
    assert masked(text, language) == wanted


@pytest.mark.parametrize("language", ["en", "de", "da"])
def test_other_numbers_stay(language: str) -> None:
    text = (
        "2018-2019, 03.04.2020 10:15, ISBN 978-3-16-148410-0, 1,000,000 and 0.123456789, 12345678,\n"
        "03.04. - 05.06.2020, 01.05.2019 - 30.09.2020, 08.00-16.30, 09.00 – 17.00 Uhr, 04-03-2020, 0 bis 10 000,\n"
        "20 18 20 19, v1.02.0003, pp. 211-227 (2003), +1, C++ 11, 4+5=9, 10.1000/182"
    )
    assert masked(text, language) == text


def test_kinds_are_counted_and_only_those_asked_for_are_masked() -> None:
    text = "a@b.example, 192.168.0.17, DE89370400440532013000 and +49 30 23125000, +44 20 7946 0958"
    counts: Counter[str] = Counter()
    assert mask_contacts(text, counts, ("phone", "email", "ip", "iban"), "de") == (
        "<EMAIL>, <IP>, <IBAN> and <PHONE>, <PHONE>"
    )
    assert counts == Counter(masked_email=1, masked_ip=1, masked_iban=1, masked_phone=2)
    assert masked(text, kinds=("iban",)) == text.replace("DE89370400440532013000", "<IBAN>")


def test_what_is_masked_is_not_masked_again() -> None:
    text = masked("write to a@b.example, call +49 30 23125000", "de")
    assert masked(text, "de") == text


@pytest.mark.parametrize("language", sorted(REGIONS))
def test_in_a_country_of_the_table_a_number_without_its_zero_is_none(language: str) -> None:
    region = REGIONS[language]
    assert language in LANGUAGES
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    assert metadata.national_prefix[0] == metadata.international_prefix[0] == "0"
    for kind in (PHONE.FIXED_LINE, PHONE.MOBILE):
        number = phonenumbers.example_number_for_type(region, kind)
        written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
        assert masked(f"x {written} y", language) == "x <PHONE> y"
        bare = f"x {number.national_number} y"
        assert masked(bare, language) == bare


def test_the_cheap_check_loses_no_number() -> None:
    """Against the library on every line, with numbers of all countries in odd forms among other characters."""
    draw = random.Random(1)
    formats = (phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.NATIONAL,
               phonenumbers.PhoneNumberFormat.E164)  # fmt: skip
    arabic = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
    found = 0
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        number = phonenumbers.example_number(region)
        written = phonenumbers.format_number(number, draw.choice(formats))
        written = written.replace(" ", draw.choice([" ", "-", " - ", ".", "\u00a0", "/"]))
        line = f"{draw.choice(['', 'Tel. ', '(', '12 ', '0'])}{written}{draw.choice(['', '.', ' 7', ' ext. 9'])}"
        line = draw.choice([line, line.translate(arabic), unicodedata.normalize("NFKC", line)])
        for language in ("en", "de", "fa"):
            matcher = phonenumbers.PhoneNumberMatcher(line, REGIONS.get(language))
            wanted = sum(is_phone(match.raw_string) for match in matcher)
            counts: Counter[str] = Counter()
            mask_contacts(line, counts, ("phone",), language)
            assert counts["masked_phone"] == wanted, (language, line)
            found += wanted
    assert found > 100
