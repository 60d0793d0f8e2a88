"""Tables that notebooks show: of a raw file, of what was found in it, and of models beside each other."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.checking.checks import CheckedRows
from analysis.dataset.columns import Kind
from analysis.dataset.declaration import Dataset
from analysis.features.profiles import Origin, Profile
from analysis.reading.cell_file import LINE, CellFile
from analysis.report.page import figure
from pipedef.document.definition import read_definition
from pipeline.aws.clients import Aws, aws_errors
from pipeline.definition.bundle import bundle_of
from pipeline.deploy.compiled import compiled_definitions
from pipeline.deploy.resources.feature_groups import FeatureGroup
from pipeline.errors import ExecutionError
from pipeline.exploration.experiments import Experiment
from pipeline.exploration.session import Session

_SEVERE_VIF = 10.0


def show(table: pd.DataFrame, otherwise: str) -> pd.DataFrame | None:
    """Return a table for the cell to show; where it has no row, print why instead."""
    if table.empty:
        print(otherwise)
        return None
    return table


def raw_table(session: Session) -> pd.DataFrame:
    """Return the raw file as it is: every cell a text, whatever the dialect of its CSV; the index is its lines.

    Raises:
        StepError: it is no table.
    """
    known = {name: column.headers for name, column in session.dataset.columns.items()}
    batches = [batch.to_pandas() for batch in CellFile(session.data, known).batches()]
    table: pd.DataFrame = pd.concat(batches).set_index(LINE).rename_axis("line")
    return table


def missing_cells(raw: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Count the empty cells of each column, by the marks that the declaration takes for empty."""
    empty = raw.apply(lambda cells: cells.str.lower().isin(dataset.missing_marks))
    declared = [dataset.columns.get(str(name)) for name in raw]
    return pd.DataFrame(
        {
            "declared as": ["not declared" if column is None else str(column.kind) for column in declared],
            "empty cells": empty.sum(),
            "share": empty.mean(),
            "distinct values": raw.nunique(),
            "an empty cell": ["" if column is None else str(column.missing) for column in declared],
        },
        index=raw.columns,
    )


