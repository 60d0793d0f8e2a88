"""The numbers of a run in plain words: which sentence of files/findings.toml each number calls for."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from analysis.dataset.declaration import Words
from analysis.evaluation.diagnostics import SIGNIFICANCE

_SENTENCES = tomllib.loads((Path(__file__).parent / "files" / "findings.toml").read_text(encoding="utf-8"))
HIGH_VIF, SEVERE_VIF = 5.0, 10.0
_COVERAGE_SLACK = 0.03
_OVERFIT_GAP = 0.05
_GOOD_R2 = 0.7
_SKEWED, _HEAVY_TAILED = 0.5, 4.0
_ILL_CONDITIONED = 1000.0
_ROWS = {
    "random": "the {rows:,} test {row_many}, which the model had not seen,",
    "chronological": "the last {rows:,} {row_many}, predicted by the same procedure from those before them,",
    "rolling": "the last {rows:,} {row_many}, predicted in {refits} refits from those before them,",
}
_CAUTION = " It was trained on other rows, perhaps on some of these test {row_many}, which would flatter it."
_SPEAKING = frozenset({"which", "shape", "caution"})
"""Values that are texts with words of the data set to fill in."""
_IN_UNITS = frozenset({"mae", "rmse", "mean_width", "prediction"})
"""Values that sentences have in the target's unit."""


class Tone(StrEnum):
    """The weight of a finding."""

    GOOD = "good"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One thing that a reader should know. title: a few words; text: one to three sentences."""

    tone: Tone
    title: str
    text: str


@dataclass(frozen=True)
class _Found:
    """A finding whose sentences have that name, and what is to be filled in."""

    tone: Tone
    name: str
    values: dict[str, Any]

    def written(self, words: Mapping[str, str]) -> Finding:
        """Fill in the values, and how the data set calls things; values in its unit get as many digits as they need."""
        values = {key: number(value) if key in _IN_UNITS else value for key, value in self.values.items()}
        # A value may itself speak of rows.
        values = {key: value.format(**words) if key in _SPEAKING else value for key, value in values.items()}
        return Finding(
            self.tone, *(_SENTENCES[self.name][part].format(**words, **values) for part in ("title", "text"))
        )


def _finding(tone: Tone, name: str, /, **values: Any) -> _Found:
    return _Found(tone, name, values)


_good, _note, _problem = (partial(_finding, tone) for tone in (Tone.GOOD, Tone.NOTE, Tone.PROBLEM))


def findings(evaluation: dict[str, Any], summary: dict[str, Any], words: Words) -> list[Finding]:
    """List problems first, then notes, then what is well.

    summary: of the fit; may be empty (an older archive). words: how the data set calls its rows and its unit.
    """
    exact = bool(evaluation["diagnostics"]["exact_fit"])
    validation = evaluation["validation"]
    found = [_leakage(evaluation["leakage"], exact=exact), _fit(validation, exact=exact)]
    if not exact:
        found += [*_intervals(validation), _generalises(evaluation)]
        found += _residuals(evaluation["diagnostics"])
    found += [
        *_past(evaluation.get("past")),
        _baseline(evaluation),
        *_collinearity(summary),
        *_previous(evaluation["previous_model"]),
    ]
    found += _drift(evaluation.get("drift") or {})
    order = [Tone.PROBLEM, Tone.NOTE, Tone.GOOD]
    known = {"row_many": words.row.many, "unit_many": words.unit.many}
    return [one.written(known) for one in sorted(found, key=lambda one: order.index(one.tone))]


def _leakage(leakage: dict[str, Any], *, exact: bool) -> _Found:
    if leakage["verdict"] == "pass":
        return _good("no_leakage", **leakage)
    name = "known_leakage" if leakage["verdict"] == "known" else "leakage"
    return _problem(name, how="exactly" if exact else "almost exactly", columns=_listed(leakage["columns"]))


def _fit(validation: dict[str, Any], *, exact: bool) -> _Found:
    test = validation[validation["headline"]]
    r2 = test["r2"]
    if exact:
        return _problem("exact_fit", r2=r2)
    if r2 <= 0.0:
        return _problem("useless_fit", r2=r2)
    tone = Tone.GOOD if r2 >= _GOOD_R2 else Tone.NOTE
    name = "fit_without_percentage" if test["mape"] is None else "fit"
    rows = _which(validation["headline"], test)
    return _finding(tone, name, which=rows, unexplained=max(0.0, 1.0 - r2), **test)


def _which(name: str, figure: dict[str, Any]) -> str:
    """Say which rows a figure is of; how they are called is filled in later."""
    return _ROWS[name].format(row_many="{row_many}", **{key: figure[key] for key in ("rows", "refits")})


def _intervals(validation: dict[str, Any]) -> list[_Found]:
    """Judge the interval of the predictions by the figure with the most refits, and what the textbook's would be."""
    name = "random" if validation["rolling"]["r2"] is None else "rolling"
    figure, level = validation[name], validation["level"]
    classical, given = (figure["intervals"][kind] for kind in ("classical", "calibrated"))
    values = {"which": _which(name, figure), "level": level}
    # Few rows miss it by chance: two standard deviations of a share that is right.
    slack = max(_COVERAGE_SLACK, 2.0 * math.sqrt(level * (1.0 - level) / figure["rows"]))
    if abs(given["coverage"] - level) <= slack:
        found = [_good("right_intervals", **values, **given)]
    else:
        found = [_problem("narrow_intervals" if given["coverage"] < level else "wide_intervals", **values, **given)]
    if given != classical and level - classical["coverage"] > slack:
        found.append(_note("textbook_intervals", **values, **classical))
    return found


