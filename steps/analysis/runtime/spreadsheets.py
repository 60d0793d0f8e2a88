"""Cells of CSV files that people open in a spreadsheet: none of them may start a formula."""

from __future__ import annotations

import re

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Spreadsheets take a cell that starts with one of these for a formula; the last four are full-width forms."""
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def safe_text(text: str) -> str:
    """Put an apostrophe in front of `text` where a spreadsheet could take it for a formula."""
    formula = text.lstrip(" ").startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(text)
    return f"'{text}" if formula else text
