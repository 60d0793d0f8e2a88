"""The linear model as data: model.json, predictions with intervals computed from nothing else, and model.tar.gz.

Needs numpy only: it travels in the model archive beside inference.py.
"""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.runtime.errors import ModelError

FORMAT = "bikeshare-linear-model/1"
MODEL_JSON, SUMMARY_JSON, SUMMARY_TEXT = "model.json", "summary.json", "summary.txt"
LARGEST_ARCHIVE = 64 * 1024 * 1024
_LARGEST_MEMBER = 16 * 1024 * 1024

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bounds:
    """The bounds that min-max scaling learned of one column on the training rows."""

    minimum: float
    maximum: float

    @property
    def width(self) -> float:
        """The range that is scaled to 1; 1 for a column that never changed, as in scikit-learn's MinMaxScaler."""
        return (self.maximum - self.minimum) or 1.0


@dataclass(frozen=True)
class Predictions:
    """Predicted values with the bounds of their prediction intervals; each of shape (rows,), in the target's unit."""

    prediction: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True)
class LinearModel:
    """A fitted linear regression.

    input_columns: the values of a row, in order, unscaled.
    selected: the columns that have a coefficient, a subset of input_columns in that order.
    coefficients: of the scaled selected columns, aligned with `selected`.
    covariance: of (intercept, *coefficients), in that order, shape (1 + selected, 1 + selected).
    residual_variance: sum of squared residuals / residual_degrees_of_freedom of the training rows.
    t_quantile: Student-t quantile at (1 + interval_level) / 2 with residual_degrees_of_freedom.
    """

    profile: str
    target: str
    input_columns: tuple[str, ...]
    selected: tuple[str, ...]
    intercept: float
    coefficients: tuple[float, ...]
    bounds: dict[str, Bounds]
    residual_variance: float
    residual_degrees_of_freedom: int
    covariance: tuple[tuple[float, ...], ...]
    interval_level: float
    t_quantile: float
    training: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def scaled(self, rows: Floats) -> list[Floats]:
        """Scale the selected columns of `rows` (shape (n, len(input_columns))): one array of shape (n,) each."""
        if rows.ndim != 2 or rows.shape[1] != len(self.input_columns):  # noqa: PLR2004
            raise ModelError(
                f"The model takes {len(self.input_columns)} values a row ({', '.join(self.input_columns)}); "
                f"the data has shape {rows.shape}."
            )
        columns = []
        for name in self.selected:
            values, bounds = rows[:, self.input_columns.index(name)], self.bounds.get(name)
            columns.append(values if bounds is None else (values - bounds.minimum) / bounds.width)
        return columns

    def predict(self, rows: Floats) -> Predictions:
        """Predict for `rows` of shape (n, len(input_columns)), unscaled.

        Columns are added one after the other rather than by a matrix product, so that a row's prediction is the same
        to the last bit whatever other rows come in the same request.
        """
        columns = self.scaled(rows)
        prediction = np.full(rows.shape[0], self.intercept)
        for coefficient, values in zip(self.coefficients, columns, strict=True):
            prediction = prediction + coefficient * values
        half_width = self.t_quantile * np.sqrt(self.residual_variance + self._mean_variance(columns, rows.shape[0]))
        return Predictions(prediction, prediction - half_width, prediction + half_width)

    def _mean_variance(self, columns: list[Floats], count: int) -> Floats:
        """Compute the variance of each row's estimated mean: x' C x with x = (1, scaled columns)."""
        terms = [np.ones(count), *columns]
        total = np.zeros(count)
        for i, left in enumerate(terms):
            row = np.zeros(count)
            for j, right in enumerate(terms):
                row = row + self.covariance[i][j] * right
            total = total + left * row
        # Rounding can leave a tiny negative number where the true variance is 0 (an exact fit).
        return np.maximum(total, 0.0)

    def to_json(self) -> str:
        """Write the text of model.json; floats are written so that reading gives the same bits."""
        document = {
            "format": FORMAT,
            "profile": self.profile,
            "target": self.target,
            "input_columns": list(self.input_columns),
            "selected_features": list(self.selected),
            "intercept": self.intercept,
            "coefficients": dict(zip(self.selected, self.coefficients, strict=True)),
            "scaler": {name: asdict(bounds) for name, bounds in self.bounds.items()},
            "residual_variance": self.residual_variance,
            "residual_degrees_of_freedom": self.residual_degrees_of_freedom,
            "covariance": {"order": ["intercept", *self.selected], "values": [list(row) for row in self.covariance]},
            "interval": {"level": self.interval_level, "t_quantile": self.t_quantile},
            "training": self.training,
            "provenance": self.provenance,
        }
        return json.dumps(document, indent=2, allow_nan=False) + "\n"


