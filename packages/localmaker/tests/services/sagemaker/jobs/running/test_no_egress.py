"""``--no-egress``: jobs with a VpcConfig reach the endpoint and nothing else; all others have the machine's network."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.services.egress import ONLY_THE_ENDPOINT, PROBE
from tests.services.sagemaker.jobs.conftest import BUCKET, IMAGE, Jobs, RemoteJobs

from localmaker.daemon import EndpointHandle, running_endpoint
from localmaker.errors import EndpointStartError
from localmaker.sandbox.network import Door
from localmaker.sandbox.sandbox import Isolation
from localmaker.services.sagemaker.jobs.kinds import JobKind

VPC = {"SecurityGroupIds": ["sg-0123456789abcdef0"], "Subnets": ["subnet-0123456789abcdef0"]}
INSTALLING: dict[str, Any] = {"Environment": {"PIP_NO_BUILD_ISOLATION": "0"}}
OUT = "/opt/ml/processing/output/out/seen.json"


@pytest.fixture(scope="module")
def confined(confining: EndpointHandle) -> RemoteJobs:
    found = RemoteJobs(confining.url, "confined")
    found.s3.create_bucket(Bucket=BUCKET)
    return found


def seen_by_processing(jobs: RemoteJobs, port: int, **fields: Any) -> dict[str, bool]:
    name = jobs.name()
    jobs.put(f"{name}/code/look.py", f"{PROBE}json.dump(look({port}), open('{OUT}', 'w'))\n")
    run = "python3 /opt/ml/processing/input/code/look.py"
    description = jobs.process(run, inputs={"code": f"s3://{BUCKET}/{name}/code/"}, **fields)
    name = description["ProcessingJobName"]
    assert description["ProcessingJobStatus"] == "Completed", jobs.log(JobKind.PROCESSING, name)
    found: dict[str, bool] = json.loads(jobs.read(f"{name}/out/seen.json"))
    return found


def test_a_processing_job_reaches_nothing_but_the_endpoint(confined: RemoteJobs, other_port: int) -> None:
    assert seen_by_processing(confined, other_port, NetworkConfig={"VpcConfig": VPC}) == ONLY_THE_ENDPOINT


def test_an_isolated_one_does_not_reach_that_either(confined: RemoteJobs, other_port: int) -> None:
    network = {"VpcConfig": VPC, "EnableNetworkIsolation": True}
    assert not any(seen_by_processing(confined, other_port, NetworkConfig=network).values())


@pytest.mark.parametrize("fields", [{}, {"NetworkConfig": {"EnableNetworkIsolation": False}}])
def test_a_job_without_a_vpc_has_the_machines_network(
    confined: RemoteJobs, other_port: int, fields: dict[str, Any]
) -> None:
    seen = seen_by_processing(confined, other_port, **fields)
    assert seen["endpoint"]
    assert seen["another port"]


def test_without_the_mode_a_vpc_changes_nothing(remote: RemoteJobs, other_port: int) -> None:
    assert seen_by_processing(remote, other_port, NetworkConfig={"VpcConfig": VPC})["another port"]


def test_a_training_job_reaches_nothing_but_the_endpoint(confined: RemoteJobs, other_port: int) -> None:
    program = f"{PROBE}json.dump(look({other_port}), open('/opt/ml/model/seen.json', 'w'))\n"
    program += "import boto3\nassert boto3.client('s3').list_buckets()['Buckets']\n"
    description = confined.train({"train.py": program}, VpcConfig=VPC)
    assert description["TrainingJobStatus"] == "Completed", description["FailureReason"]
    key = description["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{BUCKET}/")
    with tarfile.open(fileobj=io.BytesIO(confined.read(key))) as files:
        member = files.extractfile("seen.json")
        assert member is not None
        assert json.load(member) == ONLY_THE_ENDPOINT


def test_the_server_of_a_model_in_a_vpc_reaches_nothing_but_the_endpoint(confined: RemoteJobs, other_port: int) -> None:
    program = (
        f"{PROBE}\ndef model_fn(folder):\n    return look({other_port})\n"
        "def transform_fn(model, body, kind, accept):\n    return json.dumps(model), 'text/csv'\n"
    )
    for fields, expected in [({"VpcConfig": VPC, **INSTALLING}, ONLY_THE_ENDPOINT), ({}, None)]:
        model = confined.create_model({"code/inference.py": program}, **fields)
        description = confined.run(
            JobKind.TRANSFORM, confined.transform_request(model, confined.put(f"{model}/x.csv", "1\n"))
        )
        assert description["TransformJobStatus"] == "Completed", description.get("FailureReason")
        [answer] = confined.outputs(description).values()
        assert json.loads(answer) == expected or (expected is None and json.loads(answer)["another port"])


OUT_THROUGH_A_SOCKET = """
import os, socket

def model_fn(folder):
    tried, reached = 0, 0
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        try:
            inherited = socket.socket(fileno=os.dup(descriptor))
        except OSError:
            continue
        tried += 1
        try:
            inherited.shutdown(socket.SHUT_RDWR)
            inherited.connect(("127.0.0.1", {}))
            reached += 1
        except (OSError, TypeError):
            pass
    print("sockets:", tried, "reached:", reached, flush=True)
    os._exit(1)
