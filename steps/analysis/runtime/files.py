"""JSON files between steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from analysis.runtime.errors import SettingsError


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
