"""How this run's figures compare with those of the published analysis, which published.toml holds.

Figures that depend on rounding alone (the published fit is exact, so its residuals are nothing else) differ from
machine to machine: they are shown too, but not judged.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from analysis.reading.columns import TARGET_PARTS

_PUBLISHED = Path(__file__).with_suffix(".toml")


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
    published = tomllib.loads(_PUBLISHED.read_text(encoding="utf-8"))
    compared = []
    for figure in published["figures"]:
        value, printed = values[figure["name"]], figure["published"]
        reproduced = "not known" if value is None else format(value, figure["form"])
        agrees = reproduced == printed if figure.get("judged", True) else None
        compared.append({"figure": figure["label"], "published": printed, "reproduced": reproduced, "agrees": agrees})
    return {"same_data": source.get("sha256") == published["source_sha256"], "figures": compared}


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
