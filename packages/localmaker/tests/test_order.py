"""In which order the tests run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def test_files_with_a_long_test_are_first() -> None:
    files = [
        "tests/state/test_blobs.py",
        "tests/state/test_full_disk.py",
        "tests/services/sagemaker/tuning/test_restart.py",
    ]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *files]
    collected = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, check=True).stdout.split()
    seen = [line.partition("::")[0] for line in collected if "::" in line]
    assert list(dict.fromkeys(seen)) == [*files[1:], files[0]]
