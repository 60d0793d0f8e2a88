"""What holds for every test of the suite."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.conftest import LONGEST

TESTS = Path(__file__).parent


def test_the_longest_files_are_there_and_collected_first() -> None:
    assert [name for name in LONGEST if not (TESTS / name).is_file()] == []
    some = [f"tests/{name}" for name in LONGEST[-2:]]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/test_size.py", *some]
    collected = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=True).stdout.split()
    files = [line.partition("::")[0] for line in collected if "::" in line]
    assert list(dict.fromkeys(files)) == [*some, "tests/test_size.py"]


def test_children_can_be_interrupted() -> None:
    """In a run that a script has started in the background, where SIGINT is ignored, too."""
    child = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    program = (
        f"import runpy, subprocess, sys; runpy.run_path({str(TESTS / 'conftest.py')!r})\n"
        f"child = subprocess.run([sys.executable, '-c', {child!r}], stderr=subprocess.DEVNULL)\n"
        "print(child.returncode)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert int(done.stdout) == -signal.SIGINT
