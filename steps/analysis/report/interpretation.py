"""The numbers of a run in plain words. Every sentence is chosen by a number; none is always said."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from analysis.evaluation.diagnostics import SIGNIFICANCE

HIGH_VIF, SEVERE_VIF = 5.0, 10.0
_COVERAGE_SLACK = 0.03
_OVERFIT_GAP = 0.05
_GOOD_R2 = 0.7
_SKEWED, _HEAVY_TAILED = 0.5, 4.0
_ILL_CONDITIONED = 1000.0


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


_good, _note, _problem = (partial(Finding, tone) for tone in (Tone.GOOD, Tone.NOTE, Tone.PROBLEM))


def findings(evaluation: dict[str, Any], summary: dict[str, Any]) -> list[Finding]:
    """List problems first, then notes, then what is well. summary: of the fit; may be empty (an older archive)."""
    exact = bool(evaluation["diagnostics"]["exact_fit"])
    found = [_leakage(evaluation["leakage"], exact=exact), _fit(evaluation["test"], exact=exact)]
    if not exact:
        found += [_intervals(evaluation["intervals"]), _generalises(evaluation)]
        found += _residuals(evaluation["diagnostics"])
    found += [_baseline(evaluation), *_collinearity(summary), *_previous(evaluation["previous_model"])]
    order = [Tone.PROBLEM, Tone.NOTE, Tone.GOOD]
    return sorted(found, key=lambda finding: order.index(finding.tone))


def _leakage(leakage: dict[str, Any], *, exact: bool) -> Finding:
    if leakage["verdict"] == "pass":
        return _good(
            "No column gives the answer away",
            f"The target is not a linear combination of the inputs: together they explain {leakage['adjusted_r2']:.1%} "
            f"of it, and only {leakage['threshold']:.1%} or more would count as leakage.",
        )
    how = "exactly" if exact else "almost exactly"
    columns = _listed(leakage["columns"])
    what = f"The target can be computed {how} from {columns}, which nobody knows before the day is over. "
    if leakage["verdict"] == "known":
        advice = "The profile declares this, because it repeats a published analysis; do not plan with its predictions."
        return _problem("This is arithmetic, not a forecast", what + advice)
    return _problem("A column gives the answer away", what + "Remove it from the inputs and train again.")


def _fit(test: dict[str, Any], *, exact: bool) -> Finding:
    r2 = test["r2"]
    if exact:
        return _problem(
            f"An R-squared of {r2:.3f} is too good to be true",
            "The predictions equal the actual values but for rounding of the last digits. Real days are never that "
            "predictable: such a value means that the answer is among the inputs. The residuals are rounding noise, "
            "so the F-statistic, AIC, BIC, p-values of the other columns and all tests on residuals mean nothing here.",
        )
    if r2 <= 0.0:
        return _problem(
            "The model is no better than a constant",
            f"On days it had not seen, its R-squared is {r2:.3f}: always predicting the mean would do as well.",
        )
    percent_off = f"and {test['rmse']:,.0f} with large errors weighted more (RMSE)"
    if test["mape"] is not None:
        percent_off = (
            f"or {test['mape']:.0f}% of the day's count (a few days with very low counts can dominate this "
            f"percentage); with large errors weighted more, it is {test['rmse']:,.0f} (RMSE)"
        )
    return Finding(
        Tone.GOOD if r2 >= _GOOD_R2 else Tone.NOTE,
        f"It explains {r2:.0%} of the ups and downs",
        f"R-squared on the {test['rows']} test days, which the model had not seen, is {r2:.3f}; the other "
        f"{max(0.0, 1.0 - r2):.0%} have causes outside the columns. A typical prediction is off by "
        f"{test['mae']:,.0f} rentals (mean absolute error), {percent_off}.",
    )


def _intervals(intervals: dict[str, Any]) -> Finding:
    level, coverage = intervals["level"], intervals["coverage"]
    text = (
        f"{coverage:.1%} of the test days are inside their {level:.0%} prediction interval, which is "
        f"{intervals['mean_width']:,.0f} rentals wide on average."
    )
    if abs(coverage - level) <= _COVERAGE_SLACK:
        return _good("The intervals keep their promise", text)
    direction = "too narrow: the model is surer than it should be" if coverage < level else "wider than they need to be"
    return _problem("The intervals miss their promise", f"{text} They are {direction}.")


def _generalises(evaluation: dict[str, Any]) -> Finding:
    train, test = evaluation["train"]["r2"], evaluation["test"]["r2"]
    text = f"R-squared is {train:.3f} on the training days and {test:.3f} on the test days."
    if train - test > _OVERFIT_GAP:
        advice = "The gap means that part of the fit is chance; use fewer features or more days."
        return _problem("It remembers more than it learned", f"{text} {advice}")
    return _good("It does as well on new days as on old ones", text)


def _residuals(diagnostics: dict[str, Any]) -> list[Finding]:
    """Interpret the tests that have a result."""
    train, order = diagnostics["train"], diagnostics["in_order_of_days"]
    tests = [(_normality, train["normality"]), (_variance, train["equal_variance"]), (_order, order)]
    return [interpreted(test) for interpreted, test in tests if test["p"] is not None]


def _normality(normal: dict[str, Any]) -> Finding:
    if normal["p"] >= SIGNIFICANCE:
        return _good("Errors look normal", f"Nothing in the residuals contradicts it (Jarque-Bera, {_p(normal)}).")
    side = "far below the prediction" if normal["skew"] < 0 else "far above the prediction"
    shape = []
    if abs(normal["skew"]) > _SKEWED:
        shape.append(f"more days {side} than on the other side (skew {normal['skew']:.2f})")
    if normal["kurtosis"] > _HEAVY_TAILED:
        shape.append(f"more extreme days than a normal distribution has (kurtosis {normal['kurtosis']:.1f}, not 3)")
    what = f": {' and '.join(shape)}" if shape else ""
    return _problem(
        "Errors are not normal",
        f"The Jarque-Bera test rejects it ({_p(normal)}){what}. Predictions stay usable; the ends of the intervals and "
        "the p-values are approximate.",
    )


def _variance(variance: dict[str, Any]) -> Finding:
    test = f"(Breusch-Pagan, {_p(variance)})"
    if variance["p"] >= SIGNIFICANCE:
        return _good("Errors are equally large everywhere", f"Their size does not depend on the features {test}.")
    return _problem(
        "Errors are larger on some kinds of days",
        f"Their size depends on the features {test}. Intervals of one width are then too wide for some days and too "
        "narrow for others, and the standard errors of the coefficients are approximate.",
    )


def _order(order: dict[str, Any]) -> Finding:
    test, watson = f"Ljung-Box over {order['lags']} days, {_p(order)}", f"Durbin-Watson {order['durbin_watson']:.2f}"
    if order["p"] >= SIGNIFICANCE:
        text = f"In the order of the days they are independent ({test}; {watson})."
        return _good("One day's error says nothing about the next", text)
    sign = "the same" if order["lag_1"] > 0 else "the opposite"
    return _problem(
        "One day's error predicts the next",
        f"In the order of the days, an error tends to be followed by one in {sign} direction (correlation "
        f"{order['lag_1']:.2f}, {watson} where 2 is independence; {test}). Something that lasts for days is missing "
        "from the features, and a random split makes the test look a little better than true forecasting would be.",
    )


def _baseline(evaluation: dict[str, Any]) -> Finding:
    base, test = evaluation["baseline"], evaluation["test"]
    better = test["rmse"] < base["rmse"]
    return Finding(
        Tone.GOOD if better else Tone.PROBLEM,
        "Better than guessing the mean" if better else "No better than guessing the mean",
        f"Always predicting the training mean ({base['prediction']:,.0f} rentals) would be off by {base['rmse']:,.0f} "
        f"(RMSE) where the model is off by {number(test['rmse'])}.",
    )


def _collinearity(summary: dict[str, Any]) -> list[Finding]:
    entries = [entry for entry in summary.get("coefficients", []) if entry["name"] != "const"]
    severe = [e["name"] for e in entries if e["infinite_vif"] or (e["vif"] or 0.0) >= SEVERE_VIF]
    found = []
    if severe:
        text = (
            f"{_listed(severe)} can largely be computed from the other columns (variance inflation factor of "
            f"{SEVERE_VIF:g} or more). Their sum is well known, their shares are not: do not interpret such a single "
            "coefficient or its p-value."
        )
        found.append(_problem("Some columns carry the same information", text))
    elif entries:
        worst = max(entry["vif"] or 0.0 for entry in entries)
        text = f"The largest variance inflation factor is {worst:.1f} ({SEVERE_VIF:g} or more would be a problem)."
        low = worst < HIGH_VIF
        found.append(_good("The columns say different things", text) if low else _note("Some columns overlap", text))
    condition = summary.get("figures", {}).get("condition_number")
    if condition is not None and condition > _ILL_CONDITIONED:
        text = (
            f"It is {condition:,.2f}: some columns are of very different size or nearly dependent. Coefficients may "
            "change a lot with small changes of the data."
        )
        found.append(_note("The condition number is large", text))
    return found


def _previous(previous: dict[str, Any]) -> list[Finding]:
    if previous["status"] != "compared":
        return []
    change, earlier = previous["difference"]["rmse"], previous["test"]["rmse"]
    version = f"version {previous['version']}" if previous["version"] is not None else "the approved model"
    caution = " It was trained on other rows, perhaps on some of these test days, which would flatter it."
    caution = "" if previous["same_split"] else caution
    if change == 0.0:
        return [_note("As good as the approved model", f"Its errors are exactly those of {version}.{caution}")]
    text = f"RMSE {number(earlier)} for {version}, {number(earlier + change)} now.{caution}"
    if change < 0.0:
        return [_good("Better than the approved model", text)]
    return [_problem("Worse than the approved model", text)]


def _p(test: dict[str, Any]) -> str:
    """Write the p-value as "p = 0.230" or "p < 0.001", with spaces that do not break."""
    text = p_value(test["p"])
    return f"p {text if text.startswith('<') else f'= {text}'}".replace(" ", "\N{NO-BREAK SPACE}")


def p_value(value: float) -> str:
    """Write a p-value with three digits, "< 0.001" below those."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"  # noqa: PLR2004


def number(value: float) -> str:
    """Write rentals: whole above 10, in scientific notation where they are rounding noise."""
    if abs(value) >= 10.0:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 0.01 or value == 0.0 else f"{value:.1e}"  # noqa: PLR2004


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
