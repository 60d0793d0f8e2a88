"""Draft a declaration from a CSV file: what its cells say, with every guess marked for review."""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analysis.dataset.columns import Kind, plain_name
from analysis.dataset.declaration import MARKS, TAKEN, Dataset
from pipeline.datasets import toml
from pipeline.datasets.cells import DELIMITERS, CsvTable, read_cells
from pipeline.datasets.files import check_file
from pipeline.datasets.findings import Findings
from pipeline.datasets.kinds import guess
from pipeline.datasets.observed import Observed, missing_marks
from pipeline.datasets.validation import check_declaration
from pipeline.errors import InputFileError

_REVIEW = "# review: "
_CARD = ("risk_reason", "model_owner", "business_problem", "prohibited_uses", "ethical_considerations", "caveats")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")


@dataclass(frozen=True)
class Draft:
    """A declaration that was drafted."""

    text: str
    dataset: Dataset
    rows: int

    @property
    def reviews(self) -> int:
        """How many guesses somebody has to look at."""
        return sum(line.startswith(_REVIEW) for line in self.text.split("\n"))


def draft(path: Path, name: str | None = None, target: str | None = None) -> Draft:
    """Draft the declaration of a file; the same file gives the same text.

    Raises:
        InputFileError: no table with something to predict can be read from the file, or name or target can't be.
    """
    name = _name(path, name)
    table = read_cells(path)
    marks, unusual = missing_marks(table.columns)
    columns = [replace(cells, name=f"{cells.name}_") if cells.name in TAKEN else cells for cells in table.columns]
    seen = {cells.name: Observed(cells, frozenset(marks)) for cells in columns}
    found = Findings(seen, _target(path, seen, target))
    file = path.name.encode("utf-8", "replace").decode()
    lines = [
        *_about(file, table, found),
        *_top(name, file, found),
        *_identity(table, found),
        *_missing(marks, unusual),
        *_words(found),
        *_columns(found),
        *_rules(found),
        *_end(),
    ]
    text = "\n".join(lines) + "\n"
    dataset = check_declaration(text.encode())
    if not isinstance(dataset, Dataset):
        raise InputFileError(f"{path}: no declaration could be drafted, because of its line {dataset[0]}.")
    # What is written in two ways at once, such as 1,234, can be drafted and is refused.
    problems = check_file(dataset, path).problems
    if problems:
        more = f" There are {len(problems) - 1} more such problems." if len(problems) > 1 else ""
        raise InputFileError(f"{path} would be refused by every run: {problems[0]}.{more}", "Correct the file first.")
    return Draft(text, dataset, table.rows)


def _name(path: Path, name: str | None) -> str:
    if name is None:
        made = re.sub(r"[^a-z0-9]+", "-", path.name.partition(".")[0].lower()).strip("-0123456789")
        return made[:20].rstrip("-") or "dataset"
    if not _NAME.fullmatch(name):
        raise InputFileError(f"{name!r} is no name: use at most 20 small letters, digits and hyphens, a letter first.")
    return name


def _target(path: Path, seen: Mapping[str, Observed], target: str | None) -> str:
    """Return the column to predict: the one asked for, or the last one of numbers that differ."""
    numbers = [name for name, column in seen.items() if len(np.unique(column.known)) > 1]
    if target is None:
        possible = [name for name in numbers if guess(seen[name]).kind is not Kind.IDENTIFIER]
        if not possible:
            raise InputFileError(f"{path} has no column of different numbers that could be predicted.")
        return possible[-1]
    asked = {plain_name(name): name for name in seen}.get(plain_name(target))
    if asked is None:
        near = difflib.get_close_matches(target, seen, n=1)
        raise InputFileError(f"{path} has no column {target!r}.", f"Did you mean {near[0]!r}?" if near else None)
    if asked not in numbers:
        raise InputFileError(f"{path}: its column {asked!r} can't be predicted: it does not hold different numbers.")
    return asked


def _review(text: str) -> str:
    return toml.comment(f"{_REVIEW}{text}")


