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

    from analysis.features.preparation import Preparation

EVENT_TIME = "event_time"
RECORD_ID = "record_id"
_RESERVED = ("is_deleted", "write_time", "api_invocation_time", EVENT_TIME, RECORD_ID)
_LONGEST = 64
_TYPES = {Kind.MEASURE: "Fractional", Kind.COUNT: "Integral", Kind.FLAG: "Integral"}


@dataclass(frozen=True)
class StoredFeatures:
    """What a record has.

    identifier: name of the record identifier. types: feature → String, Integral or Fractional, in order, identifier and
    event time first. sources: feature → column of the table or of the model; identifier of a table without one key
    column, and the event time, have none. columns: the model columns among them.
    """

    identifier: str
    types: dict[str, str]
    sources: dict[str, str]
    columns: tuple[ModelColumn, ...]


def legal_names(names: Iterable[str], reserved: Iterable[str] = _RESERVED) -> dict[str, str]:
    """Map each name to one that the Feature Store and Glue take, and that no other has, whatever its case.

    Letters lose their accents; anything but letters, digits, hyphens and underscores becomes an underscore. See
    CreateFeatureGroup (SageMaker API reference), FeatureDefinition.
    """
    legal: dict[str, str] = {}
    taken = set(reserved)
    for name in names:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        base = re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_-")[:_LONGEST].rstrip("_-") or "column"
        found, number = base, 1
        while found.casefold() in taken:
            number += 1
            found = f"{base[: _LONGEST - len(str(number)) - 1]}_{number}"
        taken.add(found.casefold())
        legal[name] = found
    return legal


def stored_features(dataset: Dataset) -> StoredFeatures:
    """Return what the feature group of a data set holds: key, time, raw levels, model columns and target."""
    named = labelled_columns(dataset)
    raw = dataset.of_kind(Kind.CATEGORY, among=dataset.inputs)
    columns = tuple(column for column in candidates(dataset, dataset.inputs) if _stored(dataset, column))
    made = {column.name: column for column in columns}
    legal = legal_names(dict.fromkeys([*named, *raw, *made, dataset.target]))
    identifier = legal[dataset.key[0]] if len(dataset.key) == 1 else RECORD_ID
    types = {identifier: "String", EVENT_TIME: "String"}
    for name, feature in legal.items():
        if name in named:
            types[feature] = "String"
        elif name in made and made[name].origin is not Origin.NUMBER:
            types[feature] = "Integral"
        else:
            column = dataset.columns[name]
            types[feature] = "Integral" if column.has_whole_levels else _TYPES.get(column.kind, "String")
    return StoredFeatures(identifier, types, {feature: name for name, feature in legal.items()}, columns)


def labelled_columns(dataset: Dataset) -> tuple[str, ...]:
    """Return the columns by which a row is known: those of the key, and the time."""
    return tuple(dict.fromkeys([*dataset.key, *([] if dataset.time is None else [dataset.time])]))


def _stored(dataset: Dataset, column: ModelColumn) -> bool:
    if column.origin is Origin.LEVEL:
        return column.level != dataset.columns[column.source].modelled_levels[0]
    return column.origin is not Origin.BIN


def stored_rows(
    rows: pa.Table, dataset: Dataset, preparation: Preparation, identities: pa.Array, texts: dict[str, pa.Array]
) -> pa.Table:
    """Compute every stored feature but the event time, one row a record.

    identities: of the rows; texts: key and time columns as text.
    """
    import pyarrow as pa

    from analysis.features.transform import filled, model_columns

    stored = stored_features(dataset)
    made = model_columns(rows, stored.columns, dataset, preparation)
    full = filled(rows, dataset, preparation)
    values = {}
    for feature in stored.types:
        if feature == EVENT_TIME:
            continue
        source = stored.sources.get(feature)
        if feature == stored.identifier:
            values[feature] = identities
        elif source in texts:
            values[feature] = texts[source]
        elif source in made.column_names:
            values[feature] = made[source]
        elif source in full.column_names:
            values[feature] = full[source]
        else:
            values[feature] = pa.nulls(rows.num_rows, pa.string())
    return pa.table(values)
