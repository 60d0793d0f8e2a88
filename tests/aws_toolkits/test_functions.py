"""The functions' zip under AWS's runtime interface client, which calls handlers in Lambda, and as plain programs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from pipeline.settings.contract import Function

pytestmark = [pytest.mark.aws_toolkits, pytest.mark.slow, pytest.mark.timeout(900)]

KEY = "raw/training/ü a+b.csv"
GROUP = "bikes"
EXECUTION = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/bikes/execution/abc123def456"
_API = "/2018-06-01/runtime/invocation"


class RuntimeApi:
    """Lambda's runtime API: hands out one event and takes the answer ("Using the Lambda runtime API", guide)."""

    def __init__(self, event: dict[str, Any]) -> None:
        self.answered = threading.Event()
        self.kind, self.answer = "", {}
        self._events = [event]
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path != f"{_API}/next" or not api._events:
                    api.answered.wait()
                    self.close_connection = True
                    return
                body = json.dumps(api._events.pop()).encode()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "request-1")
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + 60) * 1000)))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:1:function:f")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                api.kind, api.answer = self.path.rpartition("/")[2], json.loads(body)
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()
                api.answered.set()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self.answered.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def call(toolkits, bundle, tmp_path, moto_account) -> Callable[[Function, dict[str, Any]], tuple[str, dict[str, Any]]]:
    """Call a function out of the zip as Lambda does; how it ended, and its answer or error."""
    code = tmp_path / "task"
    with zipfile.ZipFile(io.BytesIO(bundle.functions)) as archive:
        archive.extractall(code)

    def invoke(function: Function, event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        api = RuntimeApi(event)
        host, port = api.server.server_address[:2]
        variables = {
            **os.environ,
            "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}",
            "LAMBDA_TASK_ROOT": str(code),
            "AWS_REGION": "us-east-1",
        }
        handler = f"{function.script.removesuffix('.py')}.handler"
        process = subprocess.Popen(
            [toolkits / "bin" / "python", "-m", "awslambdaric", handler], cwd=code, env=variables
        )
        try:
            assert api.answered.wait(120), "the function did not answer"
            return api.kind, api.answer
        finally:
            process.kill()
            process.wait()
            api.close()

    return invoke


@pytest.fixture
def account(moto_account) -> Any:
    """An account with a file, a registered model, and what a transform has left."""
    s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
    for bucket in ("raw", "artifacts", "predictions"):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket="raw", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="raw", Key=KEY, Body=b"a,b\n1,2\n")
    s3.put_object(Bucket="artifacts", Key="rows.csv", Body=b"date,actual,row_role\n2026-01-01,985,new\n")
    s3.put_object(Bucket="artifacts", Key="features.csv.out", Body=b"1.0,0.5,1.5")
    sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    container = {"Image": "image", "ModelDataUrl": "s3://artifacts/model.tar.gz"}
    sagemaker.create_model_package(
        ModelPackageGroupName=GROUP,
        ModelApprovalStatus="Approved",
        InferenceSpecification={"Containers": [container], "SupportedContentTypes": ["text/csv"]},
    )
    return s3


def as_program(function: Function, event: dict[str, Any]) -> dict[str, Any]:
    """Run the same script as a program; its answer."""
    import sys

    steps = Path(__file__).resolve().parents[2] / "steps"
    options = [f"--{name}={value}" for name, value in event.items()]
    done = subprocess.run(
        [sys.executable, steps / function.script, *options], capture_output=True, text=True, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return answer


def test_each_function_answers_under_awss_runtime_as_it_does_as_a_program(account, call):
    claim = {
        "bucket": "raw",
        "key": KEY,
        "execution-arn": EXECUTION,
        "claims-uri": "s3://artifacts/claims",
        "inputs-uri": "s3://artifacts/inputs",
    }
    kind, claimed = call(Function.CLAIM, claim)
    assert (kind, claimed["decision"]) == ("response", "process")
    again = as_program(Function.CLAIM, claim)
    assert {**again, "reason": ""} == {**claimed, "reason": ""}

    selection = {"model-package-group-name": GROUP, "execution-arn": EXECUTION}
    kind, selected = call(Function.SELECT_MODEL, selection)
    assert kind == "response"
    assert selected == as_program(Function.SELECT_MODEL, selection)

    publication = {
        "rows-uri": "s3://artifacts/rows.csv",
        "transform-uri": "s3://artifacts/features.csv.out",
        "claim-uri": claimed["claim_uri"],
        "predictions-uri": "s3://predictions",
        "profile": selected["profile"],
        "model-package-arn": selected["model_package_arn"],
        "execution-arn": EXECUTION,
        "claims-uri": "s3://artifacts/claims",
        "claim-name": claimed["name"],
    }
    kind, published = call(Function.PUBLISH, publication)
    assert kind == "response"
    key = published["predictions_uri"].removeprefix("s3://predictions/")
    bytes_of_the_function = account.get_object(Bucket="predictions", Key=key)["Body"].read()
    assert published == as_program(Function.PUBLISH, publication)
    assert account.get_object(Bucket="predictions", Key=key)["Body"].read() == bytes_of_the_function


def test_a_function_that_fails_says_why(account, call):
    kind, error = call(Function.SELECT_MODEL, {"model-package-group-name": "nobody"})
    assert kind == "error"
    assert error["errorType"] == "ModelError"
    assert "The model package group nobody has no approved version" in error["errorMessage"]
