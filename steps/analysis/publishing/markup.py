"""HTML that is safe by construction: every text is escaped, unless this module has made it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""Control characters, those that turn the direction of what follows, and what no UTF-8 has."""
_VOID = frozenset({"br", "link", "meta"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def text(value: str) -> Html:
    """Return a text as markup: nothing in it is a tag or an entity, and nothing of it hides or turns what follows."""
    return value if isinstance(value, Html) else Html(escape(_INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", value)))


def element(name: str, /, *children: str, **attributes: str) -> Html:
    """Return an element; a trailing underscore of an attribute's name is dropped, any other becomes a hyphen."""
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{text(value)}"' for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{given}>")
    return Html(f"<{name}{given}>{joined(children)}</{name}>")


def joined(children: Iterable[str], between: str = "") -> Html:
    """Return several texts as one."""
    return Html(between.join(map(text, children)))


def foreign(value: str, most: int = 200) -> Html:
    """Return a name that others have given, cut where it is long, whose letters don't mix with those around it."""
    return element("bdi", value if len(value) <= most else f"{value[: most - 1]}\N{HORIZONTAL ELLIPSIS}")
