"""What of a table is never known in advance: no row that is to be scored has it."""

from __future__ import annotations

from analysis.dataset.declaration import Dataset


def known_afterwards(dataset: Dataset) -> tuple[str, ...]:
    """Return the columns that are known only when the target is: parts of it, itself, and what is declared as such."""
    return tuple(name for name, column in dataset.columns.items() if name in dataset.answers or column.known_afterwards)