def _generalises(evaluation: dict[str, Any]) -> _Found:
    train, test = evaluation["train"]["r2"], evaluation["test"]["r2"]
    later = evaluation["validation"]["chronological"]["r2"]
    if later is not None and test - later > _OVERFIT_GAP:
        return _problem("flattered", later=later, test=test)
    if train - test > _OVERFIT_GAP:
        return _problem("overfits", train=train, test=test)
    return _good("generalises", train=train, test=test)


def _residuals(diagnostics: dict[str, Any]) -> list[_Found]:
    """Interpret the tests that have a result."""
    train, order = diagnostics["train"], diagnostics["in_order_of_time"]
    tests = [(_normality, train["normality"]), (_variance, train["equal_variance"]), (_order, order)]
    return [interpreted(test | {"p": _p(test)}, test["p"]) for interpreted, test in tests if test["p"] is not None]


def _normality(normal: dict[str, Any], p: float) -> _Found:
    if p >= SIGNIFICANCE:
        return _good("normal", **normal)
    side = "far below the prediction" if normal["skew"] < 0 else "far above the prediction"
    shape = []
    if abs(normal["skew"]) > _SKEWED:
        shape.append(f"more {{row_many}} {side} than on the other side (skew {normal['skew']:.2f})")
    if normal["kurtosis"] > _HEAVY_TAILED:
        shape.append(
            f"more extreme {{row_many}} than a normal distribution has (kurtosis {normal['kurtosis']:.1f}, not 3)"
        )
    return _problem("not_normal", shape=f": {' and '.join(shape)}" if shape else "", **normal)


def _variance(variance: dict[str, Any], p: float) -> _Found:
    return _good("equal_variance", **variance) if p >= SIGNIFICANCE else _problem("unequal_variance", **variance)


def _order(order: dict[str, Any], p: float) -> _Found:
    if p >= SIGNIFICANCE:
        return _good("independent", **order)
    return _problem("dependent", direction="the same" if order["lag_1"] > 0 else "the opposite", **order)


