"""Production works whole in subnets without a way out; without the libraries that jobs bring along, it says so."""

from __future__ import annotations

import json
import os
from unittest import mock

import pytest

from localmaker.daemon import running_endpoint
from pipeline.aws.clients import Aws
from pipeline.definition.bundle import build_bundle
from pipeline.demo.sample import write_sample
from pipeline.settings.environment import load_settings
from tests.end_to_end.conftest import Deployed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ENVIRONMENT = "prod"


@pytest.fixture(scope="module")
def prod(tmp_path_factory):
    """The environment in whose subnets no job needs the internet, deployed in the local endpoint's account."""
    with (
        running_endpoint(tmp_path_factory.mktemp("state"), no_egress=True) as endpoint,
        mock.patch.dict(os.environ, {**endpoint.environment(), "BIKESHARE_ACCOUNT_ID": "123456789012"}),
    ):
        settings = load_settings(ENVIRONMENT)
        yield Deployed(endpoint, settings, Aws(settings))


@pytest.fixture
def deployed(prod):
    """The same after a deployment, in which nothing is missing."""
    prod.command("deploy", "--env", ENVIRONMENT)
    return prod


@pytest.fixture
def wheels(deployed):
    """Keys of the wheels in the artifacts bucket."""
    return deployed.keys(deployed.settings.artifacts_bucket, f"{build_bundle().lock.prefix}/")


def remove(deployed, keys):
    for key in keys:
        deployed.aws.s3.delete_object(Bucket=deployed.settings.artifacts_bucket, Key=key)


def plan(deployed):
    done = deployed.command("plan", "--env", ENVIRONMENT, check=False)
    assert done.returncode == 2, done.stderr
    return done.stdout


def failed_first_job(deployed, key, body):
    """Upload a file; return the reason of its execution, of which just one job ran."""
    execution = deployed.run(key, body)
    assert execution.status == "Failed"
    assert len([step for step in execution.steps if step.job_name]) == 1
    return execution.explanation


def test_training_and_scoring_work_whole_where_only_aws_can_be_reached(deployed, sample_csv, tmp_path):
    trained = deployed.run("raw/training/day.csv", sample_csv)
    assert trained.status == "Succeeded", trained.explanation
    deployed.command("model", "approve", "1", "--env", ENVIRONMENT)
    body = write_sample(tmp_path / "next.csv", seed=7, rows=3, target=False).read_bytes()
    scored = deployed.run("raw/scoring/next.csv", body, "scoring")
    assert scored.status == "Succeeded", scored.explanation
    assert sorted(len(text.splitlines()) for text in deployed.predictions().values()) == [4, 731]


def test_with_one_missing_the_plan_names_it_and_the_first_job_fails_for_want_of_it(deployed, wheels, sample_csv):
    remove(deployed, [key for key in wheels if "wrapt-" in key])
    assert "wrapt==" in plan(deployed)
    reason = failed_first_job(deployed, "raw/training/one.csv", sample_csv)
    assert (
        "requirements.txt can't be installed from the input 'wheels': No matching distribution found for wrapt"
        in reason
    )
    assert "the command deploy puts it there" in reason


def test_with_all_of_them_missing_the_first_job_says_where_they_should_be(deployed, wheels, sample_csv):
    remove(deployed, wheels)
    assert f"+ wheels               {build_bundle().lock.prefix}" in plan(deployed)
    reason = failed_first_job(deployed, "raw/training/all.csv", sample_csv)
    folder = f"s3://{deployed.settings.artifacts_bucket}/{build_bundle().lock.prefix}/"
    assert f'No S3 objects found under S3 URL "{folder}"' in reason


def test_without_the_input_the_first_job_says_so(deployed, sample_csv):
    pipeline = deployed.settings.training_pipeline_name
    definition = deployed.aws.sagemaker.describe_pipeline(PipelineName=pipeline)["PipelineDefinition"]
    content = json.loads(definition, object_hook=without_wheels)
    deployed.aws.sagemaker.update_pipeline(PipelineName=pipeline, PipelineDefinition=json.dumps(content))
    reason = failed_first_job(deployed, "raw/training/none.csv", sample_csv)
    assert "the job has no input 'wheels' to install requirements.txt from, and asks no package index" in reason


def without_wheels(value):
    """Take the input out of a list of inputs."""
    for key in value.keys() & {"ProcessingInputs", "InputDataConfig"}:
        names = [(item, item.get("InputName") or item.get("ChannelName")) for item in value[key]]
        value[key] = [item for item, name in names if name != "wheels"]
    return value
