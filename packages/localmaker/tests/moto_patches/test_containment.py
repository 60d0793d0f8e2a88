"""A request runs nothing on this machine: neither what a template names, nor a container."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localmaker.daemon import EndpointHandle, running_endpoint

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


@pytest.mark.parametrize("operation", ["create_stack", "get_template_summary", "validate_template"])
@pytest.mark.parametrize("tag", ["object/apply:os.system", "object/new:os.system", "name:os.system", "module:os"])
def test_a_template_calls_nothing(
    endpoint: EndpointHandle, tmp_path: Path, unique: str, operation: str, tag: str
) -> None:
    template = f'Resources: {{}}\nDescription: !!python/{tag} ["touch {tmp_path}/ran"]\n'
    names = {} if operation in ("get_template_summary", "validate_template") else {"StackName": unique}

    with pytest.raises(ClientError) as refused:
        getattr(endpoint.client("cloudformation"), operation)(TemplateBody=template, **names)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert not (tmp_path / "ran").exists()


def test_a_template_with_functions_is_read(endpoint: EndpointHandle, unique: str) -> None:
    template = f"""
Parameters: {{Name: {{Type: String, Default: {unique}}}}}
Resources:
  Bucket: {{Type: AWS::S3::Bucket, Properties: {{BucketName: !Sub "${{Name}}-a"}}}}
  Queue: {{Type: AWS::SQS::Queue, Properties: {{QueueName: !Ref Name}}}}
Outputs: {{Arn: {{Value: !GetAtt Queue.Arn}}}}
"""
    client = endpoint.client("cloudformation")
    client.create_stack(StackName=unique, TemplateBody=template)
    (stack,) = client.describe_stacks(StackName=unique)["Stacks"]
    assert stack["Outputs"][0]["OutputValue"].endswith(f":{unique}")
    endpoint.client("s3").head_bucket(Bucket=f"{unique}-a")


def test_no_container_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., Any]
) -> None:
    path, asked = tmp_path / "docker.sock", threading.Event()
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(path))
        daemon.listen()

        def listen() -> None:
            connection, _ = daemon.accept()
            asked.set()
            connection.close()

        threading.Thread(target=listen, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        with running_endpoint(tmp_path / "state") as endpoint:
            batch = endpoint.client("batch")
            role = endpoint.client("iam").create_role(RoleName="batch", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
            compute = batch.create_compute_environment(
                computeEnvironmentName="compute", type="UNMANAGED", state="ENABLED", serviceRole=role
            )["computeEnvironmentArn"]
            order = [{"order": 1, "computeEnvironment": compute}]
            queue = batch.create_job_queue(
                jobQueueName="queue", state="ENABLED", priority=1, computeEnvironmentOrder=order
            )
            container = {"image": "alpine", "vcpus": 1, "memory": 128, "privileged": True, "command": ["true"]}
            definition = batch.register_job_definition(
                jobDefinitionName="definition", type="container", containerProperties=container
            )
            job = batch.submit_job(
                jobName="job", jobQueue=queue["jobQueueArn"], jobDefinition=definition["jobDefinitionArn"]
            )["jobId"]

            def ended() -> bool:
                return batch.describe_jobs(jobs=[job])["jobs"][0]["status"] in ("FAILED", "SUCCEEDED")

            eventually(ended)
        assert not asked.is_set()
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(path))  # the thread ends
