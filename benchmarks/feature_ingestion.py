"""Compare ingest_features.py with the SageMaker SDK's own ingestion: records per second, calls, peak memory.

``python -m benchmarks.feature_ingestion`` writes the same 10,000 rows to the local endpoint in turn: by the step, and
by the SDK's IngestionManagerPandas with four threads, one record a call (its default) and 25. It prints the median of
each and the ratios of the rounds. Then the step writes 10,000 and 1,000,000 rows to a server that only answers, for the
calls that it makes and the memory that it takes. Each run is a process of its own; the clock starts after its imports.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "steps"))

from analysis.features.stored import EVENT_TIME, stored_groups
from analysis.runtime.names import INPUTS_FILE
from analysis.runtime.tables import write_parquet
from analysis.runtime.upload import Claim, claim_of, claim_text
from localmaker.daemon import running_endpoint
from pipeline.datasets.shipped import declaration_file, declared

STORED = stored_groups(declared("bike_sharing")).inputs
FEATURES = [name for name in STORED.types if name != EVENT_TIME]
GROUP, BUCKET, KEY, MOMENT = "benchmark", "benchmark-raw", "raw/training/day.csv", "2026-03-04T05:06:07.000Z"
TELEMETRY_OFF = "{SchemaVersion: '1.0', SageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}}"
WAYS = {"step": "ingest_features.py", "sdk": "SDK, 4 threads", "sdk-batch": "SDK, 4 threads, 25 a call"}


@dataclass(frozen=True)
class Run:
    """One ingestion: seconds from its first row to its last answer, and the peak of its process's memory."""

    seconds: float
    mib: float


def prepare(folder: Path, rows: int, claim: Claim, features: Sequence[str] = FEATURES) -> None:
    """Write what the step reads; the record identifier is the first of the features."""
    (folder / "claim.json").write_text(claim_text(claim), encoding="utf-8")
    values = {"String": "1", "Integral": 0, "Fractional": 0.344167}
    table = {name: pa.repeat(values[STORED.types[name]], rows) for name in features}
    table[features[0]] = pa.array([f"day-{number:07}" for number in range(rows)])
    write_parquet(pa.table(table), folder / INPUTS_FILE)


def ingest(way: str, folder: Path) -> Run:
    """Write the rows of a folder; in this process."""
    if way == "step":
        import ingest_features

        arguments = ["--dataset", str(declaration_file("bike_sharing")), "--inputs-group-name", GROUP]
        arguments += ["--outcomes-group-name", f"{GROUP}-outcomes"]  # gets nothing: there is no file of outcomes
        for name in ("input", "claim", "output"):
            arguments += [f"--{name}-dir", str(folder)]
        begin = time.perf_counter()
        with redirect_stdout(io.StringIO()):
            ingest_features.main(arguments)
        return Run(time.perf_counter() - begin, peak())
    import pandas as pd
    from sagemaker.mlops.feature_store.ingestion_manager_pandas import IngestionManagerPandas

    begin = time.perf_counter()
    rows = pd.read_parquet(folder / INPUTS_FILE).astype(str)
    rows[EVENT_TIME] = MOMENT
    definitions: dict[str, Any] = {name: {"FeatureType": kind} for name, kind in STORED.types.items()}
    manager = IngestionManagerPandas(
        GROUP, definitions, max_workers=4, use_batch_write_record=way == "sdk-batch", region="us-east-1"
    )
    manager.run(rows)
    return Run(time.perf_counter() - begin, peak())


def peak() -> float:
    """Return the peak of this process's resident memory in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def run(way: str, folder: Path, environment: dict[str, str]) -> Run:
    """Write the rows of a folder in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.feature_ingestion", "--way", way, "--folder", str(folder)]
    known = {**os.environ, **environment, "NO_PROXY": "127.0.0.1", "SAGEMAKER_USER_CONFIG_OVERRIDE": str(folder)}
    (folder / "config.yaml").write_text(TELEMETRY_OFF)
    done = subprocess.run(command, env=known, check=True, capture_output=True, text=True)
    return Run(**json.loads(done.stdout.splitlines()[-1]))


class Answering(BaseHTTPRequestHandler):
    """Answers every call as if all were written, and counts them."""

    calls = 0
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_HEAD(self) -> None:
        """Answer for the uploaded object."""
        self.send_response(200)
        self.send_header("x-amz-version-id", "v1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        """Answer for BatchWriteRecord."""
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).calls += 1
        answer = b'{"Errors":[],"UnprocessedEntries":[]}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_request(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def answering_server() -> Iterator[dict[str, str]]:
    """Serve in this process, which is not the one that is measured; yields the environment of its clients."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    account = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", "AWS_DEFAULT_REGION": "us-east-1"}
    try:
        yield {**account, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def compare(endpoint: Any, folder: Path, rows: int, rounds: int) -> None:
    """Print the rates of all ways on one endpoint, in turn."""
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    claim = claim_of(BUCKET, KEY, s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"")["VersionId"], MOMENT)
    sagemaker = endpoint.client("sagemaker")
    sagemaker.create_feature_group(
        FeatureGroupName=GROUP,
        RecordIdentifierFeatureName=STORED.identifier,
        EventTimeFeatureName=EVENT_TIME,
        FeatureDefinitions=[{"FeatureName": name, "FeatureType": kind} for name, kind in STORED.types.items()],
        OnlineStoreConfig={"EnableOnlineStore": True},
    )
    while sagemaker.describe_feature_group(FeatureGroupName=GROUP)["FeatureGroupStatus"] == "Creating":
        time.sleep(0.05)
    prepare(folder, rows, claim)
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, rates in found.items():
            rates.append(rows / run(way, folder, endpoint.environment()).seconds)
    for way, name in WAYS.items():
        ratios = [step / rate for step, rate in zip(found["step"], found[way], strict=True)]
        ratio = f"   ratio {statistics.median(ratios):.1f}, at least {min(ratios):.1f}" if way != "step" else ""
        print(f"{name:<32}{statistics.median(found[way]):>8,.0f} records/s{ratio}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feature_ingestion", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000, help="rows for the comparison (default: 10,000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the comparison (default: 5)")
    parser.add_argument("--many", type=int, default=1_000_000, help="rows for the memory (default: 1,000,000)")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.way:
        print(json.dumps(vars(ingest(options.way, options.folder))))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.rounds:
            with running_endpoint(folder / "state") as endpoint:
                compare(endpoint, folder, options.rows, options.rounds)
        with answering_server() as environment:
            for rows in (options.rows, options.many):
                prepare(folder, rows, claim_of(BUCKET, KEY, "v1", MOMENT))
                Answering.calls = 0
                found = run("step", folder, environment)
                rate = f"{rows / found.seconds:,.0f} records/s, {Answering.calls:,} calls"
                print(f"{rows:,} rows to a server that only answers: {rate}, {found.mib:.0f} MiB", flush=True)
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
