"""Measure what the local endpoint adds to a step: its duration minus the run time of the script itself.

::

    python -m benchmarks.job_overhead [--steps 10] [--profile]

One execution runs the steps in sequence; each is a processing job with one input file, one output file and a trivial
Python script. The script's own time is measured by running the same command directly, in the same environment. "Between
steps" is the time that the pipeline engine needs from the end of one step to the start of the next.
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import json
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from localmaker.endpoint import Endpoint
from localmaker.images.environments import image_environment
from localmaker.images.table import DEFAULT_IMAGE, find_image
from localmaker.services.sagemaker.jobs.kinds import JobKind

_BUCKET = "overhead"
_ROLE = "arn:aws:iam::123456789012:role/overhead"
_FOLDER = "/opt/ml/processing"
_SCRIPT = "import sys, shutil; shutil.copyfile(sys.argv[1], sys.argv[2])"
_TARGET_SECONDS = 0.3
_BARE_RUNS = 7


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10, help="steps of the execution (default: 10)")
    parser.add_argument("--profile", action="store_true", help="show where the endpoint spends its time on a job")
    arguments = parser.parse_args()
    image_environment(find_image(DEFAULT_IMAGE), report=print)
    with tempfile.TemporaryDirectory() as folder:
        endpoint = Endpoint(Path(folder) / "state")
        endpoint.start()
        try:
            endpoint.client("s3").create_bucket(Bucket=_BUCKET)
            endpoint.client("s3").put_object(Bucket=_BUCKET, Key="in/file", Body=b"1")
            _run(endpoint, "warm-up", 1)
            steps = _run(endpoint, "measured", arguments.steps)
            if arguments.profile:
                _profile_one_job(endpoint)
        finally:
            endpoint.close()
        bare = _bare_seconds(Path(folder))
    _print(steps, bare)


def _run(endpoint: Endpoint, name: str, count: int) -> Sequence[tuple[datetime, datetime]]:
    """Run one execution and return start and end of each step, in order."""
    client = endpoint.client("sagemaker")
    client.create_pipeline(
        PipelineName=name,
        ClientRequestToken=uuid.uuid4().hex,
        RoleArn=_ROLE,
        PipelineDefinition=json.dumps(
            {"Version": "2020-12-01", "Parameters": [], "Steps": [_step(number) for number in range(count)]}
        ),
    )
    arn = client.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
    while (execution := client.describe_pipeline_execution(PipelineExecutionArn=arn))[
        "PipelineExecutionStatus"
    ] == "Executing":
        time.sleep(0.2)
    steps = client.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending", MaxResults=100)
    if execution["PipelineExecutionStatus"] != "Succeeded":
        sys.exit(f"{arn}: {execution['PipelineExecutionStatus']}: {steps['PipelineExecutionSteps']}")
    return sorted((step["StartTime"], step["EndTime"]) for step in steps["PipelineExecutionSteps"])


def _step(number: int) -> dict[str, Any]:
    return {
        "Name": f"Step{number}",
        "Type": "Processing",
        "Arguments": _arguments(),
        **({"DependsOn": [f"Step{number - 1}"]} if number else {}),
    }


def _arguments() -> dict[str, Any]:
    return {
        "RoleArn": _ROLE,
        "AppSpecification": {
            "ImageUri": f"683313688378.dkr.ecr.us-east-1.amazonaws.com/{DEFAULT_IMAGE}",
            "ContainerEntrypoint": ["python3", "-c", _SCRIPT, f"{_FOLDER}/input/file", f"{_FOLDER}/output/file"],
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        "ProcessingInputs": [
            {
                "InputName": "in",
                "AppManaged": False,
                "S3Input": {
                    "S3Uri": f"s3://{_BUCKET}/in/file",
                    "LocalPath": f"{_FOLDER}/input",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "out",
                    "AppManaged": False,
                    "S3Output": {
                        "S3Uri": f"s3://{_BUCKET}/out",
                        "LocalPath": f"{_FOLDER}/output",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
    }


def _bare_seconds(folder: Path) -> float:
    """Return the median run time of the script without endpoint, sandbox and S3."""
    environment = image_environment(find_image(DEFAULT_IMAGE))
    source = folder / "source"
    source.write_text("1")
    times = []
    for _ in range(_BARE_RUNS):
        start = time.perf_counter()
        subprocess.run(
            [str(environment.python), "-c", _SCRIPT, str(source), str(folder / "target")],
            check=True,
            env={**environment.variables},
        )
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _profile_one_job(endpoint: Endpoint) -> None:
    """Profile the thread of one job, including the time it waits for the script."""
    profiles: list[cProfile.Profile] = []
    run = threading.Thread.run

    def profiled(self: threading.Thread) -> None:
        if not self.name.startswith("job-"):
            run(self)
            return
        profile = cProfile.Profile()
        profiles.append(profile)
        profile.runcall(run, self)

    threading.Thread.run = profiled  # type: ignore[method-assign]
    try:
        endpoint.client("sagemaker").create_processing_job(ProcessingJobName="profiled", **_arguments())
        endpoint.regions.at(endpoint.region).jobs.wait(JobKind.PROCESSING, "profiled")
    finally:
        threading.Thread.run = run  # type: ignore[method-assign]
    for thread in threading.enumerate():
        if thread.name == "job-profiled":
            thread.join()
    pstats.Stats(profiles[0]).sort_stats("cumulative").print_stats(45)


def _print(steps: Sequence[tuple[datetime, datetime]], bare: float) -> None:
    durations = [(end - start).total_seconds() for start, end in steps]
    gaps = [(after[0] - before[1]).total_seconds() for before, after in itertools.pairwise(steps)]
    overhead = statistics.median(durations) - bare
    print(f"\n{len(steps)} processing steps in sequence, {os.cpu_count()} cores:")
    print(f"  step, start to end: {_summary(durations)}")
    print(f"  script alone:       {bare:.3f} s")
    print(f"  overhead per step:  {overhead:.3f} s   (target: under {_TARGET_SECONDS} s)")
    if gaps:
        print(f"  between steps:      {_summary(gaps)}")


def _summary(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3f} s   (each: {', '.join(f'{value:.3f}' for value in values)})"


if __name__ == "__main__":
    main()
