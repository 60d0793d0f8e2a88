"""The files that preprocess.py leaves for the later steps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.features.binning import Binning, bin_report, bins_for
from analysis.features.profiles import Profile, Variant
from analysis.features.splitting import split_rows
from analysis.features.transform import model_columns, source_column, stored_features
from analysis.reading.columns import DATE, TARGET, Purpose
from analysis.reading.quality import CheckedDays
from analysis.reading.redundancy import REMOVED
from analysis.runtime.container import made_directory
from analysis.runtime.frames import write_frame, write_json

OUTPUTS = ("train", "test", "scoring", "rows", "feature_store", "quality")


@dataclass(frozen=True)
class Preparation:
    """What is made of the checked days. profile: already the variant that is asked for."""

    purpose: Purpose
    profile: Profile
    variant: Variant
    train_fraction: float
    random_state: int
    binning: Binning


def removed_model_columns(report: dict[str, Any], profile: Profile) -> dict[str, str]:
    """Model columns that the quality report takes out, with the reason."""
    removed = {entry["column"]: entry["reason"] for entry in report["removed_columns"] if entry["action"] == REMOVED}
    sources = {name: source_column(name) for name in profile.columns}
    return {name: f"{source} is {removed[source]}" for name, source in sources.items() if source in removed}


def write_prepared(checked: CheckedDays, wanted: Preparation, output: Path) -> None:
    """Write every output of the step; the directories all exist afterwards, whatever the purpose."""
    for name in OUTPUTS:
        made_directory(output / name)
    days = checked.days
    inputs = model_columns(days, wanted.profile)
    if wanted.purpose is Purpose.TRAINING:
        _write_split(checked, inputs, wanted, output)
    else:
        checked.report["bins"] = bin_report(days, bins_for(Binning.FIXED, days), Binning.FIXED)
    write_frame(inputs, output / "scoring" / "features.csv", header=False)
    actual = days[TARGET] if TARGET in days.columns else pd.Series(pd.NA, index=days.index, dtype="Int64")
    rows = pd.DataFrame({"date": days[DATE].dt.strftime("%Y-%m-%d"), "actual": actual})
    write_frame(rows, output / "rows" / "rows.csv")
    write_frame(stored_features(days), output / "feature_store" / "features.csv")
    write_json(checked.report, output / "quality" / "quality.json")


def _write_split(checked: CheckedDays, inputs: pd.DataFrame, wanted: Preparation, output: Path) -> None:
    """Both sides, each with the dates of its rows, and what train.py has to know of the rows."""
    days = checked.days
    sides = dict(zip(("train", "test"), split_rows(len(days), wanted.train_fraction, wanted.random_state), strict=True))
    labelled = inputs.assign(**{TARGET: days[TARGET]})
    dates = pd.DataFrame({"date": days[DATE].dt.strftime("%Y-%m-%d")})
    for side, rows in sides.items():
        write_frame(labelled.iloc[rows], output / side / f"{side}.csv")
        write_frame(dates.iloc[rows], output / side / "days.csv")
    counts = {"all": len(days), **{side: len(rows) for side, rows in sides.items()}}
    source = {
        "file": checked.report["file"],
        "sha256": checked.report["sha256"],
        "profile": wanted.profile.name,
        "variant": asdict(wanted.variant),
        "random_state": wanted.random_state,
        "train_fraction": wanted.train_fraction,
        "rows": counts,
        "removed_columns": removed_model_columns(checked.report, wanted.profile),
    }
    write_json(source, output / "train" / "source.json")
    checked.report["split"] = counts
    # Edges that are learned are learned on training rows alone; the table then describes all rows.
    bins = bins_for(wanted.binning, days.iloc[sides["train"]])
    checked.report["bins"] = bin_report(days, bins, wanted.binning)
