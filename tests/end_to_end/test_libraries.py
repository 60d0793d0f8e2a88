"""Production works whole in subnets without a way out; without the libraries that jobs bring along, it says so.

The steps need none beside the image's, so these tests deploy a copy of the project in which they need two.
"""

from __future__ import annotations

import json
import os
import shutil
from unittest import mock

import pytest

from localmaker.daemon import running_endpoint
from pipeline.aws.clients import Aws
from pipeline.demo.sample import write_sample
from pipeline.settings.environment import load_settings
from pipeline.step_code import Lock
from tests.end_to_end.conftest import ROOT, Deployed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ENVIRONMENT = "prod"
LOCK = """\
colorlog==6.12.0 \\
    --hash=sha256:2a7924c1dadf18b22a0eb8b06d1c7b01d5341707ec1641eb6fcc4fde0c3e8e5f \\
    --hash=sha256:30d392604e9110045a2c2aeefc27d7a017abbab63f3a8aee594eac0801df784e
patsy==1.0.3 \\
    --hash=sha256:79ebf4c93ff4d296e58a9d5be2b2ee31bd49d737cf11d70ffbd8a44b2de42e65 \\
    --hash=sha256:d3dbebe8fd5f46e29912d030b63c6268647b59bf788a99e2af28a30234cf357c
"""


@pytest.fixture(scope="module")
def prod(tmp_path_factory):
    """The environment in whose subnets no job needs the internet, deployed in the local endpoint's account."""
    project = tmp_path_factory.mktemp("project")
    for folder in ("pipeline", "steps", "datasets"):
        shutil.copytree(ROOT / folder, project / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (project / "steps" / "requirements.txt").write_text(LOCK, encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(project), os.environ.get("PYTHONPATH")]))
    copied = {"PYTHONPATH": path, "PYTHONSAFEPATH": "1", "BIKESHARE_ACCOUNT_ID": "123456789012"}
    with (
        running_endpoint(tmp_path_factory.mktemp("state"), no_egress=True) as endpoint,
        mock.patch.dict(os.environ, {**endpoint.environment(), **copied}),
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
    return deployed.keys(deployed.settings.artifacts_bucket, f"{Lock.of(LOCK).prefix}/")


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
    remove(deployed, [key for key in wheels if "patsy-" in key])
    assert "patsy==" in plan(deployed)
    reason = failed_first_job(deployed, "raw/training/one.csv", sample_csv)
    assert (
        "requirements.txt can't be installed from the input 'wheels': No matching distribution found for patsy"
        in reason
    )
    assert "the command deploy puts it there" in reason


def test_with_all_of_them_missing_the_first_job_says_where_they_should_be(deployed, wheels, sample_csv):
    remove(deployed, wheels)
    assert f"+ wheels               {Lock.of(LOCK).prefix}" in plan(deployed)
    reason = failed_first_job(deployed, "raw/training/all.csv", sample_csv)
    folder = f"s3://{deployed.settings.artifacts_bucket}/{Lock.of(LOCK).prefix}/"
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
