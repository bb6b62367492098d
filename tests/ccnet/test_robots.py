"""robots.txt of a dump: which answer of a host counts, what it lets whom fetch, what a broken one costs."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ccnet import robots
from ccnet.robots import RobotsRules, gather_robots, read_robots
from tests.ccnet.robots_files import Answer, answer, write_robots

NOT_GPT = "User-agent: GPTBot\nDisallow: /\n\nUser-agent: *\nDisallow: /private/\nAllow: /private/open\n"
ALL = "User-agent: *\nDisallow: /\n"


def rules(folder: Path, *answers: Answer, agents: tuple[str, ...] = ("CCBot",), urls: tuple[str, ...]) -> RobotsRules:
    """Every answer in a table of its own, as of another slice."""
    tables = []
    for number, one in enumerate(answers):
        source = write_robots(folder / f"{number}.warc.gz", one)
        tables.append(folder / f"{number}.parquet")
        read_robots([source], tables[-1])
    gather_robots(tables, folder / "robots.parquet")
    return RobotsRules(folder / "robots.parquet", agents, urls)


def allowed(
    folder: Path, *answers: Answer, agents: tuple[str, ...] = ("CCBot",), url: str = "http://a.example/x"
) -> bool:
    return rules(folder, *answers, agents=agents, urls=(url,)).allows(url)


@pytest.mark.parametrize(
    ("agents", "path", "wanted"),
    [
        (("CCBot",), "", True),
        (("CCBot",), "private/x", False),  # no group of its own: that of *
        (("CCBot",), "private/open/x", True),  # the longer rule counts
        (("*",), "private/x", False),
        (("GPTBot",), "", False),
        (("GPTBot",), "private/open/x", False),
        (("CCBot", "GPTBot"), "", False),  # each of them must be allowed
        (("Google-Extended",), "", True),
    ],
)
def test_a_page_stays_where_all_agents_may_fetch_it(
    tmp_path: Path, agents: tuple[str, ...], path: str, wanted: bool
) -> None:
    told = answer("https://a.example/robots.txt", NOT_GPT)
    assert allowed(tmp_path, told, agents=agents, url=f"http://A.example:80/{path}") is wanted


def test_rules_are_those_of_the_host_and_port_alone(tmp_path: Path) -> None:
    told = answer("http://a.example:8080/robots.txt", ALL)
    urls = ("http://a.example:8080/", "http://a.example/", "http://b.a.example:8080/", "no address", "http://[x/")
    found = rules(tmp_path, told, urls=urls)
    assert [found.allows(url) for url in urls] == [False, True, True, True, True]


def test_of_several_answers_the_latest_counts(tmp_path: Path) -> None:
    first = answer("http://a.example/robots.txt", ALL, date="2026-08-01T00:00:00Z")
    last = answer("https://a.example/robots.txt", "User-agent: *\nDisallow:\n", date="2026-08-02T00:00:00Z")
    assert allowed(tmp_path / "1", first, last)
    assert allowed(tmp_path / "2", last, first)
    opposite = (answer("http://a.example/robots.txt", "", date=first[1]), (*last[:3], ALL.encode(), {}))
    assert not allowed(tmp_path / "3", *opposite)


@pytest.mark.parametrize(
    ("status", "wanted"), [(404, True), (403, True), (429, True), (500, False), (503, False), (304, True)]
)
def test_without_a_file_all_is_allowed_and_with_a_failing_server_nothing(
    tmp_path: Path, status: int, wanted: bool
) -> None:
    assert allowed(tmp_path, answer("http://a.example/robots.txt", ALL, status=status)) is wanted


def test_a_failing_server_does_not_replace_what_it_said_before(tmp_path: Path) -> None:
    said = answer("http://a.example/robots.txt", NOT_GPT, date="2026-08-01T00:00:00Z")
    fails = answer("http://a.example/robots.txt", status=503, date="2026-08-02T00:00:00Z")
    assert allowed(tmp_path, said, fails)


def test_redirects_lead_to_the_rules_that_count(tmp_path: Path) -> None:
    chain = [
        answer(f"http://h{n}.example/robots.txt", status=301, Location=f"http://h{n + 1}.example/robots.txt")
        for n in range(7)
    ]
    last = answer("http://h7.example/robots.txt", ALL)
    urls = ("http://h2.example/", "http://h1.example/")  # five redirects, and one more
    found = rules(tmp_path, *chain, last, urls=urls)
    assert [found.allows(url) for url in urls] == [False, True]
    to_https = answer("http://a.example/robots.txt", status=301, date="2026-09-01T00:00:00Z",
                      Location="https://a.example/robots.txt")  # fmt: skip
    assert not allowed(tmp_path / "https", answer("https://a.example/robots.txt", ALL), to_https)
    elsewhere = answer("http://a.example/robots.txt", status=302, Location="//c.example/robots/a.txt?v=2")
    assert not allowed(tmp_path / "path", elsewhere, answer("https://c.example/robots/a.txt?v=2", ALL))
    loop = answer("http://a.example/robots.txt", status=302, Location="/robots.txt?again")
    back = answer("http://a.example/robots.txt?again", status=302, Location="/robots.txt")
    assert allowed(tmp_path / "loop", loop, back)


def test_a_mark_comments_and_other_groups_change_nothing(tmp_path: Path) -> None:
    text = (
        "\ufeffUser-Agent: other\nCrawl-delay: 5\n\n# x\nuser-agent: CCBot # ours\n\nDisallow: /a b\nSitemap: /s\n"
        "Disallow: /c*d$"
    )
    found = rules(tmp_path, answer("http://a.example/robots.txt", text), urls=("http://a.example/",))
    fetched = {path: found.allows(f"http://a.example/{path}") for path in ("a%20b/1", "c1d", "c1d2", "")}
    assert fetched == {"a%20b/1": False, "c1d": False, "c1d2": True, "": True}


def test_a_broken_file_costs_the_rules_of_its_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = "".join(f"User-agent: a{n}\n" for n in range(2_000)) + "Disallow: /x\n" * 2_000
    good = answer("http://good.example/robots.txt", ALL)
    answers = [
        answer("http://page.example/robots.txt", "<html>\n" + "<p>disallow: /</p>\n" * 50_000),
        answer("http://bytes.example/robots.txt", bytes(range(256)) * 20),
        answer("http://zip.example/robots.txt", b"\x1f\x8b broken", **{"Content-Encoding": "gzip"}),
        answer("http://many.example/robots.txt", many),
        answer("http://[broken/robots.txt", ALL),
        good,
    ]
    source = write_robots(tmp_path / "all.warc.gz", *answers)
    source.write_bytes(source.read_bytes() + b"\x1f\x8b\x08 half a member")
    counts = read_robots([source], tmp_path / "table.parquet")
    assert (counts["answers"], counts["answers_broken"], counts["answers_2xx"]) == (6, 3, 5)
    assert [name for name in counts if name.startswith("faults_")]
    gather_robots([tmp_path / "table.parquet"], tmp_path / "robots.parquet")
    hosts = ("page", "bytes", "zip", "many", "good")
    urls = [f"http://{host}.example/x" for host in hosts]
    found = RobotsRules(tmp_path / "robots.parquet", ("CCBot",), urls)
    assert dict(zip(hosts, map(found.allows, urls), strict=True)) == dict.fromkeys(hosts[:-1], True) | {"good": False}

    class Failing:
        @staticmethod
        def parse(text: str) -> None:
            raise RecursionError

    robots._parsed.cache_clear()
    monkeypatch.setattr(robots, "Protego", Failing)
    assert found.allows(urls[-1])
    assert len(found.broken) == 1
    robots._parsed.cache_clear()


def test_what_lies_beyond_500_kib_is_not_read_nor_half_a_rule(tmp_path: Path) -> None:
    line = "Disallow: /tea\n"
    text = f"User-agent: *\n{line * (robots.MAX_RULES_BYTES // len(line))}Disallow: /kettle\nDisallow: /water\n"
    found = rules(tmp_path, answer("http://a.example/robots.txt", text), urls=("http://a.example/",))
    fetched = {path: found.allows(f"http://a.example/{path}") for path in ("tea", "kettle", "k", "")}
    assert fetched == {"tea": False, "kettle": True, "k": True, "": True}


def test_a_table_has_a_row_of_each_host_that_disallows_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(robots, "ROWS_AT_A_TIME", 40)
    answers = [
        answer(f"http://h{n % 50}.example/robots.txt", ALL if n % 2 else "User-agent: *\nAllow: /\n",
               date=f"2026-08-{1 + n // 50:02d}T00:00:00Z")
        for n in range(150)
    ]  # fmt: skip
    sources = [write_robots(tmp_path / f"{n}.warc.gz", *answers[n::3]) for n in range(3)]
    tables = [source.with_suffix(".parquet") for source in sources]
    for source, table in zip(sources, tables, strict=True):
        read_robots([source], table)
    counts = gather_robots(tables, tmp_path / "robots.parquet")
    assert counts == {"hosts": 50, "hosts_with_rules": 25}
    keys = pq.read_table(tmp_path / "robots.parquet")["key"].to_pylist()
    assert keys == sorted(set(keys))
    urls = [f"http://h{n}.example/" for n in range(50)]
    found = RobotsRules(tmp_path / "robots.parquet", ("*",), urls)
    assert [found.allows(url) for url in urls] == [n % 2 == 0 for n in range(50)]
    read_robots([], tmp_path / "nothing.parquet")
    gather_robots([tmp_path / "nothing.parquet"], tmp_path / "none.parquet")
    assert RobotsRules(tmp_path / "none.parquet", ("*",), urls).allows(urls[1])
