"""Say what a file would meet: how it is read, and why it would be refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.checking.limits import QualityLimits
from analysis.checking.purpose import Purpose
from analysis.checking.raw_file import checked_file
from analysis.dataset.declaration import Dataset
from analysis.reading.cell_file import CellFile
from analysis.runtime.errors import InputError
from pipeline.errors import InputFileError


@dataclass(frozen=True)
class FileReport:
    """What a declaration says of a file."""

    columns: Mapping[str, str]
    """Column of the declaration → name in the file."""
    scores_only: bool
    """Whether it can be predicted, but not trained on."""
    unknown: tuple[str, ...]
    """Columns of the file that the declaration does not have; they are ignored."""
    problems: tuple[str, ...] = ()
    """Why it would be refused."""
    rows: int | None = None
    """How many it has; None where it would be refused."""
    notes: tuple[str, ...] = ()
    """Why it can't be trained on, what is unusual about how it is written, and values that are strange but no error."""


def check_file(dataset: Dataset, path: Path) -> FileReport:
    """Check a file as the pipeline's first job does: for training where it has the target, else for scoring.

    Raises:
        InputFileError: it can't be read as a table.
    """
    try:
        header = CellFile(path, {name: column.headers for name, column in dataset.columns.items()}).header
    except (InputError, OSError) as error:
        raise InputFileError(f"{path} can't be read: {error}") from error
    columns = {name: header.written.get(name, name) for name in header.names if name in dataset.columns}
    unknown = tuple(name for name in header.names if name not in columns)
    limits = QualityLimits(minimum_training_rows=dataset.gate.minimum_rows)
    problems: tuple[str, ...] = ()
    for purpose in Purpose if dataset.target in columns else [Purpose.SCORING]:
        required = (dataset.target,) if purpose is Purpose.TRAINING else ()
        scores_only = purpose is Purpose.SCORING
        try:
            report = checked_file(path, dataset, purpose, required=required, limits=limits).report
        except InputError as error:
            problems = problems or tuple(map(str, error.problems))
            continue
        strange = [f"{found['column']} {found['what']}: {found['rows']} rows" for found in report["findings"]]
        notes = (*problems, *report["notes"], *strange)
        return FileReport(columns, scores_only, unknown, (), report["rows"]["read"], notes)
    return FileReport(columns, dataset.target not in columns, unknown, problems)
