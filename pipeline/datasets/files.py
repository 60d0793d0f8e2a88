"""Say what a file would meet: its columns, and the cells that are not of their kind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.dataset.columns import NUMBERS, TIMES, Column, Kind
from analysis.dataset.declaration import Dataset, plain_name
from pipeline.datasets.cells import Cells, read_cells
from pipeline.datasets.observed import Observed, number_of, read_moment


@dataclass(frozen=True)
class FileReport:
    """What a declaration says of a file."""

    rows: int
    columns: Mapping[str, str]
    """Column of the declaration → name in the file."""
    scores_only: bool
    """Whether it lacks the target, so that it can be predicted but not trained on."""
    unknown: tuple[str, ...]
    """Columns of the file that the declaration does not have; they are ignored."""
    problems: tuple[str, ...]
    """Why it would be refused."""


def check_file(dataset: Dataset, path: Path) -> FileReport:
    """Read a file and compare it with a declaration.

    Raises:
        InputFileError: it can't be read as a table.
    """
    table = read_cells(path)
    files = {plain_name(cells.name): cells for cells in table.columns}
    found = {
        name: next(files[spelling] for spelling in _spellings(name, column) if spelling in files)
        for name, column in dataset.columns.items()
        if set(_spellings(name, column)) & set(files)
    }
    known = {cells.name for cells in found.values()}
    return FileReport(
        rows=table.rows,
        columns={name: cells.name for name, cells in found.items()},
        scores_only=dataset.target not in found,
        unknown=tuple(cells.name for cells in table.columns if cells.name not in known),
        problems=tuple(_problems(dataset, files, found)),
    )


def _spellings(name: str, column: Column) -> list[str]:
    return [plain_name(header) for header in (name, *column.headers)]


def _problems(dataset: Dataset, files: Mapping[str, Cells], found: Mapping[str, Cells]) -> Iterator[str]:
    for other in dataset.other_tables:
        if any(plain_name(name) in files for name in other.columns):
            yield other.message
            return
    needed = [name for name in dataset.known_before if not dataset.columns[name].optional]
    if missing := [name for name in needed if name not in found]:
        yield f"columns are missing: {', '.join(missing)}"
    marks = frozenset(dataset.missing_marks)
    for name, cells in found.items():
        yield from _problems_of_cells(name, dataset.columns[name], Observed(cells, marks))


def _problems_of_cells(name: str, column: Column, seen: Observed) -> Iterator[str]:
    wrong = {text: count for text, count in seen.counts.items() if not _fits(column, text)}
    if wrong:
        yield f"column {name}: {next(iter(wrong))!r} is no {column.kind} ({sum(wrong.values())} rows have such cells)"


def _fits(column: Column, text: str) -> bool:
    """Tell whether a cell can be of the column's kind; ranges and rules are the job's to check."""
    if column.kind in TIMES:
        return any(read_moment(text, pattern) for patterns in column.formats.values() for pattern in patterns)
    if column.kind is Kind.CATEGORY and not column.has_whole_levels:
        return text in column.levels
    if column.kind not in NUMBERS | {Kind.CATEGORY}:
        return True
    number = number_of(text)
    if number is None or (column.kind is not Kind.MEASURE and not number.is_integer()):
        return False
    return not column.levels or int(number) in map(int, column.levels)
