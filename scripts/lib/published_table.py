"""Recognises the published daily table, in either form, by its content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis.reading.columns import COUNTS, TARGET, Purpose
from analysis.reading.quality import QualityLimits, check_days
from analysis.reading.table import read_table
from scripts.lib.errors import ScriptError


@dataclass(frozen=True)
class PublishedTable:
    """What a published form has: number of days, first and last day (ISO), rentals in all."""

    rows: int
    first_day: str
    last_day: str
    rentals: int


ORIGINAL = PublishedTable(731, "2011-01-01", "2012-12-31", 3_292_679)
"""UCI's own: measures scaled to 0..1."""
LATER_FORM = PublishedTable(730, "2018-01-01", "2019-12-31", 3_290_845)
"""The same days but one, dated seven years later, measures in degrees and km/h."""


def check_published(path: Path) -> PublishedTable:
    """Check a table row by row and against the published figures.

    Raises:
        InputError: a row breaks a rule of the schema.
        ScriptError: it is a sound table, but not a published one.
    """
    checked = check_days(read_table(path), Purpose.TRAINING, COUNTS, QualityLimits())
    report = checked.report
    found = PublishedTable(len(checked.days), report["first_day"], report["last_day"], int(checked.days[TARGET].sum()))
    if found not in {ORIGINAL, LATER_FORM}:
        raise ScriptError(
            f"This is not the published table: it has {found.rows} days, {found.first_day} to {found.last_day}, with "
            f"{found.rentals:,} rentals; the published one has {ORIGINAL.rows} days with {ORIGINAL.rentals:,}.",
            "A table of your own needs no download: give it to bikeshare demo --data FILE.",
        )
    return found
