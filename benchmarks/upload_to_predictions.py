"""Time the way from PutObject to the prediction CSV on a running endpoint.

::

    python -m benchmarks.upload_to_predictions [--data FILE] [--runs 3]

Each run uploads the table under a new key with one more newline at its end, so that neither the claim nor the step
cache short-circuits it. For comparison, the step scripts are also run directly, in sequence, in the same environment
("bare scripts"). The ratio shows what endpoint, sandbox and pipeline engine add, minus what running independent steps
in parallel saves.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from localmaker.daemon import running_endpoint
from pipeline.aws.clients import Aws
from pipeline.datasets.shipped import declaration_file
from pipeline.demo.sample import write_sample
from pipeline.deploy.operations import deploy_environment
from pipeline.executions.uploads import version_of, wait_for_upload
from pipeline.executions.view import ExecutionView, read_plan, view
from pipeline.settings.environment import Settings, load_settings
from pipeline.step_code import STEPS_FOLDER


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="CSV to upload (default: the generated sample)")
    parser.add_argument("--runs", type=int, default=3, help="how many uploads (default: 3)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        body = (arguments.data or write_sample(root, dataset=load_settings("local").declared)).read_bytes()
        with running_endpoint(root / "state") as endpoint:
            os.environ.update(endpoint.environment())
            settings = load_settings("local")
            aws = Aws(settings)
            deploy_environment(settings, aws, Console(quiet=True))
            totals = [_upload_to_csv(aws, settings, body + b"\n" * number, number) for number in range(arguments.runs)]
        print(f"\nPutObject to prediction CSV, {len(body.splitlines()) - 1} rows, {os.cpu_count()} cores:")
        print(f"  median of {len(totals)}: {statistics.median(totals):.2f} s   (each: {_list(totals)})")
        bare = [
            _bare_scripts(root / f"bare-{number}", body, declaration_file(settings.dataset))
            for number in range(arguments.runs)
        ]
    print(f"  bare scripts, in sequence: {statistics.median(bare):.2f} s   (each: {_list(bare)})")
    print(f"  ratio: {statistics.median(totals) / statistics.median(bare):.2f}")


def _list(values: list[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def _upload_to_csv(aws: Aws, settings: Settings, body: bytes, number: int) -> float:
    key = f"raw/training/benchmark-{number}.csv"
    start = time.perf_counter()
    answer = aws.s3.put_object(Bucket=settings.raw_bucket, Key=key, Body=body)
    arn = wait_for_upload(aws, settings.training_pipeline_name, key, version_of(answer))
    plan = read_plan(aws, arn)
    while not (execution := view(aws, arn, plan)).is_final:
        time.sleep(0.05)
    total = time.perf_counter() - start
    if execution.status != "Succeeded":
        sys.exit(f"{arn} {execution.status}: {execution.explanation}")
    _print_steps(number, total, execution)
    return total


def _print_steps(number: int, total: float, execution: ExecutionView) -> None:
    steps = ", ".join(
        f"{step.name} {took:.2f}"
        for step in execution.steps
        if step.ended is not None and (took := step.seconds(step.ended)) is not None
    )
    print(f"run {number}: {total:.2f} s   ({steps})")


def _bare_scripts(root: Path, body: bytes, declaration: Path) -> float:
    """Return the seconds that preprocess, train and evaluate take as plain processes, without S3, jobs or pipeline."""
    raw, output, model = root / "raw", root / "output", root / "model"
    raw.mkdir(parents=True)
    (raw / "day.csv").write_bytes(body)

    def script(name: str, *arguments: str | Path) -> None:
        command = [sys.executable, str(STEPS_FOLDER / name), *(str(argument) for argument in arguments)]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "DATASET_FILE": str(declaration)})

    start = time.perf_counter()
    script("preprocess.py", "--input-file", raw / "day.csv", "--output-dir", output)
    script("train.py", "--train-dir", output / "train", "--model-dir", model, "--output-data-dir", root / "data")
    subprocess.run(["tar", "-czf", root / "model.tar.gz", "-C", model, "."], check=True)
    (root / "archive").mkdir()
    (root / "model.tar.gz").rename(root / "archive" / "model.tar.gz")
    folders = {
        "--model-dir": root / "archive",
        "--train-dir": output / "train",
        "--test-dir": output / "test",
        "--scoring-dir": output / "scoring",
        "--rows-dir": output / "rows",
        "--quality-dir": output / "quality",
        "--output-dir": root / "evaluation",
    }
    script("evaluate.py", *(f"{option}={folder}" for option, folder in folders.items()))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
