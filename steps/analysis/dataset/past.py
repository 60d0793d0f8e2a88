"""Features of the past: what a declaration says about one of them, and whether its table can have it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from analysis.dataset.columns import CONFIGURATION, NUMBERS, Column, refuse
from analysis.runtime.names import HISTORY_GAP


@dataclass(frozen=True, kw_only=True)
class Past:
    """A number that earlier rows of a series give a row, in exactly one of its forms: `rows_ago` to `mean_of_days`.

    Rows that agree in all of the key but the time are a series. The newest known values stand in for what is not known
    yet, and `history_gap` says by how many rows or days they are too old.
    """

    __pydantic_config__ = CONFIGURATION

    column: str
    """The column whose earlier values are taken: a number, the target and its parts included."""
    description: str
    """What it is, in a few words, for report and model card: `sales of the day before`."""
    rows_ago: int | None = None
    """The value so many rows before, wherever in time that is."""
    days_ago: int | None = None
    """The value exactly so many days before."""
    mean_of_rows: int | None = None
    """The mean of the values of so many rows, of which the last is the row before; of fewer where the series begins."""
    mean_of_days: int | None = None
    """The mean of the values of so many days that end right before the row; of those of them that are known."""

    def __post_init__(self) -> None:
        """Raise ValueError, naming the field, unless it has exactly one form, with a number of at least 1."""
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        given = [name for name in FORMS if getattr(self, name) is not None]
        if len(given) != 1:
            yield f"column: a feature of the past has one of {', '.join(FORMS)}; this one has {_listed(given)}"
        yield from (f"{name}: has to be at least 1" for name in given if getattr(self, name) < 1)

    @property
    def form(self) -> str:
        """The one of its forms that it has."""
        return next(name for name in FORMS if getattr(self, name) is not None)

    @property
    def count(self) -> int:
        """How many rows or days."""
        return int(getattr(self, self.form))

    @property
    def in_days(self) -> bool:
        """Whether days are counted, and not rows."""
        return self.form in {"days_ago", "mean_of_days"}

    @property
    def is_mean(self) -> bool:
        """Whether it is the mean of a window, and not one value."""
        return self.form in {"mean_of_rows", "mean_of_days"}


FORMS = ("rows_ago", "days_ago", "mean_of_rows", "mean_of_days")


def _listed(names: list[str]) -> str:
    return " and ".join(names) or "none"


def problems_of_past(
    past: Mapping[str, Past],
    columns: Mapping[str, Column],
    usable: Collection[str],
    key: tuple[str, ...],
    time: str | None,
) -> Iterator[str]:
    """Yield what is wrong with features of the past for a table, each beginning with its field.

    usable: columns that are inputs, or answers.
    """
    if past and time is None:
        yield "past: only a table with a time has a past; name its column in time, or leave out past"
    elif past and time not in key:
        yield f"past: a series has one row at a time, so {time} has to be part of the key"
    taken = dict(_model_names(columns))
    for name, feature in past.items():
        if columns[feature.column].kind not in NUMBERS:
            yield f"past.{name}.column: {feature.column} is of kind {columns[feature.column].kind}, and not a number"
        elif feature.column not in usable:
            yield f"past.{name}.column: {feature.column} is neither an input nor known with the target"
        if name in columns:
            yield f"past.{name}: a column has this name; use another"
        elif name in taken:
            yield f"past.{name}: this is the name of a model column of {taken[name]}; use another"
        elif name in {HISTORY_GAP, "line", ""}:
            yield f"past.{name}: jobs need this name; use another"


def _model_names(columns: Mapping[str, Column]) -> Iterator[tuple[str, str]]:
    """Yield the names of the dummy variables that columns can have, each with its column."""
    for name, column in columns.items():
        bins = () if column.bins is None else column.bins.names
        yield from ((dummy_name(name, label), name) for label in (*column.levels, *bins))
        if column.indicator:
            yield indicator_name(name), name


def dummy_name(column: str, label: str) -> str:
    """Return the name of the dummy variable of a level or a bin."""
    return f"{column}_{label.replace(' ', '_')}"


def indicator_name(column: str) -> str:
    """Return the name of the flag for rows whose cell was empty."""
    return f"{column}_missing"
