"""CSV and JSON files between steps, read and written so that every float keeps its bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.runtime.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd


def read_frame(path: Path, *, text: bool = False, columns: list[str] | None = None) -> pd.DataFrame:
    """Read what `write_table` wrote.

    text: keep every cell as written, empty ones as "". columns: names for those of a file without a header.
    Raises SettingsError for a file that can't be read, or has another number of columns.
    """
    # Imported here because most steps use this module for JSON alone, and pandas takes most of a second.
    import pandas as pd

    try:
        if text:
            return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
        frame = pd.read_csv(
            path, float_precision="round_trip", encoding="utf-8", header="infer" if columns is None else None
        )
        return frame if columns is None else frame.set_axis(columns, axis="columns")
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} can't be read: {error}.") from error


def json_text(document: dict[str, Any]) -> str:
    """Return `document` in a readable form; NaN and infinity are refused, because JSON has no such numbers."""
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def write_json(document: dict[str, Any], path: Path) -> None:
    """Write `document` as :func:`json_text` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json_text(document), encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object, or raise SettingsError naming the file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} can't be read as JSON: {error}.") from error
    if not isinstance(document, dict):
        raise SettingsError(f"{path} is not a JSON object.")
    return document
