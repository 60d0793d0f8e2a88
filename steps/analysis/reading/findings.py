"""What the checks of one file find: problems refuse it, repairs are counted, and every check leaves a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from analysis.runtime.errors import Problem

_LISTED_LINES = 50


@dataclass
class Findings:
    """problems: refuse the file. repairs: {"what", "rows", "lines"}. checks: {"check", "found", "allowed", "outcome"}.

    The outcome of a check is "passed" or "repaired"; "allowed" is None where a single find refuses the file.
    """

    problems: list[Problem] = field(default_factory=list)
    repairs: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)

    def repair(self, what: str, lines: Sequence[int]) -> None:
        """Count a repair, where there was anything to repair."""
        if lines:
            self.repairs.append({"what": what, "rows": len(lines), "lines": list(lines[:_LISTED_LINES])})

    def check(self, what: str, found: int = 0, allowed: int | None = None) -> None:
        """Note a check that the file came through."""
        outcome = "repaired" if found else "passed"
        self.checks.append({"check": what, "found": found, "allowed": allowed, "outcome": outcome})

    def refuse(self, problems: Iterable[Problem]) -> None:
        self.problems.extend(problems)


def lines_of(mask: pd.Series[bool]) -> list[int]:
    """Index labels (lines of the file) where `mask` is true."""
    return [int(line) for line in mask.index[mask.to_numpy(dtype=bool)]]
