"""Feature records from a file on this machine, as the pipeline makes them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.features.profiles import STORED_FEATURES
from analysis.features.transform import stored_features
from analysis.reading.columns import DATE, Purpose
from analysis.reading.quality import QualityLimits, check_days
from analysis.reading.table import read_table
from analysis.runtime.frames import read_frame, write_frame
from ingest_features import records_of
from scripts.lib.errors import ScriptError

if TYPE_CHECKING:
    from analysis.features.records import Record

_EVENT_TIME = "event_time"


def records_from(path: Path, event_time: str) -> list[Record]:
    """One record a day.

    Args:
        path: a raw CSV of either published form, or a features.csv that preprocess.py wrote (told by its header).
        event_time: ISO 8601, UTC.

    Raises:
        InputError: the raw file can't be used; names line and column.
        ScriptError: the features.csv has a day twice, or no row.
    """
    with path.open(encoding="utf-8", errors="replace") as stream:
        header = stream.readline().strip().split(",")
    if set(header) == set(STORED_FEATURES) - {_EVENT_TIME}:
        rows = read_frame(path, text=True)
        if rows.empty or rows[DATE].duplicated().any():
            raise ScriptError(f"{path.name} has no rows, or has a day twice.", "Write it anew with preprocess.py.")
        return records_of(rows, event_time)
    days = check_days(read_table(path), Purpose.SCORING, (), QualityLimits()).days
    # Through a file, so that each number is written with the digits that the pipeline gives it.
    with tempfile.TemporaryDirectory(prefix="features-") as directory:
        file = Path(directory) / "features.csv"
        write_frame(stored_features(days), file)
        return records_of(read_frame(file, text=True), event_time)
