"""Every shipped environment, with its real definitions: deployed, planned again, removed, removed again."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from pipeline.aws.clients import Aws
from pipeline.cli import app
from pipeline.definition.bundle import build_bundle
from pipeline.deploy.compiled import compiled_definitions
from pipeline.deploy.engine.rendering import plan_as_json, print_next_steps
from pipeline.deploy.engine.resource import Action, Removal
from pipeline.deploy.operations import deploy_environment, destroy_environment, plan_environment
from pipeline.errors import DeploymentError
from pipeline.executions.costs import estimate
from pipeline.settings.contract import FLOWS
from pipeline.settings.environment import load_settings
from pipeline.settings.sections import Alarms

pytestmark = pytest.mark.xdist_group("deploy")
QUIET = Console(quiet=True)


@pytest.fixture
def clients(aws, environment):
    return Aws(environment)


def test_a_plan_after_deploy_is_empty_and_destroy_leaves_nothing(clients, environment):
    seen = plan_environment(environment, clients)
    assert {change.action for change in seen.changes} <= {Action.CREATE, Action.KEEP}
    with pytest.raises(DeploymentError, match=f"The plan is now {seen.identity}, not 000000000000"):
        deploy_environment(environment, clients, QUIET, approved="000000000000")
    assert plan_environment(environment, clients) == seen
    applied = deploy_environment(environment, clients, QUIET, approved=seen.identity)
    assert applied == seen
    after = plan_environment(environment, clients)
    assert deploy_environment(environment, clients, QUIET, approved=seen.identity) == after, "applied already"
    assert [
        (change.resource.name, change.differences) for change in after.changes if change.action is not Action.KEEP
    ] == []
    destroy_environment(environment, clients, QUIET, keep_data=False)
    left = [
        change.resource.name
        for change in plan_environment(environment, clients).changes
        if change.action is Action.KEEP
    ]
    assert left == []
    destroy_environment(environment, clients, QUIET, keep_data=False)


def test_a_replacement_is_asked_for(aws, monkeypatch):
    monkeypatch.setenv("BIKESHARE_PROJECT", "asks")
    settings = load_settings("local")
    clients = Aws(settings)
    deploy_environment(settings, clients, QUIET)
    table = clients.sagemaker.describe_feature_group(FeatureGroupName=settings.inputs_group_name)
    name = table["OfflineStoreConfig"]["DataCatalogConfig"]["TableName"]
    monkeypatch.setenv("BIKESHARE_FEATURES__OFFLINE_STORE", "false")
    for answer in ("n\n", ""):
        asked = CliRunner().invoke(app, ["deploy"], input=answer)
        assert isinstance(asked.exception, DeploymentError)
        groups = f"feature group {settings.inputs_group_name}, feature group {settings.outcomes_group_name}"
        assert str(asked.exception).startswith(
            f"Nothing was changed: nobody has agreed that this is replaced: {groups}"
        )
        assert "bikeshare deploy --env local --yes" in str(asked.exception)
        assert f"DESTRUCTIVE: feature group {settings.inputs_group_name} is replaced" in asked.output
    planned = json.loads(CliRunner().invoke(app, ["plan", "--json"]).stdout)
    assert (planned["destructive"], planned["empty"]) == (True, False)
    done = CliRunner().invoke(app, ["deploy", "--yes"])
    assert done.exit_code == 0, done.output
    assert "0 created, 1 changed, 2 replaced" in done.output
    assert plan_environment(load_settings("local"), clients).is_empty
    clients.glue.get_table(DatabaseName="sagemaker_featurestore", Name=name)
    monkeypatch.delenv("BIKESHARE_FEATURES__OFFLINE_STORE")
    identity = plan_environment(settings, clients).identity
    assert CliRunner().invoke(app, ["deploy", "--plan", identity]).exit_code == 0
    assert plan_environment(settings, clients).is_empty
    destroy_environment(settings, clients, QUIET, keep_data=False)
    with pytest.raises(clients.glue.exceptions.EntityNotFoundException):
        clients.glue.get_table(DatabaseName="sagemaker_featurestore", Name=name)


def test_data_is_kept_unless_told_otherwise(clients, environment):
    deploy_environment(environment, clients, QUIET)
    clients.s3.put_object(Bucket=environment.predictions_bucket, Key="predictions/dt=2026-01-01/x.csv", Body=b"date\n")
    shown = io.StringIO()
    console = Console(file=shown, width=200)
    came_of = destroy_environment(environment, clients, console, keep_data=True)
    with_data = {thing.kind for thing, removal in came_of if removal is Removal.HOLDS_DATA}
    assert with_data == {"bucket", "feature group", "code"}
    assert f"bucket               {environment.predictions_bucket}  (kept: it holds data)" in shown.getvalue()
    assert f"\n- bucket               {environment.raw_bucket}\n" in shown.getvalue()
    assert (
        f"Remove the data as well with: bikeshare destroy --env {environment.environment} --delete-data"
        in shown.getvalue()
    )
    kept = {
        change.resource.kind
        for change in plan_environment(environment, clients).changes
        if change.action is Action.KEEP
    }
    assert kept == {"bucket", "feature group", "code"}
    came_of = destroy_environment(environment, clients, console, keep_data=False)
    assert {removal for _, removal in came_of} == {Removal.REMOVED, Removal.ABSENT}
    again = destroy_environment(environment, clients, console, keep_data=False)
    assert {removal for _, removal in again} == {Removal.ABSENT}
    assert shown.getvalue().endswith(f"Destroyed: 0 removed, 0 kept, {len(again)} already gone.\n")


def test_another_account_is_refused(aws):
    settings = load_settings("dev")
    with pytest.raises(
        DeploymentError, match=r"belong to account 123456789012, but environment 'dev' is account 1111"
    ) as caught:
        plan_environment(settings, Aws(settings))
    assert (
        caught.value.hint == "To try this environment on the local endpoint: export BIKESHARE_ACCOUNT_ID=123456789012"
    )


def test_after_a_deployment_the_next_commands_can_be_copied(clients, environment):
    shown = io.StringIO()
    alarms = Alarms(emails=("you@example.com",))
    print_next_steps(environment.model_copy(update={"alarms": alarms}), clients, Console(file=shown, width=40))
    lines = shown.getvalue().splitlines()
    assert lines[0].endswith(f" s3 cp day.csv s3://{environment.raw_bucket}/raw/training/")
    assert f"--endpoint-url {clients.endpoint_url}" in lines[0]
    assert lines[1].endswith(environment.command("watch raw/training/day.csv"))
    assert lines[2].endswith(": you@example.com")


@pytest.mark.parametrize(
    ("function", "run", "command"),
    [
        ("apply_plan", deploy_environment, "deploy --env {}"),
        ("destroy", partial(destroy_environment, keep_data=False), "destroy --env {} --delete-data"),
    ],
)
def test_an_interrupted_command_says_on_one_line_how_to_go_on(clients, monkeypatch, function, run, command):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"pipeline.deploy.operations.{function}", interrupted)
    shown = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        run(clients.settings, clients, Console(file=shown, width=40))
    assert shown.getvalue().splitlines()[-1].endswith(f" bikeshare {command.format(clients.settings.environment)}")


def test_the_plan_in_the_documentation_is_the_one_that_is_printed():
    settings = load_settings("dev")
    page = (Path(__file__).parents[3] / "docs" / "deploying.md").read_text(encoding="utf-8")
    for flow, definition in compiled_definitions(settings, build_bundle(), FLOWS).items():
        expected, _, _ = str(estimate(definition, settings.region)).partition(" (estimate")
        assert f"A run of {settings.pipeline_name(flow)}: {expected} (estimate, prices as of …)" in page


def test_the_estimate_is_printed_without_an_account(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    settings = load_settings("dev")
    definition = compiled_definitions(settings, build_bundle(), ["scoring"])["scoring"]
    done = CliRunner().invoke(app, ["synth", "scoring", "--env", "dev", "--estimate"])
    assert done.output == f"{estimate(definition, settings.region)}\n"


def test_every_shipped_environment_has_a_price(environment):
    for definition in compiled_definitions(environment, build_bundle(), FLOWS).values():
        found = estimate(definition, environment.region)
        assert found.dollars is not None
        assert 0 < found.dollars < 1
        assert str(found).endswith(f"(estimate, prices as of {found.as_of})")


def test_three_jobs_start_before_the_predictions_of_training_and_two_before_those_of_scoring(environment):
    found = {
        flow: estimate(definition, environment.region).predictions
        for flow, definition in compiled_definitions(environment, build_bundle(), FLOWS).items()
    }
    assert {flow: path.job_starts for flow, path in found.items()} == {"training": 3, "scoring": 2}
    assert str(found["training"]) == "about 13 min (3 job starts)"
    assert str(found["scoring"]) == "about 9 min (2 job starts)"


def test_the_plan_for_scripts_has_the_way_to_the_predictions(clients, environment):
    runs = plan_as_json(plan_environment(environment, clients), environment.region)["runs"]
    for flow, definition in compiled_definitions(environment, build_bundle(), FLOWS).items():
        found, run = estimate(definition, environment.region), runs[environment.pipeline_name(flow)]
        assert (run["seconds"], run["jobs"]) == (found.whole.seconds, found.jobs)
        assert run["seconds_to_predictions"] == found.predictions.seconds
        assert run["job_starts_to_predictions"] == found.predictions.job_starts
