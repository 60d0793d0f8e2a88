"""What preprocess.py writes: training and test rows, rows to score, Feature Store records and the quality report."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.random import RandomState
from numpy.typing import NDArray

from analysis.checking.checks import CheckedRows
from analysis.checking.earlier_rows import History
from analysis.checking.purpose import Purpose
from analysis.checking.unused_columns import REMOVED
from analysis.dataset.columns import Kind, Missing
from analysis.dataset.declaration import Dataset
from analysis.features import transform
from analysis.features.history import RowsWithPast, report_of_past, rows_with_past
from analysis.features.labels import label_names, row_labels, texts_of
from analysis.features.preparation import Preparation, learn
from analysis.features.profiles import Origin, Profile, Variant
from analysis.features.stored import stored_rows
from analysis.runtime.container import made_directory
from analysis.runtime.errors import InputError, Problem, SettingsError
from analysis.runtime.files import write_json
from analysis.runtime.names import (
    ACTUAL,
    GAPS_FILE,
    HISTORY_GAP,
    INPUTS_FILE,
    LABELS_FILE,
    NEW,
    OUTCOMES_FILE,
    ROW_ROLE,
    SOURCES_FILE,
    TESTED,
    TRAINED,
)
from analysis.runtime.tables import write_parquet, write_table

Positions = NDArray[np.int32]
OUTPUTS = ("train", "test", "scoring", "rows", "feature_store", "quality")


def split_rows(count: int, train_fraction: float, random_state: int) -> tuple[Positions, Positions]:
    """Return positions of training and test rows, by scikit-learn's split without its import: figures are of it."""
    if not 0.0 < train_fraction < 1.0:
        raise SettingsError(f"--train-fraction {train_fraction} is not between 0 and 1.")
    # 1 - 0.7 is a little more than 0.3, and the number of test rows is rounded up.
    tested, trained = math.ceil(round(1.0 - train_fraction, 12) * count), math.floor(train_fraction * count)
    if not tested or not trained:
        raise SettingsError(f"--train-fraction {train_fraction} leaves {count} rows without training or test rows.")
    drawn = RandomState(random_state).permutation(np.arange(count, dtype=np.int32))
    return drawn[tested : tested + trained], drawn[:tested]


def removed_model_columns(report: dict[str, Any], profile: Profile) -> dict[str, str]:
    """Map the model columns that the quality report removes to the reason."""
    removed = {entry["column"]: entry["reason"] for entry in report["removed_columns"] if entry["action"] == REMOVED}
    return {
        column.name: f"{column.source} is {removed[column.source]}"
        for column in profile.columns
        if column.source in removed and column.origin is not Origin.PAST
    }


def with_optional_inputs(rows: pa.Table, dataset: Dataset) -> pa.Table:
    """Add the inputs that a file may lack and does, without a value in any row."""
    types = {Kind.MEASURE: pa.float64(), Kind.COUNT: pa.int64(), Kind.FLAG: pa.int64()}
    for name in dataset.inputs:
        if name not in rows.column_names:
            kind = types.get(dataset.columns[name].kind, pa.string())
            rows = rows.append_column(name, pa.chunked_array([pa.nulls(rows.num_rows, kind)]))
    return rows


def refuse_unlearned(
    rows: pa.Table, columns: Iterable[str], dataset: Dataset, preparation: Preparation, file: str
) -> None:
    """Raise InputError for columns with empty cells to fill, where nothing was learned to fill them with."""
    problems = [
        Problem(f"{rows[name].null_count} empty cells, and no training row has a value to fill them with", column=name)
        for name in columns
        if dataset.columns[name].missing is Missing.FILL and name not in preparation.fills and rows[name].null_count
    ]
    if problems:
        raise InputError(file, problems)


def row_roles(count: int, split: tuple[Positions, Positions]) -> pa.Array:
    """Return what each row is to the model: fitted on, measured on, or new to it as all rows to score are."""
    places = np.zeros(count, dtype=np.int8)
    for place, positions in enumerate(split, start=1):
        places[positions] = place
    return pa.array([NEW, TRAINED, TESTED]).take(pa.array(places))


def words_for_page(dataset: Dataset, profile: Profile) -> dict[str, str]:
    """Return the block `words` of the quality report: how the page beside the predictions speaks of the table.

    It is made by a function, which does not have the declaration. See analysis/publishing/words.py.
    """
    words, days = dataset.words, all(dataset.past[name].in_days for name in profile.past)
    return {
        "title": dataset.title,
        "row": words.row.one,
        "rows": words.row.many,
        "target": words.target,
        "unit": words.unit.one,
        "units": words.unit.many,
        "limits": words.limits,
        "time": "" if dataset.time is None else label_names(dataset)[dataset.time],
        "gaps_in": "days" if profile.past and days else "rows",
    }


