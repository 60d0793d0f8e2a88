"""Fonts for the characters of a model card, and a mark for those that no font of this machine has."""

from __future__ import annotations

import importlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Stands for a character that no font has.
MARK = "▯"
_NAMED = 12
_OUTLINES, _PICTURES = ("glyf", "CFF ", "CFF2"), ("CBDT", "sbix")
_VARIATION_SELECTORS = {chr(code) for code in range(0xFE00, 0xFE10)}


@dataclass(frozen=True)
class Fonts:
    """What a card is written with.

    Attributes:
        outlines: font files besides the card's own; of a collection its first font is used.
        pictures: font files whose characters are pictures (colour emoji), which charts cannot show.
        pictured: the characters that only these have.
        missing: characters that none of them has.
    """

    outlines: tuple[Path, ...]
    pictures: tuple[Path, ...]
    pictured: frozenset[str]
    missing: frozenset[str]

    def shown(self, text: str, *, in_chart: bool = False) -> str:
        """Return a text with a mark for each character without a glyph."""
        kept = (character for character in text if not _is_invisible(character))
        absent = self.missing | self.pictured if in_chart else self.missing
        return "".join(MARK if character in absent else character for character in kept)

    def note(self, in_charts: frozenset[str] = frozenset()) -> str:
        """Return the line that says what is not shown; empty if there is nothing.

        Args:
            in_charts: characters of charts.
        """
        absent = sorted(self.missing | (self.pictured & in_charts))
        if not absent:
            return ""
        codes = [f"U+{ord(one):04X} ({unicodedata.name(one, 'unnamed').lower()})" for one in absent]
        named = ", ".join(codes[:_NAMED]) + (f" and {len(codes) - _NAMED} more" if len(codes) > _NAMED else "")
        return (
            f"{MARK} stands for characters that no font on the exporting machine has: {named}. "
            "Install a font that has them, such as one of the Noto fonts, and export the card again."
        )


def own_font(style: str = "") -> Path:
    """Return a typeface with more than Latin letters, which PDF's own lack; matplotlib contains one."""
    matplotlib: Any = importlib.import_module("matplotlib")
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"DejaVuSans{style}.ttf"


def fonts_for(characters: Iterable[str], paths: Sequence[str] | None = None) -> Fonts:
    """Return fonts that have the given characters, as far as this machine has such fonts.

    Args:
        characters: of all texts.
        paths: font files to look into; None for those that are installed.
    """
    needed = {one for one in characters if not _is_invisible(one) and not one.isspace()}
    needed -= _characters(own_font(), _OUTLINES)
    if not needed:
        return Fonts((), (), frozenset(), frozenset())
    if paths is None:
        manager: Any = importlib.import_module("matplotlib.font_manager")
        paths = sorted(manager.findSystemFonts())
    outlines, pictured = _chosen(needed, paths, _OUTLINES)
    pictures, missing = _chosen(pictured, paths, _PICTURES)
    return Fonts(outlines, pictures, pictured - missing, missing)


def _chosen(
    needed: Iterable[str], paths: Sequence[str], tables: Sequence[str]
) -> tuple[tuple[Path, ...], frozenset[str]]:
    """Return the fewest fonts that have the needed characters, and those that no font has."""
    left, chosen = set(needed), list[Path]()
    found = {path: _characters(Path(path), tables) & left for path in paths} if left else {}
    while left and found:
        best = max(found, key=lambda path: len(found[path] & left))
        if not found[best] & left:
            break
        left -= found[best]
        chosen.append(Path(best))
    return tuple(chosen), frozenset(left)


def _is_invisible(character: str) -> bool:
    """Return whether a character only says how others look, which these fonts do not know."""
    return character in _VARIATION_SELECTORS or (unicodedata.category(character) in ("Cf", "Cc") and character != "\n")


def _characters(path: Path, tables: Sequence[str]) -> set[str]:
    """Return the characters of a font that has one of the given tables; none for a file that cannot be read."""
    fonts: Any = importlib.import_module("fontTools.ttLib")
    try:
        with path.open("rb") as file, fonts.TTFont(file, fontNumber=0, lazy=True) as font:
            return {chr(code) for code in font.getBestCmap() or ()} if any(one in font for one in tables) else set()
    except Exception:  # noqa: BLE001 - fontTools raises many kinds for a damaged font, which then is not used
        return set()
