"""How a page speaks of a table, and how it writes numbers: the words of the declaration, which Preprocess passes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TINY, _WHOLE, _HUGE = 1e-4, 100.0, 1e15


@dataclass(frozen=True)
class Words:
    """The block `words` of quality.json and evaluation.json.

    row, rows: what one is and what several are. unit, units: likewise, of the target. time: the column that says when a
    row happened, "" in a table without one. gaps_in: what history gaps count.
    """

    title: str = ""
    row: str = "row"
    rows: str = "rows"
    target: str = "target"
    unit: str = ""
    units: str = ""
    limits: str = ""
    time: str = ""
    gaps_in: str = "rows"

    def count(self, number: int) -> str:
        """Say how many rows."""
        return f"{number:,} {self.row if number == 1 else self.rows}"

    def amount(self, value: float) -> str:
        """Write an amount of the target with its unit."""
        return f"{figure(value)} {self.units}".rstrip()


def words_of(document: Mapping[str, Any]) -> Words:
    """Return the words of a document; general ones where it has none, as those of earlier versions."""
    block = document.get("words")
    found = block if isinstance(block, Mapping) else {}
    known = {name: str(found[name]) for name in Words.__dataclass_fields__ if found.get(name)}
    return Words(**known)


def figure(value: float | None) -> str:
    """Write a number for people: with three or four digits that count, and a real minus sign."""
    if value is None:
        return "\N{EN DASH}"
    size = abs(value)
    if size and (size < _TINY or size >= _HUGE):
        written = f"{value:.3g}"
    elif size >= _WHOLE:
        written = f"{value:,.0f}"
    else:
        written = f"{value:.4g}"
    return written.replace("-", "\N{MINUS SIGN}", 1) if written.startswith("-") else written


def share(value: float) -> str:
    """Write a share in percent; only none is 0 %, and only all are 100 %."""
    percent = f"{100 * value:.1f}"
    if percent == "0.0" and value > 0:
        return "under 0.1 %"
    if percent == "100.0" and value < 1:
        return "over 99.9 %"
    return f"{percent.removesuffix('.0')} %"
