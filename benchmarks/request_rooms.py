"""Count the modules of the local endpoint that a request crosses, and the returns from one to another.

``python -m benchmarks.request_rooms`` runs an endpoint in this process and traces every thread that works for a
request: one PutObject into a plain bucket, one into a bucket whose events a rule sends to a queue, one processing job
(CreateProcessingJob until it is Completed) and one pipeline execution with one Processing step. A room is a module in
which at least one function runs. A return is counted where a function ends and control goes back to another room.
``--package pipeline.local`` traces the endpoint as it was before it became a package of its own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

_BUCKET = "rooms"
_NOTIFYING_BUCKET = "rooms-with-events"
_ROLE = "arn:aws:iam::123456789012:role/rooms"
_QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:rooms"
_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
# Work that goes on after the answer, such as delivering an event, is part of the request.
_SETTLE_SECONDS = 1.0
_POLL_SECONDS = 0.2


@dataclass
class Crossing:
    """The rooms that one piece of work crossed.

    Attributes:
        calls: function calls by module.
        returns: how often control went back from one module to another.
        functions: how many functions returned in all.
    """

    calls: Counter[str] = field(default_factory=Counter)
    returns: int = 0
    functions: int = 0

    @property
    def folders(self) -> set[str]:
        """The packages that the modules are in."""
        return {name.rpartition(".")[0] for name in self.calls}


@contextmanager
def traced(package: str) -> Iterator[Crossing]:
    """Trace the functions of a package in all threads.

    Args:
        package: its dotted name.
    """
    crossing = Crossing()
    prefix = f"{package}."
    stacks: dict[int, list[str]] = {}

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        if event not in ("call", "return"):
            return
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(prefix):
            return
        stack = stacks.setdefault(threading.get_ident(), [])
        if event == "call":
            crossing.calls[module] += 1
            stack.append(module)
        elif stack:  # otherwise the function began before the trace did
            stack.pop()
            crossing.functions += 1
            crossing.returns += bool(stack) and stack[-1] != module

    threading.setprofile_all_threads(profile)
    try:
        yield crossing
    finally:
        threading.setprofile_all_threads(None)


def main(arguments: list[str] | None = None) -> int:
    """Trace and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.request_rooms",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--package", default="localmaker", help="dotted name of the endpoint (default: localmaker)")
    parser.add_argument("--modules", action="store_true", help="list the modules with their calls")
    parser.add_argument("--only", default="", help="works with this word in their names, as in PutObject")
    options = parser.parse_args(arguments)
    endpoint_module = importlib.import_module(f"{options.package}.endpoint")
    with tempfile.TemporaryDirectory() as folder:
        endpoint = endpoint_module.Endpoint(Path(folder) / "state")
        endpoint.start()
        try:
            works = _works(endpoint)
            for name, work in works.items():
                if options.only not in name:
                    continue
                work()  # once untraced: caches fill, images are made
                time.sleep(_SETTLE_SECONDS)
                with traced(options.package) as crossing:
                    work()
                    time.sleep(_SETTLE_SECONDS)
                sys.stdout.write(_line(name, crossing))
                if options.modules:
                    sys.stdout.writelines(f"    {module} {count}\n" for module, count in sorted(crossing.calls.items()))
        finally:
            endpoint.close()
    return 0


def _line(name: str, crossing: Crossing) -> str:
    return (
        f"{name}: {len(crossing.calls)} modules in {len(crossing.folders)} folders, "
        f"{crossing.returns} returns between modules, {crossing.functions} function returns\n"
    )


def _works(endpoint: Any) -> dict[str, Callable[[], object]]:
    """Prepare what the works need, and return each by its name."""
    s3, sagemaker = endpoint.client("s3"), endpoint.client("sagemaker")
    endpoint.client("sqs").create_queue(QueueName="rooms")
    for bucket in (_BUCKET, _NOTIFYING_BUCKET):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket=_NOTIFYING_BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    events = endpoint.client("events")
    events.put_rule(Name="rooms", EventPattern=json.dumps({"source": ["aws.s3"]}))
    events.put_targets(Rule="rooms", Targets=[{"Id": "queue", "Arn": _QUEUE_ARN}])

    def put(bucket: str) -> None:
        s3.put_object(Bucket=bucket, Key=uuid.uuid4().hex, Body=b"1" * 1024)

    def job() -> None:
        name = uuid.uuid4().hex
        sagemaker.create_processing_job(ProcessingJobName=name, **_job_request())
        _await_end(lambda: sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"])

    def execution() -> None:
        name = uuid.uuid4().hex
        definition = {
            "Version": "2020-12-01",
            "Steps": [{"Name": "Step", "Type": "Processing", "Arguments": _job_request()}],
        }
        sagemaker.create_pipeline(
            PipelineName=name, PipelineDefinition=json.dumps(definition), ClientRequestToken=name, RoleArn=_ROLE
        )
        arn = sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
        _await_end(lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"])

    return {
        "PutObject": lambda: put(_BUCKET),
        "PutObject whose event goes to a queue": lambda: put(_NOTIFYING_BUCKET),
        "processing job": job,
        "pipeline execution of one Processing step": execution,
    }


def _await_end(status: Callable[[], str]) -> None:
    while (found := status()) in ("InProgress", "Executing"):
        time.sleep(_POLL_SECONDS)
    if found not in ("Completed", "Succeeded"):
        raise SystemExit(f"the traced work ended as {found}")


def _job_request() -> dict[str, Any]:
    return {
        "RoleArn": _ROLE,
        "AppSpecification": {"ImageUri": _IMAGE, "ContainerEntrypoint": ["python3", "-c", "print(1)"]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
    }


if __name__ == "__main__":
    raise SystemExit(main())