def _past(past: dict[str, Any] | None) -> list[_Found]:
    """Say what features of the past need, and what it costs where that is not known."""
    if past is None:
        return []
    values = {"features": _listed([feature["description"] for feature in past["features"]])}
    if not past["half_widths"]:
        return [_note("past", **values)]
    known, old = past["half_widths"][0][1], past["half_widths"][-1][1]
    gap = next(gap for gap, width in past["half_widths"] if width == old)
    return [_note("past_and_width", known=number(known), old=number(old), gap=gap, gaps_in=past["gaps_in"], **values)]


def _baseline(evaluation: dict[str, Any]) -> _Found:
    base, model = evaluation["baseline"], evaluation["test"]["rmse"]
    if model < base["rmse"]:
        return _good("better_than_mean", model=number(model), **base)
    return _problem("worse_than_mean", model=number(model), **base)


def _collinearity(summary: dict[str, Any]) -> list[_Found]:
    entries = [entry for entry in summary.get("coefficients", []) if entry["name"] != "const"]
    severe = [e["name"] for e in entries if e["infinite_vif"] or (e["vif"] or 0.0) >= SEVERE_VIF]
    found = []
    if severe:
        found.append(_problem("collinear", columns=_listed(severe), severe=SEVERE_VIF))
    elif entries:
        worst = max(entry["vif"] or 0.0 for entry in entries)
        tone, name = (Tone.GOOD, "distinct") if worst < HIGH_VIF else (Tone.NOTE, "overlapping")
        found.append(_finding(tone, name, worst=worst, severe=SEVERE_VIF))
    condition = summary.get("figures", {}).get("condition_number")
    if condition is not None and condition > _ILL_CONDITIONED:
        found.append(_note("ill_conditioned", condition=condition))
    return found


def _previous(previous: dict[str, Any]) -> list[_Found]:
    if previous["status"] != "compared":
        return []
    change, earlier = previous["difference"]["rmse"], previous["test"]["rmse"]
    low, high = (previous["difference_intervals"] or {}).get("rmse", (None, None))
    interval = "They are too few for an interval of the difference."
    if low is not None:
        level = f"{previous['interval_level']:.0%}".replace("%", " %")
        interval = f"The {level} interval of the difference is {_signed(low)} to {_signed(high)}."
    values = {
        "version": f"version {previous['version']}" if previous["version"] is not None else "the model in use",
        "caution": "" if previous["same_split"] else _CAUTION,
        "earlier": number(earlier),
        "now": number(earlier + change),
        "interval": interval,
    }
    if change == 0.0 and low == high:
        return [_note("same_as_in_use", **values)]
    if previous["verdict"] not in {"better", "worse"}:
        return [_note("no_difference_shown", **values)]
    is_better = previous["verdict"] == "better"
    return [_good("better_than_in_use", **values) if is_better else _problem("worse_than_in_use", **values)]


def _drift(drift: dict[str, Any]) -> list[_Found]:
    if drift.get("status") != "compared":
        return []
    values = {"threshold": drift["threshold"], **drift["features"][0]}
    if drift["drifted"]:
        return [_note("drifted", columns=_listed(drift["drifted"]), **values)]
    return [_good("not_drifted", **values)]


def _p(test: dict[str, Any]) -> str:
    """Write the p-value as "p = 0.230" or "p < 0.001", with spaces that do not break."""
    text = p_value(test["p"])
    return f"p {text if text.startswith('<') else f'= {text}'}".replace(" ", "\N{NO-BREAK SPACE}")


def p_value(value: float) -> str:
    """Write a p-value with three digits, "< 0.001" below those."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"  # noqa: PLR2004


def number(value: float) -> str:
    """Write a number in the target's unit: whole above 10, in scientific notation where they are rounding noise."""
    if abs(value) >= 10.0:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 0.01 or value == 0.0 else f"{value:.1e}"  # noqa: PLR2004


def _signed(value: float) -> str:
    """Write a difference in the target's unit, with its sign."""
    return f"+{number(value)}" if value > 0.0 else number(value).replace("-", "\N{MINUS SIGN}", 1)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
