"""What the generator does not look at: addresses in the built HTML that lead nowhere, or are fetched from elsewhere."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Markdown that came out as text: a fence, a list or a table that did not become one.
_LEFT_OVER = re.compile(r"^\s*(?:```|~~~|[-*] \S.*|\d+\. \S.*|\|.*\|$)|\]\([^)]*\)|::$|:[a-z]+:·|^>>>", re.MULTILINE)
_FETCHED = {"script": "src", "img": "src", "iframe": "src", "link": "href"}
_CODE = ("code", "pre", "script", "style", "svg", "li", "td")


class Page(HTMLParser):
    """One page: its anchors, the addresses that it links to or fetches, and Markdown left in its paragraphs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = {""}
        self.addresses: list[tuple[str, bool]] = []  #: address, and whether it is fetched
        self.left_over: list[str] = []
        self._inside: list[str] = []
        self._paragraph = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note anchors and addresses."""
        values = {name: value or "" for name, value in attrs}
        self.anchors.add(values.get("id", values.get("name", "")))
        fetched = tag in _FETCHED and values.get("rel") not in {"canonical", "prev", "next", "alternate"}
        if (address := values.get(_FETCHED.get(tag, "href"))) is not None:
            self.addresses.append((address, fetched))
        if tag in ("p", *_CODE):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Look at a paragraph that ends."""
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass
        if tag == "p":
            self.left_over += [found[0].strip() for found in _LEFT_OVER.finditer(self._paragraph)]
            self._paragraph = ""

    def handle_data(self, data: str) -> None:
        """Collect the text of paragraphs, without their code."""
        if "p" in self._inside:
            self._paragraph += "·" if self._inside[-1] in ("code", "pre") else data


def problems(site: Path) -> Iterator[str]:
    """Yield what is wrong in a built site, each with its page."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        yield from (f"{name}: {text!r} is Markdown that was not understood" for text in page.left_over)
        for address, fetched in page.addresses:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if fetched and parts.scheme != "data":
                    yield f"{name}: {address} would be fetched from elsewhere"
                continue
            # The page of "not found" is shown at any address, and links from the root.
            if name == "404.html":
                continue
            target = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                yield f"{name}: {address} does not exist"
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{name}: {address}: there is no such anchor"
