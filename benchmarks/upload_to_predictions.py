"""Time the way from PutObject to the prediction CSV on a running endpoint, beside the bare scripts of the same way.

::

    python -m benchmarks.upload_to_predictions [--runs 5] [--data FILE] [--json FILE]

An upload and the bare scripts take turns, each first in its turn, after one turn that is not counted; first for
training, then for scoring. Each upload has one more newline at its end, so that neither the claim nor the step cache
answers for it, and is timed until PublishPredictions has ended. The bare scripts are those on the way to the CSV
(claim, preprocess, train, evaluate, the serving functions, publish; for scoring, select_model instead of train and
evaluate), one process after the other, in the environments of jobs and functions, whose libraries have bytecode, as
have the scripts. Claim and publish do again at the endpoint what the upload's execution has done. The ratio shows what
endpoint, sandbox and pipeline engine add, minus what steps that run at the same time and functions that stay in memory
save.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.measuring import Comparison, Sample, Series, load, write_json
from localmaker.daemon import running_endpoint
from localmaker.images.environments import derived_environment, image_environment
from localmaker.images.table import DEFAULT_IMAGE, DEFAULT_RUNTIME, find_image, function_runtime
from pipeline.aws.clients import Aws
from pipeline.datasets.shipped import declaration_file
from pipeline.definition.bundle import REQUIREMENTS_FILE
from pipeline.demo.sample import write_sample
from pipeline.deploy.operations import deploy_environment
from pipeline.executions.uploads import version_of, wait_for_upload
from pipeline.executions.view import ExecutionView, StepView, read_plan, view
from pipeline.settings.environment import Settings, load_settings
from pipeline.step_code import STEPS_FOLDER

_SERVE = """
import sys
import inference
rows = inference.input_fn(open(sys.argv[2], "rb").read())
body, _ = inference.output_fn(inference.predict_fn(rows, inference.model_fn(sys.argv[1])))
open(sys.argv[3], "w").write(body)
"""
Seconds = dict[str, float]


@dataclass(frozen=True)
class Upload:
    """An upload whose execution has succeeded."""

    key: str
    version: str
    total: float  #: Seconds until its CSV was there.
    execution: ExecutionView

    @property
    def steps(self) -> Seconds:
        """The seconds of each step that has run."""
        return {step.name: _seconds_of(step) for step in self.execution.steps if step.ended is not None}

    def answer(self, step: str, name: str) -> str:
        """Return what a function has answered."""
        return next(one for one in self.execution.steps if one.name == step).answer[name]


@dataclass(frozen=True)
class Bench:
    """The deployed environment, and what runs its scripts outside of it."""

    aws: Aws
    settings: Settings
    root: Path
    body: bytes
    steps: Path
    python: Mapping[str, Path]  #: Of ``job`` and ``function``.

    @classmethod
    def of(cls, settings: Settings, root: Path, body: bytes) -> Bench:
        """Deploy, and compile a copy of the scripts."""
        aws = Aws(settings)
        deploy_environment(settings, aws, Console(quiet=True))
        steps = root / "steps"
        shutil.copytree(STEPS_FOLDER, steps, ignore=shutil.ignore_patterns("__pycache__"))
        image, functions = image_environment(find_image(DEFAULT_IMAGE)), function_runtime(DEFAULT_RUNTIME)
        python = {
            "job": derived_environment(image, REQUIREMENTS_FILE.read_text()).python,
            "function": image_environment(functions).python,
        }
        subprocess.run([python["job"], "-m", "compileall", "-q", steps], check=True)
        return cls(aws, settings, root, body, steps, python)

    def upload(self, flow: str, number: int) -> Upload:
        """Upload a new version and wait for the end of its execution."""
        key, body = f"raw/{flow}/benchmark-{number}.csv", self.body + b"\n" * number
        start = time.time()
        answer = self.aws.s3.put_object(Bucket=self.settings.raw_bucket, Key=key, Body=body)
        pipeline = getattr(self.settings, f"{flow}_pipeline_name")
        arn = wait_for_upload(self.aws, pipeline, key, version_of(answer))
        plan = read_plan(self.aws, arn)
        while not (execution := view(self.aws, arn, plan)).is_final:
            time.sleep(0.2)  # rarely, since looking takes time of the endpoint's
        if execution.status != "Succeeded":
            sys.exit(f"{arn} {execution.status}: {execution.explanation}")
        published = next(step.ended for step in execution.steps if step.name == "PublishPredictions" and step.ended)
        return Upload(key, version_of(answer) or "", published.timestamp() - start, execution)

    def bare(self, flow: str, number: int, upload: Upload) -> Seconds:
        """Run the scripts on the way of an upload one after the other; return the seconds of each."""
        root, seconds = self.root / f"bare-{flow}-{number}", Seconds()
        raw, output, model = root / "raw" / "day.csv", root / "output", root / "model"
        raw.parent.mkdir(parents=True)
        raw.write_bytes(self.body)
        training = flow == "training"
        artifacts, run = f"s3://{self.settings.artifacts_bucket}", upload.execution.identifier

        def script(step: str, where: str, program: str, **options: str | Path) -> None:
            words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
            seconds[step] = self._run(where, str(self.steps / program), *words)

        claims = {"claims_uri": f"{artifacts}/claims", "execution_arn": upload.execution.arn}
        version = {"bucket": self.settings.raw_bucket, "key": upload.key, "version_id": upload.version}
        script("ClaimInput", "function", "claim.py", **version, inputs_uri=f"{artifacts}/inputs", **claims)
        group = self.settings.model_package_group_name
        if training:
            script("Preprocess", "job", "preprocess.py", input_file=raw, output_dir=output)
            folders = {"model_dir": model, "output_data_dir": root / "data"}
            script("Train", "job", "train.py", train_dir=output / "train", **folders)
            packed = _packed(model, root / "archive")
            parts = ("train", "test", "scoring", "rows", "quality")
            folders = {f"{name}_dir": output / name for name in parts}
            script("Evaluate", "job", "evaluate.py", model_dir=packed, output_dir=root / "evaluation", **folders)
            found = self.aws.sagemaker.list_model_packages(
                ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", MaxResults=1
            )
            arn = found["ModelPackageSummaryList"][0]["ModelPackageArn"]
            drift = f"{artifacts}/models/{run}/Evaluate/evaluation/evaluation.json"
        else:
            trained = self.root / "bare-training-0"
            packed, model = trained / "archive", trained / "model"
            script("SelectModel", "function", "select_model.py", model_package_group_name=group)
            folders = {"output_dir": output, "model_dir": packed}
            script("Preprocess", "job", "preprocess.py", input_file=raw, purpose=flow, **folders)
            arn = upload.answer("SelectModel", "model_package_arn")
            drift = f"{artifacts}/runs/{run}/Preprocess/quality/quality.json"
        features = output / "scoring" / "features.csv"
        seconds["Transform"] = self._run("job", "-c", _SERVE, str(model), str(features), str(root / "answers"))
        script(
            "PublishPredictions",
            "function",
            "publish.py",
            transform_uri=f"{artifacts}/runs/{run}/Transform/features.csv.out",
            rows_uri=f"{artifacts}/runs/{run}/Preprocess/rows/rows.csv",
            claim_uri=upload.answer("ClaimInput", "claim_uri"),
            predictions_uri=f"s3://{self.settings.predictions_bucket}",
            profile=self.settings.profile,
            model_package_arn=arn,
            claim_name=upload.answer("ClaimInput", "name"),
            drift_uri=drift,
            metrics_namespace=self.settings.prefix,
            **claims,
        )
        return seconds

    def _run(self, where: str, *words: str) -> float:
        variables = {
            "PYTHONPATH": str(self.steps),
            "DATASET_FILE": str(declaration_file(self.settings.dataset)),
            "OPENBLAS_NUM_THREADS": "1",  # as in a job
        }
        start = time.perf_counter()
        done = subprocess.run(
            [self.python[where], *words], env={**os.environ, **variables}, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            sys.exit(f"{' '.join(words)}\n{done.stderr}")
        return time.perf_counter() - start


def _seconds_of(step: StepView) -> float:
    return 0.0 if step.ended is None else step.seconds(step.ended) or 0.0


def _packed(model: Path, folder: Path) -> Path:
    folder.mkdir()
    with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
        archive.add(model, ".")
    return folder


def measure(bench: Bench, flow: str, runs: int) -> dict[str, list[Any]]:
    """Let uploads and bare scripts take turns; return the seconds of all but the first turn."""
    found: dict[str, list[Any]] = {"upload": [], "steps": [], "bare": []}
    before = bench.upload(flow, 0)
    bench.bare(flow, 0, before)
    for number in range(1, runs + 1):
        # The bare scripts do again what an upload's execution has done, which does not matter to their time.
        if number % 2:
            before = bench.upload(flow, number)
            bare = bench.bare(flow, number, before)
        else:
            bare = bench.bare(flow, number, before)
            before = bench.upload(flow, number)
        found["upload"].append(before.total)
        found["steps"].append(before.steps)
        found["bare"].append(bare)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="turns of each pipeline (default: 5)")
    parser.add_argument("--data", type=Path, help="CSV to upload (default: the generated sample)")
    parser.add_argument("--json", type=Path, help="file that gets all samples")
    arguments = parser.parse_args()
    found, before = {}, load()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        body = (arguments.data or write_sample(root, dataset=load_settings("local").declared)).read_bytes()
        with running_endpoint(root / "state") as endpoint:
            os.environ.update(endpoint.environment())
            bench = Bench.of(load_settings("local"), root, body)
            for flow in ("training", "scoring"):
                found[flow] = measure(bench, flow, arguments.runs)
                _print(flow, found[flow])
                if flow == "training":
                    approve = [sys.executable, "-m", "pipeline", "model", "approve", "1"]
                    subprocess.run(approve, check=True, capture_output=True)
    if arguments.json is not None:
        rows = len(body.splitlines()) - 1
        write_json([_comparison(flow, one, rows, before) for flow, one in found.items()], arguments.json)


def _comparison(flow: str, found: dict[str, list[Any]], rows: int, before: float) -> Comparison:
    seconds = {
        "bare scripts": [sum(one.values()) for one in found["bare"]],
        "PutObject to prediction CSV": found["upload"],
    }
    series = [Series(way, rows, tuple(map(Sample, values))) for way, values in seconds.items()]
    return Comparison(f"upload to predictions, {flow}", "rows", series, load=before)


def _print(flow: str, found: dict[str, list[Any]]) -> None:
    uploads, bare = found["upload"], [sum(one.values()) for one in found["bare"]]
    print(f"\n{flow}: {len(uploads)} turns on {os.cpu_count()} cores, seconds (median, lowest to highest)")
    print(f"  PutObject to prediction CSV: {_summary(uploads)}")
    print(f"  bare scripts:                {_summary(bare)}")
    print(f"  ratio, by turn:              {_summary([one / other for one, other in zip(uploads, bare, strict=True)])}")
    for step in found["steps"][0]:
        own = statistics.median(one[step] for one in found["steps"])
        alone = [one[step] for one in found["bare"] if step in one]
        print(f"    {step:<19} {own:5.2f}" + (f"   bare {statistics.median(alone):5.2f}" if alone else ""))


def _summary(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
