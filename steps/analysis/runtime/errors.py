"""All errors that a step shows to a user.

    StepError            base: the message is for the user, no traceback is printed
    ├── SettingsError    an argument or environment variable is missing or invalid; fix the call
    ├── InputError       the data file can't be used; names file, line and column; fix the file and upload it again
    ├── DriftError       the file's rows are too far from the training rows; train on newer ones, or allow more
    ├── ModelError       the model artefact is missing, damaged or does not fit the data
    ├── TrainingError    the rows are valid but no model can be estimated from them
    ├── CardError        the model card lacks what the organisation's standard asks; names each field and its owner
    ├── ClaimError       the claim on an input file could not be read or written
    ├── IngestError      records are not in the Feature Store; says how many, and names the first rows
    ├── PublishError     predictions and rows don't belong together
    ├── ScoreError       predictions or outcomes are not in the form that they are published in
    └── AwsCallError     an AWS call failed; names the operation, AWS's code and its message

Anything else that escapes a step is a bug, and is shown with its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

SHOWN_PROBLEMS = 8
"""Problems listed in one message: SageMaker keeps the first 1,024 characters of it."""
_NAMED_LINES = 4


class StepError(Exception):
    """Base of all errors a user can meet."""


class SettingsError(StepError):
    """An argument or environment variable is missing or invalid."""


class DriftError(StepError):
    """The rows of a file are further from the training rows of the model than is allowed."""


class ModelError(StepError):
    """The model artefact is missing, damaged or does not fit the data."""


class TrainingError(StepError):
    """The rows are valid but no model can be estimated from them."""


class CardError(StepError):
    """The model card lacks what the organisation's standard asks, or has what it does not allow."""


class ClaimError(StepError):
    """The claim on an input file could not be read or written."""


class IngestError(StepError):
    """Records are not in the Feature Store."""


class PublishError(StepError):
    """Predictions and rows don't belong together, or can't be written."""


class ScoreError(StepError):
    """Predictions or outcomes are not in the form that they are published in."""


class AwsCallError(StepError):
    """An AWS call failed: operation, AWS's error code and AWS's message are in the text."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a data file.

    `line` counts as an editor does (the header is line 1); None where the whole file or column is meant.
    """

    message: str
    line: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        place = [f"line {self.line}"] if self.line is not None else []
        place += [f"column {self.column}"] if self.column is not None else []
        return f"{', '.join(place)}: {self.message}" if place else self.message


@dataclass
class Alike:
    """Problems of one kind in one column: the first ones, and the count of all."""

    problems: list[Problem] = field(default_factory=list)
    count: int = 0

    def listed(self) -> list[Problem]:
        """Return each problem, or one for all of them where they are too many to read."""
        if self.count <= SHOWN_PROBLEMS:
            return self.problems
        first = self.problems[0]
        lines = ", ".join(str(problem.line) for problem in self.problems[1:_NAMED_LINES])
        others = self.count - _NAMED_LINES
        return [Problem(f"{first.message} (likewise lines {lines} and {others} more)", first.line, first.column)]


class Problems:
    """Problems of lines, in the order of the lines; those that read the same are told as one where they are many."""

    def __init__(self) -> None:
        self.count = 0
        self._alike: dict[tuple[str | None, str], Alike] = {}

    def add(self, message: str, line: int, column: str | None = None) -> None:
        """Take in a problem."""
        self._take(column, message, [line], 1)

    def extend(self, others: Problems) -> None:
        """Take in the problems of later lines."""
        for (column, message), alike in others._alike.items():
            self._take(column, message, [problem.line for problem in alike.problems], alike.count)

    def listed(self) -> list[Problem]:
        """Return what is to be said, the first lines first."""
        problems = [problem for alike in self._alike.values() for problem in alike.listed()]
        return sorted(problems, key=lambda problem: problem.line or 0)

    def _take(self, column: str | None, message: str, lines: Sequence[int | None], count: int) -> None:
        alike = self._alike.setdefault((column, message), Alike())
        room = SHOWN_PROBLEMS - len(alike.problems)
        alike.problems += [Problem(message, line, column) for line in lines[:room]]
        alike.count += count
        self.count += count


class InputError(StepError):
    """A data file can't be used. The message shows the first few problems.

    problems: what was found.
    """

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        shown = "; ".join(str(problem) for problem in self.problems[:SHOWN_PROBLEMS])
        hidden = max(len(self.problems) - SHOWN_PROBLEMS, 0)
        more = f"; and {hidden} more" if hidden else ""
        super().__init__(f"{file}: {shown}{more}. Correct the file and upload it again.")
