"""Texts and numbers as SageMaker's card schemas take them: on one line, within a length, finite.

Needs the standard library only: a Lambda function uses it, too.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

LARGEST_CARD = 100_000
"""Characters of a card's content, in CreateModelPackage as in CreateModelCard."""
CUT = "…"
"""What a text ends with that was cut."""
ARN, LINE, PARAGRAPH, NAME, LABEL = 256, 1024, 2048, 255, 63
"""Characters that fields of a card take."""

_DIGITS = 6
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def fitting(text: object, longest: int = PARAGRAPH) -> str:
    """Return a text on one line, cut with a visible mark to what its field takes.

    Lengths are of UTF-16, in which an emoji counts twice, as it may where the service counts. Control characters and
    lone surrogates become spaces: neither can be read, and JSON writes one as six characters.
    """
    line = " ".join(_UNREADABLE.sub(" ", str(text)).split())
    units = line.encode("utf-16-le")
    if len(units) <= 2 * longest:
        return line
    return units[: 2 * (longest - 1)].decode("utf-16-le", errors="ignore").rstrip() + CUT


def sentence(text: str) -> str:
    """Return a text with the full stop that it may lack; nothing for nothing."""
    line = fitting(text)
    return line if not line or line.endswith((".", "!", "?", CUT)) else f"{line}."


def rounded(value: Any) -> float | int | None:
    """Return a number with six significant digits; None for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value if isinstance(value, int) else float(f"{value:.{_DIGITS}g}")


def without_nothing(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a part of a card without its empty fields."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def card_text(card: dict[str, Any]) -> str:
    """Return a card as the JSON text that SageMaker takes, in as few characters as it has."""
    return json.dumps(card, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