def model_from_json(text: str, *, source: str = MODEL_JSON) -> LinearModel:
    """Read what `to_json` wrote; raise ModelError naming `source` for anything else."""
    try:
        document = json.loads(text)
        if document.get("format") != FORMAT:
            raise ModelError(f"{source}: its format is {document.get('format')!r}, this code reads {FORMAT!r}.")
        selected = tuple(document["selected_features"])
        model = LinearModel(
            profile=str(document["profile"]),
            target=str(document["target"]),
            input_columns=tuple(document["input_columns"]),
            selected=selected,
            intercept=float(document["intercept"]),
            coefficients=tuple(float(document["coefficients"][name]) for name in selected),
            bounds={name: Bounds(float(b["minimum"]), float(b["maximum"])) for name, b in document["scaler"].items()},
            residual_variance=float(document["residual_variance"]),
            residual_degrees_of_freedom=int(document["residual_degrees_of_freedom"]),
            covariance=tuple(tuple(float(value) for value in row) for row in document["covariance"]["values"]),
            interval_level=float(document["interval"]["level"]),
            t_quantile=float(document["interval"]["t_quantile"]),
            training=dict(document["training"]),
            provenance=dict(document["provenance"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{source}: not a model file of this project ({type(error).__name__}: {error}).") from error
    _check(model, source)
    return model


def read_model(directory: Path) -> LinearModel:
    """Read model.json of an unpacked model archive."""
    path = directory / MODEL_JSON
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: the model can't be read ({error}).") from error
    return model_from_json(text, source=str(path))


def _check(model: LinearModel, source: str) -> None:
    size = len(model.selected) + 1
    if not set(model.selected) <= set(model.input_columns):
        raise ModelError(f"{source}: a selected feature is not an input column.")
    if len(model.covariance) != size or any(len(row) != size for row in model.covariance):
        raise ModelError(f"{source}: the covariance is not {size} by {size}.")
    bounds = [value for bound in model.bounds.values() for value in (bound.minimum, bound.maximum)]
    numbers = [model.intercept, *model.coefficients, model.residual_variance, model.t_quantile, *bounds]
    if not np.isfinite([*numbers, *chain.from_iterable(model.covariance)]).all():
        raise ModelError(f"{source}: it contains a number that is not finite.")


@dataclass(frozen=True)
class Archive:
    """A model, and the summary of its fit where the archive has one (older ones have none)."""

    model: LinearModel
    summary: dict[str, Any]
    summary_text: str


def read_archive(archive: Path) -> Archive:
    """Read a model.tar.gz; see archive_from."""
    try:
        data = archive.read_bytes()
    except OSError as error:
        raise ModelError(f"{archive}: the model archive can't be used ({error}).") from error
    return archive_from(data, str(archive))


def archive_from(data: bytes, source: str) -> Archive:
    """Read model.json, summary.json and summary.txt out of the bytes of model.tar.gz; messages name `source`.

    Nothing is unpacked. Refuses an archive with a member that tarfile's data filter refuses (absolute or outside paths,
    devices, links that lead out), and a member that is not an ordinary file, unreasonably large or malformed.
    """
    texts: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as tar:
            for member in tar:
                tarfile.data_filter(member, "/nowhere")
                name = member.name.removeprefix("./")
                if name in {MODEL_JSON, SUMMARY_JSON, SUMMARY_TEXT} - texts.keys():
                    texts[name] = _text_of(tar, member, source)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ModelError(f"{source}: the model archive can't be used ({error}).") from error
    if MODEL_JSON not in texts:
        raise ModelError(f"{source}: there is no {MODEL_JSON} in the archive.")
    model = model_from_json(texts[MODEL_JSON], source=f"{Path(source).name}/{MODEL_JSON}")
    try:
        summary = json.loads(texts.get(SUMMARY_JSON, "{}"))
    except ValueError as error:
        raise ModelError(f"{source}: {SUMMARY_JSON} is not JSON ({error}).") from error
    if not isinstance(summary, dict):
        raise ModelError(f"{source}: {SUMMARY_JSON} is not a JSON object.")
    return Archive(model, summary, texts.get(SUMMARY_TEXT, ""))


def _text_of(tar: tarfile.TarFile, member: tarfile.TarInfo, source: str) -> str:
    content = tar.extractfile(member) if member.isfile() and member.size <= _LARGEST_MEMBER else None
    if content is None:
        raise ModelError(f"{source}: {member.name} is not an ordinary file of at most {_LARGEST_MEMBER} bytes.")
    try:
        return content.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{source}: {member.name} is not UTF-8.") from error
