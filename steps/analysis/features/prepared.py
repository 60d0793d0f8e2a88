"""The files that preprocess.py leaves for the later steps, and the split into training and test rows."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.features import transform
from analysis.features.profiles import Profile, Variant
from analysis.reading.columns import BINS, TARGET, Purpose
from analysis.reading.quality import CheckedDays
from analysis.reading.redundancy import REMOVED
from analysis.runtime.container import made_directory
from analysis.runtime.errors import SettingsError
from analysis.runtime.files import write_frame, write_json

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
    sources = {name: transform.source_column(name) for name in profile.columns}
    return {name: f"{source} is {removed[source]}" for name, source in sources.items() if source in removed}


def write_prepared(checked: CheckedDays, request: Namespace, profile: Profile, variant: Variant) -> None:
    """Write every output of the step; the directories all exist afterwards, whatever the purpose.

    request: purpose, train_fraction, random_state, binning and output_dir. profile: already in that variant.
    """
    output: Path = request.output_dir
    for name in OUTPUTS:
        made_directory(output / name)
    days, report = checked.days, checked.report
    inputs = transform.model_columns(days, profile)
    dates = pd.DataFrame({"date": transform.iso_dates(days)})
    binning, bins = transform.Binning.FIXED, BINS
    if request.purpose is Purpose.TRAINING:
        train, test = split_rows(len(days), request.train_fraction, request.random_state)
        labelled = inputs.assign(**{TARGET: days[TARGET]})
        for side, rows in (("train", train), ("test", test)):
            write_frame(labelled.iloc[rows], output / side / f"{side}.csv")
            write_frame(dates.iloc[rows], output / side / "days.csv")
        report["split"] = {"all": len(days), "train": len(train), "test": len(test)}
        source = {
            "file": report["file"],
            "sha256": report["sha256"],
            "profile": profile.name,
            "variant": asdict(variant),
            "random_state": request.random_state,
            "train_fraction": request.train_fraction,
            "rows": report["split"],
            "removed_columns": removed_model_columns(report, profile),
        }
        write_json(source, output / "train" / "source.json")
        # Edges that are learned are learned on training rows alone; the table then describes all rows.
        binning = transform.Binning(request.binning)
        bins = transform.bins_for(binning, days.iloc[train])
    report["bins"] = transform.bin_report(days, bins, binning)
    write_frame(inputs, output / "scoring" / "features.csv", header=False)
    write_frame(dates.assign(actual=transform.target_or_missing(days)), output / "rows" / "rows.csv")
    write_frame(transform.stored_features(days), output / "feature_store" / "features.csv")
    write_json(report, output / "quality" / "quality.json")
