"""What the numbers of a run mean, in plain words. Every sentence is chosen by a number; none is always said."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from analysis.evaluation.diagnostics import SIGNIFICANCE

HIGH_VIF, SEVERE_VIF = 5.0, 10.0
_COVERAGE_SLACK = 0.03
_OVERFIT_GAP = 0.05
_ILL_CONDITIONED = 1000.0


class Tone(StrEnum):
    """How a finding is to be taken."""

    GOOD = "good"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One thing that a reader should know. title: a few words; text: one to three sentences."""

    tone: Tone
    title: str
    text: str


def findings(evaluation: dict[str, Any], summary: dict[str, Any]) -> list[Finding]:
    """Problems first, then notes, then what is well. summary: of the fit; may be empty (an older archive)."""
    exact = bool(evaluation["diagnostics"]["exact_fit"])
    found = [_leakage(evaluation["leakage"], exact=exact), _fit(evaluation, exact=exact)]
    if not exact:
        found += [_intervals(evaluation["intervals"]), _generalises(evaluation), *_residual_findings(evaluation)]
    found += [_baseline(evaluation), *_collinearity(summary), *_previous(evaluation["previous_model"])]
    order = [Tone.PROBLEM, Tone.NOTE, Tone.GOOD]
    return sorted(found, key=lambda finding: order.index(finding.tone))


def _leakage(leakage: dict[str, Any], *, exact: bool) -> Finding:
    if leakage["verdict"] == "pass":
        return Finding(
            Tone.GOOD,
            "No column gives the answer away",
            f"The target is no linear combination of the inputs: together they explain {leakage['adjusted_r2']:.1%} of "
            f"it, and only {leakage['threshold']:.1%} or more would count as leakage.",
        )
    how = "exactly" if exact else "almost exactly"
    columns = _listed(leakage["columns"])
    what = f"The target can be computed {how} from {columns}, which nobody knows before the day is over. "
    if leakage["verdict"] == "known":
        return Finding(
            Tone.PROBLEM,
            "This is arithmetic, not a forecast",
            what + "The profile declares this, because it repeats a published analysis; do not use its predictions "
            "for planning.",
        )
    return Finding(Tone.PROBLEM, "A column gives the answer away", what + "Take it out of the inputs and train again.")


def _fit(evaluation: dict[str, Any], *, exact: bool) -> Finding:
    test = evaluation["test"]
    r2 = test["r2"]
    if exact:
        return Finding(
            Tone.PROBLEM,
            f"An R-squared of {r2:.3f} is too good to be true",
            "The predictions equal the actual values but for rounding of the last digits. Real days are never that "
            "predictable: such a value says that the answer is among the inputs. What is left over is rounding noise, "
            "so the F-statistic, AIC, BIC, p-values of the other columns and all tests on residuals mean nothing here.",
        )
    if r2 <= 0.0:
        return Finding(
            Tone.PROBLEM,
            "The model is no better than a constant",
            f"On days it had not seen, its R-squared is {r2:.3f}: always naming the mean would do as well.",
        )
    tone = Tone.GOOD if r2 >= 0.7 else Tone.NOTE  # noqa: PLR2004
    return Finding(
        tone,
        f"It explains {r2:.0%} of the ups and downs",
        f"R-squared on the {test['rows']} test days, which the model had not seen, is {r2:.3f}; the other "
        f"{max(0.0, 1.0 - r2):.0%} have causes that the columns do not know. A typical prediction is off by "
        f"{test['mae']:,.0f} rentals (mean absolute error), {_percent_off(test)}.",
    )


def _percent_off(test: dict[str, Any]) -> str:
    if test["mape"] is None:
        return f"and large errors weigh in at {test['rmse']:,.0f} (RMSE)"
    return (
        f"or {test['mape']:.0f}% of the day's count (a few days with very low counts can dominate this percentage); "
        f"weighing large errors more, it is {test['rmse']:,.0f} (RMSE)"
    )


def _intervals(intervals: dict[str, Any]) -> Finding:
    level, coverage = intervals["level"], intervals["coverage"]
    text = (
        f"{coverage:.1%} of the test days lie inside their {level:.0%} prediction interval, which is "
        f"{intervals['mean_width']:,.0f} rentals wide on average."
    )
    if abs(coverage - level) <= _COVERAGE_SLACK:
        return Finding(Tone.GOOD, "The intervals keep their promise", text)
    direction = "too narrow: the model is surer than it should be" if coverage < level else "wider than they need to be"
    return Finding(Tone.PROBLEM, "The intervals miss their promise", f"{text} They are {direction}.")


def _generalises(evaluation: dict[str, Any]) -> Finding:
    train, test = evaluation["train"]["r2"], evaluation["test"]["r2"]
    text = f"R-squared is {train:.3f} on the training days and {test:.3f} on the test days."
    if train - test > _OVERFIT_GAP:
        return Finding(
            Tone.PROBLEM,
            "It remembers more than it learned",
            f"{text} The gap says that part of the fit is chance; use fewer features or more days.",
        )
    return Finding(Tone.GOOD, "It does as well on new days as on old ones", text)


