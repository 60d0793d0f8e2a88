"""What the checks of a file have found: problems that refuse it, repairs, passed checks and strange values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.runtime.errors import SHOWN_PROBLEMS, Alike, InputError, Problem

_LISTED_LINES = 50
_LONGEST_QUOTE = 40

Mask = npt.NDArray[np.bool_]
Lines = npt.NDArray[np.int64]


class Findings:
    """Collects what was found in one file.

    repairs: {"what", "rows", "lines"}. checks: {"check", "found", "allowed", "outcome"}, the outcome "passed" or
    "repaired"; "allowed" is None where a single find refuses the file, or any number may be repaired. strange:
    {"column", "what", "rows", "lines"}, of values that are no error.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.repairs: list[dict[str, Any]] = []
        self.checks: list[dict[str, Any]] = []
        self.strange: list[dict[str, Any]] = []
        self._problems: list[Problem] = []
        self._groups: dict[tuple[str, str], Alike] = {}

    def refuse(self, message: str, line: int | None = None, column: str | None = None) -> None:
        """Record a problem."""
        self._problems.append(Problem(message, line, column))

    def refuse_rows(self, column: str, kind: str, lines: Lines, mask: Mask, message: Callable[[int], str]) -> None:
        """Record a problem of each row where `mask` is true.

        Problems of one kind in one column are told as one where they are many. message: gets a row's position, and
        is only called for the first ones. Rows have to come in the order of the file.
        """
        positions = np.flatnonzero(mask)
        if not len(positions):
            return
        group = self._groups.setdefault((column, kind), Alike())
        for position in positions[: SHOWN_PROBLEMS - len(group.problems)].tolist():
            group.problems.append(Problem(message(position), int(lines[position]), column))
        group.count += len(positions)

    def stop(self) -> None:
        """Raise InputError where there are problems, the first lines first."""
        problems = [*self._problems, *(problem for group in self._groups.values() for problem in group.listed())]
        if problems:
            raise InputError(self.file, sorted(problems, key=lambda problem: (problem.line or 0, problem.column or "")))

    def repair(self, what: str, lines: Sequence[int] | Lines) -> None:
        """Count a repair, where there was anything to repair."""
        if len(lines):
            self.repairs.append({"what": what, "rows": len(lines), "lines": _listed(lines)})

    def passed(
        self, check: str, lines: Sequence[int] | Lines = (), allowed: int | None = None, repair: str = ""
    ) -> bool:
        """Record a check and its repair; return False, and record nothing, where more lines than allowed need it."""
        if len(lines) > (allowed or 0):
            return False
        self.repaired(check, lines, allowed, repair)
        return True

    def repaired(self, check: str, lines: Sequence[int] | Lines, allowed: int | None, repair: str) -> None:
        """Record a check and its repair, however many lines needed it."""
        outcome = "repaired" if len(lines) else "passed"
        self.checks.append({"check": check, "found": len(lines), "allowed": allowed, "outcome": outcome})
        self.repair(repair, lines)

    def notice(self, column: str, what: str, lines: Sequence[int] | Lines) -> None:
        """Record strange values, where there are any."""
        if len(lines):
            self.strange.append({"column": column, "what": what, "rows": len(lines), "lines": _listed(lines)})


def _listed(lines: Sequence[int] | Lines) -> list[int]:
    return [int(line) for line in lines[:_LISTED_LINES]]


def quoted(text: object) -> str:
    """Quote a cell for a message, shortened where it is long."""
    shown = str(text)
    return repr(shown if len(shown) <= _LONGEST_QUOTE else shown[: _LONGEST_QUOTE - 3] + "...")
