"""All three notebooks, run by a real kernel from an empty home without an account; each section by its outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from localmaker import daemon
from localmaker.daemon import EndpointHandle
from pipeline.datasets.shipped import declared
from pipeline.demo.sample import write_sample
from scripts.lib.exports.files import read_export
from scripts.lib.notebooks import NotebookError, execute
from tests.notebooks.executed import EXPORT, PREDICT, REAL, SECONDS, TEMPLATE, Executed, blemishes, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROWS = {"bike_sharing": 730, "red_wine": 1599}


@dataclass(frozen=True)
class Run:
    """What the three notebooks have left of one table."""

    dataset: str
    data: Path | None  #: The real table; None for the generated sample.
    endpoint: EndpointHandle
    template: Executed
    export: Executed
    predict: Executed
    exports: Path

    @property
    def of_bikes(self) -> bool:
        """Say which of both tables it is."""
        return self.dataset == "bike_sharing"

    @property
    def rows(self) -> int:
        """Return how many rows it has."""
        return ROWS[self.dataset] if self.data else 730

    @property
    def prefix(self) -> str:
        """Return what the names of its resources begin with."""
        return f"{declared(self.dataset).name}-local"


@pytest.fixture(scope="module", params=sorted(ROWS))
def run(request, tmp_path_factory) -> Iterator[Run]:
    """Run them one after the other; the first starts the endpoint, and the last needs none."""
    folder = tmp_path_factory.mktemp(request.param)
    state = folder / "state" / "localmaker"
    data = REAL[request.param] if REAL[request.param].is_file() else None
    place = {"XDG_STATE_HOME": str(state.parent), "BIKESHARE_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
    table = {"DATASET": request.param, **({"DATA": str(data)} if data else {})}
    exports = folder / "exports"
    try:
        template = execute(TEMPLATE, variables=table | place, timeout=SECONDS)
        variables = {"DATASET": request.param, "OUTPUT_DIR": str(exports), **place}
        export = execute(EXPORT, variables=variables, timeout=SECONDS)
        # In another folder, as whoever gets the files would run it; of this project it finds what is installed.
        copy = folder / "elsewhere" / PREDICT.name
        copy.parent.mkdir()
        copy.write_bytes(PREDICT.read_bytes())
        predict = execute(copy, variables={"EXPORT": str(exports / "model.pickle")}, timeout=SECONDS)
        running = daemon.status(state)
        assert running is not None
        done = (Executed(template), Executed(export), Executed(predict))
        yield Run(request.param, data, EndpointHandle(running), *done, exports)
    finally:
        if daemon.status(state) is not None:
            daemon.down(state)


def number(text: str) -> float:
    return float(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))


def test_nothing_in_them_makes_a_reader_wince(run):
    for notebook in (run.template, run.export, run.predict):
        assert blemishes(notebook) == []
        for name in notebook.cells():
            assert all(picture.width <= 1000 for picture in notebook.pictures(name)), name


def test_raw_data_is_the_file(run):
    shown = run.template.table("raw")
    path = run.data or write_sample(run.exports.parent / "again.csv", dataset=declared(run.dataset))
    expected = pd.read_csv(path, dtype=str, nrows=5)
    assert [[*row.values()] for row in shown.values()] == expected.to_numpy().tolist()
    assert [*shown["2"]] == [*expected]


def test_nulls_duplicates_and_redundant_columns(run):
    missing, repeated = run.template.table("missing"), run.template.table("repeated")
    assert [*missing] == [*run.template.table("raw")["2"]]
    assert {row["empty cells"] for row in missing.values()} == {"0"}
    found = repeated["equal to an earlier row"]
    wines = "240" if run.data else "0"
    assert (found["rows"], found["declared"]) == (("0", "refuse") if run.of_bikes else (wines, "keep"))
    assert {row["outcome"] for row in run.template.table("checks").values()} == {"passed"}
    if not run.of_bikes:
        assert run.template.printed("redundant").startswith("No column is redundant")
        return
    columns = run.template.table("redundant")
    assert columns["instant"]["action"] == "removed"
    assert columns["casual"] == {"action": "not an input", "reason": "adds up to the target: cnt = casual + registered"}


def test_integers_become_categories(run):
    if not run.of_bikes:
        assert run.template.printed("categories").startswith("This table has no codes")
        return
    shown = run.template.table("categories")
    seasons = [row for name, row in shown.items() if name.startswith("season ")]
    assert [row["means"] for row in seasons] == ["winter", "spring", "summer", "autumn"]
    assert sum(int(row["rows"]) for row in seasons) == run.rows
    assert shown["weathersit 4"]["prepared as"] == "light rain or snow"


def test_bins_are_shown_and_tried_as_inputs(run):
    shown = run.template.table("bins")
    column = "temp" if run.of_bikes else "alcohol"
    rows = sum(int(row["rows"]) for name, row in shown.items() if name.startswith(f"{column} "))
    assert rows == run.rows
    assert len(run.template.pictures("bins-figure")) == 1
    compared = run.template.table("bins-variant")
    offered, fit = compared["columns offered"], compared["R-squared, test rows"]
    assert int(offered["bins"]) > int(offered["forecast"])
    assert 0 < number(fit["bins"]) != number(fit["forecast"])


def test_first_levels_are_dropped_because_the_others_determine_them(run):
    if not run.of_bikes:
        assert run.template.printed("dummies").startswith("No category")
        return
    assert run.template.table("dummies")["season"] == {
        "dropped": "1 (winter)",
        "dummies": "3",
        "columns": "season_2, season_3, season_4",
    }
    shown = run.template.table("dummies-kept")
    columns, rank = shown["columns offered, with the intercept"], shown["rank of the matrix"]
    left_out, test = shown["left out"], shown["R-squared, test rows"]
    kept, dropped = "first levels kept", "first levels dropped"
    # A working day is one that is neither holiday nor weekend: the published table has that dependence of its own.
    assert int(columns[kept]) - int(rank[kept]) == int(columns[dropped]) - int(rank[dropped]) + 4
    assert {"season_4", "mnth_12", "weekday_6", "weathersit_3"} <= set(left_out[kept].split(", "))
    assert not {"season_4", "mnth_12", "weathersit_3"} & set(left_out[dropped].split(", "))
    assert number(test[kept]) == pytest.approx(number(test[dropped]), abs=2e-6)


def test_feature_groups_are_created_filled_and_read_back(run):
    groups = [f"{run.prefix}-inputs", f"{run.prefix}-outcomes"]
    printed = run.template.printed("groups-ready")
    for group in groups:
        assert f"{group}: does not exist yet" in run.template.printed("groups-exist")
        assert f"{group}: Created\n" in printed
        assert f"{group}: created\n" in printed
        described = run.endpoint.client("sagemaker").describe_feature_group(FeatureGroupName=group)
        assert described["FeatureGroupStatus"] == "Created"
    success = run.template.printed("groups-ingest").splitlines()[-1]
    written, _, wanted = success.removeprefix("Success: ").split()[:3]
    assert number(written) == number(wanted) == 2 * run.rows
    back, raw = (run.template.table(name).values() for name in ("groups-read", "raw"))
    stored, given = ("temp", "temp") if run.of_bikes else ("fixed_acidity", "fixed acidity")
    assert sorted(number(row[stored]) for row in back) == sorted(number(row[given]) for row in raw)


def test_split_scaling_and_first_fit(run):
    train, test = (int(run.template.printed("split").split()[place]) for place in (0, -4))
    assert train == pytest.approx(0.7 * (train + test), abs=1)
    ranges = run.template.table("split")
    assert "temp" in ranges if run.of_bikes else "alcohol" in ranges
    assert all(number(row["minimum"]) < number(row["maximum"]) for row in ranges.values())
    first = run.template.printed("first-fit")
    assert first.count("OLS Regression Results") == 1
    assert re.search(rf"No\. Observations: +{train} ", first)


def test_inflation_and_elimination(run):
    shown = run.template.table("elimination")
    ranks = [int(number(row["rank"])) for row in shown.values() if row["rank"]]
    kept = declared(run.dataset).profiles["forecast"].feature_count
    assert ranks.count(1) == kept
    assert sorted(rank for rank in ranks if rank > 1) == [*range(2, len(ranks) - kept + 2)]
    assert all(row["VIF, kept columns"] for row in shown.values() if row["rank"] and int(number(row["rank"])) == 1)


def test_final_fit_and_its_interpretation(run):
    final = run.template.printed("final-fit")
    assert final.count("OLS Regression Results") == 1
    if run.data:
        assert f"R-squared:                       {'0.842' if run.of_bikes else '0.357'}" in final
    model = read_export(run.exports / "model.joblib")
    coefficients = run.template.table("coefficients")
    assert [*coefficients] == ["const", *model.selected]
    for name, value in zip(model.selected, model.coefficients, strict=True):
        assert number(coefficients[name]["coefficient"]) == pytest.approx(value, abs=0.006)
    assert "No column gives the answer away" in run.template.printed("interpretation")
    assert len(run.template.pictures("residuals")) == 1


def test_published_figures_are_reproduced_on_the_published_file(run):
    published = declared(run.dataset).published[0]
    shown = run.template.table("published-figures")
    assert [(name, row["published"]) for name, row in shown.items()] == [
        (one.label, one.published) for one in published.figures
    ]
    if run.data:
        judged = {one.label for one in published.figures if one.judged}
        assert {shown[label]["verdict"] for label in judged} == {"equal"}
        assert "; same file: yes" in run.template.printed("published")


def test_the_honest_model_stands_beside_the_published_one(run):
    shown = run.template.table("honest")
    published = f"published: {declared(run.dataset).published[0].profile}"
    given, scores = shown["target given away by"], shown["can score new rows"]
    assert (given["forecast"], scores["forecast"]) == ("nothing", "yes")
    if run.of_bikes:
        assert given[published] == "casual, registered"
        assert scores[published].startswith("no")
        assert (
            number(shown["R-squared, test rows"][published]) == 1 > number(shown["R-squared, rows to come"]["forecast"])
        )


def test_the_model_is_registered_with_its_card_and_approved(run):
    card = " ".join(run.template.printed("candidate").split())
    assert " ".join(declared(run.dataset).card.caveats.split())[:30] in card
    assert "Version 1: profile forecast" in run.template.printed("version")
    row = run.template.table("approval")["1"]
    assert (row["approval"], row["in_use"]) == ("Approved", "True")
    client = run.endpoint.client("sagemaker")
    versions = client.list_model_packages(ModelPackageGroupName=f"{run.prefix}-regression", SortOrder="Ascending")
    first = client.describe_model_package(ModelPackageName=versions["ModelPackageSummaryList"][0]["ModelPackageArn"])
    assert first["ModelApprovalStatus"] == "Approved"
    assert json.loads(first["ModelCard"]["ModelCardContent"])["intended_uses"]


def test_the_pipeline_is_deployed_and_an_upload_runs_it(run):
    steps = run.template.table("steps")
    assert {"training RegisterModel", "scoring SelectModel"} <= steps.keys()
    deployed = run.template.printed("deploy")
    assert f"+ pipeline             {run.prefix}-training\n" in deployed
    assert "+ bucket" not in deployed  # they were there already
    arn = run.template.printed("upload").split()[-1]
    described = run.endpoint.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionStatus"] == "Succeeded"
    progress = run.template.printed("progress").splitlines()
    for step in (
        "Preprocess",
        "Train",
        "Evaluate",
        "Transform",
        "RegisterModel",
        "PublishPredictions",
        "IngestFeatures",
    ):
        states = [line.split()[1] for line in progress if line.split()[:1] == [step]]
        assert states in (["running", "done"], ["done"]), step


def test_predictions_are_read_back_and_drawn(run):
    said = run.template.printed("predictions").split()
    bucket, _, key = said[-1].removeprefix("s3://").partition("/")
    written = pd.read_csv(run.endpoint.client("s3").get_object(Bucket=bucket, Key=key)["Body"])
    assert int(said[0]) == len(written)
    shown = [number(row["prediction"]) for row in run.template.table("predictions").values()]
    assert shown == pytest.approx(written["prediction"].head(5).tolist(), abs=0.006)
    assert len(run.template.pictures("predictions-figure")) == 1


def test_a_declaration_is_drafted(run):
    assert f'target = "{declared(run.dataset).target}"' in run.template.printed("own")


def test_coefficients_are_exported(run):
    model = read_export(run.exports / "model.pickle")
    assert model == read_export(run.exports / "model.joblib")
    shown = {name: number(row["coefficient"]) for name, row in run.export.table("params").items()}
    coefficients = dict(zip(model.selected, model.coefficients, strict=True))
    assert shown == pytest.approx({"const": model.intercept, **coefficients}, abs=0.006)
    assert {row["read back"] for row in run.export.table("files").values()} == {"the same"}


def test_an_export_predicts_new_data_without_any_of_the_rest(run):
    shown = run.predict.table("predict")
    assert len(shown) == 10
    for row in shown.values():
        # Figures have two digits here, or four where they are small.
        assert number(row["error"]) == pytest.approx(number(row["actual"]) - number(row["prediction"]), abs=0.011)
    words = declared(run.dataset).words
    assert run.predict.printed("compare").startswith(f"200 {words.row.many} predicted, 200 of them compared")
    for name in ("predictions-figure", "errors"):
        assert len(run.predict.pictures(name)) == 1


def test_a_changed_export_is_not_loaded(run, tmp_path):
    for name in ("model.pickle", "model.pickle.sha256"):
        (tmp_path / name).write_bytes((run.exports / name).read_bytes())
    content = bytearray((tmp_path / "model.pickle").read_bytes())
    content[-20] ^= 1
    (tmp_path / "model.pickle").write_bytes(content)
    with pytest.raises(NotebookError, match=r"cell load: ExportRefusedError: .* is not the file that was exported"):
        execute(PREDICT, variables={"EXPORT": str(tmp_path / "model.pickle")}, timeout=SECONDS)
