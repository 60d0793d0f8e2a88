"""Run the benchmarks of docs/benchmarks.md, and write the page: ``python -m benchmarks [NAME …]``."""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks import page

NAMES = ("preprocess", "training", "inference", "upload_to_predictions")


def main(arguments: list[str] | None = None) -> int:
    """Measure, one benchmark after the other, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, help=f"which of {', '.join(NAMES)} (default: all)")
    names = parser.parse_args(arguments).names
    if unknown := [name for name in names if name not in NAMES]:
        parser.error(f"there is no benchmark {unknown[0]!r} that has a place on the page; there are {', '.join(NAMES)}")
    page.RESULTS.mkdir(exist_ok=True)
    for name in names:
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(page.RESULTS / f"{name}.json")]
        if code := subprocess.run(command, cwd=page.ROOT, check=False).returncode:
            return code
    page.main()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
