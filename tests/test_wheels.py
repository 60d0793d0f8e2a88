"""The three distributions as others get them: built as wheels, installed elsewhere, used without the repository."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECTS = {"pipedef": ROOT / "packages" / "pipedef", "localmaker": ROOT / "packages" / "localmaker", "template": ROOT}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def run(*command: str | Path, cwd: Path, environment: Mapping[str, str] | None = None, code: int = 0) -> str:
    """Run a program outside the repository, with nothing of this process's environment but what it needs to start."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_", "HTTP"))}
    variables = {"PATH": os.environ["PATH"], "HOME": str(cwd), **kept, **(environment or {})}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Name of the project → its wheel, built from a copy of what git would check out."""
    folder = tmp_path_factory.mktemp("wheels")
    found = {}
    for name, project in PROJECTS.items():
        target = folder / name
        options = ["--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(target)]
        subprocess.run([sys.executable, "-m", "uv", "build", *options, str(project)], check=True)
        (found[name],) = target.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheels, tmp_path_factory):
    """installed(*names): the bin folder of a fresh environment that holds these wheels, at the locked versions."""

    def install(*names):
        prefix = tmp_path_factory.mktemp("environment") / "venv"
        uv = [sys.executable, "-m", "uv", "--quiet"]
        subprocess.run([*uv, "venv", "--python", sys.executable, str(prefix)], check=True)
        files = [str(wheels[name]) for name in names]
        lock = ["--constraint", str(ROOT / "requirements.lock")]
        subprocess.run([*uv, "pip", "install", "--python", str(prefix / "bin" / "python"), *lock, *files], check=True)
        return prefix / "bin"

    return install


@pytest.fixture
def elsewhere(tmp_path):
    """Variables of somebody whose home is empty, but for the environments that jobs run in: those take a minute."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "localmaker"
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "localmaker").symlink_to(cache)
    return {}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_wheels_hold_what_runs_and_nothing_else(wheels):
    names = {name: zipfile.ZipFile(wheel).namelist() for name, wheel in wheels.items()}
    assert "pipeline/_steps/run.sh" in names["template"]
    assert "pipeline/_steps/analysis/report/files/report.html.jinja" in names["template"]
    assert "pipeline/settings/environments/prod.toml" in names["template"]
    assert "pipeline/_standards/model_risk.toml" in names["template"]
    assert "localmaker/images/images.toml" in names["localmaker"]
    assert "localmaker/images/xgboost/training.py" in names["localmaker"]
    assert "localmaker/services/iam/actions.toml" in names["localmaker"]
    for files in names.values():
        assert not [file for file in files if "/tests/" in file or file.endswith(".pyc")]


def test_the_template_predicts_from_its_wheel(installed, tmp_path, elsewhere):
    bin_folder = installed("pipedef", "localmaker", "template")
    environment = {**elsewhere, "BIKESHARE_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
    bikeshare = bin_folder / "bikeshare"
    definition = run(bikeshare, "synth", "training", cwd=tmp_path, environment=environment)
    assert json.loads(definition)["Steps"]
    run(bikeshare, "validate", cwd=tmp_path, environment=environment)
    try:
        said = run(bikeshare, "demo", cwd=tmp_path, environment=environment)
        assert "730 rows" in said
        listed = json.loads(run(bikeshare, "predictions", "--json", cwd=tmp_path, environment=environment))
        assert listed["files"]
        run(bikeshare, "plan", cwd=tmp_path, environment=environment)  # exit code 0: nothing to change
    finally:
        run(bikeshare, "local", "down", cwd=tmp_path, environment=environment)


FOREIGN_USER = '''
import json, sys, time
import boto3

options = {
    "endpoint_url": sys.argv[1], "region_name": "us-east-1",
    "aws_access_key_id": "any", "aws_secret_access_key": "any",
}
s3, sagemaker = boto3.client("s3", **options), boto3.client("sagemaker", **options)
s3.create_bucket(Bucket="mine")
s3.put_object(Bucket="mine", Key="code/count.py", Body=b"""
from pathlib import Path
text = Path("/opt/ml/processing/data/words.txt").read_text()
Path("/opt/ml/processing/counted/count.txt").write_text(str(len(text.split())))
""")
s3.put_object(Bucket="mine", Key="data/words.txt", Body=b"four words stand here")
paths = {"code": "s3://mine/code/", "data": "s3://mine/data/"}
step = {
    "Name": "Count", "Type": "Processing",
    "Arguments": {
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}
        },
        "AppSpecification": {
            "ImageUri": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3",
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/code/count.py"],
        },
        "RoleArn": "arn:aws:iam::123456789012:role/any",
        "ProcessingInputs": [
            {"InputName": name, "S3Input": {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/{name}",
             "S3DataType": "S3Prefix", "S3InputMode": "File"}}
            for name, uri in paths.items()
        ],
        "ProcessingOutputConfig": {"Outputs": [
            {"OutputName": "counted", "S3Output": {"S3Uri": "s3://mine/out",
             "LocalPath": "/opt/ml/processing/counted", "S3UploadMode": "EndOfJob"}}
        ]},
    },
}
definition = json.dumps({"Version": "2020-12-01", "Steps": [step]})
sagemaker.create_pipeline(
    PipelineName="foreign", PipelineDefinition=definition, RoleArn="arn:aws:iam::123456789012:role/any",
    ClientRequestToken="a" * 32,
)
arn = sagemaker.start_pipeline_execution(PipelineName="foreign")["PipelineExecutionArn"]
status = "Executing"
while status == "Executing":
    time.sleep(0.2)
    status = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
assert status == "Succeeded", sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)
print(s3.get_object(Bucket="mine", Key="out/count.txt")["Body"].read().decode())
'''


def test_the_endpoint_alone_runs_somebody_elses_definition(installed, tmp_path, elsewhere):
    bin_folder = installed("pipedef", "localmaker")
    python, localmaker = bin_folder / "python", bin_folder / "localmaker"
    refused = run(python, "-c", "import pipeline", cwd=tmp_path, code=1)
    assert refused == ""
    user = tmp_path / "user.py"
    user.write_text(FOREIGN_USER, encoding="utf-8")
    run(localmaker, "up", "--detach", "--port", "0", cwd=tmp_path, environment=elsewhere)
    try:
        url = json.loads(run(localmaker, "status", "--json", cwd=tmp_path, environment=elsewhere))["url"]
        assert run(python, user, url, cwd=tmp_path, environment=elsewhere).strip() == "4"
    finally:
        run(localmaker, "down", cwd=tmp_path, environment=elsewhere)


def test_the_linter_alone_checks_a_file(installed, tmp_path):
    pipedef = installed("pipedef") / "pipedef"
    definition = tmp_path / "definition.json"
    fail = {"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Steps.Gone.Outcome"}}}
    definition.write_text(json.dumps({"Version": "2020-12-01", "Steps": [fail]}), encoding="utf-8")
    assert "Gone" in run(pipedef, "check", definition, cwd=tmp_path, code=1)
    assert shutil.which("localmaker", path=str(pipedef.parent)) is None