def _with_gaps(table: pa.Table, past: RowsWithPast | None) -> pa.Table:
    return table if past is None else table.append_column(HISTORY_GAP, pa.array(past.gaps))


def write_prepared(
    checked: CheckedRows,
    request: Namespace,
    dataset: Dataset,
    profile: Profile,
    *,
    variant: Variant,
    preparation: Preparation | None,
    history: History | None,
    drift: Callable[[pa.Table, pa.Table], dict[str, Any]] | None = None,
) -> None:
    """Write every output of the step; the directories all exist afterwards, whatever the purpose.

    request: purpose, train_fraction, random_state and output_dir. profile: already in that variant. preparation: what
    the model that is to score has learned; training learns its own. history: what is known of earlier rows. drift: says
    for the report how far the model's inputs, and the rows that they are made of, are from the training rows.
    """
    every, report = with_optional_inputs(checked.rows, dataset), checked.report
    rows, labels = every, row_labels(every, dataset, checked.identities)
    past = None
    if profile.past:
        past = rows_with_past(every, history, dataset, profile)
        report["past"] = report_of_past(past, every, report, dataset, profile)
        rows, labels = past.rows, labels.take(past.kept)
    nothing = np.zeros(0, dtype=np.int32)
    split = nothing, nothing
    if request.purpose is Purpose.TRAINING:
        split = split_rows(rows.num_rows, request.train_fraction, request.random_state)
        # What is learned is learned on training rows alone.
        preparation = learn(rows.take(split[0]), dataset)
    known = preparation or learn(rows, dataset)
    refuse_unlearned(rows, profile.sources, dataset, known, report["file"])
    output: Path = request.output_dir
    for name in OUTPUTS:
        made_directory(output / name)
    inputs = transform.model_columns(rows, profile.columns, dataset, known)
    if request.purpose is Purpose.TRAINING:
        labelled = inputs.append_column(dataset.target, rows[dataset.target])
        for side, positions in zip(("train", "test"), split, strict=True):
            write_parquet(labelled.take(positions), output / side / f"{side}.parquet")
            write_parquet(_with_gaps(labels, past).take(positions), output / side / LABELS_FILE)
        made_of = [name for name in (*dataset.inputs, *dataset.answers, *profile.past) if name in rows.column_names]
        write_parquet(rows.select(made_of).take(split[1]), output / "test" / SOURCES_FILE)
        if past is not None:
            write_parquet(past.with_larger_gaps(split[0]), output / "train" / GAPS_FILE)
        report["split"] = {"all": rows.num_rows, "train": len(split[0]), "test": len(split[1])}
        source = {
            "file": report["file"],
            "sha256": report["sha256"],
            "dataset": dataset.name,
            "profile": profile.name,
            "variant": asdict(variant),
            "random_state": request.random_state,
            "train_fraction": request.train_fraction,
            "rows": report["split"],
            "removed_columns": removed_model_columns(report, profile),
            "preparation": known.to_dict(),
            "missing": transform.missing_shares(rows.take(split[0]), profile.sources),
        }
        write_json(source, output / "train" / "source.json")
    if drift is not None:
        report["drift"] = drift(inputs, rows)
    report["words"] = words_for_page(dataset, profile)
    report["bins"] = transform.bin_report(checked.rows, dataset, known)
    write_table(_with_gaps(inputs, past), output / "scoring" / "features.csv", header=False)
    actual = rows[dataset.target] if dataset.target in rows.column_names else pa.nulls(rows.num_rows, pa.float64())
    known_rows = _with_gaps(labels.append_column(ACTUAL, actual), past)
    write_table(known_rows.append_column(ROW_ROLE, row_roles(rows.num_rows, split)), output / "rows" / "rows.csv")
    # What is from the store is there already.
    landed = pc.greater(every["line"], 0)
    own = every.filter(landed)
    stored = stored_rows(own, dataset, checked.identities.filter(landed), texts_of(own, dataset))
    write_parquet(stored.inputs, output / "feature_store" / INPUTS_FILE)
    if stored.outcomes.num_rows:
        write_parquet(stored.outcomes, output / "feature_store" / OUTCOMES_FILE)
    write_json(report, output / "quality" / "quality.json")
