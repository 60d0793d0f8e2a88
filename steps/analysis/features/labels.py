"""The cells by which people find a row again: in predictions, reports and the Feature Store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.dataset.columns import Kind
from analysis.dataset.declaration import Dataset
from analysis.features.stored import labelled_columns, legal_names
from analysis.runtime.names import LINE, PREDICTED, REALISED, RECORD

if TYPE_CHECKING:
    import pyarrow as pa

DATE, TIME = "date", "time"


def label_names(dataset: Dataset) -> dict[str, str]:
    """Map the columns by which a row is known to the names that they have in predictions.

    The data set's time is called `date` or `time`; others have their own names, made legal for Athena. A table without
    a key has `record` (the row's identifier) and `line` (in the sender's file) instead.
    """
    known = labelled_columns(dataset)
    taken = (RECORD, LINE) if not dataset.key else () if dataset.time is None else (DATE, TIME)
    legal = legal_names(known, reserved=(*PREDICTED, *REALISED, "dt", *taken))
    if dataset.time is not None:
        legal[dataset.time] = DATE if dataset.columns[dataset.time].kind is Kind.DATE else TIME
    return legal if dataset.key else {**legal, RECORD: RECORD, LINE: LINE}


def joining_labels(dataset: Dataset) -> tuple[str, ...]:
    """Return the columns of predictions by which the same row is found in another file: those of the key.

    Without a key it is the row's identifier, which any change of an input changes.
    """
    names = label_names(dataset)
    return tuple(names[name] for name in dataset.key) or (RECORD,)


def time_label(dataset: Dataset) -> str | None:
    """Return the column of predictions that says when something happened; None for a table without a time."""
    return None if dataset.time is None else label_names(dataset)[dataset.time]


def texts_of(rows: pa.Table, dataset: Dataset) -> dict[str, pa.Array]:
    """Return the columns by which a row is known as text: dates as YYYY-MM-DD, moments as YYYY-MM-DD HH:MM:SS."""
    import pyarrow as pa
    import pyarrow.compute as pc

    formats = {Kind.DATE: "%Y-%m-%d", Kind.DATETIME: "%Y-%m-%d %H:%M:%S"}
    texts = {}
    for name in labelled_columns(dataset):
        pattern = formats.get(dataset.columns[name].kind)
        values = rows[name]
        if pattern is not None:
            # Each day once. Seconds, since strftime writes the fractions of finer units.
            distinct = pc.unique(values)
            written = pc.strftime(pc.cast(distinct, pa.timestamp("s")), format=pattern)
            values = pc.take(written, pc.index_in(values, value_set=distinct))
        texts[name] = pc.cast(values, pa.string())
    return texts


def row_labels(rows: pa.Table, dataset: Dataset, identities: pa.Array) -> pa.Table:
    """Return the cells that name each row, under the names that they have in predictions."""
    import pyarrow as pa
    import pyarrow.compute as pc

    # A row of the history is no line of the file.
    lines = pc.if_else(pc.greater(rows["line"], 0), rows["line"], None)
    values = {**texts_of(rows, dataset), RECORD: identities, LINE: lines}
    return pa.table({label: values[name] for name, label in label_names(dataset).items()})