def _about(file: str, table: CsvTable, found: Findings) -> Iterator[str]:
    comma = any(column.has_decimal_comma for column in found.seen.values())
    dialect = f"separated by {DELIMITERS[table.delimiter]}{', with decimal commas' if comma else ''}"
    yield "#:schema ./schema.json"
    yield toml.comment(f"# Drafted from {file}: {table.rows} rows, {len(found.seen)} columns, {dialect}.")
    yield f'# Every guess is marked "{_REVIEW.strip()}". Correct it, then remove the mark.'
    yield "# docs/declaration.md explains all fields.\n"


def _top(name: str, file: str, found: Findings) -> Iterator[str]:
    yield f"name = {toml.text(name)}"
    yield _review("what readers call the table, what it holds, where it is from")
    yield f"title = {toml.text(file.partition('.')[0] or name)}"
    yield f"description = {toml.text(f'The table of {file}.')}"
    yield 'source = "Unknown; say who made it, when, and under which licence."'
    yield _review("the column to predict")
    yield f"target = {toml.text(found.target)}"
    if found.parts:
        yield _review("they sum to the target in every row: only known when it is, and never inputs")
        yield f"parts = {toml.texts(found.parts)}"


def _identity(table: CsvTable, found: Findings) -> Iterator[str]:
    """Yield what names a row, when it happened, and what a second one like it means."""
    if found.keys:
        others = "".join(f"; or: {', '.join(key)}" for key in found.keys[1:4])
        yield _review(f"what names a row; no two different rows are alike in it{others}")
        yield f"key = {toml.texts(found.keys[0])}"
    else:
        yield _review("no key: no one to three columns tell all rows apart, so that a row is named by its input cells")
        for name in found.counters:
            yield _review(f"key = {toml.texts([name])} if later files go on with its numbers")
    if found.time is not None:
        yield _review("when a row happened")
        yield f"time = {toml.text(found.time)}"
    repeated = table.rows - len(found.first)
    meaning = "refuse" if not repeated else "drop" if found.keys else "keep"
    yield _review(
        f"{repeated} rows equal an earlier one; refuse such a file, drop them, or keep them as different things"
    )
    yield f"repeated_rows = {toml.text(meaning)}"


def _missing(marks: tuple[str, ...], unusual: tuple[str, ...]) -> Iterator[str]:
    if marks != MARKS:
        found = f": in a column of numbers, {', '.join(map(repr, unusual))} was found" if unusual else ""
        yield _review(f"texts that mean a missing cell, in small letters{found}")
        yield f"missing_marks = {toml.texts(marks)}"


def _words(found: Findings) -> Iterator[str]:
    yield "\n" + _review("words for report and predictions; what predictions are for, and what they can't do (limits)")
    yield "[words]"
    yield 'row = { one = "row", many = "rows" }'
    yield f"target = {toml.text(found.target)}"
    yield 'unit = { one = "unit", many = "units" }'
    yield f"use = {toml.text(f'Predict {found.target}.')}"


def _columns(found: Findings) -> Iterator[str]:
    for name, column in found.guesses.items():
        yield ""
        yield from map(_review, column.reviews)
        yield f"[columns.{toml.key(name)}]"
        yield f"kind = {toml.text(column.kind)}"
        yield from (f"{field} = {value}" for field, value in column.fields.items())


def _rules(found: Findings) -> Iterator[str]:
    if found.parts:
        yield "\n[[rules]]"
        yield f"column = {toml.text(found.target)}"
        yield f"sum_of = {toml.texts(found.parts)}"
        message = " + ".join(found.parts)
        yield f"message = {toml.text(f'is not {message}')}"
    for column, rule, message in found.rules:
        yield "\n" + _review("it holds in all rows; where it is broken: a finding, or refuse the file")
        yield "[[rules]]"
        yield f"column = {toml.text(column)}"
        yield rule
        yield f"message = {toml.text(message)}"
        yield 'severity = "finding"'


def _end() -> Iterator[str]:
    yield "\n[profiles.forecast]"
    yield 'description = "All that is known before."'
    yield "\n" + _review("the share of the target's variance that a model has to explain before it is registered")
    yield "[gate]"
    yield "minimum_r_squared = 0.0"
    yield "minimum_rows = 60"
    yield "\n" + _review("what the model card says beside the numbers of a run; docs/model-cards.md explains it")
    yield "[card]"
    yield 'risk_rating = "Unknown"'
    for field in _CARD:
        yield f'# {field} = ""'
