"""The published analysis of the bike-sharing table, and how this run's figures compare with it.

Figures that depend on rounding alone (the published fit is exact, so its residuals are nothing else) differ from
machine to machine: they are shown too, but not judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analysis.reading.columns import TARGET_PARTS

SOURCE_SHA256 = "76f502030dd316dced4ea09a7c628e1bb990e52e4e1d76763819442f342d55e6"
"""Of the file that the figures were published for (730 rows; its MD5 is ee1617c182a97fcd31d2de00e015c385)."""


@dataclass(frozen=True)
class PublishedFigure:
    """One published figure. label: for readers; published: as printed; form: format of the reproduced number.

    judged: whether the two must be equal when written with `form`.
    """

    label: str
    name: str
    published: str
    form: str
    judged: bool = True


_FIGURES = (
    PublishedFigure("Training rows", "observations", "510", "d"),
    PublishedFigure("Test rows", "test_rows", "219", "d"),
    PublishedFigure("R-squared", "r_squared", "1.000", ".3f"),
    PublishedFigure("Adjusted R-squared", "adjusted_r_squared", "1.000", ".3f"),
    PublishedFigure("Df residuals", "df_residuals", "494", "d"),
    PublishedFigure("Df model", "df_model", "15", "d"),
    *(PublishedFigure(f"Coefficient of {name}", name, "1.0000", ".4f") for name in TARGET_PARTS),
    PublishedFigure("Condition number", "condition_number", "46284.03", ".2f"),
    PublishedFigure("Covariance type", "covariance_type", "nonrobust", "s"),
    PublishedFigure("Largest other coefficient", "largest_other", "about 1e-12", ".1e", judged=False),
    PublishedFigure("F-statistic", "f_statistic", "7.327e+31", ".3e", judged=False),
    PublishedFigure("AIC", "aic", "-2.643e+04", ".3e", judged=False),
    PublishedFigure("BIC", "bic", "-2.636e+04", ".3e", judged=False),
    PublishedFigure("Durbin-Watson", "durbin_watson", "1.823", ".3f", judged=False),
    PublishedFigure("Omnibus", "omnibus", "5.990", ".3f", judged=False),
    PublishedFigure("Jarque-Bera", "jarque_bera", "6.049", ".3f", judged=False),
)


def published_comparison(summary: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    """Compare: {"same_data": bool, "figures": [{"figure", "published", "reproduced", "agrees"}]}.

    summary: of regression_summary; source: source.json of preprocess.py. agrees is None for figures of rounding noise.
    """
    coefficients = {entry["name"]: entry["coefficient"] for entry in summary["coefficients"]}
    others = [abs(value) for name, value in coefficients.items() if name not in TARGET_PARTS]
    values = {
        **summary["figures"],
        **{name: coefficients.get(name) for name in TARGET_PARTS},
        "largest_other": max(others),
        "test_rows": source.get("rows", {}).get("test"),
    }
    compared = []
    for figure in _FIGURES:
        value = values[figure.name]
        reproduced = "not known" if value is None else format(value, figure.form)
        agrees = reproduced == figure.published if figure.judged else None
        compared.append(
            {"figure": figure.label, "published": figure.published, "reproduced": reproduced, "agrees": agrees}
        )
    return {"same_data": source.get("sha256") == SOURCE_SHA256, "figures": compared}


def side_by_side(comparison: dict[str, Any]) -> str:
    """Format the comparison as a table of text, for the log."""
    title = "Published and reproduced figures, on the published file:"
    if not comparison["same_data"]:
        title = "Published and reproduced figures; this is another file than the published one, so they may differ:"
    verdicts = {True: "equal", False: "different", None: "rounding noise, not compared"}
    rows = [("figure", "published", "reproduced", "")]
    rows += [
        (entry["figure"], entry["published"], entry["reproduced"], verdicts[entry["agrees"]])
        for entry in comparison["figures"]
    ]
    first, second, third = (max(len(row[column]) for row in rows) for column in range(3))
    lines = (f"  {row[0]:<{first}}  {row[1]:>{second}}  {row[2]:>{third}}  {row[3]}".rstrip() for row in rows)
    return "\n".join([title, *lines])
