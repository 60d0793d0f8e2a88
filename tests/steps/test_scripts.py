"""What holds for every script, each run as a process of its own."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

STEPS = Path(__file__).resolve().parents[2] / "steps"
SCRIPTS = ("claim.py", "preprocess.py", "ingest_features.py", "train.py", "evaluate.py", "publish.py")


@pytest.mark.parametrize("name", SCRIPTS)
def test_help(run_script, name: str) -> None:
    done = run_script(name, "--help")
    assert done.code == 0, done.err
    assert "--message-file" in done.out
    assert done.err == ""


def test_a_wrong_call_ends_with_1_and_a_message(run_script) -> None:
    done = run_script("preprocess.py", "--profile", "magic")
    assert done.code == 1
    assert "argument --profile: invalid choice: 'magic'" in done.message
    assert "See --help" in done.message
    assert "Traceback" not in done.err


def test_a_bad_file_ends_with_1_and_a_message(run_script, write, csv_of, rows, tmp_path) -> None:
    rows[1]["temp"] = "hot"
    write(csv_of(rows), "raw/days.csv")
    done = run_script("preprocess.py", "--input-file", tmp_path / "raw" / "days.csv")
    assert done.code == 1
    assert done.message.startswith("days.csv: line 3, column temp: 'hot' is not a number")
    assert "Traceback" not in done.err


def test_a_bug_shows_its_traceback_and_leaves_a_short_form(tmp_path) -> None:
    message = tmp_path / "message"
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); sys.argv[1:] = []\n"
        "from analysis.runtime.container import run_step; from pathlib import Path\n"
        "def step(arguments): raise ZeroDivisionError('a bug')\n"
        f"run_step(step, Path({str(message)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(STEPS)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert message.read_text() == "Unexpected ZeroDivisionError: a bug (see the job's log for the traceback)"


def test_requirements_are_pinned() -> None:
    lines = (STEPS / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z-]+(\[[a-z]+\])?==[0-9][0-9a-z.]*", line) for line in pins)
    named = {re.split(r"[\[=]", line)[0] for line in pins}
    assert {"statsmodels", "pandera"} <= named
    # The image's own libraries must stay what they are.
    assert not {"numpy", "pandas", "scipy", "scikit-learn", "pyarrow", "joblib", "boto3", "botocore"} & named


@pytest.fixture
def processing(tmp_path) -> Path:
    """Make a job's /opt/ml/processing with run.sh and a code archive that holds one small script."""
    code = tmp_path / "processing" / "input" / "code"
    code.mkdir(parents=True)
    (code / "run.sh").write_bytes((STEPS / "run.sh").read_bytes())
    files = {
        "show.py": b"import os, sys; print(os.getcwd(), sys.argv[1:]); sys.exit(7 if 'fail' in sys.argv else 0)",
        "requirements.txt": b"# nothing that is not here\npytest==%s\n" % pytest.__version__.encode(),
    }
    with tarfile.open(code / "sourcedir.tar.gz", "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return tmp_path / "processing"


def start(processing: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Start run.sh with this interpreter as python3."""
    bin_dir = processing / "bin"
    bin_dir.mkdir(exist_ok=True)
    (bin_dir / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (bin_dir / "python3").chmod(0o755)
    environment = {**os.environ, "PATH": f"{bin_dir}:{os.environ['PATH']}"}
    command = ["/bin/bash", str(processing / "input" / "code" / "run.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_run_sh_hands_arguments_on_as_they_are(processing) -> None:
    done = start(processing, "show.py", "--key", "a b+ü%'\"$x*.csv", "")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{processing / 'code'} {['--key', 'a b+ü%' + chr(39) + chr(34) + '$x*.csv', '']!r}"


def test_run_sh_ends_with_the_scripts_exit_code(processing) -> None:
    assert start(processing, "show.py", "fail").returncode == 7


@pytest.mark.parametrize("script", ["absent.py", "../../etc/passwd", "/etc/passwd"])
def test_run_sh_refuses_a_script_that_is_not_in_the_archive(processing, script: str) -> None:
    done = start(processing, script)
    assert done.returncode == 1
    assert f"there is no script '{script}'" in done.stderr


def test_run_sh_says_when_the_archive_is_broken(processing) -> None:
    (processing / "input" / "code" / "sourcedir.tar.gz").write_bytes(b"no archive")
    done = start(processing, "show.py")
    assert done.returncode == 1
    assert "can't be unpacked" in done.stderr
