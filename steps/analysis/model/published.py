"""How this run's figures compare with those that somebody has published for its profile.

Figures that depend on rounding alone (of an exact fit, whose residuals are nothing else) differ from machine to
machine: they are shown too, but not judged.
"""

from __future__ import annotations

from typing import Any

from analysis.dataset.declaration import Dataset
from analysis.model.archive import Archive

_OF_THE_TEST = {"test_r2": "r2", "test_rmse": "rmse", "test_mae": "mae", "test_rows": "rows"}


def published_comparison(
    dataset: Dataset, archive: Archive, source: dict[str, Any], validation: dict[str, Any]
) -> dict[str, Any] | None:
    """Compare: {"source", "same_data", "figures": [{"figure", "published", "reproduced", "agrees"}]}.

    source: source.json of preprocess.py; validation: block of evaluation.json. agrees is None for figures of rounding
    noise. The result is None where nothing is published for the profile of the model.
    """
    published = next((one for one in dataset.published if one.profile == archive.model.profile), None)
    if published is None:
        return None
    summary, tested = archive.summary, validation["random"]
    coefficients = {entry["name"]: entry["coefficient"] for entry in summary.get("coefficients", [])}
    others = [abs(value) for name, value in coefficients.items() if name not in dataset.parts]
    values = {
        **summary.get("figures", {}),
        **coefficients,
        "largest_other": max(others, default=None),
        **{name: tested[figure] for name, figure in _OF_THE_TEST.items()},
        "test_coverage": tested["intervals"]["classical"]["coverage"],
    }
    compared = []
    for figure in published.figures:
        value = values.get(figure.name)
        reproduced = "not known" if value is None else format(value, figure.form)
        agrees = reproduced == figure.published if figure.judged else None
        compared.append(
            {"figure": figure.label, "published": figure.published, "reproduced": reproduced, "agrees": agrees}
        )
    same = source.get("sha256") == published.sha256
    return {"source": published.source, "same_data": same, "figures": compared}


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
