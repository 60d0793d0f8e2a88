"""The template knows no table: what is true of one stands in its declaration."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
TEXT = {".py", ".json", ".toml", ".html", ".jinja", ".css", ".sh", ".txt", ".in"}
WORDS = re.compile(r"(?i)\b(rentals?|bikes?|cnt|weathersit)\b")


def test_no_code_speaks_of_one_data_set() -> None:
    files = [
        path
        for folder in ("pipeline", "steps", "scripts")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in TEXT and "__pycache__" not in path.parts
    ]
    assert len(files) > 200
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if WORDS.search(line)
    ]
    assert found == []