"""


@pytest.mark.parametrize("fields", [{"VpcConfig": VPC}, {"EnableNetworkIsolation": True}])
def test_the_servers_own_socket_is_no_way_out(confined: RemoteJobs, other_port: int, fields: dict[str, Any]) -> None:
    program = {"code/inference.py": OUT_THROUGH_A_SOCKET.format(other_port)}
    model = confined.create_model(program, **fields, **INSTALLING)
    request = confined.transform_request(model, confined.put(f"{model}/x.csv", "1\n"))
    description = confined.run(JobKind.TRANSFORM, request)
    assert "sockets: 1 reached: 0" in confined.log(JobKind.TRANSFORM, description["TransformJobName"])


def test_a_server_that_would_fetch_setuptools_dies(confined: RemoteJobs) -> None:
    files = {"code/inference.py": "def model_fn(folder):\n    return 1\n"}
    model = confined.create_model(files, VpcConfig=VPC, Environment={"PIP_RETRIES": "0"})
    request = confined.transform_request(model, confined.put(f"{model}/x.csv", "1\n"))
    description = confined.run(JobKind.TRANSFORM, request)
    assert "set PIP_NO_BUILD_ISOLATION=0 in the model's Environment" in description["FailureReason"]


def test_requirements_are_not_fetched_for_it(confined: RemoteJobs) -> None:
    description = confined.train(
        {"train.py": "import tomli_w\n", "requirements.txt": "tomli-w==1.2.0\n"},
        VpcConfig=VPC,
        Environment={"PIP_RETRIES": "0"},
    )
    assert description["TrainingJobStatus"] == "Failed"
    assert "No matching distribution found for tomli-w" in confined.log(
        JobKind.TRAINING, description["TrainingJobName"]
    )


def wheel() -> bytes:
    """Return a wheel of one module."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("brought.py", "VALUE = 7\n")
        files.writestr("brought-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: brought\nVersion: 1.0\n")
        tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        files.writestr("brought-1.0.dist-info/WHEEL", tags)
        files.writestr("brought-1.0.dist-info/RECORD", "")
    return archive.getvalue()


def test_it_installs_the_wheels_that_it_brings(confined: RemoteJobs) -> None:
    content = wheel()
    lock = f"brought==1.0 --hash=sha256:{hashlib.sha256(content).hexdigest()}\n"
    confined.put("brought/wheels/brought-1.0-py3-none-any.whl", content)
    confined.put("brought/code/requirements.txt", lock)
    folders = {name: f"s3://{BUCKET}/brought/{name}/" for name in ("code", "wheels")}

    def install(root: str) -> str:
        return (
            f"cd {root}; pip install -q --no-index --find-links wheels --require-hashes -r code/requirements.txt "
            "&& python3 -c 'import brought; print(brought.VALUE)'"
        )

    processed = confined.process(
        install("/opt/ml/processing/input"), inputs=folders, NetworkConfig={"VpcConfig": VPC}, outputs=()
    )
    assert processed["ProcessingJobStatus"] == "Completed"
    algorithm = {
        "TrainingImage": IMAGE,
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["/bin/bash", "-c", install("/opt/ml/input/data")],
    }
    trained = confined.train(channels=folders, AlgorithmSpecification=algorithm, VpcConfig=VPC)
    assert trained["TrainingJobStatus"] == "Completed"
    for kind, name in [
        (JobKind.PROCESSING, processed["ProcessingJobName"]),
        (JobKind.TRAINING, trained["TrainingJobName"]),
    ]:
        assert "7" in confined.log(kind, name).splitlines()


def test_a_job_that_would_reach_more_is_refused(make_jobs: Any) -> None:
    jobs: Jobs = make_jobs(isolation=Isolation.NONE, door=Door(1, lambda _: lambda: None))
    description = jobs.process("true", NetworkConfig={"VpcConfig": VPC})
    assert description["ProcessingJobStatus"] == "Failed"
    assert "it has a VpcConfig, which has no effect without a sandbox" in description["FailureReason"]
    assert jobs.process("true")["ProcessingJobStatus"] == "Completed"


def test_an_endpoint_that_could_not_keep_it_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALMAKER_SANDBOX", "none")
    with (
        pytest.raises(EndpointStartError, match="without it VpcConfig has no effect"),
        running_endpoint(tmp_path, no_egress=True),
    ):
        pass


def test_nothing_of_an_ended_job_stays_open(confined: RemoteJobs, confining: EndpointHandle) -> None:
    def listeners() -> list[Any]:
        return [one for one in endpoint.net_connections() if one.status == psutil.CONN_LISTEN]

    endpoint = psutil.Process(confining.running.pid)
    before = endpoint.num_fds()
    for _ in range(4):
        confined.process("true", NetworkConfig={"VpcConfig": VPC}, outputs=())
    assert endpoint.num_fds() < before + 4
    assert len(listeners()) == 1
