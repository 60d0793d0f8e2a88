"""Upload a large object to the local endpoint and download it again; print times and the endpoint's peak memory.

``python -m benchmarks.large_object [--megabytes 1024]`` prints one line per phase: multipart upload, download in
ranges, download and upload in one request. It only asserts that the downloaded bytes equal the uploaded ones.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from boto3.s3.transfer import TransferConfig

from localmaker.daemon import running_endpoint

_MEGABYTE = 1 << 20
_BUCKET = "large-object"
_KEY = "large.bin"


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; return 1 if the bytes differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_object", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1024, help="size of the object (default: 1024)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name, running_endpoint(Path(name) / "state") as endpoint:
        folder = Path(name)
        source, target = folder / "source", folder / "target"
        with source.open("wb") as file:
            for _ in range(options.megabytes):
                file.write(os.urandom(_MEGABYTE))
        s3 = endpoint.client("s3")
        s3.create_bucket(Bucket=_BUCKET)
        config = TransferConfig(multipart_threshold=8 * _MEGABYTE, multipart_chunksize=8 * _MEGABYTE, max_concurrency=4)
        before = _memory(endpoint.running.pid)
        sys.stdout.write(f"before: {before:.0f} MiB resident\n")

        def measure(phase: str, action: Callable[[], object]) -> None:
            _reset_peak(endpoint.running.pid)
            start = time.perf_counter()
            action()
            seconds = time.perf_counter() - start
            peak = _memory(endpoint.running.pid, "VmHWM")
            sys.stdout.write(
                f"{phase}: {seconds:.1f} s, {options.megabytes / seconds:.0f} MiB/s, "
                f"endpoint's peak {peak:.0f} MiB (+{peak - before:.0f})\n"
            )

        measure("multipart upload", lambda: s3.upload_file(str(source), _BUCKET, _KEY, Config=config))
        measure("download in ranges", lambda: s3.download_file(_BUCKET, _KEY, str(target), Config=config))
        same = _sha256(source) == _sha256(target)
        whole = TransferConfig(multipart_threshold=1 << 40)
        measure("download in one request", lambda: s3.download_file(_BUCKET, _KEY, str(target), Config=whole))
        same = same and _sha256(source) == _sha256(target)
        measure("upload in one request", lambda: s3.upload_file(str(source), _BUCKET, "whole.bin", Config=whole))
        sys.stdout.write("the downloaded bytes equal the uploaded ones\n" if same else "THE DOWNLOADED BYTES DIFFER\n")
        return 0 if same else 1


def _memory(pid: int, field: str = "VmRSS") -> float:
    """Return a process's resident memory in MiB: current (``VmRSS``) or peak (``VmHWM``)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))


def _reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
