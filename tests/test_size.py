"""The template stays small enough to be owned by the team that copies it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
LINES_OF_THE_TEMPLATE = 37_966


def test_the_template_is_small_enough_to_own():
    sources = [path for folder in ("pipeline", "steps", "scripts") for path in (ROOT / folder).rglob("*.py")]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in sources)
    assert lines <= LINES_OF_THE_TEMPLATE
