"""The steps' package is there for whoever imports the template, without their folder on the path."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.step_code import STEPS_FOLDER

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("module", ["pipeline", "pipeline.datasets.shipped"])
def test_the_steps_package_is_the_one_of_this_repository(module: str, tmp_path: Path) -> None:
    program = (
        f"import sys; before = list(sys.path); import {module}; import analysis.dataset.declaration as found\n"
        "assert sys.path == before; print(found.__file__)"
    )
    command, environment = [sys.executable, "-c", program], {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(STEPS_FOLDER / "analysis" / "dataset" / "declaration.py"), done.stderr
