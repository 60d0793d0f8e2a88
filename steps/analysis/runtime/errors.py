"""All errors that a step shows to a user.

    StepError            base: the message is for the user, no traceback is printed
    ├── SettingsError    an argument or environment variable is missing or invalid; fix the call
    ├── InputError       the data file can't be used; names file, line and column; fix the file and upload it again
    ├── ModelError       the model artefact is missing, damaged or does not fit the data
    ├── TrainingError    the rows are valid but no model can be estimated from them
    ├── ClaimError       the claim on an input file could not be read or written
    ├── IngestError      records were refused by the Feature Store; names the rows
    ├── PublishError     predictions and rows don't belong together
    └── AwsCallError     an AWS call failed; names the operation, AWS's code and its message

Anything else that escapes a step is a bug, and is shown with its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SHOWN_PROBLEMS = 8
"""Problems listed in one message: SageMaker keeps the first 1,024 characters of it."""
LISTED_PROBLEMS = 100
"""Problems of one kind that are worth keeping; the others are only counted."""


class StepError(Exception):
    """Base of all errors a user can meet."""


class SettingsError(StepError):
    """An argument or environment variable is missing or invalid."""


class ModelError(StepError):
    """The model artefact is missing, damaged or does not fit the data."""


class TrainingError(StepError):
    """The rows are valid but no model can be estimated from them."""


class ClaimError(StepError):
    """The claim on an input file could not be read or written."""


class IngestError(StepError):
    """Records were refused by the Feature Store."""


class PublishError(StepError):
    """Predictions and rows don't belong together, or can't be written."""


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


class InputError(StepError):
    """A data file can't be used. The message shows the first few problems.

    problems: what was found; unlisted: how many more problems were only counted.
    """

    def __init__(self, file: str, problems: Sequence[Problem], unlisted: int = 0) -> None:
        self.file = file
        self.problems = tuple(problems)
        shown = "; ".join(str(problem) for problem in self.problems[:SHOWN_PROBLEMS])
        hidden = max(len(self.problems) - SHOWN_PROBLEMS, 0) + unlisted
        more = f"; and {hidden} more" if hidden else ""
        super().__init__(f"{file}: {shown}{more}. Correct the file and upload it again.")
