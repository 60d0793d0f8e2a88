"""Send a burst of files through a whole pipeline; each must get one execution and its own predictions.

::

    python -m benchmarks.burst [--files 100] [--flow scoring|training] [--rows 30]

A model is trained and approved first. Then all files are uploaded at once, each with different rows. After the last
execution has ended, the results are counted: executions, their statuses, prediction files, and how many executions ran
at the same time (SageMaker runs 20 executions of a pipeline at once; the others wait).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from rich.console import Console

from localmaker.daemon import running_endpoint
from pipeline.aws.clients import Aws
from pipeline.demo.sample import write_sample
from pipeline.deploy.operations import deploy_environment
from pipeline.executions.uploads import version_of, wait_for_upload
from pipeline.executions.view import ExecutionView, view
from pipeline.results.decisions import approve
from pipeline.results.predictions import prediction_files
from pipeline.settings.contract import Flow
from pipeline.settings.environment import Settings, load_settings

_PUTS_AT_ONCE = 8


def main() -> None:
    """Measure and print; exit with code 1 if a file was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100, help="how many files (default: 100)")
    parser.add_argument("--flow", choices=("scoring", "training"), default="scoring")
    parser.add_argument("--rows", type=int, default=30, help="of each file; training needs at least 60 (default: 30)")
    arguments = parser.parse_args()
    flow: Flow = arguments.flow
    with tempfile.TemporaryDirectory() as folder, running_endpoint(Path(folder) / "state") as endpoint:
        os.environ.update(endpoint.environment())
        settings = load_settings("local")
        aws = Aws(settings)
        deploy_environment(settings, aws, Console(quiet=True))
        before = _approve_a_model(aws, settings, Path(folder))
        bodies = _bodies(settings, Path(folder), arguments.files, arguments.rows, target=flow == "training")
        start = time.perf_counter()
        _put(aws, settings, flow, bodies)
        put = time.perf_counter() - start
        ended = _ended(aws, settings.pipeline_name(flow), len(bodies) + (before if flow == "training" else 0))
        total = time.perf_counter() - start
        files = [file.key for file in prediction_files(aws, settings.predictions_bucket) if "burst-" in file.key]
    executions = [execution for execution in ended if execution.steps]
    statuses = Counter(execution.status for execution in executions)
    print(
        f"{len(bodies)} files of {arguments.rows} rows uploaded to raw/{flow}/ in {put:.1f} s; {os.cpu_count()} cores"
    )
    print(f"  executions: {len(executions)} ({', '.join(f'{count} {name}' for name, count in statuses.items())})")
    print(f"  prediction files: {len(files)}, {len(set(files))} different names")
    print(f"  running at the same time: at most {_most_at_once(executions)}")
    print(f"  from first upload to last end: {total:.0f} s, {total / len(bodies):.2f} s per file")
    if statuses["Succeeded"] < len(bodies) or len(set(files)) != len(bodies):
        sys.exit("Files were lost.")


def _approve_a_model(aws: Aws, settings: Settings, folder: Path) -> int:
    """Train and approve a model; return the number of executions that took."""
    body = write_sample(folder / "first", dataset=settings.declared).read_bytes()
    key = "raw/training/first.csv"
    answer = aws.s3.put_object(Bucket=settings.raw_bucket, Key=key, Body=body)
    arn = wait_for_upload(aws, settings.training_pipeline_name, key, version_of(answer))
    while not (execution := view(aws, arn)).is_final:
        time.sleep(0.2)
    if execution.status != "Succeeded":
        sys.exit(f"{arn} {execution.status}: {execution.explanation}")
    approve(aws, settings.model_package_group_name, 1, "benchmark")
    return 1


def _bodies(settings: Settings, folder: Path, count: int, rows: int, *, target: bool) -> list[bytes]:
    return [
        write_sample(
            folder / f"burst-{number}", seed=number, rows=rows, target=target, dataset=settings.declared
        ).read_bytes()
        for number in range(count)
    ]


def _put(aws: Aws, settings: Settings, flow: Flow, bodies: list[bytes]) -> None:
    def put(number: int) -> None:
        key = f"raw/{flow}/burst-{number:03}.csv"
        aws.s3.put_object(Bucket=settings.raw_bucket, Key=key, Body=bodies[number])

    with ThreadPoolExecutor(_PUTS_AT_ONCE) as pool:
        list(pool.map(put, range(len(bodies))))


def _ended(aws: Aws, pipeline_name: str, count: int) -> list[ExecutionView]:
    """Wait for `count` executions of the pipeline to end, and return them all."""
    pages = aws.sagemaker.get_paginator("list_pipeline_executions")
    while True:
        summaries = [
            item for page in pages.paginate(PipelineName=pipeline_name) for item in page["PipelineExecutionSummaries"]
        ]
        ended = Counter(item["PipelineExecutionStatus"] for item in summaries)
        if len(summaries) >= count and not ended["Executing"]:
            return [view(aws, item["PipelineExecutionArn"]) for item in summaries]
        time.sleep(1)


def _most_at_once(executions: list[ExecutionView]) -> int:
    """Return the largest number of executions between the start of their first step and their end."""
    changes: list[tuple[datetime, int]] = []
    for execution in executions:
        begins = [step.started for step in execution.steps if step.started]
        if begins and execution.ended:
            changes += [(min(begins), 1), (execution.ended, -1)]
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


if __name__ == "__main__":
    main()
