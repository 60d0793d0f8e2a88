"""Figures that notebooks show."""

import io

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.exploration.experiments import Experiment

_WIDTH, _DOTS = 10.0, 100
_MOST_ROWS = 150
"""Rows that can be told from each other in a figure of this width."""
_COLUMNS = 2
_COLOURS = {"value": "#1f5fa8", "other": "#c8501e", "band": "#9dbfe3"}


class Picture(Figure):
    """A figure that a cell shows as an image whose text says what it is; pyplot, which keeps figures, is not needed."""

    def __init__(self, text: str, rows: int, columns: int, height: float) -> None:
        super().__init__(figsize=(_WIDTH, rows * height), layout="constrained")
        self.alternative = text
        self.places = self.subplots(rows, columns, squeeze=False).flat

    def _repr_png_(self) -> tuple[bytes, dict[str, str]]:
        image = io.BytesIO()
        self.savefig(image, format="png", dpi=_DOTS)
        return image.getvalue(), {"alt": self.alternative}


def bins(experiment: Experiment) -> Picture:
    """Draw the rows of each bin as bars, and the mean of the target in it as a line."""
    report = experiment.quality["bins"]
    figure = Picture("Rows and mean target of each bin", max(1, -(-len(report) // _COLUMNS)), _COLUMNS, 2.6)
    for place, entry in zip(figure.places, report, strict=False):
        labels = [interval["label"] for interval in entry["intervals"]]
        place.bar(labels, [interval["rows"] for interval in entry["intervals"]], color=_COLOURS["band"])
        place.set(title=entry["column"], ylabel="rows")
        place.tick_params(axis="x", rotation=35, labelsize=8)
        means = place.twinx()
        values = [interval["mean_target"] for interval in entry["intervals"]]
        means.plot(labels, values, "o-", color=_COLOURS["other"])
        means.set_ylabel(f"mean {experiment.archive.model.target}")
    for place in figure.places[len(report) :]:
        place.set_axis_off()
    return figure


def residuals(experiment: Experiment) -> Picture:
    """Draw what tells whether a line is enough: actual and residual by prediction, quantiles, the distribution."""
    from scipy import stats

    model, target = experiment.archive.model, experiment.archive.model.target
    figure = Picture("Actual values, residuals, their quantiles and their distribution", 2, 2, 3.2)
    by_value, by_fit, by_quantile, distribution = figure.places
    for side, colour in (("train", _COLOURS["band"]), ("test", _COLOURS["value"])):
        rows = experiment.rows(side)
        predicted = model.fitted(rows[list(model.input_columns)].to_numpy(dtype=np.float64))
        error = rows[target].to_numpy() - predicted
        by_value.scatter(predicted, rows[target], s=8, color=colour, label=side)
        by_fit.scatter(predicted, error, s=8, color=colour, label=side)
        distribution.hist(error, bins=30, color=colour, label=side, alpha=0.8)
    ends = [rows[target].min(), rows[target].max()]
    by_value.plot(ends, ends, color="black", linewidth=1)
    by_fit.axhline(0, color="black", linewidth=1)
    stats.probplot(error, plot=by_quantile)
    by_value.set(title="Actual by prediction", xlabel=f"predicted {target}", ylabel=f"actual {target}")
    by_fit.set(title="Residual by prediction", xlabel=f"predicted {target}", ylabel="residual")
    by_quantile.set(title="Normal quantiles of the test rows")
    distribution.set(title="Residuals", xlabel="residual", ylabel="rows")
    for place in (by_value, by_fit, distribution):
        place.legend()
    return figure


def predictions(table: pd.DataFrame, time: str | None) -> Picture:
    """Draw predictions with their intervals, and actual values where there are any.

    table: columns prediction, lower_<level>, upper_<level>, actual. time: its column that says when; None for a table
    without one, whose rows are drawn by prediction. Of very many rows the last ones are drawn.
    """
    lower, upper = (next(name for name in map(str, table) if name.startswith(end)) for end in ("lower_", "upper_"))
    shown = table.sort_values(time or "prediction").tail(_MOST_ROWS) if time else _evenly(table)
    places = pd.to_datetime(shown[time]) if time else np.arange(len(shown))
    figure = Picture("Predictions with their intervals, and actual values", 1, 1, 4.2)
    place = figure.places[0]
    label = f"{lower.partition('_')[2]} % interval"
    place.fill_between(places, shown[lower], shown[upper], color=_COLOURS["band"], alpha=0.6, label=label)
    place.plot(places, shown["prediction"], color=_COLOURS["value"], label="prediction")
    place.scatter(places, pd.to_numeric(shown["actual"]), s=10, color=_COLOURS["other"], label="actual", zorder=3)
    where = "" if len(shown) == len(table) else f", {len(shown)} of {len(table)} rows"
    place.set(title=f"Predictions with their intervals{where}", xlabel=time or "rows, by prediction")
    place.tick_params(axis="x", rotation=20)
    place.legend(loc="best")
    return figure


def _evenly(table: pd.DataFrame) -> pd.DataFrame:
    rows = table.sort_values("prediction")
    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, _MOST_ROWS).round().astype(int))]


def errors(table: pd.DataFrame, time: str | None) -> Picture:
    """Draw the errors (actual - prediction) of the rows whose actual value is known: by row, and how often each."""
    known = table[table["error"].notna()]
    known = known.sort_values(time) if time else known
    places = pd.to_datetime(known[time]) if time else np.arange(1, len(known) + 1)
    figure = Picture("Errors by row, and how often each occurs", 1, 2, 3.6)
    by_row, distribution = figure.places
    inside = known["within"].astype(float) == 1
    for mask, colour, label in ((inside, "value", "inside"), (~inside, "other", "outside")):
        by_row.scatter(places[mask.to_numpy()], known.loc[mask, "error"], s=8, color=_COLOURS[colour], label=label)
    by_row.axhline(0, color="black", linewidth=1)
    by_row.set(title="Error of each row", xlabel=time or "row of the file", ylabel="actual - prediction")
    by_row.tick_params(axis="x", rotation=20)
    by_row.legend(title="its interval", loc="best")
    distribution.hist(known["error"], bins=30, color=_COLOURS["value"])
    distribution.axvline(0, color="black", linewidth=1)
    distribution.set(title="How often", xlabel="actual - prediction", ylabel="rows")
    return figure
