"""What benchmarks/languages.py counts: pages kept rightly and wrongly, outside pages taken in, what a domain adds."""

from __future__ import annotations

import pytest

from benchmarks.languages import Page, close_languages, compare, kept, lower, names
from ccnet.identify import Answer, Verdict

ALONE, UNSURE = Verdict.ALONE, Verdict.UNSURE
PAGES = [
    Page("http://a.example/1", "t", "xh"),
    Page("http://a.example/2", "t", "zh-Hans"),
    Page("http://a.example/3", "t", "sw"),
    Page("http://a.example/4", "t", "ban"),
    Page("http://a.example/5", "t", "ban"),
    Page("http://a.example/6", "t", "hr"),
]
ANSWERS: list[Answer] = [("sw", 0.9, ALONE), ("zh-Hant", 0.5, ALONE), ("sw", 0.49, ALONE), ("jv", 0.8, ALONE),
                         ("jv", 0.8, UNSURE), ("nn", 0.9, ALONE)]  # fmt: skip


def test_pages_are_kept_under_wanted_codes_from_the_threshold_on() -> None:
    found = names(PAGES, ANSWERS)
    assert found == ["sw", "zh-Hant", "", "jv", "", ""]
    assert kept(PAGES, found) == {"inside": 4, "rightly": 1, "wrongly": 1, "outside": 2, "taken_in": 1}


def test_each_page_is_in_one_half_and_the_halves_add_up() -> None:
    result = compare(PAGES, ANSWERS, ANSWERS)
    both = [half["open"] for half in result["halves"]]
    assert {name: both[0][name] + both[1][name] for name in both[0]} == result["kept"]["open"]
    assert result["f1_below_lid_176"] == {}
    assert lower({"sw": {"f1": 0.5}, "xh": {"f1": 0.1}}, {"sw": {"f1": 0.4}, "xh": {"f1": 0.1}}) == {"sw": [0.5, 0.4]}


@pytest.mark.parametrize(("host", "by_domain"), [("a.ba", 1), ("a.example", 0), ("a.hr", 0)])
def test_a_country_domain_would_decide_between_close_languages(host: str, by_domain: int) -> None:
    found = close_languages([Page(f"https://{host}:80/x", "t", "bs")], [""], ["hr"])["Bosnian, Croatian, Serbian"]
    assert (found["pages"], found["rightly"], found["by_domain"]) == ({"bs": 1}, {}, by_domain)
    assert found["under_a_country_domain"] == (host != "a.example")
