"""What preprocess.py writes: training and test rows, rows to score, Feature Store records and the quality report."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from analysis.checking.checks import CheckedRows
from analysis.checking.identity import row_identities
from analysis.checking.purpose import Purpose
from analysis.checking.unused_columns import REMOVED
from analysis.dataset.columns import Kind, Missing
from analysis.dataset.declaration import Dataset
from analysis.features import transform
from analysis.features.labels import row_labels, texts_of
from analysis.features.preparation import Preparation, learn
from analysis.features.profiles import Profile, Variant
from analysis.features.stored import stored_rows
from analysis.runtime.container import made_directory
from analysis.runtime.errors import InputError, Problem, SettingsError
from analysis.runtime.files import write_json
from analysis.runtime.tables import write_table

OUTPUTS = ("train", "test", "scoring", "rows", "feature_store", "quality")


def split_rows(count: int, train_fraction: float, random_state: int) -> tuple[list[int], list[int]]:
    """Return positions of training and test rows by scikit-learn's seeded split, which reproduces published figures."""
    # Imported here because a scoring run never splits, and it takes longer to import than all the rest.
    import numpy as np
    from sklearn.model_selection import train_test_split

    if not 0.0 < train_fraction < 1.0:
        raise SettingsError(f"--train-fraction {train_fraction} is not between 0 and 1.")
    # 1 - 0.7 is a little more than 0.3, and scikit-learn rounds the number of test rows up.
    test_fraction = round(1.0 - train_fraction, 12)
    train, test = train_test_split(
        np.arange(count), train_size=train_fraction, test_size=test_fraction, random_state=random_state
    )
    return train.tolist(), test.tolist()


def removed_model_columns(report: dict[str, Any], profile: Profile) -> dict[str, str]:
    """Map the model columns that the quality report removes to the reason."""
    removed = {entry["column"]: entry["reason"] for entry in report["removed_columns"] if entry["action"] == REMOVED}
    return {
        column.name: f"{column.source} is {removed[column.source]}"
        for column in profile.columns
        if column.source in removed
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


def write_prepared(
    checked: CheckedRows,
    request: Namespace,
    dataset: Dataset,
    profile: Profile,
    *,
    variant: Variant,
    preparation: Preparation | None,
) -> None:
    """Write every output of the step; the directories all exist afterwards, whatever the purpose.

    request: purpose, train_fraction, random_state and output_dir. profile: already in that variant. preparation: what
    the model that is to score has learned; training learns its own.
    """
    rows, report = with_optional_inputs(checked.rows, dataset), checked.report
    labels = row_labels(rows, dataset, identities := row_identities(checked.rows, dataset))
    split: tuple[list[int], list[int]] = ([], [])
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
            write_table(labelled.take(positions), output / side / f"{side}.csv")
            write_table(labels.take(positions), output / side / "labels.csv")
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
        }
        write_json(source, output / "train" / "source.json")
    report["bins"] = transform.bin_report(checked.rows, dataset, known)
    write_table(inputs, output / "scoring" / "features.csv", header=False)
    actual = rows[dataset.target] if dataset.target in rows.column_names else pa.nulls(rows.num_rows, pa.float64())
    write_table(labels.append_column("actual", actual), output / "rows" / "rows.csv")
    stored = stored_rows(rows, dataset, known, identities, texts_of(rows, dataset))
    write_table(stored, output / "feature_store" / "features.csv")
    write_json(report, output / "quality" / "quality.json")
