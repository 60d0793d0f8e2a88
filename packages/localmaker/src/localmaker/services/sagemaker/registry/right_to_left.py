"""Texts of scripts that run from right to left, for a writer of PDF that knows of neither direction nor joined letters.

Arabic letters are replaced by the forms that they have within a word, which fonts have for such writers, and the
characters of each line by their order from the left.
"""

from __future__ import annotations

import importlib
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

_FORMS = [*range(0xFB50, 0xFC00), *range(0xFE80, 0xFEFD)]
_MIRRORED = dict(zip("()[]{}<>«»", ")(][}{><»«", strict=True))
_RIGHT_TO_LEFT = ("R", "AL")


def in_visual_order(text: str, lines: Callable[[str], list[str]]) -> str:
    """Return a text as it stands on the page, with its line breaks; one from left to right as it is.

    Args:
        text: in the order in which it is read.
        lines: breaks a text into lines.
    """
    if not any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text):
        return text
    bidi: Any = importlib.import_module("fpdf.bidi")
    ordered = (bidi.BidiParagraph(line).get_reordered_characters() for line in lines(joined(text)))
    return "\n".join("".join(map(_glyph, line)) for line in ordered)


def _glyph(one: Any) -> str:
    """Return what stands for a character: brackets open to the other side where the text runs to the left."""
    character = str(one.character)
    return _MIRRORED.get(character, character) if one.embedding_level % 2 else character


def joined(text: str) -> str:
    """Return a text whose Arabic letters have the forms that their neighbours ask for."""
    forms = _forms()
    visible = [index for index, character in enumerate(text) if not unicodedata.combining(character)]
    shaped = list(text)
    for place, index in enumerate(visible):
        known = forms.get(text[index])
        if known is None:
            continue
        before = text[visible[place - 1]] if place else ""
        after = text[visible[place + 1]] if place + 1 < len(visible) else ""
        to_before = "final" in known and "initial" in forms.get(before, {})
        to_after = "initial" in known and "final" in forms.get(after, {})
        name = ("medial" if to_after else "final") if to_before else ("initial" if to_after else "isolated")
        shaped[index] = known.get(name, text[index])
    return "".join(shaped)


@cache
def _forms() -> dict[str, dict[str, str]]:
    """Return the forms of each letter, by name."""
    found: dict[str, dict[str, str]] = {}
    for code in _FORMS:
        form, _, letters = unicodedata.decomposition(chr(code)).partition("> ")
        if letters and " " not in letters:
            found.setdefault(chr(int(letters, 16)), {})[form.removeprefix("<")] = chr(code)
    return found
