"""What tests of the pages look at, and who is let in there."""

from __future__ import annotations

from html.parser import HTMLParser


def let_in() -> None:
    """Stands for Airflow's check; the browser test has the real one."""


class Elements(HTMLParser):
    """The names of a page's elements, those of <script> with their attributes, and every address."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.scripts: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        if tag == "script":
            self.scripts.append(dict(attrs))
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]
