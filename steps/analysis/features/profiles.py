"""The columns that a model of a declared table gets: numbers as they are, dummy variables of levels and bins.

Free of libraries, so that a command that needs only names starts fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from analysis.dataset.columns import NUMBERS, Kind
from analysis.dataset.declaration import Dataset, Repeated
from analysis.dataset.declaration import Profile as Declared
from analysis.dataset.past import dummy_name, indicator_name
from analysis.runtime.errors import SettingsError


class Origin(StrEnum):
    """How a model column is made of its column of the table."""

    NUMBER = "number"
    LEVEL = "level"
    BIN = "bin"
    MISSING = "missing"
    PAST = "past"


@dataclass(frozen=True)
class ModelColumn:
    """One column of the model's input.

    source: the column of the table. level: the level that it marks. position: of the bin that it marks (0 = lowest).
    A feature of the past has a name of its own, and is made of other rows.
    """

    name: str
    source: str
    origin: Origin
    level: str = ""
    position: int = 0


@dataclass(frozen=True)
class Variant:
    """What a run asks for instead of what the profile declares; None leaves it as declared.

    first_levels: whether reference levels get a dummy variable too. With the constant they are linearly dependent then,
        and training leaves out the ones that the others determine.
    binned: whether every number with bins enters as dummy variables of them.
    """

    first_levels: bool | None = None
    binned: bool | None = None


@dataclass(frozen=True)
class Profile:
    """One way of modelling the table, worked out from its declaration.

    columns: the model's input columns, in the order of every file without a header.
    sources: the columns of the table that they are made of, of the same row.
    past: names of the columns that are features of the past; past_sources: the columns of earlier rows that they need.
    scaled: names of the columns that are min-max scaled, with bounds learned on training rows only.
    selects: whether recursive feature elimination chooses among the columns; feature_count: how many it keeps.
    known_leakage: columns that are known to be the target in disguise, so that finding them fails nothing.
    """

    name: str
    columns: tuple[ModelColumn, ...]
    sources: tuple[str, ...]
    scaled: tuple[str, ...]
    selects: bool
    feature_count: int
    known_leakage: frozenset[str]
    repeated_rows: Repeated
    past: tuple[str, ...] = ()
    past_sources: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)


def level_columns(dataset: Dataset, source: str) -> list[ModelColumn]:
    """Return a dummy variable for each modelled level of a category, the reference first."""
    levels = dataset.columns[source].modelled_levels
    return [ModelColumn(dummy_name(source, level), source, Origin.LEVEL, level=level) for level in levels]


def bin_columns(dataset: Dataset, source: str) -> list[ModelColumn]:
    """Return a dummy variable for each bin of a number, the lowest first."""
    bins = dataset.columns[source].bins
    names = enumerate(bins.names) if bins is not None else ()
    return [ModelColumn(dummy_name(source, label), source, Origin.BIN, position=position) for position, label in names]


def number_column(source: str) -> ModelColumn:
    """Return the column that holds a number as it is."""
    return ModelColumn(source, source, Origin.NUMBER)


def candidates(dataset: Dataset, inputs: tuple[str, ...]) -> list[ModelColumn]:
    """Return every column that can be made of these inputs: numbers, their bins, levels, indicators of empty cells.

    Raises ValueError where two of them would have the same name.
    """
    found = [number_column(name) for name in dataset.of_kind(*NUMBERS, among=inputs)]
    for name in dataset.of_kind(Kind.MEASURE, Kind.COUNT, among=inputs):
        found += bin_columns(dataset, name)
    for name in dataset.of_kind(Kind.CATEGORY, among=inputs):
        found += level_columns(dataset, name)
    indicated = [name for name in dataset.columns if name in inputs and dataset.columns[name].indicator]
    found += [ModelColumn(indicator_name(name), name, Origin.MISSING) for name in indicated]
    seen: dict[str, ModelColumn] = {}
    for column in found:
        other = seen.setdefault(column.name, column)
        if other is not column:
            raise ValueError(
                f"columns.{column.source}: its model column {column.name!r} has the name of one of {other.source}"
            )
    return found


def profile_of(dataset: Dataset, name: str, variant: Variant | None = None) -> Profile:
    """Work out a declared profile; raise SettingsError for an unknown one, and for a variant of fixed columns."""
    try:
        declared = dataset.profiles[name]
    except KeyError:
        known = ", ".join(dataset.profiles)
        raise SettingsError(f"There is no profile {name!r}; use one of: {known}.") from None
    variant = variant or Variant()
    if declared.model_columns and variant != Variant():
        raise SettingsError(f"The columns of profile {name!r} are fixed: it has all its published levels.")
    past = tuple(ModelColumn(name, dataset.past[name].column, Origin.PAST) for name in declared.past)
    columns = (*_chosen(dataset, _varied(dataset, declared, variant)), *past)
    return Profile(
        name=name,
        columns=columns,
        sources=tuple(dict.fromkeys(column.source for column in columns if column.origin is not Origin.PAST)),
        scaled=tuple(_scaled(dataset, columns)) if declared.scaled else (),
        selects=not declared.model_columns,
        feature_count=min(declared.feature_count or len(columns), len(columns)),
        known_leakage=frozenset(declared.known_leaks),
        repeated_rows=declared.repeated_rows or dataset.repeated_rows,
        past=tuple(column.name for column in past),
        past_sources=tuple(dict.fromkeys(column.source for column in past)),
    )


def past_of(profile: Profile, dataset: Dataset) -> dict[str, list[str | int]]:
    """Return what each feature of the past of a profile is: its column, and its form with its number."""
    declared = {name: dataset.past[name] for name in profile.past}
    return {name: [feature.column, feature.form, feature.count] for name, feature in declared.items()}


def _varied(dataset: Dataset, declared: Declared, variant: Variant) -> Declared:
    changes: dict[str, object] = {}
    if variant.first_levels is not None:
        changes["first_levels"] = variant.first_levels
    if variant.binned is not None:
        inputs = declared.inputs or dataset.inputs
        with_bins = tuple(name for name in inputs if dataset.columns[name].bins is not None)
        changes["binned"] = with_bins if variant.binned else ()
    return replace(declared, **changes)  # type: ignore[arg-type]


def _chosen(dataset: Dataset, declared: Declared) -> Iterator[ModelColumn]:
    parts = dataset.parts if declared.parts_of_target else ()
    inputs = (*parts, *(declared.inputs or dataset.inputs))
    known = candidates(dataset, inputs)
    if declared.model_columns:
        by_name = {column.name: column for column in known}
        for name in declared.model_columns:
            if name not in by_name:
                raise ValueError(f"model_columns: {name!r} is not among {', '.join(by_name)}")
            yield by_name[name]
        return
    for column in known:
        if column.origin is Origin.NUMBER and column.source in declared.binned:
            continue
        if column.origin is Origin.BIN and column.source not in declared.binned:
            continue
        if not declared.first_levels and _is_first(dataset, column):
            continue
        yield column


def _is_first(dataset: Dataset, column: ModelColumn) -> bool:
    """Return whether the column marks the reference level, or the lowest bin."""
    if column.origin is Origin.LEVEL:
        return column.level == dataset.columns[column.source].modelled_levels[0]
    return column.origin is Origin.BIN and column.position == 0


def _scaled(dataset: Dataset, columns: tuple[ModelColumn, ...]) -> Iterator[str]:
    for column in columns:
        kind = dataset.columns[column.source].kind
        if column.origin in {Origin.NUMBER, Origin.PAST} and kind in NUMBERS and kind is not Kind.FLAG:
            yield column.name