def repeated_rows(raw: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Count the rows that equal an earlier one, as a whole and by the key, and say what the declaration makes of it."""
    key = [name for name in dataset.key if name in raw]
    found = {"equal to an earlier row": (raw.duplicated(), str(dataset.repeated_rows))}
    if key:
        found[f"with the {' and '.join(key)} of an earlier row"] = raw.duplicated(key), str(dataset.repeated_keys)
    return pd.DataFrame(
        {
            "rows": {name: int(repeated.sum()) for name, (repeated, _) in found.items()},
            "the first on line": {
                name: str(raw.index[repeated][0]) if repeated.any() else "" for name, (repeated, _) in found.items()
            },
            "declared": {name: meaning for name, (_, meaning) in found.items()},
        }
    )


def redundant_columns(checked: CheckedRows) -> pd.DataFrame:
    """List the columns that carry nothing of their own, each with the reason and what is done about it."""
    return pd.DataFrame(checked.report["removed_columns"], columns=["column", "action", "reason"]).set_index("column")


def checks(checked: CheckedRows) -> pd.DataFrame:
    """Return what was checked, how many rows were found wanting, and what came of it."""
    return pd.DataFrame(checked.report["checks"]).set_index("check")[["found", "outcome"]]


def categories(checked: CheckedRows, dataset: Dataset) -> pd.DataFrame:
    """Return each level of each category and flag: as the file has it, its name, its rows, and how it is prepared."""
    rows = checked.rows.to_pandas()
    found = []
    for name in dataset.of_kind(Kind.CATEGORY, Kind.FLAG, among=tuple(rows)):
        column, counted = dataset.columns[name], rows[name].astype(str).value_counts()
        for level, meaning in column.levels.items():
            prepared = column.prepared_as.get(level, level)
            found.append((name, level, meaning, int(counted.get(level, 0)), column.levels[prepared]))
    names = ["column", "in the file", "means", "rows", "prepared as"]
    return pd.DataFrame(found, columns=names).set_index(names[:2])


def bins(experiment: Experiment) -> pd.DataFrame:
    """Return the bins of each number, with their rows and the mean of the target in them."""
    entries = [
        {
            "column": entry["column"],
            **interval,
            "from": f"{interval['from']:g}",
            "to": f"{interval['to']:g}",
            "mean_target": figure(interval["mean_target"]),
        }
        for entry in experiment.quality["bins"]
        for interval in entry["intervals"]
    ]
    names = ["column", "label", "from", "to", "rows", "mean_target"]
    return pd.DataFrame(entries, columns=names).rename(columns={"mean_target": "mean target"}).set_index(names[:2])


def dummies(profile: Profile, dataset: Dataset) -> pd.DataFrame:
    """Return for each category the level that has no dummy variable, and the dummy variables of the others."""
    found = {}
    for name in dict.fromkeys(column.source for column in profile.columns if column.origin is Origin.LEVEL):
        column, made = dataset.columns[name], [one for one in profile.columns if one.source == name]
        without = [level for level in column.modelled_levels if level not in {one.level for one in made}]
        dropped = ", ".join(f"{level} ({column.levels[level]})" for level in without)
        found[name] = (dropped, len(made), ", ".join(one.name for one in made))
    return pd.DataFrame.from_dict(found, orient="index", columns=["dropped", "dummies", "columns"]).rename_axis(
        "category"
    )


def scaled_ranges(experiment: Experiment) -> pd.DataFrame:
    """Return what min-max scaling has learned on the training rows, and where it puts the test rows."""
    test = experiment.rows("test")
    found = {
        name: (
            limit.minimum,
            limit.maximum,
            *((value - limit.minimum) / limit.width for value in (test[name].min(), test[name].max())),
        )
        for name, limit in experiment.archive.model.ranges.items()
        if name in experiment.profile.scaled and limit.width
    }
    names = ["minimum", "maximum", "test rows: lowest, scaled", "test rows: highest, scaled"]
    return pd.DataFrame.from_dict(found, orient="index", columns=names)


def elimination(experiment: Experiment) -> pd.DataFrame:
    """Return variance inflation on every column and on those that were kept, and the rank of each by elimination.

    The columns that were kept come first, with rank 1; the largest rank went first.
    """
    summary = experiment.summary
    last = _inflation(summary["coefficients"])
    first = _inflation((summary["first_fit"] or summary)["coefficients"])
    table = pd.DataFrame({"VIF, every column": first, "VIF, kept columns": last, "rank": summary["ranking"]})
    for name, reason in summary["excluded"].items():
        table.loc[name, "left out because"] = reason
    return table.sort_values(["rank", "VIF, every column"], ascending=[True, False]).fillna("")


def _inflation(coefficients: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the factors as text: infinite ones are no number, and severe ones are marked."""
    found = {}
    for one in coefficients:
        if one["infinite_vif"]:
            found[one["name"]] = "infinite"
        elif one["vif"] is not None:
            found[one["name"]] = f"{one['vif']:.1f}" + (" !" if one["vif"] > _SEVERE_VIF else "")
    return found


def coefficients(experiment: Experiment) -> pd.DataFrame:
    """Return the coefficients of the final fit with their errors, classical and robust, and 95 % bounds."""
    names = ["coefficient", "standard_error", "p", "lower_95", "upper_95", "robust_standard_error", "robust_p"]
    table = pd.DataFrame(experiment.summary["coefficients"]).set_index("name")[names]
    return table.rename(columns=lambda name: name.replace("_", " "))


def published_figures(experiment: Experiment) -> pd.DataFrame:
    """Set the figures that somebody has published for this profile beside those of this run; empty where none are."""
    found = (experiment.evaluation["published"] or {}).get("figures", [])
    words = {True: "equal", False: "different", None: "rounding noise, not compared"}
    rows = [(one["figure"], one["published"], one["reproduced"], words[one["agrees"]]) for one in found]
    return pd.DataFrame(rows, columns=["figure", "published", "reproduced", "verdict"]).set_index("figure")


def side_by_side(experiments: Sequence[Experiment]) -> pd.DataFrame:
    """Compare experiments: what each takes, how good it seems and is, and whether it can score a new file at all."""
    found = {}
    for one in experiments:
        random, later = (one.evaluation["validation"][name] for name in ("random", "chronological"))
        found[one.name] = {
            "columns offered": len(one.profile.columns),
            "columns kept": len(one.archive.model.selected),
            "R-squared, training rows": one.evaluation["train"]["r2"],
            "R-squared, test rows": random["r2"],
            "R-squared, rows to come": later["r2"] if later["r2"] is not None else "no time column",
            "RMSE, test rows": random["rmse"],
            "test rows inside the 95 % interval": f"{100 * random['intervals']['calibrated']['coverage']:.1f} %",
            "target given away by": ", ".join(one.evaluation["leakage"]["columns"]) or "nothing",
            "can score new rows": one.evaluation["registration"]["scores_new_rows"],
        }
    return pd.DataFrame(found).map(lambda value: f"{value:.4g}" if isinstance(value, float) else value)


def dependence(experiments: Sequence[Experiment]) -> pd.DataFrame:
    """Compare how far columns determine each other: rank, what is left out for it, and what that costs."""
    return pd.DataFrame(
        {
            one.name: {
                "columns offered, with the intercept": len(one.profile.columns) + 1,
                "rank of the matrix": one.summary["rank"],
                "left out": ", ".join(one.summary["excluded"]) or "nothing",
                "R-squared, training rows": f"{one.evaluation['train']['r2']:.6f}",
                "R-squared, test rows": f"{one.evaluation['test']['r2']:.6f}",
            }
            for one in experiments
        }
    )


def steps(session: Session) -> pd.DataFrame:
    """Return the steps of both pipelines, compiled from the code of `pipeline/definition/`, and what each waits for.

    What a step waits for by way of another is left out.
    """
    settings = session.settings
    found: list[tuple[str, ...]] = []
    for flow, definition in compiled_definitions(settings, bundle_of(settings)).items():
        parsed = read_definition(definition, settings.pipeline_name(flow))
        waits = {}
        for step in parsed.steps:
            above = parsed.upstream[step.name]
            direct = above.difference(*(parsed.all_upstream(name) for name in above))
            waits[step.name] = ", ".join(sorted(direct))
        found += [(flow, step.name, step.type, waits[step.name]) for step in parsed.steps]
    names = ["pipeline", "step", "type", "waits for"]
    return pd.DataFrame(found, columns=names).set_index(names[:2])


def read_back(aws: Aws, group: FeatureGroup, identifiers: Sequence[str]) -> pd.DataFrame:
    """Return records from the online store of a feature group, which has them as soon as they are written.

    Raises:
        ExecutionError: there is no such group, or it has no online store.
    """
    request = {"FeatureGroupName": group.name, "RecordIdentifiersValueAsString": [*identifiers]}
    with aws_errors(f"Reading from feature group {group.name}", aws, ExecutionError):
        answer = aws.feature_store.batch_get_record(Identifiers=[request])  # type: ignore[list-item]
    records = [{item["FeatureName"]: item["ValueAsString"] for item in one["Record"]} for one in answer["Records"]]
    return pd.DataFrame(records)
