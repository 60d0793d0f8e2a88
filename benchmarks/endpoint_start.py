"""Time the start of the local endpoint with an empty state, and with the state that a few weeks of use leave.

``python -m benchmarks.endpoint_start [--runs 5]`` fills a state with 400 objects, 50 pipeline executions of 4 steps,
2,000 feature records, 100 log streams and 20 versions of a model. It measures the time from the start of the endpoint's
process to its first response, as ``localmaker up --detach`` would without the start of the command itself.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from localmaker import daemon
from localmaker.daemon import EndpointHandle, running_endpoint

_ROLE = "arn:aws:iam::123456789012:role/start"
_OBJECTS = 400
_EXECUTIONS = 50
_RECORDS = 2000
_STREAMS = 100
_VERSIONS = 20


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endpoint_start", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="starts per state (default: 5)")
    runs: int = parser.parse_args(arguments).runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        filled = folder / "filled"
        with running_endpoint(filled) as endpoint:
            fill(endpoint)
        empty = [_seconds(folder / f"empty-{number}") for number in range(runs)]
        full = [_seconds(filled) for _ in range(runs)]
    sys.stdout.write(f"start with an empty state: best {min(empty):.2f} s   (each: {_each(empty)})\n")
    sys.stdout.write(f"start with a filled state: best {min(full):.2f} s   (each: {_each(full)})\n")
    sys.stdout.write(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}\n")
    return 0


def fill(endpoint: EndpointHandle) -> None:
    """Create the state that a few weeks of use leave."""
    s3, logs, sagemaker = (endpoint.client(name) for name in ("s3", "logs", "sagemaker"))
    records = endpoint.client("sagemaker-featurestore-runtime")
    s3.create_bucket(Bucket="start")
    logs.create_log_group(logGroupName="/aws/sagemaker/ProcessingJobs")
    sagemaker.create_feature_group(
        FeatureGroupName="start",
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="at",
        FeatureDefinitions=[
            {"FeatureName": "id", "FeatureType": "String"},
            {"FeatureName": "at", "FeatureType": "Fractional"},
            *({"FeatureName": f"f{number}", "FeatureType": "Fractional"} for number in range(12)),
        ],
        OnlineStoreConfig={"EnableOnlineStore": True},
    )
    steps = [_condition(number) for number in range(4)]
    definition = json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": steps})
    sagemaker.create_pipeline(
        PipelineName="start", PipelineDefinition=definition, ClientRequestToken="start" * 8, RoleArn=_ROLE
    )
    sagemaker.create_model_package_group(ModelPackageGroupName="start")
    with ThreadPoolExecutor(8) as pool:
        for work in (
            pool.map(lambda n: s3.put_object(Bucket="start", Key=f"raw/{n}", Body=bytes(1 << n % 18)), range(_OBJECTS)),
            pool.map(lambda n: _log(logs, n), range(_STREAMS)),
            pool.map(lambda n: records.put_record(FeatureGroupName="start", Record=_record(n)), range(_RECORDS)),
            pool.map(lambda _: sagemaker.start_pipeline_execution(PipelineName="start"), range(_EXECUTIONS)),
            pool.map(lambda _: sagemaker.create_model_package(ModelPackageGroupName="start"), range(_VERSIONS)),
        ):
            list(work)
    while _executing(sagemaker):
        time.sleep(0.2)


def _condition(number: int) -> dict[str, Any]:
    return {"Name": f"C{number}", "Type": "Condition", "Arguments": {"Conditions": [], "IfSteps": [], "ElseSteps": []}}


def _record(number: int) -> list[dict[str, str]]:
    values = {"id": str(number), "at": "1", **{f"f{feature}": str(number / 7) for feature in range(12)}}
    return [{"FeatureName": name, "ValueAsString": value} for name, value in values.items()]


def _log(logs: Any, number: int) -> None:
    named = {"logGroupName": "/aws/sagemaker/ProcessingJobs", "logStreamName": f"job-{number}/algo-1"}
    logs.create_log_stream(**named)
    now = int(time.time() * 1000)
    logs.put_log_events(**named, logEvents=[{"timestamp": now, "message": f"line {line}"} for line in range(40)])


def _executing(sagemaker: Any) -> bool:
    listed = sagemaker.list_pipeline_executions(PipelineName="start", MaxResults=100)["PipelineExecutionSummaries"]
    return any(one["PipelineExecutionStatus"] == "Executing" for one in listed)


def _seconds(state_dir: Path) -> float:
    # Endpoints of tests are forked from a process that has imported moto already.
    start = time.perf_counter()
    daemon.up(0, state_dir=state_dir)
    seconds = time.perf_counter() - start
    daemon.down(state_dir)
    if "empty" in state_dir.name:
        shutil.rmtree(state_dir)
    return seconds


def _each(values: list[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


if __name__ == "__main__":
    raise SystemExit(main())