def _residual_findings(evaluation: dict[str, Any]) -> list[Finding]:
    diagnostics = evaluation["diagnostics"]
    normal, variance = diagnostics["train"]["normality"], diagnostics["train"]["equal_variance"]
    order = diagnostics["in_order_of_days"]
    found = []
    if normal["p"] is not None:
        found.append(_normality(normal))
    if variance["p"] is not None:
        found.append(_variance(variance))
    if order["p"] is not None:
        found.append(_order(order))
    return found


def _normality(normal: dict[str, Any]) -> Finding:
    if normal["p"] >= SIGNIFICANCE:
        return Finding(
            Tone.GOOD, "Errors look normal", f"Nothing in the residuals speaks against it (Jarque-Bera, {p(normal)})."
        )
    side = "far below the prediction" if normal["skew"] < 0 else "far above the prediction"
    shape = []
    if abs(normal["skew"]) > 0.5:  # noqa: PLR2004
        shape.append(f"more days {side} than on the other side (skew {normal['skew']:.2f})")
    if normal["kurtosis"] > 4.0:  # noqa: PLR2004
        shape.append(f"more extreme days than a normal distribution has (kurtosis {normal['kurtosis']:.1f}, not 3)")
    what = f": {' and '.join(shape)}" if shape else ""
    return Finding(
        Tone.PROBLEM,
        "Errors are not normal",
        f"The Jarque-Bera test rejects it ({p(normal)}){what}. Predictions stay usable; the ends of the intervals and "
        "the p-values are approximate.",
    )


def _variance(variance: dict[str, Any]) -> Finding:
    if variance["p"] >= SIGNIFICANCE:
        return Finding(
            Tone.GOOD,
            "Errors are equally large everywhere",
            f"Their size does not depend on the features (Breusch-Pagan, {p(variance)}).",
        )
    return Finding(
        Tone.PROBLEM,
        "Errors are larger on some kinds of days",
        f"Their size depends on the features (Breusch-Pagan, {p(variance)}). One width of interval is then too wide "
        "for some days and too narrow for others, and the standard errors of the coefficients are approximate.",
    )


def _order(order: dict[str, Any]) -> Finding:
    if order["p"] >= SIGNIFICANCE:
        return Finding(
            Tone.GOOD,
            "One day's error says nothing about the next",
            f"In the order of the days they are independent (Ljung-Box over {order['lags']} days, {p(order)}; "
            f"Durbin-Watson {order['durbin_watson']:.2f}).",
        )
    sign = "the same" if order["lag_1"] > 0 else "the opposite"
    return Finding(
        Tone.PROBLEM,
        "One day's error tells of the next",
        f"In the order of the days, an error tends to be followed by one in {sign} direction (correlation "
        f"{order['lag_1']:.2f}, Durbin-Watson {order['durbin_watson']:.2f} where 2 is independence; Ljung-Box over "
        f"{order['lags']} days, {p(order)}). Something that lasts for days is missing from the features, and a random "
        "split makes the test look a little better than true forecasting would be.",
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
        found.append(
            Finding(
                Tone.PROBLEM,
                "Some columns say the same",
                f"{_listed(severe)} can largely be computed from the other columns (variance inflation factor of "
                f"{SEVERE_VIF:g} or more). Their sum is well known, their shares are not: do not read a meaning into "
                "such a single coefficient, nor into its p-value.",
            )
        )
    elif entries:
        worst = max(entry["vif"] or 0.0 for entry in entries)
        found.append(
            Finding(
                Tone.GOOD if worst < HIGH_VIF else Tone.NOTE,
                "The columns say different things" if worst < HIGH_VIF else "Some columns overlap",
                f"The largest variance inflation factor is {worst:.1f} ({SEVERE_VIF:g} or more would be a problem).",
            )
        )
    condition = summary.get("figures", {}).get("condition_number")
    if condition is not None and condition > _ILL_CONDITIONED:
        found.append(
            Finding(
                Tone.NOTE,
                "The condition number is large",
                f"It is {condition:,.2f}: columns of very different size, or nearly dependent ones, stand side by "
                "side. Coefficients may change a lot with small changes of the data.",
            )
        )
    return found


def _previous(previous: dict[str, Any]) -> list[Finding]:
    if previous["status"] != "compared":
        return []
    change = previous["difference"]["rmse"]
    version = f"version {previous['version']}" if previous["version"] is not None else "the approved model"
    caution = (
        ""
        if previous["same_split"]
        else " It was trained on other rows, perhaps on some of these test days, which would flatter it."
    )
    if change == 0.0:
        return [Finding(Tone.NOTE, "As good as the approved model", f"It errs exactly as {version} does.{caution}")]
    better = change < 0.0
    earlier = previous["test"]["rmse"]
    text = f"RMSE {number(earlier)} for {version}, {number(earlier + change)} now.{caution}"
    title = "Better than the approved model" if better else "Worse than the approved model"
    return [Finding(Tone.GOOD if better else Tone.PROBLEM, title, text)]


def p(test: dict[str, Any]) -> str:
    """The p-value in words of mathematics, "p = 0.230" or "p < 0.001", with spaces that do not break."""
    text = "p < 0.001" if test["p"] < 0.001 else f"p = {test['p']:.3f}"  # noqa: PLR2004
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def number(value: float) -> str:
    """Rentals as a reader wants them: whole above 10, in scientific notation where they are rounding noise."""
    if abs(value) >= 10.0:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 0.01 or value == 0.0 else f"{value:.1e}"  # noqa: PLR2004


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
