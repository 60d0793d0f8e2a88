"""The features that the Feature Store holds of a declared table: their legal names, their types and their values.

Free of libraries at import, so that deployment, which needs only names and types, starts fast.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.dataset.columns import Kind
from analysis.dataset.declaration import Dataset
from analysis.features.profiles import ModelColumn, Origin, candidates

if TYPE_CHECKING:
    import pyarrow as pa

EVENT_TIME = "event_time"
RECORD_ID = "record_id"
_PARTITIONS = ("year", "month", "day", "hour")
"""Partition keys of the offline store's table, which can have no column of such a name."""
_RESERVED = ("is_deleted", "write_time", "api_invocation_time", EVENT_TIME, RECORD_ID, *_PARTITIONS)
_LONGEST = 64
_TYPES = {Kind.MEASURE: "Fractional", Kind.COUNT: "Integral", Kind.FLAG: "Integral"}


@dataclass(frozen=True)
class StoredFeatures:
    """What a record of one feature group has.

    identifier: name of the record identifier. types: feature → String, Integral or Fractional, in order, identifier and
    event time first. sources: feature → column of the table or of the model; identifier of a table without one key
    column, and the event time, have none. columns: the model columns among them.
    """

    identifier: str
    types: dict[str, str]
    sources: dict[str, str]
    columns: tuple[ModelColumn, ...] = ()


@dataclass(frozen=True)
class StoredGroups:
    """What is stored of a table: inputs are known before, outcomes (the target and its parts) become known later.

    Both have the same identifier, event time and columns by which a row is known. They are written apart, because
    writing a record replaces the whole of it: a file without outcomes leaves those that are known as they are.
    """

    inputs: StoredFeatures
    outcomes: StoredFeatures


@dataclass(frozen=True)
class StoredRows:
    """The same two, one row a record, without the event time; a row without a target has no outcome."""

    inputs: pa.Table
    outcomes: pa.Table


def legal_names(names: Iterable[str], reserved: Iterable[str] = _RESERVED) -> dict[str, str]:
    """Map each name to one that the Feature Store and Athena take, and that no other has, whatever its case.

    Letters lose their accents; anything but letters, digits and underscores becomes an underscore. See
    CreateFeatureGroup (SageMaker API reference), FeatureDefinition, and "Name databases, tables, and columns" (Athena).
    """
    legal: dict[str, str] = {}
    taken = set(reserved)
    for name in names:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        base = re.sub(r"[^A-Za-z0-9_]+", "_", plain).strip("_")[:_LONGEST].rstrip("_") or "column"
        found, number = base, 1
        while found.casefold() in taken:
            number += 1
            found = f"{base[: _LONGEST - len(str(number)) - 1]}_{number}"
        taken.add(found.casefold())
        legal[name] = found
    return legal


def stored_groups(dataset: Dataset) -> StoredGroups:
    """Return what the feature groups of a data set hold: inputs raw and as model columns; parts and target."""
    named = labelled_columns(dataset)
    raw = dataset.of_kind(Kind.CATEGORY, among=dataset.inputs)
    columns = tuple(column for column in candidates(dataset, dataset.inputs) if _stored(dataset, column))
    made = {column.name: column for column in columns}
    # Together, so that a column has the same name in both.
    legal = legal_names(dict.fromkeys([*named, *raw, *made, *dataset.answers]))
    identifier = legal[dataset.key[0]] if len(dataset.key) == 1 else RECORD_ID

    def feature_type(name: str) -> str:
        if name in named:
            return "String"
        if name in made and made[name].origin is not Origin.NUMBER:
            return "Integral"
        column = dataset.columns[name]
        return "Integral" if column.has_whole_levels else _TYPES.get(column.kind, "String")

    def group(*names: str, columns: tuple[ModelColumn, ...] = ()) -> StoredFeatures:
        sources = {legal[name]: name for name in dict.fromkeys([*named, *names])}
        types = {feature: feature_type(name) for feature, name in sources.items()}
        return StoredFeatures(identifier, {identifier: "String", EVENT_TIME: "String", **types}, sources, columns)

    return StoredGroups(group(*raw, *made, columns=columns), group(*dataset.answers))


def labelled_columns(dataset: Dataset) -> tuple[str, ...]:
    """Return the columns by which a row is known: those of the key, and the time."""
    return tuple(dict.fromkeys([*dataset.key, *([] if dataset.time is None else [dataset.time])]))


def _stored(dataset: Dataset, column: ModelColumn) -> bool:
    if column.origin is Origin.LEVEL:
        return column.level != dataset.columns[column.source].modelled_levels[0]
    return column.origin is not Origin.BIN


def stored_rows(rows: pa.Table, dataset: Dataset, identities: pa.Array, texts: dict[str, pa.Array]) -> StoredRows:
    """Compute every stored feature but the event time, independent of any model.

    What is missing stays empty, but for declared placeholders. identities: of the rows; texts: key and time columns as
    text.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from analysis.features.preparation import Preparation, placeholders
    from analysis.features.transform import filled, model_columns

    groups, declared = stored_groups(dataset), Preparation(fills=placeholders(dataset))
    full, made = filled(rows, dataset, declared), model_columns(rows, groups.inputs.columns, dataset, declared)
    known = {name: table[name] for table in (full, made) for name in table.column_names} | texts
    nothing = pa.nulls(rows.num_rows, pa.string())

    def table_of(stored: StoredFeatures) -> pa.Table:
        values = {name: known.get(source, nothing) for name, source in stored.sources.items()}
        return pa.table({stored.identifier: identities} | values | {stored.identifier: identities})

    outcomes = table_of(groups.outcomes)
    has_target = pc.is_valid(known.get(dataset.target, nothing))
    return StoredRows(table_of(groups.inputs), outcomes.filter(has_target))
