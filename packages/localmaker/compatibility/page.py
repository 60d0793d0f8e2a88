"""The page that readers see: its tables are written by the programs that run projects and suites."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "compatibility.md"


def put(page: Path, mark: str, table: str) -> None:
    """Replace what stands between ``<!-- mark -->`` and ``<!-- /mark -->`` by a table."""
    marked = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    text = page.read_text(encoding="utf-8")
    page.write_text(marked.sub(lambda found: f"{found[1]}\n{table.rstrip()}\n\n{found[2]}", text), encoding="utf-8")
