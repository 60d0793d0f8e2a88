"""The evaluations of a card: the figures of each way of measuring, the challenge of the champion, and the plots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from analysis.card.metrics import Metric, group, number, text
from analysis.card.plots import coefficient_plots, coverage_plot, plots_of_rows
from analysis.card.texts import LABEL, LINE, fitting, rounded, without_nothing
from analysis.dataset.declaration import Words
from analysis.evaluation.rows import LabelledRows
from analysis.model.archive import Archive

_OBSERVATION = 2096
FIGURES = {"random": "random split", "chronological": "days to come", "rolling": "rolling origin"}
_NAMES = {
    "random": "Random split: the registered model",
    "chronological": "{Rows} to come: chronological hold-out",
    "rolling": "{Rows} to come: rolling origin",
}
_OBSERVATIONS = {
    "random": "The registered coefficients, trained on {most} {rows} drawn at random, measured on {count} others.",
    "chronological": "The same procedure refitted on the {most} earliest {rows}, measured on the {count} latest, "
    "{first} to {last}.",
    "rolling": "The same procedure refitted {refits} times, each time on all {rows} before the fold that it was "
    "measured on: {count} {rows}, {first} to {last}.",
}
_SHORT = {"r2": "R-squared", "rmse": "RMSE", "mae": "MAE", "mape": "MAPE"}


def evaluation_details(
    archive: Archive, test: LabelledRows | None, evaluation: Mapping[str, Any], words: Words, datasets: list[str]
) -> list[dict[str, Any]]:
    """Return the card's evaluations, what to expect of days to come first; what was not measured is left out."""
    validation = evaluation.get("validation", {})
    headline = validation.get("headline", "random")
    figures = sorted((name for name in FIGURES if name in validation), key=lambda name: name != headline)
    measured = [name for name in figures if validation[name].get("r2") is not None]
    found = [_measured(name, validation[name], words, datasets) for name in measured]
    model = archive.model
    plots = [
        *([] if test is None else plots_of_rows(test, model.fitted(test.inputs), words)),
        coverage_plot(validation, {name: FIGURES[name] for name in measured}),
        *coefficient_plots(archive.summary.get("coefficients", []), bool(model.bounds)),
    ]
    found.append(_entry("Plots", f"Of the registered model, on the test {words.row.many}.", group("Plots", *plots)))
    found += _challenge(evaluation.get("previous_model") or {}, words)
    found.append(_checks(evaluation))
    return [one for one in found if one.get("metric_groups")]


def _measured(name: str, figure: Mapping[str, Any], words: Words, datasets: list[str]) -> dict[str, Any]:
    trained = figure.get("trained_on") or {}
    values = {
        "rows": words.row.many,
        "most": trained.get("most", "?"),
        "count": figure.get("rows", "?"),
        **{part: figure.get(part, "?") for part in ("first", "last", "refits")},
    }
    title = _NAMES[name].format(Rows=words.row.many[:1].upper() + words.row.many[1:])
    many = words.unit.many
    intervals = figure.get("intervals") or {}
    width = "Mean width of the {} interval ({})"
    metrics = group(
        "Regression",
        number("Rows", figure.get("rows")),
        number("R-squared", figure.get("r2"), "Share of the variance that predictions explain; 1 is perfect."),
        number(f"Root mean squared error ({many})", figure.get("rmse")),
        number(f"Mean absolute error ({many})", figure.get("mae")),
        number("Mean absolute percentage error", figure.get("mape"), "Of the rows whose actual value is not 0."),
        number(f"Mean error ({many})", figure.get("mean_error"), "Actual - predicted: above 0, predictions are low."),
        *(number(f"Share inside the {kind} interval", of.get("coverage")) for kind, of in intervals.items()),
        *(number(width.format(kind, many), of.get("mean_width")) for kind, of in intervals.items()),
        number("Extrapolated rows", figure.get("extrapolated"), "Rows outside the training ranges."),
    )
    return _entry(_short_title(title, name), _OBSERVATIONS[name].format(**values), metrics, datasets)


def _short_title(title: str, name: str) -> str:
    """Return a title as it is, or without the declared word that makes it too long."""
    return title if len(title.encode("utf-16-le")) // 2 <= LABEL else _NAMES[name].format(Rows="Rows")


def _challenge(block: Mapping[str, Any], words: Words) -> Iterator[dict[str, Any]]:
    """Yield the comparison with the version in use, where there was one to compare with."""
    earlier, difference = block.get("test"), block.get("difference")
    if not isinstance(earlier, Mapping) or not isinstance(difference, Mapping):
        return
    seen = block.get("same_split") is False
    measured = [name for name in _SHORT if name in difference]
    observation = (
        f"Version {block.get('version', '?')} (profile {block.get('profile', '?')}), in use when this one was made, "
        f"measured on the same test {words.row.many}. Differences are this version's figure minus that one's."
        + (" It was trained on other rows, perhaps on some of these, which would flatter it." if seen else "")
    )
    yield _entry(
        "Champion and challenger",
        observation,
        group(
            "Difference to the version in use",
            text("Verdict", str(block.get("verdict") or "")),
            *(number(f"{_SHORT[name]}: version in use", earlier.get(name)) for name in measured),
            *(number(f"{_SHORT[name]}: difference", difference[name], _interval(block, name)) for name in measured),
        ),
    )


def _interval(block: Mapping[str, Any], name: str) -> str:
    """Say where the difference of a figure lies by the paired bootstrap, where the evaluation knows."""
    bounds = [rounded(end) for end in (block.get("difference_intervals") or {}).get(name) or ()]
    if None in bounds or len(bounds) != 2:  # noqa: PLR2004
        return ""
    return f"95 % interval of a paired bootstrap: {bounds[0]:.4g} to {bounds[1]:.4g}."


def _checks(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    leakage, diagnostics = evaluation.get("leakage") or {}, evaluation.get("diagnostics") or {}
    train = diagnostics.get("train") or {}
    tests: list[list[Metric]] = [
        number(f"{found['test']}: p-value", found.get("p"), note)
        for found, note in (
            (train.get("normality") or {}, "Small where errors are not normally distributed."),
            (train.get("equal_variance") or {}, "Small where the size of the errors depends on the inputs."),
            (diagnostics.get("in_order_of_time") or {}, "Small where an error says something about the next one."),
        )
        if "test" in found
    ]
    columns = ", ".join(leakage.get("columns") or [])
    return _entry(
        "Checks of the fit",
        "Whether an input gives the answer away, and tests of the errors on the training rows."
        + (f" Columns that do: {columns}." if columns else ""),
        group(
            "Checks",
            text("Leakage verdict", str(leakage.get("verdict") or "")),
            number("Adjusted R-squared of the target on its inputs", leakage.get("adjusted_r2")),
            *tests,
        ),
    )


def _entry(
    name: str, observation: str, groups: list[dict[str, Any]], datasets: list[str] | None = None
) -> dict[str, Any]:
    found = {
        "name": fitting(name, LABEL),
        "evaluation_observation": fitting(observation, _OBSERVATION),
        "datasets": [fitting(one, LINE) for one in datasets or ()],
        "metric_groups": groups,
    }
    return without_nothing(found)
