"""Commands of the registry, run as a user runs them, on versions with small archives and evaluations."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
import tarfile
from unittest import mock

import pytest
from typer.testing import CliRunner

from analysis.model.artefact import Bounds, LinearModel
from localmaker.daemon import running_endpoint
from pipeline.aws.clients import Aws
from pipeline.cli import app
from pipeline.results import decisions
from pipeline.results.registry import versions
from pipeline.settings.environment import load_settings

GROUPS = (f"bikes-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    with (
        running_endpoint(tmp_path_factory.mktemp("state")) as endpoint,
        mock.patch.dict(os.environ, {**endpoint.environment(), "NO_COLOR": "1", "COLUMNS": "80"}),
    ):
        clients = Aws(load_settings("local"))
        clients.s3.create_bucket(Bucket="models")
        yield clients


@pytest.fixture
def group(aws):
    """Return a group of its own: numbers of versions are not used again."""
    name = next(GROUPS)
    aws.sagemaker.create_model_package_group(ModelPackageGroupName=name)
    return name


def model(profile: str = "forecast", slope: float = 900.0, selected: tuple[str, ...] = ("temp",)) -> LinearModel:
    size = len(selected) + 1
    return LinearModel(
        profile=profile,
        target="cnt",
        input_columns=selected,
        selected=selected,
        intercept=100.0,
        coefficients=(slope,) * len(selected),
        bounds={"temp": Bounds(10.0, 20.0)} if "temp" in selected else {},
        residual_variance=1.0,
        residual_degrees_of_freedom=50,
        covariance=((0.0,) * size,) * size,
        interval_level=0.95,
        t_quantile=2.0,
        provenance={"data_sha256": "d" * 64},
    )


def evaluation(rmse: float, previous: dict | None = None) -> dict:
    test = {"r2": 0.8, "adjusted_r2": 0.79, "rmse": rmse, "mae": rmse / 2, "mape": None}
    return {
        "test": test,
        "validation": {"chronological": {"r2": 0.5, "rmse": 2 * rmse, "mae": rmse}, "rolling": {"r2": None}},
        "data": {"file": "raw/training/day.csv", "sha256": "abcdef" * 10, "rows": {"used": 700}},
        "previous_model": previous or {"status": "none", "reason": "no version is in use yet"},
    }


@pytest.fixture
def register(aws, group):
    def add(of: LinearModel | None = None, evaluated: dict | None = None, *, to: str = group, **properties: str) -> str:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            body = (of or model()).to_json().encode()
            member = tarfile.TarInfo("model.json")
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
        key = f"{to}/{os.urandom(4).hex()}"
        aws.s3.put_object(Bucket="models", Key=f"{key}/model.tar.gz", Body=packed.getvalue())
        aws.s3.put_object(
            Bucket="models", Key=f"{key}/evaluation.json", Body=json.dumps(evaluated or evaluation(700.0)).encode()
        )
        statistics = {"ContentType": "application/json", "S3Uri": f"s3://models/{key}/evaluation.json"}
        return aws.sagemaker.create_model_package(
            ModelPackageGroupName=to,
            ModelApprovalStatus="PendingManualApproval",
            CustomerMetadataProperties=properties or {"profile": "forecast"},
            ModelMetrics={"ModelQuality": {"Statistics": statistics}},
            InferenceSpecification={
                "Containers": [{"Image": "i", "ModelDataUrl": f"s3://models/{key}/model.tar.gz"}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )["ModelPackageArn"]

    return add


@pytest.fixture
def run(group):
    """Run a command; return what it writes to standard output."""

    def command(*arguments: str, name: str = group) -> str:
        done = CliRunner().invoke(app, ["model", *arguments, "--group", name])
        assert done.exit_code == 0, done.output
        return done.stdout

    return command


@pytest.fixture
def refused(group):
    """Run a command as a process that nobody can answer; return why it refuses."""

    def command(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "model", *arguments, "--group", group],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 9, done.stdout + done.stderr
        return " ".join(done.stderr.split())

    return command


def test_an_older_version_that_is_approved_is_in_use(register, run, refused):
    register(), register()
    assert run("approve", "2").strip() == "Version 2 is Approved and in use."
    assert run("approve", "1", "--reason", "simpler").strip() == "Version 1 is Approved and in use."
    second, first = json.loads(run("list", "--json"))
    assert (second["version"], second["in_use"], first["version"], first["in_use"]) == (2, False, 1, True)
    assert (first["reason"], first["properties"]["scores-new-rows"]) == ("simpler", "yes")
    assert json.loads(run("rollback", "--json"))["instead_of"] == 1
    assert "none before it to go back to" in refused("rollback")


def test_the_list_says_which_is_in_use_and_why_in_80_columns(register, aws, run):
    first = register(evaluated=evaluation(700.0))
    previous = {
        "status": "compared", "version": 1, "model_package_arn": first, "difference": {"rmse": -35.25},
        "verdict": "better", "difference_intervals": {"rmse": [-60.5, -9.75]},
    }  # fmt: skip
    register(evaluated=evaluation(664.75, previous))
    register(
        model("parity", selected=("casual", "registered")), **{"profile": "parity", "scores-new-rows": "no: casual"}
    )
    register()
    run("approve", "2", "--reason", "holidays are right")
    run("reject", "1", "--reason", "too [high] on Mondays")
    text = run("list")
    assert max(map(len, text.splitlines())) <= 80
    (arrow,) = [line.split() for line in text.splitlines() if "→" in line]
    assert arrow[:4] == ["→", "2", "in", "use"]
    joined = " ".join(text.split())
    for said in ("“holidays are right”", "“too [high] on Mondays”", "rejected", "pending", "profile forecast"):
        assert said in joined
    assert "data abcdefabcdef" in joined
    assert "R-squared 0.8, RMSE" in joined
    words = joined.replace("\n", " ")
    assert "needs casual" in words
    assert "\N{MINUS SIGN}35.25" in words
    assert "to \N{MINUS SIGN}9.75" in words


def test_nothing_is_registered_or_in_use(register, run):
    assert "No version is registered yet" in run("list")
    register()
    assert "No version is in use. Put one in use: bikeshare model approve VERSION --group" in run("list")


def test_plots_of_a_card_are_no_figures_of_the_list(group, aws, run):
    """Whoever registers by hand without an evaluation has a card whose first entry has plots only."""
    plot = {"name": "Coefficients", "type": "bar_chart", "value": [1.5, -2.0], "x_axis_name": ["a", "b"]}
    figures = [{"name": "R-squared", "type": "number", "value": 0.5}, plot]
    for metrics in ([plot], figures):
        entry = {"name": "Plots", "metric_groups": [{"name": "Plots", "metric_data": metrics}]}
        content = json.dumps({"evaluation_details": [entry]})
        aws.sagemaker.create_model_package(
            ModelPackageGroupName=group, ModelCard={"ModelCardContent": content, "ModelCardStatus": "PendingReview"}
        )
    assert "R-squared 0.5" in run("list")
    assert [version["metrics"] for version in json.loads(run("list", "--json"))] == [{"R-squared": 0.5}, {}]


def test_a_version_that_does_not_say_whether_it_scores_is_looked_into(group, register, refused):
    register(model("parity", selected=("casual", "registered")), profile="parity")
    said = refused("approve", "1")
    assert f"Version 1 of {group} (profile parity) can't be put in use: it takes casual" in said
    assert "never known in advance" in said
    assert f"list them: bikeshare model list --group {group}" in said


def test_a_version_without_a_readable_archive_is_not_put_in_use(register, aws, refused):
    arn = register()
    uri = aws.sagemaker.describe_model_package(ModelPackageName=arn)["InferenceSpecification"]["Containers"][0]
    aws.s3.put_object(Bucket="models", Key=uri["ModelDataUrl"].removeprefix("s3://models/"), Body=b"nothing")
    assert "Version 1 can't be used" in refused("approve", "1")
    aws.s3.delete_object(Bucket="models", Key=uri["ModelDataUrl"].removeprefix("s3://models/"))
    assert "Version 1 can't be used: there is no s3://models/" in (said := refused("approve", "1"))
    assert "Choose another version." in said


def test_a_rejection_has_a_reason(group, register, run):
    register()
    done = CliRunner().invoke(app, ["model", "reject", "1", "--reason", " ", "--group", group])
    assert done.exit_code == 2
    assert json.loads(run("list", "--json"))[0]["approval"] == "PendingManualApproval"


@pytest.mark.parametrize("command", ["reject", "delete"])
def test_what_scores_now_is_looked_up_afterwards(group, register, aws, run, command):
    """Somebody approves another version between question and answer."""
    reason = ("--reason", "wrong") if command == "reject" else ()
    first, _ = register(), register()
    run("approve", "2")
    consequence = decisions.consequence

    def meanwhile(*arguments):
        found = consequence(*arguments)
        aws.sagemaker.update_model_package(ModelPackageArn=first, ModelApprovalStatus="Approved")
        return found

    with mock.patch.object(decisions, "consequence", meanwhile):
        assert "Version 1 is in use now." in run(command, "2", *reason, "--yes")


@pytest.mark.parametrize(
    ("command", "done"), [("reject", "Version 2 is Rejected."), ("delete", "Version 2 is deleted.")]
)
def test_taking_the_version_in_use_away_asks(register, command, done, run, refused):
    reason = ("--reason", "wrong") if command == "reject" else ()
    register(), register()
    run("approve", "1"), run("approve", "2")
    said = refused(command, "2", *reason)
    assert "Version 2 is in use. Without it, version 1 (profile forecast) scores." in said
    assert "Nothing was changed: nobody is there to ask." in said
    assert "add --yes" in said
    assert json.loads(run("list", "--json"))[0]["in_use"]
    assert run(command, "2", *reason, "--yes").strip() == f"{done} Version 1 is in use now."
    answer = json.loads(run(command, "1", *reason, "--yes", "--json"))
    assert (answer["version"], answer["scores_now"]) == (1, None)


def test_whoever_sits_at_a_terminal_is_asked(group, register, run):
    register()
    run("approve", "1")
    ours, theirs = os.openpty()
    outcomes = []
    for answer in (b"n\n", b"y\n"):
        os.write(ours, answer)
        command = [sys.executable, "-m", "pipeline", "model", "delete", "1", "--group", group]
        outcomes.append(subprocess.run(command, capture_output=True, text=True, check=False, stdin=theirs))
    declined, agreed = outcomes
    assert (declined.returncode, declined.stdout.strip()) == (1, "")
    assert "Without it, nothing scores" in declined.stderr
    assert agreed.stdout.strip() == "Version 1 is deleted. No version is in use."
    os.close(ours)
    os.close(theirs)


def test_what_is_not_in_use_is_taken_away_without_a_question(register, run):
    register()
    assert run("reject", "1", "--reason", "wrong").strip() == "Version 1 is Rejected."
    assert run("delete", "1").strip() == "Version 1 is deleted."


def test_a_rejection_needs_a_reason(register):
    register()
    done = CliRunner().invoke(app, ["model", "reject", "1"])
    assert done.exit_code == 2
    assert "--reason" in done.stderr


def test_without_a_group_it_is_that_of_the_environment(aws, group, register):
    name = aws.settings.model_package_group_name
    aws.sagemaker.create_model_package_group(ModelPackageGroupName=name)
    register()
    register(to=name)
    done = CliRunner().invoke(app, ["model", "approve", "1"])
    assert done.stdout.strip() == "Version 1 is Approved and in use."
    in_use = [version.in_use for of in (name, group) for version in versions(aws, of)]
    assert in_use == [True, False]


def test_two_versions_side_by_side(register, aws, run):
    first = register(model(slope=900.0), evaluation(700.0), **{"profile": "forecast", "git-commit": "a" * 40})
    previous = {
        "status": "compared", "version": 1, "model_package_arn": first, "difference": {"rmse": 50.5},
        "verdict": "no difference that these rows can show", "difference_intervals": {"rmse": [-3.5, 99.0]},
    }  # fmt: skip
    other = model(slope=500.0, selected=("temp", "holiday"))
    register(other, evaluation(750.5, previous), **{"profile": "forecast", "git-commit": "b" * 40})
    text = run("compare", "1", "2")
    assert max(map(len, text.splitlines())) <= 80
    lines = {line.split("  ")[0].strip(): line.split() for line in text.splitlines()}
    assert lines["git commit"][2:] == ["aaaaaaaaaaaa…", "bbbbbbbbbbbb…", "differs"]
    assert lines["profile"] == ["profile", "forecast", "forecast"]
    assert lines["RMSE, test rows"][-3:] == ["700", "750.5", "+50.5"]
    # For one degree: the scaler's range is ten degrees.
    assert lines["temp"] == ["temp", "90", "50", "\N{MINUS SIGN}40"]
    assert lines["holiday"] == ["holiday", "\N{EN DASH}", "500"]
    assert lines["intercept"] == ["intercept", "-800", "-400", "+400"]
    assert "On the same rows, version 2: no difference from version 1 that these rows can" in text
    found = json.loads(run("compare", "2", "1", "--json"))
    assert (found["left"], found["right"], found["challenge"]["challenger"]) == (2, 1, 2)
    assert {"name": "temp", "left": 50.0, "right": 90.0, "difference": 40.0} in found["coefficients"]


def test_a_version_whose_evaluation_is_gone_is_listed_and_compared(register, aws, run):
    for arn in (register(), register()):
        metrics = aws.sagemaker.describe_model_package(ModelPackageName=arn)["ModelMetrics"]
        uri = metrics["ModelQuality"]["Statistics"]["S3Uri"]
        aws.s3.delete_object(Bucket="models", Key=uri.removeprefix("s3://models/"))
    assert "profile forecast" in " ".join(run("list").split())
    assert "intercept" in run("compare", "1", "2")
