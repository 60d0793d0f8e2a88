"""Time the commands that people wait for: ``--help``, ``deploy``, and a first and second ``plan``.

::

    python -m benchmarks.command_line [--runs 5]

The first plan compiles both definitions and therefore imports the SageMaker SDK; the second finds them in the cache.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from localmaker.daemon import running_endpoint


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="how often each command runs (default: 5)")
    runs: int = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder, running_endpoint(Path(folder) / "state") as endpoint:
        environment = {**os.environ, **endpoint.environment(), "XDG_CACHE_HOME": str(Path(folder) / "cache")}
        _print("--help", [_seconds(["--help"], environment) for _ in range(runs)])
        first = _seconds(["plan"], environment)
        _print("first plan (compiles)", [first])
        _print("second plan, not deployed", [_seconds(["plan"], environment) for _ in range(runs)])
        _print("deploy", [_seconds(["deploy"], environment)])
        second = [_seconds(["plan"], environment) for _ in range(runs)]
        _print("second plan, deployed", second)
        print(f"{'':<28} {min(second) / first:.0%} of the first")
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")


def _seconds(arguments: list[str], environment: Mapping[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pipeline", *arguments], env=environment, capture_output=True, check=False)
    return time.perf_counter() - start


def _print(what: str, times: list[float]) -> None:
    each = ", ".join(f"{value:.2f}" for value in times)
    print(f"{what:<28} median {statistics.median(times):6.2f} s   best {min(times):6.2f} s   (each: {each})")


if __name__ == "__main__":
    main()
