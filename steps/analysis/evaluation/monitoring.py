"""Drift baselines in the files of SageMaker Model Monitor, and a sample of what an endpoint is sent.

Data quality is of the training rows as the model gets them, column by column in the order of a request; a dummy
variable is a number there. Model quality is of the test rows. The forms are those of AWS's pages "Schema for
Statistics" and "Schema for Constraints" and of its container for model quality.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.evaluation.rows import LabelledRows
from analysis.model.artefact import Floats, LinearModel

MODEL_STATISTICS, MODEL_CONSTRAINTS = "model-statistics.json", "model-constraints.json"
DATA_STATISTICS, DATA_CONSTRAINTS = "data-statistics.json", "data-constraints.json"
SAMPLE, _SAMPLE_FILE = "sample-payload.tar.gz", "sample.csv"
_BUCKETS = 10
"""As many as Model Monitor has."""
_SKETCHED = 200
_SAMPLE_ROWS = 10
_ALLOWED_SHARE, _ALLOWED_DISTANCE = 1.0, 0.1
"""Model Monitor's own defaults."""


def monitoring_files(model: LinearModel, train: LabelledRows, evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return file name → content of the four baselines.

    Constraints of model quality: an error above that of the test rows, or an R-squared below, is a violation.
    """
    columns = dict(zip(model.input_columns, train.inputs.T, strict=True))
    metrics, rows = evaluation["regression_metrics"], evaluation["test"]["rows"]
    return {
        MODEL_STATISTICS: {"version": 0.0, "dataset": {"item_count": rows}, "regression_metrics": metrics},
        MODEL_CONSTRAINTS: {
            "version": 0.0,
            "regression_constraints": {
                name: {
                    "threshold": found["value"],
                    "comparison_operator": "LessThanThreshold" if name == "r2" else "GreaterThanThreshold",
                }
                for name, found in metrics.items()
                if found["value"] is not None
            },
        },
        DATA_STATISTICS: {
            "version": 0.0,
            "dataset": {"item_count": len(train.inputs)},
            "features": [_statistics(name, values) for name, values in columns.items()],
        },
        DATA_CONSTRAINTS: {
            "version": 0.0,
            "features": [_constraints(name, values) for name, values in columns.items()],
            "monitoring_config": {
                "evaluate_constraints": "Enabled",
                "emit_metrics": "Enabled",
                "datatype_check_threshold": _ALLOWED_SHARE,
                "domain_content_threshold": _ALLOWED_SHARE,
                "distribution_constraints": {
                    "perform_comparison": "Enabled",
                    "comparison_threshold": _ALLOWED_DISTANCE,
                    "comparison_method": "Robust",
                },
            },
        },
    }


def sample_payload(model: LinearModel, test: LabelledRows) -> bytes:
    """Return a .tar.gz with one CSV of test rows as a request has them: no header, in the order of the columns.

    Rows of a model with features of the past end with a history gap of 0: all is known.
    """
    gap = [0.0] if model.has_past else []
    lines = [",".join(map(repr, [*row, *gap])) for row in test.inputs[:_SAMPLE_ROWS].tolist()]
    content = "".join(f"{line}\n" for line in lines).encode("utf-8")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo(_SAMPLE_FILE)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _kind(values: Floats) -> str:
    return "Integral" if bool((values == np.floor(values)).all()) else "Fractional"


def _statistics(name: str, values: Floats) -> dict[str, Any]:
    counts, edges = np.histogram(values, bins=_BUCKETS)
    buckets = [
        {"lower_bound": float(low), "upper_bound": float(high), "count": float(count)}
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    return {
        "name": name,
        "inferred_type": _kind(values),
        "numerical_statistics": {
            "common": {"num_present": int(values.size), "num_missing": 0},
            "mean": float(values.mean()),
            "sum": float(values.sum()),
            "std_dev": float(values.std()),
            "min": float(values.min()),
            "max": float(values.max()),
            "distribution": {
                "kll": {
                    "buckets": buckets,
                    "sketch": {"parameters": {"c": 0.64, "k": 2048.0}, "data": [_level(values)]},
                }
            },
        },
    }


def _level(values: Floats) -> list[float]:
    """Return the only level of a sketch: the values, or of many so many quantiles."""
    found = values if values.size <= _SKETCHED else np.quantile(values, np.linspace(0.0, 1.0, _SKETCHED))
    return [float(value) for value in found]


def _constraints(name: str, values: Floats) -> dict[str, Any]:
    return {
        "name": name,
        "inferred_type": _kind(values),
        "completeness": 1.0,
        "num_constraints": {"is_non_negative": bool((values >= 0.0).all())},
    }
